//! The columns of a list of differences, the same in every table.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::report::item::View;

/// What stands in a cell.
pub(super) enum Cell<'a> {
    /// Text, which may come from outside.
    Text(Cow<'a, str>),
    /// A number of our own.
    Number(i64),
    /// A time of our own.
    Time(DateTime<Utc>),
    /// Nothing.
    Empty,
}

impl Cell<'_> {
    /// As text, before anything is guarded.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Time(at) => Cow::Owned(time(*at)),
            Self::Empty => Cow::Borrowed(""),
        }
    }
}

/// A time to the second, in UTC.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Name, width in a spreadsheet, and what stands in it.
pub(super) type Column = (&'static str, u32, fn(&View) -> Cell<'_>);

/// The names are those of the API's items.
pub(super) const COLUMNS: [Column; 19] = [
    ("drift_id", 9, |item| Cell::Number(item.drift_id)),
    ("run_id", 8, |item| Cell::Number(item.run_id)),
    ("mapping", 20, |item| text(&item.mapping)),
    ("situation", 15, |item| text(item.situation.as_str())),
    ("cause", 20, |item| text(item.cause.as_str())),
    ("field", 18, |item| maybe(item.field.as_ref())),
    ("left_id", 14, |item| maybe(item.left_id.as_ref())),
    ("right_id", 14, |item| maybe(item.right_id.as_ref())),
    ("left_value", 28, |item| maybe(item.left_value.as_ref())),
    ("right_value", 28, |item| maybe(item.right_value.as_ref())),
    ("last_changed_side", 16, |item| {
        item.last_changed_side.map_or(Cell::Empty, |side| text(side.as_str()))
    }),
    ("first_seen_at", 20, |item| Cell::Time(item.first_seen_at)),
    ("age_runs", 9, |item| Cell::Number(i64::from(item.age_runs))),
    ("outcome", 10, |item| text(item.outcome.as_str())),
    ("note", 50, |item| maybe(item.note.as_ref())),
    ("failure_id", 10, |item| number(item.failure_id)),
    ("event_id", 10, |item| number(item.event_id)),
    ("cause_run_id", 12, |item| number(item.cause_run_id)),
    ("sensitive", 9, |item| text(if item.sensitive { "yes" } else { "no" })),
];

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn maybe(text: Option<&String>) -> Cell<'_> {
    text.map_or(Cell::Empty, |text| Cell::Text(Cow::Borrowed(text)))
}

fn number<'a>(number: Option<i64>) -> Cell<'a> {
    number.map_or(Cell::Empty, Cell::Number)
}
