//! The real program: from its start to ready with much to load, and what it needs while it has nothing to do.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Result, ensure};

use super::{Stage, syncline};
use crate::{
    Args, machine, product,
    program::Daemon,
    report::{Report, Row, Wanted},
    rounds::median,
};

const GROUP: &str = "the daemon";
/// Systems on each side, each of a kind of its own.
const SYSTEMS: usize = 50;
/// Mappings.
const MAPPINGS: usize = 100;
/// Links for each record that is asked for.
const LINKS: usize = 5;
/// How long it has nothing to do before its memory counts.
const REST: Duration = Duration::from_secs(3);

/// Starts it on 100 connectors, 100 mappings and a million links.
pub fn measure(args: &Args, report: &mut Report) -> Result<()> {
    let stage = Stage::new()?;
    let folder = stage.turn(None, false)?;
    product::write_many(&folder, SYSTEMS, MAPPINGS)?;
    let migrated = syncline(&folder, "migrate").stdout(Stdio::null()).status()?;
    ensure!(migrated.success(), "`syncline migrate` ended with {migrated}");
    let links = args.records * LINKS;
    link(&folder.join("data/syncline.db"), links)?;
    let mut seconds = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..args.rounds {
        let daemon = Daemon::start(syncline(&folder, "run"))?;
        seconds.push(daemon.took.as_secs_f64());
        std::thread::sleep(REST);
        memory.push(machine::memory(daemon.child.id())?.now_mib);
    }
    let what = format!(
        "start to ready: {} connectors, {MAPPINGS} mappings, {links} links",
        2 * SYSTEMS
    );
    let millis = median(seconds.into_iter()) * 1e3;
    report.add(Row::new(GROUP, &what, millis, "ms").value_wanted(Wanted::AtMost(300.0)));
    let memory = median(memory.into_iter());
    report.add(Row::new(GROUP, "memory, idle", memory, "MiB").value_wanted(Wanted::AtMost(40.0)));
    Ok(())
}

/// Writes links past the program, as if syncs had made them.
fn link(database: &Path, count: usize) -> Result<()> {
    let mut connection = rusqlite::Connection::open(database)?;
    let transaction = connection.transaction()?;
    let insert = "with recursive n (i) as (select 1 union all select i + 1 from n where i < ?1) \
        insert into link (mapping, left_id, right_id, base, status, last_synced_at, created_at, updated_at) \
        select 'item-' || (i % ?2), cast(i as text), 'R' || i, zeroblob(192), 'linked', 0, 0, 0 from n";
    transaction.execute(insert, [i64::try_from(count)?, i64::try_from(MAPPINGS)?])?;
    transaction.commit()?;
    Ok(())
}
