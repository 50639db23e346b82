//! Every page that somebody opens in the morning, and how long each takes.

use anyhow::{Result, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    Args,
    load::share_of,
    product::MAPPING,
    report::{Report, Row, Wanted},
    visitor::Visitor,
};

/// The longest that a page may take, in milliseconds.
const MILLIS_MAX: f64 = 50.0;
/// The largest page.
const BYTES_MAX: usize = 200_000;
/// Answers that warm everything up.
const WARM_UP: usize = 3;

/// What stands in the store, for pages that lead into it.
pub struct Ids {
    /// The run of the large report.
    pub run_id: i64,
    /// A difference in the middle of it.
    pub drift_id: i64,
    /// How many links there are.
    pub links: i64,
    /// How many runs, failures and entries of the audit there are.
    pub runs: i64,
    /// How many events there are.
    pub events: i64,
}

/// A page by what it is, and its address.
fn pages(ids: &Ids) -> Vec<(&'static str, String)> {
    let mut pages = drift_pages(ids);
    pages.extend(work_pages(ids));
    pages
}

/// The cursor of a page that begins behind this row.
fn deep(id: i64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(id.to_string())
}

/// What analysts open.
fn drift_pages(ids: &Ids) -> Vec<(&'static str, String)> {
    let report = format!("/drift/{}", ids.run_id);
    vec![
        ("overview", String::new()),
        ("operations", "/operations".into()),
        ("mapping", format!("/mappings/{MAPPING}")),
        ("drift reports", "/drift".into()),
        ("drift report with its items", report.clone()),
        ("items of a cause", format!("{report}?cause=event_missed")),
        ("items of a rare cause", format!("{report}?cause=unwatched")),
        (
            "items of a field and outcome",
            format!("{report}?field=city&outcome=held"),
        ),
        ("items of a record", format!("{report}?record_id={}", ids.links / 2)),
        (
            "items, a page in the middle",
            format!("{report}?cursor={}", deep(ids.drift_id)),
        ),
        (
            "items of a cause, a page in the middle",
            format!("{report}?cause=conflict&cursor={}", deep(ids.drift_id)),
        ),
    ]
}

/// What ops open.
fn work_pages(ids: &Ids) -> Vec<(&'static str, String)> {
    vec![
        ("failures", "/failures".into()),
        (
            "failures of a class and code",
            "/failures?class=rejected&code=RQ004".into(),
        ),
        (
            "failures, a page in the middle",
            format!("/failures?cursor={}", deep(ids.runs / 2)),
        ),
        ("events", "/events".into()),
        (
            "events of a system that failed",
            "/events?system=left&status=failed".into(),
        ),
        ("events of a record", format!("/events?record_id={}", ids.events / 2)),
        (
            "events, a page in the middle",
            format!("/events?cursor={}", deep(ids.events / 2)),
        ),
        ("record search by its id", format!("/record?q={}", ids.links / 2)),
        ("record search by a value", "/record?q=Customer%20500%20Ltda".into()),
        ("record search, nothing found", "/record?q=nobody%20has%20this".into()),
        (
            "record with its story",
            format!("/records/{MAPPING}/left/{}", ids.links / 2),
        ),
        ("runs", "/runs".into()),
        (
            "runs of a mapping and kind",
            format!("/runs?mapping={MAPPING}&kind=reconcile"),
        ),
        ("runs of a rare status", "/runs?status=partial".into()),
        (
            "runs, a page in the middle",
            format!("/runs?cursor={}", deep(ids.runs / 2)),
        ),
        ("links", "/links".into()),
        (
            "links of a mapping that ended",
            format!("/links?mapping={MAPPING}&status=ended"),
        ),
        (
            "links, a page in the middle",
            format!("/links?cursor={}", deep(ids.links / 2)),
        ),
        ("events that nothing maps", "/events?status=ignored".into()),
        ("conflicts", "/conflicts".into()),
        ("pending deletes", "/deletes".into()),
        ("suggestions", "/suggestions".into()),
        ("systems", "/systems".into()),
        ("audit", "/audit".into()),
    ]
}

/// Asks for every page again and again.
pub fn measure(visitor: &mut Visitor, ids: &Ids, args: &Args, (group, report): (&str, &mut Report)) -> Result<()> {
    for (what, path) in pages(ids) {
        let path = format!("/console{path}");
        let mut took = Vec::with_capacity(args.rounds);
        let mut bytes = 0;
        for round in 0..args.rounds + WARM_UP {
            let answer = visitor.get(&path)?;
            // A search that finds one record leads to it.
            ensure!(["200", "303"].contains(&answer.status()), "{path}: {}", answer.status());
            bytes = answer.body.len().max(bytes);
            if round >= WARM_UP {
                took.push(answer.took);
            }
        }
        took.sort_unstable();
        let millis = |share| share_of(&took, share).as_secs_f64() * 1e3;
        let size = if bytes > BYTES_MAX { ": MORE THAN 200 KB" } else { "" };
        let note = format!("p99 {:.1} ms, {:.1} KB{size}", millis(0.99), bytes as f64 / 1e3);
        let row = Row::new(group, what, millis(0.5), "ms").value_wanted(Wanted::AtMost(MILLIS_MAX));
        report.add(row.note(note));
    }
    Ok(())
}

/// The addresses that somebody opens one after the other.
pub fn walk(ids: &Ids) -> Vec<String> {
    pages(ids)
        .into_iter()
        .map(|(_, path)| format!("/console{path}"))
        .collect()
}
