//! Kinto for real: a store made for synchronization, with versions, pages by a header, and a feed of changes with tombstones.

use std::sync::Arc;

use chrono::TimeDelta;
use syncline::{
    client::{BatchItem, Listing, NoTokens, Outcome, Road, System},
    core::{
        record::Record,
        value::{Map, Value},
    },
};

use super::system::Server;
use crate::support::system::system;

const CONNECTOR: &str = r#"
connector: kinto
settings: { base_url: { type: url } }
base_url: "{{ settings.base_url }}/v1/buckets/default/collections/accounts"
credentials: [user, password]
auth: { basic: { user: "{{ credentials.user }}", password: "{{ credentials.password }}" } }
types: { datetime: { format: epoch_millis } }
objects:
  account:
    id: id
    updated_at: last_modified
    version: last_modified
    fields: { last_modified: { type: datetime, access: read_only } }
    list:
      get: /records
      query: { _since: "{{ since }}", _sort: last_modified }
      records: data
      page: { next_url: "header:Next-Page" }
    get: { get: "/records/{{ id }}", record: data }
    create: { post: /records, body: { data: "{{ record }}" }, record: data }
    update: { patch: "/records/{{ id }}", body: { data: "{{ changes }}" }, record: data, headers: { If-Match: '"{{ version }}"' } }
    delete: { delete: "/records/{{ id }}", headers: { If-Match: '"{{ version }}"' } }
"#;

async fn listed(system: &System, listing: Listing) -> Vec<Record> {
    let mut lister = system.list("account", listing, Road::Manual);
    let mut records = Vec::new();
    while let Some(page) = lister.next().await.unwrap() {
        records.extend(page.records);
    }
    assert!(lister.is_complete());
    records
}

fn name(text: &str) -> Map {
    Map::from_iter([("name".to_owned(), Value::from(text))])
}

#[tokio::test]
async fn a_store_made_for_synchronization_is_read_written_and_followed_through_deletes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let started = tokio::task::spawn_blocking(move || Server::start("kinto", &path)).await;
    let Some(server) = started.unwrap() else { return };
    let credentials = [("user", "syncline"), ("password", "kinto-secret")];
    let system = system(CONNECTOR, &server.url, &credentials, Arc::new(NoTokens));
    let records = listed(&system, Listing::default()).await;
    assert_eq!(records.len(), 5, "over two pages");
    let made = system
        .create("account", &name("Ana"), "key", Road::Manual)
        .await
        .unwrap();
    let version = made.version.clone().unwrap();
    let change = |fields| BatchItem {
        version: Some(&version),
        ..BatchItem::of(&made.id, fields, "key")
    };
    let (first, late) = (name("Ana SA"), name("late"));
    let changed = system.update("account", change(&first), Road::Manual).await.unwrap();
    let stale = system.update("account", change(&late), Road::Manual).await.unwrap_err();
    assert_eq!(stale.outcome, Outcome::Stale, "{:?}", stale.fault);
    let seen = system.get("account", &made.id, Road::Manual).await.unwrap().unwrap();
    assert_eq!(seen.fields["name"], Value::from("Ana SA"));
    // The feed of changes brings what was deleted too: an id to look at, of which nothing is found then.
    let before = seen.updated_at.unwrap() - TimeDelta::milliseconds(1);
    system
        .delete("account", &made.id, changed.version.as_deref(), "key", Road::Manual)
        .await
        .unwrap();
    let since = Listing {
        since: Some(before),
        ..Listing::default()
    };
    let feed = listed(&system, since).await;
    let tombstone = feed.iter().find(|record| record.id == made.id).unwrap();
    assert_eq!(tombstone.fields["deleted"], Value::Bool(true));
    assert_eq!(system.get("account", &made.id, Road::Manual).await.unwrap(), None);
    assert_eq!(listed(&system, Listing::default()).await.len(), 5);
}
