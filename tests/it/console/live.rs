//! Pages that are open stay right: what they say, to whom, and for how long.

use std::time::Duration;

use chrono::TimeDelta;
use syncline::{
    clock::Clock,
    core::status::{FailureStatus, Role},
    store::Op,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::scene;
use crate::support::{
    app::{Setup, TestApp},
    visitor::{PASSWORD, Visitor},
};

/// How long news may take; a server that is alive tells long before.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream of one page, as its script asks for it.
struct Stream {
    stream: TcpStream,
    read: String,
}

impl Stream {
    async fn open(visitor: &Visitor, path: &str) -> Self {
        let cookies: Vec<String> = visitor
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\nSec-Fetch-Mode: cors\r\nCookie: {}\r\n\
             Accept-Language: {}\r\nConnection: close\r\n\r\n",
            visitor.address,
            cookies.join("; "),
            visitor.language,
        );
        let mut stream = TcpStream::connect(&visitor.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        Self {
            stream,
            read: String::new(),
        }
    }

    /// Reads until this has come so many times, or everything.
    async fn until(&mut self, text: &str, times: usize) -> &str {
        let reading = async {
            let mut portion = [0; 4096];
            while self.read.matches(text).count() < times {
                let count = self.stream.read(&mut portion).await.unwrap();
                if count == 0 {
                    break;
                }
                self.read.push_str(&String::from_utf8_lossy(&portion[..count]));
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
        &self.read
    }
}

/// The stamp of a page.
fn stamp(page: &str) -> &str {
    let (_, rest) = page.split_once("data-live=\"").unwrap();
    rest.split_once('"').unwrap().0
}

#[tokio::test]
async fn an_open_page_is_told_when_it_says_something_else_and_a_reload_says_the_same() {
    let app = TestApp::start_with("[server]\napi_burst = 1000\napi_heavy_burst = 1000").await;
    scene::fill(&app, "gone-mapping", 2, |row| format!("value {row}")).await;
    let mut viewer = Visitor::signed_in(&app, Role::Viewer).await;
    let before = viewer.get("/console/failures").await.text();
    let mut stream = Stream::open(&viewer, "/console/failures").await;
    let told = stream.until("event: stamp", 1).await.to_owned();
    assert!(told.contains("text/event-stream"), "{told}");
    stream.until(stamp(&before), 1).await;
    let failure = app.store.failure(1).await.unwrap().unwrap();
    assert_eq!(failure.status, FailureStatus::Parked);
    app.store.ignore_failure(1, Vec::<Op>::new()).await.unwrap();
    stream.until("event: stamp", 2).await;
    let after = viewer.get("/console/failures").await.text();
    assert_ne!(stamp(&after), stamp(&before));
    assert!(stream.until(stamp(&after), 1).await.contains(stamp(&after)));
}

#[tokio::test]
async fn a_page_that_is_left_open_keeps_nobody_signed_in_and_ends_with_the_session() {
    let setup = Setup {
        clock: Clock::manual("2026-05-04T08:00:00Z".parse().unwrap()),
        ..Setup::new("[console]\nsession_idle = \"1h\"\nsession_longest = \"3h\"")
    };
    let app = setup.start().await;
    let mut viewer = Visitor::signed_in(&app, Role::Viewer).await;
    let mut stream = Stream::open(&viewer, "/console/systems").await;
    stream.until("event: stamp", 1).await;
    app.clock.set(app.clock.now() + TimeDelta::minutes(50));
    let by_itself = [("Sec-Fetch-Mode", "cors")];
    let page = viewer.send("GET", "/console/systems", &by_itself, b"").await;
    assert_eq!(page.status, 200);
    app.clock.set(app.clock.now() + TimeDelta::minutes(15));
    assert!(stream.until("event: over", 1).await.contains("event: over"));
    assert_eq!(viewer.get("/console/systems").await.status, 401, "nobody has used it");
    viewer.sign_in("viewer", PASSWORD, "/console").await;
    let mut again = Stream::open(&viewer, "/console/systems").await;
    again.until("event: stamp", 1).await;
    viewer.get("/console/systems").await;
    viewer.post("/console/sign-out", &[]).await;
    assert!(again.until("event: over", 1).await.contains("event: over"));
}

#[tokio::test]
async fn only_pages_are_kept_right_and_only_for_those_who_may_see_them() {
    let app = TestApp::start_with("[server]\napi_burst = 1000\napi_heavy_burst = 1000").await;
    let run_id = scene::fill(&app, "gone-mapping", 1, |row| format!("value {row}")).await;
    let viewer = Visitor::signed_in(&app, Role::Viewer).await;
    let status = async |visitor: &Visitor, path: &str| {
        let mut stream = Stream::open(visitor, path).await;
        stream.until("\r\n", 1).await.split(' ').nth(1).unwrap().to_owned()
    };
    for (path, expected) in [
        ("/console/audit", "403"),
        ("/console/runs/999", "404"),
        ("/console/record?q=7", "404"),
        ("/console", "200"),
    ] {
        assert_eq!(status(&viewer, path).await, expected, "{path}");
    }
    let export = format!("/console/drift/{run_id}/export?format=csv");
    assert_eq!(status(&viewer, &export).await, "404", "a file is none");
    assert_eq!(status(&Visitor::new(&app), "/console").await, "401");
}
