use serde_json::json;

use super::{has_check, json as to_json, loaded, wanted};
use crate::{
    core::connector::form::{ErrorMeaning, Grant},
    draft::{Draft, Wanted, airbyte, source},
};

/// In the shape of what the builder of low-code connectors writes.
const MANIFEST: &str = r##"
version: 6.5.0
type: DeclarativeSource
check: { type: CheckStream, stream_names: [customers] }
definitions:
  requester:
    type: HttpRequester
    url_base: https://api.acme.example/v1/
    http_method: GET
    authenticator: { type: BearerAuthenticator, api_token: "{{ config[\"api_key\"] }}" }
    error_handler:
      type: CompositeErrorHandler
      error_handlers:
        - type: DefaultErrorHandler
          backoff_strategies: [{ type: WaitTimeFromHeader, header: X-Wait }]
          response_filters:
            - { type: HttpResponseFilter, action: RETRY, http_codes: [429] }
            - { type: HttpResponseFilter, action: RATE_LIMITED, http_codes: [403], error_message_contains: slow down }
            - { type: HttpResponseFilter, action: FAIL, predicate: "{{ response['status'] == 'error' }}", error_message: The API says no }
            - { type: HttpResponseFilter, action: IGNORE, http_codes: [404] }
  paginator:
    type: DefaultPaginator
    page_token_option: { type: RequestOption, inject_into: request_parameter, field_name: after }
    page_size_option: { type: RequestOption, inject_into: request_parameter, field_name: limit }
    pagination_strategy:
      type: CursorPagination
      page_size: 50
      cursor_value: "{{ response.get('paging', {}).get('next') }}"
      stop_condition: "{{ not response.has_more }}"
  base_stream:
    type: DeclarativeStream
    retriever:
      type: SimpleRetriever
      requester:
        $ref: "#/definitions/requester"
        request_parameters: { expand: "{{ config['expand'] }}", now: "{{ now_utc() }}" }
        request_headers: { Accept: application/json }
      record_selector:
        type: RecordSelector
        extractor: { type: DpathExtractor, field_path: ["{{ parameters['root'] }}"] }
      paginator: { $ref: "#/definitions/paginator" }
streams:
  - $ref: "#/definitions/base_stream"
    $parameters: { name: customers, path: customers, primary_key: id, root: data }
    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: updated_at
      datetime_format: "%s"
      start_datetime: "{{ config['start_date'] }}"
      lookback_window: P1D
      start_time_option: { type: RequestOption, inject_into: request_parameter, field_name: since }
    transformations: [{ type: AddFields }]
    schema_loader:
      type: InlineSchemaLoader
      schema: { type: object, properties: { id: { type: [string, "null"] }, email: { type: string }, updated_at: { type: string, format: date-time } } }
  - type: DeclarativeStream
    name: notes
    primary_key: [[customer, id], [number]]
    retriever:
      type: SimpleRetriever
      requester: { $ref: "#/definitions/requester", path: /notes }
      record_selector: { type: RecordSelector, extractor: { type: DpathExtractor, field_path: [] }, record_filter: { condition: "{{ record.x }}" } }
      paginator:
        type: DefaultPaginator
        page_token_option: { type: RequestOption, inject_into: request_parameter, field_name: page }
        pagination_strategy: { type: PageIncrement, start_from_page: 1, page_size: 10 }
  - type: DeclarativeStream
    name: lines
    retriever:
      type: SimpleRetriever
      requester: { $ref: "#/definitions/requester", path: "/customers/{{ stream_partition.id }}/lines" }
      partition_router: { type: SubstreamPartitionRouter, parent_stream_configs: [{ stream: { name: customers } }] }
  - type: DeclarativeStream
    name: odd
    retriever: { type: CustomRetriever, class_name: source_acme.Odd }
spec:
  connection_specification:
    properties:
      api_key: { type: string, airbyte_secret: true }
      expand: { type: string, title: What to expand, default: all }
api_budget: { type: HTTPAPIBudget, policies: [{ type: MovingWindowCallRatePolicy, rates: [{ limit: 100, interval: PT1M }] }] }
concurrency_level: { type: ConcurrencyLevel, default_concurrency: 3 }
"##;

fn import(text: &str) -> Draft {
    airbyte::draft(&source::read(text.as_bytes()).unwrap(), &wanted()).unwrap()
}

#[test]
fn a_manifest_becomes_a_connector_that_loads() {
    let form = loaded(&import(MANIFEST));
    assert_eq!(form.base_url, "{{ settings.base_url }}/v1");
    assert_eq!(form.auth.bearer.unwrap().token, "{{ credentials.api_key }}");
    assert_eq!(form.credentials, ["api_key"]);
    assert_eq!(form.settings["expand"].default, Some(json!("all")));
    assert_eq!(form.limits.rate.map(|rate| rate.to_string()).as_deref(), Some("100/m"));
    assert_eq!(form.limits.concurrency, Some(3));
    let customer = &form.objects["customer"];
    assert_eq!(
        (customer.id.as_str(), customer.updated_at.as_deref()),
        ("id", Some("updated_at"))
    );
    assert_eq!(customer.fields["updated_at"].kind.as_deref(), Some("datetime"));
    let list = customer.list.as_ref().unwrap();
    assert_eq!(
        (list.get.as_deref(), list.records.as_deref()),
        (Some("/customers"), Some("data"))
    );
    assert_eq!(
        (list.query["expand"].as_str(), list.query["since"].as_str()),
        (Some("{{ settings.expand }}"), Some("{{ since }}"))
    );
    assert_eq!(
        (
            list.since_format.as_deref(),
            list.overlap.map(|overlap| overlap.to_string()).as_deref()
        ),
        (Some("epoch_seconds"), Some("1d"))
    );
    let page = list.page.as_ref().unwrap();
    assert_eq!(
        (page.cursor.as_deref(), page.more.as_deref(), page.send.query.as_deref()),
        (Some("paging.next"), Some("has_more"), Some("after"))
    );
    assert_eq!(list.query["limit"], "{{ page.size }}");
    assert_eq!(form.settings["page_size"].default, Some(json!(50)));
    let note = &form.objects["note"];
    assert_eq!(
        (
            note.id.as_str(),
            note.list.as_ref().unwrap().page.as_ref().unwrap().number
        ),
        ("customer.id, number", Some(1))
    );
}

#[test]
fn what_answers_mean_is_carried_over_where_http_does_not_say_it() {
    let errors = loaded(&import(MANIFEST)).errors;
    let rules: Vec<(&str, ErrorMeaning)> = errors.iter().map(|rule| (rule.when.as_str(), rule.then)).collect();
    assert_eq!(
        rules,
        [
            (
                "{{ status == 403 and 'slow down' in (body | json) }}",
                ErrorMeaning::Throttle
            ),
            ("{{ body.status == 'error' }}", ErrorMeaning::Reject),
        ]
    );
}

#[test]
fn exactly_what_could_not_be_carried_over_is_listed() {
    let draft = import(MANIFEST);
    for (place, part) in [
        ("/objects", "`lines`: it is read for each record of `customers`"),
        ("/objects", "`odd`: it is read by `CustomRetriever`"),
        ("/objects", "a manifest reads no single record"),
        ("/objects/customer/list", "the parameter `now` (`now_utc()`)"),
        (
            "/objects/customer/list",
            "an answer that counts as nothing (HTTP [404])",
        ),
        ("/objects/customer/fields", "AddFields"),
        ("/objects/note/list", "a filter of records"),
        ("/objects/note/fields", "the fields"),
        ("/limits", "X-Wait"),
    ] {
        assert!(has_check(&draft, place, part), "{place} {part}: {:#?}", draft.open());
    }
    let lost = draft
        .open()
        .into_iter()
        .filter(|note| note.text.starts_with("not carried over"));
    assert_eq!(lost.count(), 9, "{:#?}", draft.open());
}

#[test]
fn every_way_of_signing_in_that_can_be_said_is_said() {
    let with = |authenticator: &str| {
        let text = MANIFEST.replace(
            r#"{ type: BearerAuthenticator, api_token: "{{ config[\"api_key\"] }}" }"#,
            authenticator,
        );
        let draft = import(&text);
        (loaded(&draft).auth, draft)
    };
    let (basic, _) = with(r#"{ type: BasicHttpAuthenticator, username: "{{ config['key'] }}", password: "" }"#);
    assert_eq!(basic.basic.unwrap().user, "{{ credentials.key }}");
    let (key, _) = with(
        r#"{ type: ApiKeyAuthenticator, api_token: "Token {{ config['key'] }}", inject_into: { type: RequestOption, inject_into: header, field_name: Authorization } }"#,
    );
    let key = key.api_key.unwrap();
    assert_eq!(
        (key.header.as_deref(), key.value.as_deref()),
        (Some("Authorization"), Some("Token {{ credentials.key }}"))
    );
    let (oauth, _) = with(
        r#"{ type: OAuthAuthenticator, token_refresh_endpoint: "https://api.acme.example/token", client_id: "{{ config['client_id'] }}", client_secret: "{{ config['client_secret'] }}", refresh_token: "{{ config['refresh_token'] }}" }"#,
    );
    assert_eq!(oauth.oauth2.unwrap().grant, Grant::RefreshToken);
    let (session, _) = with(
        r#"{ type: SessionTokenAuthenticator, login_requester: { type: HttpRequester, url_base: "https://api.acme.example/v1", path: /login, http_method: POST, request_body_json: { user: "{{ config['user'] }}" } }, session_token_path: [token], expiration_duration: PT1H, request_authentication: { type: ApiKey, inject_into: { type: RequestOption, inject_into: header, field_name: X-Session } } }"#,
    );
    let session = session.session.unwrap();
    assert_eq!(session.headers["X-Session"], "{{ answer.token }}");
    let (none, draft) = with("{ type: CustomAuthenticator, class_name: x.Y }");
    assert!(none.bearer.is_none() && has_check(&draft, "/auth", "`CustomAuthenticator`"));
}

#[test]
fn a_secret_in_a_parameter_of_every_request_is_a_key_and_no_setting() {
    let text = MANIFEST
        .replace(
            r#"{ type: BearerAuthenticator, api_token: "{{ config[\"api_key\"] }}" }"#,
            "{ type: NoAuth }",
        )
        .replace("now: \"{{ now_utc() }}\"", "api_token: \"{{ config['api_key'] }}\"");
    let form = loaded(&import(&text));
    let key = to_json(form.auth.api_key.unwrap());
    assert_eq!(key["query"]["api_token"], "{{ credentials.api_key }}");
    assert!(!form.settings.contains_key("api_key") && form.credentials == ["api_key"]);
    assert!(
        !form.objects["customer"]
            .list
            .as_ref()
            .unwrap()
            .query
            .contains_key("api_token")
    );
}

#[test]
fn streams_are_chosen_by_name_and_other_files_are_refused() {
    let root = source::read(MANIFEST.as_bytes()).unwrap();
    let objects = ["note".to_owned()];
    let draft = airbyte::draft(
        &root,
        &Wanted {
            objects: &objects,
            ..wanted()
        },
    )
    .unwrap();
    assert_eq!(draft.form.objects.len(), 1);
    assert!(airbyte::draft(&json!({ "openapi": "3.0.0" }), &wanted()).is_err());
    let none = MANIFEST.replace("SimpleRetriever", "AsyncRetriever");
    let root = source::read(none.as_bytes()).unwrap();
    assert!(
        airbyte::draft(&root, &wanted())
            .unwrap_err()
            .to_string()
            .contains("AsyncRetriever")
    );
}
