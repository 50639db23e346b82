//! A system on 127.0.0.1 that answers as it is told to and remembers what it was asked.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Frame, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// Path and query as they stood in the first line.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// A query parameter.
    pub fn param(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query().as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The only value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "`{name}` was sent twice");
        value
    }

    /// The fields of a form in the body.
    pub fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The answer is whole.
    Whole,
    /// The connection is closed before anything is answered.
    HangUp,
    /// The connection is closed before the body is whole.
    Cut,
    /// The body stands still after its first bytes.
    Stall,
    /// Nothing is answered, ever.
    Silence,
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), content_type.into())],
            body: body.into(),
            ending: Ending::Whole,
        }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub fn html(status: u16) -> Self {
        let page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in</body></html>";
        Self::new(status, "text/html; charset=utf-8", page)
    }

    pub fn status(status: u16) -> Self {
        Self {
            headers: Vec::new(),
            ..Self::new(status, "", "")
        }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Closes the connection in place of an answer.
    pub fn hang_up() -> Self {
        Self {
            ending: Ending::HangUp,
            ..Self::status(200)
        }
    }

    /// Never answers.
    pub fn silence() -> Self {
        Self {
            ending: Ending::Silence,
            ..Self::status(200)
        }
    }

    /// Closes the connection within the body.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.ending = Ending::Cut;
        self
    }

    /// Lets the body stand still.
    #[must_use]
    pub fn stalled(mut self) -> Self {
        self.ending = Ending::Stall;
        self
    }
}

type Script = Box<dyn Fn(&Seen) -> Reply + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, io::Error>;

struct Shared {
    script: Script,
    seen: Mutex<Vec<Seen>>,
    connects: AtomicUsize,
}

/// A running system; it ends when dropped.
pub struct Loopback {
    shared: Arc<Shared>,
    address: SocketAddr,
    ending: CancellationToken,
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

impl Loopback {
    /// Answers every request by `script`.
    pub async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            seen: Mutex::default(),
            connects: AtomicUsize::new(0),
        });
        let ending = CancellationToken::new();
        let serving = accept(listener, Arc::clone(&shared), ending.clone());
        tokio::spawn(ending.clone().run_until_cancelled_owned(serving));
        Self {
            shared,
            address,
            ending,
        }
    }

    /// Answers with these in turn, and with the last one from then on.
    pub async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Mutex<VecDeque<Reply>> = Mutex::new(replies.into_iter().collect());
        Self::start(move |_| {
            let mut replies = replies.lock().unwrap();
            if replies.len() > 1 {
                replies.pop_front().unwrap()
            } else {
                replies[0].clone()
            }
        })
        .await
    }

    /// Such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything it was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Forgets what it was asked, for tests that ask for hours.
    pub fn forget(&self) {
        self.shared.seen.lock().unwrap().clear();
    }

    /// How often it was asked for a path.
    pub fn count(&self, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path() == path).count()
    }

    /// Connections taken so far, whether anything was asked on them or not.
    pub fn connects(&self) -> usize {
        self.shared.connects.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, ending: CancellationToken) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.connects.fetch_add(1, Ordering::SeqCst);
        let serving = serve(stream, Arc::clone(&shared));
        tokio::spawn(ending.clone().run_until_cancelled_owned(serving));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    // A connection that the script breaks ends with an error here.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let seen = Seen {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: headers.collect(),
        body: body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec(),
    };
    let reply = (shared.script)(&seen);
    shared.seen.lock().unwrap().push(seen);
    let broken = || io::Error::other("broken off by the script");
    match reply.ending {
        Ending::HangUp => return Err(broken()),
        Ending::Silence => std::future::pending().await,
        _ => {}
    }
    let data = Frame::data(Bytes::from(reply.body));
    let body: Body = match reply.ending {
        Ending::Cut => BodyExt::boxed_unsync(StreamBody::new(stream::iter([Ok(data), Err(broken())]))),
        Ending::Stall => BodyExt::boxed_unsync(StreamBody::new(stream::iter([Ok(data)]).chain(stream::pending()))),
        _ => http_body_util::Full::new(data.into_data().unwrap_or_default())
            .map_err(|never: Infallible| match never {})
            .boxed_unsync(),
    };
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(body).unwrap())
}
