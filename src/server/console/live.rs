//! Pages that stay right while they are open (server-sent events).
//!
//! The script of a page asks for its address once more, as a stream. Behind the same door the page is made again and again then,
//! and whenever the part of it that changes says something else, the browser is told, and loads it. So whatever a page shows is
//! live, with its filters and for whoever looks, and nothing has to be kept in step with it. Without a script a page says the
//! same when it is loaded again.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{self, Body},
    extract::Request,
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::Next,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{StreamExt as _, stream};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{door, frame::Frame, key::Key};
use crate::server::{
    auth::Demand,
    error::{Problem, Result},
    state::App,
};

/// How often a page is made again that costs as little as one can.
const EVERY: Duration = Duration::from_secs(2);
/// How many times as long as making a page took it rests: whoever looks takes a hundredth of a processor at most.
const REST: u32 = 100;
/// After how many looks a browser has to ask again.
const LOOKS_MAX: u32 = 300;
/// The largest page.
const BYTES_MAX: usize = 1 << 20;
/// Where the stamp of a page goes, in its markup.
const UNSTAMPED: &str = "data-live=\"~\"";
/// What stands before a stamp.
const STAMP: &str = "data-live=\"";
/// The end of what changes.
const END: &str = "</main>";

/// Whether a page is asked for as a stream.
pub fn is_asked(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept.is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"))
}

/// Whether a person asks, and not a page by itself: that alone is a use of their session. Browsers say so.
pub fn is_by_hand(headers: &HeaderMap) -> bool {
    let mode = headers.get("sec-fetch-mode");
    mode.is_none_or(|mode| mode.as_bytes() == b"navigate")
}

/// Stamps the part of a page that changes with what it says.
pub fn stamped(page: String) -> String {
    let Some((before, rest)) = page.split_once(UNSTAMPED) else {
        return page;
    };
    let content = rest.split_once(END).map_or(rest, |(content, _)| content);
    // When the page was made stands in the same tag.
    let content = content.split_once('>').map_or(content, |(_, content)| content);
    let stamp = stamp(content);
    format!("{before}{STAMP}{stamp}\"{rest}")
}

/// A word for what markup says, however long ago that was by now.
fn stamp(content: &str) -> String {
    let mut hash = blake3::Hasher::new();
    let mut parts = content.split("<time ");
    hash.update(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (time, rest) = part.split_once("</time>").unwrap_or((part, ""));
        let when = time.split_once('>').map_or(time, |(when, _)| when);
        hash.update(when.as_bytes());
        hash.update(rest.as_bytes());
    }
    hash.finalize().to_hex().chars().take(16).collect()
}

/// One page that somebody has open.
pub struct Watch {
    /// The whole server.
    pub app: App,
    /// Whose browser it is.
    pub key: Key,
    /// What the page asks of whoever looks.
    pub demand: Demand,
    /// The request for it.
    pub parts: Parts,
    /// What makes it.
    pub next: Next,
}

/// How a page stands.
enum Look {
    /// It is there, and says this.
    Page(String),
    /// It cannot be told now.
    Unknown,
    /// It is gone, or not to be shown any more to who asks.
    Over,
}

/// Tells whenever the page says something else than before; at first, what it says now.
pub async fn tell(watch: Watch) -> Result<Response> {
    let full = || Problem::unavailable("too many pages are open at once: this one is not kept up to date");
    let permit = watch.app.watchers().try_acquire_owned().map_err(|_| full())?;
    let shutdown = watch.app.shutdown().clone();
    let mut stream = Stream {
        watch,
        told: None,
        rest: Duration::ZERO,
        looks: 0,
        is_over: false,
        _permit: permit,
    };
    let Look::Page(first) = stream.look().await else {
        return Err(Problem::not_found("this page does not change by itself"));
    };
    let first = stream.news(first);
    let news = stream::iter(first.map(Ok))
        .chain(stream::unfold(stream, next))
        .take_until(async move { shutdown.cancelled().await });
    Ok(Sse::new(news).keep_alive(KeepAlive::default()).into_response())
}

/// What one stream knows.
struct Stream {
    watch: Watch,
    /// What was told last.
    told: Option<String>,
    /// How long it rests before the next look.
    rest: Duration,
    looks: u32,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    /// Makes the page once more.
    async fn look(&mut self) -> Look {
        let began = Instant::now();
        let found = self.found().await;
        self.rest = (EVERY * self.watch.demand.cost).max(began.elapsed() * REST);
        self.looks += 1;
        found
    }

    async fn found(&self) -> Look {
        let Watch { app, key, demand, .. } = &self.watch;
        // Whoever has signed out, or lost a role, sees nothing more.
        let caller = match door::session(app, key).await {
            Ok(Some((caller, _))) if caller.refusal(*demand).is_none() => caller,
            Ok(_) => return Look::Over,
            Err(_) => return Look::Unknown,
        };
        let mut parts = self.watch.parts.clone();
        let now = app.clock().now();
        let Some(frame) = parts.extensions.get::<Frame>().map(|frame| frame.again(&caller, now)) else {
            return Look::Over;
        };
        parts.extensions.insert(frame);
        parts.extensions.insert(app.within(&caller.reach));
        parts.extensions.insert(caller);
        let request = Request::from_parts(parts, Body::empty());
        read(self.watch.next.clone().run(request).await).await
    }

    /// What is to be told of a page that says this.
    fn news(&mut self, stamp: String) -> Option<Event> {
        if self.told.as_ref() == Some(&stamp) {
            return None;
        }
        let event = Event::default().event("stamp").data(&stamp);
        self.told = Some(stamp);
        Some(event)
    }
}

/// What a page says, by its stamp.
async fn read(response: Response) -> Look {
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Look::Unknown;
    }
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if status != StatusCode::OK || !is_page {
        return Look::Over;
    }
    let Ok(page) = body::to_bytes(response.into_body(), BYTES_MAX).await else {
        return Look::Unknown;
    };
    let page = String::from_utf8_lossy(&page);
    let stamp = page
        .split_once(STAMP)
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(stamp, _)| stamp.to_owned());
    stamp.map_or(Look::Over, Look::Page)
}

async fn next(mut stream: Stream) -> Option<(std::result::Result<Event, Infallible>, Stream)> {
    while !stream.is_over && stream.looks < LOOKS_MAX {
        tokio::time::sleep(stream.rest).await;
        match stream.look().await {
            Look::Page(stamp) => {
                if let Some(event) = stream.news(stamp) {
                    return Some((Ok(event), stream));
                }
            }
            Look::Unknown => {}
            Look::Over => {
                stream.is_over = true;
                return Some((Ok(Event::default().event("over").data("")), stream));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn stamp_of(content: &str) -> String {
        let page = format!("<main><div id=\"live\" {UNSTAMPED} data-now=\"1\">{content}</div></main><footer>");
        let page = stamped(page);
        let (_, rest) = page.split_once(STAMP).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    #[test]
    fn a_stamp_changes_with_what_a_page_says_and_not_with_how_long_ago_it_was() {
        let time = |at: &str, away: &str| format!("<p>7</p><time datetime=\"{at}\"><i>{away}</i></time>");
        assert_eq!(stamp_of(&time("1", "2 s ago")), stamp_of(&time("1", "3 s ago")));
        assert_ne!(stamp_of(&time("1", "2 s ago")), stamp_of(&time("2", "2 s ago")));
        assert_ne!(stamp_of("<p>7</p>"), stamp_of("<p>8</p>"));
        assert_eq!(stamp_of("x").len(), 16);
        assert_eq!(stamped("<main>still</main>".to_owned()), "<main>still</main>");
    }

    #[test]
    fn what_a_page_asks_for_by_itself_is_no_use_of_a_session() {
        let mut headers = HeaderMap::new();
        assert!(is_by_hand(&headers) && !is_asked(&headers));
        headers.insert("sec-fetch-mode", HeaderValue::from_static("navigate"));
        assert!(is_by_hand(&headers));
        headers.insert("sec-fetch-mode", HeaderValue::from_static("cors"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        assert!(!is_by_hand(&headers) && is_asked(&headers));
    }
}
