//! Syncline's roads: a reconciliation of everything, and the worker on what came up.

use anyhow::{Result, bail, ensure};
use syncline::{
    core::{
        record::RecordKey,
        status::{ChangeOrigin, EventKind, RunKind, Side, Trigger},
    },
    store::{Op, Page, change::NewChange, failure::FailureFilter},
    sync::reconcile::{self, Request},
    worker::change,
};
use tokio_util::sync::CancellationToken;

use super::{Name, Outcome, Task, Watch};
use crate::{
    generated, machine,
    product::{MAPPING, Product},
};

/// Records put into the dirty set in one go.
const GROUP: usize = 1_000;

/// One whole reconciliation.
pub async fn reconcile(task: &Task) -> Result<Outcome> {
    let product = Product::open(&task.folder, &task.store).await?;
    product.link(task.linked).await?;
    let request = Request {
        kind: if task.linked > 0 || task.name == Name::Compare {
            RunKind::Reconcile
        } else {
            RunKind::Full
        },
        trigger: Trigger::Person,
        repair: true,
    };
    let mapping = product.mapping()?;
    machine::forget_peak()?;
    let watch = Watch::start()?;
    let report = reconcile::reconcile(&product.engine, mapping, request, &CancellationToken::new()).await?;
    let counters = report.counters;
    let note = format!(
        "{}: {} drifted, {} requests; {} linked, {} created, {} updated, {} unchanged, {} failed{}",
        report.status,
        report.summary.drifted(),
        counters.requests,
        counters.linked,
        counters.created,
        counters.updated,
        counters.unchanged,
        counters.failed,
        report.note.map_or_else(String::new, |note| format!("; {note}")),
    );
    let outcome = watch.stop(task.records as u64, note)?;
    let failures = product
        .store
        .failures(&FailureFilter::default(), Page::first(1))
        .await?;
    if let Some(failure) = failures.first() {
        bail!("a record failed: {} {}", failure.code, failure.message);
    }
    product.store.close().await;
    Ok(outcome)
}

/// Links what both systems have, but for what was never linked.
pub async fn link(task: &Task) -> Result<Outcome> {
    let product = Product::open(&task.folder, &task.store).await?;
    let watch = Watch::start()?;
    product.link_where(task.records, generated::is_linked).await?;
    product.store.close().await;
    watch.stop(task.records as u64, "")
}

/// The worker, with 32 changes in flight, on one change of every record.
pub async fn work(task: &Task) -> Result<Outcome> {
    let product = Product::open(&task.folder, &task.store).await?;
    product.link(task.linked).await?;
    for first in (1..=task.records).step_by(GROUP) {
        let numbers = first..=(first + GROUP - 1).min(task.records);
        let ops = numbers.map(|number| {
            let key = RecordKey::new(MAPPING, Side::Left, number.to_string());
            Op::Enqueue(NewChange::new(key, ChangeOrigin::Event, EventKind::Updated))
        });
        product.store.commit(ops.collect()).await?;
    }
    let limits = change::Limits {
        in_flight: 32,
        ..change::Limits::default()
    };
    let watch = Watch::start()?;
    let count = change::drain(&product.engine, limits).await;
    ensure!(count >= task.records as u64, "{count} changes were worked on");
    let outcome = watch.stop(count, "")?;
    product.store.close().await;
    Ok(outcome)
}
