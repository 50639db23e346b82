//! Every style of paging, through a real server: each record once, and an end to listings that have none.

use serde_json::{Value as Json, json};

use super::{Sample, account, list};
use crate::support::loopback::{Loopback, Reply, Seen};

const COUNT: u64 = 23;
const SIZE: u64 = 5;

fn page(from: u64) -> Vec<Json> {
    (from..COUNT.min(from + SIZE)).map(account).collect()
}

fn number(seen: &Seen, name: &str) -> Option<u64> {
    seen.param(name).map(|text| text.parse().unwrap())
}

fn styled(page: Json) -> Sample {
    Sample::new().with(json!({ "objects": { "account": { "list": { "page": page } } } }))
}

async fn assert_reads_all(sample: Sample, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
    let server = Loopback::start(script).await;
    let (records, is_complete) = list(&sample.at(&server)).await.unwrap();
    let ids: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
    assert_eq!(ids, (0..COUNT).map(|id| id.to_string()).collect::<Vec<_>>());
    assert!(is_complete);
}

#[tokio::test]
async fn offsets_read_every_record_once() {
    let sample = styled(json!({ "offset": 0, "send": { "query": "offset" }, "total": "total" }));
    assert_reads_all(sample, |seen| {
        Reply::json(
            200,
            &json!({ "items": page(number(seen, "offset").unwrap()), "total": COUNT }),
        )
    })
    .await;
}

#[tokio::test]
async fn page_numbers_read_every_record_once() {
    let sample = styled(json!({ "number": 1, "send": { "query": "page" } }));
    assert_reads_all(sample, |seen| {
        Reply::json(
            200,
            &json!({ "items": page((number(seen, "page").unwrap() - 1) * SIZE) }),
        )
    })
    .await;
}

/// Three pages at once, by offset.
fn at_once() -> Sample {
    styled(json!({ "offset": 0, "send": { "query": "offset" }, "total": "total", "parallel": 3 }))
}

fn counted(seen: &Seen, total: u64) -> Reply {
    Reply::json(
        200,
        &json!({ "items": page(number(seen, "offset").unwrap()), "total": total }),
    )
}

#[tokio::test]
async fn pages_read_at_once_give_every_record_once_and_in_order() {
    for style in [
        json!({ "offset": 0, "send": { "query": "offset" }, "total": "total", "parallel": 3 }),
        json!({ "number": 0, "send": { "query": "page" }, "total": "total", "parallel": 16 }),
    ] {
        let server = Loopback::start(|seen| {
            let from = number(seen, "offset").or_else(|| Some(number(seen, "page")? * SIZE));
            Reply::json(200, &json!({ "items": page(from.unwrap()), "total": COUNT }))
        })
        .await;
        let (records, is_complete) = list(&styled(style).at(&server)).await.unwrap();
        let ids: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
        assert_eq!(ids, (0..COUNT).map(|id| id.to_string()).collect::<Vec<_>>());
        assert!(is_complete);
        assert_eq!(
            server.seen().len() as u64,
            COUNT.div_ceil(SIZE),
            "no page is asked for twice, none beyond the end"
        );
    }
}

#[tokio::test]
async fn a_listing_read_at_once_is_not_complete_if_its_pages_shift() {
    for later in [COUNT - 1, COUNT + 1] {
        let server = Loopback::start(move |seen| {
            let is_late = number(seen, "offset").unwrap() >= 2 * SIZE;
            counted(seen, if is_late { later } else { COUNT })
        })
        .await;
        let (_, is_complete) = list(&at_once().at(&server)).await.unwrap();
        assert!(!is_complete, "the total became {later}");
    }
}

#[tokio::test]
async fn a_short_page_among_those_read_at_once_loses_nothing() {
    let server = Loopback::start(|seen| {
        let from = number(seen, "offset").unwrap();
        // The second page holds fewer than there is place for.
        let until = if from == SIZE { from + 2 } else { COUNT.min(from + SIZE) };
        let items: Vec<Json> = (from..until).map(account).collect();
        Reply::json(200, &json!({ "items": items, "total": COUNT }))
    })
    .await;
    let (records, is_complete) = list(&at_once().at(&server)).await.unwrap();
    let ids: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
    assert_eq!(ids, (0..COUNT).map(|id| id.to_string()).collect::<Vec<_>>());
    assert!(is_complete);
}

#[tokio::test]
async fn cursors_read_every_record_once() {
    let sample = styled(json!({ "cursor": "meta.next", "send": { "query": "cursor" } }));
    assert_reads_all(sample, |seen| {
        let from = number(seen, "cursor").unwrap_or(0);
        let next = (from + SIZE < COUNT).then(|| (from + SIZE).to_string());
        Reply::json(200, &json!({ "items": page(from), "meta": { "next": next } }))
    })
    .await;
}

#[tokio::test]
async fn next_addresses_relative_and_absolute_read_every_record_once() {
    for is_absolute in [false, true] {
        assert_reads_all(styled(json!({ "next_url": "next" })), move |seen| {
            let from = number(seen, "from").unwrap_or(0);
            let host = seen.header("host").unwrap();
            let start = if is_absolute {
                format!("http://{host}/api/accounts")
            } else {
                String::new()
            };
            let next = (from + SIZE < COUNT).then(|| format!("{start}?from={}", from + SIZE));
            Reply::json(200, &json!({ "items": page(from), "next": next }))
        })
        .await;
    }
}

#[tokio::test]
async fn link_headers_read_every_record_once_also_where_they_come_apart() {
    assert_reads_all(styled(json!({ "link_header": "next" })), |seen| {
        let from = number(seen, "from").unwrap_or(0);
        let reply = Reply::json(200, &json!({ "items": page(from) })).with("link", "</api/accounts>; rel=\"first\"");
        if from + SIZE < COUNT {
            reply.with("link", format!("</api/accounts?from={}>; rel=\"next\"", from + SIZE))
        } else {
            reply
        }
    })
    .await;
}

#[tokio::test]
async fn keysets_read_every_record_once() {
    let sample = styled(json!({ "keyset": "id" }))
        .with(json!({ "objects": { "account": { "list": { "query": { "after": "{{ page.last.id }}" } } } } }));
    assert_reads_all(sample, |seen| {
        Reply::json(
            200,
            &json!({ "items": page(number(seen, "after").map_or(0, |after| after + 1)) }),
        )
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_leads_back_ends_the_listing_with_an_error() {
    let server = Loopback::start(|seen| {
        let (next, id) = match seen.param("cursor").as_deref() {
            Some("b") => ("a", 2),
            _ => ("b", 1),
        };
        Reply::json(200, &json!({ "items": [account(id)], "next": next }))
    })
    .await;
    let fault = list(&styled(json!({ "cursor": "next", "send": { "query": "cursor" } })).at(&server))
        .await
        .unwrap_err();
    assert_eq!(fault.code, "RQ032");
    assert!(server.seen().len() <= 4, "{} requests", server.seen().len());
}

#[tokio::test]
async fn pages_that_repeat_one_another_end_the_listing_with_an_error() {
    let server = Loopback::answering([Reply::json(200, &json!({ "items": page(0) }))]).await;
    let fault = list(&styled(json!({ "offset": 0, "send": { "query": "offset" } })).at(&server))
        .await
        .unwrap_err();
    assert!(fault.message.contains("repeats the page before it"), "{fault}");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_listing_without_end_is_cut_by_its_limit() {
    let server = Loopback::start(|seen| {
        let from = number(seen, "page").unwrap();
        Reply::json(200, &json!({ "items": [account(from)] }))
    })
    .await;
    let sample = styled(json!({ "number": 1, "send": { "query": "page" } })).limited(json!({ "pages_max": 7 }));
    let fault = list(&sample.at(&server)).await.unwrap_err();
    assert!(fault.message.contains("more than 7 pages"), "{fault}");
    assert_eq!(server.seen().len(), 7);
}

#[tokio::test]
async fn a_next_address_elsewhere_is_refused_and_gets_nothing() {
    let other = Loopback::answering([Reply::json(200, &json!({ "items": [] }))]).await;
    let port = other.address().port();
    for next in [
        other.url(),
        format!("//127.0.0.1:{port}/x"),
        format!("http:\\\\127.0.0.1:{port}"),
        format!("http://user@127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        "file:///etc/passwd".to_owned(),
    ] {
        let items = json!({ "items": [account(1)], "next": next });
        for reply in [
            Reply::json(200, &items),
            Reply::json(200, &json!({ "items": [account(1)] })).with("link", format!("<{next}>; rel=next")),
        ] {
            let server = Loopback::answering([reply.clone()]).await;
            let style = if reply_has_link(&reply) {
                json!({ "link_header": "next" })
            } else {
                json!({ "next_url": "next" })
            };
            let system = styled(style)
                .with(json!({ "credentials": ["t"], "auth": { "bearer": { "token": "{{ credentials.t }}" } } }))
                .credential("t", "canary")
                .at(&server);
            assert_eq!(list(&system).await.unwrap_err().code, "RQ032", "{next}");
            assert_eq!(server.seen().len(), 1, "{next}");
        }
    }
    assert_eq!(other.connects(), 0);
}

fn reply_has_link(reply: &Reply) -> bool {
    format!("{reply:?}").contains("rel=next")
}

#[tokio::test]
async fn a_page_that_says_there_is_more_and_leads_nowhere_is_an_error() {
    let server = Loopback::answering([Reply::json(
        200,
        &json!({ "items": [account(1)], "after": "b", "has_more": true }),
    )])
    .await;
    let page = json!({ "cursor": "next", "more": "has_more", "send": { "query": "cursor" } });
    let fault = list(&styled(page).at(&server)).await.unwrap_err();
    assert_eq!(fault.code, "RQ032");
    assert!(
        fault
            .message
            .contains("`has_more` says that there is more, but nothing at `next`"),
        "{fault}"
    );
}
