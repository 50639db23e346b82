//! Retention: old rows go, in small portions, so that nobody waits for it.

use std::time::Duration;

use super::{
    Store, api_request,
    engine::{args, int},
    error::Error,
};

/// How long rows are kept after they are done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Payloads of events, which may hold personal data.
    pub payloads: Duration,
    /// Events; must outlive the longest redelivery of any sender, since duplicates are found by them.
    pub events: Duration,
    /// Writes, except those that nobody knows yet whether they were sent.
    pub writes: Duration,
    /// Runs, with their drift.
    pub runs: Duration,
    /// Failures and conflicts that are settled.
    pub settled: Duration,
    /// The audit trail.
    pub audits: Duration,
    /// Notices, unless one of their deliveries is still to be sent.
    pub notices: Duration,
    /// Answers to actions of the API that were sent with an idempotency key.
    pub api_requests: Duration,
    /// Sessions of the console, after their end.
    pub sessions: Duration,
}

const DAY: Duration = Duration::from_hours(24);

impl Default for Retention {
    fn default() -> Self {
        Self {
            payloads: DAY * 7,
            events: DAY * 45,
            writes: DAY * 45,
            runs: DAY * 400,
            settled: DAY * 90,
            audits: DAY * 1_100,
            notices: DAY * 400,
            api_requests: api_request::KEPT,
            sessions: Duration::ZERO,
        }
    }
}

/// Rows a portion.
const PORTION: i64 = 1_000;

/// Portions a call, so that a call ends; the next one goes on.
const PORTIONS_MAX: u32 = 100;

impl Store {
    /// Removes what is older than it is kept; how many rows went.
    pub async fn prune(&self, retention: &Retention) -> Result<u64, Error> {
        let now = self.now();
        let mut gone = 0;
        for (kept, sql) in statements(retention) {
            let before = now.saturating_sub(int(kept.as_millis()));
            gone += self.prune_by(sql, before).await?;
        }
        Ok(gone)
    }

    async fn prune_by(&self, sql: &'static str, before: i64) -> Result<u64, Error> {
        let mut gone = 0;
        for _ in 0..PORTIONS_MAX {
            let portion = self.engine().execute(sql, args![before, PORTION]).await?;
            gone += portion;
            if portion < PORTION.unsigned_abs() {
                break;
            }
        }
        Ok(gone)
    }
}

/// What is removed how old, in this order: what refers to something goes before it.
#[expect(clippy::too_many_lines, reason = "one list, whose order counts")]
const fn statements(retention: &Retention) -> [(Duration, &'static str); 14] {
    [
        (
            retention.payloads,
            "update event set payload = null where event_id in (select event_id from event \
             where received_at < $1 and payload is not null and status in ('done', 'ignored') \
             order by event_id limit $2)",
        ),
        (
            retention.events,
            "delete from event where event_id in (select event_id from event \
             where received_at < $1 and status in ('done', 'ignored', 'failed') order by event_id limit $2)",
        ),
        (
            retention.writes,
            "delete from write where write_id in (select write_id from write \
             where started_at < $1 and status in ('succeeded', 'failed', 'unknown') order by write_id limit $2)",
        ),
        (
            retention.runs,
            "delete from drift where drift_id in (select d.drift_id from drift as d \
             join run as r on r.run_id = d.run_id where r.ended_at < $1 limit $2)",
        ),
        (
            retention.runs,
            "delete from drift_summary where run_id in (select s.run_id from drift_summary as s \
             where s.created_at < $1 order by s.run_id limit $2)",
        ),
        (
            retention.runs,
            "delete from run where run_id in (select run_id from run \
             where ended_at < $1 and status <> 'running' and status <> 'held' order by run_id limit $2)",
        ),
        (
            retention.settled,
            "delete from failure where failure_id in (select failure_id from failure \
             where resolved_at < $1 and status in ('resolved', 'ignored') order by failure_id limit $2)",
        ),
        (
            retention.settled,
            "delete from conflict where conflict_id in (select conflict_id from conflict \
             where applied_at < $1 and status <> 'ignored' order by conflict_id limit $2)",
        ),
        (
            retention.settled,
            "delete from suggestion where suggestion_id in (select suggestion_id from suggestion \
             where seen_at < $1 and status <> 'accepted' order by suggestion_id limit $2)",
        ),
        (
            retention.audits,
            "delete from ignore_rule where ignore_rule_id in (select ignore_rule_id from ignore_rule \
             where until < $1 order by ignore_rule_id limit $2)",
        ),
        (
            retention.audits,
            "delete from audit where audit_id in (select audit_id from audit where at < $1 \
             order by audit_id limit $2)",
        ),
        (
            retention.notices,
            "delete from notice where notice_id in (select n.notice_id from notice as n where n.occurred_at < $1 \
             and not exists (select 1 from notice_delivery as d where d.notice_id = n.notice_id \
             and d.status = 'pending') order by n.notice_id limit $2)",
        ),
        (
            retention.api_requests,
            "delete from api_request where (api_token_id, idempotency_key) in (select api_token_id, idempotency_key \
             from api_request where started_at < $1 order by started_at limit $2)",
        ),
        (
            retention.sessions,
            "delete from session where hash in (select hash from session where ends_at < $1 order by ends_at limit $2)",
        ),
    ]
}
