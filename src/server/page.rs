//! Lists come in pages: newest first, with an opaque cursor to the next page.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::error::{Problem, Result};
use crate::store;

/// How many items a page has where nothing is said.
const LIMIT_DEFAULT: u32 = 50;
/// The most items of one page.
pub const LIMIT_MAX: u32 = 500;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The cursor of the next page; null at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The same page of something else.
    #[must_use]
    pub fn map<V>(self, view: impl Fn(T) -> V) -> Page<V> {
        Page {
            items: self.items.into_iter().map(view).collect(),
            next: self.next,
        }
    }
}

/// Which page is asked for; part of the query of every list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    limit: u32,
    before: Option<i64>,
}

impl Wanted {
    /// Reads `limit` and `cursor` of a query.
    pub fn of(limit: Option<u32>, cursor: Option<&str>) -> Result<Self> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if limit == 0 || limit > LIMIT_MAX {
            return Err(Problem::invalid(format!("`limit` is from 1 to {LIMIT_MAX}")));
        }
        let before = cursor.map(decode).transpose()?;
        Ok(Self { limit, before })
    }

    /// As the store asks for it: one item more than wanted tells whether there is a next page.
    #[must_use]
    pub const fn page(&self) -> store::Page {
        store::Page {
            before: self.before,
            limit: self.limit + 1,
        }
    }

    /// The page made of what the store found.
    #[must_use]
    pub fn of_items<T, V>(&self, found: Vec<T>, id: impl Fn(&T) -> i64, view: impl Fn(T) -> V) -> Page<V> {
        let limit = self.limit as usize;
        let has_more = found.len() > limit;
        let next = found
            .get(limit.saturating_sub(1))
            .filter(|_| has_more)
            .map(|last| encode(id(last)));
        Page {
            items: found.into_iter().take(limit).map(view).collect(),
            next,
        }
    }
}

fn encode(id: i64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(id.to_string())
}

fn decode(cursor: &str) -> Result<i64> {
    BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok())
        .ok_or_else(|| Problem::invalid("`cursor` is none that a page of this list has given"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_next_one_only_where_there_is_one() {
        let wanted = Wanted::of(Some(2), None).unwrap();
        let page = wanted.of_items(vec![9, 8, 7], |id| *id, |id| id);
        assert_eq!(page.items, [9, 8]);
        let next = Wanted::of(Some(2), page.next.as_deref()).unwrap();
        assert_eq!(next.page().before, Some(8));
        assert_eq!(next.of_items(vec![7, 6], |id| *id, |id| id).next, None);
    }

    #[test]
    fn strange_limits_and_cursors_are_refused() {
        assert!(Wanted::of(Some(0), None).is_err());
        assert!(Wanted::of(Some(LIMIT_MAX + 1), None).is_err());
        for cursor in ["", "!", "8", "YWJj"] {
            assert!(Wanted::of(None, Some(cursor)).is_err(), "{cursor}");
        }
    }
}
