//! SAP CAP's OData V4.

use serde_json::json;
use syncline::core::{
    connector::{
        answer::{Meaning, Purpose},
        page::{Page, Pager, Position, Turn},
    },
    expr::Scope,
    value::{Map, Value},
};

use super::{Ask, Bench, settings};

fn bench() -> Bench {
    Bench::new("cap-odata", &settings(&json!({})))
}

const NEWCOMER: &str = "1849331a-70ef-426b-b2f2-e8e02dfe18c1";
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
const READ: Option<&str> = Some("W/\"2026-11-24T01:28:26.828Z\"");

#[test]
fn every_exchange_recorded_with_the_odata_service_is_asked_for_and_understood() {
    use Ask::{Batch, Create, Delete, Find, Get, List, Other, Update};
    use Meaning::{Exists, Missing, Ok, Reauthenticate, Reject, Stale};
    let newcomer = json!({ "code": "N00001", "name": "Newcomer & Söhne", "creditLimit": "1200.50", "isActive": true });
    let one_good = vec![json!({ "code": "B00001", "name": "One" }), json!({ "name": "No code" })];
    bench().check(&[
        ("batch-create", Batch(one_good), Ok),
        ("create", Create(newcomer), Ok),
        ("create-decimal-too-fine", Other(Purpose::Create), Reject),
        (
            "create-exists",
            Create(json!({ "code": "N00001", "name": "Again" })),
            Exists,
        ),
        (
            "create-text-too-long",
            Create(json!({ "code": "NNNNNNNNNNNNNNNNNNNNN", "name": "x" })),
            Reject,
        ),
        (
            "create-unknown-field",
            Create(json!({ "code": "N00003", "name": "x", "nosuch": 1 })),
            Reject,
        ),
        ("create-without-mandatory", Create(json!({ "name": "No code" })), Reject),
        ("delete", Delete(NEWCOMER, Some("*")), Ok),
        ("delete-again", Delete(NEWCOMER, Some("*")), Missing),
        ("delete-without-if-match", Delete(NEWCOMER, None), Stale),
        ("find-by-code", Find("code", "C00003"), Ok),
        ("find-with-apostrophe", Find("name", "O'Neil"), Ok),
        ("get", Get(NEWCOMER), Ok),
        ("get-missing", Get(NOBODY), Missing),
        ("list-changed-since", List(Some("2020-01-01T00:00:00Z"), None), Ok),
        ("list-changed-since-far-future", Other(Purpose::List), Ok),
        ("list-empty-page", Other(Purpose::List), Ok),
        ("list-first-page", List(None, None), Ok),
        ("list-last-page", Other(Purpose::List), Ok),
        ("list-next-page", Other(Purpose::List), Ok),
        ("list-unknown-field", Other(Purpose::List), Reject),
        ("no-credentials", Other(Purpose::List), Reauthenticate),
        ("update", Update(NEWCOMER, READ, json!({ "name": "Renamed" })), Ok),
        ("update-minimal", Other(Purpose::Update), Ok),
        (
            "update-missing",
            Update(NOBODY, Some("*"), json!({ "name": "x" })),
            Missing,
        ),
        ("update-stale", Update(NEWCOMER, READ, json!({ "name": "Late" })), Stale),
        (
            "update-without-if-match",
            Update(NEWCOMER, None, json!({ "name": "Renamed" })),
            Stale,
        ),
        ("wrong-password", Other(Purpose::List), Reauthenticate),
    ]);
}

/// One recorded page, with the count that it had before it was shortened.
fn turn(bench: &Bench, pager: &mut Pager, fixture: &str, count: u64) -> Turn {
    let fixture = bench.fixture(fixture);
    let url = match pager.position() {
        Position::Url(url) => url.clone(),
        _ => bench.call(&Ask::List(None, None)).unwrap().url,
    };
    let page = Page {
        rest: &fixture.body,
        headers: &Map::new(),
        url: &url,
        count,
        last: None,
        print: pager.read(),
    };
    pager.turn(&page).unwrap()
}

#[test]
fn a_listing_follows_relative_links_to_an_empty_page_and_is_then_complete() {
    let bench = bench();
    let list = bench.object().list.as_ref().unwrap();
    let mut pager = Pager::new(list.paging.clone(), None, 10, bench.base.clone());
    for fixture in ["list-first-page", "list-next-page", "list-last-page"] {
        assert_eq!(turn(&bench, &mut pager, fixture, 100), Turn::More);
        assert!(!pager.is_complete());
    }
    let Position::Url(url) = pager.position() else {
        panic!("no address")
    };
    bench
        .fixture("list-empty-page")
        .assert_asked_by(&call_of(&bench, url.clone()));
    assert_eq!(turn(&bench, &mut pager, "list-empty-page", 0), Turn::End);
    assert!(pager.is_complete());
    assert_eq!(pager.total(), Some(300));
}

fn call_of(bench: &Bench, url: url::Url) -> syncline::core::connector::request::Call {
    let mut call = bench.call(&Ask::List(None, None)).unwrap();
    call.url = url;
    call
}

#[test]
fn a_customer_is_read_with_its_etag_and_exact_decimals() {
    let bench = bench();
    let fixture = bench.fixture("get");
    let Value::Map(fields) = fixture.body else {
        panic!("no record")
    };
    let dialect = bench.connector.types.dialect(None);
    let record = bench.object().record(fields, &fixture.headers, &dialect).unwrap();
    assert_eq!(record.id, NEWCOMER);
    assert_eq!(record.version.as_deref(), READ);
    assert_eq!(record.updated_at.unwrap().to_rfc3339(), "2026-11-24T01:28:26.828+00:00");
    assert_eq!(record.fields["creditLimit"], Value::Decimal("1200.50".parse().unwrap()));
}

#[test]
fn each_part_of_a_batch_has_its_own_outcome() {
    let bench = bench();
    let batch = bench.object().batch_create.as_ref().unwrap();
    let fixture = bench.fixture("batch-create");
    let results = batch.results.get(&fixture.body).and_then(Value::as_list).unwrap();
    let outcome = |result: &Value| {
        let scope = Scope::new().with("settings", Map::new()).with("result", result.clone());
        let told = |template: &Option<syncline::core::expr::Template>| {
            template
                .as_ref()
                .unwrap()
                .find(&scope)
                .ok()
                .flatten()
                .and_then(|value| value.to_text())
        };
        (
            told(&batch.index),
            batch.ok.eval(&scope).unwrap(),
            told(&batch.id),
            told(&batch.message),
        )
    };
    let text = |text: &str| Some(text.to_owned());
    let id = outcome(&results[0]).2;
    assert_eq!(outcome(&results[0]).0, text("0"));
    assert_eq!(outcome(&results[0]).1, Value::Bool(true));
    assert_eq!(id.map(|id| id.len()), Some(36));
    assert_eq!(outcome(&results[1]).0, text("1"));
    assert_eq!(outcome(&results[1]).1, Value::Bool(false));
    assert_eq!(outcome(&results[1]).3, text("ASSERT_MANDATORY in code"));
}

#[test]
fn a_refusal_names_code_and_field_and_not_the_value() {
    let bench = bench();
    let told = bench
        .judge(&bench.fixture("create-text-too-long"), Purpose::Create)
        .message;
    assert_eq!(told.as_deref(), Some("ASSERT_DATA_TYPE in code"));
}
