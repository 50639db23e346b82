//! What a request costs whoever asks, and how their rates stand: `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers).
//!
//! Everything counts for the rate of requests; what reads very much or asks other systems counts for a lower one as well, so that
//! exports and searches never take the place of looks.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    auth::{Demand, Proof},
    rate::{Rates, Verdict},
};
use crate::settings::Server;

/// What an action on many records, a report, a search, or a look into other systems costs of the rate of requests.
pub(super) const HEAVY: u32 = 5;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The rates of everybody.
#[derive(Debug)]
pub(super) struct Charges {
    requests: Rates<Proof>,
    heavy: Rates<Proof>,
}

/// How the rates of somebody stand after a request.
#[derive(Debug, Clone)]
pub(super) struct Charged(Vec<(&'static str, Verdict)>);

impl Charges {
    /// The rates of the settings.
    pub(super) fn new(server: &Server) -> Self {
        Self {
            requests: Rates::new(server.api_rate, server.api_burst),
            heavy: Rates::new(server.api_heavy_rate, server.api_heavy_burst),
        }
    }

    /// Takes what a request costs, if there is so much.
    pub(super) fn take(&self, who: Proof, demand: Demand, now: i64) -> Charged {
        let requests = self.requests.take(who, demand.cost, now);
        let mut charged = vec![("requests", requests)];
        if demand.cost >= HEAVY && requests.retry_after.is_none() {
            charged.push(("heavy", self.heavy.take(who, 1, now)));
        }
        Charged(charged)
    }
}

impl Charged {
    /// How the rate of wrong tokens of an address stands.
    pub(super) fn guesses(verdict: Verdict) -> Self {
        Self(vec![("guesses", verdict)])
    }

    /// For a request that does not fit: when it will.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.0.iter().filter_map(|(_, verdict)| verdict.retry_after).max()
    }

    /// Tells the caller.
    pub(super) fn announce(&self, headers: &mut HeaderMap) {
        let said = |of: &dyn Fn(&Verdict) -> String| {
            let items: Vec<String> = self
                .0
                .iter()
                .map(|(name, verdict)| format!("\"{name}\";{}", of(verdict)))
                .collect();
            HeaderValue::from_str(&items.join(", ")).ok()
        };
        let policy = said(&|verdict| format!("q={};w={}", verdict.limit, seconds(verdict.window).max(1)));
        let limit = said(&|verdict| format!("r={};t={}", verdict.remaining, seconds(verdict.reset)));
        for (name, value) in [(POLICY, policy), (LIMIT, limit)] {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
    }
}

/// Whole seconds, rounded up: whoever waits for them comes late enough.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
