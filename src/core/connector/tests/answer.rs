use super::*;
use crate::core::connector::answer::{Answer, Content, Meaning, Purpose, TakeError, Taken, take};

fn judge(purpose: Purpose, status: u16, body: &str) -> (Meaning, Option<String>) {
    let body = Content::of(body.as_bytes(), &json::Limits::default()).unwrap();
    let is_html = body == Content::Html;
    let verdict = acme().judge(
        &Answer {
            purpose,
            status,
            headers: &Map::new(),
            body: &body.into_value(),
            is_html,
        },
        &Value::Null,
    );
    (verdict.meaning, verdict.message)
}

#[test]
fn the_connectors_rules_come_before_those_of_http() {
    for (purpose, status, body, meaning, message) in [
        (
            Purpose::List,
            400,
            r#"{"code":"REQUEST_LIMIT"}"#,
            Meaning::Throttle,
            Some("REQUEST_LIMIT"),
        ),
        (
            Purpose::Update,
            200,
            r#"{"error":{"data":{"name":"Locked","by":"u7"}}}"#,
            Meaning::Retry,
            Some("locked by u7"),
        ),
        (
            Purpose::Create,
            200,
            r#"{"error":{"data":{"name":"X"},"message":"no"}}"#,
            Meaning::Reject,
            Some("no"),
        ),
        (Purpose::Get, 403, "{}", Meaning::Missing, None),
        (Purpose::List, 403, "{}", Meaning::Denied, None),
        (Purpose::List, 200, r#"{"items":[]}"#, Meaning::Ok, None),
        (Purpose::Get, 200, "", Meaning::Ok, None),
    ] {
        let (found, told) = judge(purpose, status, body);
        assert_eq!((found, told.as_deref()), (meaning, message), "{status} {body}");
    }
}

#[test]
fn http_says_what_it_says_for_what_was_asked() {
    for (purpose, status, meaning) in [
        (Purpose::Get, 404, Meaning::Missing),
        (Purpose::Delete, 410, Meaning::Missing),
        (Purpose::Update, 404, Meaning::Missing),
        (Purpose::List, 404, Meaning::Reject),
        (Purpose::Find, 404, Meaning::Reject),
        (Purpose::Create, 404, Meaning::Reject),
        (Purpose::Create, 409, Meaning::Exists),
        (Purpose::Update, 409, Meaning::Reject),
        (Purpose::Update, 412, Meaning::Stale),
        (Purpose::Update, 428, Meaning::Reject),
        (Purpose::List, 401, Meaning::Reauthenticate),
        (Purpose::Update, 403, Meaning::Denied),
        (Purpose::List, 429, Meaning::Throttle),
        (Purpose::List, 408, Meaning::Throttle),
        (Purpose::List, 503, Meaning::Retry),
        (Purpose::Create, 500, Meaning::Retry),
        (Purpose::Create, 501, Meaning::Reject),
        (Purpose::List, 302, Meaning::Redirect),
        (Purpose::Delete, 202, Meaning::Ok),
        (Purpose::Delete, 417, Meaning::Reject),
    ] {
        assert_eq!(judge(purpose, status, "{}").0, meaning, "{purpose:?} {status}");
    }
}

#[test]
fn a_page_for_people_never_proves_that_a_record_is_gone() {
    assert_eq!(
        judge(Purpose::Get, 404, "<!DOCTYPE html><html>nginx</html>").0,
        Meaning::Reject
    );
    assert_eq!(judge(Purpose::Get, 404, "").0, Meaning::Missing);
}

#[test]
fn content_is_told_by_looking_at_it() {
    let limits = json::Limits::default();
    let of = |body: &str| Content::of(body.as_bytes(), &limits);
    assert_eq!(of(" \n"), Ok(Content::Empty));
    assert_eq!(of("\u{feff}{\"a\":1}"), Ok(Content::Json(value(r#"{"a":1}"#))));
    assert_eq!(of("  <HTML><body>"), Ok(Content::Html));
    assert_eq!(of("Bad Request"), Ok(Content::Text("Bad Request".into())));
    assert_eq!(of("\"text\""), Ok(Content::Json("text".into())));
    assert!(of(r#"{"a":"#).is_err());
    assert!(of(&"[".repeat(100_000)).is_err());
}

#[test]
fn a_record_is_taken_or_said_to_be_missing_or_neither() {
    let at = |path: &str, body: &str| take(value(body), &crate::core::path::Path::parse(path).unwrap());
    assert_eq!(
        at("result[0]", r#"{"result":[{"id":1}]}"#),
        Ok(Taken::Found(map(r#"{"id":1}"#)))
    );
    assert_eq!(at("result[0]", r#"{"result":[]}"#), Ok(Taken::Nothing));
    assert_eq!(at("data", r#"{"data":null}"#), Ok(Taken::Nothing));
    assert_eq!(at("$", "null"), Ok(Taken::Nothing));
    assert!(matches!(at("data", r#"{"other":1}"#), Err(TakeError::NotRecord { .. })));
    assert!(matches!(at("result[0]", "{}"), Err(TakeError::NotRecord { .. })));
    assert!(matches!(at("$", "[]"), Err(TakeError::NotRecord { .. })));
}

#[test]
fn a_record_gets_id_version_and_the_first_time_that_is_there() {
    let connector = acme();
    let (account, dialect) = (&connector.objects["account"], connector.types.dialect(None));
    let headers = map(r#"{"etag":"W/\"3\""}"#);
    let fields =
        map(r#"{"Id":"A1","ModifiedAt":null,"CreatedAt":"2026-01-01T10:00:00+02:00","CreditLimit":"12.50","Name":""}"#);
    let record = account.record(fields, &headers, &dialect).unwrap();
    assert_eq!(record.id, "A1");
    assert_eq!(record.version.as_deref(), Some("W/\"3\""));
    assert_eq!(record.updated_at.unwrap().to_rfc3339(), "2026-01-01T08:00:00+00:00");
    assert_eq!(record.fields["CreditLimit"].to_text().as_deref(), Some("12.50"));
    assert!(record.fields["Name"].is_null());
    for broken in [r#"{"Id":null}"#, "{}", r#"{"Id":""}"#, r#"{"Id":[1]}"#] {
        assert!(account.record(map(broken), &headers, &dialect).is_err(), "{broken}");
    }
}
