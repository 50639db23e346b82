//! Reading one page of a listing: its request, the records in its answer, and where it leads.

use std::{collections::VecDeque, sync::Arc};

use chrono::{DateTime, Utc};

use super::Page;
use crate::{
    client::{
        budget::Road,
        exchange::{Errand, Records, Refused, Reply},
        part,
        system::Inner,
        verdict::Elements,
    },
    core::{
        connector::{
            List, Object,
            answer::{Purpose, Taken, take},
            page::{self, Pager, Position, Turn},
            request::Call,
        },
        newcomer::Names,
        path::{Path, Segment},
        record::Record,
        value::{
            Map, Value,
            json::{self, Look},
            projection::Projection,
        },
    },
};

/// Of so many records of the first page names are looked at, and of so many of each further one.
const LOOKED_AT_FIRST: usize = 1_000;
const LOOKED_AT: usize = 10;
/// So many lists are named where the records are not at the path that the connector says …
const LISTS_TOLD_MAX: usize = 3;
/// … and so many maps they may be in.
const LISTS_DEPTH_MAX: usize = 2;

/// What a listing asks for, whichever page it is.
pub(in crate::client) struct Asked {
    pub(in crate::client) system: Arc<Inner>,
    pub(in crate::client) object: String,
    pub(in crate::client) since: Option<DateTime<Utc>>,
    pub(in crate::client) projection: Projection,
    /// The ids of the records whose parts are listed, where it is they.
    pub(in crate::client) of_parents: Option<Value>,
    pub(in crate::client) names: Option<Projection>,
    pub(in crate::client) road: Road,
}

/// Reads the pages of one listing.
pub(in crate::client) struct Reader {
    pub(in crate::client) asked: Arc<Asked>,
    pub(in crate::client) pager: Pager,
    pub(in crate::client) is_ended: bool,
}

/// One page as it was read, wherever it stands.
pub(in crate::client) struct Fetched {
    pub(super) records: Vec<Record>,
    pub(super) came: Came,
}

/// What came with the records of a page.
pub(super) struct Came {
    count: u64,
    reply: Reply,
    last: Option<Map>,
    print: u64,
    names: Names,
}

/// A page without its records.
pub(super) struct Turned {
    count: u64,
    resume: Option<String>,
    names: Names,
}

impl Turned {
    pub(super) fn page<T>(self, records: T) -> Page<T> {
        Page {
            records,
            count: self.count,
            resume: self.resume,
            names: self.names,
        }
    }
}

impl Reader {
    /// The next page, and the answer it came with.
    pub(in crate::client) async fn fetch(&mut self) -> Result<(Page, Reply), Refused> {
        let Fetched { records, came } = self.asked.fetch(&self.pager).await?;
        let (turned, reply) = self.turn(came)?;
        Ok((turned.page(records), reply))
    }

    /// Takes note of the next page.
    pub(super) fn turn(&mut self, came: Came) -> Result<(Turned, Reply), Refused> {
        let Came {
            count,
            reply,
            last,
            print,
            names,
        } = came;
        let turn = self.pager.turn(&page::Page {
            rest: &reply.body,
            headers: &reply.headers,
            url: &reply.url,
            count,
            last: last.as_ref(),
            print,
        });
        let Asked { system, object, .. } = &*self.asked;
        self.is_ended = turn.map_err(|error| system.bad_answer(object, &error.to_string()))? == Turn::End;
        // Some systems repeat a key in the address of the next page; it is not stored.
        let secrets = system.exchange.auth.secrets();
        let resume = self.pager.resume().filter(|resume| !secrets.are_in(resume));
        let turned = Turned { count, resume, names };
        Ok((turned, reply))
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
    pub(super) async fn fetch(&self, pager: &Pager) -> Result<Fetched, Refused> {
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
        let came = Came {
            count: records.len() as u64,
            reply,
            last,
            print,
            names,
        };
        Ok(Fetched { records, came })
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
