//! Reading a listing page by page; the next page is on its way while the caller works on this one, and so are those behind it
//! where the connector says that pages may be read at once. They are taken in order, so that what follows from a page (where the
//! next one stands, whether the listing is complete) does not depend on when it came.

mod page;

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use tokio::{sync::oneshot, task::JoinHandle};

pub(super) use self::page::{Asked, Reader};
use self::page::{Came, Fetched};
use super::{deadline, meter};
use crate::core::{
    connector::page::Position,
    fault::Fault,
    newcomer::Names,
    record::Record,
    status::{FailureClass, Stage},
    value::projection::Projection,
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
pub struct Page<T = Vec<Record>> {
    /// Its records, or what was made of them.
    pub records: T,
    /// How many records it had.
    pub count: u64,
    /// Where the listing stands behind it; `None` at the end, and where that cannot be stored.
    pub resume: Option<String>,
    /// The names of members, where they were asked for.
    pub names: Names,
}

/// So many records are watched for coming twice: 8 bytes each.
const WATCHED_MAX: usize = 1_000_000;

/// What is made of the records of a page.
type Make<T> = Arc<dyn Fn(Vec<Record>) -> T + Send + Sync>;

/// What came with a page, and hashes of its records' ids where they are watched.
type Told = (Came, Vec<u64>);

/// A page on its way: a task reads it, says what came, so that the next page can be asked for, and makes of its records what is
/// wanted.
struct Coming<T> {
    position: Position,
    came: oneshot::Receiver<Result<Box<Told>, Box<Fault>>>,
    made: JoinHandle<Option<T>>,
}

/// A listing under way. What is made of a page's records is made by the task that read them, while they are at hand: what of them
/// is not needed any more does not wait in memory for the pages before it.
pub struct Lister<T = Vec<Record>> {
    reader: Option<Reader>,
    make: Make<T>,
    /// Pages on their way, in the order in which they follow one another.
    coming: VecDeque<Coming<T>>,
    failed: Option<Fault>,
    is_complete: bool,
    is_shifted: bool,
    /// The ids of what came, where one that comes twice shows that another one was passed over: in a list of changes whose pages
    /// are told by places, what changes while they are read moves to the end.
    watched: Option<(RandomState, HashSet<u64>)>,
}

impl<T: Send + 'static> Lister<T> {
    /// A listing that fails at its first page.
    pub(super) const fn failing(fault: Fault, make: Make<T>) -> Self {
        Self {
            reader: None,
            make,
            coming: VecDeque::new(),
            failed: Some(fault),
            is_complete: false,
            is_shifted: false,
            watched: None,
        }
    }

    pub(super) fn start(reader: Reader, make: Make<T>) -> Self {
        let is_watched = reader.asked.since.is_some() && reader.pager.paging().counts_places();
        let mut lister = Self {
            reader: None,
            make,
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
    pub async fn next(&mut self) -> Result<Option<Page<T>>, Fault> {
        if let Some(fault) = self.failed.take() {
            return Err(fault);
        }
        let (Some(mut reader), Some(coming)) = (self.reader.take(), self.coming.pop_front()) else {
            return Ok(None);
        };
        let broken = || Fault::new("RQ030", FailureClass::Bug, Stage::Fetch, "the listing broke off");
        let came = coming.came.await.map_err(|_| broken())?;
        let turned = came.and_then(|told| {
            let (came, ids) = *told;
            let turned = reader.turn(came).map_err(|refused| Box::new(refused.fault))?;
            Ok((turned, ids))
        });
        let ((turned, _), ids) = turned.map_err(|fault| {
            self.give_up();
            *fault
        })?;
        self.is_shifted |= reader.pager.is_shifted() || self.comes_again(&ids);
        if reader.is_ended {
            self.is_complete = reader.pager.is_complete();
            self.give_up();
        } else {
            self.look_ahead(&reader);
            self.reader = Some(reader);
        }
        let made = coming.made.await.ok().flatten().ok_or_else(broken)?;
        Ok(Some(turned.page(made)))
    }

    /// Whether a record came before; takes note of those that come now.
    fn comes_again(&mut self, ids: &[u64]) -> bool {
        let Some((_, seen)) = self.watched.as_mut().filter(|(_, seen)| seen.len() < WATCHED_MAX) else {
            return false;
        };
        let known = seen.len();
        seen.extend(ids);
        seen.len() < known + ids.len()
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
            .all(|(coming, wanted)| coming.position == *wanted)
        {
            self.give_up();
        }
        for position in wanted.into_iter().skip(self.coming.len()) {
            let (asked, pager) = (Arc::clone(&reader.asked), reader.pager.at(position.clone()));
            let make = Arc::clone(&self.make);
            let hasher = self.watched.as_ref().map(|(hasher, _)| hasher.clone());
            let (tell, came) = oneshot::channel();
            let fetch = async move {
                match asked.fetch(&pager).await {
                    Ok(Fetched { records, came }) => {
                        let hashed =
                            |hasher: RandomState| records.iter().map(|record| hasher.hash_one(&record.id)).collect();
                        let ids = hasher.map(hashed).unwrap_or_default();
                        tell.send(Ok(Box::new((came, ids)))).ok()?;
                        Some(make(records))
                    }
                    Err(refused) => {
                        // Nobody listens where the listing was given up.
                        let _ = tell.send(Err(Box::new(refused.fault)));
                        None
                    }
                }
            };
            self.coming.push_back(Coming {
                position,
                came,
                made: tokio::spawn(meter::carry(deadline::carry(fetch))),
            });
        }
    }
}

impl<T> Lister<T> {
    fn give_up(&mut self) {
        for coming in self.coming.drain(..) {
            coming.made.abort();
        }
    }
}

impl<T> Drop for Lister<T> {
    fn drop(&mut self) {
        self.give_up();
    }
}
