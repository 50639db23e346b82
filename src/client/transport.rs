//! One request, one answer: with the address guard, time-outs, and an end to every body.
//!
//! No redirect is followed, no cookie kept, no proxy of the environment used. Whether a failed request may have reached
//! the other side is told apart by [`SendError`], since a write must never be sent again blindly.

use std::{
    io::Write as _,
    sync::{Arc, OnceLock},
    time::Duration,
};

use flate2::write::MultiGzDecoder;
use reqwest::{
    Client, Response,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect,
};

use rustls_platform_verifier::{BuilderVerifierExt as _, ConfigVerifierExt as _};

use super::{
    auth::Identity,
    guard::{Policy, Refused, Resolver},
    script::Script,
    sql::Sql,
};
use crate::{
    core::connector::{form::Method, request::Call},
    seam::{self, Unanswered},
};

/// How long things may take and how much may come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until a connection stands, name look-up and TLS included.
    pub(super) connect: Duration,
    /// Between two pieces of an answer.
    pub(super) idle: Duration,
    /// The whole request.
    pub(super) total: Duration,
    /// Bytes of a body, both as sent and decoded.
    pub(super) body_bytes_max: u64,
}

/// The connections to one system.
#[derive(Debug)]
pub(super) struct Transport {
    way: Way,
    policy: Arc<Policy>,
    limits: Limits,
    /// Whether a certificate of ours is shown.
    shows_certificate: bool,
}

/// Where requests go.
#[derive(Debug)]
enum Way {
    Network(Client),
    Script(Arc<Script>),
    Database(Box<Sql>),
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// Decoded.
    pub(super) body: Vec<u8>,
}

impl Raw {
    /// Whether there is nothing in the body.
    pub(super) fn is_blank(&self) -> bool {
        self.body.trim_ascii().is_empty()
    }

    /// The first value of a header as text; bytes that are none are replaced.
    pub(super) fn header(&self, name: &HeaderName) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// The address may not be reached. Nothing was sent.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There was no connection. Nothing was sent.
    #[error("cannot connect: {reason}")]
    Connect { reason: String },
    /// One of the two sides does not accept the other's certificate. Nothing was sent.
    #[error("no trusted connection: {reason}")]
    Certificate { reason: String },
    /// The request cannot be spelled in HTTP. Nothing was sent.
    #[error("the request cannot be sent: {reason}")]
    Unsendable { reason: String },
    /// A table is not what the connector says, or not fit for what is asked. Nothing was done.
    #[error("{reason}")]
    Unfit { reason: String, next: String },
    /// The time was over after the request had been sent, wholly or in part.
    #[error("no complete answer in time")]
    TimedOut,
    /// The connection broke after the request had been sent, wholly or in part.
    #[error("the connection broke before the answer was complete: {reason}")]
    Broken { reason: String },
    /// The answer does not end.
    #[error("the answer has more than {max} bytes")]
    TooLarge { max: u64 },
    /// The answer says it is compressed and is broken.
    #[error("the answer is broken gzip")]
    Encoding,
}

impl SendError {
    /// Whether it is certain that the other side did not get the request.
    pub(super) const fn is_unsent(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::Connect { .. }
                | Self::Certificate { .. }
                | Self::Unsendable { .. }
                | Self::Unfit { .. }
        )
    }
}

/// Why there can be no connections at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unbuildable {
    /// The HTTP library refuses a setting (a broken proxy address, say).
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// This machine's root certificates cannot be used.
    #[error("the certificates that this machine trusts: {0}")]
    Roots(#[from] rustls::Error),
}

/// What `rustls` computes with, for every library that uses it. Several rooms may ask for it; the first one counts.
pub(super) fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// TLS as this machine trusts it. Its certificates are read once: with a hundred systems they would be most of the time
/// of a start.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    static CONFIG: OnceLock<Result<rustls::ClientConfig, rustls::Error>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            install_crypto();
            rustls::ClientConfig::with_platform_verifier()
        })
        .clone()
}

/// The same, showing a certificate of ours.
fn tls_showing(identity: Identity) -> Result<rustls::ClientConfig, rustls::Error> {
    install_crypto();
    rustls::ClientConfig::builder()
        .with_platform_verifier()?
        .with_client_auth_cert(identity.certificates, identity.key)
}

/// How much of an answer is read.
#[derive(Debug, Clone, Copy)]
enum Reading {
    All,
    Head,
}

/// Idle connections kept open to one system.
const IDLE_CONNECTIONS_MAX: usize = 16;

impl Transport {
    /// Connections under these rules, which show `identity` where there is one.
    pub(super) fn new(policy: Policy, limits: Limits, identity: Option<Identity>) -> Result<Self, Unbuildable> {
        let policy = Arc::new(policy);
        let shows_certificate = identity.is_some();
        let mut builder = Client::builder()
            .tls_backend_preconfigured(match identity {
                None => tls()?,
                Some(identity) => tls_showing(identity)?,
            })
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy()
            .dns_resolver(Resolver::new(policy.clone()))
            .connect_timeout(limits.connect)
            .read_timeout(limits.idle)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("Syncline/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &policy.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.clone())?);
        }
        Ok(Self {
            way: Way::Network(built(builder)?),
            policy,
            limits,
            shows_certificate,
        })
    }

    /// No connections: answers come from a script.
    pub(super) fn scripted(script: Arc<Script>, limits: Limits) -> Self {
        Self {
            way: Way::Script(script),
            policy: Arc::new(Policy::default()),
            limits,
            shows_certificate: false,
        }
    }

    /// No requests: a database answers.
    pub(super) fn database(sql: Sql, limits: Limits) -> Self {
        Self {
            way: Way::Database(Box::new(sql)),
            policy: Arc::new(Policy::default()),
            limits,
            shows_certificate: false,
        }
    }

    /// The database that answers, where there is one.
    pub(super) fn sql(&self) -> Option<&Sql> {
        match &self.way {
            Way::Database(sql) => Some(sql),
            Way::Network(_) | Way::Script(_) => None,
        }
    }

    /// Sends a call and reads the answer to its end. `is_login` says whether it signs in.
    pub(super) async fn send(&self, call: &Call, is_login: bool) -> Result<Raw, SendError> {
        match &self.way {
            Way::Script(script) => script.answer(call, is_login),
            Way::Database(sql) => sql.answer(call).await,
            Way::Network(http) => self.send_reading(http, call, Reading::All).await,
        }
    }

    /// Sends a call and reads no more than the head of the answer, whatever follows.
    pub(super) async fn send_for_head(&self, call: &Call) -> Result<Raw, SendError> {
        match &self.way {
            Way::Script(script) => script.answer(call, false),
            Way::Database(sql) => sql.answer(call).await,
            Way::Network(http) => self.send_reading(http, call, Reading::Head).await,
        }
    }

    async fn send_reading(&self, http: &Client, call: &Call, reading: Reading) -> Result<Raw, SendError> {
        self.policy.check_url(&call.url)?;
        let request = Self::request(call)?;
        let exchange = async {
            match seam::world() {
                Some(world) => self.exchange_within(&*world, request).await,
                None => self.exchange(http, request, reading).await,
            }
        };
        match tokio::time::timeout(self.limits.total, exchange).await {
            Ok(result) => result,
            Err(_) => Err(SendError::TimedOut),
        }
    }

    fn request(call: &Call) -> Result<reqwest::Request, SendError> {
        let unsendable = |what: &str, name: &str| SendError::Unsendable {
            reason: format!("{what} of header `{name}`"),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        // Decoded here and not by the HTTP library: some systems claim gzip for plain bodies, and its size has no end.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        for (name, value) in &call.headers {
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable("name", name))?;
            let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| unsendable("value", name))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let mut request = reqwest::Request::new(method(call.method), call.url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = call.body.clone().map(Into::into);
        Ok(request)
    }

    async fn exchange(&self, http: &Client, request: reqwest::Request, reading: Reading) -> Result<Raw, SendError> {
        let mut response = http.execute(request).await.map_err(|error| self.unanswered(&error))?;
        if let (Some(peer), None) = (response.remote_addr(), &self.policy.proxy) {
            self.policy.check_address("the peer", peer.ip())?;
        }
        let body = match reading {
            Reading::All => self.body(&mut response).await?,
            Reading::Head => Vec::new(),
        };
        Ok(Raw {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }

    /// Why a request has no answer. In TLS 1.3 a certificate of ours is refused when the connection stands already, and the
    /// reason may be read, and lost, before the request is taken up.
    fn unanswered(&self, error: &reqwest::Error) -> SendError {
        match explain(error) {
            SendError::Connect { reason } if self.shows_certificate && is_untaken(error) => SendError::Certificate {
                reason: format!("{reason}, as one does that refuses our certificate"),
            },
            other => other,
        }
    }

    /// The same in a simulated world.
    async fn exchange_within(&self, world: &dyn seam::World, request: reqwest::Request) -> Result<Raw, SendError> {
        let headers = request.headers().iter();
        let sent = seam::Request {
            method: spelled(request.method()),
            url: request.url().to_string(),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            body: request
                .body()
                .and_then(reqwest::Body::as_bytes)
                .unwrap_or_default()
                .to_vec(),
        };
        let answer = world.exchange(sent).await.map_err(|why| match why {
            Unanswered::NotSent => SendError::Connect {
                reason: "no connection".to_owned(),
            },
            Unanswered::Broken => SendError::Broken {
                reason: "connection reset".to_owned(),
            },
        })?;
        let mut headers = HeaderMap::new();
        for (name, value) in &answer.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        let max = self.limits.body_bytes_max;
        Ok(Raw {
            status: answer.status,
            headers,
            body: Body::Undecided(Vec::new()).write(&answer.body, max)?.finish()?,
        })
    }

    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, SendError> {
        let max = self.limits.body_bytes_max;
        if response.content_length().is_some_and(|length| length > max) {
            return Err(SendError::TooLarge { max });
        }
        let mut body = Body::Undecided(Vec::new());
        let mut received: u64 = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
            received = received.saturating_add(chunk.len() as u64);
            if received > max {
                return Err(SendError::TooLarge { max });
            }
            body = body.write(&chunk, max)?;
        }
        body.finish()
    }
}

/// The connections that were described. A simulated world needs none: there they are made once, since reading the system's
/// certificates takes longer than all the rest of a start.
fn built(builder: reqwest::ClientBuilder) -> Result<Client, reqwest::Error> {
    static UNUSED: OnceLock<Client> = OnceLock::new();
    if !seam::is_simulated() {
        return builder.build();
    }
    if let Some(unused) = UNUSED.get() {
        return Ok(unused.clone());
    }
    let unused = builder.build()?;
    Ok(UNUSED.get_or_init(|| unused).clone())
}

/// The first bytes of gzip (RFC 1952). No JSON, XML or HTML starts with them, so no header has to be believed.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// A body on its way in.
enum Body {
    /// Too short so far to tell.
    Undecided(Vec<u8>),
    Plain(Vec<u8>),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

impl Body {
    fn write(self, chunk: &[u8], max: u64) -> Result<Self, SendError> {
        match self {
            Self::Undecided(mut start) => {
                start.extend_from_slice(chunk);
                if start.len() < GZIP_MAGIC.len() {
                    return Ok(Self::Undecided(start));
                }
                if !start.starts_with(GZIP_MAGIC) {
                    return Ok(Self::Plain(start));
                }
                let decoder = MultiGzDecoder::new(Capped {
                    bytes: Vec::new(),
                    max,
                    is_full: false,
                });
                Self::Gzip(Box::new(decoder)).write(&start, max)
            }
            Self::Plain(mut bytes) => {
                bytes.extend_from_slice(chunk);
                Ok(Self::Plain(bytes))
            }
            Self::Gzip(mut decoder) => {
                let written = decoder.write_all(chunk);
                gzip_error(written, &decoder)?;
                Ok(Self::Gzip(decoder))
            }
        }
    }

    fn finish(self) -> Result<Vec<u8>, SendError> {
        match self {
            Self::Undecided(bytes) | Self::Plain(bytes) => Ok(bytes),
            Self::Gzip(mut decoder) => {
                let finished = decoder.try_finish();
                gzip_error(finished, &decoder)?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes))
            }
        }
    }
}

fn gzip_error(result: std::io::Result<()>, decoder: &MultiGzDecoder<Capped>) -> Result<(), SendError> {
    let sink = decoder.get_ref();
    result.map_err(|_| {
        if sink.is_full {
            SendError::TooLarge { max: sink.max }
        } else {
            SendError::Encoding
        }
    })
}

/// Takes bytes up to a maximum.
struct Capped {
    bytes: Vec<u8>,
    max: u64,
    is_full: bool,
}

impl std::io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if (self.bytes.len() as u64).saturating_add(bytes.len() as u64) > self.max {
            self.is_full = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

const fn spelled(method: &reqwest::Method) -> &'static str {
    match *method {
        reqwest::Method::POST => "POST",
        reqwest::Method::PUT => "PUT",
        reqwest::Method::PATCH => "PATCH",
        reqwest::Method::DELETE => "DELETE",
        _ => "GET",
    }
}

/// Tells what happened, without the URL: a query string may hold a secret.
fn explain(error: &reqwest::Error) -> SendError {
    let mut deepest: &dyn std::error::Error = error;
    let mut is_about_a_certificate = false;
    while let Some(source) = deepest.source() {
        is_about_a_certificate |= is_certificate_error(source);
        if let Some(refused) = source.downcast_ref::<Refused>() {
            return refused.clone().into();
        }
        deepest = source;
    }
    let is_reqwest = deepest.is::<reqwest::Error>();
    let reason = if is_reqwest {
        "no reason given".to_owned()
    } else {
        deepest.to_string()
    };
    let reason = reason.chars().filter(|c| !c.is_control()).take(200).collect();
    if error.is_builder() {
        SendError::Unsendable { reason }
    } else if is_about_a_certificate {
        SendError::Certificate { reason }
    } else if is_untaken(error) {
        SendError::Connect {
            reason: "the other side closed the connection before the request was sent".to_owned(),
        }
    } else if error.is_connect() {
        let reason = if error.is_timeout() {
            "no connection in time".to_owned()
        } else {
            reason
        };
        SendError::Connect { reason }
    } else if error.is_timeout() {
        SendError::TimedOut
    } else {
        SendError::Broken { reason }
    }
}

/// Whether the connection closed before it took the request up: not a byte of it was sent.
fn is_untaken(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_canceled)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether an error of the connection is about one side's certificate: ours may be refused after the request was
/// sent, but then nobody has read it.
fn is_certificate_error(error: &(dyn std::error::Error + 'static)) -> bool {
    use rustls::{AlertDescription as Alert, Error};
    // An error of input and output hides what it is made of from `source`.
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    if let Some(inner) = inner
        && is_certificate_error(inner)
    {
        return true;
    }
    matches!(
        error.downcast_ref::<Error>(),
        Some(
            Error::InvalidCertificate(_)
                | Error::AlertReceived(
                    Alert::BadCertificate
                        | Alert::UnsupportedCertificate
                        | Alert::CertificateRevoked
                        | Alert::CertificateExpired
                        | Alert::CertificateUnknown
                        | Alert::UnknownCA
                        | Alert::CertificateRequired
                )
        )
    )
}
