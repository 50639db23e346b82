//! XML-RPC for real: the server of Python's standard library, whose spelling of every type is not ours.

use std::sync::Arc;

use syncline::{
    client::{BatchItem, Listing, NoTokens, Outcome, Road},
    core::value::{Map, Value},
};

use super::system::Server;
use crate::support::system::system;

pub const CONNECTOR: &str = r#"
connector: python
settings: { base_url: { type: url } }
base_url: "{{ settings.base_url }}"
format: xml_rpc
errors:
  - { when: "{{ body.fault.faultCode == 4 }}", then: missing }
  - { when: "{{ body.fault.faultCode == 2 }}", then: exists }
types:
  zone: UTC
  datetime: { format: "%Y%m%dT%H:%M:%S", write: { dateTime.iso8601: "{{ value }}" } }
objects:
  account:
    id: id
    updated_at: changed
    fields: { id: integer, credit: decimal(2), changed: datetime, active: boolean }
    list:
      post: /xmlrpc
      body: { method: account.list, params: ["{{ page.offset }}", "{{ page.size }}"] }
      records: result
      page: { offset: 0, size: 2 }
    get: { post: /xmlrpc, body: { method: account.get, params: ["{{ id | integer }}"] }, record: result }
    create: { post: /xmlrpc, body: { method: account.create, params: ["{{ record }}"] }, id: result }
    update: { post: /xmlrpc, body: { method: account.update, params: ["{{ id | integer }}", "{{ changes }}"] } }
    delete: { post: /xmlrpc, body: { method: account.delete, params: ["{{ id | integer }}"] } }
"#;

fn fields(pairs: &[(&str, Value)]) -> Map {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

#[tokio::test]
async fn the_server_of_the_standard_library_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let started = tokio::task::spawn_blocking(move || Server::start("xml-rpc", &path)).await;
    let Some(server) = started.unwrap() else { return };
    let system = system(CONNECTOR, &server.url, &[], Arc::new(NoTokens));
    let mut lister = system.list("account", Listing::default(), Road::Manual);
    let mut records = Vec::new();
    while let Some(page) = lister.next().await.unwrap() {
        records.extend(page.records);
    }
    assert_eq!((records.len(), lister.is_complete()), (5, true));
    let first = &records[0];
    assert_eq!(first.fields["name"], Value::from("Account 0 <&> é"));
    assert_eq!(first.fields["active"], Value::Bool(true));
    assert_eq!(first.fields["credit"].to_text().unwrap(), "1.5");
    assert_eq!(first.fields["note"], Value::Null);
    assert_eq!(first.fields["tags"], Value::List(vec!["a".into(), "b".into()]));
    let changed = first.updated_at.unwrap();
    assert_eq!(changed.to_rfc3339(), "2026-03-02T09:00:00+00:00");
    let new = fields(&[
        ("name", "Zoë & <b>".into()),
        ("credit", Value::Decimal("12.50".parse().unwrap())),
        ("changed", Value::DateTime(changed.fixed_offset())),
        ("big", Value::Int(2_000_000_000)),
    ]);
    let id = system.create("account", &new, "key", Road::Manual).await.unwrap().id;
    let again = system.create("account", &new, "key", Road::Manual).await.unwrap_err();
    assert_eq!(again.outcome, Outcome::Exists, "{:?}", again.fault);
    let change = fields(&[("active", Value::Bool(false))]);
    system
        .update("account", BatchItem::of(&id, &change, "key"), Road::Manual)
        .await
        .unwrap();
    let seen = system.get("account", &id, Road::Manual).await.unwrap().unwrap();
    assert_eq!(seen.fields["name"], new["name"]);
    assert_eq!(seen.fields["active"], Value::Bool(false));
    assert_eq!(seen.fields["credit"].to_text().unwrap(), "12.5");
    assert_eq!(
        (seen.updated_at, &seen.fields["big"]),
        (Some(changed), &Value::Int(2_000_000_000))
    );
    system.delete("account", &id, None, "key", Road::Manual).await.unwrap();
    assert_eq!(system.get("account", &id, Road::Manual).await.unwrap(), None);
}
