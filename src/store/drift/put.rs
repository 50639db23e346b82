//! Storing differences, and what became of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{place, place_row};
use crate::{
    core::status::{Cause, DriftOutcome, Side, Situation},
    store::{
        Context,
        bulk::Bulk,
        engine::{Tx, args, int},
        error::Error,
    },
};

/// One difference found: a record, or a field of a pair.
#[derive(Debug, Clone)]
pub struct NewDrift {
    /// The run that found it.
    pub run_id: i64,
    /// The mapping.
    pub mapping: Arc<str>,
    /// What was found.
    pub situation: Situation,
    /// Why.
    pub cause: Cause,
    /// The field that differs; none for what concerns the whole record.
    pub field: Option<String>,
    /// Id of the left record.
    pub left_id: Option<String>,
    /// Id of the right record.
    pub right_id: Option<String>,
    /// The left value, as it is shown.
    pub left_value: Option<String>,
    /// The right value, as it is shown.
    pub right_value: Option<String>,
    /// Whether the values are kept sealed and shown by role.
    pub sensitive: bool,
    /// When it was first seen; none for now.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// How many runs in a row have found it, this one included.
    pub age_runs: u32,
    /// The side that changed last.
    pub last_changed_side: Option<Side>,
    /// What became of it.
    pub outcome: DriftOutcome,
    /// A remark.
    pub note: Option<String>,
    /// The failure that explains it.
    pub failure_id: Option<i64>,
    /// The event that tells of the change.
    pub event_id: Option<i64>,
}

/// Stores items.
pub(in crate::store) async fn add(tx: &mut Tx, context: &Context<'_>, items: &[&NewDrift]) -> Result<(), Error> {
    const ADD: Bulk = Bulk {
        head: "insert into drift (run_id, mapping, situation, cause, field, left_id, right_id, left_value, \
               right_value, left_sealed, right_sealed, sensitive, first_seen_at, age_runs, last_changed_side, \
               outcome, note, failure_id, event_id)",
        tail: "",
    };
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let row = place_row(
            item.run_id,
            item.left_id.as_deref(),
            item.right_id.as_deref(),
            item.field.as_deref(),
        );
        let seal = |column, value| context.sealer.seal_text(place(column, &row), value);
        let (shown, sealed) = if item.sensitive {
            let sealed = (
                seal("left_sealed", item.left_value.as_deref())?,
                seal("right_sealed", item.right_value.as_deref())?,
            );
            ((&None, &None), sealed)
        } else {
            ((&item.left_value, &item.right_value), (None, None))
        };
        rows.push(args![
            item.run_id,
            &item.mapping,
            item.situation,
            item.cause,
            &item.field,
            &item.left_id,
            &item.right_id,
            shown.0,
            shown.1,
            sealed.0,
            sealed.1,
            item.sensitive,
            item.first_seen_at.map_or(context.now, |time| time.timestamp_millis()),
            int(item.age_runs),
            item.last_changed_side,
            item.outcome,
            &item.note,
            item.failure_id,
            item.event_id,
        ]);
    }
    ADD.execute(tx, rows).await?;
    Ok(())
}

/// What became of the items of a pair, once its repair was tried.
#[derive(Debug, Clone)]
pub struct SettledDrift {
    /// The run that found them.
    pub run_id: i64,
    /// Id of the left record.
    pub left_id: Option<String>,
    /// Id of the right record.
    pub right_id: Option<String>,
    /// What became of them.
    pub outcome: DriftOutcome,
    /// A remark.
    pub note: Option<String>,
}

/// Stores what became of items.
pub(in crate::store) async fn settle(tx: &mut Tx, items: &[&SettledDrift]) -> Result<(), Error> {
    const BY_LEFT: Bulk = Bulk {
        head: "update drift set outcome = v.column3, note = coalesce(v.column4, drift.note) from (",
        tail: ") as v where drift.run_id = v.column1 and drift.left_id = v.column2 and drift.outcome <> 'ignored'",
    };
    const BY_RIGHT: Bulk = Bulk {
        head: "update drift set outcome = v.column3, note = coalesce(v.column4, drift.note) from (",
        tail: ") as v where drift.run_id = v.column1 and drift.left_id is null and drift.right_id = v.column2 \
               and drift.outcome <> 'ignored'",
    };
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for item in items {
        match (&item.left_id, &item.right_id) {
            (Some(id), _) => left.push(args![item.run_id, id, item.outcome, &item.note]),
            (None, Some(id)) => right.push(args![item.run_id, id, item.outcome, &item.note]),
            (None, None) => {}
        }
    }
    BY_LEFT.execute(tx, left).await?;
    BY_RIGHT.execute(tx, right).await?;
    Ok(())
}
