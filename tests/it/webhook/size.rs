//! Requests that are larger than anybody's: they are refused before they are all there, and what they cost is small and is
//! given back.

use std::{fs, io::Write as _, net::SocketAddr, time::Duration};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use syncline::server::listen;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};

use super::sign;
use crate::{
    daemon::site::{Running, Site},
    support::{
        app::{Setup, TestApp, settings},
        http,
        rig::{Budget, report},
    },
};

/// What the system may hold for the two ends of a connection, read by nobody yet.
const UNDER_WAY: usize = 32 << 20;
/// A piece of a stream.
const PIECE: usize = 64 << 10;
/// As many pieces as a server never takes that reads to a limit: 256 MiB.
const ENDLESS: usize = 4_096;

/// A request whose body comes in pieces.
struct Request {
    name: &'static str,
    head: String,
    piece: Vec<u8>,
    pieces: usize,
    /// The statuses that it may be answered with.
    statuses: &'static [u16],
}

impl Request {
    fn new(name: &'static str, head: String, piece: Vec<u8>, statuses: &'static [u16]) -> Self {
        Self {
            name,
            head,
            piece,
            pieces: 1,
            statuses,
        }
    }

    /// The same with its piece so many times.
    fn times(self, pieces: usize) -> Self {
        Self { pieces, ..self }
    }
}

/// Sends it until the server has had enough; how many bytes of the body it took, and what it answered.
async fn pour(address: &str, request: &Request) -> (usize, String) {
    let socket = TcpSocket::new_v4().unwrap();
    // What was written is not yet taken: as little as possible is to wait on our side.
    socket.set_send_buffer_size(65_536).unwrap();
    let stream = socket.connect(address.parse::<SocketAddr>().unwrap()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let write = async {
        let mut taken = 0;
        let mut is_open = writer.write_all(request.head.as_bytes()).await.is_ok();
        for _ in 0..request.pieces {
            is_open = is_open && writer.write_all(&request.piece).await.is_ok();
            if !is_open {
                break;
            }
            taken += request.piece.len();
        }
        taken
    };
    let read = async {
        let mut answer = Vec::new();
        // Where it closes with bytes unread, that is a reset.
        let _ = reader.read_to_end(&mut answer).await;
        answer
    };
    let both = async { tokio::join!(write, read) };
    let ended = tokio::time::timeout(Duration::from_secs(60), both).await;
    let (taken, answer) = ended.unwrap_or_else(|_| panic!("{} is still being read", request.name));
    (taken, String::from_utf8_lossy(&answer).into_owned())
}

/// The head of a webhook with more lines.
fn head(system: &str, lines: &str) -> String {
    format!("POST /webhooks/{system} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n\r\n")
}

/// A chunk of a body.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[tokio::test]
async fn a_body_is_taken_up_to_the_last_byte_of_the_limit_and_no_further() {
    let app = TestApp::start().await;
    let cap = settings("").server.webhook_body_bytes_max;
    for (size, expected) in [(cap - 1, 200), (cap, 200), (cap + 1, 413)] {
        for is_chunked in [false, true] {
            let event = json!({ "id": format!("{size} {is_chunked}"), "entity": "account", "record": "A" });
            let mut body = json!({ "events": [event] }).to_string().into_bytes();
            body.resize(size, b' ');
            let signature = format!("x-signature: {}\r\n", sign("canary-hook-secret", &body));
            let (lines, piece) = if is_chunked {
                let chunks = body.chunks(PIECE).map(chunk).collect::<Vec<_>>().concat();
                let chunks = [&chunks[..], b"0\r\n\r\n"].concat();
                (signature + "transfer-encoding: chunked", chunks)
            } else {
                (signature + &format!("content-length: {size}"), body)
            };
            let request = Request::new("about as much as is taken", head("crm", &lines), piece, &[]);
            let (_, answer) = pour(&app.address, &request).await;
            assert_eq!(status(&answer), expected, "{size}, chunked {is_chunked}: {answer}");
        }
    }
    let metrics = app.get("/metrics", "").await.text();
    assert!(
        metrics.contains("syncline_events_total{system=\"crm\"} 4\n"),
        "{metrics}"
    );
}

fn status(answer: &str) -> u16 {
    let line = answer.lines().next().unwrap_or_default();
    line.split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_default()
}

/// 64 MiB of spaces in 64 KiB: as many files of one MiB, which a reader of gzip takes for one.
fn gzip_bomb() -> Vec<u8> {
    let mut file = GzEncoder::new(Vec::new(), Compression::best());
    file.write_all(&vec![b' '; 1 << 20]).unwrap();
    file.finish().unwrap().repeat(64)
}

/// The same in two KiB of Zstandard: a frame of blocks that each say one byte 131,072 times.
fn zstd_bomb() -> Vec<u8> {
    let block = |is_last: u8| [2 | is_last, 0, 0x10, b' '];
    let head = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
    [&head[..], &[block(0); 511].concat(), &block(1)].concat()
}

/// Requests that say the name of a compression and are refused for it.
fn bombs() -> Vec<Request> {
    let (gzip, zstd) = (gzip_bomb(), zstd_bomb());
    [
        ("gzip", &gzip),
        ("GZIP", &gzip),
        ("x-gzip", &gzip),
        ("gzip, gzip", &gzip),
        ("identity, gzip", &gzip),
        ("deflate", &gzip),
        ("br", &zstd),
        ("zstd", &zstd),
    ]
    .map(|(coding, bytes)| {
        let lines = format!("content-encoding: {coding}\r\ncontent-length: {}", bytes.len());
        Request::new(coding, head("erp", &lines), bytes.clone(), &[415])
    })
    .into()
}

/// Requests whose bodies are too large or come in too many pieces.
fn large_bodies(cap: usize) -> Vec<Request> {
    let spaces = || vec![b' '; PIECE];
    let of = |length: usize| head("erp", &format!("content-length: {length}"));
    let chunked = || head("erp", "transfer-encoding: chunked");
    let (endless_chunk, trailers) = (
        [b"7fffffffffffff\r\n".as_slice(), &spaces()].concat(),
        b"x: y\r\n".repeat(PIECE / 6),
    );
    let of_a_byte_each = [&*b"1\r\nx\r\n".repeat(300_000), b"0\r\n\r\n"].concat();
    vec![
        Request::new("a byte too much", of(cap + 1), spaces(), &[413]).times(cap / PIECE + 1),
        Request::new("ten GiB, as told", of(10 << 30), spaces(), &[413]).times(ENDLESS),
        Request::new(
            "more than can be counted",
            head("erp", "content-length: 99999999999999999999"),
            spaces(),
            &[400],
        )
        .times(ENDLESS),
        Request::new("chunks without an end", chunked(), chunk(&spaces()), &[413]).times(ENDLESS),
        Request::new("one chunk without an end", chunked(), endless_chunk, &[413]).times(ENDLESS),
        Request::new(
            "words about a chunk without an end",
            chunked() + "1;a",
            vec![b'a'; PIECE],
            &[400],
        )
        .times(ENDLESS),
        Request::new(
            "trailers without an end",
            chunked() + "1\r\nx\r\n0\r\n",
            trailers,
            &[400],
        )
        .times(ENDLESS),
        Request::new("as much as is taken, not signed", of(cap), spaces(), &[401]).times(cap / PIECE),
        Request::new("chunks of a byte each", chunked(), of_a_byte_each, &[401]),
    ]
}

/// Requests whose heads are too large.
fn large_heads() -> Vec<Request> {
    let begin = || "POST /webhooks/erp HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_owned();
    let many = |count| head("erp", &vec!["x: y"; count].join("\r\n"));
    let large = "y".repeat(1 << 20);
    let letters = || vec![b'y'; PIECE];
    vec![
        Request::new("ten thousand headers", many(10_000), Vec::new(), &[431]),
        Request::new("a hundred and one headers", many(99), Vec::new(), &[431]),
        Request::new(
            "a header of a MiB",
            head("erp", &format!("x: {large}")),
            Vec::new(),
            &[431],
        ),
        Request::new(
            "a name of a MiB",
            head("erp", &format!("{large}: x")),
            Vec::new(),
            &[431],
        ),
        Request::new("headers without an end", begin(), b"x: y\r\n".repeat(PIECE / 6), &[431]).times(ENDLESS),
        Request::new("a header without an end", begin() + "x: ", letters(), &[431]).times(ENDLESS),
        Request::new("an address of a MiB", head(&large, "x: y"), Vec::new(), &[414, 431]),
        Request::new("an address without an end", "POST /".to_owned(), letters(), &[414, 431]).times(ENDLESS),
    ]
}

/// A body of which every byte is read and none is content: nothing counts it, but its time runs out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_never_comes_to_its_content_ends_with_the_time_of_its_request() {
    let app = Setup {
        limits: listen::Limits {
            request_timeout: Duration::from_millis(300),
            ..listen::Limits::default()
        },
        ..Setup::new("")
    }
    .start()
    .await;
    for byte in [b'0', b' '] {
        let head = head("crm", "transfer-encoding: chunked") + "0";
        let request = Request::new("the size of a chunk without an end", head, vec![byte; PIECE], &[408]);
        // More than is sent in an hour.
        let (_, answer) = pour(&app.address, &request.times(usize::MAX)).await;
        assert_eq!(status(&answer), 408, "{answer}");
    }
}

/// How much memory the system says that the daemon has (`VmRSS`) or had at most (`VmHWM`), in KiB; Linux alone says it.
fn memory(daemon: &Running, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Forgets how much the daemon had at most; false where that is not to be had.
fn forget_peak(daemon: &Running) -> bool {
    fs::write(format!("/proc/{}/clear_refs", daemon.child.id()), "5").is_ok()
}

/// An event of the ERP about something that no mapping has, so that nothing is to be done about it.
#[expect(clippy::disallowed_methods, reason = "the sender has a clock of its own")]
async fn is_taken(daemon: &Running, id: &str) -> bool {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let event = json!({ "id": id, "type": "thing.updated", "object": "thing", "object_id": 1, "actor": "user:ana" });
    let body = event.to_string();
    let code = sign("sandbox-erp-webhook-secret", format!("{now}.{body}").as_bytes());
    let signature = format!("t={now},v1={code}");
    let headers = [("Nordwind-Signature", signature.as_str())];
    let answer = http::send(&daemon.address, "POST", "/webhooks/erp", &headers, body.as_bytes()).await;
    answer.status == 200
}

/// Each of them once, a good request after each. The most bytes that any was taken of.
async fn attack(daemon: &Running, requests: &[Request], round: &str, cap: usize) -> usize {
    let mut most = 0;
    for (index, request) in requests.iter().enumerate() {
        let (taken, answer) = pour(&daemon.address, request).await;
        let status = status(&answer);
        assert!(request.statuses.contains(&status), "{}: {answer}", request.name);
        assert!(taken <= cap + UNDER_WAY, "{}: {taken} bytes were taken", request.name);
        assert!(
            is_taken(daemon, &format!("{round}-{index}")).await,
            "after {}",
            request.name
        );
        most = most.max(taken);
    }
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_too_large_end_early_cost_little_and_leave_the_daemon_at_work() {
    let site = Site::with("[schedule]\nenabled = false\n").await;
    let daemon = site.start();
    let cap = settings("").server.webhook_body_bytes_max;
    let requests = [bombs(), large_bodies(cap), large_heads()].into_iter().flatten();
    let requests: Vec<Request> = requests.collect();
    // What a good request needs of the program has been read in before anything is measured.
    for number in 0..20 {
        assert!(is_taken(&daemon, &format!("before-{number}")).await);
    }
    let before = memory(&daemon, "VmRSS");
    let is_fresh = forget_peak(&daemon);
    let (mut budget, mut most) = (Budget::new(1, 20), 0);
    while budget.goes_on() {
        let round = format!("round-{}", budget.done());
        most = most.max(attack(&daemon, &requests, &round, cap).await);
    }
    let after = memory(&daemon, if is_fresh { "VmHWM" } else { "VmRSS" });
    let growth = before.zip(after).map(|(before, after)| after.saturating_sub(before));
    report(&format!(
        "{} kinds of requests, at most {most} bytes of one taken; memory grew by {growth:?} KiB at most",
        requests.len()
    ));
    assert!(growth.is_none_or(|kibibytes| kibibytes < 16 << 10), "{growth:?} KiB");
}
