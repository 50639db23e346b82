//! What `doctor` sees.

use std::time::Duration;

use serde_json::json;
use syncline::client::{Seen, TroubleKind};

use super::{Sample, account};
use crate::support::loopback::{Loopback, Reply};

const PATIENCE: Duration = Duration::from_secs(60);

async fn kind(sample: Sample, reply: Reply) -> TroubleKind {
    let server = Loopback::answering([reply]).await;
    let sights = sample.at(&server).probe(PATIENCE).await;
    assert_eq!(sights.len(), 1);
    sights.into_iter().next().unwrap().found.unwrap_err().kind
}

#[tokio::test]
async fn a_look_tells_status_records_limits_and_the_skew_of_the_clock() {
    let reply = Reply::json(200, &json!({ "items": [account(1), account(2)] }))
        .with("x-ratelimit-remaining", "17")
        .with("date", "Mon, 02 Mar 2026 09:01:30 GMT");
    let server = Loopback::answering([reply]).await;
    let sights = Sample::new().at(&server).probe(PATIENCE).await;
    let expected = Seen {
        status: 200,
        records: 2,
        has_more: false,
        short_of: None,
        is_undated: false,
        limits: vec![("x-ratelimit-remaining".to_owned(), "17".to_owned())],
        skew: Some(chrono::TimeDelta::seconds(90)),
    };
    assert_eq!(sights[0].object, "account");
    assert_eq!(sights[0].found.as_ref().unwrap(), &expected);
}

#[tokio::test]
async fn trouble_is_told_by_its_kind() {
    let items = Reply::json(200, &json!({ "data": [] }));
    assert_eq!(kind(Sample::new(), items).await, TroubleKind::Mismatch);
    assert_eq!(kind(Sample::new(), Reply::html(200)).await, TroubleKind::WrongAddress);
    assert_eq!(kind(Sample::new(), Reply::status(401)).await, TroubleKind::SignIn);
    assert_eq!(kind(Sample::new(), Reply::status(403)).await, TroubleKind::Denied);
    assert_eq!(kind(Sample::new(), Reply::status(500)).await, TroubleKind::Busy);
    assert_eq!(kind(Sample::new(), Reply::hang_up()).await, TroubleKind::Broken);
    let mut guarded = Sample::new();
    guarded.network.allow.clear();
    assert_eq!(kind(guarded, Reply::status(200)).await, TroubleKind::Forbidden);
}
