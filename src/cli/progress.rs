//! Reconciliations with a person waiting: how far they are (only on a terminal), and Ctrl-C that ends them cleanly.

use std::{sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::{
    context::Context,
    error::{Error, Result},
};
use crate::{
    core::mapping::Mapping,
    sync::{
        self, Engine,
        reconcile::{self, Report, Request, Watch},
    },
};

/// How often the line is written anew.
const TICK: Duration = Duration::from_millis(120);

/// Reconciles one mapping, and shows how far it is.
pub(super) async fn reconcile(
    context: &Context,
    engine: &Engine,
    mapping: &Arc<Mapping>,
    request: Request,
) -> Result<Report> {
    let shutdown = CancellationToken::new();
    let begun = reconcile::begin(engine, mapping, request).await;
    let begun = begun.map_err(|error| explained(error, mapping))?;
    let watch = begun.watch();
    if watch.now().continued > 0 {
        let run_id = begun.run_id;
        context.output.talk(format!(
            "{}: goes on with run {run_id}, which was cut off",
            mapping.name
        ));
    }
    let work = Box::pin(reconcile::proceed(engine, mapping, begun, &shutdown));
    watched(context, engine, mapping, Some(&watch), &shutdown, work).await
}

/// Waits for the work, writes its line, and hands Ctrl-C on to it.
pub(super) async fn watched(
    context: &Context,
    engine: &Engine,
    mapping: &Mapping,
    watch: Option<&Watch>,
    shutdown: &CancellationToken,
    mut work: impl Future<Output = std::result::Result<Report, sync::Error>> + Unpin,
) -> Result<Report> {
    let bar = bar(context);
    let before = requests(engine, mapping);
    let mut ticks = tokio::time::interval(TICK);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = ticks.tick() => bar.set_message(message(engine, mapping, watch, &before)),
            Ok(()) = tokio::signal::ctrl_c(), if !shutdown.is_cancelled() => {
                shutdown.cancel();
                bar.suspend(|| context.output.talk("stopping: what is in flight ends, what was done stays done"));
            }
        }
    };
    bar.finish_and_clear();
    done.map_err(|error| explained(error, mapping))
}

fn bar(context: &Context) -> ProgressBar {
    if !context.output.talks() {
        return ProgressBar::hidden();
    }
    // Draws on stderr, and only where that is a terminal.
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
        bar.set_style(style);
    }
    bar
}

/// Requests to both systems so far.
fn requests(engine: &Engine, mapping: &Mapping) -> [u64; 2] {
    [&mapping.ends.left, &mapping.ends.right]
        .map(|end| engine.system(&end.system).map_or(0, |system| system.usage().requests))
}

fn message(engine: &Engine, mapping: &Mapping, watch: Option<&Watch>, before: &[u64; 2]) -> String {
    if let Some(watch) = watch {
        return format!("{}: {}", mapping.name, reconcile::told(&watch.now(), mapping));
    }
    let now = requests(engine, mapping);
    let [left, right] = [now[0].saturating_sub(before[0]), now[1].saturating_sub(before[1])];
    let (one, other) = (&mapping.ends.left.system, &mapping.ends.right.system);
    format!("{}: {left} requests to {one}, {right} to {other}", mapping.name)
}

fn explained(error: sync::Error, mapping: &Mapping) -> Error {
    let name = &mapping.name;
    match error {
        sync::Error::Busy(_) => Error::failed(format!("mapping `{name}` is being reconciled already")).with_hint(
            format!("`syncline runs --mapping {name} --status running` shows by whom; it ends by itself"),
        ),
        sync::Error::Shutdown => {
            Error::failed("stopped before its end").with_hint("the next reconciliation goes on where this one was")
        }
        sync::Error::Fault(fault) => super::sync::of_fault(&fault),
        other => other.into(),
    }
}
