//! The accept loop: a router on a listening socket, with a limit to everybody's patience.
//!
//! `axum::serve` waits for ever for the rest of a request. Here every state in which a connection waits for its client
//! has an end, and so has the number of connections:
//!
//! ```text
//! fresh ─bytes─▶ head ─complete─▶ busy ◀─▶ body      one request at a time
//!                 ▲                 │
//!                 └─bytes─ idle ◀── responding
//! ```
//!
//! When all connections are taken, those that have kept us waiting the longest make room for newcomers. A client that is
//! being served never loses its place, so slow clients cost themselves and nobody else.

mod connection;
mod request;

#[cfg(test)]
mod tests;

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use connection::{Registry, Watch};

/// What a client may ask of the listener. A duration is how long we wait, a `*_max` the most we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a request (from the connection, for the first one) to the end of its head: 10 s.
    pub header_timeout: Duration,
    /// Between two pieces of a request's body: 10 s. The answer is 408.
    pub body_idle_timeout: Duration,
    /// From the end of a request's head to the start of the answer: 30 s. The answer is 408 if the body is not
    /// complete by then, 503 if it is. The length of an answer is not limited.
    pub request_timeout: Duration,
    /// From one answer to the next request on the same connection: 60 s.
    pub keep_alive_timeout: Duration,
    /// While the client takes nothing of an answer that is ready: 30 s.
    pub write_stall_timeout: Duration,
    /// For requests that are under way at shutdown: 25 s. After that they are cut off.
    pub shutdown_grace: Duration,
    /// Open connections: 1,024.
    pub connections_max: usize,
    /// Bytes of a request's head: 16 KiB, never less than 8 KiB. The answer is 431.
    pub header_bytes_max: usize,
    /// Headers of a request: 100. The answer is 431.
    pub headers_max: usize,
    /// Bytes of a request's body: 1 MiB. The answer is 413.
    pub body_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_idle_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_mins(1),
            write_stall_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(25),
            connections_max: 1_024,
            header_bytes_max: 16 * 1_024,
            headers_max: 100,
            body_bytes_max: 1_024 * 1_024,
        }
    }
}

/// The smallest head buffer that hyper works with.
const HEADER_BYTES_MIN: usize = 8 * 1_024;
/// How long a client may keep us waiting before a newcomer may take its place; also how often a newcomer looks again.
const EVICTION_PATIENCE: Duration = Duration::from_millis(100);
/// The pause after the first failed accept; it doubles with each further one.
const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest pause after a failed accept.
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Serves `router` on `listener` until `shutdown`, then lets requests under way finish within the grace period.
///
/// A handler finds the address of its client as [`axum::extract::ConnectInfo`]`<SocketAddr>`. No failed accept ends the
/// loop: running out of file descriptors passes, and the pauses in between keep it from spinning. Newcomers queue in the
/// kernel: bind `listener` with a long backlog (4,096), as an overflow costs a good client a second.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let slots = Slots {
        free: Arc::new(Semaphore::new(limits.connections_max.clamp(1, Semaphore::MAX_PERMITS))),
        registry: Arc::default(),
    };
    let mut connections = JoinSet::new();
    let mut failures = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => {
                log_panic(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                failures = 0;
                let Some(slot) = shutdown.run_until_cancelled(slots.take()).await else {
                    break;
                };
                let watch = Arc::new(Watch::new(limits));
                let entry = slots.registry.enter(Arc::clone(&watch));
                let connection = connection::run(stream, peer, router.clone(), watch, shutdown.clone());
                connections.spawn(async move {
                    connection.await;
                    drop((entry, slot));
                });
            }
            Err(error) => {
                let Some(pause) = pause_after(error.kind(), failures) else {
                    continue;
                };
                tracing::warn!(%error, "cannot accept connections");
                failures = failures.saturating_add(1);
                shutdown.run_until_cancelled(sleep(pause)).await;
            }
        }
    }
    drop(listener);
    finish(connections, limits.shutdown_grace).await;
    Ok(())
}

/// The places for connections, and who sits in them.
struct Slots {
    free: Arc<Semaphore>,
    registry: Arc<Registry>,
}

impl Slots {
    /// Waits for a place; while there is none, the slowest clients have to give way.
    async fn take(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() {
                return slot;
            }
            self.registry.evict_slowest(EVICTION_PATIENCE);
            if let Ok(Ok(slot)) = timeout(EVICTION_PATIENCE, Arc::clone(&self.free).acquire_owned()).await {
                return slot;
            }
        }
    }
}

/// How long to wait before the next accept; `None` if it was one client's failure and not ours.
fn pause_after(error: io::ErrorKind, failures: u32) -> Option<Duration> {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    match error {
        ConnectionAborted | ConnectionRefused | ConnectionReset => None,
        _ => Some(
            ACCEPT_PAUSE_MIN
                .saturating_mul(1 << failures.min(16))
                .min(ACCEPT_PAUSE_MAX),
        ),
    }
}

async fn finish(mut connections: JoinSet<()>, grace: Duration) {
    let all_ended = timeout(grace, async {
        while let Some(ended) = connections.join_next().await {
            log_panic(ended);
        }
    });
    if all_ended.await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests outlived the grace period and were cut off"
        );
        connections.shutdown().await;
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a request handler panicked");
    }
}
