//! What answers mean that are not what was asked for.

use serde_json::json;
use syncline::{
    client::{BatchItem, Outcome, Road},
    core::{status::FailureClass, value::Value},
};

use super::{Sample, account, ana, get, list};
use crate::support::loopback::{Loopback, Reply};

#[tokio::test]
async fn no_page_text_or_silence_from_a_proxy_means_that_a_record_is_gone() {
    for (reply, code) in [
        (Reply::html(200), "RQ008"),
        (Reply::html(404), "RQ008"),
        (Reply::html(410), "RQ008"),
        (Reply::new(404, "text/plain", "default backend - 404"), "RQ008"),
        (Reply::new(404, "application/json", "{\"cut\": "), "RQ008"),
        (Reply::new(200, "text/xml", "<?xml version=\"1.0\"?><html/>"), "RQ032"),
        (Reply::new(200, "application/json", "  "), "RQ032"),
        (Reply::status(204), "RQ032"),
        (Reply::json(200, &json!([])), "RQ032"),
        (Reply::json(200, &json!({ "error": "no" })), "RQ032"),
        (Reply::new(200, "text/plain", "ok"), "RQ032"),
    ] {
        let about = format!("{reply:?}");
        let server = Loopback::answering([reply.clone()]).await;
        let system = Sample::new().at(&server);
        let fault = get(&system).await.expect_err(&about);
        assert_eq!(fault.code, code, "{about}: {fault}");
        assert!(fault.hint.is_some());
    }
}

#[tokio::test]
async fn only_a_stated_404_410_or_null_means_that_a_record_is_gone() {
    for reply in [
        Reply::json(404, &json!({ "message": "no such account" })),
        Reply::status(404),
        Reply::status(410),
        Reply::json(200, &json!(null)),
    ] {
        let server = Loopback::answering([reply]).await;
        assert!(get(&Sample::new().at(&server)).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn another_record_than_was_asked_for_is_not_taken_for_it() {
    for (id, is_it) in [
        (json!(7), true),
        (json!("007"), true),
        (json!(70), false),
        (json!(1), false),
    ] {
        let server = Loopback::answering([Reply::json(200, &json!({ "id": id, "name": "Ana" }))]).await;
        match get(&Sample::new().at(&server)).await {
            Ok(found) => assert!(is_it && found.is_some(), "{id}"),
            Err(fault) => assert_eq!((fault.code, is_it), ("RQ034", false), "{id}: {fault}"),
        }
    }
}

#[tokio::test]
async fn no_page_from_a_proxy_means_that_something_was_written_or_removed() {
    for reply in [
        Reply::html(200),
        Reply::html(404),
        Reply::new(200, "application/json", "{\"id\": "),
    ] {
        let server = Loopback::answering([reply]).await;
        let system = Sample::new().at(&server);
        let create = system.create("account", &ana(), "key", Road::Event).await.unwrap_err();
        let update = system
            .update("account", BatchItem::of("7", &ana(), "key"), Road::Event)
            .await
            .unwrap_err();
        let delete = system
            .delete("account", "7", None, "key", Road::Event)
            .await
            .unwrap_err();
        for refused in [&create, &update, &delete] {
            assert_eq!(refused.fault.class, FailureClass::Transient, "{:?}", refused.fault);
        }
        assert_eq!(
            server.seen().iter().filter(|seen| seen.method == "POST").count(),
            1,
            "never sent blindly again"
        );
    }
}

#[tokio::test]
async fn a_create_whose_answer_has_no_id_is_unknown_and_not_sent_again() {
    for reply in [
        Reply::status(201),
        Reply::json(201, &json!({ "ok": true })),
        Reply::new(200, "text/plain", "created"),
    ] {
        let server = Loopback::answering([reply]).await;
        let refused = Sample::new()
            .at(&server)
            .create("account", &ana(), "key", Road::Event)
            .await
            .unwrap_err();
        assert_eq!((refused.outcome, refused.fault.code), (Outcome::Unknown, "RQ032"));
        assert!(
            refused.fault.message.ends_with("the new record's id is not at `id`"),
            "{}",
            refused.fault
        );
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_write_that_may_have_gone_through_stays_unknown_whatever_later_attempts_say() {
    let put = json!({ "objects": { "account": { "update": { "patch": null, "put": "/accounts/{{ id }}" } } } });
    let server = Loopback::answering([Reply::hang_up(), Reply::json(400, &json!({ "message": "no" }))]).await;
    let refused = Sample::new()
        .with(put)
        .at(&server)
        .update("account", BatchItem::of("7", &ana(), "key"), Road::Event)
        .await
        .unwrap_err();
    assert_eq!((refused.outcome, server.seen().len()), (Outcome::Unknown, 2));
    let server = Loopback::answering([Reply::status(500)]).await;
    let refused = Sample::new()
        .at(&server)
        .create("account", &ana(), "key", Road::Event)
        .await
        .unwrap_err();
    assert_eq!((refused.outcome, server.seen().len()), (Outcome::Unknown, 1));
}

#[tokio::test]
async fn rules_of_the_connector_are_judged_before_the_form_of_the_answer() {
    let rules = json!({ "errors": [
        { "when": "{{ status == 404 }}", "then": "missing" },
        { "when": "{{ status == 418 }}", "then": "retry" },
        { "when": "{{ operation == 'delete' and status == 200 }}", "then": "ok" },
    ] });
    let server = Loopback::answering([Reply::html(404), Reply::html(418), Reply::json(200, &account(7))]).await;
    let system = Sample::new().with(rules.clone()).at(&server);
    assert!(get(&system).await.unwrap().is_none());
    assert!(get(&system).await.unwrap().is_some());
    let server = Loopback::answering([Reply::html(200)]).await;
    Sample::new()
        .with(rules)
        .at(&server)
        .delete("account", "7", None, "key", Road::Event)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_search_whose_answer_has_no_list_is_no_search_that_found_nothing() {
    let server = Loopback::answering([
        Reply::json(200, &json!({ "result": [] })),
        Reply::json(200, &json!({ "items": [] })),
    ])
    .await;
    let system = Sample::new().at(&server);
    let value = Value::from("ana@example.com");
    assert_eq!(
        system
            .find("account", "email", &value, Road::Event)
            .await
            .unwrap_err()
            .code,
        "RQ032"
    );
    assert!(
        system
            .find("account", "email", &value, Road::Event)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn broken_json_names_what_is_wrong_and_only_what_may_pass_is_asked_for_again() {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, requests, class) in [
        ("{\"id\": 7, \"name\": \"A".to_owned(), 4, FailureClass::Transient),
        (deep, 1, FailureClass::Rejected),
        ("{\"id\": 7, \"id\": 8}".to_owned(), 1, FailureClass::Rejected),
    ] {
        let server = Loopback::answering([Reply::new(200, "application/json", body)]).await;
        let fault = get(&Sample::new().at(&server)).await.unwrap_err();
        assert_eq!((fault.code, fault.class), ("RQ007", class), "{fault}");
        assert_eq!(server.seen().len(), requests, "{fault}");
    }
}

#[tokio::test]
async fn an_enormous_answer_is_refused_by_its_length_by_its_bytes_and_by_its_decoded_bytes() {
    use std::io::Write as _;
    let limits = json!({ "body_bytes_max": 1_000_000 });
    let text = format!("{{\"id\": 7, \"name\": \"{}\"}}", "a".repeat(1_000_000));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 10_000);
    for reply in [
        Reply::new(200, "application/json", text.clone()),
        Reply::new(200, "application/json", text.clone()).stalled(),
        Reply::new(200, "application/json", bomb).with("content-encoding", "gzip"),
    ] {
        let server = Loopback::answering([reply]).await;
        let fault = get(&Sample::new().limited(limits.clone()).at(&server))
            .await
            .unwrap_err();
        assert_eq!((fault.code, server.seen().len()), ("RQ004", 1), "{fault}");
    }
}

#[tokio::test]
async fn headers_that_lie_about_encoding_and_type_are_not_believed() {
    let server = Loopback::answering([
        Reply::json(200, &account(7)).with("content-encoding", "gzip"),
        Reply::new(200, "text/html", account(7).to_string()),
    ])
    .await;
    let system = Sample::new().at(&server);
    for _ in 0..2 {
        assert_eq!(get(&system).await.unwrap().unwrap().id, "7");
    }
}

#[tokio::test]
async fn redirects_are_told_and_never_followed() {
    let other = Loopback::answering([Reply::json(200, &account(7))]).await;
    for status in [301, 302, 303, 307, 308] {
        let server = Loopback::answering([Reply::status(status).with("location", other.url())]).await;
        let system = Sample::new()
            .with(json!({ "credentials": ["t"], "auth": { "bearer": { "token": "{{ credentials.t }}" } } }))
            .credential("t", "canary")
            .at(&server);
        assert_eq!(get(&system).await.unwrap_err().code, "RQ025");
    }
    assert_eq!(other.connects(), 0);
}

#[tokio::test]
async fn a_listing_without_its_list_fails_and_is_not_complete() {
    let server = Loopback::answering([Reply::json(200, &json!({ "data": [] }))]).await;
    assert_eq!(list(&Sample::new().at(&server)).await.unwrap_err().code, "RQ032");
}
