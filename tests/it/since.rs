//! A system whose filter by time does not filter is found out before it is believed.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{Json, Router, extract::Query, routing::get};
use serde_json::{Value, json};
use syncline::client::{NoTokens, Road, System};
use tokio::net::TcpListener;

use crate::support;

const CONNECTOR: &str = r#"
connector: shelf
settings: { base_url: { type: url } }
base_url: "{{ settings.base_url }}"
objects:
  book:
    id: id
    list: { get: /books, query: { since: "{{ since }}" }, records: items }
"#;

type Answer = fn(since: Option<&str>) -> Value;

fn all() -> Value {
    json!({ "items": [{ "id": 1 }, { "id": 2 }] })
}

fn none() -> Value {
    json!({ "items": [] })
}

/// A system that answers so.
async fn system(answer: Answer) -> System {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let books = move |Query(query): Query<BTreeMap<String, String>>| async move {
        Json(answer(query.get("since").map(String::as_str)))
    };
    let router = Router::new().route("/books", get(books));
    tokio::spawn(async move { axum::serve(listener, router).await });
    support::system::system(CONNECTOR, &url, &[], Arc::new(NoTokens))
}

async fn checked(answer: Answer) -> Result<(), &'static str> {
    let system = system(answer).await;
    system.check_since("book", Road::Poll).await.map_err(|fault| fault.code)
}

#[tokio::test]
async fn a_filter_by_time_that_filters_passes() {
    let honest = |since: Option<&str>| {
        let is_future = since.is_some_and(|since| !since.starts_with("1970"));
        if is_future { none() } else { all() }
    };
    assert_eq!(checked(honest).await, Ok(()));
    assert_eq!(
        checked(|_| none()).await,
        Ok(()),
        "a system without a record says nothing about its filter"
    );
}

#[tokio::test]
async fn a_filter_by_time_that_gives_everything_is_found_out() {
    assert_eq!(checked(|_| all()).await, Err("RQ040"));
}

#[tokio::test]
async fn a_filter_by_time_that_gives_nothing_is_found_out() {
    assert_eq!(
        checked(|since| if since.is_some() { none() } else { all() }).await,
        Err("RQ041")
    );
}
