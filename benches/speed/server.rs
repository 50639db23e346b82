//! The other companies' systems, as cheap as they can be: two lists of ready-made records behind one small HTTP server
//! on a thread of its own, so that what is measured is the reader and not the read.
//!
//! ```text
//! GET   /l/items?offset=0&limit=1000        a page          GET   /l/items/7          one record
//! POST  /r/items                            one record      PATCH /r/items/R7         changes
//! POST  /r/items/batch {"items":[…]}        many records
//! ```

use std::{
    collections::HashMap,
    io::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{generated::Generated, load, record};

/// Both systems. Clones are the same.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    left: Mutex<Records>,
    right: Mutex<Records>,
    /// Where the right record with a key is.
    keys: Mutex<HashMap<String, usize>>,
    requests: AtomicU64,
    delay_ms: AtomicU64,
    /// When the record with this number was written last, for whoever waits for it.
    writes: Mutex<Vec<(usize, Instant)>>,
}

/// The records of one side.
enum Records {
    /// Ready-made.
    Kept(Vec<Bytes>),
    /// Made when they are asked for.
    Generated(Generated),
}

impl Records {
    fn len(&self) -> usize {
        match self {
            Self::Kept(records) => records.len(),
            Self::Generated(generated) => generated.len(),
        }
    }

    /// The record with this number.
    fn get(&self, number: usize) -> Option<Bytes> {
        match self {
            Self::Kept(records) => records.get(number.wrapping_sub(1)).cloned(),
            Self::Generated(generated) => generated.get(number),
        }
    }

    fn put(&mut self, number: usize, record: Bytes) -> Result<()> {
        match self {
            Self::Kept(records) => *records.get_mut(number.wrapping_sub(1)).context("no such record")? = record,
            Self::Generated(generated) => generated.patch(number, record),
        }
        Ok(())
    }

    fn next(&self) -> usize {
        match self {
            Self::Kept(records) => records.len() + 1,
            Self::Generated(generated) => generated.next(),
        }
    }

    fn push(&mut self, record: Bytes) {
        match self {
            Self::Kept(records) => records.push(record),
            Self::Generated(generated) => generated.push(record),
        }
    }

    /// Appends the record at this place of the listing.
    fn append(&self, place: usize, out: &mut Vec<u8>) {
        match self {
            Self::Kept(records) => out.extend_from_slice(records.get(place).map_or(b"", |record| record)),
            Self::Generated(generated) => generated.append(place, out),
        }
    }
}

impl Server {
    /// Starts it with `left` records on the left and the first `right` of them on the right.
    pub fn start(left: usize, right: usize) -> Result<Self> {
        let left = Records::Kept((1..=left).map(record::left).collect());
        let server = Self::serving(left, Records::Kept(Vec::new()))?;
        server.reset_right(right);
        Ok(server)
    }

    /// Starts it with so many pairs that are made when they are asked for.
    pub fn generating(pairs: usize) -> Result<Self> {
        let side = |is_left| Records::Generated(Generated::new(is_left, pairs));
        Self::serving(side(true), side(false))
    }

    /// Forgets what was written to the right.
    pub fn regenerate(&self, pairs: usize) {
        *lock(&self.shared.right) = Records::Generated(Generated::new(false, pairs));
    }

    fn serving(left: Records, right: Records) -> Result<Self> {
        let shared = Arc::new(Shared {
            left: Mutex::new(left),
            right: Mutex::new(right),
            keys: Mutex::default(),
            requests: AtomicU64::new(0),
            delay_ms: AtomicU64::new(0),
            writes: Mutex::default(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let served = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("systems".to_owned())
            .spawn(move || serve(listener, &served))?;
        Ok(Self { shared, address })
    }

    /// Where it listens, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every answer waits so long: the way there and back.
    pub fn set_delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.shared.delay_ms.store(millis, Ordering::Relaxed);
    }

    /// Requests answered since the last question.
    pub fn take_requests(&self) -> u64 {
        self.shared.requests.swap(0, Ordering::Relaxed)
    }

    /// Leaves the first `count` records on the right.
    pub fn reset_right(&self, count: usize) {
        *lock(&self.shared.keys) = (1..=count).map(|number| (record::key(number), number - 1)).collect();
        *lock(&self.shared.right) = Records::Kept((1..=count).map(record::right).collect());
    }

    /// Somebody edits a record on the left.
    pub fn edit_left(&self, number: usize, version: usize) {
        // A record that is not there is not edited.
        drop(lock(&self.shared.left).put(number, record::left_edited(number, version)));
    }

    /// The writes since the last question: which record, and when.
    pub fn take_writes(&self) -> Vec<(usize, Instant)> {
        std::mem::take(&mut *lock(&self.shared.writes))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(listener: std::net::TcpListener, shared: &Arc<Shared>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime for the systems");
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).expect("the socket of the systems");
        while let Ok((stream, _)) = listener.accept().await {
            let shared = Arc::clone(shared);
            // A client that breaks off is its own affair.
            tokio::spawn(async move { drop(connection(stream, &shared).await) });
        }
    });
}

async fn connection(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::with_capacity(64 << 10);
    let mut output = Vec::with_capacity(64 << 10);
    loop {
        let head = loop {
            if let Some(end) = load::find(&input, b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        };
        let request = Request::read(input.get(..head).unwrap_or_default())?;
        while input.len() < head + request.length {
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        }
        let delay = shared.delay_ms.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        output.clear();
        shared.requests.fetch_add(1, Ordering::Relaxed);
        let body = input.get(head..head + request.length).unwrap_or_default();
        answer(shared, &request, body, &mut output)?;
        input.drain(..head + request.length);
        stream.write_all(&output).await?;
    }
}

struct Request {
    method: Vec<u8>,
    path: String,
    query: String,
    length: usize,
}

impl Request {
    fn read(head: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(head)?;
        let mut lines = text.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = words.next().zip(words.next()).context("no request line")?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut length = 0;
        for line in lines {
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        }
        Ok(Self {
            method: method.as_bytes().to_vec(),
            path: path.to_owned(),
            query: query.to_owned(),
            length,
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.text(name)?.parse().ok()
    }
}

fn answer(shared: &Shared, request: &Request, body: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let (side, rest) = request.path.split_at_checked(2).context("no side")?;
    let is_left = side == "/l";
    let records = if is_left { &shared.left } else { &shared.right };
    match (
        request.method.as_slice(),
        rest.strip_prefix("/items").unwrap_or_default(),
    ) {
        (b"GET", "") => match request.text("Key") {
            Some(key) => {
                let index = lock(&shared.keys).get(key).copied().unwrap_or(usize::MAX - 1);
                listed(&lock(records), index..index + 1, 1, out);
            }
            None => page(&lock(records), request, out),
        },
        (b"GET", id) => match lock(records).get(record::number(id.trim_start_matches('/'))?) {
            Some(found) => respond(out, 200, &[&found]),
            None => respond(out, 404, &[br#"{"message":"there is no such record"}"#]),
        },
        (b"POST", "") => {
            let made = make(shared, &mut lock(records), body);
            respond(out, 201, &[&made.1]);
        }
        (b"POST", "/batch") => batch(shared, &mut lock(records), body, out)?,
        (b"PATCH", id) => {
            let number = record::number(id.trim_start_matches('/'))?;
            lock(&shared.writes).push((number, Instant::now()));
            let mut records = lock(records);
            let patched = record::patched(&records.get(number).context("no such record")?, body)?;
            records.put(number, patched.clone())?;
            respond(out, 200, &[&patched]);
        }
        (method, path) => bail!("{} {path} is not known here", String::from_utf8_lossy(method)),
    }
    Ok(())
}

fn page(records: &Records, request: &Request, out: &mut Vec<u8>) {
    let offset = request.number("offset").unwrap_or(0);
    let limit = request.number("limit").unwrap_or(1_000);
    listed(records, offset..offset.saturating_add(limit), records.len(), out);
}

fn listed(records: &Records, places: std::ops::Range<usize>, total: usize, out: &mut Vec<u8>) {
    // The length stands before the body, in a place that is wide enough for any.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    out.extend_from_slice(head.as_bytes());
    let length_at = out.len();
    out.extend_from_slice(b"          \r\n\r\n");
    let body_at = out.len();
    out.extend_from_slice(br#"{"items":["#);
    for place in places.start..places.end.min(records.len()) {
        if place > places.start {
            out.push(b',');
        }
        records.append(place, out);
    }
    out.extend_from_slice(format!(r#"],"total":{total}}}"#).as_bytes());
    let length = format!("{:>10}", out.len() - body_at);
    if let Some(place) = out.get_mut(length_at..length_at + length.len()) {
        place.copy_from_slice(length.as_bytes());
    }
}

/// Keeps a new record; its id and what it is now.
fn make(shared: &Shared, records: &mut Records, body: &[u8]) -> (String, Bytes) {
    let number = records.next();
    if let Some(key) = record::key_in(body) {
        lock(&shared.keys).insert(key.to_owned(), number - 1);
    }
    let id = format!("R{number}");
    let made = record::with_id(&id, body);
    records.push(made.clone());
    (id, made)
}

fn batch(shared: &Shared, records: &mut Records, body: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mut results = Vec::with_capacity(16 << 10);
    results.extend_from_slice(br#"{"results":["#);
    let items = record::items(body)?;
    for (index, item) in items.iter().enumerate() {
        let (id, _) = make(shared, records, item);
        let comma = if index == 0 { "" } else { "," };
        write!(
            results,
            r#"{comma}{{"index":{index},"status":201,"id":"{id}","version":1}}"#
        )?;
    }
    results.extend_from_slice(b"]}");
    respond(out, 200, &[&results]);
    Ok(())
}

fn respond(out: &mut Vec<u8>, status: u16, pieces: &[&[u8]]) {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    out.reserve(length + 128);
    let head = format!("HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    out.extend_from_slice(head.as_bytes());
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}
