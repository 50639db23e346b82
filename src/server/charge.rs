//! What a request costs whoever asks, and how their rates stand: `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers).
//!
//! Everything counts for the rate of requests; what reads very much or asks other systems counts for a lower one as well, so that
//! exports and searches never take the place of looks. Both stand twice: for a token or a person, and for the tenant that several of them
//! share. Whichever has less left is told.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    auth::{Demand, Proof},
    rate::{Rates, Verdict},
};
use crate::{
    core::{
        period::Rate,
        tenant::{Reach, Tenant},
    },
    settings::Server,
};

/// What an action on many records, a report, a search, or a look into other systems costs of the rate of requests.
pub(super) const HEAVY: u32 = 5;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The rates of everybody.
#[derive(Debug)]
pub(super) struct Charges {
    requests: Shared,
    heavy: Shared,
}

/// One rate, of each who asks and of each tenant.
#[derive(Debug)]
struct Shared {
    own: Rates<Proof>,
    tenant: Rates<Tenant>,
    /// What both are called.
    names: [&'static str; 2],
}

/// How the rates of somebody stand after a request.
#[derive(Debug, Clone)]
pub(super) struct Charged(Vec<(&'static str, Verdict)>);

impl Charges {
    /// The rates of the settings.
    pub(super) fn new(server: &Server) -> Self {
        Self {
            requests: Shared::new(
                (server.api_rate, server.api_burst),
                (server.api_tenant_rate, server.api_tenant_burst),
                ["requests", "tenant"],
            ),
            heavy: Shared::new(
                (server.api_heavy_rate, server.api_heavy_burst),
                (server.api_tenant_heavy_rate, server.api_tenant_heavy_burst),
                ["heavy", "tenant-heavy"],
            ),
        }
    }

    /// Takes what a request costs, if there is so much.
    pub(super) fn take(&self, who: (Proof, &Reach), demand: Demand, now: i64) -> Charged {
        let requests = self.requests.take(who, demand.cost, now);
        let mut charged = vec![requests];
        if demand.cost >= HEAVY && requests.1.retry_after.is_none() {
            charged.push(self.heavy.take(who, 1, now));
        }
        Charged(charged)
    }
}

impl Shared {
    fn new(own: (Rate, u32), tenant: (Rate, u32), names: [&'static str; 2]) -> Self {
        Self {
            own: Rates::new(own.0, own.1),
            tenant: Rates::new(tenant.0, tenant.1),
            names,
        }
    }

    /// Takes what a request costs from whoever asks and from their tenants, if all have so much; how the tighter one stands.
    fn take(&self, (who, reach): (Proof, &Reach), cost: u32, now: i64) -> (&'static str, Verdict) {
        let [own, tenant] = self.names;
        // What does not fit for one takes nothing from the others.
        let looks = reach.tenants().map(|name| self.tenant.look(name, cost, now));
        if let Some(full) = looks.filter(|look| look.retry_after.is_some()).reduce(tighter) {
            return (tenant, full);
        }
        let mine = self.own.take(who, cost, now);
        if mine.retry_after.is_some() {
            return (own, mine);
        }
        let takes = reach.tenants().map(|name| self.tenant.take(name.clone(), cost, now));
        match takes.reduce(tighter) {
            Some(ours) if tighter(mine, ours) == ours && ours != mine => (tenant, ours),
            _ => (own, mine),
        }
    }
}

/// The one of which less is left; the first where both have the same.
fn tighter(one: Verdict, other: Verdict) -> Verdict {
    let left = |verdict: &Verdict| (verdict.retry_after.is_none(), verdict.remaining);
    let is_longer = one.retry_after < other.retry_after;
    match left(&one).cmp(&left(&other)) {
        std::cmp::Ordering::Less => one,
        std::cmp::Ordering::Equal if !is_longer => one,
        _ => other,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn charges(own: u32, tenant: u32) -> Charges {
        let rate: Rate = "1/h".parse().unwrap();
        let shared = |names| Shared::new((rate, own), (rate, tenant), names);
        Charges {
            requests: shared(["requests", "tenant"]),
            heavy: shared(["heavy", "tenant-heavy"]),
        }
    }

    fn reach(names: &[&str]) -> Reach {
        Reach::Tenants(names.iter().map(|name| name.parse().unwrap()).collect())
    }

    const LOOK: Demand = Demand {
        role: crate::core::status::Role::Viewer,
        cost: 1,
        is_of_house: false,
    };

    fn told(charged: &Charged) -> Vec<(&'static str, u32, bool)> {
        let one = |(name, verdict): &(&'static str, Verdict)| (*name, verdict.remaining, verdict.retry_after.is_some());
        charged.0.iter().map(one).collect()
    }

    #[test]
    fn the_credentials_of_a_tenant_share_its_rate_and_those_of_others_do_not() {
        let charges = charges(3, 4);
        let take = |id, names: &[&str]| told(&charges.take((Proof::Token(id), &reach(names)), LOOK, 0));
        assert_eq!(take(1, &["abc"]), [("requests", 2, false)]);
        assert_eq!(take(1, &["abc"]), [("requests", 1, false)]);
        assert_eq!(take(2, &["abc"]), [("tenant", 1, false)], "the tenant has less left");
        assert_eq!(take(3, &["abc"]), [("tenant", 0, false)]);
        assert_eq!(take(2, &["abc"]), [("tenant", 0, true)]);
        assert_eq!(
            take(2, &["abcdef"]),
            [("requests", 1, false)],
            "nothing was taken from whoever was refused"
        );
        assert_eq!(
            take(3, &["abc", "abcdef"]),
            [("tenant", 0, true)],
            "every tenant has to have so much"
        );
        let house = told(&charges.take((Proof::Token(4), &Reach::House), LOOK, 0));
        assert_eq!(house, [("requests", 2, false)]);
    }

    #[test]
    fn whoever_has_used_up_their_own_rate_takes_nothing_from_their_tenant() {
        let charges = charges(1, 3);
        let take = |id| told(&charges.take((Proof::Session(id), &reach(&["abc"])), LOOK, 0));
        assert_eq!(take(1), [("requests", 0, false)]);
        for _ in 0..9 {
            assert_eq!(take(1), [("requests", 0, true)]);
        }
        assert_eq!(take(2), [("requests", 0, false)]);
        assert_eq!(take(3), [("requests", 0, false)], "three have taken three");
        assert_eq!(take(4), [("tenant", 0, true)]);
    }

    #[test]
    fn exports_of_a_tenant_have_a_rate_of_their_own() {
        let rate: Rate = "1/h".parse().unwrap();
        let charges = Charges {
            requests: Shared::new((rate, 99), (rate, 99), ["requests", "tenant"]),
            heavy: Shared::new((rate, 2), (rate, 1), ["heavy", "tenant-heavy"]),
        };
        let heavy = Demand { cost: HEAVY, ..LOOK };
        let take = |id, demand| told(&charges.take((Proof::Token(id), &reach(&["abc"])), demand, 0));
        assert_eq!(take(1, heavy), [("requests", 94, false), ("tenant-heavy", 0, false)]);
        assert_eq!(take(2, heavy), [("tenant", 89, false), ("tenant-heavy", 0, true)]);
        assert_eq!(take(2, LOOK), [("tenant", 88, false)]);
    }
}
