//! `syncline runs`: what was executed, and what came of it.

use clap::Subcommand;
use tokio_util::sync::CancellationToken;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::{Rows, check_mapping, decide, decided, found, look, maybe, maybe_time, time},
    progress,
    reconcile::told as told_of,
    work::Work,
};
use crate::{
    core::status::{RunKind, RunStatus},
    server::{api::run::View, decision},
    store::run::RunFilter,
    sync::reconcile,
};

/// Runs: what was executed, and what came of it.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true,
    after_help = "\
Examples:
  syncline runs                                  the last ones
  syncline runs --status held                    those that wait for a person
  syncline runs release 17                       a held run: do what it planned
  syncline runs discard 17                       or leave everything as it is
  syncline runs 17                               one, with all its counters
  syncline runs --kind reconcile --json | jq .   for programs"
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// One run
    id: Option<i64>,
    /// Of this mapping
    #[arg(long)]
    mapping: Option<String>,
    /// Of this kind
    #[arg(long)]
    kind: Option<RunKind>,
    /// That stand so
    #[arg(long)]
    status: Option<RunStatus>,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Let a held run do what it planned, after comparing both systems anew
    Release {
        /// Its id
        id: i64,
    },
    /// Give up a held run: nothing of what it planned is done
    Discard {
        /// Its id
        id: i64,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match (&args.action, args.id) {
            (Some(Action::Release { id }), _) => {
                let work = Work::open(context).await?;
                let done = release(context, &work, *id).await;
                work.close().await;
                done
            }
            (Some(Action::Discard { id }), _) => discard(context, *id).await,
            (None, Some(id)) => show(context, id).await,
            (None, None) => list(context, args).await,
        }
    })
}

async fn release(context: &Context, work: &Work, id: i64) -> Result {
    let run = found(work.engine.store().run(id).await?, &format!("run {id}"))?;
    if run.status != RunStatus::Held {
        return Err(not_held(id));
    }
    let mapping = work.mapping(run.mapping.as_deref().unwrap_or_default())?;
    let (shutdown, actor) = (CancellationToken::new(), context.actor());
    let released = Box::pin(reconcile::release(&work.engine, id, &actor, &shutdown));
    let report = progress::watched(context, &work.engine, &mapping, None, &shutdown, released).await?;
    told_of(context, &mapping, &report, None)
}

fn not_held(id: i64) -> Error {
    Error::failed(format!("run {id} is not held"))
        .with_hint("`syncline runs --status held` lists those that wait for a person")
}

async fn discard(context: &Context, id: i64) -> Result {
    let (store, _) = decide(context).await?;
    let outcome = decision::discard_run(&store, id, &context.actor()).await?;
    if outcome == decision::Outcome::Settled {
        return Err(not_held(id));
    }
    decided(
        context,
        outcome,
        &format!("run {id}"),
        "discarded, everything stays as it is",
    )
}

async fn list(context: &Context, args: &Args) -> Result {
    let filter = RunFilter {
        mapping: args.mapping.clone(),
        kind: args.kind,
        status: args.status,
        since: None,
    };
    let runs = look(context).await?.runs(&filter, args.rows.page()).await?;
    check_mapping(context, args.mapping.as_deref(), runs.is_empty())?;
    let views: Vec<View> = runs.into_iter().map(View::from).collect();
    let head = [
        "id", "kind", "mapping", "status", "started", "read", "linked", "created", "updated", "failed", "note",
    ];
    context.output.rows(&head, &views, |run| {
        let counters = &run.counters;
        vec![
            run.run_id.to_string(),
            run.kind.to_string(),
            run.mapping.clone().unwrap_or_default(),
            run.status.to_string(),
            time(run.started_at),
            counters.read.to_string(),
            counters.linked.to_string(),
            counters.created.to_string(),
            counters.updated.to_string(),
            counters.failed.to_string(),
            run.note.clone().unwrap_or_default(),
        ]
    })?;
    Ok(Exit::Done)
}

async fn show(context: &Context, id: i64) -> Result {
    let run = look(context).await?.run(id).await?;
    let view = View::from(found(run, &format!("run {id}"))?);
    let counters = &view.counters;
    let progress = view
        .progress
        .map(|progress| reconcile::line(&progress, "the left system", "the right one"));
    let numbers = [
        ("requests", counters.requests),
        ("bytes", counters.bytes),
        ("read", counters.read),
        ("linked", counters.linked),
        ("created", counters.created),
        ("updated", counters.updated),
        ("deleted", counters.deleted),
        ("unchanged", counters.unchanged),
        ("skipped", counters.skipped),
        ("conflicts", counters.conflicts),
        ("failed", counters.failed),
    ];
    let mut fields = vec![
        ("run", view.run_id.to_string()),
        ("kind", view.kind.to_string()),
        ("mapping", maybe(view.mapping.as_ref())),
        ("trigger", view.trigger.to_string()),
        ("status", view.status.to_string()),
        ("started", time(view.started_at)),
        ("ended", maybe_time(view.ended_at)),
        ("node", view.node.clone()),
        ("note", maybe(view.note.as_ref())),
        ("released by", maybe(view.released_by.as_ref())),
        ("progress", maybe(progress.as_ref())),
    ];
    fields.extend(numbers.map(|(name, number)| (name, number.to_string())));
    context.output.fields(&view, &fields)?;
    Ok(Exit::Done)
}
