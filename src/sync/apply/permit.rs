//! Which writes may be sent: none to a record that is written in a loop, no create that may have gone through before.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::{Course, Done, Due, Work, intent, partner_id};
use crate::{
    core::{
        fault::Fault,
        mapping::Mapping,
        status::{FailureClass, Side, Stage, WriteKind, WriteStatus},
    },
    store::{self, Op, write::FinishedWrite},
    sync::Engine,
};

/// How long a create without an answer may still be under way at the other side.
const UNDER_WAY: TimeDelta = TimeDelta::seconds(60);

/// Earlier creates without an outcome, by the side and id of the record they come from.
pub(super) type Earlier = HashMap<(Side, String), Vec<store::write::Write>>;

/// Looks up the earlier creates of these records that have no outcome.
pub(super) async fn earlier(engine: &Engine, mapping: &Mapping, works: &[Work<'_>]) -> Result<Earlier, store::Error> {
    let mut found = Earlier::new();
    for side in [Side::Left, Side::Right] {
        let of_side = works.iter().filter(|work| work.key.side == side);
        let ids: Vec<&str> = of_side.map(|work| work.key.record_id.as_str()).collect();
        let open = engine.store().open_writes(&mapping.name, side, &ids).await?;
        for write in open.into_iter().filter(|write| write.kind == WriteKind::Create) {
            let from = (write.side.other(), write.partner_id.clone());
            found.entry(from).or_default().push(write);
        }
    }
    Ok(found)
}

fn of<'e>(earlier: &'e Earlier, work: &Work<'_>) -> &'e [store::write::Write] {
    let from = (work.key.side, work.key.record_id.clone());
    earlier.get(&from).map_or(&[], Vec::as_slice)
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
        let verdict = match &one.write.id {
            Some(id) => match loops.get(&(one.write.to, id.clone())) {
                Some(count) if *count >= u64::from(mapping.breaker.writes) => Err(in_a_loop(mapping, *count)),
                _ => Ok(false),
            },
            None => create(engine, mapping, work, one, of(earlier, work)),
        };
        match verdict {
            Ok(is_single) => allowed.push(Due {
                is_single,
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
    due: &Due<'_>,
    earlier: &[store::write::Write],
) -> Result<bool, Fault> {
    let Some(last) = earlier.iter().map(|write| write.started_at).max() else {
        return Ok(false);
    };
    let end = mapping.end(due.write.to);
    let key = intent(engine, mapping, None, due.write, &partner_id(work, due.write)).idempotency_key;
    let is_recognized = engine
        .end(mapping, due.write.to)
        .is_ok_and(|system| system.recognizes_creates(&end.object));
    if is_recognized && earlier.iter().all(|write| write.idempotency_key == key) {
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
    let rest = last + UNDER_WAY - engine.clock().now();
    let Ok(rest) = rest.to_std() else { return Ok(true) };
    if rest.is_zero() {
        return Ok(true);
    }
    let mut fault = Fault::new("SY003", FailureClass::Transient, Stage::Write, message)
        .with_hint("nothing is sent until it is certain that the record is not there");
    fault.retry_after = Some(rest);
    Err(fault)
}

/// Gives earlier creates of a record that is settled now their outcome.
pub(super) fn close(earlier: &Earlier, work: &Work<'_>, done: &mut Done) {
    let partner = work.fetched.records.get(work.key.side.other()).record();
    for write in of(earlier, work) {
        let status = if partner.is_some() {
            WriteStatus::Succeeded
        } else {
            WriteStatus::Failed
        };
        done.ops.push(Op::FinishWrite(FinishedWrite {
            write_id: write.write_id,
            status,
            http_status: None,
            record_id: partner.map(|record| record.id.clone()),
            version: None,
        }));
    }
}
