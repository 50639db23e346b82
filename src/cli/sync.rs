//! `syncline sync`: one record now, or everything that changed.

use std::time::Duration;

use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    decided,
    error::{Error, Result},
    output::count,
    work::{RecordArg, Work},
};
use crate::{
    core::{
        fault::Fault,
        mapping::Mapping,
        status::{Side, Situation, Trigger},
    },
    store::failure::FailureFilter,
    sync::{
        manual, poll,
        record::{self, Ending},
    },
    worker::change,
};

/// How long a poll keeps others from the same side.
const LEASE: Duration = Duration::from_mins(1);

/// One record now, or everything that changed since the last look.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline sync customer-account --record erp:7            this record and its partner, and what was done and why
  syncline sync customer-account --record crm:ACC-000123   the same from the other side
  syncline sync customer-account                           asks both systems what changed, and works it off

What was lost on the way is found by `syncline reconcile`. Exit code 1 if a record failed.")]
pub struct Args {
    /// The mapping
    mapping: String,
    /// One record, on either side
    #[arg(long, value_name = "SYSTEM:ID")]
    record: Option<RecordArg>,
}

/// What came of a look at everything that changed.
#[derive(Serialize)]
struct Polled {
    mapping: String,
    /// Changed records by system; null where the system cannot say.
    found: [(String, Option<u64>); 2],
    worked_on: u64,
    failures_open: u64,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        let work = Work::open(context).await?;
        let done = match &args.record {
            Some(record) => one(context, &work, args, record).await,
            None => changed(context, &work, args).await,
        };
        work.close().await;
        done
    })
}

async fn one(context: &Context, work: &Work, args: &Args, wanted: &RecordArg) -> Result {
    let mapping = work.mapping(&args.mapping)?;
    let (side, id) = wanted.of(&mapping)?;
    let actor = context.actor();
    let Some(done) = Box::pin(manual::now(&work.engine, &mapping, side, id, &actor)).await? else {
        return Err(Error::failed(format!(
            "{}:{id} is being worked on this moment",
            mapping.end(side).system
        ))
        .with_hint("try again in a moment"));
    };
    let (synced, run_id) = (&done.synced, done.run_id);
    let Some(plan) = &synced.plan else {
        let Ending::Failed(faults) = &synced.ending else {
            return Ok(Exit::Done);
        };
        return Err(faults.first().map_or_else(|| Error::failed("it failed"), of_fault));
    };
    if plan.situation == Situation::Gone && synced.pair.ids.left.is_none() != synced.pair.ids.right.is_none() {
        let end = mapping.end(side);
        return Err(Error::failed(format!(
            "there is no {} `{id}` in {}",
            end.object, end.system
        )));
    }
    let failed = match &synced.ending {
        Ending::Failed(faults) => faults.first(),
        _ => None,
    };
    let ids = &synced.pair.ids;
    decided::View::of(&mapping, plan, ids.left.as_deref(), ids.right.as_deref()).show(context, failed.is_some())?;
    match (failed, &synced.ending) {
        (Some(fault), _) => {
            // A fault of the plan itself was shown with it.
            if !plan.faults.contains(fault) {
                context.output.line(fault.to_string())?;
                if let Some(hint) = &fault.hint {
                    context.output.line(format!("  hint: {hint}"))?;
                }
            }
            context.output.talk(format!(
                "failed (run {run_id}): `syncline failures --run {run_id}` has it on record"
            ));
            Ok(Exit::Found)
        }
        (None, Ending::Waiting(_)) => {
            context
                .output
                .talk("it is in the queue, and looked at again as soon as its parent is linked");
            Ok(Exit::Done)
        }
        (None, _) => {
            context.output.talk(format!("done (run {run_id})"));
            Ok(Exit::Done)
        }
    }
}

async fn changed(context: &Context, work: &Work, args: &Args) -> Result {
    let mapping = work.mapping(&args.mapping)?;
    let mut found = Vec::new();
    for side in [Side::Left, Side::Right] {
        let count = ask(context, work, &mapping, side).await?;
        found.push((mapping.end(side).system.clone(), count));
    }
    let worked_on = change::drain(&work.engine, change::Limits::default()).await;
    let filter = FailureFilter {
        mapping: Some(mapping.name.clone()),
        ..FailureFilter::default()
    };
    let failures_open = work.engine.store().failure_count(&filter).await?;
    let [left, right] = &found[..] else {
        return Ok(Exit::Done);
    };
    let polled = Polled {
        mapping: mapping.name.clone(),
        found: [left.clone(), right.clone()],
        worked_on,
        failures_open,
    };
    context.output.json(&polled)?;
    for (system, number) in &polled.found {
        let told = number.map_or_else(
            || "cannot say what changed: webhooks and `syncline reconcile` find it".to_owned(),
            |number| {
                format!(
                    "{} changed since the last look",
                    count(usize::try_from(number).unwrap_or(usize::MAX), "record")
                )
            },
        );
        context.output.line(format!("{system}: {told}"))?;
    }
    context.output.line(format!(
        "{worked_on} worked on, {} open",
        count(usize::try_from(failures_open).unwrap_or(usize::MAX), "failure")
    ))?;
    if failures_open > 0 {
        context
            .output
            .talk(format!("hint: syncline failures --mapping {}", mapping.name));
    }
    Ok(if failures_open == 0 { Exit::Done } else { Exit::Found })
}

/// Asks one side what changed; none where its system cannot say.
async fn ask(context: &Context, work: &Work, mapping: &Mapping, side: Side) -> Result<Option<u64>> {
    let (engine, end) = (&work.engine, mapping.end(side));
    let system = engine.end(mapping, side).map_err(|fault| of_fault(&fault))?;
    let object = system.connector().objects.get(&end.object);
    if !object.is_some_and(crate::core::connector::Object::lists_changes) {
        return Ok(None);
    }
    let lease = format!("poll/{}/{side}", mapping.name);
    let Some(epoch) = engine.store().acquire_lease(&lease, LEASE).await? else {
        context
            .output
            .talk(format!("{} is being asked this moment by the daemon", end.system));
        return Ok(Some(0));
    };
    let found = Box::pin(poll::poll(engine, mapping, side, Trigger::Person)).await;
    engine.store().release_lease(&lease, epoch).await?;
    match found {
        Ok(count) => Ok(Some(count)),
        Err(crate::sync::Error::Fault(fault)) => Err(of_fault(&fault)),
        Err(error) => Err(error.into()),
    }
}

/// A fault as the error of a command, with its hint.
pub(super) fn of_fault(fault: &Fault) -> Error {
    let error = Error::failed(fault);
    match &fault.hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Why a record could not be looked at.
pub(super) fn told(error: record::Error) -> Error {
    match error {
        record::Error::Fault(fault) => of_fault(&fault),
        record::Error::Store(error) => error.into(),
    }
}
