//! Faults to order: what may go wrong, how often, and for which requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::chance::Chance;

/// How many orders may stand at once.
const ORDERS_MAX: usize = 1000;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The request does nothing and is answered with this status.
    Status {
        /// Such as 429, 500 or 503.
        status: u16,
        /// Adds `Retry-After` in seconds.
        #[serde(default)]
        retry_after_s: Option<u32>,
        /// The error code in the body, instead of the one for the status.
        #[serde(default)]
        code: Option<String>,
    },
    /// The credentials count as old: 401, and nothing is done.
    Unauthorized,
    /// The connection is closed before anything is done.
    DropBeforeCommit,
    /// The work is done, then the connection is closed without an answer.
    DropAnswer,
    /// The work is done at once, the answer comes late.
    SlowAnswer {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// The work begins late; a caller who hangs up before has changed nothing.
    SlowStart {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// The answer's JSON ends in the middle; HTTP is fine.
    TruncatedJson,
    /// The connection breaks in the middle of the answer's body.
    CutBody,
    /// A page for people with status 200 instead of the answer; nothing is done.
    Html,
    /// The right answer under `text/plain`.
    WrongContentType,
    /// A valid JSON answer of about this size; nothing is done.
    EnormousBody {
        /// In bytes.
        bytes: u64,
    },
    /// A JSON answer of nested lists; nothing is done.
    DeepJson {
        /// How deep.
        depth: u64,
    },
    /// A listing gives a page again: the cursor points to itself, or the offset is not heeded.
    RepeatPage,
    /// A listing ends in the middle of this page and says that this was all.
    CutListing,
    /// A listing says that there is nothing.
    EmptyListing,
    /// The first record of a listing moves to its end before this page, as if it had been changed: where pages are told by
    /// places, each that follows moves up by one, and one of them is passed over.
    ShiftListing,
    /// An update is answered with the record as it stands, as if all were well; nothing is done.
    KeepRecord,
    /// The results of a batch come in an order of chance.
    ShuffleBatch,
    /// An event is not sent.
    LoseWebhook,
    /// An event is sent late.
    DelayWebhook {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// An event is sent twice, with the same id.
    DoubleWebhook,
    /// An event is sent after the one that follows it (after a second if none does).
    ReorderWebhook,
}

impl Fault {
    /// The name it has in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Unauthorized => "unauthorized",
            Self::DropBeforeCommit => "drop_before_commit",
            Self::DropAnswer => "drop_answer",
            Self::SlowAnswer { .. } => "slow_answer",
            Self::SlowStart { .. } => "slow_start",
            Self::TruncatedJson => "truncated_json",
            Self::CutBody => "cut_body",
            Self::Html => "html",
            Self::WrongContentType => "wrong_content_type",
            Self::EnormousBody { .. } => "enormous_body",
            Self::DeepJson { .. } => "deep_json",
            Self::RepeatPage => "repeat_page",
            Self::CutListing => "cut_listing",
            Self::EmptyListing => "empty_listing",
            Self::ShiftListing => "shift_listing",
            Self::KeepRecord => "keep_record",
            Self::ShuffleBatch => "shuffle_batch",
            Self::LoseWebhook => "lose_webhook",
            Self::DelayWebhook { .. } => "delay_webhook",
            Self::DoubleWebhook => "double_webhook",
            Self::ReorderWebhook => "reorder_webhook",
        }
    }

    /// Answers this status; a shorthand for the commonest fault.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            retry_after_s: None,
            code: None,
        }
    }

    fn is_for_webhooks(&self) -> bool {
        matches!(
            self,
            Self::LoseWebhook | Self::DelayWebhook { .. } | Self::DoubleWebhook | Self::ReorderWebhook
        )
    }
}

/// A fault, how often it strikes, and what it strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What goes wrong.
    pub fault: Fault,
    /// How often it strikes before the order is done; without it once, or without end when there is a `share`.
    #[serde(default)]
    pub times: Option<u32>,
    /// The share of the matching requests or events it strikes, from 0 to 1, instead of every one.
    #[serde(default)]
    pub share: Option<f64>,
    /// How many matching requests or events pass before it begins.
    #[serde(default)]
    pub skip: u32,
    /// Only requests with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests whose path begins so. For webhooks: only events about this object.
    #[serde(default)]
    pub path: Option<String>,
}

impl Order {
    /// The next `times` requests or events.
    pub fn next(times: u32, fault: Fault) -> Self {
        Self {
            fault,
            times: Some(times),
            share: None,
            skip: 0,
            method: None,
            path: None,
        }
    }

    /// A share of all requests or events (0 to 1), drawn by the system's seed, until cleared.
    pub fn share(share: f64, fault: Fault) -> Self {
        Self {
            times: None,
            share: Some(share),
            ..Self::next(0, fault)
        }
    }

    /// Only requests with this method whose path begins so.
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path = Some(path.to_owned());
        self
    }

    /// Only webhooks about this object.
    #[must_use]
    pub fn about(mut self, object: &str) -> Self {
        self.path = Some(object.to_owned());
        self
    }

    /// Lets the first `count` pass.
    #[must_use]
    pub fn after(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }
}

/// An order that stands, and how often it has struck.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// Its number, for cancelling.
    pub number: u64,
    /// The order as it was given.
    pub order: Order,
    /// How often it has struck.
    pub hits: u32,
    #[serde(skip)]
    passed: u32,
}

/// Too many orders stand already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{ORDERS_MAX} faults stand already: clear some first")]
pub struct TooManyOrders;

/// The faults ordered from one system; clones share them.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Mutex<Book>>);

#[derive(Debug)]
struct Book {
    standing: Vec<Standing>,
    next_number: u64,
    chance: Chance,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Book {
            standing: Vec::new(),
            next_number: 1,
            chance: Chance::new(seed),
        })))
    }

    /// Orders a fault and gives the number of the order. Orders are tried in the order they were given.
    pub fn order(&self, order: Order) -> Result<u64, TooManyOrders> {
        let mut book = self.book();
        book.standing.retain(|standing| !standing.is_done());
        if book.standing.len() >= ORDERS_MAX {
            return Err(TooManyOrders);
        }
        let number = book.next_number;
        book.next_number += 1;
        book.standing.push(Standing {
            number,
            order,
            hits: 0,
            passed: 0,
        });
        Ok(number)
    }

    /// Takes every order back.
    pub fn clear(&self) {
        self.book().standing.clear();
    }

    /// Takes one order back.
    pub fn cancel(&self, number: u64) {
        self.book().standing.retain(|standing| standing.number != number);
    }

    /// The orders and how often each has struck; those that are done stay until the next order is given.
    pub fn standing(&self) -> Vec<Standing> {
        self.book().standing.clone()
    }

    /// The fault for this request, if one strikes it.
    pub(crate) fn draw_request(&self, method: &str, path: &str) -> Option<Fault> {
        self.draw(|order| {
            !order.fault.is_for_webhooks()
                && order
                    .method
                    .as_deref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && order.path.as_deref().is_none_or(|wanted| path.starts_with(wanted))
        })
    }

    /// The fault for an event about `object`, if one strikes it.
    pub(crate) fn draw_webhook(&self, object: &str) -> Option<Fault> {
        self.draw(|order| order.fault.is_for_webhooks() && order.path.as_deref().is_none_or(|wanted| wanted == object))
    }

    /// Puts things into an order that the seed decides.
    pub(crate) fn shuffle<T>(&self, things: &mut [T]) {
        self.book().chance.shuffle(things);
    }

    fn draw(&self, matches: impl Fn(&Order) -> bool) -> Option<Fault> {
        let mut book = self.book();
        let Book { standing, chance, .. } = &mut *book;
        let mut open = standing
            .iter_mut()
            .filter(|standing| !standing.is_done() && matches(&standing.order));
        open.find_map(|standing| standing.strike(chance))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn is_done(&self) -> bool {
        let times = self
            .order
            .times
            .or(if self.order.share.is_some() { None } else { Some(1) });
        times.is_some_and(|times| self.hits >= times)
    }

    fn strike(&mut self, chance: &mut Chance) -> Option<Fault> {
        if self.passed < self.order.skip {
            self.passed += 1;
            return None;
        }
        if self.order.share.is_some_and(|share| !chance.hits(share)) {
            return None;
        }
        self.hits = self.hits.saturating_add(1);
        Some(self.order.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_strikes_as_often_as_ordered_and_only_what_it_names() {
        let faults = Faults::new(1);
        let order = Order::next(2, Fault::status(503)).on("post", "/api/customers").after(1);
        faults.order(order).unwrap();
        let hits: Vec<bool> = (0..5)
            .map(|_| faults.draw_request("POST", "/api/customers/7").is_some())
            .collect();
        assert_eq!(hits, [false, true, true, false, false]);
        faults
            .order(Order::next(1, Fault::status(500)).on("POST", "/api/orders"))
            .unwrap();
        assert_eq!(faults.draw_request("GET", "/api/orders"), None);
        assert_eq!(faults.draw_request("POST", "/api/customers"), None);
        assert_eq!(faults.draw_webhook("orders"), None);
    }

    #[test]
    fn a_share_strikes_the_same_events_for_the_same_seed() {
        let run = |seed| {
            let faults = Faults::new(seed);
            faults.order(Order::share(0.3, Fault::LoseWebhook)).unwrap();
            (0..50)
                .map(|_| faults.draw_webhook("account").is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(run(5), run(5));
        assert!(run(5).contains(&true) && run(5).contains(&false));
    }

    #[test]
    fn an_order_reads_as_the_documentation_writes_it() {
        let json =
            r#"{"fault":{"kind":"status","status":503,"retry_after_s":2},"times":3,"method":"POST","path":"/api"}"#;
        let order: Order = serde_json::from_str(json).unwrap();
        assert_eq!(order.fault.kind(), "status");
        assert_eq!(
            serde_json::from_str::<Order>(r#"{"fault":{"kind":"lose_webhook"}}"#)
                .unwrap()
                .times,
            None
        );
        assert!(serde_json::from_str::<Order>(r#"{"fault":{"kind":"html"},"tmes":3}"#).is_err());
    }
}
