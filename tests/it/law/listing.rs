//! Listings of a system whose records come and go while they are read.

use std::collections::BTreeSet;

use syncline::core::{
    connector::{
        Source,
        page::{Page, Pager, Paging, Style, Turn, print},
    },
    path::Path,
    value::{Map, Value},
};
use url::Url;

use crate::support::rig::{Budget, Chance};

/// What changes between two pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unrest {
    Inserts,
    Deletes,
    Both,
}

/// How the system pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Keyset,
    Cursor,
    Offset,
    Number,
}

impl Way {
    fn paging(self) -> Paging {
        let path = |text: &str| Path::parse(text).unwrap();
        Paging {
            style: match self {
                Self::Keyset => Style::Keyset(vec![path("id")]),
                Self::Cursor => Style::Cursor(Source::Path(path("next"))),
                Self::Offset => Style::Offset(0),
                Self::Number => Style::Number(1),
            },
            send: None,
            total: matches!(self, Self::Offset | Self::Number).then(|| Source::Path(path("total"))),
            more: None,
            parallel: 1,
        }
    }
}

struct Listed {
    seen: BTreeSet<u64>,
    /// Records that were there all the time.
    stable: BTreeSet<u64>,
    is_complete: bool,
}

const SIZE: usize = 5;

fn list(way: Way, unrest: Unrest, chance: &mut Chance) -> Listed {
    let mut records = (0..chance.below(40)).map(|number| number * 10).collect::<BTreeSet<_>>();
    let mut listed = Listed {
        seen: BTreeSet::new(),
        stable: records.clone(),
        is_complete: false,
    };
    let url = Url::parse("https://a.example/api").unwrap();
    let mut pager = Pager::new(way.paging(), Some(5), 1_000, url.clone());
    loop {
        let sent = pager.sent().and_then(|text| text.parse::<usize>().ok());
        let last = pager.scope();
        let last = Path::parse("last.id").unwrap().get(&last).and_then(Value::as_int);
        let behind = |after: Option<u64>| {
            let page = records.iter().filter(|id| after.is_none_or(|after| **id > after));
            page.take(SIZE).copied().collect::<Vec<_>>()
        };
        let page = match way {
            Way::Keyset => behind(last.map(i64::cast_unsigned)),
            Way::Cursor => behind(sent.map(|sent| sent as u64)),
            Way::Offset => records.iter().skip(sent.unwrap_or(0)).take(SIZE).copied().collect(),
            Way::Number => records
                .iter()
                .skip((sent.unwrap_or(1) - 1) * SIZE)
                .take(SIZE)
                .copied()
                .collect(),
        };
        let next = page.last().filter(|last| records.range(*last + 1..).next().is_some());
        let rest = serde_json::json!({ "next": next.map(ToString::to_string), "total": records.len() });
        let last = page
            .last()
            .map(|id| Map::from_iter([("id".to_owned(), Value::Int(id.cast_signed()))]));
        let bytes = page.iter().map(|id| id.to_le_bytes()).collect::<Vec<_>>();
        let turn = pager.turn(&Page {
            rest: &Value::from(rest),
            headers: &Map::new(),
            url: &url,
            count: page.len() as u64,
            last: last.as_ref(),
            print: print(bytes.iter().map(<[u8; 8]>::as_slice)),
        });
        listed.seen.extend(&page);
        match turn {
            Ok(Turn::More) => {}
            Ok(Turn::End) => break,
            // A page that repeats the one before it: told as an error, and no listing is taken for complete.
            Err(_) => return listed,
        }
        for _ in 0..chance.below(3) {
            let number = chance.below(400);
            if unrest != Unrest::Deletes && chance.percent(50) {
                records.insert(number);
            } else if unrest != Unrest::Inserts
                && let Some(id) = records.range(number..).next().copied()
            {
                records.remove(&id);
                listed.stable.remove(&id);
            }
        }
    }
    listed.is_complete = pager.is_complete();
    listed
}

#[test]
fn a_listing_by_key_or_cursor_misses_no_record_that_was_there_all_the_time() {
    let mut budget = Budget::new(3_000, 1_000_000);
    let mut chance = budget.chance();
    while budget.goes_on() {
        for way in [Way::Keyset, Way::Cursor] {
            let listed = list(way, Unrest::Both, &mut chance);
            assert!(listed.is_complete, "{way:?}");
            let missed = listed.stable.difference(&listed.seen).collect::<Vec<_>>();
            assert!(missed.is_empty(), "{way:?} {missed:?}; {}", budget.replay());
        }
    }
}

#[test]
fn a_listing_by_count_that_missed_a_record_is_never_taken_for_complete() {
    let mut budget = Budget::new(3_000, 1_000_000);
    let mut chance = budget.chance();
    let mut complete = 0;
    while budget.goes_on() {
        for way in [Way::Offset, Way::Number] {
            for unrest in [Unrest::Inserts, Unrest::Deletes] {
                let listed = list(way, unrest, &mut chance);
                let missed = listed.stable.difference(&listed.seen).collect::<Vec<_>>();
                complete += u64::from(listed.is_complete);
                assert!(
                    missed.is_empty() || !listed.is_complete,
                    "{way:?} {unrest:?} {missed:?}; {}",
                    budget.replay()
                );
            }
        }
    }
    assert!(complete > budget.done(), "most listings are complete: {complete}");
}
