//! What came in, minute by minute, and how long it took: counted by the database, so that it does not matter how much it is.

use std::{fmt::Write as _, sync::LazyLock};

use crate::{
    core::spread::BOUNDS,
    store::{
        Store,
        engine::{FromRow, Row, Unread, args},
        error::Error,
    },
};

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// Events of one system and minute that took about as long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMinute {
    /// The system that sent them.
    pub system: String,
    /// The minute they were stored in, since 1970-01-01T00:00:00Z.
    pub minute: i64,
    /// From receipt until the effect was done, as a bucket of [`BOUNDS`]; none where it is not done.
    pub done: Option<usize>,
    /// How long processing took, as a bucket of [`BOUNDS`]; none where it was not processed.
    pub processing: Option<usize>,
    /// How many.
    pub count: u64,
}

impl FromRow for EventMinute {
    const TABLE: &'static str = "event";
    const KEY: &'static str = "system";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let bucket = |column: &str| {
            let bucket = row.get::<Option<i64>>(column)?;
            Ok(bucket.and_then(|bucket| usize::try_from(bucket).ok()))
        };
        Ok(Self {
            system: row.get("system")?,
            minute: row.get("minute")?,
            done: bucket("done")?,
            processing: bucket("processing")?,
            count: row.count("number")?,
        })
    }
}

static COUNTED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "select system, received_at / {MINUTE} as minute, {} as done, {} as processing, count(*) as number from event \
         where received_at >= $1 and received_at < $2 group by system, minute, done, processing order by minute, system",
        bucket("status <> 'done' or processed_at is null", "processed_at - received_at"),
        bucket("processing_ms is null", "processing_ms"),
    )
});

/// The place of a length in [`BOUNDS`], as SQL.
fn bucket(is_none: &str, length: &str) -> String {
    let mut sql = format!("cast(case when {is_none} then null");
    for (place, bound) in BOUNDS.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(sql, " when {length} <= {bound} then {place}");
    }
    let _ = write!(sql, " else {} end as bigint)", BOUNDS.len());
    sql
}

impl Store {
    /// Events that were stored from one minute until before another, counted since 1970-01-01T00:00:00Z.
    pub async fn event_minutes(&self, from: i64, to: i64) -> Result<Vec<EventMinute>, Error> {
        let args = args![from.saturating_mul(MINUTE), to.saturating_mul(MINUTE)];
        self.engine().rows(COUNTED.as_str(), args).await
    }
}
