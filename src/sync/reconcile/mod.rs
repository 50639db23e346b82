//! Comparing both systems: what drifted, since when and why, and repairing it under guard rails.
//!
//! 1. The links and both listings go into scratch files ([`crate::store::scan`]): linked records as hashes, others whole. Each
//!    side is joined with the links by an external sort.
//! 2. Every pair that is not as it was agreed is read again from both systems and planned: only what still differs then is
//!    drift. Records without a link are planned from the listings, in chunks, with everything else looked up in bulk.
//! 3. If the plans stay within the mapping's guard rails they are carried out, each after one more look.
//!
//! A listing that did not come to its end proves nothing about what is missing: then pairs with a missing record are left
//! alone, and no record is made before the other system was searched for it.

mod evidence;
mod held;
mod listing;
mod planning;
mod progress;
mod readback;
mod repair;
mod silence;

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

pub use self::progress::{Watch, line, told};
use super::{Engine, Error, suggest};
use crate::{
    client::Meter,
    core::{
        drift::{Planned, Summary},
        mapping::Mapping,
        status::{RunKind, RunStatus, Side, Sides, Trigger},
    },
    store::{
        Op,
        audit::NewAudit,
        failure::FailureFilter,
        link::LinkFilter,
        run::{Counters, NewRun, Phase},
        scan::{self, Done, Scan},
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
    /// `reconcile`, or `full` for the first time.
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

/// A reconciliation that has its lease and its run, and has read nothing yet: whoever asks for one learns its run before it is
/// done.
#[derive(Debug)]
pub struct Begun {
    /// The run.
    pub run_id: i64,
    request: Request,
    /// What a person has released.
    released: Option<Planned>,
    lease: Lease,
    /// What an earlier process left to go on with.
    scan: Option<Scan>,
    progress: Watch,
}

impl Begun {
    /// Shows how far it is.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.progress.clone()
    }
}

/// Takes the lease of a mapping's reconciliation, and puts its run on record. One that was stopped or killed before its end goes
/// on under the run it had, where it left enough to go on with.
pub async fn begin(engine: &Engine, mapping: &Mapping, request: Request) -> Result<Begun, Error> {
    let lease = Lease::take(engine, mapping).await?;
    if let Some((run_id, scan, progress)) = unfinished(engine, mapping, request).await? {
        return Ok(Begun {
            run_id,
            request,
            released: None,
            lease,
            scan: Some(scan),
            progress,
        });
    }
    let run = NewRun {
        kind: request.kind,
        mapping: Some(Arc::from(mapping.name.as_str())),
        trigger: request.trigger,
        note: None,
        job_key: None,
    };
    Ok(Begun {
        run_id: engine.store().start_run(&run).await?,
        request,
        released: None,
        lease,
        scan: None,
        progress: Watch::default(),
    })
}

/// The last reconciliation of a mapping, where it was cut off and can be gone on with. What others left behind is cleared away.
async fn unfinished(engine: &Engine, mapping: &Mapping, request: Request) -> Result<Option<(i64, Scan, Watch)>, Error> {
    let (store, limits) = (engine.store(), engine.limits());
    let longest = TimeDelta::from_std(limits.run_time_max).unwrap_or(TimeDelta::MAX);
    let since = engine
        .clock()
        .now()
        .checked_sub_signed(longest.checked_mul(2).unwrap_or(TimeDelta::MAX))
        .unwrap_or_default();
    let mut found = None;
    for left in store.unfinished_runs(&mapping.name).await? {
        let path = Path::new(&left.scratch);
        let scan = match found {
            None => Scan::reopen(path, limits.scan_memory_max).await,
            Some(_) => None,
        };
        match scan {
            Some(scan)
                if scan.saved(MAPPING).await? == Some(mapping.version)
                    && store.continue_run(left.run_id, request.kind, since).await? =>
            {
                tracing::info!(
                    mapping = mapping.name,
                    run_id = left.run_id,
                    "goes on with a reconciliation that was cut off"
                );
                let watch = Watch::default();
                watch.note(|progress| {
                    *progress = left.progress;
                    progress.continued += 1;
                });
                found = Some((left.run_id, scan, watch));
            }
            scan => {
                drop(scan);
                Scan::remove(path).await;
                store.set_scratch(left.run_id, None).await?;
            }
        }
    }
    Ok(found)
}

/// The names that the state of a reconciliation is saved under.
const MAPPING: &str = "mapping";
const COUNTS: &str = "counts";
const FIRST: &str = "first";
const PLANNED: &str = "planned";

/// Gives up what was begun, before anything was read.
pub async fn abandon(engine: &Engine, begun: Begun) -> Result<(), Error> {
    let note = Some("given up before it read anything");
    let store = engine.store();
    store.finish_run(begun.run_id, RunStatus::Cancelled, note).await?;
    begun.lease.give_back(engine).await
}

/// Releases a held run: both systems are compared anew, and what has to be done is done if it is not more than the held run
/// announced. If it is more by now, the run is held again.
pub async fn release(engine: &Engine, run_id: i64, by: &str, shutdown: &CancellationToken) -> Result<Report, Error> {
    let store = engine.store();
    let run = store.run(run_id).await?.ok_or(Error::UnknownRun(run_id))?;
    let name = run.mapping.unwrap_or_default();
    let mapping = engine.mapping(&name).cloned().ok_or(Error::UnknownMapping(name))?;
    let summary = store.drift_summary(run_id).await?;
    let announced: Summary = summary
        .and_then(|stored| serde_json::from_str(&stored.summary).ok())
        .unwrap_or_default();
    let lease = Lease::take(engine, &mapping).await?;
    if !store.release_run(run_id, by).await? {
        lease.give_back(engine).await?;
        return Err(Error::NotHeld(run_id));
    }
    let entry = NewAudit {
        actor: by.to_owned(),
        action: "run.release".to_owned(),
        subject: format!("run {run_id}"),
        detail: None,
    };
    store.commit(vec![Op::Audit(entry)]).await?;
    store.clear_drift(run_id).await?;
    let request = Request {
        kind: run.kind,
        trigger: run.trigger,
        repair: true,
    };
    let begun = Begun {
        run_id,
        request,
        released: Some(announced.planned),
        lease,
        scan: None,
        progress: Watch::default(),
    };
    proceed(engine, &mapping, begun, shutdown).await
}

/// Among all nodes, one works on the reconciliation of a mapping.
#[derive(Debug)]
struct Lease {
    name: String,
    epoch: i64,
}

impl Lease {
    async fn take(engine: &Engine, mapping: &Mapping) -> Result<Self, Error> {
        let name = format!("reconcile/{}", mapping.name);
        let epoch = engine.store().acquire_free_lease(&name, LEASE).await?;
        let epoch = epoch.ok_or_else(|| Error::Busy(mapping.name.clone()))?;
        Ok(Self { name, epoch })
    }

    async fn give_back(&self, engine: &Engine) -> Result<(), Error> {
        Ok(engine.store().release_lease(&self.name, self.epoch).await?)
    }
}

/// Does what was begun.
pub async fn proceed(
    engine: &Engine,
    mapping: &Arc<Mapping>,
    begun: Begun,
    shutdown: &CancellationToken,
) -> Result<Report, Error> {
    let Begun {
        run_id,
        request,
        released,
        lease,
        scan,
        progress,
    } = begun;
    let scan = match scan {
        Some(scan) => scan,
        None => new_scan(engine, mapping, run_id).await?,
    };
    scan.keep();
    let context = Context {
        engine: engine.clone(),
        mapping: Arc::clone(mapping),
        name: Arc::from(mapping.name.as_str()),
        run_id,
        request,
        released,
        scan,
        progress,
        meter: Arc::default(),
        stop: shutdown.child_token(),
        stopped: Arc::default(),
    };
    let mut work = Reconciliation {
        context: context.clone(),
        tally: Tally::default(),
    };
    let result = {
        let run = Box::pin(context.meter.measure(work.run()));
        watched(&context, &lease, run).await
    };
    let report = work.close(result).await;
    lease.give_back(engine).await?;
    report
}

/// New scratch files, whose place is on record before anything is in them.
async fn new_scan(engine: &Engine, mapping: &Mapping, run_id: i64) -> Result<Scan, Error> {
    let links = LinkFilter {
        mapping: Some(mapping.name.clone()),
        ..LinkFilter::default()
    };
    let linked = engine.store().link_count(&links).await?;
    let scan = Scan::create(None, linked, engine.limits().scan_memory_max).await?;
    scan.save(MAPPING, mapping.version).await?;
    let path = scan.path().to_string_lossy().into_owned();
    engine.store().set_scratch(run_id, Some(&path)).await?;
    Ok(scan)
}

/// Lets the work go on while the lease is ours and there is time; else asks it to come to an end.
async fn watched<T>(context: &Context, lease: &Lease, mut work: impl Future<Output = T> + Unpin) -> T {
    let started = Instant::now();
    let limit = context.engine.limits().run_time_max;
    let (mut renewed, mut stored) = (started, context.progress.now());
    loop {
        let left = limit.saturating_sub(started.elapsed());
        tokio::select! {
            biased;
            ended = &mut work => return ended,
            () = tokio::time::sleep(PROGRESS.min(left.max(Duration::from_secs(1)))) => {}
        }
        let store = context.engine.store();
        let progress = context.progress.now();
        if progress != stored && store.set_progress(context.run_id, &progress).await.is_ok() {
            stored = progress;
        }
        if started.elapsed() >= limit {
            context.end(Stop::OutOfTime);
        } else if renewed.elapsed() >= LEASE / 4 {
            if let Ok(false) = store.renew_lease(&lease.name, lease.epoch, LEASE).await {
                context.end(Stop::Lost);
            }
            renewed = Instant::now();
        }
    }
}

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

/// Numbers of a run, or of a part of it.
#[derive(Default)]
struct Tally {
    summary: Summary,
    counters: Counters,
    /// Sides whose listing left out a record that is there.
    short: Sides<bool>,
    /// What is done, and need not be done again by whoever goes on with it.
    done: Done,
}

/// What a reconciliation has come to, as it is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    summary: Summary,
    counters: Counters,
    /// Whether both listings came to their end, with nothing missing from them: left, right.
    complete: (bool, bool),
}

impl Saved {
    fn of(tally: &Tally, complete: Sides<bool>) -> Self {
        Self {
            summary: tally.summary.clone(),
            counters: tally.counters,
            complete: (complete.left, complete.right),
        }
    }
}

impl Tally {
    /// Believes no listing any longer that was found to be short.
    fn believe(&self, complete: &mut Sides<bool>) {
        complete.left &= !self.short.left;
        complete.right &= !self.short.right;
    }

    fn absorb(&mut self, part: Self) {
        self.summary.absorb(part.summary);
        self.counters.add(&part.counters);
        self.short.left |= part.short.left;
        self.short.right |= part.short.right;
        self.done.todos.extend(part.done.todos);
        self.done.records.extend(part.done.records);
    }
}

/// Chunks at work, a bounded number at once; the first error stops the rest from being begun.
struct Chunks {
    context: Context,
    running: JoinSet<Result<Tally, Error>>,
    limit: usize,
    /// Under which name what has come of finished ones is saved, and with what.
    saved: Option<(&'static str, Sides<bool>)>,
}

impl Chunks {
    fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            running: JoinSet::new(),
            limit: context.engine.limits().chunks_in_flight.max(1),
            saved: None,
        }
    }

    /// The same, of work that is not to be done again once it is done.
    fn saving(context: &Context, name: &'static str, complete: Sides<bool>) -> Self {
        Self {
            saved: Some((name, complete)),
            ..Self::new(context)
        }
    }

    /// Begins one more chunk, after waiting for a place.
    async fn begin(
        &mut self,
        context: &Context,
        tally: &mut Tally,
        work: impl Future<Output = Result<Tally, Error>> + Send + 'static,
    ) -> Result<(), Error> {
        while self.running.len() >= self.limit {
            self.one(tally).await?;
        }
        self.running.spawn(context.task(work));
        Ok(())
    }

    /// Waits for all that were begun, before more is begun.
    async fn drain(&mut self, tally: &mut Tally) -> Result<(), Error> {
        while !self.running.is_empty() {
            self.one(tally).await?;
        }
        Ok(())
    }

    /// Waits for all that were begun, also where one has failed: a request under way is not to be cut off.
    async fn end(mut self, tally: &mut Tally, so_far: Result<(), Error>) -> Result<(), Error> {
        let mut result = so_far;
        while !self.running.is_empty() {
            result = result.and(self.one(tally).await);
        }
        result
    }

    async fn one(&mut self, tally: &mut Tally) -> Result<(), Error> {
        match self.running.join_next().await {
            Some(Ok(part)) => {
                tally.absorb(part?);
                let done = std::mem::take(&mut tally.done);
                if let (Some((name, complete)), false) = (self.saved, done.is_empty()) {
                    let count = (done.todos.len() + done.records.len()) as u64;
                    self.context.progress.note(|progress| progress.repaired += count);
                    self.context.scan.settle(done, name, Saved::of(tally, complete)).await?;
                }
            }
            Some(Err(broken)) => {
                tracing::error!(%broken, "a part of a reconciliation broke off");
                return Err(Error::Broken);
            }
            None => {}
        }
        Ok(())
    }
}

struct Reconciliation {
    context: Context,
    tally: Tally,
}

impl Reconciliation {
    async fn run(&mut self) -> Result<(RunStatus, Option<String>), Error> {
        let context = self.context.clone();
        let (counts, listed) = self.listed().await?;
        let shrunk = self.shrunk(counts).await?;
        let mut complete = Sides {
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
        if self.is_first(counts).await? {
            self.restore(FIRST).await?;
            context.progress.begin(Phase::Repairing);
            planning::unlinked(&context, &mut self.tally, &mut complete, planning::Then::Settle).await?;
            self.tally.summary.complete = complete.left && complete.right;
        } else {
            match self.restore(PLANNED).await? {
                Some(planned) => complete = planned,
                None => self.plan(counts, &mut complete).await?,
            }
            if !context.request.repair {
                return Ok((RunStatus::Succeeded, Some("reported only".to_owned())));
            }
            let planned = self.tally.summary.planned;
            if let Some(reason) = held::reason(context.mapping.reconcile.guard, planned, counts, context.released) {
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
        Ok((status, self.doubt(shrunk)))
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

    /// Plans everything. What an earlier process planned before it was cut off is planned anew.
    async fn plan(&mut self, counts: scan::Counts, complete: &mut Sides<bool>) -> Result<(), Error> {
        let context = self.context.clone();
        context.progress.begin(Phase::Comparing);
        if self.is_continued() {
            context.engine.store().clear_drift(context.run_id).await?;
            context.scan.clear_todos().await?;
            context
                .progress
                .note(|progress| (progress.compared, progress.planned) = (0, 0));
        }
        planning::pairs(&context, &mut self.tally, counts.pairs, complete).await?;
        planning::unlinked(&context, &mut self.tally, complete, planning::Then::Plan).await?;
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
            (true, true) => "went on with listings from before it was cut off: the next one shows what has changed since",
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

    /// Whether no plan can run into a guard rail, so that each chunk is carried out as soon as it is planned: nothing is
    /// linked yet, so that nothing can be deleted, and the mapping sets no limit to new records.
    async fn is_first(&self, counts: scan::Counts) -> Result<bool, Error> {
        let context = &self.context;
        // Once it has begun, it is the first whatever it has linked and failed to link since.
        if context.scan.saved::<Saved>(FIRST).await?.is_some() {
            return Ok(true);
        }
        let is_free = context.request.repair
            && counts.pairs == 0
            && context.released.is_none()
            && context.mapping.reconcile.guard.create.is_none();
        if !is_free {
            return Ok(false);
        }
        // Failed records are looked at with what the failures say.
        let filter = FailureFilter {
            mapping: Some(context.mapping.name.clone()),
            ..FailureFilter::default()
        };
        Ok(context.engine.store().failure_count(&filter).await? == 0)
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
