use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, Semaphore},
    task::JoinHandle,
    time::interval,
};
use tokio_util::sync::DropGuard;

use super::*;

/// What a handler and its test say to each other.
#[derive(Clone)]
struct Signals {
    /// One permit for each request whose handler has begun.
    begun: Arc<Semaphore>,
    /// Lets handlers of `/wait` go on.
    go: Arc<Notify>,
    /// Cancelled when the answer of `/endless` is given up.
    given_up: CancellationToken,
}

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<io::Result<()>>,
    signals: Signals,
}

/// How long the one limit lasts that a test is about.
const SHORT: Duration = Duration::from_millis(200);

/// Limits that never run out within a test: each test shortens the one it is about, so that no other can decide it.
fn patient() -> Limits {
    let long = Duration::from_hours(1);
    Limits {
        header_timeout: long,
        body_idle_timeout: long,
        request_timeout: long,
        keep_alive_timeout: long,
        write_stall_timeout: long,
        shutdown_grace: long,
        body_bytes_max: 1_000,
        ..Limits::default()
    }
}

fn short_header() -> Limits {
    Limits {
        header_timeout: SHORT,
        ..patient()
    }
}

fn short_request() -> Limits {
    Limits {
        request_timeout: SHORT,
        ..patient()
    }
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let signals = Signals {
            begun: Arc::new(Semaphore::new(0)),
            go: Arc::default(),
            given_up: CancellationToken::new(),
        };
        let serving = tokio::spawn(serve(listener, router(&signals), limits, shutdown.clone()));
        Self {
            address,
            shutdown,
            serving,
            signals,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `bytes` on a new connection and returns everything that comes back until it is closed.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        until_closed(&mut stream).await
    }

    /// Waits until a handler has begun.
    async fn handler_begun(&self) {
        self.signals.begun.acquire().await.unwrap().forget();
    }
}

fn router(signals: &Signals) -> Router {
    let wait = {
        let signals = signals.clone();
        move || async move {
            signals.begun.add_permits(1);
            signals.go.notified().await;
            "done"
        }
    };
    let endless = {
        let signals = signals.clone();
        move || async move {
            let guard: DropGuard = signals.given_up.drop_guard();
            Body::from_stream(futures_util::stream::repeat_with(move || {
                let _held = &guard;
                Ok::<_, io::Error>(Bytes::from(vec![b'x'; 65_536]))
            }))
        }
    };
    Router::new()
        .route("/echo", post(|body: Bytes| async { body }))
        .route(
            "/peer",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
        )
        .route("/ignore", post(|| async { "ignored" }))
        .route("/wait", get(wait))
        .route("/endless", get(endless))
        .route("/panic", get(panicking))
}

async fn panicking() -> &'static str {
    panic!("on purpose")
}

/// All that comes until the other side closes. A reset is a close too: it follows when we sent what nobody read.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let closed = timeout(Duration::from_secs(20), async {
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..count]);
        }
    });
    closed.await.expect("the connection stays open");
    String::from_utf8(answer).unwrap()
}

/// One answer with the given text as its body, on a connection that stays open.
async fn expect_answer(stream: &mut TcpStream, status: &str, text: &str) {
    let mut answer = String::new();
    let mut buffer = [0; 4_096];
    while !answer.ends_with(&format!("\r\n\r\n{text}")) {
        let count = stream.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "closed after {answer}");
        answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
}

const ECHO: &[u8] = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi";

/// Writes `byte` again and again, slowly, until the other side has had enough; what it said then.
async fn drip(stream: &mut TcpStream, byte: u8) -> String {
    let (mut reader, mut writer) = stream.split();
    let mut ticks = interval(SHORT / 10);
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    let dripping = timeout(Duration::from_secs(20), async {
        loop {
            tokio::select! {
                _ = ticks.tick() => if writer.write_all(&[byte]).await.is_err() { break },
                read = reader.read(&mut buffer) => match read {
                    Ok(count @ 1..) => answer.extend_from_slice(&buffer[..count]),
                    _ => break,
                },
            }
        }
    });
    dripping.await.expect("the connection stays open");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed() {
    assert_eq!(Server::start(short_header()).await.exchange(b"").await, "");
}

#[tokio::test]
async fn half_a_request_head_is_closed() {
    let server = Server::start(short_header()).await;
    assert_eq!(server.exchange(b"POST /echo HTTP/1.1\r\nhost: x\r\n").await, "");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_closed() {
    let server = Server::start(short_header()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nx: ").await.unwrap();
    assert_eq!(drip(&mut stream, b'y').await, "");
}

#[tokio::test]
async fn a_second_head_that_stalls_is_closed_as_the_first_would_be() {
    let server = Server::start(short_header()).await;
    let mut stream = server.connect().await;
    stream.write_all(ECHO).await.unwrap();
    expect_answer(&mut stream, "200", "hi").await;
    stream.write_all(b"POST /echo").await.unwrap();
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_with_408_and_closed() {
    let server = Server::start(Limits {
        body_idle_timeout: SHORT,
        ..patient()
    })
    .await;
    for head in [
        "content-length: 10\r\n\r\nhalf",
        "transfer-encoding: chunked\r\n\r\n4\r\nhalf",
    ] {
        let answer = server
            .exchange(format!("POST /echo HTTP/1.1\r\nhost: x\r\n{head}").as_bytes())
            .await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{head}: {answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_answered_with_408_and_closed() {
    let server = Server::start(short_request()).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n")
        .await
        .unwrap();
    let answer = drip(&mut stream, b'y').await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_not_hold_the_connection() {
    let server = Server::start(patient()).await;
    let answer = server
        .exchange(b"POST /ignore HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\nhalf")
        .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_answered_for_with_503() {
    let server = Server::start(short_request()).await;
    let answer = server.exchange(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

#[tokio::test]
async fn a_connection_serves_several_requests() {
    let server = Server::start(patient()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(ECHO).await.unwrap();
        expect_answer(&mut stream, "200", "hi").await;
    }
}

#[tokio::test]
async fn a_connection_that_is_kept_alive_for_nothing_is_closed() {
    let server = Server::start(Limits {
        keep_alive_timeout: SHORT,
        ..patient()
    })
    .await;
    let answer = server.exchange(ECHO).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_answered_with_413() {
    let server = Server::start(patient()).await;
    let fits = "x".repeat(1_000);
    let request = format!("POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n{fits}");
    assert!(server.exchange(request.as_bytes()).await.starts_with("HTTP/1.1 200"));

    let declared = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n";
    assert!(server.exchange(declared.as_bytes()).await.starts_with("HTTP/1.1 413"));

    let undeclared = format!(
        "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{fits}y\r\n0\r\n\r\n"
    );
    assert!(server.exchange(undeclared.as_bytes()).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_head_over_the_limits_is_answered_with_431() {
    let server = Server::start(patient()).await;
    let long = format!("GET /peer HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(17_000));
    assert!(server.exchange(long.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let many = format!("GET /peer HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101));
    assert!(server.exchange(many.as_bytes()).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_given_up() {
    let server = Server::start(Limits {
        write_stall_timeout: SHORT,
        ..patient()
    })
    .await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let given_up = timeout(Duration::from_secs(20), server.signals.given_up.cancelled());
    given_up.await.expect("the answer is still being held");
    drop(stream);
}

#[tokio::test]
async fn a_handler_is_told_the_address_of_its_client() {
    let server = Server::start(patient()).await;
    let mut stream = server.connect().await;
    let local = stream.local_addr().unwrap().to_string();
    stream
        .write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    expect_answer(&mut stream, "200", &local).await;
}

#[tokio::test]
async fn a_panic_in_a_handler_costs_one_connection_and_not_the_server() {
    let server = Server::start(patient()).await;
    assert_eq!(server.exchange(b"GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await, "");
    let mut stream = server.connect().await;
    stream.write_all(ECHO).await.unwrap();
    expect_answer(&mut stream, "200", "hi").await;
}

/// So few places that they run out.
fn crowded(connections_max: usize) -> Limits {
    Limits {
        connections_max,
        ..patient()
    }
}

#[tokio::test]
async fn when_all_places_are_taken_the_slowest_client_gives_way() {
    let server = Server::start(crowded(3)).await;
    let mut silent = server.connect().await;
    let mut half_head = server.connect().await;
    half_head.write_all(b"POST /echo").await.unwrap();
    let mut half_body = server.connect().await;
    half_body
        .write_all(b"POST /echo HTTP/1.1\r\ncontent-length: 9\r\n\r\n")
        .await
        .unwrap();
    let mut prompt = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        stream.write_all(ECHO).await.unwrap();
        expect_answer(&mut stream, "200", "hi").await;
        prompt.push(stream);
    }
    for slow in [&mut silent, &mut half_head, &mut half_body] {
        assert_eq!(until_closed(slow).await, "");
    }
}

#[tokio::test]
async fn a_client_that_is_being_served_keeps_its_place() {
    let server = Server::start(crowded(1)).await;
    let mut served = server.connect().await;
    served
        .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    server.handler_begun().await;
    let mut newcomer = server.connect().await;
    newcomer.write_all(ECHO).await.unwrap();
    server.signals.go.notify_one();
    expect_answer(&mut served, "200", "done").await;
    expect_answer(&mut newcomer, "200", "hi").await;
}

#[tokio::test]
async fn at_shutdown_a_request_under_way_is_finished_and_nothing_else_is_waited_for() {
    let server = Server::start(patient()).await;
    let mut served = server.connect().await;
    served
        .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    server.handler_begun().await;
    let mut fresh = server.connect().await;
    let mut idle = server.connect().await;
    idle.write_all(ECHO).await.unwrap();
    expect_answer(&mut idle, "200", "hi").await;

    server.shutdown.cancel();
    assert_eq!(until_closed(&mut fresh).await, "");
    assert_eq!(until_closed(&mut idle).await, "");
    let refused = timeout(Duration::from_secs(20), async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    refused.await.expect("new connections are still taken");
    server.signals.go.notify_one();
    let answer = until_closed(&mut served).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"),
        "{answer}"
    );
    server.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_outlives_the_grace_period_is_cut_off() {
    let server = Server::start(Limits {
        shutdown_grace: SHORT,
        ..patient()
    })
    .await;
    let mut served = server.connect().await;
    served
        .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    server.handler_begun().await;
    server.shutdown.cancel();
    assert_eq!(until_closed(&mut served).await, "");
    server.serving.await.unwrap().unwrap();
}

#[test]
fn failing_to_accept_is_tried_again_ever_more_slowly() {
    let out_of_files = io::Error::from_raw_os_error(24).kind();
    let pause = |failures| pause_after(out_of_files, failures).unwrap();
    assert_eq!(pause(0), ACCEPT_PAUSE_MIN);
    assert_eq!(pause(1), ACCEPT_PAUSE_MIN * 2);
    assert_eq!(pause(u32::MAX), ACCEPT_PAUSE_MAX);
    assert!((0..40).all(|failures| pause(failures) <= pause(failures + 1)));
    assert_eq!(pause_after(io::ErrorKind::ConnectionAborted, 0), None);
}
