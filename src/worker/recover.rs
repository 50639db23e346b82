//! What a node does before anything else: it settles what its last process left behind.

use chrono::TimeDelta;

use crate::{
    core::{
        fault::Fault,
        record::RecordKey,
        retry,
        status::{ChangeOrigin, EventKind, EventStatus, FailureClass, FailureStatus, Stage, WriteStatus},
    },
    seam::{self, Bug},
    store::{
        self, Op, Store,
        change::{Claim, NewChange},
        event::FinishedEvent,
        failure::NewFailure,
        recover::CrashedChange,
        write::{FinishedWrite, Write},
    },
    sync::Engine,
};

/// So many processes may end with a change before it is suspected.
const CRASHES_MAX: u32 = 3;

/// What was found and settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Runs that were closed as failed; their work goes on in later runs.
    pub runs: u64,
    /// Changes that were being worked on, and are free again.
    pub changes: u64,
    /// Changes that were set aside because process after process ended with them.
    pub parked: u64,
    /// Writes that nobody knows whether they were sent; their records are looked at.
    pub writes: u64,
    /// Changes that were put off further than any wait, by a clock that was wrong.
    pub pulled_in: u64,
}

/// What a run says that the daemon was at when it ended.
pub const CUT_OFF: &str = "the process ended while this run was at work; its work goes on in later runs";
/// What a run says that a command was at when it ended.
const COMMAND_CUT_OFF: &str =
    "the command was ended while this run was at work: what it did stands, run it again for the rest";

/// Settles what the last process of this node left behind. Called before the work begins.
pub async fn recover(engine: &Engine) -> Result<Recovered, store::Error> {
    if seam::has_bug(Bug::RecoverySkipped) {
        return Ok(Recovered::default());
    }
    let store = engine.store();
    let mut recovered = Recovered {
        runs: store.close_crashed_runs(store.node(), CUT_OFF).await?,
        changes: store.take_back_claims().await?,
        ..Recovered::default()
    };
    store.free_crashed_leases().await?;
    for crashed in store.crashed_changes(CRASHES_MAX).await? {
        recovered.parked += u64::from(park(engine, &crashed).await?);
    }
    recovered.writes += settle_intents(store, store.node()).await?;
    let commands = recover_commands(store).await?;
    recovered.runs += commands.runs;
    recovered.writes += commands.writes;
    let wait_max = TimeDelta::from_std(retry::WAIT_MAX).unwrap_or(TimeDelta::days(1));
    let latest = engine.clock().now() + wait_max + TimeDelta::hours(1);
    recovered.pulled_in = store.pull_in_changes(latest).await?;
    if recovered != Recovered::default() {
        tracing::warn!(
            runs = recovered.runs,
            changes = recovered.changes,
            parked = recovered.parked,
            writes = recovered.writes,
            pulled_in = recovered.pulled_in,
            "the last process of this node left work behind: it goes on"
        );
    }
    Ok(recovered)
}

/// Settles what commands left behind that were ended in the middle. Called by the daemon and by every command that works, at
/// its start.
pub async fn recover_commands(store: &Store) -> Result<Recovered, store::Error> {
    let mut recovered = Recovered::default();
    for name in store.dead_commands().await? {
        recovered.runs += store.close_crashed_runs(&name, COMMAND_CUT_OFF).await?;
        recovered.writes += settle_intents(store, &name).await?;
        store.bury_command(&name).await?;
    }
    Ok(recovered)
}

/// Has the records looked at whose writes may have been sent; how many writes.
async fn settle_intents(store: &Store, node: &str) -> Result<u64, store::Error> {
    let mut count = 0;
    loop {
        let intents = store.write_intents(node).await?;
        if intents.is_empty() {
            return Ok(count);
        }
        count += intents.len() as u64;
        store.commit(intents.iter().flat_map(look_again).collect()).await?;
    }
}

/// Sets a change aside as a failure; false where somebody works on the record.
async fn park(engine: &Engine, crashed: &CrashedChange) -> Result<bool, store::Error> {
    let store = engine.store();
    let key = &crashed.key;
    let Some(guard) = store
        .lock(std::slice::from_ref(key), std::time::Duration::from_mins(1))
        .await?
    else {
        return Ok(false);
    };
    let message = format!("{} processes ended while they worked on this record", crashed.crashes);
    let fault = Fault::new("SY011", FailureClass::Bug, Stage::Map, message)
        .with_hint("this is a fault of Syncline: report it with the log of the last ends, then reprocess the record");
    tracing::error!(record = %key, crashes = crashed.crashes, "set aside: the process ended with it again and again");
    let last_error = Some(fault.to_string());
    let mut ops = vec![
        Op::Fail(NewFailure {
            run_id: None,
            key: key.clone(),
            left_id: None,
            right_id: None,
            fault,
            status: FailureStatus::Parked,
            next_attempt_at: None,
            event_id: crashed.event_id,
        }),
        Op::CompleteChange(Claim {
            key: key.clone(),
            generation: crashed.generation,
            guard,
        }),
    ];
    ops.extend(crashed.event_id.map(|event_id| {
        Op::FinishEvent(FinishedEvent {
            event_id,
            change: Some(key.clone()),
            status: EventStatus::Failed,
            last_error,
            processing_ms: 0,
        })
    }));
    store.commit(ops).await?;
    Ok(true)
}

/// The record of a write that may have been sent is looked at: what is there decides, and nothing is sent blindly.
fn look_again(write: &Write) -> [Op; 2] {
    let key = match &write.record_id {
        Some(id) => RecordKey::new(write.mapping.clone(), write.side, id.clone()),
        None => RecordKey::new(write.mapping.clone(), write.side.other(), write.partner_id.clone()),
    };
    let unknown = FinishedWrite::without_answer(write.write_id, write.kind, WriteStatus::Unknown);
    [
        Op::FinishWrite(unknown),
        Op::Enqueue(NewChange::new(key, ChangeOrigin::Reprocess, EventKind::Updated)),
    ]
}
