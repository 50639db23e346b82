//! The CRM's listings: cursors that say where to go on, so a record that moves shifts no page.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use url::form_urlencoded;

use crate::sandbox::refusal::{Reason, Refusal};
use crate::sandbox::table::{Entity, Row, Selection, Table};

/// How many records a listing gives when it is not told.
const LIMIT_DEFAULT: usize = 100;

/// Where a page begins: after this record, in the listing's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cursor {
    /// By id.
    Id { after: u64 },
    /// By time, from a lower bound; times in microseconds since 1970.
    Time { since: i64, after: i64, number: u64 },
}

impl Cursor {
    fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(match self {
            Self::Id { after } => format!("i:{after}"),
            Self::Time { since, after, number } => format!("m:{since}:{after}:{number}"),
        })
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let mut parts = std::str::from_utf8(&bytes).ok()?.split(':');
        let kind = parts.next()?;
        let cursor = match kind {
            "i" => Self::Id {
                after: parts.next()?.parse().ok()?,
            },
            "m" => Self::Time {
                since: parts.next()?.parse().ok()?,
                after: parts.next()?.parse().ok()?,
                number: parts.next()?.parse().ok()?,
            },
            _ => return None,
        };
        parts.next().is_none().then_some(cursor)
    }
}

/// What a listing was asked for.
pub(super) struct Wanted {
    limit: usize,
    since: Option<i64>,
    cursor: Option<Cursor>,
    filters: Vec<(&'static str, String)>,
}

impl Wanted {
    /// Reads the query; what nobody knows is refused.
    pub(super) fn parse<E: Entity>(query: Option<String>, page_max: usize) -> Result<Self, Refusal> {
        let mut wanted = Self {
            limit: LIMIT_DEFAULT,
            since: None,
            cursor: None,
            filters: Vec::new(),
        };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            wanted.set::<E>(&name, &value)?;
        }
        wanted.limit = wanted.limit.clamp(1, page_max);
        // The cursor knows the lower bound its listing began with.
        if let Some(Cursor::Time { since, .. }) = wanted.cursor {
            wanted.since = Some(since);
        }
        Ok(wanted)
    }

    fn set<E: Entity>(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let invalid = |what: &str| Refusal::field(Reason::Invalid, name, format!("`{value}` is not {what}"));
        match name {
            "limit" => self.limit = value.parse().map_err(|_| invalid("a number"))?,
            "modified_since" => {
                let at = DateTime::parse_from_rfc3339(value).map_err(|_| invalid("a timestamp with zone"))?;
                self.since = Some(at.timestamp_micros());
            }
            "cursor" => {
                let message = "the cursor was not given by this system";
                let cursor = Cursor::decode(value).ok_or_else(|| Refusal::new(Reason::InvalidCursor, message))?;
                self.cursor = Some(cursor);
            }
            other => {
                let known = E::FILTERS.iter().find(|known| **known == other);
                let message = format!("{} cannot be listed by `{other}`", E::PATH);
                let known = known.ok_or_else(|| Refusal::field(Reason::UnknownParameter, other, message))?;
                self.filters.push((known, value.to_owned()));
            }
        }
        Ok(())
    }
}

/// A page of a listing.
pub(super) struct Page<E> {
    rows: Vec<Arc<Row<E>>>,
    next: Option<Cursor>,
    again: Cursor,
}

impl<E: Entity> Page<E> {
    pub(super) fn of(table: &Table<E>, wanted: &Wanted) -> Self {
        let selection = table.select(&wanted.filters, wanted.since);
        let again = wanted.cursor.unwrap_or(match selection {
            Selection::Since(since) => Cursor::Time {
                since,
                after: i64::MIN,
                number: 0,
            },
            Selection::All | Selection::Found(_) => Cursor::Id { after: 0 },
        });
        let position = match again {
            Cursor::Id { after } => table.position_after(&selection, i64::MIN, after),
            Cursor::Time { after, number, .. } => table.position_after(&selection, after, number),
        };
        let rows = table.page(&selection, position, wanted.limit);
        let is_last = position.saturating_add(rows.len()) >= table.count(&selection);
        let last = rows.last().filter(|_| !is_last);
        let next = last.map(|row| match selection {
            Selection::Since(since) => Cursor::Time {
                since,
                after: row.entity.updated().timestamp_micros(),
                number: row.entity.number(),
            },
            Selection::All | Selection::Found(_) => Cursor::Id {
                after: row.entity.number(),
            },
        });
        Self { rows, next, again }
    }

    /// The next page is this page.
    pub(super) fn repeat(&mut self) {
        self.next = Some(self.again);
    }

    /// The listing ends here, with half of what there is, or with nothing.
    pub(super) fn cut(&mut self, kept: impl Fn(usize) -> usize) {
        self.rows.truncate(kept(self.rows.len()));
        self.next = None;
    }

    /// Joins the records' texts: nothing is made anew for a page.
    pub(super) fn json(&self) -> String {
        let size: usize = self.rows.iter().map(|row| row.json.len() + 1).sum();
        let mut text = String::with_capacity(size + 120);
        text.push_str("{\"items\":[");
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&row.json);
        }
        text.push_str("],\"meta\":{\"next\":");
        match self.next {
            Some(cursor) => text.extend(["\"", &cursor.encode(), "\""]),
            None => text.push_str("null"),
        }
        text.push_str("}}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were_given_and_others_are_refused() {
        let time = Cursor::Time {
            since: -5,
            after: i64::MIN,
            number: 7,
        };
        for cursor in [Cursor::Id { after: 124 }, time] {
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
        for text in ["", "x", "aToxMjQ6", "aTotMQ", "€"] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}
