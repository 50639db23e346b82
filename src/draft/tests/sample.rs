use serde_json::json;

use super::{has_check, loaded, wanted};
use crate::draft::{
    Wanted,
    sample::{Sample, draft},
};

fn sample(stem: &str, body: serde_json::Value) -> Sample {
    Sample {
        stem: stem.to_owned(),
        body,
    }
}

#[test]
fn a_page_of_records_gives_the_object_its_fields_and_a_case() {
    let body = json!({
        "data": [
            { "id": 7, "name": "Ana Souza", "email": "ana@souza.example", "credit": 12.5, "since": "2024-01-02", "updated_at": "2026-01-02T03:04:05Z", "address": { "city": "Recife" } },
            { "id": 8, "name": "Bo", "email": null, "credit": 3, "since": null, "updated_at": "2026-01-02T03:04:06Z", "address": { "city": "Olinda" } },
            { "id": 9, "name": "Cy", "tags": ["a"] }
        ],
        "meta": { "total": 3, "next_cursor": "x" }
    });
    let draft = draft(&[sample("customers", body)], &wanted()).unwrap();
    let form = loaded(&draft);
    let object = &form.objects["customer"];
    let kind = |name: &str| object.fields[name].kind.as_deref().unwrap();
    assert_eq!(
        (
            kind("id"),
            kind("credit"),
            kind("since"),
            kind("address.city"),
            kind("tags")
        ),
        ("integer", "decimal", "date", "text", "list")
    );
    assert_eq!(object.updated_at.as_deref(), Some("updated_at"));
    assert!(object.fields["email"].sensitive);
    assert_eq!(object.list.as_ref().unwrap().records.as_deref(), Some("data"));
    for (place, part) in [
        ("/auth", "sign in"),
        ("/objects/customer/list", "the path `/customers` is a guess"),
        ("/objects/customer/create", "writes"),
    ] {
        assert!(has_check(&draft, place, part), "{place}: {:?}", draft.open());
    }
    let cases = draft.cases_yaml().unwrap();
    assert!(
        cases.contains("records:") && !cases.contains("souza"),
        "personal data stays out: {cases}"
    );
}

#[test]
fn times_without_a_zone_and_in_seconds_are_known_by_their_form() {
    let naive = json!([{ "id": "a", "modified": "2026-01-02 03:04:05" }]);
    let form = loaded(&draft(&[sample("items", naive)], &wanted()).unwrap());
    assert_eq!(
        form.types.datetime.unwrap().format.as_deref(),
        Some("%Y-%m-%d %H:%M:%S")
    );
    assert_eq!(form.types.zone.as_deref(), Some("UTC"));
    let seconds = json!([{ "id": "a", "updated": 1_772_360_430 }]);
    let form = loaded(&draft(&[sample("items", seconds)], &wanted()).unwrap());
    assert_eq!(form.types.datetime.unwrap().format.as_deref(), Some("epoch_seconds"));
}

#[test]
fn one_record_is_enough_and_names_what_it_does_not_show() {
    let record = json!({ "customer": { "id": 1, "name": "Ana" } });
    let objects = ["customer".to_owned()];
    let draft = draft(
        &[sample("answer", record)],
        &Wanted {
            objects: &objects,
            ..wanted()
        },
    )
    .unwrap();
    let form = loaded(&draft);
    assert_eq!(
        form.objects["customer"].get.as_ref().unwrap().record.as_deref(),
        Some("customer")
    );
    assert!(has_check(&draft, "/objects/customer/list", "one record"));
}

#[test]
fn what_is_no_record_is_refused() {
    assert!(draft(&[sample("x", json!("text"))], &wanted()).is_err());
    assert!(draft(&[sample("x", json!(5))], &wanted()).is_err());
}

#[test]
fn the_address_of_the_next_page_tells_path_and_parameters_and_the_case_holds() {
    let body = json!({
        "count": 9,
        "next": "http://10.1.2.3:8000/api/v1/organizers/big/customers/?page=2&page_size=2&api_token=geheim",
        "previous": null,
        "results": [{ "id": 7, "name": "Ana Souza", "self": "http://10.1.2.3:8000/api/v1/organizers/big/customers/7/" }]
    });
    let draft = draft(&[sample("customers", body)], &wanted()).unwrap();
    let form = loaded(&draft);
    let object = &form.objects["customer"];
    let list = object.list.as_ref().unwrap();
    assert_eq!(list.get.as_deref(), Some("/api/v1/organizers/big/customers/"));
    assert_eq!(list.query["page_size"], json!("{{ page.size }}"));
    assert_eq!(
        object.get.as_ref().unwrap().get.as_deref(),
        Some("/api/v1/organizers/big/customers/{{ id }}/")
    );
    assert!(
        !has_check(&draft, "/objects/customer/list", "is a guess"),
        "{:?}",
        draft.open()
    );
    let cases = draft.cases_yaml().unwrap();
    assert!(
        cases.contains("https://system.example/api/v1/organizers/big/customers/?page=2"),
        "{cases}"
    );
    assert!(!cases.contains("10.1.2.3") && !cases.contains("geheim"), "{cases}");
}

#[test]
fn an_address_that_could_be_a_template_or_of_no_web_is_not_taken_over() {
    for next in [
        "http://a.example/%7B%7B%20credentials.x/?page=2",
        "ftp://a.example/customers?page=2",
        "https://a.example/?page=2",
        "2",
    ] {
        let body = json!({ "count": 9, "links": { "next": next }, "results": [{ "id": 7, "name": "Ana" }] });
        let form = loaded(&draft(&[sample("customers", body)], &wanted()).unwrap());
        let object = &form.objects["customer"];
        assert_eq!(
            object.list.as_ref().unwrap().get.as_deref(),
            Some("/customers"),
            "{next}"
        );
    }
}
