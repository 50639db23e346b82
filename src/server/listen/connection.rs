//! One connection: what it is doing, since when, and when that is too long.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{HEADER_BYTES_MIN, Limits, request::Requests};

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has come yet.
    Fresh,
    /// A request's head is coming.
    Head,
    /// The handler works on a request.
    Busy,
    /// The handler waits for more of the request's body.
    Body,
    /// An answer is being sent.
    Responding,
    /// The last request is answered, the next has not begun.
    Idle,
}

/// What all parts of one connection know about it. The lock is never held across a wait.
pub(super) struct Watch {
    pub(super) limits: Limits,
    state: Mutex<State>,
    evicted: Notify,
}

struct State {
    phase: Phase,
    since: Instant,
    /// Since when the client has not taken what we have to send.
    stalled_since: Option<Instant>,
}

impl Watch {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::new(State {
                phase: Phase::Fresh,
                since: Instant::now(),
                stalled_since: None,
            }),
            evicted: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned state is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves to `phase`; staying in a phase does not restart its time.
    pub(super) fn enter(&self, phase: Phase) {
        let mut state = self.state();
        if state.phase != phase {
            state.phase = phase;
            state.since = Instant::now();
        }
    }

    /// Moves from one phase to another; does nothing in any other phase.
    pub(super) fn change(&self, from: Phase, to: Phase) {
        let mut state = self.state();
        if state.phase == from {
            state.phase = to;
            state.since = Instant::now();
        }
    }

    /// When the wait for the next piece of the body is too long; `None` while nobody waits for one.
    pub(super) fn body_deadline(&self) -> Option<Instant> {
        let state = self.state();
        (state.phase == Phase::Body).then(|| state.since + self.limits.body_idle_timeout)
    }

    fn is_fresh(&self) -> bool {
        self.state().phase == Phase::Fresh
    }

    /// Bytes came in: where none were due, they begin a request.
    fn note_read(&self) {
        let mut state = self.state();
        match state.phase {
            // The time of a first head runs from the connection on.
            Phase::Fresh => state.phase = Phase::Head,
            Phase::Idle => {
                state.phase = Phase::Head;
                state.since = Instant::now();
            }
            _ => {}
        }
    }

    fn note_write(&self, is_stalled: bool) {
        let mut state = self.state();
        state.stalled_since = is_stalled.then(|| state.stalled_since.unwrap_or_else(Instant::now));
    }

    /// When the connection is to be closed; time inside a request is watched where the request is answered.
    fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        let patience: Option<Duration> = match state.phase {
            Phase::Fresh | Phase::Head => Some(self.limits.header_timeout),
            Phase::Idle => Some(self.limits.keep_alive_timeout),
            Phase::Busy | Phase::Body | Phase::Responding => None,
        };
        let phase_end = patience.map(|patience| state.since + patience);
        let stall_end = state.stalled_since.map(|since| since + self.limits.write_stall_timeout);
        phase_end.into_iter().chain(stall_end).min()
    }

    /// Since when we have been waiting for the client; `None` while it waits for us.
    fn waiting_since(&self) -> Option<Instant> {
        let state = self.state();
        match state.phase {
            Phase::Fresh | Phase::Head | Phase::Body | Phase::Idle => Some(state.since),
            Phase::Busy | Phase::Responding => state.stalled_since,
        }
    }
}

/// All open connections, so that the slowest can be found.
#[derive(Default)]
pub(super) struct Registry {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, Arc<Watch>>,
}

/// A connection's place in the registry, given up when dropped.
pub(super) struct Entry {
    registry: Arc<Registry>,
    number: u64,
}

impl Registry {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(self: &Arc<Self>, watch: Arc<Watch>) -> Entry {
        let mut open = self.open();
        let number = open.next;
        open.next = number.wrapping_add(1);
        open.connections.insert(number, watch);
        Entry {
            registry: Arc::clone(self),
            number,
        }
    }

    /// Closes connections that have kept us waiting for longer than `patience`: the slowest, one in thirty-two of all.
    /// Newcomers come in crowds, and looking through everybody for each of them would cost more than serving them.
    pub(super) fn evict_slowest(&self, patience: Duration) {
        let open = self.open();
        let mut waiting: Vec<(Instant, &Watch)> = open
            .connections
            .values()
            .filter_map(|watch| Some((watch.waiting_since()?, &**watch)))
            .filter(|(since, _)| since.elapsed() > patience)
            .collect();
        waiting.sort_unstable_by_key(|(since, _)| *since);
        for (_, watch) in waiting.iter().take(open.connections.len().div_ceil(32)) {
            watch.evicted.notify_one();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.open().connections.remove(&self.number);
    }
}

/// Serves one connection until it ends, its time is up, its place is taken, or `shutdown` and its request is answered.
pub(super) async fn run(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    watch: Arc<Watch>,
    shutdown: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot switch off the delay of small packets");
    }
    let io = TokioIo::new(Watched {
        stream,
        watch: Arc::clone(&watch),
    });
    let service = Requests {
        router,
        peer,
        watch: Arc::clone(&watch),
    };
    // No timer of hyper: its header time-out also runs while a kept-alive connection is idle, ours tells them apart.
    let http = http1::Builder::new()
        .max_buf_size(watch.limits.header_bytes_max.max(HEADER_BYTES_MIN))
        .max_headers(watch.limits.headers_max)
        .serve_connection(io, service);
    let mut http = pin!(http);
    let ended = tokio::select! {
        ended = in_time(http.as_mut(), &watch) => Some(ended),
        () = watch.evicted.notified() => Some(Ended::Evicted),
        () = shutdown.cancelled() => watch.is_fresh().then_some(Ended::ByPeer),
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        http.as_mut().graceful_shutdown();
        in_time(http, &watch).await
    };
    tracing::debug!(%peer, ?ended, "connection closed");
}

/// How a connection ended, for the log.
#[derive(Debug)]
enum Ended {
    ByPeer,
    TooSlow,
    Evicted,
    #[expect(dead_code, reason = "read by Debug, in the log")]
    Broken(hyper::Error),
}

/// Runs `http` for as long as its deadlines allow. They only move while it runs, so one alarm is enough.
async fn in_time<F>(mut http: Pin<&mut F>, watch: &Watch) -> Ended
where
    F: Future<Output = Result<(), hyper::Error>>,
{
    let mut alarm = pin!(sleep_until(Instant::now()));
    poll_fn(|context| {
        if let Poll::Ready(ended) = http.as_mut().poll(context) {
            return Poll::Ready(ended.map_or_else(Ended::Broken, |()| Ended::ByPeer));
        }
        let Some(deadline) = watch.deadline() else {
            return Poll::Pending;
        };
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(context).map(|()| Ended::TooSlow)
    })
    .await
}

/// A stream that tells its watch what happens on it.
struct Watched {
    stream: TcpStream,
    watch: Arc<Watch>,
}

impl Watched {
    fn noted<T>(&self, written: Poll<T>) -> Poll<T> {
        self.watch.note_write(written.is_pending());
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.watch.note_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
