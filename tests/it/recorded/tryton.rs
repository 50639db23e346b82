//! Tryton's JSON-RPC.

use serde_json::json;
use syncline::core::{
    connector::{
        answer::{Meaning, Purpose, Taken, take},
        auth::Auth,
        request::build_headers,
    },
    expr::Scope,
    value::Value,
};

use super::{Ask, Bench, settings};

fn bench() -> Bench {
    Bench::new("tryton", &settings(&json!({ "database": "erp", "page_size": 3 })))
}

const READ: Option<&str> = Some("1795483706.36684");

#[test]
fn every_exchange_recorded_with_tryton_is_asked_for_and_understood() {
    use Ask::{Create, Delete, Find, Get, List, Other, Update};
    use Meaning::{Denied, Exists, Missing, Ok, Reauthenticate, Reject, Stale};
    bench().check(&[
        ("count", Other(Purpose::List), Ok),
        (
            "create",
            Create(json!({ "code": "N00001", "name": "Newcomer & Söhne" })),
            Ok,
        ),
        ("create-batch", Other(Purpose::Batch), Ok),
        (
            "create-exists",
            Create(json!({ "code": "N00001", "name": "Again" })),
            Exists,
        ),
        (
            "create-inactive",
            Create(json!({ "code": "N00004", "name": "Born inactive", "active": false })),
            Reject,
        ),
        (
            "create-unknown-field",
            Create(json!({ "name": "x", "nosuch": "y" })),
            Reject,
        ),
        ("delete", Delete("301", None), Ok),
        ("delete-again", Delete("301", None), Ok),
        ("find-by-code", Find("code", "C00003"), Ok),
        ("find-nothing", Find("code", "nosuch"), Ok),
        ("get", Get("4"), Ok),
        ("get-created", Get("301"), Ok),
        ("get-inactive", Get("301"), Ok),
        ("get-missing", Get("999999"), Missing),
        ("get-unknown-field", Other(Purpose::Get), Reject),
        ("list-changed-since", List(Some("2020-01-01T00:00:00Z"), None), Ok),
        (
            "list-changed-since-far-future",
            List(Some("2999-01-01T00:00:00Z"), None),
            Ok,
        ),
        ("list-empty-page", List(None, Some(json!({ "id": 300 }))), Ok),
        ("list-first-page", List(None, None), Ok),
        ("list-last-page", List(None, Some(json!({ "id": 298 }))), Ok),
        ("list-says-gzip-and-is-plain", Other(Purpose::List), Ok),
        ("list-unknown-field", Other(Purpose::List), Reject),
        ("login", Other(Purpose::Login), Ok),
        ("login-without-password", Other(Purpose::Login), Denied),
        ("login-wrong-password", Other(Purpose::Login), Denied),
        ("method-unknown", Other(Purpose::Get), Denied),
        ("no-session", Other(Purpose::Get), Reauthenticate),
        ("request-is-no-json", Other(Purpose::Get), Reject),
        ("request-with-jsonrpc-key", Other(Purpose::Get), Reject),
        ("session-ended", Other(Purpose::Get), Reauthenticate),
        ("update", Update("301", READ, json!({ "name": "Renamed" })), Ok),
        ("update-deactivate", Update("301", None, json!({ "active": false })), Ok),
        ("update-denied", Update("1", None, json!({ "name": "x" })), Denied),
        (
            "update-inactive-refused",
            Update("301", None, json!({ "name": "Renamed while inactive" })),
            Reject,
        ),
        (
            "update-missing",
            Update("999999", None, json!({ "name": "x" })),
            Missing,
        ),
        ("update-stale", Update("301", READ, json!({ "name": "Late" })), Stale),
    ]);
}

#[test]
fn a_party_is_read_with_its_version_its_times_and_plain_values() {
    let bench = bench();
    let fixture = bench.fixture("get-inactive");
    let get = bench.object().get.as_ref().unwrap();
    let Taken::Found(fields) = take(fixture.body, &get.record).unwrap() else {
        panic!("no record");
    };
    let dialect = bench.connector.types.dialect(Some(chrono_tz::UTC));
    let record = bench.object().record(fields, &fixture.headers, &dialect).unwrap();
    assert_eq!(record.id, "301");
    assert_eq!(record.version.as_deref(), Some("1795483706.57422"));
    assert_eq!(
        record.updated_at.unwrap().to_rfc3339(),
        "2026-11-24T01:28:26.574223+00:00"
    );
    assert_eq!(record.fields["active"], Value::Bool(false));
    assert_eq!(
        record.fields["create_date"].to_text().unwrap(),
        "2026-11-24T01:28:26.366838Z"
    );
}

#[test]
fn a_new_party_has_the_id_of_the_result_and_not_that_of_the_call() {
    let bench = bench();
    let fixture = bench.fixture("create");
    let create = bench.object().create.as_ref().unwrap();
    assert_eq!(create.new_id(&fixture.body, &fixture.headers).as_deref(), Some("301"));
}

#[test]
fn a_login_becomes_the_header_of_a_session() {
    let bench = bench();
    let Auth::Session(session) = &bench.connector.auth else {
        panic!("no session");
    };
    let credentials = Value::from(json!({ "user": "syncline", "password": "erp-secret" }));
    let scope = Scope::new()
        .with("settings", Value::from(settings(&json!({ "database": "erp" }))))
        .with("credentials", credentials);
    let fixture = bench.fixture("login");
    fixture.assert_asked_by(&session.login.build(&bench.base, &scope).unwrap());
    let headers = build_headers(&session.headers, &scope.with("answer", fixture.body)).unwrap();
    let token = "c3luY2xpbmU6Mjow".to_owned() + &"MDAw".repeat(21);
    assert_eq!(headers, [("Authorization".to_owned(), format!("Session {token}"))]);
}

#[test]
fn a_refusal_is_told_without_the_name_of_the_record() {
    let bench = bench();
    let told = bench
        .judge(&bench.fixture("update-inactive-refused"), Purpose::Update)
        .message;
    assert_eq!(
        told.as_deref(),
        Some("the field Name of this record cannot be changed, inactive as it is")
    );
}
