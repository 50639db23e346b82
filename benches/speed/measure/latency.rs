//! The same over a network where every answer takes 100 ms: what counts there is requests, not work.

use std::time::Duration;

use anyhow::Result;

use super::Stage;
use crate::{
    Args,
    report::{Report, Row},
    rounds::take_turns,
    server::Server,
    subject::{Name, Task},
};

const GROUP: &str = "every answer takes 100 ms";
const DELAY: Duration = Duration::from_millis(100);
/// Records, unless fewer are asked for: the rates do not depend on it.
const RECORDS_MAX: usize = 10_000;
/// Single changes.
const CHANGES_MAX: usize = 1_000;

/// Listing, first sync in batches and one by one, single changes.
pub fn measure(args: &Args, report: &mut Report) -> Result<()> {
    let records = args.records.min(RECORDS_MAX);
    let changes = args.records.min(CHANGES_MAX);
    let cases = [
        ("listing", Name::List, records, 0, false),
        ("first sync, batches of 200", Name::Reconcile, records, 0, true),
        ("first sync, one a call", Name::Reconcile, changes, 0, false),
        ("single changes, 32 in flight", Name::Work, changes, changes, false),
    ];
    for (what, name, records, linked, is_batching) in cases {
        let (stage, server) = (Stage::new()?, Server::start(records, linked)?);
        if linked > 0 {
            for number in 1..=records {
                server.edit_left(number, 1);
            }
        }
        server.set_delay(DELAY);
        let task = Task {
            name,
            records,
            linked,
            ..Task::default()
        };
        let taken = take_turns(&[task], 1, |task| stage.set(task, &server, is_batching))?;
        let requests = server.take_requests();
        let each = requests as f64 / records as f64;
        if let [own] = taken.as_slice() {
            let note = format!("{each:.3} requests a record, {requests} requests in all");
            report.add(Row::new(GROUP, what, own.rate(), "records/s").note(note));
        }
    }
    Ok(())
}
