//! Drift reports against an independent oracle: small systems of chance, drift planted in them, and a comparison of both that
//! knows nothing of Syncline but its documentation.
//!
//! Every seed is one story: a first sync, quiet edits on both sides (merges, deletes and records made again among them), a
//! report, the same with edits while it reads and with listings that lie, a repair, and a second one that has nothing to do.

mod expect;
mod town;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use syncline::{
    core::status::RunKind,
    sandbox::fault::{Fault, Order},
    store::{Page, drift::DriftFilter},
    sync::reconcile::Report,
};

use self::{
    expect::{Found, expected},
    town::Town,
};
use super::{CUSTOMERS, World};
use crate::support::rig::Chance;

/// Seeds of a commit, unless `SYNCLINE_ORACLE_SEEDS` says another number.
const SEEDS: u64 = 60;

#[expect(clippy::disallowed_methods, reason = "tests have no settings")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Every stable difference is found with its situation and cause, nothing else is, and a second reconciliation writes nothing.
#[test]
fn reports_agree_with_an_independent_oracle_on_systems_of_chance() {
    let (first, count) = match number("SYNCLINE_SEED") {
        Some(seed) => (seed, 1),
        None => (1, number("SYNCLINE_ORACLE_SEEDS").unwrap_or(SEEDS)),
    };
    let next = AtomicU64::new(first);
    let failed: Mutex<Vec<String>> = Mutex::default();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .unwrap();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_enough = failed.lock().unwrap().len() >= 5;
                    if seed >= first + count || is_enough {
                        return;
                    }
                    if let Err(why) = runtime.block_on(story(seed)) {
                        failed.lock().unwrap().push(format!("SYNCLINE_SEED={seed}: {why}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "after {:?}:\n{}",
        started.elapsed(),
        failed.join("\n\n")
    );
}

/// One story; what went wrong in it.
async fn story(seed: u64) -> Result<(), String> {
    let mut town = Town::found(Chance::new(seed)).await;
    agree(&town, "after the first sync", &BTreeSet::new()).await?;
    town.plant().await;
    agree(&town, "after quiet edits", &BTreeSet::new()).await?;
    while_listings_lie(&mut town).await?;
    while_people_edit(&mut town).await?;
    town.world.systems.crm.history().clear();
    town.world.systems.erp.history().clear();
    repair(&mut town, "the repair").await?;
    town.settle();
    town.world.systems.crm.history().clear();
    town.world.systems.erp.history().clear();
    let second = repair(&mut town, "the second repair").await?;
    let writes = town.world.our_writes();
    if !writes.is_empty() {
        return Err(format!(
            "the second reconciliation wrote {writes:?}, {:?}",
            second.counters
        ));
    }
    agree(&town, "after the repair", &BTreeSet::new()).await
}

/// A report says what the oracle says, aside from records that were edited meanwhile.
async fn agree(town: &Town, when: &str, unstable: &BTreeSet<String>) -> Result<(), String> {
    let wanted = expected(town);
    let report = town.world.run(CUSTOMERS, RunKind::Reconcile, false).await;
    compare(&town.world, &report, wanted, when, unstable).await
}

async fn compare(
    world: &World,
    report: &Report,
    wanted: BTreeSet<Found>,
    when: &str,
    unstable: &BTreeSet<String>,
) -> Result<(), String> {
    let found = found(world, report.run_id).await;
    let is_stable = |one: &&Found| !one.is_about(unstable);
    let missed: Vec<_> = wanted.difference(&found).filter(is_stable).collect();
    let invented: Vec<_> = found.difference(&wanted).filter(is_stable).collect();
    if missed.is_empty() && invented.is_empty() {
        return Ok(());
    }
    let mut text = format!(
        "{when}: the report of run {} ({}, {:?})",
        report.run_id, report.status, report.note
    );
    for one in missed {
        write!(text, "\n  misses  {one}").unwrap();
    }
    for one in invented {
        write!(text, "\n  invents {one}").unwrap();
    }
    Err(text)
}

/// What a report lists.
async fn found(world: &World, run_id: i64) -> BTreeSet<Found> {
    let page = Page::first(1_000);
    let items = world
        .store()
        .drift(run_id, &DriftFilter::default(), page)
        .await
        .unwrap();
    items
        .into_iter()
        .map(|item| Found {
            situation: item.situation,
            cause: item.cause,
            field: item.field,
            left: item.left_id,
            right: item.right_id,
        })
        .collect()
}

async fn repair(town: &mut Town, when: &str) -> Result<Report, String> {
    let wanted = expected(town);
    let report = town.world.run(CUSTOMERS, RunKind::Reconcile, true).await;
    compare(&town.world, &report, wanted, when, &BTreeSet::new()).await?;
    Ok(report)
}

/// A listing that ends early, or says that there is nothing, makes the report say less, and nothing that is not so.
async fn while_listings_lie(town: &mut Town) -> Result<(), String> {
    let fault = town
        .chance
        .pick(&[Fault::CutListing, Fault::EmptyListing, Fault::TruncatedJson])
        .clone();
    let is_left = town.chance.percent(50);
    let (faults, path) = if is_left {
        (town.world.systems.erp.faults(), "/api/customers")
    } else {
        (town.world.systems.crm.faults(), "/api/v2/accounts")
    };
    let order = faults.order(Order::next(1, fault.clone()).on("GET", path)).unwrap();
    let wanted = expected(town);
    let report = town.world.run(CUSTOMERS, RunKind::Reconcile, false).await;
    faults.cancel(order);
    let found = found(&town.world, report.run_id).await;
    let invented: Vec<_> = found.difference(&wanted).map(ToString::to_string).collect();
    if invented.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{fault:?} on {path}: the report invents\n  {}",
        invented.join("\n  ")
    ))
}

/// People go on editing while the systems are read.
async fn while_people_edit(town: &mut Town) -> Result<(), String> {
    let edits = town.edits_to_come();
    let unstable: BTreeSet<String> = edits.iter().flat_map(town::LateEdit::ids).collect();
    let wanted = expected(town);
    let world = &town.world;
    let editing = async {
        for edit in &edits {
            tokio::time::sleep(Duration::from_millis(3)).await;
            edit.make(world);
        }
    };
    let (report, ()) = tokio::join!(world.run(CUSTOMERS, RunKind::Reconcile, false), editing);
    compare(world, &report, wanted, "while people edit", &unstable).await
}
