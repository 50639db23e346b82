//! Comparing both systems: what drifted, since when and why, and repairing it under guard rails.
//!
//! 1. The links and both listings go into scratch files ([`crate::store::scan`]): linked records as hashes, others whole. Each
//!    side is joined with the links by an external sort.
//! 2. Every pair that is not as it was agreed is read again from both systems and planned: only what still differs then is
//!    drift. Records without a link are planned from the listings, in chunks, with everything else looked up in bulk.
//! 3. If the plans stay within the mapping's guard rails they are carried out, each after one more look. Where so little can
//!    differ that no guard rail can be met, planning and repair are one step, with one look.
//!
//! Where only what changed is compared, that stands in place of both listings, and every record without a link is searched for.
//!
//! A listing that did not come to its end proves nothing about what is missing: then pairs with a missing record are left
//! alone, and no record is made before the other system was searched for it.

mod changed;
mod chunk;
mod evidence;
mod held;
mod listing;
mod planning;
mod progress;
mod readback;
mod repair;
mod reshaped;
mod silence;
mod start;
mod stuck;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

pub use self::{
    changed::last_compared,
    progress::{Watch, line, told},
    start::{Begun, abandon, begin, proceed, release},
};
use self::{
    chunk::{Chunks, Saved, Tally},
    planning::Then,
    repair::Drift,
};
use super::{Engine, Error, suggest};
use crate::{
    client::{Meter, Road, flight},
    core::{
        drift::{Planned, Summary},
        fault::Fault,
        mapping::{Mapping, Missing},
        record::Record,
        status::{FailureStatus, RunKind, RunStatus, Side, Sides, Trigger},
    },
    store::{
        Op,
        failure::{FailureFilter, Standing},
        run::{Counters, Phase},
        scan::{self, Scan},
    },
};

/// How long the lease of a reconciliation, or of one record in repair, lasts without being renewed.
const LEASE: Duration = Duration::from_mins(4);

/// How many reports are looked through for the last one with complete listings.
const TREND: u32 = 50;

/// How often a run stores how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// `reconcile`, `full` for the first time, or `incremental` for what changed since the last one.
    pub kind: RunKind,
    /// Who or what asks.
    pub trigger: Trigger,
    /// Whether drift is repaired.
    pub repair: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The run.
    pub run_id: i64,
    /// How it ended.
    pub status: RunStatus,
    /// Why it is held or failed, or what it cannot say.
    pub note: Option<String>,
    /// Whether it went on with one that was cut off, whose listings were read before: what changed since is not in it.
    pub is_continued: bool,
    /// The numbers.
    pub summary: Summary,
    /// What was done.
    pub counters: Counters,
}

impl From<scan::Error> for Error {
    fn from(error: scan::Error) -> Self {
        Self::Scan(error)
    }
}

/// Compares both systems of a mapping, and repairs what the request and the guard rails allow.
pub async fn reconcile(
    engine: &Engine,
    mapping: &Arc<Mapping>,
    request: Request,
    shutdown: &CancellationToken,
) -> Result<Report, Error> {
    let begun = begin(engine, mapping, request).await?;
    proceed(engine, mapping, begun, shutdown).await
}

/// The names that the state of a reconciliation is saved under.
const MAPPING: &str = "mapping";
const COUNTS: &str = "counts";
/// The number of pending deletes, once all links are in.
const LINKED: &str = "links";
const AT_ONCE: &str = "at_once";
const PLANNED: &str = "planned";

/// Why a run ends before it is done.
#[derive(Debug, Clone, Copy)]
enum Stop {
    OutOfTime,
    Lost,
}

/// What every part of one reconciliation needs. Clones share it.
#[derive(Clone)]
struct Context {
    engine: Engine,
    mapping: Arc<Mapping>,
    name: Arc<str>,
    run_id: i64,
    request: Request,
    /// What a person has released.
    released: Option<Planned>,
    scan: Scan,
    progress: Watch,
    meter: Arc<Meter>,
    stop: CancellationToken,
    stopped: Arc<OnceLock<Stop>>,
}

impl Context {
    fn end(&self, why: Stop) {
        // The first reason counts.
        let _ = self.stopped.set(why);
        self.stop.cancel();
    }

    /// Whether the work may go on; asked before every chunk.
    fn go_on(&self) -> Result<(), Error> {
        if !self.stop.is_cancelled() {
            return Ok(());
        }
        Err(match self.stopped.get() {
            Some(Stop::OutOfTime) => Error::OutOfTime(self.engine.limits().run_time_max),
            Some(Stop::Lost) => Error::Lost(self.mapping.name.clone()),
            None => Error::Shutdown,
        })
    }

    /// Reads records of one side one by one, many at once; in no order.
    async fn get(&self, side: Side, ids: &[String]) -> Result<Vec<Result<Option<Record>, Fault>>, Fault> {
        let system = self.engine.end(&self.mapping, side)?;
        let object = &self.mapping.end(side).object;
        let mut ids = ids.iter();
        let begin = || Some(system.get(object, ids.next()?, Road::Reconcile).boxed());
        Ok(flight::all(self.engine.limits().in_flight, begin).await)
    }

    fn chunk(&self) -> u32 {
        self.engine.limits().chunk.max(1)
    }

    /// A task of this run's own, counted with it.
    fn task<F: Future<Output: Send> + Send + 'static>(
        &self,
        work: F,
    ) -> impl Future<Output = F::Output> + Send + 'static {
        let meter = Arc::clone(&self.meter);
        async move { meter.measure(work).await }
    }
}

struct Reconciliation {
    context: Context,
    tally: Tally,
}

impl Reconciliation {
    async fn run(&mut self) -> Result<(RunStatus, Option<String>), Error> {
        if self.context.request.kind == RunKind::Incremental {
            return Box::pin(self.run_incremental()).await;
        }
        let context = self.context.clone();
        let (counts, listed) = self.listed().await?;
        if let Some(reason) = self.reshaped(listed).await? {
            return Ok((RunStatus::Failed, Some(reason)));
        }
        let shrunk = self.shrunk(counts).await?;
        let complete = Sides {
            left: listed.left && !shrunk.left,
            right: listed.right && !shrunk.right,
        };
        self.tally.counters.read = counts.left + counts.right;
        let summary = &mut self.tally.summary;
        (summary.left_records, summary.right_records) = (counts.left, counts.right);
        summary.complete = complete.left && complete.right;
        if complete.left && complete.right {
            suggest::find(&context.engine, &context.mapping, context.run_id, &context.scan).await?;
        }
        stuck::add(&context).await?;
        let found = context.scan.found().await?;
        self.add_unchanged(counts, found);
        let (status, note) = Box::pin(self.work_on(counts, found, complete)).await?;
        Ok((status, note.or_else(|| self.doubt(shrunk))))
    }

    /// Compares what changed since the last time alone.
    async fn run_incremental(&mut self) -> Result<(RunStatus, Option<String>), Error> {
        let context = self.context.clone();
        if let Some(reason) = self.still_stopped().await? {
            return Ok((RunStatus::Failed, Some(reason)));
        }
        context.progress.begin(Phase::Listing);
        let changed = changed::list(&context).await?;
        let read = |side: Side| changed.records.get(side).unwrap_or_default();
        let summary = &mut self.tally.summary;
        summary.since = Some(changed.since);
        (summary.left_records, summary.right_records) = (read(Side::Left), read(Side::Right));
        self.tally.counters.read = read(Side::Left) + read(Side::Right);
        // Guard rails are about all records, however few of them are looked at.
        let linked = start::linked(&context.engine, &context.mapping).await?;
        let counts = scan::Counts {
            left: linked,
            right: linked,
            pairs: linked,
        };
        let found = context.scan.found().await?;
        let told = changed.note(&context);
        let (status, note) = Box::pin(self.work_on(counts, found, Sides::default())).await?;
        Ok((
            status,
            Some(note.map_or(told.clone(), |note| format!("{note}; {told}"))),
        ))
    }

    /// Plans and repairs what was found; how it ended, and why no further.
    async fn work_on(
        &mut self,
        counts: scan::Counts,
        found: scan::Found,
        mut complete: Sides<bool>,
    ) -> Result<(RunStatus, Option<String>), Error> {
        let context = self.context.clone();
        if self.is_within(counts, found).await? {
            Box::pin(self.settle(counts, found, &mut complete)).await?;
        } else {
            match self.restore(PLANNED).await? {
                Some(planned) => complete = planned,
                None => Box::pin(self.plan(&mut complete)).await?,
            }
            if !context.request.repair {
                return Ok((RunStatus::Succeeded, Some("reported only".to_owned())));
            }
            let planned = self.tally.summary.planned;
            if let Some(reason) = held::reason(context.mapping.reconcile.guard, planned, counts, context.released) {
                repair::hold(&context).await?;
                return Ok((RunStatus::Held, Some(reason)));
            }
            context.progress.begin(Phase::Repairing);
            repair::todos(&context, &mut self.tally, complete).await?;
        }
        context.progress.begin(Phase::ReadingBack);
        readback::all(&context).await?;
        let status = if self.tally.counters.failed > 0 {
            RunStatus::Partial
        } else {
            RunStatus::Succeeded
        };
        Ok((status, None))
    }

    /// Reads the links and both listings, as far as an earlier process has not, and joins them; whether each listing came to
    /// its end.
    async fn listed(&self) -> Result<(scan::Counts, Sides<bool>), Error> {
        let context = &self.context;
        listing::links(context).await?;
        context.progress.begin(Phase::Listing);
        let (left, right) = tokio::join!(listing::list(context, Side::Left), listing::list(context, Side::Right));
        let complete = Sides {
            left: left?,
            right: right?,
        };
        let counts = if let Some(counts) = context.scan.saved(COUNTS).await? {
            counts
        } else {
            let counts = context.scan.join().await?;
            context.scan.save(COUNTS, counts).await?;
            counts
        };
        Ok((counts, complete))
    }

    /// Takes up what was saved under a name: which listings were complete; none where nothing was.
    async fn restore(&mut self, name: &'static str) -> Result<Option<Sides<bool>>, Error> {
        let saved: Option<Saved> = self.context.scan.saved(name).await?;
        Ok(saved.map(|saved| {
            self.tally.summary = saved.summary;
            self.tally.counters = saved.counters;
            let (left, right) = saved.complete;
            Sides { left, right }
        }))
    }

    /// Plans everything and carries it out chunk by chunk.
    async fn settle(
        &mut self,
        counts: scan::Counts,
        found: scan::Found,
        complete: &mut Sides<bool>,
    ) -> Result<(), Error> {
        let context = self.context.clone();
        if let Some(saved) = self.restore(AT_ONCE).await? {
            *complete = saved;
        } else {
            context.progress.note(|progress| progress.planned = found.total());
            let saved = Saved::of(&self.tally, *complete);
            context.scan.save(AT_ONCE, saved).await?;
        }
        context.progress.begin(Phase::Repairing);
        let then = Then::Settle(if counts.pairs == 0 { Drift::First } else { Drift::New });
        planning::pairs(&context, &mut self.tally, complete, then).await?;
        planning::unlinked(&context, &mut self.tally, complete, then).await?;
        self.tally.summary.complete = complete.left && complete.right;
        Ok(())
    }

    /// Plans everything. What an earlier process planned before it was cut off is planned anew.
    async fn plan(&mut self, complete: &mut Sides<bool>) -> Result<(), Error> {
        let context = self.context.clone();
        context.progress.begin(Phase::Comparing);
        if self.is_continued() {
            context.engine.store().clear_drift(context.run_id).await?;
            context.scan.clear_todos().await?;
            context
                .progress
                .note(|progress| (progress.compared, progress.planned) = (0, 0));
        }
        planning::pairs(&context, &mut self.tally, complete, Then::Plan).await?;
        planning::unlinked(&context, &mut self.tally, complete, Then::Plan).await?;
        self.tally.summary.complete = complete.left && complete.right;
        context
            .scan
            .save(PLANNED, Saved::of(&self.tally, *complete))
            .await
            .map_err(Error::from)
    }

    fn is_continued(&self) -> bool {
        self.context.progress.now().continued > 0
    }

    /// Counts the pairs that are as they were agreed.
    fn add_unchanged(&mut self, counts: scan::Counts, found: scan::Found) {
        let unchanged = counts.pairs.saturating_sub(found.suspects);
        let fields = self.context.mapping.fields.len() as u64;
        self.tally.summary.add_unchanged(unchanged, fields);
        self.tally.counters.unchanged += unchanged;
    }

    /// What cannot be said: why missing records were left alone, if they were, or that the listings are those of an earlier time.
    fn doubt(&self, shrunk: Sides<bool>) -> Option<String> {
        let mapping = &self.context.mapping;
        let side = match (shrunk.left, shrunk.right) {
            (true, _) => Some(Side::Left),
            (_, true) => Some(Side::Right),
            _ => None,
        };
        if let Some(side) = side {
            let system = &mapping.end(side).system;
            return Some(format!(
                "the listing of `{system}` has far fewer records than the last complete one, more than `limits.shrink` allows: \
                 missing records were left alone; if they are really gone, run `syncline reconcile {} --full`",
                mapping.name
            ));
        }
        let what = match (self.tally.summary.complete, self.is_continued()) {
            (false, _) => "a listing did not come to its end: missing records were left alone",
            (true, true) => {
                "went on with listings from before it was cut off: the next one shows what has changed since"
            }
            (true, false) => return None,
        };
        Some(what.to_owned())
    }

    /// Whether a listing has far fewer records than the last complete one. Whoever asks for a full look means it.
    async fn shrunk(&self, counts: scan::Counts) -> Result<Sides<bool>, Error> {
        let context = &self.context;
        let none = Sides::of(|_| false);
        if context.request.kind == RunKind::Full || context.released.is_some() {
            return Ok(none);
        }
        let store = context.engine.store();
        let past = store
            .drift_trend_before(Some(&context.mapping.name), Some(context.run_id), TREND)
            .await?;
        let summaries = past
            .iter()
            .filter_map(|one| serde_json::from_str::<Summary>(&one.summary).ok());
        let Some(last) = summaries.into_iter().find(|summary| summary.complete) else {
            return Ok(none);
        };
        let guard = context.mapping.reconcile.guard;
        Ok(Sides {
            left: held::has_shrunk(guard, last.left_records, counts.left),
            right: held::has_shrunk(guard, last.right_records, counts.right),
        })
    }

    /// Whether no plan can run into a guard rail, whatever the records turn out to be, so that each chunk is carried out as soon
    /// as it is planned: it spares every difference a second look.
    async fn is_within(&self, counts: scan::Counts, found: scan::Found) -> Result<bool, Error> {
        let context = &self.context;
        // Once it has begun, it is so whatever it has linked and failed to link since.
        if context.scan.saved::<Saved>(AT_ONCE).await?.is_some() {
            return Ok(true);
        }
        let is_free = context.request.repair
            && context.released.is_none()
            && held::reason(context.mapping.reconcile.guard, self.most(found).await?, counts, None).is_none();
        if !is_free || context.scan.saved::<Saved>(PLANNED).await?.is_some() {
            return Ok(false);
        }
        // Parked records are not worked on: it has to be known which they are.
        let parked = FailureFilter {
            mapping: Some(context.mapping.name.clone()),
            standing: Standing::Only(FailureStatus::Parked),
            ..FailureFilter::default()
        };
        Ok(context.engine.store().failure_count(&parked).await? == 0)
    }

    /// The most that the plans can come to.
    async fn most(&self, found: scan::Found) -> Result<Planned, Error> {
        let context = &self.context;
        let mapping = &context.mapping;
        let written = [Side::Left, Side::Right]
            .into_iter()
            .filter(|side| mapping.writes_to(*side))
            .count() as u64;
        // A pair whose record is gone is deleted where the mapping says so, or a person has said it of this pair.
        let deletes = match mapping.actions.missing {
            Missing::Delete => found.suspects,
            _ => context.scan.saved(LINKED).await?.unwrap_or(found.suspects),
        };
        Ok(Planned {
            creates: found.total(),
            updates: found.total().saturating_mul(written.max(1)),
            deletes,
        })
    }

    async fn close(mut self, result: Result<(RunStatus, Option<String>), Error>) -> Result<Report, Error> {
        let store = self.context.engine.store();
        let run_id = self.context.run_id;
        let (status, note) = match &result {
            Ok((status, note)) => (*status, note.clone()),
            Err(Error::Shutdown) => (RunStatus::Cancelled, Some(Error::Shutdown.to_string())),
            Err(error) => (RunStatus::Failed, Some(error.to_string())),
        };
        if result.is_ok() {
            let summary = serde_json::to_string(&self.tally.summary).unwrap_or_default();
            store
                .save_drift_summary(run_id, &self.context.mapping.name, &summary)
                .await?;
        }
        let (requests, bytes) = self.context.meter.take();
        self.tally.counters.requests = requests;
        self.tally.counters.bytes = bytes;
        let counters = self.tally.counters;
        store.commit(vec![Op::AddCounters { run_id, counters }]).await?;
        store.set_progress(run_id, &self.context.progress.now()).await?;
        if !result.as_ref().is_err_and(can_go_on) {
            self.context.scan.forget();
            store.set_scratch(run_id, None).await?;
        }
        store.finish_run(run_id, status, note.as_deref()).await?;
        result?;
        Ok(Report {
            run_id,
            status,
            note,
            is_continued: self.is_continued(),
            summary: self.tally.summary,
            counters,
        })
    }
}

/// Whether a reconciliation that ended so is gone on with by the next one: it was cut off. One that a system kept from its end
/// begins anew, so that whoever asks for the next one sees how things are by then.
const fn can_go_on(error: &Error) -> bool {
    matches!(error, Error::Shutdown | Error::OutOfTime(_) | Error::Lost(_))
}

/// Why a reconciliation with these findings would be held, with so many pairs linked before it.
#[must_use]
pub fn would_hold(mapping: &Mapping, summary: &Summary, linked: u64) -> Option<String> {
    let counts = scan::Counts {
        left: summary.left_records,
        right: summary.right_records,
        pairs: linked,
    };
    held::reason(mapping.reconcile.guard, summary.planned, counts, None)
}
