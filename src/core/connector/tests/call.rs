use std::sync::Arc;

use chrono::DateTime;
use proptest::prelude::*;
use url::Url;

use super::*;
use crate::core::connector::{
    call::{Context, Subject},
    page::Pager,
    request::{BuildError, Call, append_query, parse_base},
    split_id,
};

fn settings() -> Arc<Value> {
    Arc::new(value(
        r#"{"base_url":"https://crm.example.com","page_size":200,"zone":"UTC"}"#,
    ))
}

fn base() -> Url {
    parse_base("https://crm.example.com/api/v2").unwrap()
}

fn with<T>(connector: &Connector, then: impl FnOnce(Context<'_>) -> T) -> T {
    let (base, settings, dialect) = (base(), settings(), connector.types.dialect(None));
    then(Context {
        connector,
        base: &base,
        settings: &settings,
        dialect: &dialect,
    })
}

fn header<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    let found = call
        .headers
        .iter()
        .rev()
        .find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

fn get(id: &str) -> Result<Call, BuildError> {
    let connector = acme();
    let account = &connector.objects["account"];
    with(&connector, |context| {
        context.get(account, account.get.as_ref().unwrap(), id)
    })
}

#[test]
fn a_listing_carries_what_has_a_value_and_leaves_out_the_rest() {
    let connector = acme();
    let account = &connector.objects["account"];
    let list = account.list.as_ref().unwrap();
    let pager = Pager::new(list.paging.clone(), Some(200), 10, base());
    let call = with(&connector, |context| context.list(list, None, &pager)).unwrap();
    assert_eq!(call.url.as_str(), "https://crm.example.com/api/v2/accounts?limit=200");
    assert_eq!(header(&call, "x-tenant"), Some("UTC"));
    assert!(call.is_repeatable);
    let since = DateTime::from_timestamp(1_767_225_600, 0);
    let call = with(&connector, |context| context.list(list, since, &pager)).unwrap();
    let query: Vec<_> = call.url.query_pairs().into_owned().collect();
    assert!(
        query.contains(&("filter".into(), "modified ge 2026-01-01T00:00:00Z".into())),
        "{query:?}"
    );
}

#[test]
fn a_write_carries_key_and_version_and_spelled_values() {
    let connector = acme();
    let account = &connector.objects["account"];
    let fields = map(r#"{"Name":"Ana","CreditLimit":1200.5}"#);
    let subject = Subject {
        fields: Some(&fields),
        key: Some("k-1"),
        ..Subject::default()
    };
    let call = with(&connector, |context| {
        context.write(account, account.create.as_ref().unwrap(), subject)
    })
    .unwrap();
    assert_eq!(header(&call, "idempotency-key"), Some("k-1"));
    assert_eq!(header(&call, "content-type"), Some("application/json"));
    assert!(call.is_repeatable);
    assert_eq!(
        String::from_utf8(call.body.unwrap()).unwrap(),
        r#"{"CreditLimit":1200.50,"Name":"Ana"}"#
    );
    let update = account.update.as_ref().unwrap();
    let subject = Subject {
        id: Some("A1"),
        fields: Some(&fields),
        ..Subject::default()
    };
    let call = with(&connector, |context| context.write(account, update, subject)).unwrap();
    assert!(!call.is_repeatable, "without a version nothing guards a second PATCH");
    let subject = Subject {
        version: Some("\"7\""),
        ..subject
    };
    let call = with(&connector, |context| context.write(account, update, subject)).unwrap();
    assert!(call.is_repeatable);
    assert_eq!(header(&call, "if-match"), Some("\"7\""));
}

#[test]
fn no_id_leads_to_another_address() {
    for id in [
        "..",
        ".",
        "%2e%2e",
        "a/../../x",
        "/../?#",
        "?admin=1",
        "#x",
        "a/b",
        "\\..\\",
        "a;b=c",
        "a&b=c",
        "a b",
        "é",
        "\r\nX: y",
        "%00",
        "\0",
        "..;/",
        "%2F..%2F",
        "http://evil.example/",
        "//evil.example/",
        "@evil.example",
        ".%2e",
        "%2e",
    ] {
        match get(id) {
            Err(BuildError::Path) => {}
            Ok(call) => {
                assert_eq!(call.url.origin(), base().origin(), "{id}");
                let segments: Vec<_> = call.url.path_segments().unwrap().collect();
                assert_eq!(segments.len(), 4, "{id}: {segments:?}");
                assert_eq!(&segments[..3], ["api", "v2", "accounts"], "{id}");
                let back = percent_encoding::percent_decode_str(segments[3]).decode_utf8().unwrap();
                assert_eq!(back, id);
                assert_eq!((call.url.query(), call.url.fragment()), (None, None), "{id}");
            }
            Err(other) => panic!("{id}: {other}"),
        }
    }
}

proptest! {
    #[test]
    fn any_value_stays_in_its_place(id in any::<String>(), query in any::<String>()) {
        if let Ok(call) = get(&id) {
            prop_assert_eq!(call.url.path_segments().unwrap().count(), 4);
            prop_assert!(call.url.path().starts_with("/api/v2/accounts/"));
            prop_assert_eq!(call.url.query(), None);
        }
        let mut url = base();
        append_query(&mut url, "q", &query);
        append_query(&mut url, "r", "1");
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        prop_assert_eq!(pairs, vec![("q".to_owned(), query), ("r".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn composite_ids_come_apart_as_they_were(parts in proptest::collection::vec("[a|\\\\]{1,5}", 2..4)) {
        prop_assert_eq!(split_id(&super::super::join_id(&parts), parts.len()), parts);
    }
}

#[test]
fn a_header_value_never_ends_its_header() {
    let connector = compiled(
        r#"
connector: small
base_url: "https://a.example"
objects: { thing: { id: id, list: { get: /t }, get: { get: /t, headers: { X-Id: "{{ id }}" } } } }
"#,
    );
    let thing = &connector.objects["thing"];
    for id in ["a\r\nX-Admin: 1", "a\nb", "a\0b", "a\u{7f}"] {
        let built = with(&connector, |context| {
            context.get(thing, thing.get.as_ref().unwrap(), id)
        });
        assert_eq!(built, Err(BuildError::Header { name: "X-Id".into() }), "{id:?}");
    }
}

#[test]
fn a_call_shows_no_values() {
    let mut call = get("secret-id").unwrap();
    append_query(&mut call.url, "api_key", "s3cret");
    call.headers.push(("authorization".into(), "Bearer s3cret".into()));
    call.body = Some(b"s3cret".to_vec());
    assert!(!format!("{call:?}").contains("s3cret"));
}

#[test]
fn the_base_address_is_a_plain_one() {
    for text in [
        "ftp://a.example",
        "https://u:p@a.example",
        "https://a.example?x",
        "https://a.example#x",
        "/api",
        "https://",
        "x",
    ] {
        assert!(parse_base(text).is_err(), "{text}");
    }
}

#[test]
fn structures_make_rpc_calls_and_batches() {
    let connector = compiled(
        r#"
connector: rpc
base_url: "https://a.example/db/"
types:
  decimal: { read: "{{ raw.decimal }}", write: { __class__: Decimal, decimal: "{{ value }}" } }
objects:
  party:
    id: id
    fields: { limit: decimal(2), id: integer }
    list: { post: /, body: { method: search, params: [[], "{{ page.offset }}", 3] }, records: result, page: { offset: 0 } }
    update:
      post: /
      body: { method: write, params: [["{{ id | integer }}"], "{{ changes }}", { _timestamp: { "party,{{ id }}": "{{ version }}" } }] }
    batch: { update: { post: /, size: 2, body: "{{ records }}", results: r, ok: "{{ result.ok }}" } }
"#,
    );
    let party = &connector.objects["party"];
    let fields = map(r#"{"limit":5.5,"name":"x"}"#);
    let subject = Subject {
        id: Some("4"),
        version: Some("1.5"),
        fields: Some(&fields),
        ..Subject::default()
    };
    let body = |call: Result<Call, BuildError>| String::from_utf8(call.unwrap().body.unwrap()).unwrap();
    let (write, list, batch) = with(&connector, |context| {
        let list = party.list.as_ref().unwrap();
        let pager = Pager::new(list.paging.clone(), None, 10, base());
        (
            body(context.write(party, party.update.as_ref().unwrap(), subject)),
            body(context.list(list, None, &pager)),
            body(context.batch(party, party.batch_update.as_ref().unwrap(), &[subject])),
        )
    });
    assert_eq!(
        write,
        r#"{"method":"write","params":[[4],{"limit":{"__class__":"Decimal","decimal":"5.50"},"name":"x"},{"_timestamp":{"party,4":"1.5"}}]}"#
    );
    assert_eq!(list, r#"{"method":"search","params":[[],0,3]}"#);
    assert_eq!(
        batch,
        r#"[{"id":4,"limit":{"__class__":"Decimal","decimal":"5.50"},"name":"x"}]"#
    );
}
