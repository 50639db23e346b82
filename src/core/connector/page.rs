//! Paging as a state machine: where a listing stands, what its next request carries, and whether it saw everything.
//!
//! A listing ends by itself: a position that comes again, pages that repeat one another and too many pages are errors.

use std::collections::HashSet;

use url::Url;

use super::{Place, Source, link, request::origin};
use crate::core::{
    path::Path,
    value::{Map, Value, json},
};

/// How a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging {
    /// What leads to the next page.
    pub style: Style,
    /// Where that goes by itself.
    pub send: Option<Place>,
    /// Where the number of all records is.
    pub total: Option<Source>,
    /// Where it says whether there is more.
    pub more: Option<Source>,
    /// How many pages may be asked for at once; only where their places are known beforehand: by offset or number, with a total.
    pub parallel: u32,
}

impl Paging {
    /// A listing of one page.
    pub const SINGLE: Self = Self {
        style: Style::Single,
        send: None,
        total: None,
        more: None,
        parallel: 1,
    };

    /// Whether pages are told by the places of their records: a record that goes, or moves to the end because it changed, moves
    /// another one to a place that was read already.
    #[must_use]
    pub const fn counts_places(&self) -> bool {
        matches!(self.style, Style::Offset(_) | Style::Number(_))
    }

    /// The paths of a record that lead to the next page.
    #[must_use]
    pub fn keyset(&self) -> &[Path] {
        match &self.style {
            Style::Keyset(paths) => paths,
            _ => &[],
        }
    }
}

/// What leads to the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Style {
    /// There is one page.
    Single,
    /// A cursor in the answer.
    Cursor(Source),
    /// An address in the answer.
    NextUrl(Source),
    /// The `Link` header with this relation.
    LinkHeader(String),
    /// The count of records so far, from this number on.
    Offset(u64),
    /// The count of pages so far, from this number on.
    Number(u64),
    /// Values of the last record.
    Keyset(Vec<Path>),
}

/// Where a listing stands: what the next request carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Position {
    /// At its start.
    First,
    /// Behind this cursor.
    Cursor(Value),
    /// At this address.
    Url(Url),
    /// At this count of records.
    Offset(u64),
    /// At this page.
    Number(u64),
    /// Behind the record with these values.
    Last(Map),
}

/// What was seen on one page.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The answer without its records.
    pub rest: &'a Value,
    /// Its headers, by lower-case name.
    pub headers: &'a Map,
    /// The address the page was read from.
    pub url: &'a Url,
    /// How many records it holds.
    pub count: u64,
    /// Its last record, as the system sent it.
    pub last: Option<&'a Map>,
    /// A hash over its records; equal pages have equal hashes.
    pub print: u64,
}

/// Whether a listing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There may be another page.
    More,
    /// That was the last one.
    End,
}

/// Why a listing cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The next position was there before.
    #[error("page {page} leads back to a page that was read before")]
    Loop {
        /// The page's number, from 1.
        page: u32,
    },
    /// The page is the one before it again.
    #[error("page {page} repeats the page before it")]
    NoProgress {
        /// The page's number, from 1.
        page: u32,
    },
    /// The address leads to another server.
    #[error("the next page is at `{origin}` and not at the system's own address")]
    ForeignOrigin {
        /// Scheme, host and port.
        origin: String,
    },
    /// The address is none.
    #[error("the address of the next page is not valid")]
    NotUrl,
    /// The cursor is a list or a map.
    #[error("`{path}` is a {found} and no cursor")]
    NotCursor {
        /// Where it is.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// The last record lacks a value that leads on.
    #[error("the last record has no `{path}` to go on from")]
    NoKey {
        /// Where it should be.
        path: String,
    },
    /// It says that there is more, and not where.
    #[error("`{more}` says that there is more, but nothing at `{at}` leads to it")]
    NoWay {
        /// Where it says so.
        more: String,
        /// Where what leads on should be.
        at: String,
    },
    /// There are too many pages.
    #[error("more than {max} pages")]
    TooMany {
        /// The limit.
        max: u32,
    },
}

/// One listing on its way.
#[derive(Debug, Clone)]
pub struct Pager {
    paging: Paging,
    size: Option<u64>,
    pages_max: u32,
    base: Url,
    position: Position,
    pages: u32,
    read: u64,
    total: Option<u64>,
    /// Records went away while they were counted, or came where pages are read at once, so that others moved to places that had
    /// been read already.
    is_shifted: bool,
    /// The records of the fullest page so far: what the system really puts in one.
    fullest: u64,
    previous_print: Option<u64>,
    visited: HashSet<u64>,
    is_ended: bool,
}

/// Says which form of stored text this is.
const RESUME_VERSION: i64 = 1;

impl Pager {
    /// A listing at its start. `size` is the number of records asked for in one page; `base` is the system's configured address.
    #[must_use]
    pub fn new(paging: Paging, size: Option<u64>, pages_max: u32, base: Url) -> Self {
        Self {
            paging,
            size,
            pages_max,
            base,
            position: Position::First,
            pages: 0,
            read: 0,
            total: None,
            is_shifted: false,
            fullest: 0,
            previous_print: None,
            visited: HashSet::new(),
            is_ended: false,
        }
    }

    /// Goes on where a listing stood when it gave `text` ([`Pager::resume`]). What cannot be read starts at the start.
    #[must_use]
    pub fn resumed(mut self, text: &str) -> Self {
        let limits = json::Limits {
            bytes: 64 << 10,
            ..json::Limits::default()
        };
        if let Ok(Value::Map(state)) = json::parse(text.as_bytes(), &limits) {
            self.restore(&state);
        }
        self
    }

    fn restore(&mut self, state: &Map) -> Option<()> {
        let whole = |key: &str| state.get(key).and_then(Value::as_int);
        let count = |key: &str| whole(key).and_then(|number| u64::try_from(number).ok());
        if whole("v")? != RESUME_VERSION {
            return None;
        }
        let position = match (&self.paging.style, state.get("at")?) {
            (Style::Cursor(_), cursor) if !cursor.is_structure() => Position::Cursor(cursor.clone()),
            (Style::NextUrl(_) | Style::LinkHeader(_), Value::Text(url)) => {
                Position::Url(self.own_url(&self.base, url).ok()?)
            }
            (Style::Offset(_), Value::Int(_)) => Position::Offset(count("at")?),
            (Style::Number(_), Value::Int(_)) => Position::Number(count("at")?),
            (Style::Keyset(_), Value::Map(last)) => Position::Last(last.clone()),
            _ => return None,
        };
        let (pages, read) = (u32::try_from(count("pages")?).ok()?, count("read")?);
        (self.position, self.pages, self.read) = (position, pages, read);
        // That records went away meanwhile is seen by a smaller total.
        self.total = count("total");
        Some(())
    }

    /// Where it stands, as text to be stored; `None` at the start and at the end.
    #[must_use]
    pub fn resume(&self) -> Option<String> {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let at = match &self.position {
            Position::First => return None,
            _ if self.is_ended => return None,
            Position::Cursor(cursor) => cursor.clone(),
            Position::Url(url) => Value::from(url.as_str()),
            Position::Offset(count) | Position::Number(count) => number(*count),
            Position::Last(last) => Value::Map(last.clone()),
        };
        let state = [
            ("v", Value::Int(RESUME_VERSION)),
            ("at", at),
            ("pages", number(u64::from(self.pages))),
            ("read", number(self.read)),
        ];
        let total = self.total.map(|total| ("total", number(total)));
        let state: Map = state
            .into_iter()
            .chain(total)
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        Some(json::to_string(&Value::Map(state)))
    }

    /// Where it stands.
    #[must_use]
    pub const fn position(&self) -> &Position {
        &self.position
    }

    /// The same listing at another position, for asking for that page alone.
    #[must_use]
    pub fn at(&self, position: Position) -> Self {
        Self {
            position,
            ..Self::new(self.paging.clone(), self.size, self.pages_max, self.base.clone())
        }
    }

    /// Where the pages behind the next one stand, as far as they may be asked for at once with it: as many records apart as the
    /// fullest page had, up to the total. A page that turns out to hold fewer shows that the ones behind it stand elsewhere.
    #[must_use]
    pub fn ahead(&self) -> Vec<Position> {
        let (Some(total), step @ 1..) = (self.total, self.fullest) else {
            return Vec::new();
        };
        let place = |index: u64| {
            let skipped = index.saturating_mul(step);
            let position = match self.position {
                Position::Offset(offset) => Position::Offset(offset.saturating_add(skipped)),
                Position::Number(number) => Position::Number(number.saturating_add(index)),
                _ => return None,
            };
            (self.read.saturating_add(skipped) < total).then_some(position)
        };
        (1..u64::from(self.paging.parallel)).map_while(place).collect()
    }

    /// How the listing goes on.
    #[must_use]
    pub const fn paging(&self) -> &Paging {
        &self.paging
    }

    /// What templates see as `page`.
    #[must_use]
    pub fn scope(&self) -> Value {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let mut page = Map::new();
        let mut put = |key: &str, value| page.insert(key.to_owned(), value);
        put("cursor", Value::Null);
        put("last", Value::Null);
        put("size", self.size.map_or(Value::Null, number));
        put("offset", number(self.start_offset()));
        put("number", number(self.start_number()));
        match &self.position {
            Position::First | Position::Url(_) => None,
            Position::Cursor(cursor) => put("cursor", cursor.clone()),
            Position::Offset(offset) => put("offset", number(*offset)),
            Position::Number(page) => put("number", number(*page)),
            Position::Last(last) => put("last", Value::Map(last.clone())),
        };
        Value::Map(page)
    }

    /// The value that goes where [`Paging::send`] says; `None` on a first page that needs none.
    #[must_use]
    pub fn sent(&self) -> Option<String> {
        match (&self.position, &self.paging.style) {
            (Position::Cursor(cursor), _) => cursor.to_text(),
            (Position::Offset(count) | Position::Number(count), _)
            | (Position::First, Style::Offset(count) | Style::Number(count)) => Some(count.to_string()),
            _ => None,
        }
    }

    /// Takes note of a page that was read.
    pub fn turn(&mut self, page: &Page<'_>) -> Result<Turn, PageError> {
        self.pages = self.pages.saturating_add(1);
        self.read = self.read.saturating_add(page.count);
        if let Some(total) = self
            .paging
            .total
            .as_ref()
            .and_then(|at| at.get(page.rest, page.headers))
        {
            let total = total.to_text().and_then(|text| text.parse().ok()).or(self.total);
            // Where a later page may have been read first, a record that was added can hide another one as well.
            let has_moved =
                total < self.total || (self.paging.parallel > 1 && self.total.is_some() && total > self.total);
            self.is_shifted |= self.paging.counts_places() && has_moved;
            self.total = total;
        }
        let is_repeated = page.count > 0 && self.previous_print == Some(page.print);
        if is_repeated && !matches!(self.paging.style, Style::Single) {
            return Err(PageError::NoProgress { page: self.pages });
        }
        self.previous_print = Some(page.print);
        let next = if self.says_no_more(page) {
            None
        } else {
            self.next(page)?
        };
        if next.is_none() {
            self.check_end(page)?;
        }
        self.fullest = self.fullest.max(page.count);
        let Some(next) = next else {
            self.is_ended = true;
            return Ok(Turn::End);
        };
        if self.pages >= self.pages_max {
            return Err(PageError::TooMany { max: self.pages_max });
        }
        if !self.visited.insert(print_of(&next)) {
            return Err(PageError::Loop { page: self.pages });
        }
        self.position = next;
        Ok(Turn::More)
    }

    /// Whether every record was seen, as far as the system tells: the listing ended, not short of its total, and no records
    /// went away while they were counted.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_ended && !self.is_shifted && self.total.is_none_or(|total| self.read >= total)
    }

    /// Whether records went away while they were counted, so that others were passed over.
    #[must_use]
    pub const fn is_shifted(&self) -> bool {
        self.is_shifted
    }

    /// Pages read so far.
    #[must_use]
    pub const fn pages(&self) -> u32 {
        self.pages
    }

    /// Records read so far.
    #[must_use]
    pub const fn read(&self) -> u64 {
        self.read
    }

    /// The number of all records, where the system tells it.
    #[must_use]
    pub const fn total(&self) -> Option<u64> {
        self.total
    }

    fn says_no_more(&self, page: &Page<'_>) -> bool {
        let more = self.paging.more.as_ref().and_then(|at| at.get(page.rest, page.headers));
        more.is_some_and(|more| matches!(more, Value::Bool(false) | Value::Int(0)) || more.is_empty())
    }

    /// Whether a listing may end where nothing leads on: not while it says that there is more. A wrong path would else read the
    /// first page and no other, without a word.
    fn check_end(&self, page: &Page<'_>) -> Result<(), PageError> {
        let at = match &self.paging.style {
            Style::Cursor(at) | Style::NextUrl(at) => at.to_string(),
            Style::LinkHeader(_) => "header:link".to_owned(),
            Style::Single | Style::Offset(_) | Style::Number(_) | Style::Keyset(_) => return Ok(()),
        };
        let Some(more) = &self.paging.more else { return Ok(()) };
        let says_more = match more.get(page.rest, page.headers) {
            Some(Value::Bool(says)) => *says,
            Some(Value::Int(left)) => *left > 0,
            Some(Value::Text(text)) => text.trim().eq_ignore_ascii_case("true"),
            _ => false,
        };
        if says_more {
            let more = more.to_string();
            return Err(PageError::NoWay { more, at });
        }
        Ok(())
    }

    fn next(&self, page: &Page<'_>) -> Result<Option<Position>, PageError> {
        match &self.paging.style {
            Style::Single => Ok(None),
            Style::Cursor(at) => match at.get(page.rest, page.headers) {
                None | Some(Value::Bool(false)) => Ok(None),
                Some(cursor) if cursor.is_empty() => Ok(None),
                Some(cursor) if cursor.is_structure() => Err(PageError::NotCursor {
                    path: at.to_string(),
                    found: cursor.type_name(),
                }),
                Some(cursor) => Ok(Some(Position::Cursor(cursor.clone()))),
            },
            Style::NextUrl(at) => {
                let next = at
                    .get(page.rest, page.headers)
                    .and_then(Value::as_str)
                    .filter(|text| !text.trim().is_empty());
                self.next_url(page.url, next)
            }
            Style::LinkHeader(relation) => {
                let header = page.headers.get("link").and_then(Value::as_str);
                let next = header.and_then(|header| link::target(header, relation));
                self.next_url(page.url, next)
            }
            Style::Offset(_) | Style::Number(_) | Style::Keyset(_) if self.is_last_by_count(page) => Ok(None),
            Style::Offset(_) => {
                let offset = match self.position {
                    Position::Offset(offset) => offset,
                    _ => self.start_offset(),
                };
                Ok(Some(Position::Offset(offset.saturating_add(page.count))))
            }
            Style::Number(_) => {
                let number = match self.position {
                    Position::Number(number) => number,
                    _ => self.start_number(),
                };
                Ok(Some(Position::Number(number.saturating_add(1))))
            }
            Style::Keyset(paths) => last_keys(paths, page.last).map(|last| Some(Position::Last(last))),
        }
    }

    /// Whether the count of records says that this page is the last one. The size asked for is no proof, since systems
    /// cap it in silence; the fullest page seen is what they really put in one.
    fn is_last_by_count(&self, page: &Page<'_>) -> bool {
        match self.total {
            // Behind a key, systems mostly tell the number of the records that are left.
            Some(total) if !matches!(self.paging.style, Style::Keyset(_)) => page.count == 0 || self.read >= total,
            _ => page.count < self.fullest.max(1),
        }
    }

    fn next_url(&self, from: &Url, next: Option<&str>) -> Result<Option<Position>, PageError> {
        next.map(|next| self.own_url(from, next).map(Position::Url)).transpose()
    }

    /// The address `next` leads to, seen from `from`; only where it is at the system's own origin.
    fn own_url(&self, from: &Url, next: &str) -> Result<Url, PageError> {
        let mut url = from.join(next.trim()).map_err(|_| PageError::NotUrl)?;
        let has_userinfo = !url.username().is_empty() || url.password().is_some();
        if url.origin() != self.base.origin() || has_userinfo {
            return Err(PageError::ForeignOrigin { origin: origin(&url) });
        }
        url.set_fragment(None);
        Ok(url)
    }

    const fn start_offset(&self) -> u64 {
        match self.paging.style {
            Style::Offset(first) => first,
            _ => 0,
        }
    }

    const fn start_number(&self) -> u64 {
        match self.paging.style {
            Style::Number(first) => first,
            _ => 1,
        }
    }
}

fn last_keys(paths: &[Path], last: Option<&Map>) -> Result<Map, PageError> {
    let mut keys = Map::new();
    for path in paths {
        let no_key = || PageError::NoKey { path: path.to_string() };
        let value = last.and_then(|last| path.get_in(last)).filter(|value| !value.is_null());
        path.set_in(&mut keys, value.ok_or_else(no_key)?.clone())
            .map_err(|_| no_key())?;
    }
    Ok(keys)
}

fn print_of(position: &Position) -> u64 {
    let (tag, text) = match position {
        Position::First => (0, String::new()),
        Position::Cursor(cursor) => (1, json::to_string(cursor)),
        Position::Url(url) => (2, url.to_string()),
        Position::Offset(count) | Position::Number(count) => (3, count.to_string()),
        Position::Last(last) => (4, json::to_string(&Value::Map(last.clone()))),
    };
    print([&[tag], text.as_bytes()])
}

/// So much of the first records of a page, and of its last ones, tells it from the page before: a record is on one page only.
const TELLING_BYTES: usize = 8 << 10;

/// A hash of the records of a page as they came, for [`Page::print`].
pub fn print_of_records(records: &[u8]) -> u64 {
    let first = records.get(..TELLING_BYTES).unwrap_or(records);
    let last = records
        .len()
        .checked_sub(TELLING_BYTES)
        .and_then(|start| records.get(start..));
    let length = records.len().to_le_bytes();
    print([length.as_slice(), first, last.unwrap_or(records)])
}

/// A hash of these pieces. Not keyed: it lives no longer than the listing.
pub fn print<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for piece in pieces {
        hasher.update(&u64::try_from(piece.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(piece);
    }
    let half = hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(half)
}
