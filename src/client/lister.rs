//! Reading a listing page by page; the next page is on its way while the caller works on this one, and so are those behind it
//! where the connector says that pages may be read at once. They are taken in order, so that what follows from a page (where the
//! next one stands, whether the listing is complete) does not depend on when it came.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;

use super::{
    budget::Road,
    exchange::{Errand, Records, Refused, Reply},
    meter, part,
    system::Inner,
    verdict::Elements,
};
use crate::core::{
    connector::{
        List, Object,
        answer::{Purpose, Taken, take},
        page::{self, Pager, Position, Turn},
        request::Call,
    },
    fault::Fault,
    newcomer::Names,
    path::{Path, Segment},
    record::Record,
    status::{FailureClass, Stage},
    value::{
        Map, Value,
        json::{self, Look},
        projection::Projection,
    },
};

/// What is to be listed.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Only records changed at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// What is wanted of each record; everything where nothing is said.
    pub projection: Option<Projection>,
    /// Where an earlier listing stood ([`Page::resume`]).
    pub resume: Option<String>,
    /// That the names of all members are wanted as well, of some records of each page; and of members that this leads through,
    /// those of their own members.
    pub names: Option<Projection>,
}

/// One page.
#[derive(Debug)]
pub struct Page {
    /// Its records.
    pub records: Vec<Record>,
    /// Where the listing stands behind it; `None` at the end, and where that cannot be stored.
    pub resume: Option<String>,
    /// The names of members, where they were asked for.
    pub names: Names,
}

/// So many records are watched for coming twice: 8 bytes each.
const WATCHED_MAX: usize = 1_000_000;
/// Of so many records of the first page names are looked at, and of so many of each further one.
const LOOKED_AT_FIRST: usize = 1_000;
const LOOKED_AT: usize = 10;
/// So many lists are named where the records are not at the path that the connector says …
const LISTS_TOLD_MAX: usize = 3;
/// … and so many maps they may be in.
const LISTS_DEPTH_MAX: usize = 2;

type Read = Result<Box<Fetched>, Box<Fault>>;

/// A listing under way.
pub struct Lister {
    reader: Option<Reader>,
    /// Pages on their way, in the order in which they follow one another.
    coming: VecDeque<(Position, JoinHandle<Read>)>,
    failed: Option<Fault>,
    is_complete: bool,
    is_shifted: bool,
    /// The ids of what came, where one that comes twice shows that another one was passed over: in a list of changes whose pages
    /// are told by places, what changes while they are read moves to the end.
    watched: Option<(RandomState, HashSet<u64>)>,
}

impl Lister {
    /// A listing that fails at its first page.
    pub(super) const fn failing(fault: Fault) -> Self {
        Self {
            reader: None,
            coming: VecDeque::new(),
            failed: Some(fault),
            is_complete: false,
            is_shifted: false,
            watched: None,
        }
    }

    pub(super) fn start(reader: Reader) -> Self {
        let is_watched = reader.asked.since.is_some() && reader.pager.paging().counts_places();
        let mut lister = Self {
            reader: None,
            coming: VecDeque::new(),
            failed: None,
            is_complete: false,
            is_shifted: false,
            watched: is_watched.then(Default::default),
        };
        lister.look_ahead(&reader);
        lister.reader = Some(reader);
        lister
    }

    /// The next page; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Page>, Fault> {
        if let Some(fault) = self.failed.take() {
            return Err(fault);
        }
        let (Some(mut reader), Some((_, task))) = (self.reader.take(), self.coming.pop_front()) else {
            return Ok(None);
        };
        let broken = || Fault::new("RQ030", FailureClass::Bug, Stage::Fetch, "the listing broke off");
        let read = task.await.map_err(|_| broken())?;
        let turned = read.and_then(|fetched| reader.turn(*fetched).map_err(|refused| Box::new(refused.fault)));
        let (page, _) = turned.map_err(|fault| {
            self.give_up();
            *fault
        })?;
        self.is_shifted |= reader.pager.is_shifted() || self.comes_again(&page.records);
        if reader.is_ended {
            self.is_complete = reader.pager.is_complete();
            self.give_up();
        } else {
            self.look_ahead(&reader);
            self.reader = Some(reader);
        }
        Ok(Some(page))
    }

    /// Whether a record came before; takes note of those that come now.
    fn comes_again(&mut self, records: &[Record]) -> bool {
        let Some((hasher, seen)) = self.watched.as_mut().filter(|(_, seen)| seen.len() < WATCHED_MAX) else {
            return false;
        };
        let known = seen.len();
        seen.extend(records.iter().map(|record| hasher.hash_one(&record.id)));
        seen.len() < known + records.len()
    }

    /// Whether records changed places while they were read, so that others were passed over.
    #[must_use]
    pub const fn is_shifted(&self) -> bool {
        self.is_shifted
    }

    /// Whether every record was seen, as far as the system tells; known at the end.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Asks for the next page, and for those behind it that may be asked for at once. What was asked for and stands elsewhere
    /// than the page before it leads to is of no use.
    fn look_ahead(&mut self, reader: &Reader) {
        let next = std::iter::once(reader.pager.position().clone());
        let wanted: Vec<Position> = next.chain(reader.pager.ahead()).collect();
        if !self
            .coming
            .iter()
            .zip(&wanted)
            .all(|((coming, _), wanted)| coming == wanted)
        {
            self.give_up();
        }
        for position in wanted.into_iter().skip(self.coming.len()) {
            let (asked, pager) = (Arc::clone(&reader.asked), reader.pager.at(position.clone()));
            let fetch = async move {
                let fetched = asked.fetch(&pager).await;
                fetched.map(Box::new).map_err(|refused| Box::new(refused.fault))
            };
            self.coming.push_back((position, tokio::spawn(meter::carry(fetch))));
        }
    }

    fn give_up(&mut self) {
        for (_, task) in self.coming.drain(..) {
            task.abort();
        }
    }
}

impl Drop for Lister {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// What a listing asks for, whichever page it is.
pub(super) struct Asked {
    pub(super) system: Arc<Inner>,
    pub(super) object: String,
    pub(super) since: Option<DateTime<Utc>>,
    pub(super) projection: Projection,
    /// The ids of the records whose parts are listed, where it is they.
    pub(super) of_parents: Option<Value>,
    pub(super) names: Option<Projection>,
    pub(super) road: Road,
}

/// Reads the pages of one listing.
pub(super) struct Reader {
    pub(super) asked: Arc<Asked>,
    pub(super) pager: Pager,
    pub(super) is_ended: bool,
}

/// One page as it was read, wherever it stands.
pub(super) struct Fetched {
    records: Vec<Record>,
    reply: Reply,
    last: Option<Map>,
    print: u64,
    names: Names,
}

impl Reader {
    /// The next page, and the answer it came with.
    pub(super) async fn fetch(&mut self) -> Result<(Page, Reply), Refused> {
        let fetched = self.asked.fetch(&self.pager).await?;
        self.turn(fetched)
    }

    /// Takes note of the next page.
    fn turn(&mut self, fetched: Fetched) -> Result<(Page, Reply), Refused> {
        let Fetched {
            records,
            reply,
            last,
            print,
            names,
        } = fetched;
        let turn = self.pager.turn(&page::Page {
            rest: &reply.body,
            headers: &reply.headers,
            url: &reply.url,
            count: records.len() as u64,
            last: last.as_ref(),
            print,
        });
        let Asked { system, object, .. } = &*self.asked;
        self.is_ended = turn.map_err(|error| system.bad_answer(object, &error.to_string()))? == Turn::End;
        // Some systems repeat a key in the address of the next page; it is not stored.
        let secrets = system.exchange.auth.secrets();
        let resume = self.pager.resume().filter(|resume| !secrets.are_in(resume));
        let page = Page { records, resume, names };
        Ok((page, reply))
    }
}

impl Asked {
    /// The records of an answer.
    fn elements(&self, list: &List, records: Records<'_>, reply: &mut Reply) -> Result<Elements, Refused> {
        if let Some(elements) = reply.elements.take() {
            return Ok(elements);
        }
        if list.may_lack_records && reply.raw.is_blank() {
            return Ok(Elements::default());
        }
        let broken = |message: String| self.system.bad_answer(&self.object, &message);
        let limits = json::Limits {
            bytes: reply.raw.body.len().max(1),
            depth: self.system.exchange.depth_max,
            ..json::Limits::default()
        };
        // An answer that only a rule of the connector calls a good one.
        let (elements, rest) =
            Elements::split(&reply.raw.body, records, &limits).map_err(|error| broken(error.to_string()))?;
        reply.body = rest;
        match elements {
            Some(elements) => Ok(elements),
            None if list.may_lack_records => Ok(Elements::default()),
            None => Err(broken(format!(
                "there is no list at `{}`{}",
                list.records,
                lists_of(&reply.body)
            ))),
        }
    }

    /// The listing, and the request of the page where this pager stands.
    fn call<'o>(&self, object: &'o Object, pager: &Pager) -> Result<(&'o List, Call), Refused> {
        let system = &self.system;
        if let Some(ids) = &self.of_parents {
            let list = object.of_parents.as_ref();
            let list = list.ok_or_else(|| system.unable(&self.object, "of_parents"))?;
            return Ok((list, system.with_context(|context| context.list_of(list, ids, pager))?));
        }
        let list = object
            .listing(self.since.is_some())
            .ok_or_else(|| system.unable(&self.object, "list"))?;
        Ok((
            list,
            system.with_context(|context| context.list(list, self.since, pager))?,
        ))
    }

    /// The page where this pager stands.
    async fn fetch(&self, pager: &Pager) -> Result<Fetched, Refused> {
        let system = &self.system;
        let object = system.object(&self.object)?;
        let (list, call) = self.call(object, pager)?;
        // What stands around a record is not projected: it is known where the record is, not what else leads on.
        let whole = Projection::all();
        let column = |path: &Path| match path.segments() {
            [Segment::Key(key)] => Some(key.to_string()),
            _ => None,
        };
        let columns: Vec<String> = object.id.iter().filter_map(column).collect();
        let records = Records {
            columns: &columns,
            path: &list.records,
            wanted: if list.record.is_whole() {
                &self.projection
            } else {
                &whole
            },
            look: self.look(list, pager),
        };
        let errand = Errand {
            purpose: Purpose::List,
            object: &self.object,
            road: self.road,
            records: Some(records),
        };
        let mut reply = system.exchange.call(errand, call).await?;
        let Elements { values, print, names } = self.elements(list, records, &mut reply)?;
        // It may wait in line for the pages before it.
        reply.raw.body = Vec::new();
        let has_keyset = !list.paging.keyset().is_empty();
        let last = values.last().filter(|_| has_keyset).and_then(Value::as_map).cloned();
        let broken = |message: String| system.bad_answer(&self.object, &message);
        let mut records = Vec::with_capacity(values.len());
        let dialect = system.dialect();
        for value in values {
            let Ok(Taken::Found(fields)) = take(value, &list.record) else {
                return Err(broken(format!("`{}` holds something that is no record", list.records)));
            };
            // Headers belong to the page, not to one of its records.
            let record = object
                .record(fields, &Map::new(), &dialect)
                .map_err(|error| broken(error.to_string()))?;
            records.push(record);
        }
        if self.of_parents.is_none() {
            part::embed(system, object, &mut records, Some(&self.projection), self.road).await?;
        }
        Ok(Fetched {
            records,
            reply,
            last,
            print,
            names,
        })
    }

    /// The names that are wanted of a page. A database answers the columns that it is asked for, whatever else there is.
    fn look<'a>(&'a self, list: &'a List, pager: &Pager) -> Option<Look<'a>> {
        let within = self.names.as_ref()?;
        let items = match pager.position() {
            Position::First => LOOKED_AT_FIRST,
            _ => LOOKED_AT,
        };
        self.system.exchange.transport.sql().is_none().then_some(Look {
            items,
            record: &list.record,
            within,
        })
    }
}

/// Where lists stand in an answer, for whoever looks for the one with the records.
fn lists_of(answer: &Value) -> String {
    let mut found = Vec::new();
    let mut open = VecDeque::from([(String::new(), answer)]);
    while let Some((path, value)) = open.pop_front() {
        for (name, member) in value.as_map().into_iter().flatten() {
            let is_word = !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            if !is_word || name.len() > 40 {
                continue;
            }
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match member {
                Value::List(_) if found.len() < LISTS_TOLD_MAX => found.push(format!("`{path}`")),
                Value::Map(_) if path.matches('.').count() < LISTS_DEPTH_MAX => open.push_back((path, member)),
                _ => {}
            }
        }
    }
    match found.as_slice() {
        [] => String::new(),
        [one] => format!("; there is one at {one}"),
        more => format!("; there are some at {}", more.join(", ")),
    }
}
