//! Notices: where each watched condition stands, what was told, and what is still to be sent.
//!
//! A condition turns by compare-and-set, and the notice with its deliveries is stored in the same transaction: whichever node
//! sees the change first tells it, once, and no crash can lose it. Sending is a matter of [`delivery`].

pub mod delivery;
pub mod sign;
pub mod standing;

use chrono::{DateTime, Utc};

pub use delivery::{Delivery, DueDelivery, FinishedDelivery, TargetStats};
pub use sign::Sign;
pub use standing::{KnownStanding, Turn};

use super::{
    Page, Store,
    bulk::Filter,
    engine::{FromRow, Row, Unread, args},
    error::Error,
    scope::{AskedNotice, newest},
};
use crate::core::{
    drift::Summary,
    notice::{Letter, sight::LastReport},
    status::{DeliveryStatus, NoticeCondition, NoticeState},
};

/// A notice about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotice {
    /// Names it among all.
    pub event_id: String,
    /// When the change was seen.
    pub occurred_at: DateTime<Utc>,
    /// The document that programs get.
    pub payload: String,
    /// What people get.
    pub letter: Letter,
    /// The targets that get it.
    pub targets: Vec<String>,
    /// Until when it is tried.
    pub until: DateTime<Utc>,
}

/// A stored notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Our id of it.
    pub notice_id: i64,
    /// Names it among all; receivers know it by this.
    pub event_id: String,
    /// The condition.
    pub condition: NoticeCondition,
    /// How it stands from then on.
    pub state: NoticeState,
    /// The mapping or system.
    pub subject: String,
    /// When the change was seen.
    pub occurred_at: DateTime<Utc>,
    /// The document that is sent.
    pub payload: String,
}

/// Which notices to list.
#[derive(Debug, Clone, Default)]
pub struct NoticeFilter {
    /// Of this condition.
    pub condition: Option<NoticeCondition>,
    /// About this mapping or system.
    pub subject: Option<String>,
    /// With a delivery that stands so.
    pub delivery: Option<DeliveryStatus>,
}

const SELECT: &str = "select notice_id, event_id, condition, state, subject, occurred_at, payload from notice";

impl FromRow for Notice {
    const TABLE: &'static str = "notice";
    const KEY: &'static str = "notice_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            notice_id: row.get("notice_id")?,
            event_id: row.get("event_id")?,
            condition: row.get("condition")?,
            state: row.get("state")?,
            subject: row.get("subject")?,
            occurred_at: row.time("occurred_at")?,
            payload: row.get("payload")?,
        })
    }
}

/// A mapping's last report as a row.
struct Reported(String, LastReport);

impl FromRow for Reported {
    const TABLE: &'static str = "drift_summary";
    const KEY: &'static str = "run_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let summary: String = row.get("summary")?;
        // One that a newer Syncline wrote says nothing here, not even that all is well.
        let summary: Summary = serde_json::from_str(&summary).unwrap_or_default();
        let report = LastReport {
            run_id: row.get("run_id")?,
            summary,
            at: row.time("created_at")?,
        };
        Ok(Self(row.get("mapping")?, report))
    }
}

/// The run of a mapping that waits for a person.
struct Held(String, i64);

impl FromRow for Held {
    const TABLE: &'static str = "run";
    const KEY: &'static str = "number";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self(row.get("mapping")?, row.get("number")?))
    }
}

impl Store {
    /// Notices that fit `filter`, newest first.
    pub async fn notices(&self, filter: &NoticeFilter, page: Page) -> Result<Vec<Notice>, Error> {
        let mut found = Vec::new();
        for asked in self.asked_notices(filter.subject.as_deref()) {
            let (sql, args) = wanted(asked, filter).page(SELECT, "notice_id", page);
            found.extend(self.engine().rows::<Notice>(sql, args).await?);
        }
        Ok(newest(found, page, |notice| notice.notice_id))
    }

    /// One notice.
    pub async fn notice(&self, notice_id: i64) -> Result<Option<Notice>, Error> {
        let sql = format!("{SELECT} where notice_id = $1");
        let found = self.engine().row::<Notice>(sql, args![notice_id]).await?;
        Ok(found.filter(|notice| self.sees_notice(notice.condition, &notice.subject)))
    }

    /// The last report about everything of every mapping that has one: what changed alone says nothing about the rest.
    pub async fn last_reports(&self) -> Result<Vec<(String, LastReport)>, Error> {
        let sql = "select run_id, mapping, summary, created_at from drift_summary \
             where run_id in (select max(run_id) from drift_summary where is_whole group by mapping)";
        let reports = self.engine().rows::<Reported>(sql, args![]).await?;
        Ok(reports
            .into_iter()
            .map(|Reported(mapping, report)| (mapping, report))
            .collect())
    }

    /// The newest held run of every mapping that has one.
    pub async fn held_runs(&self) -> Result<Vec<(String, i64)>, Error> {
        let sql = "select mapping, max(run_id) as number from run where status = 'held' and mapping is not null group by mapping";
        let held = self.engine().rows::<Held>(sql, args![]).await?;
        Ok(held
            .into_iter()
            .map(|Held(mapping, run_id)| (mapping, run_id))
            .filter(|(mapping, _)| self.sees_mapping(Some(mapping)))
            .collect())
    }
}

fn wanted<'a>((subject, conditions): AskedNotice<'a>, filter: &'a NoticeFilter) -> Filter<'a> {
    let mut wanted = Filter::new();
    wanted.maybe("condition =", filter.condition);
    wanted.maybe("subject =", subject);
    if let Some(conditions) = conditions {
        wanted.raw(conditions);
    }
    if let Some(status) = filter.delivery {
        wanted.raw(match status {
            DeliveryStatus::Pending => "notice_id in (select notice_id from notice_delivery where status = 'pending')",
            DeliveryStatus::Sent => "notice_id in (select notice_id from notice_delivery where status = 'sent')",
            DeliveryStatus::Dead => "notice_id in (select notice_id from notice_delivery where status = 'dead')",
        });
    }
    wanted
}
