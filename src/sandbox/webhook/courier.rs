//! Carries the events of one subscription: makes messages of them, sends, retries, gives up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Delivering, Event, Outcome, Parcel, Shared, Subscription};
use crate::sandbox::fault::Fault;
use crate::sandbox::outbound::Reply;

/// How long an event that is to come after the next one waits for one.
const REORDER_WAIT: Duration = Duration::from_secs(1);

/// Takes events until the system stops.
pub(super) async fn run(shared: Arc<Shared>, to: Arc<Subscription>, inbox: mpsc::UnboundedReceiver<Parcel>) {
    let stopping = shared.stopping.clone();
    let lanes = Arc::new(Semaphore::new(shared.delivering.concurrency.max(1)));
    let mut queue = Queue {
        inbox,
        ahead: None,
        held: None,
    };
    let work = async {
        while let Some(first) = queue.first().await {
            // While all lanes are busy, events gather behind this one and travel with it. A lane is never held while
            // waiting for an event: retries and delayed messages need one too.
            let Ok(lane) = Arc::clone(&lanes).acquire_owned().await else {
                return;
            };
            let batch = queue.gather(first, shared.dialect.batch_max);
            send(&shared, &to, &lanes, lane, batch);
        }
    };
    tokio::select! {
        () = stopping.cancelled() => {}
        () = work => {}
    }
}

/// The waiting events, with one that may be held back for reordering.
struct Queue {
    inbox: mpsc::UnboundedReceiver<Parcel>,
    /// Taken from the inbox but not fit for the batch before it.
    ahead: Option<Parcel>,
    held: Option<Parcel>,
}

impl Queue {
    /// The events that travel with `first`.
    fn gather(&mut self, first: Parcel, batch_max: usize) -> Vec<Parcel> {
        let mut batch = vec![first];
        while batch.len() < batch_max && batch.iter().all(|parcel| parcel.fault.is_none()) {
            let Some(parcel) = self.ahead.take().or_else(|| self.inbox.try_recv().ok()) else {
                break;
            };
            if parcel.fault.is_some() {
                self.ahead = Some(parcel);
                break;
            }
            batch.push(parcel);
        }
        batch
    }

    /// Waits for the next event; none when no more can come.
    async fn first(&mut self) -> Option<Parcel> {
        loop {
            let parcel = match self.ahead.take() {
                Some(parcel) => parcel,
                None if self.held.is_some() => match tokio::time::timeout(REORDER_WAIT, self.inbox.recv()).await {
                    Ok(Some(parcel)) => parcel,
                    Ok(None) | Err(_) => return self.held.take(),
                },
                None => self.inbox.recv().await?,
            };
            if parcel.fault == Some(Fault::ReorderWebhook) && self.held.is_none() {
                self.held = Some(parcel);
                continue;
            }
            // The one held back follows this one, in a message of its own.
            if let Some(mut held) = self.held.take() {
                held.fault = Some(Fault::DelayWebhook { ms: 0 });
                self.ahead = Some(held);
            }
            return Some(parcel);
        }
    }
}

/// Starts the delivery of a batch, with what was ordered for it.
fn send(
    shared: &Arc<Shared>,
    to: &Arc<Subscription>,
    lanes: &Arc<Semaphore>,
    lane: OwnedSemaphorePermit,
    batch: Vec<Parcel>,
) {
    let fault = batch.first().and_then(|parcel| parcel.fault.clone());
    let events: Vec<Event> = batch.into_iter().map(|parcel| parcel.event).collect();
    let Some(id) = events.first().map(shared.dialect.event_id) else {
        return;
    };
    let delivery = Delivery {
        shared: Arc::clone(shared),
        to: Arc::clone(to),
        lanes: Arc::clone(lanes),
        message_id: format!("msg_{id}"),
        body: (shared.dialect.body)(&events),
        events,
        times: if fault == Some(Fault::DoubleWebhook) { 2 } else { 1 },
    };
    if let Some(Fault::DelayWebhook { ms }) = fault {
        // What waits must not keep the lane from those behind it.
        drop(lane);
        shared.tracker.spawn(delivery.run(None, Duration::from_millis(ms)));
    } else {
        shared.tracker.spawn(delivery.run(Some(lane), Duration::ZERO));
    }
}

/// One message on its way.
struct Delivery {
    shared: Arc<Shared>,
    to: Arc<Subscription>,
    lanes: Arc<Semaphore>,
    message_id: String,
    body: String,
    events: Vec<Event>,
    /// How often it is delivered although the receiver took it.
    times: u32,
}

/// How a delivery ended: the receiver's last status, if it answered, and the attempts it took.
struct End {
    outcome: Outcome,
    status: Option<u16>,
    attempts: u32,
}

impl Delivery {
    /// Sends until the message is taken or given up, and notes the end of its events.
    async fn run(self, mut lane: Option<OwnedSemaphorePermit>, delay: Duration) {
        let work = async {
            tokio::time::sleep(delay).await;
            let mut end = self.attempts(lane.take()).await;
            for _ in 1..self.times {
                end = self.attempts(None).await;
            }
            for event in &self.events {
                self.shared.end(&self.to, event, end.outcome, end.status, end.attempts);
            }
        };
        tokio::select! {
            () = self.shared.stopping.cancelled() => {}
            () = work => {}
        }
    }

    async fn attempts(&self, mut lane: Option<OwnedSemaphorePermit>) -> End {
        let delivering = &self.shared.delivering;
        let mut end = End {
            outcome: Outcome::GaveUp,
            status: None,
            attempts: 0,
        };
        while end.attempts < delivering.attempts_max.max(1) && !self.to.is_gone() {
            let lane = match lane.take() {
                Some(lane) => Some(lane),
                None => Arc::clone(&self.lanes).acquire_owned().await.ok(),
            };
            end.attempts += 1;
            let reply = self.attempt().await;
            drop(lane);
            if let Some(reply) = &reply {
                end.status = Some(reply.status.as_u16());
                if reply.status.is_success() {
                    end.outcome = Outcome::Delivered;
                    break;
                }
                if reply.status == StatusCode::GONE {
                    self.to.is_gone.store(true, Ordering::SeqCst);
                    break;
                }
            }
            if end.attempts < delivering.attempts_max {
                let asked = reply.and_then(|reply| retry_after(&reply.headers));
                tokio::time::sleep(pause(delivering, end.attempts, asked)).await;
            }
        }
        end
    }

    async fn attempt(&self) -> Option<Reply> {
        let mut headers = self.shared.headers(&self.to, &self.message_id, &self.body);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = Bytes::copy_from_slice(self.body.as_bytes());
        self.shared.poster.post(&self.to.url, headers, body).await.ok()
    }
}

/// The pause after a failed attempt: doubling, or what the receiver asks for, and never over the limit.
fn pause(delivering: &Delivering, attempt: u32, asked: Option<Duration>) -> Duration {
    let doubled = delivering
        .first_pause
        .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    asked.unwrap_or_default().max(doubled).min(delivering.pause_max)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_heed_the_receiver() {
        let delivering = Delivering::default();
        let ms = |attempt, asked: Option<u64>| pause(&delivering, attempt, asked.map(Duration::from_secs)).as_millis();
        assert_eq!((ms(1, None), ms(2, None), ms(3, None)), (200, 400, 800));
        assert_eq!(ms(40, None), 10_000);
        assert_eq!((ms(1, Some(3)), ms(1, Some(3600))), (3000, 10_000));
    }
}
