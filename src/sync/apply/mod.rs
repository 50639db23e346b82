//! Carrying out plans: an intent before each request, the outcome after it, no decisions.
//!
//! Many plans are carried out together: one durable commit for all their intents, then the requests (batches where the
//! connector has them, single writes in flight side by side where not), and what has to be stored is handed back. Nothing
//! of our own is open during a request.

mod kept;
mod link;
mod permit;
mod rail;
mod send;

use std::sync::Arc;

pub use self::rail::Deletes;
use super::{Engine, fetch::Fetched, overtaken};
use crate::{
    client::{Outcome, Road, WriteFault, Written},
    core::{
        diff,
        fault::Fault,
        mapping::Mapping,
        plan::{Plan, Write},
        record::{Record, RecordKey},
        status::{Side, Sides, WriteKind, WriteStatus},
        value::{Map, Value, lay_over},
    },
    seam::{self, Bug},
    store::{
        self, Op,
        write::{FinishedWrite, NewWrite, Origin},
    },
};

/// What became of a plan.
#[derive(Debug)]
pub enum Applied {
    /// Everything was done; `ops` make it part of our own data.
    Done(Done),
    /// A record was made, and what belongs to it is yet to be made: the pair has to be read and planned again.
    More(Done),
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

impl Applied {
    const fn ops(&mut self) -> &mut Vec<Op> {
        match self {
            Self::Done(done) | Self::More(done) => &mut done.ops,
            Self::Again { ops, .. } | Self::Failed { ops, .. } => ops,
        }
    }
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
    /// A record that was made and that no answer has shown: what was sent is taken for what is there until it is read.
    pub unread: Option<(Side, Record)>,
}

/// What plans are carried out for, and how.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// What the requests are made for.
    pub road: Road,
    /// The run they count for.
    pub run_id: Option<i64>,
    /// Who has weighed the deletes among them.
    pub deletes: Deletes,
}

/// One plan to be carried out.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The record it is about.
    pub key: &'a RecordKey,
    /// What it was made of.
    pub fetched: &'a Fetched,
    /// The plan.
    pub plan: &'a Plan,
}

/// One plan under way.
struct Course {
    done: Done,
    /// The records as they are after the writes so far.
    after: Sides<Option<Record>>,
    /// Sides that were changed so far.
    changed: Vec<Side>,
    /// Sides of which nobody knows whether they were changed.
    unknown: Vec<Side>,
    /// Fields that a changed side has not taken over, by their places in the mapping.
    kept: Vec<(Side, usize)>,
    ended: Option<Applied>,
}

impl Course {
    fn of(work: &Work<'_>) -> Self {
        Self {
            done: Done::default(),
            after: Sides::of(|side| work.fetched.records.get(side).record().cloned()),
            changed: Vec::new(),
            unknown: Vec::new(),
            kept: Vec::new(),
            ended: None,
        }
    }

    /// What was found is what was made before a crash: it is linked as such, and the pair has to be planned again.
    fn look_again(&mut self) {
        let why = "the record that was made before is found, and linked as it was sent";
        self.ended = Some(Applied::Again {
            ops: std::mem::take(&mut self.done.ops),
            fault: overtaken(why),
        });
    }

    /// Takes over what somebody else left without an outcome.
    fn adopt(&mut self, earlier: &permit::Earlier, work: &Work<'_>) {
        let ops = self.ended.as_mut().map_or(&mut self.done.ops, Applied::ops);
        ops.extend(earlier.adopt(work));
    }

    fn fail(&mut self, fault: Fault) {
        let ops = std::mem::take(&mut self.done.ops);
        self.ended = Some(Applied::Failed { ops, fault });
    }
}

/// Carries out plans; what became of each, in the order given.
pub async fn carry_out(
    engine: &Engine,
    mapping: &Mapping,
    works: &[Work<'_>],
    terms: Terms,
) -> Result<Vec<Applied>, store::Error> {
    let mut courses: Vec<Course> = works.iter().map(Course::of).collect();
    let earlier = permit::earlier(engine, mapping, works).await?;
    let stages = works
        .iter()
        .map(|work| work.plan.writes.len())
        .max()
        .unwrap_or_default()
        .min(if seam::has_bug(Bug::HalfPlan) { 1 } else { usize::MAX });
    if seam::has_bug(Bug::BaseBeforeWrite) {
        agree_early(engine, mapping, works).await?;
    }
    let mut ahead = link_ahead(engine, mapping, works, &earlier, &mut courses).await?;
    for stage in 0..stages {
        let due = due(works, &courses, stage);
        let allowed = permit::allowed(engine, mapping, works, &due, &earlier, &mut courses).await?;
        let ahead = std::mem::take(&mut ahead);
        write(engine, mapping, works, (ahead, allowed), &mut courses, terms).await?;
    }
    let finish = |(work, mut course): (&Work<'_>, Course)| {
        course.adopt(&earlier, work);
        if let Some(mut ended) = course.ended.take() {
            // What did go through is agreed: else our own write would look like somebody's edit to the next plan.
            let part = link::settle_part(engine, mapping, work, &course);
            ended.ops().extend(part);
            return ended;
        }
        link::settle(engine, mapping, work, &course.after, &mut course.done);
        permit::close(&earlier, work, &mut course.done);
        if link::has_more(mapping, work, &course.after) {
            return Applied::More(course.done);
        }
        Applied::Done(course.done)
    };
    Ok(works.iter().zip(courses).map(finish).collect())
}

/// Links what was made before a crash as it was sent ([`link::made`]), and stores how links stand while their pairs are being written
/// ([`link::ahead`]), or hands that back to be stored with the
/// intents, where nothing can come in between. A pair of which a record was linked elsewhere meanwhile is left alone.
async fn link_ahead(
    engine: &Engine,
    mapping: &Mapping,
    works: &[Work<'_>],
    earlier: &permit::Earlier,
    courses: &mut [Course],
) -> Result<Vec<Op>, store::Error> {
    let mut links: Vec<(usize, Op)> = Vec::new();
    for (at, (work, course)) in works.iter().zip(&mut *courses).enumerate() {
        if let Some(made) = earlier
            .origin(work)
            .and_then(|origin| link::made(engine, mapping, work, origin))
        {
            links.push((at, made));
            permit::close(earlier, work, &mut course.done);
            course.look_again();
        } else if let Some(ahead) = link::ahead(engine, mapping, work) {
            links.push((at, ahead));
        }
    }
    if !links.iter().any(|(_, op)| matches!(op, Op::PutLink(_))) {
        return Ok(links.into_iter().map(|(_, op)| op).collect());
    }
    let all = links.iter().map(|(_, op)| op.clone()).collect();
    match engine.store().commit(all).await {
        Err(store::Error::Conflict { .. }) => {}
        other => return other.map(|()| Vec::new()),
    }
    for (at, op) in links {
        match engine.store().commit(vec![op]).await {
            Err(error @ store::Error::Conflict { .. }) => {
                if let Some(course) = courses.get_mut(at) {
                    course.fail(overtaken(error.to_string()));
                }
            }
            other => other?,
        }
    }
    Ok(Vec::new())
}

/// [`Bug::BaseBeforeWrite`].
async fn agree_early(engine: &Engine, mapping: &Mapping, works: &[Work<'_>]) -> Result<(), store::Error> {
    let mut ops = Vec::new();
    for work in works.iter().filter(|work| work.fetched.link.is_some()) {
        let mut course = Course::of(work);
        for write in &work.plan.writes {
            let written = Written {
                id: write.id.clone().unwrap_or_default(),
                version: None,
                record: None,
            };
            let before = course.after.get_mut(write.to).take();
            *course.after.get_mut(write.to) = Some(after(engine, mapping, before, write, written));
        }
        link::settle(engine, mapping, work, &course.after, &mut course.done);
        ops.append(&mut course.done.ops);
    }
    engine.store().commit(ops).await
}

/// A write of the plan at `at`.
#[derive(Debug, Clone)]
struct Due<'a> {
    at: usize,
    write: &'a Write,
    /// The record written to, as it was read.
    before: Option<&'a Record>,
    /// Sent by itself: there is no batch for it, or only a single request carries what makes a repetition harmless.
    is_single: bool,
    /// How often the record was made before.
    made: u64,
}

fn due<'a>(works: &[Work<'a>], courses: &[Course], stage: usize) -> Vec<Due<'a>> {
    let open = works.iter().zip(courses).enumerate();
    open.filter(|(_, (_, course))| course.ended.is_none())
        .filter_map(|(at, (work, _))| {
            let write = work.plan.writes.get(stage)?;
            Some(Due {
                at,
                write,
                before: work.fetched.records.get(write.to).record(),
                is_single: false,
                made: 0,
            })
        })
        .collect()
}

async fn write(
    engine: &Engine,
    mapping: &Mapping,
    works: &[Work<'_>],
    (ahead, due): (Vec<Op>, Vec<Due<'_>>),
    courses: &mut [Course],
    terms: Terms,
) -> Result<(), store::Error> {
    let Terms { road, run_id, deletes } = terms;
    let mut due = send::grouped(engine, mapping, due);
    let unweighed = rail::unweighed(engine, works, &due, deletes).await?;
    let intents: Vec<NewWrite> = due
        .iter()
        .enumerate()
        .filter_map(|(at, due)| {
            let work = works.get(due.at)?;
            let intent = intent(engine, mapping, run_id, due, &partner_id(work, due.write));
            Some(NewWrite {
                origin: origin(engine, mapping, work, due.write),
                is_unweighed: unweighed.contains(&at),
                ..intent
            })
        })
        .collect();
    let mut keys: Vec<String> = intents.iter().map(|intent| intent.idempotency_key.clone()).collect();
    let (write_ids, sent) = if seam::has_bug(Bug::IntentAfterWrite) {
        let sent = send::all(engine, mapping, &due, &keys, road).await;
        (engine.store().intend(intents).await?, sent)
    } else {
        // Handed over together, they become durable together.
        let (ahead, write_ids) = tokio::join!(engine.store().commit(ahead), engine.store().intend(intents));
        ahead?;
        let mut write_ids = write_ids?;
        for at in unweighed.into_iter().rev() {
            let Some((one, write_id)) = due.get(at).zip(write_ids.get(at)) else {
                continue;
            };
            let Some(fault) = rail::beyond(engine, mapping, one.write.to, *write_id).await? else {
                continue;
            };
            let (one, write_id, _) = (due.remove(at), write_ids.remove(at), keys.remove(at));
            if let Some(course) = courses.get_mut(one.at) {
                let failed = FinishedWrite::without_answer(write_id, one.write.kind, WriteStatus::Failed);
                course.done.ops.push(Op::FinishWrite(failed));
                course.fail(fault);
            }
        }
        let sent = send::all(engine, mapping, &due, &keys, road).await;
        (write_ids, sent)
    };
    for ((due, write_id), mut sent) in due.iter().zip(write_ids).zip(sent) {
        if status(&sent) == WriteStatus::Unknown && !seam::has_bug(Bug::NotLookedBack) {
            send::look_back(engine, mapping, due, road, &mut sent).await;
        }
        send::read_kept(engine, mapping, due, road, &mut sent).await;
        if let Some(course) = courses.get_mut(due.at) {
            let system = &mapping.end(due.write.to).system;
            engine.metrics().write(system, due.write.kind, status(&sent));
            note(engine, mapping, course, due.write, (write_id, sent));
        }
    }
    Ok(())
}

/// How a write ended.
fn status(sent: &send::Sent) -> WriteStatus {
    match &sent.outcome {
        Ok(_) => WriteStatus::Succeeded,
        Err(failed) if failed.outcome == Outcome::Unknown => WriteStatus::Unknown,
        Err(_) => WriteStatus::Failed,
    }
}

/// Puts the outcome of one write on record.
fn note(engine: &Engine, mapping: &Mapping, course: &mut Course, write: &Write, (write_id, sent): (i64, send::Sent)) {
    let status = status(&sent);
    match sent.outcome {
        Ok(written) => {
            count(&mut course.done, write.kind);
            if write.kind == WriteKind::Update {
                course.changed.push(write.to);
            }
            let ended = outcome((write_id, write.kind), status, None, written.as_ref());
            if !seam::has_bug(Bug::OutcomeForgotten) {
                course.done.ops.push(Op::FinishWrite(ended));
            }
            let before = course.after.get_mut(write.to).take();
            refuse_kept(engine, mapping, course, write, before.as_ref().zip(written.as_ref()));
            let after = written.map(|written| after(engine, mapping, before, write, written));
            if sent.is_unread && write.kind == WriteKind::Create {
                course.done.unread = after.clone().map(|record| (write.to, record));
            }
            *course.after.get_mut(write.to) = after;
        }
        Err(WriteFault {
            outcome: Outcome::Stale,
            ..
        }) if seam::has_bug(Bug::StaleTakenForDone) => {
            let ended = outcome((write_id, write.kind), WriteStatus::Succeeded, None, None);
            course.done.ops.push(Op::FinishWrite(ended));
        }
        Err(WriteFault { fault, outcome: known }) => {
            course.done.ops.push(Op::FinishWrite(outcome(
                (write_id, write.kind),
                status,
                fault.status,
                None,
            )));
            let ops = std::mem::take(&mut course.done.ops);
            if known == Outcome::Unknown {
                course.unknown.push(write.to);
            }
            course.ended = Some(match known {
                Outcome::Stale | Outcome::Exists | Outcome::Missing => Applied::Again { ops, fault },
                Outcome::NotWritten | Outcome::Unknown => Applied::Failed { ops, fault },
            });
        }
    }
}

/// Takes an update that was answered with the old values for what it is: refused in these fields.
fn refuse_kept(
    engine: &Engine,
    mapping: &Mapping,
    course: &mut Course,
    write: &Write,
    records: Option<(&Record, &Written)>,
) {
    let Some((before, shown)) = records.and_then(|(before, written)| Some((before, written.record.as_ref()?))) else {
        return;
    };
    let kept = kept::kept(engine, mapping, write, before, shown);
    if let Some(fault) = kept::fault(mapping, write.to, &kept) {
        course.kept.extend(kept.into_iter().map(|field| (write.to, field)));
        course.fail(fault);
    }
}

/// The record as it is after the write; where nobody has shown it, what was sent is taken for what is there.
///
/// Of what the answer shows, only what was written is agreed. What somebody changed there in between is not: it stays as it
/// was read, without the version of the answer, so that it is looked at.
fn after(engine: &Engine, mapping: &Mapping, before: Option<Record>, write: &Write, written: Written) -> Record {
    let Some(shown) = written.record else {
        let mut fields = before.map(|record| record.fields).unwrap_or_default();
        lay_over(&mut fields, &write.fields);
        return Record {
            id: written.id,
            fields,
            version: written.version,
            updated_at: None,
        };
    };
    let Some(before) = before else { return shown };
    let mut agreed = before.fields;
    take_over(&mut agreed, &write.fields, &shown.fields);
    let agreed = Record {
        fields: agreed,
        version: None,
        updated_at: None,
        id: shown.id.clone(),
    };
    let hashes = |record: &Record| diff::hashes(engine.key(), mapping, write.to, record).collect::<Vec<_>>();
    if hashes(&agreed) == hashes(&shown) {
        shown
    } else {
        agreed
    }
}

/// Puts what `shown` has in place of what was written.
fn take_over(fields: &mut Map, written: &Map, shown: &Map) {
    for (name, change) in written {
        match (change, shown.get(name)) {
            (Value::Map(written), Some(Value::Map(shown))) => {
                let inner = fields.entry(name.clone()).or_default();
                if !matches!(inner, Value::Map(_)) {
                    *inner = Value::Map(Map::new());
                }
                if let Value::Map(inner) = inner {
                    take_over(inner, written, shown);
                }
            }
            (_, Some(value)) => drop(fields.insert(name.clone(), value.clone())),
            (_, None) => drop(fields.remove(name)),
        }
    }
}

/// The id of the record that a write comes from.
fn partner_id(work: &Work<'_>, write: &Write) -> String {
    let from = work.fetched.records.get(write.to.other()).record();
    from.map_or_else(|| work.key.record_id.clone(), |record| record.id.clone())
}

/// The intent of a write.
fn intent(engine: &Engine, mapping: &Mapping, run_id: Option<i64>, due: &Due<'_>, partner: &str) -> NewWrite {
    let write = due.write;
    let values_hash = engine.key().field("write", Some(&Value::Map(write.fields.clone())));
    NewWrite {
        run_id,
        mapping: Arc::from(mapping.name.as_str()),
        side: write.to,
        kind: write.kind,
        record_id: write.id.clone(),
        partner_id: partner.to_owned(),
        idempotency_key: idempotency_key(engine, mapping, due, partner, values_hash),
        values_hash,
        origin: None,
        is_unweighed: false,
    }
}

/// Of a create, what the record that it comes from looks like.
fn origin(engine: &Engine, mapping: &Mapping, work: &Work<'_>, write: &Write) -> Option<Origin> {
    if write.kind != WriteKind::Create {
        return None;
    }
    let from = write.to.other();
    let record = work.fetched.records.get(from).record()?;
    Some(Origin {
        version: mapping.version,
        hashes: diff::hashes(engine.key(), mapping, from, record).collect(),
    })
}

/// The key of a write. No two writes may have one, else the other side would answer with what it did at the first.
///
/// That of a create is the same whenever it is tried again, so that it happens once: a record that is `made` anew after it was
/// gone gets another one, and so does a create that went out in a batch without its key: nobody over there would know it. An
/// update or a delete is only tried again after the record was read, so that every one of them has its own: values may come
/// back.
fn idempotency_key(engine: &Engine, mapping: &Mapping, due: &Due<'_>, partner: &str, values_hash: u64) -> String {
    let Due { write, made, .. } = due;
    let (mapping_name, to, kind) = (&mapping.name, write.to, write.kind);
    let mut parts = vec![format!("{mapping_name}\n{to}\n{kind}\n{partner}\n{values_hash:x}")];
    if kind == WriteKind::Create {
        let system = engine.end(mapping, to).ok();
        let carries_key = system.is_some_and(|system| system.batch_carries_key(&mapping.end(to).object));
        let is_unknown = !due.is_single && !carries_key;
        if !seam::has_bug(Bug::KeyUsedAgain) {
            parts.extend((*made > 0).then(|| made.to_string()));
            parts.extend(is_unknown.then(|| "batch".to_owned()));
        }
    } else if !seam::has_bug(Bug::KeyUsedAgain) {
        parts.push(format!("{:x}{:x}", seam::number(), seam::number()));
    }
    format!("syncline-{}", hex::encode(engine.key().text(&parts.join("\n"))))
}

fn outcome(
    (write_id, kind): (i64, WriteKind),
    status: WriteStatus,
    http_status: Option<u16>,
    written: Option<&Written>,
) -> FinishedWrite {
    FinishedWrite {
        write_id,
        kind,
        status,
        http_status,
        record_id: written.map(|written| written.id.clone()),
        version: written.and_then(|written| written.version.clone()),
    }
}

const fn count(done: &mut Done, kind: WriteKind) {
    match kind {
        WriteKind::Create => done.created += 1,
        WriteKind::Update => done.updated += 1,
        WriteKind::Delete => done.deleted += 1,
    }
}
