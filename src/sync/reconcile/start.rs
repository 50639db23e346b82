//! How a reconciliation begins: with the lease of its mapping, a run, and scratch files, new ones or those of a run that was cut
//! off; and how it is watched until it ends.

use std::{path::Path, sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Context, LEASE, MAPPING, PROGRESS, Reconciliation, Report, Request, Stop, Tally, Watch};
use crate::{
    core::{
        drift::{Planned, Summary},
        mapping::Mapping,
        status::{RunKind, RunStatus},
    },
    store::{Op, audit::NewAudit, link::LinkFilter, run::NewRun, scan::Scan},
    sync::{Engine, Error},
};

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
    if request.kind != RunKind::Incremental
        && let Some((run_id, scan, progress)) = unfinished(engine, mapping, request).await?
    {
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
    let entry = NewAudit {
        actor: by.to_owned(),
        action: "run.release".to_owned(),
        subject: format!("run {run_id}"),
        detail: None,
    };
    if !store.release_run(run_id, by, vec![Op::Audit(entry)]).await? {
        lease.give_back(engine).await?;
        return Err(Error::NotHeld(run_id));
    }
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
        None => new_scan(engine, mapping, run_id, request.kind).await?,
    };
    // What changed alone is read again sooner than it is gone on with.
    if request.kind != RunKind::Incremental {
        scan.keep();
    }
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

/// New scratch files. Where a later process can go on with them, their place is on record before anything is in them.
async fn new_scan(engine: &Engine, mapping: &Mapping, run_id: i64, kind: RunKind) -> Result<Scan, Error> {
    let memory_max = engine.limits().scan_memory_max;
    if kind == RunKind::Incremental {
        return Ok(Scan::create(None, 0, memory_max).await?);
    }
    let scan = Scan::create(None, linked(engine, mapping).await?, memory_max).await?;
    scan.save(MAPPING, mapping.version).await?;
    let path = scan.path().to_string_lossy().into_owned();
    engine.store().set_scratch(run_id, Some(&path)).await?;
    Ok(scan)
}

/// How many pairs are linked.
pub(super) async fn linked(engine: &Engine, mapping: &Mapping) -> Result<u64, Error> {
    let links = LinkFilter {
        mapping: Some(mapping.name.clone()),
        ..LinkFilter::default()
    };
    Ok(engine.store().link_count(&links).await?)
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
