//! A bad network between two of our parts: slow, cut, sliced, and losing answers after the request went through.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::sync::CancellationToken;

use super::rig::Chance;

/// What is wrong with the network. Shares are in percent, of the exchanges of a request and its answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Toxics {
    /// Each piece arrives this much later.
    pub latency: Duration,
    /// Pieces are at most this long.
    pub slice_bytes: Option<usize>,
    /// A piece of this length takes a second.
    pub bytes_per_second: Option<u64>,
    /// The connection is reset when the answer comes.
    pub reset_percent: u64,
    /// The request went through, and the answer never arrives: the connection ends without a word.
    pub drop_answer_percent: u64,
    /// The answer arrives in part, and nothing follows.
    pub half_answer_percent: u64,
    /// The connection ends before the request has gone through whole.
    pub cut_request_percent: u64,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Counts {
    pub resets: AtomicU64,
    pub answers_dropped: AtomicU64,
    pub answers_halved: AtomicU64,
    pub requests_cut: AtomicU64,
}

impl Counts {
    /// How often something went wrong.
    pub fn all(&self) -> u64 {
        [
            &self.resets,
            &self.answers_dropped,
            &self.answers_halved,
            &self.requests_cut,
        ]
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .sum()
    }
}

/// A running proxy; ends when dropped.
pub struct Proxy {
    pub address: String,
    pub counts: Arc<Counts>,
    shared: Arc<Shared>,
}

struct Shared {
    target: String,
    toxics: Mutex<Toxics>,
    chance: Mutex<Chance>,
    counts: Arc<Counts>,
    stopping: CancellationToken,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.cancel();
    }
}

impl Proxy {
    /// A proxy before `target` (`host:port`) that draws by `seed`.
    pub async fn start(target: &str, seed: u64, toxics: Toxics) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let counts = Arc::new(Counts::default());
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            toxics: Mutex::new(toxics),
            chance: Mutex::new(Chance::new(seed)),
            counts: Arc::clone(&counts),
            stopping: CancellationToken::new(),
        });
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            counts,
            shared,
        }
    }

    /// Changes what is wrong; open connections follow.
    pub fn set(&self, toxics: Toxics) {
        *self.shared.toxics.lock().unwrap() = toxics;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stopping.cancelled() => return,
        };
        if let Ok((client, _)) = accepted {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                tokio::select! {
                    // A connection that ends badly is what this is for.
                    _ = carry(client, &shared) => {}
                    () = shared.stopping.cancelled() => {}
                }
            });
        }
    }
}

/// What happens to the answer of one exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    Reset,
    Dropped,
    Halved,
}

impl Shared {
    fn toxics(&self) -> Toxics {
        *self.toxics.lock().unwrap()
    }

    fn is_request_cut(&self) -> bool {
        let share = self.toxics().cut_request_percent;
        let is_cut = self.chance.lock().unwrap().percent(share);
        self.counts.requests_cut.fetch_add(u64::from(is_cut), Ordering::Relaxed);
        is_cut
    }

    fn fate(&self) -> Fate {
        let toxics = self.toxics();
        let drawn = self.chance.lock().unwrap().below(100);
        let mut end = 0;
        for (share, count, fate) in [
            (toxics.reset_percent, &self.counts.resets, Fate::Reset),
            (toxics.drop_answer_percent, &self.counts.answers_dropped, Fate::Dropped),
            (toxics.half_answer_percent, &self.counts.answers_halved, Fate::Halved),
        ] {
            end += share;
            if drawn < end {
                count.fetch_add(1, Ordering::Relaxed);
                return fate;
            }
        }
        Fate::Arrives
    }

    /// Passes a piece on, late and sliced.
    async fn pass(&self, piece: &[u8], to: &mut OwnedWriteHalf) -> io::Result<()> {
        let toxics = self.toxics();
        if !toxics.latency.is_zero() {
            tokio::time::sleep(toxics.latency).await;
        }
        for slice in piece.chunks(toxics.slice_bytes.unwrap_or(piece.len()).max(1)) {
            if let Some(rate) = toxics.bytes_per_second {
                tokio::time::sleep(Duration::from_micros(slice.len() as u64 * 1_000_000 / rate.max(1))).await;
            }
            to.write_all(slice).await?;
            to.flush().await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

async fn carry(client: TcpStream, shared: &Shared) -> io::Result<()> {
    let server = TcpStream::connect(&shared.target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    // A request has gone out whose answer has not begun.
    let is_asked = AtomicBool::new(false);
    let reset = {
        tokio::select! {
            ended = ask(shared, from_client, &mut to_server, &is_asked) => {
                ended?;
                false
            }
            is_reset = answer(shared, from_server, &mut to_client, &is_asked) => is_reset?,
        }
    };
    if reset {
        // Not by a proper end, but by RST.
        to_client.as_ref().set_zero_linger()?;
    }
    Ok(())
}

async fn ask(
    shared: &Shared,
    mut client: OwnedReadHalf,
    to_server: &mut OwnedWriteHalf,
    is_asked: &AtomicBool,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let length = client.read(&mut bytes).await?;
        if length == 0 {
            return to_server.shutdown().await;
        }
        if !is_asked.load(Ordering::Acquire) && shared.is_request_cut() {
            return to_server.write_all(&bytes[..length / 2]).await;
        }
        is_asked.store(true, Ordering::Release);
        shared.pass(&bytes[..length], to_server).await?;
    }
}

/// Carries answers back; says whether the connection is to be reset.
async fn answer(
    shared: &Shared,
    mut server: OwnedReadHalf,
    to_client: &mut OwnedWriteHalf,
    is_asked: &AtomicBool,
) -> io::Result<bool> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let length = server.read(&mut bytes).await?;
        if length == 0 {
            to_client.shutdown().await?;
            return Ok(false);
        }
        if is_asked.swap(false, Ordering::AcqRel) {
            match shared.fate() {
                Fate::Arrives => {}
                Fate::Reset => return Ok(true),
                Fate::Dropped => return Ok(false),
                Fate::Halved => {
                    to_client.write_all(&bytes[..length / 2]).await?;
                    return Ok(false);
                }
            }
        }
        shared.pass(&bytes[..length], to_client).await?;
    }
}
