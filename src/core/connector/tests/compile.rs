use super::*;

const MINIMAL: &str = r#"
connector: small
settings: { base_url: { type: url } }
base_url: "{{ settings.base_url }}"
objects:
  thing:
    id: id
    list: { get: /things }
    get: { get: "/things/{{ id }}" }
"#;

/// The minimal connector with a piece of it exchanged, and the code and place of what is then wrong.
#[track_caller]
fn breaks(from: &str, to: &str, code: &str, place: &str) -> Problem {
    assert!(MINIMAL.contains(from), "{from}");
    let (connector, problems) = check(&MINIMAL.replace(from, to));
    assert!(connector.is_none(), "{to} is taken");
    let found = problems
        .iter()
        .find(|problem| problem.code == code && problem.pointer == place);
    found.cloned().unwrap_or_else(|| panic!("{to}: {problems:#?}"))
}

#[test]
fn a_connector_that_uses_everything_compiles() {
    let connector = acme();
    let account = &connector.objects["account"];
    assert_eq!(connector.credentials, ["client_id", "client_secret"]);
    assert_eq!(connector.limits.concurrency, Some(8));
    assert!(account.lists_changes());
    assert!(account.can_find("VatNumber") && !account.can_find("Name"));
    assert_eq!(account.batch_update.as_ref().unwrap().size, 200);
}

#[test]
fn all_problems_are_told_at_once_with_places_and_hints() {
    let (connector, problems) = check(ACME);
    assert!(connector.is_none());
    let found: Vec<_> = problems
        .iter()
        .map(|problem| (problem.code, problem.pointer.as_str()))
        .collect();
    assert_eq!(found, [("CN024", "/objects/account/list/query/ids")]);
    assert!(
        problems[0].hint.as_deref().unwrap().contains("`settings:`")
            || problems[0].hint.as_deref().unwrap().contains("did you mean")
    );
}

#[test]
fn unknown_names_are_found_when_the_file_is_read() {
    let problem = breaks(
        "/things/{{ id }}",
        "/things/{{ idd }}",
        "CN001",
        "/objects/thing/get/get",
    );
    assert_eq!(problem.hint.as_deref(), Some("did you mean `id`?"));
    let problem = breaks(
        "{{ settings.base_url }}",
        "{{ settings.base_ur }}",
        "CN024",
        "/base_url",
    );
    assert_eq!(problem.hint.as_deref(), Some("did you mean `settings.base_url`?"));
}

/// A piece of the minimal connector, what stands there instead, and the code and place of the problem.
const CONTRADICTIONS: &[(&str, &str, &str, &str)] = &[
    (
        "list: { get: /things }",
        "list: { records: x }",
        "CN003",
        "/objects/thing/list",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, post: /things }",
        "CN003",
        "/objects/thing/list",
    ),
    (
        "list: { get: /things }",
        "list: { get: things }",
        "CN004",
        "/objects/thing/list/get",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things?x=1 }",
        "CN004",
        "/objects/thing/list/get",
    ),
    (
        "list: { get: /things }",
        "list: { get: /../things }",
        "CN004",
        "/objects/thing/list/get",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, body: {} }",
        "CN020",
        "/objects/thing/list",
    ),
    (
        "list: { get: /things }",
        "list: { post: /things, body: {}, form: { a: b } }",
        "CN020",
        "/objects/thing/list",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, records: 'a..b' }",
        "CN002",
        "/objects/thing/list/records",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, page: { } }",
        "CN009",
        "/objects/thing/list/page",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, page: { offset: 0, number: 1 } }",
        "CN009",
        "/objects/thing/list/page",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, page: { offset: 0, parallel: 4, send: { query: o } } }",
        "CN009",
        "/objects/thing/list/page/parallel",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, page: { cursor: next, total: n, parallel: 4, send: { query: c } } }",
        "CN009",
        "/objects/thing/list/page/parallel",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, page: { offset: 0, total: n, parallel: 17, send: { query: o } } }",
        "CN009",
        "/objects/thing/list/page/parallel",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, page: { cursor: next } }",
        "CN010",
        "/objects/thing/list/page",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, page: { keyset: id } }",
        "CN010",
        "/objects/thing/list/page",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, page: { next_url: n, send: { query: x } } }",
        "CN010",
        "/objects/thing/list/page",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, since_format: soon }",
        "CN011",
        "/objects/thing/list/since_format",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, headers: { 'a b': x } }",
        "CN007",
        "/objects/thing/list/headers/a b",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things, headers: { Content-Length: '1' } }",
        "CN007",
        "/objects/thing/list/headers/Content-Length",
    ),
    (
        "list: { get: /things }",
        "changed: { get: /things }",
        "CN014",
        "/objects/thing/changed",
    ),
    (
        "list: { get: /things }",
        "find: { get: /things, fields: [a] }",
        "CN015",
        "/objects/thing/find",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things }\n    fields: { a: decmal }",
        "CN008",
        "/objects/thing/fields/a",
    ),
    (
        "list: { get: /things }",
        "list: { get: /things }\n    version: 'a['",
        "CN002",
        "/objects/thing/version",
    ),
    (
        "get: { get: \"/things/{{ id }}\" }",
        "get: { get: /things }",
        "CN017",
        "/objects/thing/get",
    ),
    (
        "get: { get: \"/things/{{ id }}\" }",
        "create: { post: /things, idempotency: Key }",
        "CN016",
        "/objects/thing/create/idempotency",
    ),
    (
        "get: { get: \"/things/{{ id }}\" }",
        "update: { put: '/things/{{ id }}', if_match: If-Match }",
        "CN023",
        "/objects/thing/update/if_match",
    ),
    (
        "get: { get: \"/things/{{ id }}\" }",
        "batch: { create: { post: /b, size: 0, body: '{{ records }}', results: r, ok: '{{ result.ok }}' } }",
        "CN021",
        "/objects/thing/batch/create/size",
    ),
    (
        "get: { get: \"/things/{{ id }}\" }",
        "batch: { create: { post: /b, size: 9, body: '{{ records }}', results: r, ok: 'yes' } }",
        "CN001",
        "/objects/thing/batch/create/ok",
    ),
    (
        "base_url: \"{{ settings.base_url }}\"",
        "base_url: /api",
        "CN026",
        "/base_url",
    ),
    ("connector: small", "connector: 'small thing'", "CN018", "/connector"),
    (
        "connector: small",
        "connector: small\nauth: { bearer: { token: s3cret } }",
        "CN025",
        "/auth/bearer/token",
    ),
    (
        "connector: small",
        "connector: small\nauth: { bearer: { token: '{{ credentials.tokn }}' } }\ncredentials: [token]",
        "CN024",
        "/auth/bearer/token",
    ),
    (
        "connector: small",
        "connector: small\ncredentials: [t]\nauth: { bearer: { token: '{{ credentials.t }}' }, basic: { user: a, password: '{{ credentials.t }}' } }",
        "CN005",
        "/auth",
    ),
    (
        "connector: small",
        "connector: small\ncredentials: [t]\nauth: { api_key: { value: '{{ credentials.t }}' } }",
        "CN006",
        "/auth/api_key",
    ),
    (
        "connector: small",
        "connector: small\nlimits: { concurrency: 0 }",
        "CN019",
        "/limits/concurrency",
    ),
    (
        "connector: small",
        "connector: small\nlimits: { reserve: 10% }",
        "CN019",
        "/limits/reserve",
    ),
    (
        "connector: small",
        "connector: small\ntypes: { zone: Mars/Olympus }",
        "CN022",
        "/types/zone",
    ),
    (
        "connector: small",
        "connector: small\ntypes: { decimal: { format: float } }",
        "CN011",
        "/types/decimal/format",
    ),
    (
        "connector: small",
        "connector: small\nerrors: [{ when: 'status == 400', then: retry }]",
        "CN001",
        "/errors/0/when",
    ),
    (
        "base_url: { type: url }",
        "base_url: { type: url, default: 7 }",
        "CN012",
        "/settings/base_url/default",
    ),
];

#[test]
fn what_contradicts_itself_is_refused() {
    for (from, to, code, place) in CONTRADICTIONS {
        breaks(from, to, code, place);
    }
}

#[test]
fn an_unknown_key_is_an_error() {
    let broken = MINIMAL.replace("id: id", "id: id\n    titel: Thing");
    let error = serde_saphyr::from_str::<ConnectorForm>(&broken)
        .unwrap_err()
        .to_string();
    assert!(error.contains("titel"), "{error}");
}

#[test]
fn templates_see_the_defaults_of_settings_that_are_not_given() {
    let connector = acme();
    let given = |name: &str| (name == "base_url").then(|| Value::from("https://acme.example"));
    let settings = connector.settings_of(given).unwrap();
    assert_eq!(settings["page_size"], Value::Int(200));
    assert_eq!(settings["zone"], Value::from("UTC"));
    assert_eq!(connector.settings_of(|_| None), Err("base_url".to_owned()));
}

#[test]
fn errors_inside_of_a_200_are_no_answer_where_requests_are_made_in_graphql() {
    let (connector, problems) = check(&MINIMAL.replace(
        r#"get: { get: "/things/{{ id }}" }"#,
        r#"get: { post: /graphql, body: { query: "query($id: ID!) { thing(id: $id) { id } }", variables: { id: "{{ id }}" } }, record: data.thing }"#,
    ));
    let rules = connector.unwrap_or_else(|| panic!("{problems:#?}")).rules;
    assert_eq!(
        rules.last().map(|rule| rule.then),
        Some(crate::core::connector::form::ErrorMeaning::Reject)
    );
    let (plain, _) = check(MINIMAL);
    assert!(plain.unwrap().rules.is_empty(), "REST knows status codes");
}
