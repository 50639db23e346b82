use serde_json::json;

use super::{has_check, json, loaded, openapi, wanted};
use crate::{
    core::connector::form::{Access, Grant},
    draft::{self, Error, Wanted, source},
};

const CRM: &str = r##"
openapi: 3.1.0
info: { title: Acme CRM, version: "2.4" }
servers: [{ url: "https://api.acme.example/v2" }]
security: [{ oauth: [customers.read] }, { key: [] }]
paths:
  /customers:
    parameters: [{ name: Acme-Version, in: header, required: true, schema: { type: string, enum: ["2026-01-01"] } }]
    get:
      parameters:
        - { $ref: "#/components/parameters/limit" }
        - { name: cursor, in: query, schema: { type: string } }
        - { name: updated_since, in: query, schema: { type: string, format: date-time } }
        - { name: email, in: query, schema: { type: string } }
      responses:
        200:
          description: a page
          content:
            application/json:
              schema:
                type: object
                properties:
                  data: { type: array, items: { $ref: "#/components/schemas/Customer" } }
                  meta: { type: object, properties: { next_cursor: { type: [string, "null"] }, total: { type: integer } } }
    post:
      parameters: [{ name: Idempotency-Key, in: header, schema: { type: string } }]
      requestBody: { content: { application/json: { schema: { $ref: "#/components/schemas/NewCustomer" } } } }
      responses: { 201: { description: made, content: { application/json: { schema: { $ref: "#/components/schemas/Wrapped" } } } } }
  /customers/{customer_id}:
    get: { responses: { 200: { description: one, content: { application/json: { schema: { $ref: "#/components/schemas/Wrapped" } } } } } }
    patch:
      parameters: [{ name: If-Match, in: header, schema: { type: string } }]
      requestBody: { content: { application/json: { schema: { $ref: "#/components/schemas/ChangedCustomer" } } } }
      responses: { 200: { description: done } }
    delete: { responses: { 204: { description: gone } } }
  /customers/search: { get: { responses: { 200: { description: found, content: { application/json: { schema: { type: array, items: { $ref: "#/components/schemas/Customer" } } } } } } } }
components:
  securitySchemes:
    oauth: { type: oauth2, flows: { clientCredentials: { tokenUrl: "https://api.acme.example/token", scopes: { customers.read: read } } } }
    key: { type: apiKey, in: header, name: X-Key }
  parameters: { limit: { name: limit, in: query, schema: { type: integer, maximum: 250 } } }
  schemas:
    Wrapped: { type: object, properties: { data: { $ref: "#/components/schemas/Customer" } } }
    NewCustomer:
      type: object
      required: [name, kind]
      properties: { name: { type: string }, email: { type: string }, kind: { type: string }, credit_limit: { type: number }, address: { $ref: "#/components/schemas/Address" } }
    ChangedCustomer: { type: object, properties: { name: { type: string }, email: { type: string }, credit_limit: { type: number }, address: { $ref: "#/components/schemas/Address" } } }
    Address: { type: object, properties: { street: { type: string }, city: { type: string } } }
    Customer:
      allOf:
        - type: object
          properties: { id: { type: string, readOnly: true }, version: { type: integer }, updated_at: { type: string, format: date-time, readOnly: true } }
        - type: object
          properties:
            name: { type: string }
            email: { type: string, format: email }
            kind: { type: string, enum: [customer, supplier] }
            credit_limit: { type: number, multipleOf: 0.01 }
            since: { type: string, format: date }
            tags: { type: array, items: { type: string } }
            address: { $ref: "#/components/schemas/Address" }
"##;

#[test]
fn a_description_becomes_a_connector_that_loads() {
    let draft = openapi(CRM);
    let form = loaded(&draft);
    assert_eq!(form.base_url, "{{ settings.base_url }}/v2");
    assert_eq!(
        form.settings["base_url"].default,
        Some(json!("https://api.acme.example"))
    );
    assert_eq!(
        form.objects.keys().collect::<Vec<_>>(),
        ["customer"],
        "a search is no object"
    );
    let object = &form.objects["customer"];
    assert_eq!(
        (object.id.as_str(), object.updated_at.as_deref()),
        ("id", Some("updated_at"))
    );
    let list = object.list.as_ref().unwrap();
    assert_eq!(
        (list.get.as_deref(), list.records.as_deref()),
        (Some("/customers"), Some("data"))
    );
    let page = list.page.as_ref().unwrap();
    assert_eq!(
        (page.cursor.as_deref(), page.send.query.as_deref()),
        (Some("meta.next_cursor"), Some("cursor"))
    );
    assert_eq!(page.total.as_deref(), Some("meta.total"));
    assert_eq!(list.query["updated_since"], "{{ since }}");
    assert_eq!(list.query["limit"], "{{ page.size }}");
    assert_eq!(form.settings["page_size"].default, Some(json!(250)));
    assert_eq!(
        list.headers["Acme-Version"], "2026-01-01",
        "what can only have one value has it"
    );
    let find = object.find.as_ref().unwrap();
    assert_eq!(find.fields, ["email"]);
}

#[test]
fn what_is_written_and_how_follows_from_what_the_requests_carry() {
    let form = loaded(&openapi(CRM));
    let object = &form.objects["customer"];
    let get = object.get.as_ref().unwrap();
    assert_eq!(
        (get.get.as_deref(), get.record.as_deref()),
        (Some("/customers/{{ id }}"), Some("data"))
    );
    let create = object.create.as_ref().unwrap();
    assert_eq!(create.body, Some(json!("{{ record }}")));
    assert_eq!(
        (create.record.as_deref(), create.idempotency.as_deref()),
        (Some("data"), Some("header:Idempotency-Key"))
    );
    let update = object.update.as_ref().unwrap();
    assert_eq!(
        (update.body.clone(), update.if_match.as_deref()),
        (Some(json!("{{ changes }}")), Some("If-Match"))
    );
    assert_eq!(object.version.as_deref(), Some("version"));
    assert_eq!(
        object.delete.as_ref().unwrap().delete.as_deref(),
        Some("/customers/{{ id }}")
    );
    let field = |name: &str| (object.fields[name].kind.as_deref().unwrap(), object.fields[name].access);
    assert_eq!(field("credit_limit"), ("decimal(2)", Access::ReadWrite));
    assert_eq!(field("address.city"), ("text", Access::ReadWrite));
    assert_eq!(field("kind"), ("text", Access::CreateOnly));
    assert_eq!(field("since"), ("date", Access::ReadOnly));
    assert_eq!(field("updated_at"), ("datetime", Access::ReadOnly));
    assert_eq!(field("tags").0, "list");
    assert!(
        object.fields["email"].sensitive
            && object.fields["address.street"].sensitive
            && !object.fields["kind"].sensitive
    );
}

#[test]
fn a_way_to_sign_in_without_a_person_is_taken_with_the_least_scopes() {
    let draft = openapi(CRM);
    let oauth2 = loaded(&draft).auth.oauth2.unwrap();
    assert_eq!(
        (oauth2.grant, oauth2.token_url.as_deref()),
        (Grant::ClientCredentials, Some("https://api.acme.example/token"))
    );
    assert_eq!(oauth2.scopes, ["customers.read"]);
    assert!(draft.yaml().unwrap().contains("it also knows key"));
}

#[test]
fn what_could_not_be_known_is_marked_at_its_place_and_listed() {
    let draft = openapi(CRM);
    for (place, part) in [
        ("/limits", "how much the system allows"),
        ("/webhooks", "whether it pushes"),
        ("/auth", "client_auth"),
    ] {
        assert!(has_check(&draft, place, part), "{place}: {:?}", draft.open());
    }
    let text = draft.yaml().unwrap();
    assert_eq!(text.matches("# CHECK: ").count(), draft.open().len(), "{text}");
    assert!(text.contains("# required for a new record"), "{text}");
    assert!(text.contains("one of: customer, supplier"), "{text}");
}

#[test]
fn ways_of_paging_are_known_by_their_parameters() {
    let with = |parameters: &str, answer: &str, headers: &str| {
        let text = format!(
            r#"{{"openapi":"3.0.0","info":{{}},"paths":{{
              "/things":{{"get":{{"parameters":[{parameters}],"responses":{{"200":{{"headers":{headers},"content":{{"application/json":{{"schema":{answer}}}}}}}}}}}}},
              "/things/{{id}}":{{"get":{{"responses":{{}}}}}}}}}}"#
        );
        let draft = openapi(&text);
        let form = loaded(&draft);
        json(form.objects["thing"].list.as_ref().unwrap().page.clone())
    };
    let query = |name: &str| format!(r#"{{"name":"{name}","in":"query","schema":{{"type":"integer"}}}}"#);
    let bare = r#"{"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"}}}}"#;
    let around = |beside: &str| format!(r#"{{"type":"object","properties":{{"items":{bare},{beside}}}}}"#);
    let offset = with(&format!("{},{}", query("offset"), query("limit")), bare, "{}");
    assert_eq!(
        (&offset["offset"], &offset["send"]["query"]),
        (&json!(0), &json!("offset"))
    );
    let number = with(&query("page"), bare, "{}");
    assert_eq!(
        (&number["number"], &number["send"]["query"]),
        (&json!(1), &json!("page"))
    );
    let link = with(&query("page"), bare, r#"{"Link":{}}"#);
    assert_eq!(link["link_header"], "next");
    let next = with(
        "",
        &around(
            r#""_links":{"properties":{"next":{"properties":{"href":{"type":"string"}}},"prev":{"properties":{"href":{"type":"string"}}}}}"#,
        ),
        "{}",
    );
    assert_eq!(next["next_url"], "_links.next.href");
    let last = with(
        &query("starting_after"),
        &around(r#""has_more":{"type":"boolean"}"#),
        "{}",
    );
    assert_eq!((&last["keyset"], &last["more"]), (&json!("id"), &json!("has_more")));
    let hubspot = with(
        &query("after"),
        &around(
            r#""paging":{"properties":{"next":{"properties":{"after":{"type":"string"},"link":{"type":"string"}}}}}"#,
        ),
        "{}",
    );
    assert_eq!(
        (&hubspot["cursor"], &hubspot["send"]["query"]),
        (&json!("paging.next.after"), &json!("after"))
    );
    assert_eq!(with("", bare, "{}"), json!(null), "nothing leads on");
}

#[test]
fn swagger_2_says_the_same_in_other_places() {
    let draft = openapi(
        r##"{"swagger":"2.0","info":{"title":"Old"},"host":"old.example","basePath":"/api","schemes":["https"],
        "securityDefinitions":{"basic":{"type":"basic"}},
        "paths":{
          "/orders":{"get":{"parameters":[{"name":"skip","in":"query","type":"integer"},{"name":"top","in":"query","type":"integer","maximum":50}],
            "responses":{"200":{"schema":{"type":"array","items":{"$ref":"#/definitions/Order"}}}}},
            "post":{"parameters":[{"name":"body","in":"body","schema":{"$ref":"#/definitions/Order"}}],"responses":{"201":{"schema":{"$ref":"#/definitions/Order"}}}}},
          "/orders/{orderId}":{"get":{"responses":{"200":{"schema":{"$ref":"#/definitions/Order"}}}}}},
        "definitions":{"Order":{"type":"object","properties":{"orderId":{"type":"integer"},"total":{"type":"number"},"modified":{"type":"string","format":"date-time"}}}}}"##,
    );
    let form = loaded(&draft);
    assert_eq!(form.base_url, "{{ settings.base_url }}/api");
    assert!(form.auth.basic.is_some());
    let object = &form.objects["order"];
    assert_eq!(
        (object.id.as_str(), object.updated_at.as_deref()),
        ("orderId", Some("modified"))
    );
    assert_eq!(
        object
            .list
            .as_ref()
            .unwrap()
            .page
            .as_ref()
            .unwrap()
            .send
            .query
            .as_deref(),
        Some("skip")
    );
    assert_eq!(object.create.as_ref().unwrap().body, Some(json!("{{ record }}")));
}

#[test]
fn objects_are_chosen_by_name_and_many_are_not_taken_blindly() {
    let root = source::read(CRM.as_bytes()).unwrap();
    let of = |objects: &[String]| draft::openapi::draft(&root, &Wanted { objects, ..wanted() });
    assert!(of(&["Customers".to_owned()]).is_ok());
    let unknown = of(&["custmer".to_owned()]).unwrap_err();
    assert_eq!(unknown.hint().as_deref(), Some("did you mean `customer`?"));
    let mut paths = serde_json::Map::new();
    for number in 0..60 {
        let list = json!({ "get": { "responses": { "200": { "content": { "application/json": { "schema": { "type": "array", "items": { "properties": { "id": {} } } } } } } } } });
        paths.insert(format!("/kind{number}s"), list);
        paths.insert(format!("/kind{number}s/{{id}}"), json!({ "get": { "responses": {} } }));
    }
    let many = json!({ "openapi": "3.0.0", "paths": paths });
    let refused = draft::openapi::draft(&many, &wanted()).unwrap_err();
    assert!(matches!(&refused, Error::TooMany(names) if names.len() == 60));
    assert!(refused.hint().unwrap().contains("--object"));
}

#[test]
fn the_description_of_our_own_api_gives_a_connector_that_loads() {
    let text = include_str!("../../../docs/openapi.json");
    let form = loaded(&openapi(text));
    assert!(form.objects.contains_key("link"), "{:?}", form.objects.keys());
}

#[test]
fn the_fields_of_a_collection_are_found_by_the_path_that_it_is_listed_at() {
    let root = source::read(CRM.as_bytes()).unwrap();
    let fields = draft::openapi::fields(&root, "/v2/customers").unwrap().unwrap();
    let credit = fields.iter().find(|field| field.path == "credit_limit").unwrap();
    assert_eq!(credit.kind, "decimal(2)");
    assert_eq!(draft::openapi::fields(&root, "/v2/orders").unwrap(), None);
}
