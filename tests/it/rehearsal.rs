//! The cases beside connectors: what holds holds, what does not is told with its line, and every shipped connector passes
//! the standard suite.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use syncline::{
    catalog::{
        case::Report,
        diagnostic::Style,
        load::{Catalog, Sources, SystemDecl},
    },
    rehearsal,
};

use crate::support;

const ACME: &str = r#"
connector: acme
settings: { base_url: { type: url }, page_size: { type: integer, default: 2 } }
credentials: [user, password]
base_url: "{{ settings.base_url }}/api"
auth:
  session:
    login: { post: /login, body: { user: "{{ credentials.user }}", password: "{{ credentials.password }}" } }
    headers: { X-Session: "{{ answer.session }}" }
errors:
  - { when: "{{ body.code == 'ROW_LOCKED' }}", then: retry }
objects:
  account:
    id: Id
    updated_at: ModifiedAt
    version: Version
    fields: { CreditLimit: decimal(2), Since: date }
    list:
      get: /accounts
      query: { limit: "{{ page.size }}", modified_since: "{{ since }}" }
      records: items
      page: { cursor: meta.next, send: { query: cursor }, size: "{{ settings.page_size }}" }
    find: { get: /accounts, query: { vat: "{{ value }}" }, fields: [Vat], records: items }
    get: { get: "/accounts/{{ id }}" }
    create: { post: /accounts, body: "{{ record }}", id: Id, idempotency: "header:Idempotency-Key" }
    update: { patch: "/accounts/{{ id }}", body: "{{ changes }}", if_match: If-Match }
    delete: { delete: "/accounts/{{ id }}" }
    batch:
      create: { post: /accounts/batch, size: 10, body: { items: "{{ records }}" }, results: results, ok: "{{ result.ok }}", id: "{{ result.id }}" }
  ledger:
    id: Id
    list: { get: /ledger, query: { after: "{{ page.last.Id }}" }, page: { keyset: Id, size: 2 } }
  payer:                                    # forms, things in odd places
    id: id
    updated_at: "{{ raw.day ~ 'T' ~ raw.time ~ 'Z' }}"
    fields: { "phones[type=MOBILE].number": text, phones: { whole: yes }, address: { type: map, whole: yes } }
    list: { get: /events, query: { after: "{{ page.last.id }}" }, records: data, record: object.payer, page: { keyset: id, size: 2 } }
    find: { get: /payers, query: { email: "{{ value }}" }, fields: [email], records: found, empty: yes }
    create: { post: /payers, form: "{{ record }}", id: id, idempotency: "query:requestid" }
    update: { post: "/payers/{{ id }}", form: "{{ changes | merge({'sparse': true}) }}" }
  book:                                     # a PUT of the whole record
    id: id
    fields: { id: { type: integer, access: read_only }, price: decimal(2) }
    get: { get: "/books/{{ id }}" }
    update: { put: "/books/{{ id }}", body: "{{ current }}" }
  empty:
    id: id
    list: { get: /none, records: data, empty: yes }
webhooks:
  verify: { hmac: sha256, header: X-Acme-Signature, prefix: "sha256=" }
  events: "{{ body.events }}"
  id: "{{ event.id }}"
  object: "{{ event.entity }}"
  record_id: "{{ event.entityId }}"
  kind: "{{ event.type }}"
"#;

const HOLDING: &str = r#"
settings: { base_url: "https://acme.example" }
credentials: { user: ops, password: pw }
secrets: [whoever-holds-this-is-acme]
cases:
  - name: signing in
    login: {}
    request: { post: /login, body: { user: ops, password: pw } }
    answer: { body: { session: abc } }
    expect: { headers: { X-Session: abc } }
  - name: the first page is read and leads on
    object: account
    list: {}
    request: { get: "/accounts?limit=2", headers: { X-Session: abc } }
    answer: { body: { items: [{ Id: A1, Name: Ana, Version: 7, ModifiedAt: "2026-01-02T03:04:05Z", CreditLimit: "10.5", Since: 2026-01-02 }, { Id: A2 }], meta: { next: n2 } } }
    expect:
      records:
        - { id: A1, version: "7", updated_at: "2026-01-02T03:04:05Z", fields: { Name: Ana, CreditLimit: 10.50, Since: 2026-01-02 } }
        - { id: A2 }
      next: { get: "/accounts?limit=2&cursor=n2" }
  - name: the page behind it is the last
    object: account
    list: { after_answer: { items: [{ Id: A1 }, { Id: A2 }], meta: { next: n2 } } }
    request: { get: "/accounts?limit=2&cursor=n2" }
    answer: { body: { items: [{ Id: A3 }], meta: {} } }
    expect: { records: [{ id: A3 }], next: none }
  - name: a listing goes on by the last record
    object: ledger
    list: { after: { Id: 41 } }
    request: { get: "/ledger?after=41" }
    answer: { body: [{ Id: 42 }, { Id: 43 }] }
    expect: { records: [{ id: 42 }, { id: 43 }], next: { get: "/ledger?after=43" } }
  - name: found by VAT number
    object: account
    find: { Vat: DE1 }
    request: { get: "/accounts?vat=DE1" }
    answer: { body: { items: [] } }
    expect: { records: [] }
  - name: a missing record
    object: account
    get: A9
    request: { get: /accounts/A9 }
    answer: { status: 404, body: {} }
    expect: { outcome: missing }
  - name: a page for people
    object: account
    get: A9
    answer: { text: "<!doctype html><p>Please sign in" }
    expect: { outcome: page }
  - name: half an answer
    object: account
    get: A9
    answer: { text: '{"Id": "A9", "Na' }
    expect: { outcome: unreadable }
  - name: an ended session
    object: account
    get: A9
    answer: { status: 401 }
    expect: { outcome: reauthenticate }
  - name: a new account
    object: account
    create: { Name: Ana, CreditLimit: 10.50 }
    request: { post: /accounts, headers: { Idempotency-Key: KEY }, body: { Name: Ana, CreditLimit: 10.50 } }
    answer: { status: 201, body: { Id: A5, Version: 1 } }
    expect: { id: A5, version: "1" }
  - name: a change with the version that was read
    object: account
    update: { id: A5, version: "1", changes: { Name: Bea } }
    request: { patch: /accounts/A5, headers: { If-Match: "1" }, body: { Name: Bea } }
    answer: { status: 412 }
    expect: { outcome: stale }
  - name: a fault in a 200
    object: account
    update: { id: A5, changes: { Name: Bea } }
    answer: { body: { code: ROW_LOCKED } }
    expect: { outcome: retry }
  - name: too much at once
    object: account
    delete: { id: A5 }
    request: { delete: /accounts/A5 }
    answer: { status: 429 }
    expect: { outcome: throttle }
  - name: two at once
    object: account
    batch_create: [{ Name: A }, { Name: B }]
    request: { post: /accounts/batch, body: { items: [{ Name: A }, { Name: B }] } }
    answer: { body: { results: [{ ok: true, id: A6 }, { ok: false }] } }
    expect: { results: [{ ok: yes, id: A6 }, { ok: no }] }
  - name: records inside of events, led on by the events
    object: payer
    list: {}
    request: { get: /events }
    answer: { body: { data: [{ id: e1, object: { payer: { id: p1, day: 2026-01-02, time: "03:04:05", phones: [{ type: FAX, number: 1 }, { type: MOBILE, number: 2 }] } } }, { id: e2, object: { payer: { id: p2 } } }] } }
    expect:
      records: [{ id: p1, updated_at: "2026-01-02T03:04:05Z", fields: { "phones[type=MOBILE].number": "2" } }, { id: p2 }]
      next: { get: "/events?after=e2" }
  - name: nothing found is told by nothing at all
    object: payer
    find: { email: a@b.example }
    answer: { body: { time: 1 } }
    expect: { records: [] }
  - name: no content is no records where that is how it is told
    object: empty
    list: {}
    answer: { status: 204 }
    expect: { records: [], next: none }
  - name: no content is no answer elsewhere
    object: ledger
    list: {}
    answer: { status: 204 }
    expect: { outcome: unreadable }
  - name: a form is made of the record, with its key in the address
    object: payer
    create: { name: Ana, address: { city: Recife, lines: [a, b] }, phones: [{ type: MOBILE, number: "2" }] }
    request: { post: "/payers?requestid=KEY", form: { name: Ana, "address[city]": Recife, "address[lines][0]": a, "address[lines][1]": b, "phones[0][type]": MOBILE, "phones[0][number]": "2" } }
    answer: { body: { id: p3 } }
    expect: { id: p3 }
  - name: what is cleared is an empty text in a form
    object: payer
    update: { id: p3, changes: { name: null } }
    request: { post: /payers/p3, form: { name: "", sparse: "true" } }
    answer: { body: { id: p3 } }
  - name: what a system replaces as a whole is sent as a whole
    object: payer
    update:
      id: p3
      changes: { address: { city: Olinda }, phones: [{ type: MOBILE, number: "3" }] }
      current: { id: p3, name: Ana, address: { city: Recife, zip: "5" }, phones: [{ type: FAX, number: "1" }, { type: MOBILE, number: "2", main: true }] }
    request:
      post: /payers/p3
      form:
        "address[city]": Olinda
        "address[zip]": "5"
        "phones[0][type]": FAX
        "phones[0][number]": "1"
        "phones[1][type]": MOBILE
        "phones[1][number]": "3"
        "phones[1][main]": "true"
        sparse: "true"
    answer: { body: { id: p3 } }
  - name: a record that is replaced keeps what nobody mapped
    object: book
    update: { id: 7, changes: { price: 12.5 }, current: { id: 7, price: 10, title: Emil, shelf: { row: 3 } } }
    request: { put: /books/7, body: { price: 12.50, title: Emil, shelf: { row: 3 } } }
    answer: { body: { id: 7 } }
  - name: a push names what changed
    webhook: { sign: yes, body: { events: [{ id: E1, entity: account, entityId: A1, type: updated }] } }
    expect: { events: [{ id: E1, object: account, record_id: A1, kind: updated, own: no }] }
  - name: a push that nobody signed
    webhook: { body: { events: [] } }
    expect: { refused: yes }
"#;

async fn play(cases: &str) -> Report {
    let connector = Arc::new(support::system::connector(ACME));
    rehearsal::play("connectors/acme.test.yaml", cases.as_bytes(), &connector).await
}

fn told(report: &Report) -> String {
    let misses = report.outcomes.iter().flat_map(|outcome| &outcome.misses);
    let all = report.problems.iter().chain(misses);
    all.map(|problem| problem.render(Style::Plain))
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn what_the_client_would_do_holds_for_every_kind_of_question() {
    let report = play(HOLDING).await;
    assert!(report.is_ok(), "{}", told(&report));
    assert_eq!(report.outcomes.len(), 24);
}

/// A change of one case, and what is told about it.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "get: \"/accounts?limit=2\", headers",
        "get: \"/accounts?limit=3\", headers",
        "request: parameter `limit`: expected 3, found 2",
    ),
    (
        "{ X-Session: abc } }\n    answer: { body: { items",
        "{ X-Session: abd } }\n    answer: { body: { items",
        "header `X-Session`: expected abd, found abc",
    ),
    (
        "fields: { Name: Ana, CreditLimit: 10.50",
        "fields: { Name: Bea, CreditLimit: 10.50",
        "record 1: `Name`: expected \"Bea\", found \"Ana\"",
    ),
    (
        "CreditLimit: 10.50, Since: 2026-01-02 } }",
        "CreditLimit: 10.51, Since: 2026-01-02 } }",
        "record 1: `CreditLimit`: expected 10.51, found 10.5",
    ),
    (
        "cursor=n2\" }\n  - name: the page",
        "cursor=n3\" }\n  - name: the page",
        "next page: parameter `cursor`: expected n3, found n2",
    ),
    (
        "[{ id: A3 }], next: none",
        "[{ id: A3 }], next: { get: /accounts }",
        "next page: expected a request, found nothing",
    ),
    (
        "expect: { outcome: missing }",
        "expect: { outcome: denied }",
        "outcome: expected denied, found missing",
    ),
    (
        "expect: { id: A5, version: \"1\" }",
        "expect: { id: A6, version: \"2\" }",
        "id: expected A6, found A5",
    ),
    (
        "body: { Name: Bea } }",
        "body: { Name: Eva } }",
        "request: body: expected {\"Name\":\"Eva\"}, found {\"Name\":\"Bea\"}",
    ),
    (
        "{ ok: no }",
        "{ ok: yes }",
        "result 2: expected written, found not written",
    ),
    (
        "record_id: A1, kind",
        "record_id: A2, kind",
        "event 1: record_id: expected A2, found A1",
    ),
    (
        "expect: { refused: yes }",
        "expect: { events: [] }",
        "push: expected a push that is taken, found header `X-Acme-Signature` is missing",
    ),
    (
        "object: account\n    find: { Vat: DE1 }",
        "object: acount\n    find: { Vat: DE1 }",
        "did you mean `account`?",
    ),
    (
        "find: { Vat: DE1 }",
        "find: { Name: DE1 }",
        "`account` cannot be searched by `Name`",
    ),
    (
        "get: A9\n    request",
        "get: A9\n    list: {}\n    request",
        "asks for several things: list, get",
    ),
    (
        "settings: { base_url: \"https://acme.example\" }",
        "settings: {}",
        "setting `base_url` is missing",
    ),
    (
        "answer: { status: 404, body: {} }",
        "answer: { stauts: 404, body: {} }",
        "stauts",
    ),
];

#[tokio::test]
async fn whatever_comes_otherwise_is_told_with_both_sides() {
    for (from, to, expected) in WRONG {
        assert_eq!(HOLDING.matches(*from).count(), 1, "{from}");
        let report = play(&HOLDING.replace(from, to)).await;
        let told = told(&report);
        assert!(told.contains(expected), "{to}\n{told}");
        assert!(!report.is_ok());
    }
}

fn shipped() -> Catalog {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let loaded = Catalog::load(&Sources {
        connectors_dir: &root.join("connectors"),
        mappings_dir: &root.join("mappings"),
        systems: &BTreeMap::new(),
    });
    assert!(loaded.is_ok(), "{:#?}", loaded.diagnostics);
    loaded.catalog
}

#[tokio::test]
async fn every_shipped_connector_holds_its_cases() {
    for (name, report) in rehearsal::run(&shipped(), None).await {
        assert!(report.is_ok(), "{name}: {}", told(&report));
        assert!(!report.outcomes.is_empty(), "{name}");
    }
}

/// Connectors that are tested otherwise: against recordings and the real system (`recorded`, `real`), and the sandboxes.
const TESTED_OTHERWISE: [&str; 4] = ["tryton", "cap-odata", "sandbox-crm", "sandbox-erp"];

#[test]
fn every_operation_of_a_shipped_connector_has_a_case() {
    let catalog = shipped();
    for (name, connector) in &catalog.connectors {
        if TESTED_OTHERWISE.contains(&name.as_str()) {
            continue;
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("connectors/{name}.test.yaml"));
        let text = fs::read_to_string(file).unwrap_or_else(|_| panic!("connectors/{name}.test.yaml is not there"));
        let cases: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let cases = cases["cases"].as_array().unwrap();
        for (object, known) in &connector.objects {
            let has = |ask: &str| {
                cases.iter().any(|case| {
                    let is_of_object = case["object"].as_str().is_none_or(|named| named == object);
                    is_of_object && !case[ask].is_null()
                })
            };
            for (ask, can) in [
                ("list", known.list.is_some()),
                ("find", known.find.is_some()),
                ("get", known.get.is_some()),
                ("create", known.create.is_some()),
                ("update", known.update.is_some()),
                ("delete", known.delete.is_some()),
                ("batch_create", known.batch_create.is_some()),
                ("batch_update", known.batch_update.is_some()),
            ] {
                assert!(!can || has(ask), "{name}: no case of `{ask}` for `{object}`");
            }
        }
        if connector.discover.is_some() {
            let is_tried = cases.iter().any(|case| !case["discover"].is_null());
            assert!(is_tried, "{name}: no case of `discover`");
        }
        let pushes = || cases.iter().filter(|case| !case["webhook"].is_null());
        if connector
            .webhooks
            .as_ref()
            .is_some_and(|hooks| !hooks.recipe().is_unverified())
        {
            assert!(
                pushes().any(|case| case["expect"]["refused"] != true),
                "{name}: no push that is taken"
            );
            assert!(
                pushes().any(|case| !case["expect"]["refused"].is_null()),
                "{name}: no push that is refused"
            );
        }
    }
}

#[test]
fn every_shipped_connector_stands_in_the_list_with_its_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("docs/connectors/README.md")).unwrap();
    for (name, connector) in &shipped().connectors {
        if name.starts_with("sandbox-") {
            continue;
        }
        let line = list.lines().find(|line| line.contains(&format!("`{name}`")));
        let line = line.unwrap_or_else(|| panic!("docs/connectors/README.md does not name `{name}`"));
        for object in connector.objects.keys() {
            assert!(line.contains(&format!("`{object}`")), "{name}: {object}");
        }
        let is_documented = root.join(format!("docs/connectors/{name}.md")).exists();
        assert!(
            is_documented || TESTED_OTHERWISE.contains(&name.as_str()),
            "docs/connectors/{name}.md is not there"
        );
    }
}

#[tokio::test]
async fn mappings_to_start_from_fit_their_connectors_and_hold_their_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = fs::read_to_string(root.join("templates/config/dev.toml")).unwrap();
    let systems = config
        .lines()
        .filter_map(|line| line.strip_prefix("[systems.")?.strip_suffix(']'));
    let connector_of = |system: &str| {
        let own = config.split(&format!("[systems.{system}]")).nth(1).unwrap();
        let line = own.lines().find_map(|line| line.strip_prefix("connector = "));
        line.unwrap().trim_matches('"').to_owned()
    };
    let systems = systems.map(|system| {
        let declared = SystemDecl {
            connector: connector_of(system),
            ..SystemDecl::default()
        };
        (system.to_owned(), declared)
    });
    let loaded = Catalog::load(&Sources {
        connectors_dir: &root.join("connectors"),
        mappings_dir: &root.join("templates/mappings"),
        systems: &systems.collect(),
    });
    let of_mappings = loaded
        .diagnostics
        .iter()
        .filter(|problem| problem.is_error() && problem.file.contains("mappings"));
    let told: Vec<String> = of_mappings.map(|problem| problem.render(Style::Plain)).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    let reports = loaded.catalog.run_cases(None);
    assert_eq!(reports.len(), 19, "every mapping has its cases");
    for (name, report) in reports {
        assert!(report.is_ok(), "{name}: {}", self::told(&report));
    }
}
