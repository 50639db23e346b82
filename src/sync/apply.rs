//! Carrying out a plan: an intent before each request, the outcome after it, no decisions.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{Engine, fetch::Fetched};
use crate::{
    client::{Outcome, Road, WriteFault, Written},
    core::{
        diff::{self, Context},
        fault::Fault,
        mapping::Mapping,
        plan::{LinkStep, Plan, Write},
        record::{Base, Record, RecordKey},
        status::{FailureClass, Side, Sides, Stage, WriteKind, WriteStatus},
        value::{Value, fingerprint},
    },
    store::{
        self, Op,
        link::{Agreement, NewLink, SyncedLink},
        write::{FinishedWrite, NewWrite},
    },
};

/// What became of a plan.
#[derive(Debug)]
pub enum Applied {
    /// Everything was done; `ops` make it part of our own data.
    Done(Done),
    /// The other side changed in between: the pair has to be read and planned again.
    Again {
        /// The outcomes so far.
        ops: Vec<Op>,
        /// Why.
        fault: Fault,
    },
    /// A write failed or its outcome is unknown.
    Failed {
        /// The outcomes so far.
        ops: Vec<Op>,
        /// Why.
        fault: Fault,
    },
}

/// A plan that was carried out.
#[derive(Debug, Default)]
pub struct Done {
    /// What has to be stored, in one submission.
    pub ops: Vec<Op>,
    /// Records made.
    pub created: u64,
    /// Records changed.
    pub updated: u64,
    /// Records removed.
    pub deleted: u64,
    /// Pairs linked.
    pub linked: u64,
}

/// Carries out the plan of the record `key`.
pub async fn carry_out(
    engine: &Engine,
    mapping: &Mapping,
    run_id: Option<i64>,
    key: &RecordKey,
    fetched: &Fetched,
    plan: &Plan,
) -> Result<Applied, store::Error> {
    let mut done = Done::default();
    let mut after = Sides::of(|side| fetched.records.get(side).record().cloned());
    for write in &plan.writes {
        if let Some(fault) = forbidden(engine, mapping, key, fetched, write).await? {
            return Ok(Applied::Failed { ops: done.ops, fault });
        }
        let partner = partner_id(key, fetched, write);
        let intent = intent(engine, mapping, run_id, write, &partner);
        let idempotency = intent.idempotency_key.clone();
        let write_id = engine
            .store()
            .intend(vec![intent])
            .await?
            .first()
            .copied()
            .unwrap_or_default();
        match send(engine, mapping, write, &idempotency).await {
            Ok(written) => {
                count(&mut done, write.kind);
                done.ops.push(Op::FinishWrite(outcome(
                    write_id,
                    WriteStatus::Succeeded,
                    None,
                    Some(&written),
                )));
                let before = fetched.records.get(write.to).record();
                *after.get_mut(write.to) = settled(engine, mapping, write, before, written).await;
            }
            Err(refused) => {
                let status = match refused.outcome {
                    Outcome::Unknown => WriteStatus::Unknown,
                    _ => WriteStatus::Failed,
                };
                done.ops
                    .push(Op::FinishWrite(outcome(write_id, status, refused.fault.status, None)));
                let (ops, fault) = (done.ops, refused.fault);
                return Ok(match refused.outcome {
                    Outcome::Stale | Outcome::Exists | Outcome::Missing => Applied::Again { ops, fault },
                    Outcome::NotWritten | Outcome::Unknown => Applied::Failed { ops, fault },
                });
            }
        }
    }
    link(engine, mapping, fetched, plan, &after, &mut done);
    Ok(Applied::Done(done))
}

/// The id of the record that a write comes from.
fn partner_id(key: &RecordKey, fetched: &Fetched, write: &Write) -> String {
    let from = fetched.records.get(write.to.other()).record();
    from.map_or_else(|| key.record_id.clone(), |record| record.id.clone())
}

/// Whether a write must not be sent: the record is written in a loop, or an earlier create may have gone through.
async fn forbidden(
    engine: &Engine,
    mapping: &Mapping,
    key: &RecordKey,
    fetched: &Fetched,
    write: &Write,
) -> Result<Option<Fault>, store::Error> {
    let Some(record_id) = &write.id else {
        let unknown = engine
            .store()
            .open_writes(&mapping.name, key.side, &[key.record_id.as_str()])
            .await?;
        let is_blind = !fetched.searched && unknown.iter().any(|open| open.kind == WriteKind::Create);
        return Ok(is_blind.then(|| {
            let system = &mapping.end(write.to).system;
            let message = format!("an earlier create in `{system}` may have gone through, and nothing can find out");
            Fault::new("SY003", FailureClass::Uncertain, Stage::Write, message)
                .with_hint("look for the record there: the next reconciliation links it, or makes it if it is missing")
        }));
    };
    let within = TimeDelta::milliseconds(mapping.breaker.within.millis());
    let since = engine.clock().now() - within;
    let recent = engine
        .store()
        .recent_writes(&mapping.name, write.to, record_id, since)
        .await?;
    let is_loop = recent.len() >= mapping.breaker.writes as usize;
    Ok(is_loop.then(|| {
        let message = format!(
            "written {} times within {}: stopped as a loop",
            recent.len(),
            mapping.breaker.within
        );
        Fault::new("SY004", FailureClass::Held, Stage::Write, message)
            .with_hint("find out which system changes the value back; `loop:` in the mapping sets the limit")
    }))
}

fn intent(engine: &Engine, mapping: &Mapping, run_id: Option<i64>, write: &Write, partner: &str) -> NewWrite {
    let values_hash = engine.key().field("write", Some(&Value::Map(write.fields.clone())));
    let name = format!(
        "{}\n{}\n{}\n{partner}\n{values_hash:x}",
        mapping.name, write.to, write.kind
    );
    NewWrite {
        run_id,
        mapping: Arc::from(mapping.name.as_str()),
        side: write.to,
        kind: write.kind,
        record_id: write.id.clone(),
        partner_id: partner.to_owned(),
        idempotency_key: format!("syncline-{}", hex::encode(engine.key().text(&name))),
        values_hash,
    }
}

async fn send(engine: &Engine, mapping: &Mapping, write: &Write, key: &str) -> Result<Option<Written>, WriteFault> {
    let not_written = |fault| WriteFault {
        fault,
        outcome: Outcome::NotWritten,
    };
    let system = engine.end(mapping, write.to).map_err(not_written)?;
    let object = &mapping.end(write.to).object;
    let (id, version) = (write.id.as_deref().unwrap_or_default(), write.version.as_deref());
    match write.kind {
        WriteKind::Create => system.create(object, &write.fields, key).await.map(Some),
        WriteKind::Update => system.update(object, id, &write.fields, version, key).await.map(Some),
        WriteKind::Delete => system.delete(object, id, version, key).await.map(|()| None),
    }
}

fn outcome(
    write_id: i64,
    status: WriteStatus,
    http_status: Option<u16>,
    written: Option<&Option<Written>>,
) -> FinishedWrite {
    let written = written.and_then(Option::as_ref);
    FinishedWrite {
        write_id,
        status,
        http_status,
        record_id: written.map(|written| written.id.clone()),
        version: written.and_then(|written| written.version.clone()),
    }
}

fn count(done: &mut Done, kind: WriteKind) {
    match kind {
        WriteKind::Create => done.created += 1,
        WriteKind::Update => done.updated += 1,
        WriteKind::Delete => done.deleted += 1,
    }
}

/// The record as it is after the write: what the answer says, else what a read says, since systems round, cut and spell
/// what they are sent. Where neither says anything, what was sent is taken for what is there.
async fn settled(
    engine: &Engine,
    mapping: &Mapping,
    write: &Write,
    before: Option<&Record>,
    written: Option<Written>,
) -> Option<Record> {
    let written = written?;
    if let Some(record) = written.record
        && record.id == written.id
        && is_whole(mapping, write, before, &record)
    {
        return Some(record);
    }
    let object = &mapping.end(write.to).object;
    if let Ok(system) = engine.end(mapping, write.to)
        && let Ok(Some(record)) = system.get(object, &written.id, Road::Event).await
    {
        return Some(record);
    }
    let record = Record {
        id: written.id,
        fields: write.fields.clone(),
        version: written.version,
        updated_at: None,
    };
    Some(record)
}

/// Whether an answer holds every mapped field that was written or was there before: many answer ids alone, or only what
/// changed, and a field that is merely not told must not be taken for empty.
fn is_whole(mapping: &Mapping, write: &Write, before: Option<&Record>, answered: &Record) -> bool {
    let paths = mapping
        .fields
        .iter()
        .filter_map(|field| field.paths.get(write.to).as_ref());
    paths
        .filter(|path| {
            let was_there = before.is_some_and(|record| path.get_in(&record.fields).is_some());
            was_there || path.get_in(&write.fields).is_some()
        })
        .all(|path| path.get_in(&answered.fields).is_some())
}

/// Adds what happens to the link.
fn link(
    engine: &Engine,
    mapping: &Mapping,
    fetched: &Fetched,
    plan: &Plan,
    after: &Sides<Option<Record>>,
    done: &mut Done,
) {
    let link_id = fetched.link.as_ref().map(|stored| stored.link.link_id);
    match (plan.link, link_id) {
        (LinkStep::Keep, _) | (LinkStep::End | LinkStep::MarkMissing(_), None) => {}
        (LinkStep::End, Some(link_id)) => done.ops.push(Op::EndLink { link_id }),
        (LinkStep::MarkMissing(side), Some(link_id)) => done.ops.push(Op::MarkMissing { link_id, side }),
        (LinkStep::Put, _) => {
            let (Some(left), Some(right)) = (&after.left, &after.right) else {
                return;
            };
            let agreement = agreement(engine, mapping, fetched, plan, left, right);
            let is_same = fetched
                .link
                .as_ref()
                .is_some_and(|stored| stored.link.left_id == left.id && stored.link.right_id == right.id);
            match link_id {
                Some(link_id) if is_same => done.ops.push(Op::SyncLink(SyncedLink { link_id, agreement })),
                known => {
                    done.ops.extend(known.map(|link_id| Op::EndLink { link_id }));
                    put(mapping, left, right, agreement, done);
                }
            }
        }
    }
}

fn put(mapping: &Mapping, left: &Record, right: &Record, agreement: Agreement, done: &mut Done) {
    let name: Arc<str> = Arc::from(mapping.name.as_str());
    done.linked += 1;
    done.ops.push(Op::PutLink(NewLink {
        mapping: Arc::clone(&name),
        left_id: left.id.clone(),
        right_id: right.id.clone(),
        agreement,
    }));
    for (side, record) in [(Side::Left, left), (Side::Right, right)] {
        done.ops.push(Op::WakeWaiting(RecordKey::new(
            Arc::clone(&name),
            side,
            record.id.clone(),
        )));
    }
}

fn agreement(
    engine: &Engine,
    mapping: &Mapping,
    fetched: &Fetched,
    plan: &Plan,
    left: &Record,
    right: &Record,
) -> Agreement {
    let context = Context {
        mapping,
        key: engine.key(),
        references: &fetched.references,
        settled: diff::UNSETTLED,
    };
    let before = fetched.link.as_ref().map(|stored| &stored.link.base);
    let base = if plan.decisions.is_empty() {
        created_base(engine.key(), mapping, left, right)
    } else {
        diff::rebase(context, left, right, &plan.decisions, before)
    };
    Agreement {
        base,
        left_version: left.version.clone(),
        right_version: right.version.clone(),
        left_updated_at: left.updated_at,
        right_updated_at: right.updated_at,
    }
}

/// The base of a pair one of whose records was just made from the other.
fn created_base(key: &fingerprint::Key, mapping: &Mapping, left: &Record, right: &Record) -> Base {
    let hashes = diff::hashes(key, mapping, Side::Left, left).zip(diff::hashes(key, mapping, Side::Right, right));
    let fields = mapping.fields.iter().zip(hashes).filter_map(|(field, (left, right))| {
        Some(crate::core::record::BaseField {
            definition: field.definition,
            left: left?,
            right: right?,
        })
    });
    Base::new(fields.collect())
}
