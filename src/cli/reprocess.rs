//! `syncline reprocess`: failed records are looked at again.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    failures::Filter,
    list::decided,
    output::count,
    work::Work,
};
use crate::{
    core::status::FailureStatus,
    server::decision,
    store::{PAGE_MAX, Page, failure::Failure},
    sync::reprocess,
    worker::change,
};

/// Failed records are looked at again, by the same planner as on every other road.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline reprocess 12 15                                 these failures
  syncline reprocess --run 17                              all of a run
  syncline reprocess --mapping contact --class rejected    those that fit, after showing how many there are
  syncline reprocess --all --yes                           everything that is not settled, without asking

With a daemon on the same database the daemon takes them; without one they are worked off here, and what came of each is
said. Exit code 1 if one fails again.")]
pub struct Args {
    /// These failures
    #[arg(value_name = "FAILURE_ID")]
    ids: Vec<i64>,
    #[command(flatten)]
    filter: Filter,
    /// All that are not settled
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What came of one failure.
#[derive(Serialize)]
struct View {
    failure_id: i64,
    mapping: String,
    record_id: String,
    /// `queued` while a daemon has it.
    status: String,
    message: String,
    hint: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    if args.ids.is_empty() && args.filter.is_empty() && !args.all {
        return Err(Error::usage("which failures are meant?")
            .with_hint("name ids, a filter such as `--run 17`, or `--all`; `syncline failures` lists them"));
    }
    block_on(async {
        let work = Work::open(context).await?;
        let done = reprocess(context, args, &work).await;
        work.close().await;
        done
    })
}

async fn reprocess(context: &Context, args: &Args, work: &Work) -> Result {
    let store = work.engine.store();
    let wanted = if args.ids.is_empty() {
        let filter = args.filter.selection().filter();
        let number = reprocess::count(work.engine.store(), &filter).await?;
        if number == 0 {
            context.output.talk("no failure fits: there is nothing to do");
            return Ok(Exit::Done);
        }
        let shown = count(usize::try_from(number).unwrap_or(usize::MAX), "failure");
        if !args.yes && !confirmed(&shown)? {
            context.output.talk("nothing was done");
            return Ok(Exit::Done);
        }
        let wanted = store.failures(&filter, Page::first(PAGE_MAX)).await?;
        reprocess::reprocess(work.engine.store(), &filter, &context.actor()).await?;
        context.output.talk(format!("{shown} put into the queue"));
        wanted
    } else {
        chosen(context, &args.ids, work).await?
    };
    if work.has_daemon {
        context
            .output
            .talk("the daemon takes them; `syncline failures` shows what is left");
        let queued: Vec<View> = wanted.into_iter().map(|failure| View::of(failure, true)).collect();
        return shown(context, &queued);
    }
    change::drain(&work.engine, change::Limits::default()).await;
    let mut views = Vec::new();
    for failure in wanted {
        views.extend(store.failure(failure.failure_id).await?.map(|now| View::of(now, false)));
    }
    shown(context, &views)
}

/// Puts single failures into the queue.
async fn chosen(context: &Context, ids: &[i64], work: &Work) -> Result<Vec<Failure>> {
    let store = work.engine.store();
    let mut wanted = Vec::new();
    for id in ids {
        let outcome = decision::reprocess_failure(store, *id, &context.actor()).await?;
        decided(context, outcome, &format!("failure {id}"), "put into the queue")?;
        wanted.extend(store.failure(*id).await?);
    }
    Ok(wanted)
}

/// Asks the person at the terminal.
fn confirmed(what: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(Error::usage(format!("{what} would be looked at again"))
            .with_hint("add --yes to do it without being asked"));
    }
    let mut err = io::stderr().lock();
    write!(err, "Look at {what} again? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn shown(context: &Context, views: &[View]) -> Result {
    let head = ["failure", "mapping", "record", "now", "message"];
    context.output.rows(&head, views, |view| {
        vec![
            view.failure_id.to_string(),
            view.mapping.clone(),
            view.record_id.clone(),
            view.status.clone(),
            view.message.clone(),
        ]
    })?;
    let failed = views
        .iter()
        .filter(|view| {
            ![
                FailureStatus::Resolved.as_str(),
                FailureStatus::Ignored.as_str(),
                "queued",
            ]
            .contains(&view.status.as_str())
        })
        .count();
    Ok(if failed == 0 { Exit::Done } else { Exit::Found })
}

impl View {
    fn of(failure: Failure, is_queued: bool) -> Self {
        let is_settled = matches!(failure.status, FailureStatus::Resolved | FailureStatus::Ignored);
        Self {
            failure_id: failure.failure_id,
            mapping: failure.key.mapping.to_string(),
            record_id: failure.key.record_id,
            status: if is_queued {
                "queued".to_owned()
            } else {
                failure.status.to_string()
            },
            message: if is_settled || is_queued {
                String::new()
            } else {
                failure.message
            },
            hint: failure.hint,
        }
    }
}
