//! Which writes may be sent: none to a record that is written in a loop, no create that may have gone through before.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Course, Done, Due, Work, intent, partner_id};
use crate::{
    client::System,
    core::{
        fault::Fault,
        mapping::Mapping,
        plan::Write,
        status::{ChangeOrigin, EventKind, FailureClass, Side, Stage, WriteKind, WriteStatus},
    },
    seam::{self, Bug},
    store::{
        self, Op,
        change::NewChange,
        write::{FinishedWrite, Origin},
    },
    sync::Engine,
};

/// How long a create without an answer may still be under way at the other side after it was given up.
const UNDER_WAY: TimeDelta = TimeDelta::seconds(60);

/// How long a system is relied on to remember an idempotency key; vendors promise a day at least.
const KEY_KEPT: TimeDelta = TimeDelta::hours(12);

/// What is on record of earlier creates, by the side and id of the record they come from.
#[derive(Default)]
pub(super) struct Earlier {
    /// Those without an outcome.
    open: HashMap<(Side, String), Vec<store::write::Write>>,
    /// Changes without an outcome, by the side and id of the record changed: when each was given up.
    changes: HashMap<(Side, String), DateTime<Utc>>,
    /// Changes that nobody is at any longer and whose outcome nobody stored: whoever has the lease of a record is the only one at work
    /// on it.
    orphans: HashMap<(Side, String), Vec<(i64, WriteKind)>>,
    /// How many went through.
    made: HashMap<(Side, String), u64>,
}

/// Looks up the earlier creates of these records.
pub(super) async fn earlier(engine: &Engine, mapping: &Mapping, works: &[Work<'_>]) -> Result<Earlier, store::Error> {
    let mut found = Earlier::default();
    for side in [Side::Left, Side::Right] {
        let ids: Vec<String> = works.iter().filter_map(|work| id(work, side)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let open = engine.store().open_writes(&mapping.name, side, &ids).await?;
        for write in open {
            if write.kind != WriteKind::Create {
                found.note_change(write);
                continue;
            }
            let from = (write.side.other(), write.partner_id.clone());
            let known = found.open.entry(from).or_default();
            if known.iter().all(|other| other.write_id != write.write_id) {
                known.push(write);
            }
        }
        let is_made = |write: &Write| write.kind == WriteKind::Create && write.to == side.other();
        let makers = works.iter().filter(|work| work.plan.writes.iter().any(is_made));
        let makers: Vec<String> = makers.filter_map(|work| id(work, side)).collect();
        let makers: Vec<&str> = makers.iter().map(String::as_str).collect();
        let made = engine
            .store()
            .creates_made(&mapping.name, side.other(), &makers)
            .await?;
        found
            .made
            .extend(made.into_iter().map(|(id, count)| ((side, id), count)));
    }
    Ok(found)
}

/// The id of the record of one side, where it is known.
fn id(work: &Work<'_>, side: Side) -> Option<String> {
    let mut ids = work.fetched.ids(work.key);
    ids.get_mut(side).take()
}

impl Earlier {
    /// Takes note of a change that nobody knows the outcome of.
    fn note_change(&mut self, write: store::write::Write) {
        let given_up = given_up(&write);
        let Some(id) = write.record_id else { return };
        let at = (write.side, id);
        if write.status == WriteStatus::Intended {
            self.orphans
                .entry(at.clone())
                .or_default()
                .push((write.write_id, write.kind));
        }
        let last = self.changes.entry(at).or_insert(given_up);
        *last = given_up.max(*last);
    }

    /// Says of changes to the records of a pair that were left without an outcome that nobody knows it.
    pub(super) fn adopt(&self, work: &Work<'_>) -> impl Iterator<Item = Op> {
        let of = |side| self.orphans.get(&(side, id(work, side)?));
        let orphans = [Side::Left, Side::Right].into_iter().filter_map(of).flatten();
        let unknown =
            |(write_id, kind): &(i64, WriteKind)| FinishedWrite::without_answer(*write_id, *kind, WriteStatus::Unknown);
        orphans.map(move |orphan| Op::FinishWrite(unknown(orphan)))
    }

    /// Creates without an outcome from either record of a pair.
    fn of<'e>(&'e self, work: &Work<'_>) -> Vec<&'e store::write::Write> {
        let from = |side| self.open.get(&(side, id(work, side)?));
        let both = [Side::Left, Side::Right].into_iter().filter_map(from);
        both.flatten().collect()
    }

    /// What one record of a pair looked like when the other one was sent to be made, and its side, where nobody knows what became of
    /// that: the latest, if it was sent more than once.
    pub(super) fn origin(&self, work: &Work<'_>) -> Option<(Side, &Origin)> {
        let creates = self.of(work).into_iter();
        let latest = creates.max_by_key(|write| write.write_id)?;
        Some((latest.side.other(), latest.origin.as_ref()?))
    }

    /// How often the partner of a record was made before.
    fn made(&self, write: &Write, partner: &str) -> u64 {
        let from = (write.to.other(), partner.to_owned());
        self.made.get(&from).copied().unwrap_or_default()
    }
}

/// The writes that may be sent; what must not be ends its plan.
pub(super) async fn allowed<'a>(
    engine: &Engine,
    mapping: &Mapping,
    works: &[Work<'_>],
    due: &[Due<'a>],
    earlier: &Earlier,
    courses: &mut [Course],
) -> Result<Vec<Due<'a>>, store::Error> {
    let loops = written(engine, mapping, due).await?;
    let mut allowed = Vec::with_capacity(due.len());
    for one in due {
        let (Some(work), Some(course)) = (works.get(one.at), courses.get_mut(one.at)) else {
            continue;
        };
        let made = earlier.made(one.write, &partner_id(work, one.write));
        let verdict = match &one.write.id {
            Some(id) => match loops.get(&(one.write.to, id.clone())) {
                Some(count) if *count >= u64::from(mapping.breaker.writes) => Err(in_a_loop(mapping, *count)),
                _ => parts(engine, mapping, one, earlier).map(|()| false),
            },
            None => create(engine, mapping, work, (one, made), &earlier.of(work)),
        };
        match verdict {
            Ok(is_single) => allowed.push(Due {
                is_single,
                made,
                ..one.clone()
            }),
            Err(fault) => course.fail(fault),
        }
    }
    Ok(allowed)
}

/// How often each record that is about to be written was written lately.
async fn written(
    engine: &Engine,
    mapping: &Mapping,
    due: &[Due<'_>],
) -> Result<HashMap<(Side, String), u64>, store::Error> {
    let since = engine.clock().now() - TimeDelta::milliseconds(mapping.breaker.within.millis());
    let mut found = HashMap::new();
    for side in [Side::Left, Side::Right] {
        let of_side = due.iter().filter(|due| due.write.to == side);
        let ids: Vec<&str> = of_side.filter_map(|due| due.write.id.as_deref()).collect();
        if ids.is_empty() {
            continue;
        }
        let counts = engine.store().write_counts(&mapping.name, side, &ids, since).await?;
        found.extend(counts.into_iter().map(|(id, count)| ((side, id), count)));
    }
    Ok(found)
}

fn in_a_loop(mapping: &Mapping, count: u64) -> Fault {
    let message = format!(
        "written {count} times within {}: stopped as a loop",
        mapping.breaker.within
    );
    Fault::new("SY004", FailureClass::Held, Stage::Write, message)
        .with_hint("find out which system changes the value back; `loop:` in the mapping sets the limit")
}

/// Whether a create may be sent after earlier ones whose outcome nobody knows, and if so, whether only by itself.
fn create(
    engine: &Engine,
    mapping: &Mapping,
    work: &Work<'_>,
    (due, made): (&Due<'_>, u64),
    earlier: &[&store::write::Write],
) -> Result<bool, Fault> {
    let Some(last) = earlier.iter().map(|write| given_up(write)).max() else {
        return Ok(false);
    };
    if seam::has_bug(Bug::BlindResend) {
        return Ok(false);
    }
    let end = mapping.end(due.write.to);
    let partner = partner_id(work, due.write);
    let alone = Due {
        is_single: true,
        made,
        ..due.clone()
    };
    let key = intent(engine, mapping, None, &alone, &partner).idempotency_key;
    let is_recognized = engine
        .end(mapping, due.write.to)
        .is_ok_and(|system| system.recognizes_creates(&end.object));
    let oldest = engine.clock().now() - KEY_KEPT;
    let is_remembered = |write: &&store::write::Write| write.idempotency_key == key && write.started_at > oldest;
    if is_recognized && earlier.iter().all(is_remembered) {
        return Ok(true);
    }
    let message = format!("an earlier create in `{}` may have gone through", end.system);
    if !work.fetched.searched {
        return Err(Fault::new(
            "SY003",
            FailureClass::Uncertain,
            Stage::Write,
            format!("{message}, and nothing can find out"),
        )
        .with_hint("look for the record there: the next reconciliation links it, or makes it if it is missing"));
    }
    rest(engine, last, message).map(|()| true)
}

/// Whether a change may be sent that makes records which belong to the changed one. An earlier one without an outcome may be under way,
/// and would make them as well.
fn parts(engine: &Engine, mapping: &Mapping, due: &Due<'_>, earlier: &Earlier) -> Result<(), Fault> {
    let end = mapping.end(due.write.to);
    let id = due.write.id.clone().unwrap_or_default();
    let Some(last) = earlier.changes.get(&(due.write.to, id)) else {
        return Ok(());
    };
    let makes = |system: &System| system.makes_parts(&end.object, &due.write.fields);
    if !engine.end(mapping, due.write.to).is_ok_and(|system| makes(system)) {
        return Ok(());
    }
    let message = format!(
        "an earlier write of what belongs to the record in `{}` may be under way",
        end.system
    );
    rest(engine, *last, message)
}

/// From when a write was given up: within one write a request that surely did not arrive is sent again.
fn given_up(write: &store::write::Write) -> DateTime<Utc> {
    write.ended_at.unwrap_or(write.started_at)
}

/// Nothing until what was given up at `last` has surely arrived or been lost.
fn rest(engine: &Engine, last: DateTime<Utc>, message: String) -> Result<(), Fault> {
    let rest = last + UNDER_WAY - engine.clock().now();
    let Ok(rest) = rest.to_std() else { return Ok(()) };
    if rest.is_zero() {
        return Ok(());
    }
    let mut fault = Fault::new("SY003", FailureClass::Transient, Stage::Write, message)
        .with_hint("nothing is sent until it is certain that the record is not there");
    fault.retry_after = Some(rest);
    Err(fault)
}

/// Gives earlier creates of a record that is settled now their outcome.
///
/// Where the create was sent once more, a system that recognizes repetitions answers with what it made the first time, and that
/// somebody may have changed or removed since: the pair is looked at again.
pub(super) fn close(earlier: &Earlier, work: &Work<'_>, done: &mut Done) {
    if done.created > 0 && !earlier.of(work).is_empty() {
        let again = NewChange::new(work.key.clone(), ChangeOrigin::Reprocess, EventKind::Updated);
        done.ops.push(Op::Enqueue(again));
    }
    for write in earlier.of(work) {
        let partner = work.fetched.records.get(write.side).record();
        let status = if partner.is_some() {
            WriteStatus::Succeeded
        } else {
            WriteStatus::Failed
        };
        done.ops.push(Op::FinishWrite(FinishedWrite {
            record_id: partner.map(|record| record.id.clone()),
            ..FinishedWrite::without_answer(write.write_id, write.kind, status)
        }));
    }
}
