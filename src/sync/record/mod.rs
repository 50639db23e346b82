//! One record, from a look at both sides to what is stored about it: every road's last mile.

mod conclude;
mod ending;

use std::{collections::HashSet, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};

pub(super) use self::conclude::{next_attempt, standing};
pub(super) use self::ending::is_same_time;
use self::ending::vanished;
pub use self::{
    conclude::{conclude, store_all},
    ending::{Ending, Pair, Planned, Synced},
};
pub use super::apply::{Deletes, Terms};
use super::{
    Engine,
    apply::{self, Applied, Done, Work},
    fetch::{self, Fetched, Look},
    overtaken,
};
use crate::{
    client::Road,
    core::{
        fault::Fault,
        mapping::Mapping,
        plan::Plan,
        preview::{self, Preview},
        record::RecordKey,
        status::{ChangeOrigin, EventKind, Side, Sides, WriteKind},
    },
    seam::{self, Bug},
    store::{self, Op, change::NewChange, run::Counters},
};

/// How often a pair that changes while it is being written is read again at once.
const ROUNDS_MAX: u32 = 3;
/// How long a partner that was found stays leased: longer than the work on a record may take.
const PARTNER_LEASE: Duration = Duration::from_mins(4);
/// Why a record is left for later.
const PARTNER_AT_WORK: &str = "the partner is being worked on at the same time";

pub use fetch::{Error, Rules, with_value};

/// Looks at one record and tells what would be done about it: the dry run. It touches nothing.
pub async fn plan(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    record_id: &str,
    road: Road,
) -> Result<Planned, Error> {
    let look = Look::at(RecordKey::new(mapping.name.as_str(), side, record_id));
    let planned = plan_all(engine, mapping, &[look], road).await?;
    planned
        .into_iter()
        .next()
        .unwrap_or_else(|| Err(vanished()))
        .map_err(Error::Fault)
}

/// A record and its partner field by field, both ways, with the plan for them.
#[derive(Debug)]
pub struct Previewed {
    /// What would be done.
    pub planned: Planned,
    /// Every field of the mapping, in its order.
    pub fields: Vec<Preview>,
}

/// Looks at one record and tells what its values and its partner's become on the other side. It touches nothing.
pub async fn preview(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    record_id: &str,
    road: Road,
) -> Result<Previewed, Error> {
    let look = Look::at(RecordKey::new(mapping.name.as_str(), side, record_id));
    let mut read = read(engine, mapping, std::slice::from_ref(&look), road).await?;
    let (fetched, plan) = read.pop().unwrap_or_else(|| Err(vanished()))?;
    let records = Sides::of(|side| fetched.records.get(side).record());
    let fields = preview::fields(fetched.context(engine, mapping), records, &plan);
    Ok(Previewed {
        planned: Planned::of(&fetched, &look.key, plan),
        fields,
    })
}

/// Looks at records and tells what would be done about each, in the order given. It touches nothing.
pub async fn plan_all(
    engine: &Engine,
    mapping: &Mapping,
    looks: &[Look],
    road: Road,
) -> Result<Vec<Result<Planned, Fault>>, store::Error> {
    let read = read(engine, mapping, looks, road).await?;
    let planned = |(look, one): (&Look, Result<(Fetched, Plan), Fault>)| {
        let (fetched, plan) = one?;
        Ok(Planned::of(&fetched, &look.key, plan))
    };
    Ok(looks.iter().zip(read).map(planned).collect())
}

/// Records with the plans for them, in the order asked.
type Read = Result<Vec<Result<(Fetched, Plan), Fault>>, store::Error>;

/// As [`fetch_and_plan`]. Boxed: one allocation for a whole chunk.
fn read<'a>(engine: &'a Engine, mapping: &'a Mapping, looks: &'a [Look], road: Road) -> BoxFuture<'a, Read> {
    fetch_and_plan(engine, mapping, looks, road).boxed()
}

/// Fetches and plans. A record that was listed some time ago is only linked or made from that; before one is changed or
/// a difference is reported, both are read again.
async fn fetch_and_plan(engine: &Engine, mapping: &Mapping, looks: &[Look], road: Road) -> Read {
    let planned = |fetched: Result<Fetched, Fault>| {
        let fetched = fetched?;
        let plan = fetched.plan(engine, mapping);
        Ok((fetched, plan))
    };
    let fetched = fetch::many(engine, mapping, looks, road).await?;
    let mut read: Vec<Result<(Fetched, Plan), Fault>> = fetched.into_iter().map(planned).collect();
    let stale: Vec<usize> = read
        .iter()
        .enumerate()
        .filter_map(|(at, one)| {
            one.as_ref()
                .is_ok_and(|(fetched, plan)| is_stale(fetched, plan))
                .then_some(at)
        })
        .collect();
    let again: Vec<Look> = stale.iter().filter_map(|at| looks.get(*at)).map(unlisted).collect();
    if again.is_empty() {
        return Ok(read);
    }
    let fetched = fetch::many(engine, mapping, &again, road).await?;
    for (at, fetched) in stale.into_iter().zip(fetched) {
        if let Some(slot) = read.get_mut(at) {
            *slot = planned(fetched);
        }
    }
    Ok(read)
}

/// Whether a plan says more than a listing may say.
fn is_stale(fetched: &Fetched, plan: &Plan) -> bool {
    let changes = plan.writes.iter().any(|write| write.kind != WriteKind::Create);
    fetched.is_listed && (changes || plan.conflicts().next().is_some())
}

/// The same record, with its partners as listed, to be read anew.
fn unlisted(look: &Look) -> Look {
    let mut look = look.clone();
    if let Some(listed) = &mut look.listed {
        listed.record = None;
        listed.partner = None;
    }
    look
}

/// Looks at one record and does what its plan says. `leased` are the records that the caller has the lease of.
pub async fn sync(
    engine: &Engine,
    mapping: &Mapping,
    look: Look,
    leased: &[RecordKey],
    terms: Terms,
) -> Result<Synced, store::Error> {
    let synced = sync_all(engine, mapping, vec![look], leased, terms).await?;
    Ok(synced.into_iter().next().unwrap_or_else(Synced::vanished))
}

/// Looks at records and does what their plans say; what became of each, in the order given. What has to be stored about
/// them is the caller's to commit. `leased` are the records that the caller has the leases of.
pub async fn sync_all(
    engine: &Engine,
    mapping: &Mapping,
    mut looks: Vec<Look>,
    leased: &[RecordKey],
    terms: Terms,
) -> Result<Vec<Synced>, store::Error> {
    let mut leased: HashSet<RecordKey> = leased.iter().cloned().collect();
    let mut synced: Vec<Option<Synced>> = looks.iter().map(|_| None).collect();
    let mut earlier: Vec<Vec<Op>> = looks.iter().map(|_| Vec::new()).collect();
    let mut begun: Vec<Option<Begun>> = looks.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..looks.len()).collect();
    for round in 1..=ROUNDS_MAX {
        if open.is_empty() {
            break;
        }
        let read = read(engine, mapping, &looks, terms.road).await?;
        let mut round = Round {
            engine,
            mapping,
            terms,
            is_last: round == ROUNDS_MAX,
            leased: &mut leased,
            synced: &mut synced,
            earlier: &mut earlier,
            begun: &mut begun,
        };
        let again = round.carry_out(&open, &looks, read).boxed().await?;
        (open, looks) = again.into_iter().unzip();
    }
    Ok(synced
        .into_iter()
        .map(|one| one.unwrap_or_else(Synced::vanished))
        .collect())
}

/// A record that was read and planned: its place, what was asked, and what came of it.
type Ready<'l> = (usize, &'l Look, Fetched, Plan);

/// One round of a chunk: everything planned is carried out, and what changed in between is left for the next.
struct Round<'a> {
    engine: &'a Engine,
    mapping: &'a Mapping,
    terms: Terms,
    is_last: bool,
    /// Records that nobody else works on.
    leased: &'a mut HashSet<RecordKey>,
    synced: &'a mut [Option<Synced>],
    earlier: &'a mut [Vec<Op>],
    /// Records that were made in an earlier round, without what belongs to them.
    begun: &'a mut [Option<Begun>],
}

/// A record that was made, and what is yet to be made belongs to it: what was decided, and what it counts for.
struct Begun {
    plan: Plan,
    pair: Pair,
    counters: Counters,
}

impl Round<'_> {
    /// Carries out what was read; the records (with their places) that have to be read again.
    async fn carry_out(
        &mut self,
        places: &[usize],
        looks: &[Look],
        read: Vec<Result<(Fetched, Plan), Fault>>,
    ) -> Result<Vec<(usize, Look)>, store::Error> {
        let mut ready = Vec::with_capacity(read.len());
        for ((place, look), one) in places.iter().zip(looks).zip(read) {
            match one {
                Err(fault) => self.end(*place, |ops| Synced::unplanned(ops, fault)),
                Ok((fetched, plan)) => match plan.awaited.clone() {
                    Some(awaited) => {
                        let pair = Pair::of(&fetched, &look.key);
                        self.end(*place, |ops| Synced::waiting(ops, pair, plan, awaited));
                    }
                    None => ready.push((*place, look, fetched, plan)),
                },
            }
        }
        let ready = self.with_partners(ready).await?;
        let works: Vec<Work<'_>> = ready
            .iter()
            .map(|(_, look, fetched, plan)| Work {
                key: &look.key,
                fetched,
                plan,
            })
            .collect();
        let applied = apply::carry_out(self.engine, self.mapping, &works, self.terms).await?;
        let mut again = Vec::new();
        for ((place, look, fetched, plan), applied) in ready.into_iter().zip(applied) {
            let pair = Pair::of(&fetched, &look.key);
            match applied {
                Applied::More(mut done) if !self.is_last => {
                    self.engine.store().commit(std::mem::take(&mut done.ops)).await?;
                    self.begin(place, plan, pair, &done);
                    again.push((place, Look::at(look.key.clone())));
                }
                Applied::Done(done) => {
                    let (mapping, run_id) = (self.mapping, self.terms.run_id);
                    self.keep(place, ending::seen(&fetched, &plan).into_iter().collect());
                    self.end(place, |ops| Synced::finished(mapping, run_id, ops, plan, pair, done));
                }
                // What is left of it is looked at later.
                Applied::More(mut done) => {
                    let (mapping, run_id) = (self.mapping, self.terms.run_id);
                    done.ops.push(Op::Enqueue(NewChange {
                        run_id,
                        ..NewChange::new(look.key.clone(), ChangeOrigin::Reprocess, EventKind::Updated)
                    }));
                    self.end(place, |ops| Synced::finished(mapping, run_id, ops, plan, pair, done));
                }
                Applied::Again { ops: more, .. } if !self.is_last => {
                    // At once, so that the next round finds what was agreed in this one.
                    self.engine.store().commit(more).await?;
                    again.push((place, Look::at(look.key.clone())));
                }
                Applied::Again { ops: more, fault } | Applied::Failed { ops: more, fault } => {
                    self.keep(place, more);
                    self.end(place, |ops| Synced::failed(ops, Some(plan), pair, fault));
                }
            }
        }
        Ok(again)
    }

    /// Leases the partners that were found for unlinked records: until both are linked, somebody may be at work on the
    /// partner by itself, and find this record for it. What is worked on elsewhere is left for later.
    async fn with_partners<'l>(&mut self, ready: Vec<Ready<'l>>) -> Result<Vec<Ready<'l>>, store::Error> {
        let partner = |(_, look, fetched, _): &Ready<'_>| {
            let side = look.key.side.other();
            let record = fetched.records.get(side).record().filter(|_| fetched.link.is_none())?;
            Some(RecordKey::new(self.mapping.name.as_str(), side, record.id.clone()))
        };
        let partners: Vec<Option<RecordKey>> = ready.iter().map(partner).collect();
        let missing = partners.iter().flatten().filter(|key| !self.leased.contains(*key));
        let sets: Vec<Vec<RecordKey>> = missing.map(|key| vec![key.clone()]).collect();
        if sets.is_empty() || seam::has_bug(Bug::PartnerNotLeased) {
            return Ok(ready);
        }
        let guards = self.engine.store().lock_sets(&sets, PARTNER_LEASE).await?;
        let mut kept = Vec::with_capacity(ready.len());
        for (one, partner) in ready.into_iter().zip(partners) {
            let guard = guards.iter().find(|guard| guard.records().first() == partner.as_ref());
            if let (Some(guard), Some(key)) = (guard, &partner)
                && self.leased.insert(key.clone())
            {
                self.keep(one.0, vec![Op::Unlock(guard.clone())]);
            } else if partner.is_some_and(|key| !self.leased.contains(&key)) {
                let (place, look, fetched, plan) = one;
                let pair = Pair::of(&fetched, &look.key);
                self.end(place, |ops| {
                    Synced::failed(ops, Some(plan), pair, overtaken(PARTNER_AT_WORK))
                });
                continue;
            }
            kept.push(one);
        }
        Ok(kept)
    }

    fn keep(&mut self, place: usize, ops: Vec<Op>) {
        if let Some(earlier) = self.earlier.get_mut(place) {
            earlier.extend(ops);
        }
    }

    fn begin(&mut self, place: usize, plan: Plan, pair: Pair, done: &Done) {
        if let Some(slot) = self.begun.get_mut(place) {
            let counters = Counters {
                created: done.created,
                linked: done.linked,
                ..Counters::default()
            };
            *slot = Some(Begun { plan, pair, counters });
        }
    }

    fn end(&mut self, place: usize, end: impl FnOnce(Vec<Op>) -> Synced) {
        let ops = self.earlier.get_mut(place).map(std::mem::take).unwrap_or_default();
        let mut synced = end(ops);
        if let Some(begun) = self.begun.get_mut(place).and_then(Option::take) {
            synced.begun(begun.plan, begun.pair, &begun.counters);
        }
        if let Some(slot) = self.synced.get_mut(place) {
            *slot = Some(synced);
        }
    }
}
