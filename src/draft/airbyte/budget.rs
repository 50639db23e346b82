//! The budget of a manifest as `limits`.

use serde_json::Value as Json;

use super::{Import, text::seconds};

impl Import<'_> {
    pub(super) fn budget(&mut self, root: &Json) {
        let concurrency = root
            .pointer("/concurrency_level/default_concurrency")
            .and_then(Json::as_u64);
        self.draft.form.limits.concurrency = concurrency
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| (1..=64).contains(count));
        let policies: Vec<&Json> = root
            .pointer("/api_budget/policies")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .collect();
        if policies.is_empty() {
            self.draft.check("/limits", "how much the system allows is not in the manifest: `limits: { concurrency: 4, rate: 5/s }` after its documentation");
            return;
        }
        let mut known = None;
        for policy in &policies {
            for (limit, interval) in rates(policy) {
                if interval >= 86_400 {
                    self.draft.form.limits.daily = Some(limit.saturating_mul(86_400) / interval);
                } else {
                    // The narrowest one holds for everything.
                    let is_narrower = known.is_none_or(|(other, span): (u64, u64)| {
                        limit.saturating_mul(span) < other.saturating_mul(interval)
                    });
                    known = if is_narrower { Some((limit, interval)) } else { known };
                }
            }
        }
        if let Some((limit, interval)) = known {
            let text = match interval {
                1 => format!("{limit}/s"),
                60 => format!("{limit}/m"),
                3_600 => format!("{limit}/h"),
                other => format!("{}/h", limit.saturating_mul(3_600) / other),
            };
            self.draft.form.limits.rate = text.parse().ok();
            if self.draft.form.limits.rate.is_none() {
                self.lost("/limits", format!("the rate of {limit} requests in {interval} s"));
            }
        }
        if policies.len() > 1 {
            self.lost(
                "/limits",
                "a budget for each kind of request: the narrowest holds for all",
            );
        }
    }
}

/// Requests and seconds.
fn rates(policy: &Json) -> Vec<(u64, u64)> {
    let number = |value: &Json| {
        value
            .as_u64()
            .or_else(|| value.as_str()?.trim().parse().ok())
            .filter(|number| *number > 0)
    };
    let listed = policy.get("rates").and_then(Json::as_array).into_iter().flatten();
    let own = policy
        .get("call_limit")
        .and_then(number)
        .zip(policy.get("period").and_then(Json::as_str).and_then(seconds));
    let rates =
        listed.filter_map(|rate| Some((number(rate.get("limit")?)?, seconds(rate.get("interval")?.as_str()?)?)));
    rates.chain(own).collect()
}
