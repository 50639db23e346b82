//! Sends what happened to whoever subscribed: at least once, with retries, and with the faults that were ordered.
//!
//! Every commit draws its fault when it is made, in the order of the commits, so a seed loses the same events in every
//! run. Each subscription has a worker that takes waiting events in order and sends a few messages at a time; the order
//! of arrival is therefore likely, not promised, as with any real sender.

mod courier;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::clock::Clock;
use super::fault::{Fault, Faults};
use super::history::{Commit, Delivery, History, Kind, Outcome};
use super::outbound::Poster;

/// How many receivers one system serves.
const SUBSCRIPTIONS_MAX: usize = 32;

/// How the sender behaves.
#[derive(Clone, Copy, Debug)]
pub struct Delivering {
    /// How often one message is tried.
    pub attempts_max: u32,
    /// The pause after the first failure; it doubles from then on.
    pub first_pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many messages are under way to one receiver.
    pub concurrency: usize,
    /// How many events may wait for all receivers together; more are lost as overflow.
    pub waiting_max: usize,
}

impl Default for Delivering {
    fn default() -> Self {
        Self {
            attempts_max: 6,
            first_pause: Duration::from_millis(200),
            pause_max: Duration::from_secs(10),
            timeout: Duration::from_secs(10),
            concurrency: 4,
            waiting_max: 500_000,
        }
    }
}

/// What happened to a record, for its subscribers.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: Kind,
    pub(crate) object: &'static str,
    pub(crate) record_id: String,
    pub(crate) number: u64,
    pub(crate) actor: String,
    /// The record that stands for a merged one.
    pub(crate) into: Option<String>,
}

/// The form a system gives its webhooks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// How many events one message carries.
    pub(crate) batch_max: usize,
    pub(crate) event_id: fn(&Event) -> String,
    pub(crate) body: fn(&[Event]) -> String,
    /// The bytes to sign with; none when the text is no secret of this system.
    pub(crate) key: fn(&str) -> Option<Vec<u8>>,
    pub(crate) headers: fn(&Seal<'_>) -> Vec<(&'static str, String)>,
}

/// A webhook by hand.
#[derive(Clone, Debug)]
pub struct Message {
    /// The id of its event, as the receiver sees it.
    pub event_id: String,
    /// Headers by name.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// What a message is signed with and over.
#[derive(Clone, Copy)]
pub(crate) struct Seal<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) message_id: &'a str,
    pub(crate) at: DateTime<Utc>,
    pub(crate) body: &'a str,
}

/// Why a receiver cannot be subscribed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// Not an `http://` address.
    #[error("`{0}` is not an http:// address")]
    Url(String),
    /// Not a secret this system can sign with.
    #[error("the secret cannot be used: {0}")]
    Secret(&'static str),
    /// Too many receivers.
    #[error("{SUBSCRIPTIONS_MAX} receivers are subscribed already")]
    TooMany,
}

/// The sender of one system; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dialect: Dialect,
    delivering: Delivering,
    clock: Clock,
    history: History,
    faults: Faults,
    poster: Poster,
    subscriptions: Mutex<Vec<Arc<Subscription>>>,
    /// Events that have not ended yet, over all receivers.
    open: watch::Sender<usize>,
    runtime: tokio::runtime::Handle,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

#[derive(Debug)]
struct Subscription {
    url: Url,
    key: Mutex<SecretSlice<u8>>,
    is_gone: AtomicBool,
    queue: mpsc::UnboundedSender<Parcel>,
}

/// An event in a queue, with what is to go wrong.
#[derive(Debug)]
struct Parcel {
    event: Event,
    fault: Option<Fault>,
}

impl Webhooks {
    /// Must be called within a runtime, which the deliveries then use.
    pub(crate) fn new(
        dialect: Dialect,
        delivering: Delivering,
        clock: Clock,
        history: History,
        faults: Faults,
    ) -> Self {
        Self(Arc::new(Shared {
            dialect,
            delivering,
            clock,
            history,
            faults,
            poster: Poster::new(delivering.timeout),
            subscriptions: Mutex::default(),
            open: watch::Sender::new(0),
            runtime: tokio::runtime::Handle::current(),
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// Sends every event from now on to `url`. Subscribing an address again changes its secret.
    pub(crate) fn subscribe(&self, url: &str, secret: &SecretString) -> Result<(), SubscribeError> {
        let parsed = Url::parse(url)
            .ok()
            .filter(|parsed| parsed.scheme() == "http" && parsed.has_host());
        let url = parsed.ok_or_else(|| SubscribeError::Url(url.to_owned()))?;
        let text = secret.expose_secret();
        let key = (self.0.dialect.key)(text).filter(|key| !key.is_empty());
        let key = key.ok_or(SubscribeError::Secret(
            "it is empty or not in the form this system signs with",
        ))?;
        let mut subscriptions = self.subscriptions();
        subscriptions.retain(|subscription| !subscription.is_gone());
        if let Some(known) = subscriptions.iter().find(|known| known.url == url) {
            *known.key.lock().unwrap_or_else(PoisonError::into_inner) = key.into();
            return Ok(());
        }
        if subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(SubscribeError::TooMany);
        }
        let (queue, inbox) = mpsc::unbounded_channel();
        let subscription = Arc::new(Subscription {
            url,
            key: Mutex::new(key.into()),
            is_gone: AtomicBool::new(false),
            queue,
        });
        let worker = courier::run(Arc::clone(&self.0), Arc::clone(&subscription), inbox);
        self.0.tracker.spawn_on(worker, &self.0.runtime);
        subscriptions.push(subscription);
        Ok(())
    }

    /// Sends nothing more to `url`; false when it was not subscribed.
    pub(crate) fn unsubscribe(&self, url: &str) -> bool {
        let mut subscriptions = self.subscriptions();
        let before = subscriptions.len();
        subscriptions.retain(|subscription| {
            let matches = Url::parse(url).is_ok_and(|url| url == subscription.url);
            if matches {
                subscription.is_gone.store(true, Ordering::SeqCst);
            }
            !matches
        });
        subscriptions.len() < before
    }

    /// The addresses events go to.
    pub(crate) fn receivers(&self) -> Vec<String> {
        let subscriptions = self.subscriptions();
        let standing = subscriptions.iter().filter(|subscription| !subscription.is_gone());
        standing.map(|subscription| subscription.url.to_string()).collect()
    }

    /// Queues an event for every receiver. Does not wait.
    pub(crate) fn publish(&self, event: &Event) {
        for subscription in self
            .subscriptions()
            .iter()
            .filter(|subscription| !subscription.is_gone())
        {
            let fault = self.0.faults.draw_webhook(event.object);
            if fault == Some(Fault::LoseWebhook) {
                self.0.note(subscription, event, Outcome::Lost, None, 0);
                continue;
            }
            if *self.0.open.borrow() >= self.0.delivering.waiting_max {
                self.0.note(subscription, event, Outcome::Overflow, None, 0);
                continue;
            }
            self.0.open.send_modify(|open| *open += 1);
            let parcel = Parcel {
                event: event.clone(),
                fault,
            };
            if subscription.queue.send(parcel).is_err() {
                self.0.end(subscription, event, Outcome::GaveUp, None, 0);
            }
        }
    }

    /// The message that tells of a commit; none when the text is no secret of this system.
    pub(crate) fn message(&self, commit: &Commit, secret: &SecretString) -> Option<Message> {
        let dialect = &self.0.dialect;
        let key = (dialect.key)(secret.expose_secret())?;
        let number = commit.id.rsplit('-').next()?.parse().ok()?;
        let event = Event {
            at: commit.at,
            kind: commit.kind,
            object: commit.object,
            record_id: commit.id.clone(),
            number,
            actor: commit.actor.clone(),
            into: None,
        };
        let event_id = (dialect.event_id)(&event);
        let body = (dialect.body)(&[event]);
        let message_id = format!("msg_{event_id}");
        let seal = Seal {
            key: &key,
            message_id: &message_id,
            at: self.0.clock.now(),
            body: &body,
        };
        Some(Message {
            headers: (dialect.headers)(&seal),
            event_id,
            body,
        })
    }

    /// Waits until every event has ended: taken, lost or given up.
    pub(crate) async fn settled(&self) {
        let mut open = self.0.open.subscribe();
        // The sender lives as long as `self`, so the only outcome is that nothing is open.
        let _ = open.wait_for(|open| *open == 0).await;
    }

    /// Breaks off what is under way, without waiting.
    pub(crate) fn cancel(&self) {
        self.0.stopping.cancel();
    }

    /// Stops sending; what is under way is broken off.
    pub(crate) async fn stop(&self) {
        self.cancel();
        self.0.tracker.close();
        self.0.tracker.wait().await;
    }

    fn subscriptions(&self) -> MutexGuard<'_, Vec<Arc<Subscription>>> {
        self.0.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// Notes how an event that was open has ended.
    fn end(&self, to: &Subscription, event: &Event, outcome: Outcome, status: Option<u16>, attempts: u32) {
        self.note(to, event, outcome, status, attempts);
        self.open.send_modify(|open| *open = open.saturating_sub(1));
    }

    fn note(&self, to: &Subscription, event: &Event, outcome: Outcome, status: Option<u16>, attempts: u32) {
        self.history.deliver(Delivery {
            event_id: (self.dialect.event_id)(event),
            object: event.object,
            record_id: event.record_id.clone(),
            url: to.url.to_string(),
            outcome,
            status,
            attempts,
        });
    }

    /// The headers that prove who sent this body, made anew for each attempt as the time is part of them.
    fn headers(&self, to: &Subscription, message_id: &str, body: &str) -> HeaderMap {
        let key = to.key.lock().unwrap_or_else(PoisonError::into_inner);
        let seal = Seal {
            key: key.expose_secret(),
            message_id,
            at: self.clock.now(),
            body,
        };
        let pairs = (self.dialect.headers)(&seal);
        let pairs = pairs.into_iter().filter_map(|(name, value)| {
            let value = HeaderValue::from_str(&value).ok()?;
            Some((HeaderName::from_static(name), value))
        });
        pairs.collect()
    }
}
