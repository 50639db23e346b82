//! What is seen of a condition: bad, well, or in between, with the facts that a notice tells. Never a value of a record.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::core::{
    drift::Summary,
    period::Share,
    schedule::Daily,
    status::{Cause, NoticeCondition},
};

/// What is seen of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// It is to be raised.
    Bad,
    /// Neither: it stays as it is told.
    Between,
    /// It is well.
    Well,
}

impl Sight {
    /// Bad or well.
    #[must_use]
    pub const fn bad_if(is_bad: bool) -> Self {
        if is_bad { Self::Bad } else { Self::Well }
    }
}

/// One condition of one mapping or system, as it is seen now.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The condition.
    pub condition: NoticeCondition,
    /// The mapping or system.
    pub subject: String,
    /// What is seen.
    pub sight: Sight,
    /// The facts.
    pub detail: Detail,
}

/// The facts of a notice, by its condition.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Detail {
    /// Of `drift`.
    Drift {
        /// The reconciliation.
        run_id: i64,
        /// Records that drifted.
        drifted: u64,
        /// Records of the larger side.
        records: u64,
        /// The most that may drift before it is told.
        limit: u64,
        /// Whether both listings were complete.
        is_complete: bool,
        /// Differences by cause.
        causes: BTreeMap<Cause, u64>,
    },
    /// Of `held`.
    Held {
        /// The run that waits.
        #[serde(skip_serializing_if = "Option::is_none")]
        run_id: Option<i64>,
    },
    /// Of `overdue`.
    Overdue {
        /// When the reconciliation was to begin.
        #[schemars(with = "String", extend("format" = "date-time"))]
        due_at: DateTime<Utc>,
        /// When the last one ended.
        #[schemars(with = "Option<String>", extend("format" = "date-time"))]
        last_at: Option<DateTime<Utc>>,
    },
    /// Of `secret_due` and `secret_overdue`.
    Secret {
        /// By when the secrets are to be replaced.
        #[schemars(with = "String", extend("format" = "date"))]
        rotate_by: NaiveDate,
        /// The days that are left; negative afterwards.
        days: i64,
    },
    /// Of `paused` and `unreachable`.
    Trouble {
        /// Since when; none where it is well.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>", extend("format" = "date-time"))]
        since: Option<DateTime<Utc>>,
        /// Why, with its code.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// The last reconciliation of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct LastReport {
    /// The run.
    pub run_id: i64,
    /// Its numbers.
    pub summary: Summary,
    /// When it had compared.
    pub at: DateTime<Utc>,
}

/// Drift above `limit` is bad. It is well at half of that and below, so that a number that swings around the limit is told
/// once; and only where everything was compared.
#[must_use]
pub fn drift(report: &LastReport, limit: Share) -> (Sight, Detail) {
    let summary = &report.summary;
    let records = summary.left_records.max(summary.right_records);
    let (drifted, limit) = (summary.drifted(), limit.of(records));
    let sight = if drifted > limit {
        Sight::Bad
    } else if summary.complete && drifted <= limit / 2 {
        Sight::Well
    } else {
        Sight::Between
    };
    let detail = Detail::Drift {
        run_id: report.run_id,
        drifted,
        records,
        limit,
        is_complete: summary.complete,
        causes: summary.causes.clone(),
    };
    (sight, detail)
}

/// A daily reconciliation that has not come to its end `patience` after it was due; none where none was due since
/// `watched_since`, when this mapping was first seen.
#[must_use]
pub fn overdue(
    daily: Daily,
    last_at: Option<DateTime<Utc>>,
    watched_since: DateTime<Utc>,
    now: DateTime<Utc>,
    patience: TimeDelta,
) -> Option<(Sight, Detail)> {
    let due_at = daily.latest(now - patience).and_then(|date| daily.instant(date))?;
    let is_done = last_at.is_some_and(|last| last >= due_at);
    if !is_done && due_at < watched_since {
        return None;
    }
    Some((Sight::bad_if(!is_done), Detail::Overdue { due_at, last_at }))
}

/// The date by which the secrets of a system are to be replaced: what is seen of `secret_due` and of `secret_overdue`.
#[must_use]
pub fn secret(rotate_by: NaiveDate, today: NaiveDate, notice_days: i64) -> [(NoticeCondition, Sight, Detail); 2] {
    let days = (rotate_by - today).num_days();
    let detail = Detail::Secret { rotate_by, days };
    [
        (
            NoticeCondition::SecretDue,
            Sight::bad_if(days <= notice_days),
            detail.clone(),
        ),
        (NoticeCondition::SecretOverdue, Sight::bad_if(days < 0), detail),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::status::Situation;

    fn report(drifted: u64, records: u64, complete: bool) -> LastReport {
        LastReport {
            run_id: 7,
            summary: Summary {
                left_records: records,
                right_records: records / 2,
                situations: BTreeMap::from([(Situation::Differs, drifted), (Situation::InSync, records)]),
                complete,
                ..Summary::default()
            },
            at: utc("2026-03-02T02:10:00Z"),
        }
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    proptest! {
        #[test]
        fn more_drift_never_looks_better(records in 0_u64..5_000, drifted in 0_u64..5_000, limit in 0_u64..5_000, percent in 0_u32..=100_000) {
            let rank = |sight| [Sight::Well, Sight::Between, Sight::Bad].iter().position(|known| *known == sight);
            for limit in [Share::Count(limit), Share::Percent(percent)] {
                let one = drift(&report(drifted, records, true), limit).0;
                let more = drift(&report(drifted + 1, records, true), limit).0;
                prop_assert!(rank(one) <= rank(more));
            }
        }
    }

    #[test]
    fn drift_is_bad_above_its_limit_and_well_at_half_of_it() {
        let seen = |drifted| drift(&report(drifted, 1_000, true), "1%".parse().unwrap()).0;
        assert_eq!(
            [5, 6, 10, 11].map(seen),
            [Sight::Well, Sight::Between, Sight::Between, Sight::Bad]
        );
        let none_allowed = |drifted| drift(&report(drifted, 1_000, true), Share::Count(0)).0;
        assert_eq!([0, 1].map(none_allowed), [Sight::Well, Sight::Bad]);
    }

    #[test]
    fn a_report_of_half_a_listing_never_says_that_all_is_well() {
        assert_eq!(drift(&report(0, 1_000, false), "1%".parse().unwrap()).0, Sight::Between);
        assert_eq!(drift(&report(500, 1_000, false), "1%".parse().unwrap()).0, Sight::Bad);
    }

    #[test]
    fn a_reconciliation_is_overdue_when_its_patience_is_over_and_no_report_came() {
        let daily = Daily {
            at: chrono::NaiveTime::from_hms_opt(2, 0, 0).unwrap(),
            timezone: chrono_tz::UTC,
        };
        let watched = utc("2026-03-01T12:00:00Z");
        let seen = |last: Option<&str>, now: &str| {
            let seen = overdue(daily, last.map(utc), watched, utc(now), TimeDelta::hours(6));
            seen.map(|(sight, _)| sight)
        };
        assert_eq!(
            seen(None, "2026-03-02T07:59:00Z"),
            None,
            "nothing was due since it is watched"
        );
        assert_eq!(seen(None, "2026-03-02T08:00:00Z"), Some(Sight::Bad));
        assert_eq!(
            seen(Some("2026-03-01T02:30:00Z"), "2026-03-02T07:59:00Z"),
            Some(Sight::Well)
        );
        assert_eq!(
            seen(Some("2026-03-01T02:30:00Z"), "2026-03-02T08:00:00Z"),
            Some(Sight::Bad)
        );
        assert_eq!(
            seen(Some("2026-03-02T09:00:00Z"), "2026-03-02T09:00:00Z"),
            Some(Sight::Well)
        );
    }

    #[test]
    fn secrets_are_due_before_their_date_and_overdue_after_it() {
        let by: NaiveDate = "2026-04-01".parse().unwrap();
        let seen = |today: &str| secret(by, today.parse().unwrap(), 30).map(|(_, sight, _)| sight);
        assert_eq!(seen("2026-03-01"), [Sight::Well, Sight::Well]);
        assert_eq!(seen("2026-03-02"), [Sight::Bad, Sight::Well]);
        assert_eq!(seen("2026-04-01"), [Sight::Bad, Sight::Well]);
        assert_eq!(seen("2026-04-02"), [Sight::Bad, Sight::Bad]);
    }
}
