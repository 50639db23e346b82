//! A sender of webhooks: keep-alive connections, each with one signed event of 1.5 KB after the other, on a thread of
//! its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::product::SECRET;

/// The size of one event's body.
const BODY_BYTES: usize = 1_500;

/// Makes signed requests. What all bodies begin with is hashed once.
#[derive(Clone)]
pub struct Sender {
    address: String,
    prefix: Arc<Vec<u8>>,
    mac: Hmac<Sha256>,
    records: usize,
    next: Arc<AtomicUsize>,
}

/// What was seen of one load.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Requests answered a second.
    pub rate: f64,
    /// Half of the answers came within so long.
    pub p50: Duration,
    /// All but one of a hundred.
    pub p99: Duration,
    /// How many there were.
    pub count: usize,
}

impl Sender {
    /// Sends events about `records` records to `address`.
    pub fn new(address: String, records: usize) -> Result<Self> {
        let filler = BODY_BYTES.saturating_sub(190);
        let prefix = format!(
            r#"{{"source":"bench","events":[{{"entity":"item","type":"updated","data":"{}","#,
            "all work and no play ".chars().cycle().take(filler).collect::<String>(),
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).context("the secret")?;
        mac.update(prefix.as_bytes());
        Ok(Self {
            address,
            prefix: Arc::new(prefix.into_bytes()),
            mac,
            records,
            next: Arc::default(),
        })
    }

    /// Writes the next request about any record into `out`.
    fn next_request(&self, out: &mut Vec<u8>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // Neighbours in time are no neighbours in the tables.
        self.request(number, number.wrapping_mul(7_919) % self.records + 1, out);
    }

    /// Writes the request of event `number` about `record` into `out`.
    fn request(&self, number: usize, record: usize, out: &mut Vec<u8>) {
        let id = format!("evt-{:016x}", mixed(number as u64));
        let tail = format!(r#""time":"2026-03-01T10:00:00.000Z","record":"{record}","id":"{id}"}}]}}"#);
        let mut mac = self.mac.clone();
        mac.update(tail.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let length = self.prefix.len() + tail.len();
        out.clear();
        let head = format!(
            "POST /webhooks/left HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nx-event-id: {id}\r\n\
             x-signature: {signature}\r\ncontent-length: {length}\r\n\r\n",
            self.address
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(tail.as_bytes());
    }

    /// As fast as `connections` allow, for `time`.
    pub fn flood(&self, connections: usize, time: Duration) -> Result<Seen> {
        let sender = self.clone();
        on_own_thread(async move {
            let end = Instant::now() + time;
            let mut tasks = JoinSet::new();
            for _ in 0..connections {
                let sender = sender.clone();
                tasks.spawn(async move {
                    let mut connection = Connection::open(&sender.address).await?;
                    let mut took = Vec::with_capacity(4_096);
                    let mut request = Vec::with_capacity(2_048);
                    while Instant::now() < end {
                        sender.next_request(&mut request);
                        let sent = Instant::now();
                        connection.exchange(&request).await?;
                        took.push(sent.elapsed());
                    }
                    anyhow::Ok(took)
                });
            }
            let started = Instant::now();
            let mut took = Vec::new();
            while let Some(done) = tasks.join_next().await {
                took.extend(done??);
            }
            let seconds = started.elapsed().as_secs_f64();
            Ok(seen(took, seconds))
        })
    }

    /// `rate` events a second about the records 1, 2, 3 …, whether answers come or not: when each was sent.
    pub fn steady(
        &self,
        rate: usize,
        count: usize,
        before: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<Vec<Instant>> {
        let sent = self.at_rate(rate, count, 1_000_000_000, before)?;
        Ok(sent.into_iter().map(|(_, at, _)| at).collect())
    }

    /// As [`Self::steady`], with the numbers of the events from `first` on: number, when it was sent, how long its answer took.
    pub fn at_rate(
        &self,
        rate: usize,
        count: usize,
        first: usize,
        before: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<Vec<(usize, Instant, Duration)>> {
        const CONNECTIONS: usize = 16;
        let sender = self.clone();
        on_own_thread(async move {
            let mut tasks = JoinSet::new();
            let started = Instant::now();
            let before = Arc::new(before);
            for lane in 0..CONNECTIONS {
                let (sender, before) = (sender.clone(), Arc::clone(&before));
                tasks.spawn(async move {
                    let mut connection = Connection::open(&sender.address).await?;
                    let mut sent = Vec::new();
                    let mut request = Vec::with_capacity(2_048);
                    for number in (lane + 1..=count).step_by(CONNECTIONS) {
                        let due = started + Duration::from_secs_f64(number as f64 / rate as f64);
                        tokio::time::sleep_until(due.into()).await;
                        before(number);
                        sender.request(first + number, (number - 1) % sender.records + 1, &mut request);
                        let at = Instant::now();
                        connection.exchange(&request).await?;
                        sent.push((number, at, at.elapsed()));
                    }
                    anyhow::Ok(sent)
                });
            }
            let mut all = Vec::with_capacity(count);
            while let Some(done) = tasks.join_next().await {
                all.extend(done??);
            }
            all.sort_unstable_by_key(|(number, ..)| *number);
            Ok(all)
        })
    }
}

/// Where `needle` begins in `bytes`.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// Another number for each number, in no order: ids of events come in none (the finalizer of SplitMix64).
const fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What was seen of answers that took so long, within so many seconds.
pub fn seen(mut took: Vec<Duration>, seconds: f64) -> Seen {
    took.sort_unstable();
    Seen {
        rate: took.len() as f64 / seconds,
        p50: share_of(&took, 0.50),
        p99: share_of(&took, 0.99),
        count: took.len(),
    }
}

/// The value below which this share of sorted values lies.
pub fn share_of(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len() as f64 * share) as usize;
    sorted
        .get(index.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

fn on_own_thread<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let thread = std::thread::Builder::new().name("load".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work)
    })?;
    thread.join().map_err(|_| anyhow::anyhow!("the load broke off"))?
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            input: Vec::with_capacity(4_096),
        })
    }

    /// Sends a request and reads its answer, which has to be a good one.
    async fn exchange(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.input.clear();
        let head = loop {
            ensure!(self.stream.read_buf(&mut self.input).await? > 0, "the receiver hung up");
            if let Some(end) = find(&self.input, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(self.input.get(..head).unwrap_or_default())?;
        if !text.starts_with("HTTP/1.1 200") {
            bail!("the receiver answered {}", text.lines().next().unwrap_or_default());
        }
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        });
        let whole = head + length.unwrap_or(0_usize);
        while self.input.len() < whole {
            ensure!(self.stream.read_buf(&mut self.input).await? > 0, "the receiver hung up");
        }
        Ok(())
    }
}
