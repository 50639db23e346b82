//! Counts what one piece of work (a run, a change) sends, whatever system it goes to and however many others send as well.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

tokio::task_local! {
    static METER: Arc<Meter>;
}

/// Requests and received bytes of one piece of work.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Meter {
    /// Carries out `work` and counts what it sends.
    pub async fn measure<F: Future>(self: &Arc<Self>, work: F) -> F::Output {
        METER.scope(Arc::clone(self), work).await
    }

    /// Requests and received bytes since the last call.
    pub fn take(&self) -> (u64, u64) {
        (
            self.requests.swap(0, Ordering::Relaxed),
            self.bytes.swap(0, Ordering::Relaxed),
        )
    }
}

/// Counts one request, for whoever measures this task.
pub(super) fn count_request() {
    let _ = METER.try_with(|meter| meter.requests.fetch_add(1, Ordering::Relaxed));
}

/// Counts bytes received, for whoever measures this task.
pub(super) fn count_bytes(bytes: usize) {
    let _ = METER.try_with(|meter| meter.bytes.fetch_add(bytes as u64, Ordering::Relaxed));
}

/// Work for another task that is counted where this task is.
pub(super) fn carry<F: Future + Send>(work: F) -> impl Future<Output = F::Output> + Send {
    let meter = METER.try_with(Arc::clone).unwrap_or_default();
    METER.scope(meter, work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_counted_in_its_own_task_and_in_those_it_starts() {
        let meter = Arc::new(Meter::default());
        meter
            .measure(async {
                count_request();
                let other = tokio::spawn(carry(async {
                    count_request();
                    count_bytes(7);
                }));
                other.await.unwrap();
            })
            .await;
        count_request();
        assert_eq!(meter.take(), (2, 7));
        assert_eq!(meter.take(), (0, 0));
    }
}
