//! Comparing two linked records field by field, three-way.
//!
//! Each side is compared with what it was when both last agreed (its hash in the [`Base`]), so the question "who changed?"
//! never depends on how the other side rounds or spells a value. See `docs/mappings.md` for the table in people's words.

mod decided;
mod lines;

use std::cmp::Ordering;

use decided::{Decided, decided};

use crate::core::{
    fault::Fault,
    mapping::{
        Convert, Empty, Field, Flow, Mapping, NoReferences, Policy, References, WrongSide,
        convert::{Awaited, Refusal, Source},
    },
    record::{Base, BaseField, Record},
    settled::Settled,
    status::{Side, Sides, Situation},
    value::{Value, compare, fingerprint::Key, is_blank},
};

/// Which sides changed since both last agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// None.
    Neither,
    /// This one.
    One(Side),
    /// Both.
    Both,
    /// Nothing was agreed on yet.
    NoBase,
}

/// Why a field was decided as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Both sides have the same value.
    Equal,
    /// Only this side changed.
    Changed(Side),
    /// Both changed; this side wins by the conflict policy.
    PolicyWins(Side),
    /// Both changed; this side changed last.
    NewestWins(Side),
    /// Both changed; a person took this side.
    Decided(Side),
    /// Both changed; a person set the value.
    DecidedValue,
    /// Left alone by this ignore rule.
    Ignored(i64),
    /// Both changed and nobody may win.
    Unsettled,
    /// What was agreed on is lost, so that nobody knows which side changed.
    BaseLost,
    /// Both changed and the update times do not tell which was last.
    NoTimes,
    /// Nothing was agreed yet; this side is preferred.
    FirstMatch(Side),
    /// Nothing was agreed yet and only this side has a value.
    Filled(Side),
    /// The field's definition changed; this side is preferred.
    MappingChanged(Side),
    /// Changed on a side that may not win; this side's value is written back.
    WrongSide(Side),
    /// Changed on a side that may not win, and the mapping says to report only; this side would win.
    WrongSideReported(Side),
    /// The winner is empty and the mapping says that empty values do not travel.
    EmptyKept(Side),
    /// Both sides are as they were when the difference was accepted.
    Accepted,
    /// The winner's record does not have the field.
    Absent(Side),
    /// Of two lists, what this side's would change is kept on the other one: lines of its own, or what is empty here.
    LinesKept(Side),
    /// Written with new records only.
    CreateOnly,
}

impl Reason {
    /// The reason in a person's words.
    #[must_use]
    pub fn describe(self, mapping: &Mapping) -> String {
        let name = |side: Side| mapping.end(side).system.as_str();
        match self {
            Self::Equal => "both sides have the same value".to_owned(),
            Self::Changed(side) => format!("only {} changed", name(side)),
            Self::PolicyWins(side) => format!("both sides changed; {} wins by the conflict policy", name(side)),
            Self::NewestWins(side) => format!("both sides changed; {} changed last", name(side)),
            Self::Decided(side) => format!("both sides changed; a person took {}", name(side)),
            Self::DecidedValue => "both sides changed; a person set the value".to_owned(),
            Self::Ignored(rule_id) => format!("left alone by ignore rule {rule_id}"),
            Self::Unsettled => "both sides changed; a person decides".to_owned(),
            Self::BaseLost => {
                "what both sides last agreed on is lost, so nobody knows which changed; a person decides".to_owned()
            }
            Self::NoTimes => "both sides changed and their update times do not tell which was last".to_owned(),
            Self::FirstMatch(side) => format!("first match; {} is preferred", name(side)),
            Self::Filled(side) => format!("nothing was agreed yet; only {} has a value", name(side)),
            Self::MappingChanged(side) => format!("the mapping of this field changed; {} is preferred", name(side)),
            Self::WrongSide(side) => {
                format!("changed in {}, but {} owns this field", name(side.other()), name(side))
            }
            Self::WrongSideReported(side) => {
                format!(
                    "changed in {}, but {} owns this field; reported only",
                    name(side.other()),
                    name(side)
                )
            }
            Self::EmptyKept(side) => format!("{} is empty, and empty values do not travel here", name(side)),
            Self::Accepted => "unchanged on both sides since the difference was accepted".to_owned(),
            Self::Absent(side) => format!("{} did not send this field", name(side)),
            Self::LinesKept(side) => format!("what differs from the lines of {} is kept here", name(side)),
            Self::CreateOnly => "written with new records only".to_owned(),
        }
    }
}

/// What is to be done about one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The sides agree.
    Equal,
    /// They differ, and are meant to stay so.
    Kept,
    /// The value is written to a side.
    Write {
        /// Where to.
        to: Side,
        /// What, in that side's form.
        value: Value,
    },
    /// Both sides are written.
    WriteBoth(Sides<Value>),
    /// A person decides; both stay as they are.
    Conflict,
    /// Drift that a person has chosen to leave for a time.
    Ignored,
    /// Drift that is only reported.
    Report,
}

impl Verdict {
    /// What is written to a side.
    #[must_use]
    pub fn written(&self, side: Side) -> Option<&Value> {
        match self {
            Self::Write { to, value } => (*to == side).then_some(value),
            Self::WriteBoth(values) => Some(values.get(side)),
            _ => None,
        }
    }
}

/// One field's decision, with everything a report shows about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Place of the field in the mapping.
    pub field: usize,
    /// What is to be done.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Which sides changed.
    pub changed: Changed,
    /// Both values, each as its own side has it (computed on a side that has no field); of lists of lines, the lines that differ.
    pub values: Sides<Option<Value>>,
    /// The hashes of both values.
    pub hashes: Sides<u64>,
    /// The base the field has from now on if its values stay as they are; `None` keeps the one it had.
    pub agreed: Option<BaseField>,
}

/// Why a pair could not be compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Refused {
    /// Values that do not convert, all of them.
    Faults(Vec<Fault>),
    /// A reference that is not linked yet.
    Awaited(Awaited),
}

/// What a comparison needs beside the two records.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The mapping.
    pub mapping: &'a Mapping,
    /// The key that hashes are made with.
    pub key: &'a Key,
    /// The links of other mappings that the records refer to.
    pub references: &'a dyn References,
    /// What people have decided about the pair.
    pub settled: &'a Settled,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("mapping", &self.mapping.name)
            .finish_non_exhaustive()
    }
}

/// Both records of a pair, ready to be compared.
#[derive(Debug)]
struct Pair<'a> {
    records: Sides<&'a Record>,
    sources: Sides<Source<'a>>,
}

/// Compares two records field by field.
pub fn compare(
    context: Context<'_>,
    left: &Record,
    right: &Record,
    base: Option<&Base>,
) -> Result<Vec<Decision>, Refused> {
    let sources = Sides {
        left: Source::new(&left.fields),
        right: Source::new(&right.fields),
    };
    let pair = Pair {
        records: Sides { left, right },
        sources,
    };
    let mut decisions = Vec::with_capacity(context.mapping.fields.len());
    let mut faults = Vec::new();
    for (index, field) in context.mapping.fields.iter().enumerate() {
        match decide(context, index, field, &pair, base) {
            Ok(decision) => decisions.push(decision),
            Err(Refusal::Fault(fault)) => faults.push(fault),
            Err(Refusal::Awaited(awaited)) => return Err(Refused::Awaited(awaited)),
        }
    }
    if faults.is_empty() {
        Ok(decisions)
    } else {
        Err(Refused::Faults(faults))
    }
}

/// The link of two records that agreed on what they hold.
#[cfg(test)]
pub(in crate::core) fn agreed(context: Context<'_>, left: &Record, right: &Record) -> crate::core::record::Link {
    let decisions = compare(context, left, right, None).unwrap();
    crate::core::record::Link {
        link_id: 1,
        left_id: left.id.clone(),
        right_id: right.id.clone(),
        base: rebase(context, left, right, &decisions, None),
        status: crate::core::status::LinkStatus::Linked,
        decided: None,
    }
}

/// The hash of one side's value, in the side's own form. Of a list of lines only what is mapped counts, and the order of its lines
/// only where they are known by it.
#[must_use]
pub fn hash(key: &Key, field: &Field, side: Side, value: Option<&Value>) -> u64 {
    // A field that was not sent and one that is cleared are the same agreement: "nothing there".
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return key.field(&field.name, None);
    };
    let normal = match &field.convert {
        Convert::Lines(lines) => lines.normalize(side, value),
        _ => compare::normalize(value, field.kind_on(side), field.compare),
    };
    key.field(&field.name, Some(&normal))
}

/// The hashes of one record, a field each, in the mapping's order: what reconciliation keeps of it while it compares.
///
/// A value that cannot be read has no hash, so that its record is looked at again.
pub fn hashes<'a>(
    key: &'a Key,
    mapping: &'a Mapping,
    side: Side,
    record: &'a Record,
) -> impl Iterator<Item = Option<u64>> {
    let source = Source::new(&record.fields);
    let roots = mapping.walks.get(side).roots(&record.fields);
    mapping.fields.iter().enumerate().map(move |(place, field)| {
        let value = if is_computed_from(field, side) {
            own_value(mapping, field, side, &source).ok()?
        } else {
            let path = field.paths.get(side).as_ref();
            let found = path.and_then(|path| roots.get(place, path));
            // Most values of most records are texts that stand there as they are hashed.
            if let Some(text) = field.text_found(found) {
                return Some(hash_text(key, field, text));
            }
            field.read_found(side, found).ok()?
        };
        Some(hash(key, field, side, value.as_ref()))
    })
}

/// Whether what stands for `side` is computed from the record.
fn is_computed_from(field: &Field, side: Side) -> bool {
    matches!(&field.convert, Convert::From { source, .. } if *source == side)
}

/// As [`hash`] of a text.
fn hash_text(key: &Key, field: &Field, text: &str) -> u64 {
    if is_blank(text) {
        return key.field(&field.name, None);
    }
    key.field_text(&field.name, &field.compare.text(text))
}

/// One number for the hashes of all fields, in one order: equal where all are equal, and different wherever a single one differs.
///
/// Hashes are as good as chance, so that two digests of different hashes are equal by one chance in 2⁶⁴.
#[must_use]
pub fn digest(hashes: impl Iterator<Item = u64>) -> u64 {
    hashes.fold(0x5851_f42d_4c95_7f2d, |digest, hash| {
        // Each step can be undone, so that nothing that went in is lost.
        let mixed = (digest ^ hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
    })
}

/// The value that stands for `side` in comparisons: the field's, or what a computed pair makes of the record.
fn own_value(mapping: &Mapping, field: &Field, side: Side, source: &Source<'_>) -> Result<Option<Value>, Refusal> {
    if is_computed_from(field, side) {
        field.offer(mapping, side, source, &NoReferences)
    } else {
        field.read(side, source.map()).map_err(Refusal::Fault)
    }
}

fn decide(
    context: Context<'_>,
    index: usize,
    field: &Field,
    pair: &Pair<'_>,
    base: Option<&Base>,
) -> Result<Decision, Refusal> {
    let mapping = context.mapping;
    let own = |side: Side| own_value(mapping, field, side, pair.sources.get(side));
    let values = Sides {
        left: own(Side::Left)?,
        right: own(Side::Right)?,
    };
    let hashes = Sides::of(|side| hash(context.key, field, side, values.get(side).as_ref()));
    let agreed = BaseField {
        definition: field.definition,
        left: hashes.left,
        right: hashes.right,
    };
    let entry = base.and_then(|base| base.field(field.definition));
    let is_lost = base.is_some_and(Base::is_empty) || entry.is_some_and(|entry| entry.is_lost());
    let changed = changed(entry.filter(|_| !is_lost), hashes);
    let judged = Judged {
        field,
        values: &values,
        hashes,
        changed,
        had_base: base.is_some(),
        is_lost,
    };
    let (verdict, reason) = judge(context, pair, judged)?;
    let agreed = match reason {
        Reason::Equal | Reason::Accepted | Reason::CreateOnly | Reason::LinesKept(_) => Some(agreed),
        // Kept until it is settled: with a base of the other fields alone this one would pass for newly mapped.
        _ => is_lost.then(|| BaseField::lost(field.definition)),
    };
    Ok(Decision {
        field: index,
        reason,
        changed,
        values: match verdict {
            Verdict::Equal => values,
            _ => lines::told(context, field, pair, values),
        },
        verdict,
        hashes,
        agreed,
    })
}

/// One field on its way to a verdict.
#[derive(Clone, Copy)]
struct Judged<'a> {
    field: &'a Field,
    values: &'a Sides<Option<Value>>,
    hashes: Sides<u64>,
    changed: Changed,
    /// Whether the pair agreed on anything before.
    had_base: bool,
    /// Whether what it agreed on in this field is lost.
    is_lost: bool,
}

fn judge(context: Context<'_>, pair: &Pair<'_>, judged: Judged<'_>) -> Result<(Verdict, Reason), Refusal> {
    let Judged {
        field, values, changed, ..
    } = judged;
    if field.create_only {
        return Ok((Verdict::Kept, Reason::CreateOnly));
    }
    if same(context, field, pair, values)? {
        return Ok((Verdict::Equal, Reason::Equal));
    }
    if changed == Changed::Neither {
        return Ok((Verdict::Kept, Reason::Accepted));
    }
    let situation = if judged.had_base {
        Situation::Differs
    } else {
        Situation::UnlinkedMatch
    };
    if let Some(rule) = context.settled.ignoring(situation, Some(&field.name)) {
        return Ok((Verdict::Ignored, Reason::Ignored(rule.rule_id)));
    }
    let Ruling { winner, reason } = rule(context.mapping, pair, judged);
    let settlement = context.settled.fields.get(&field.name);
    let (winner, reason) = match (winner, settlement) {
        (Some(winner), _) => (winner, reason),
        (None, Some(settlement)) => match decided(context, judged, settlement)? {
            None => return Ok((Verdict::Conflict, reason)),
            Some(Decided::Winner(side)) => (side, Reason::Decided(side)),
            Some(Decided::Verdict(verdict, reason)) => return Ok((verdict, reason)),
        },
        (None, None) => return Ok((Verdict::Conflict, reason)),
    };
    if matches!(reason, Reason::WrongSideReported(_)) {
        return Ok((Verdict::Report, reason));
    }
    let offered = field.offer(context.mapping, winner, pair.sources.get(winner), context.references)?;
    let to = winner.other();
    let value = match offered {
        None => return Ok((Verdict::Kept, Reason::Absent(winner))),
        Some(value) if !value.is_empty() => value,
        // Whoever takes an empty side wants the other one cleared.
        Some(_) if field.empty == Empty::Keep && !matches!(reason, Reason::Decided(_)) => {
            return Ok((Verdict::Kept, Reason::EmptyKept(winner)));
        }
        Some(_) => Value::Null,
    };
    Ok(match field.written(to, value, Some(&pair.records.get(to).fields))? {
        Some(value) => (Verdict::Write { to, value }, reason),
        None => (Verdict::Kept, Reason::LinesKept(winner)),
    })
}

fn changed(base: Option<BaseField>, now: Sides<u64>) -> Changed {
    let Some(base) = base else { return Changed::NoBase };
    match (base.left != now.left, base.right != now.right) {
        (false, false) => Changed::Neither,
        (true, false) => Changed::One(Side::Left),
        (false, true) => Changed::One(Side::Right),
        (true, true) => Changed::Both,
    }
}

/// The side in whose form two values are compared: that which they travel towards.
const fn target(flow: Flow) -> Side {
    match flow {
        Flow::To(side) => side,
        Flow::Both => Side::Right,
    }
}

/// Whether both sides mean the same.
fn same(context: Context<'_>, field: &Field, pair: &Pair<'_>, values: &Sides<Option<Value>>) -> Result<bool, Refusal> {
    let target = target(field.flow);
    let source = target.other();
    let is_empty = |value: &Option<Value>| value.as_ref().is_none_or(Value::is_empty);
    if is_empty(values.get(source)) && is_empty(values.get(target)) {
        return Ok(true);
    }
    let offered = match &field.convert {
        Convert::From { .. } => values.get(source).clone(),
        _ => field.offer(context.mapping, source, pair.sources.get(source), context.references)?,
    };
    Ok(match (&field.convert, &offered, values.get(target)) {
        (Convert::Lines(list), Some(offered), Some(there)) => lines::same(list, field.flow, offered, there),
        (_, offered, there) => field.agrees(target, offered.as_ref(), there.as_ref()),
    })
}

/// Who wins, and why.
struct Ruling {
    /// Nobody: a person decides.
    winner: Option<Side>,
    reason: Reason,
}

impl Ruling {
    const fn wins(winner: Side, reason: Reason) -> Self {
        Self {
            winner: Some(winner),
            reason,
        }
    }
}

fn rule(mapping: &Mapping, pair: &Pair<'_>, judged: Judged<'_>) -> Ruling {
    let Judged {
        field,
        values,
        changed,
        had_base,
        is_lost,
        ..
    } = judged;
    let owner = match field.flow {
        Flow::To(target) => Some(target.other()),
        Flow::Both => field.wins,
    };
    match (owner, changed) {
        (Some(owner), Changed::NoBase) if is_lost && mapping.wrong_side == WrongSide::Repair => {
            first(field, owner, values, false)
        }
        (owner, Changed::NoBase) if is_lost => lost(owner, values),
        (owner, Changed::NoBase) => first(field, owner.unwrap_or(mapping.prefer), values, had_base),
        (Some(owner), Changed::One(side)) if side == owner.other() => match mapping.wrong_side {
            WrongSide::Repair => Ruling::wins(owner, Reason::WrongSide(owner)),
            WrongSide::Report => Ruling::wins(owner, Reason::WrongSideReported(owner)),
        },
        (Some(owner), Changed::One(_)) => Ruling::wins(owner, Reason::Changed(owner)),
        (Some(owner), _) => Ruling::wins(owner, Reason::PolicyWins(owner)),
        (None, Changed::One(side)) => Ruling::wins(side, Reason::Changed(side)),
        (None, _) => settle(field.conflict, pair.records),
    }
}

/// Without a base nobody knows who changed, so that nothing may be written over; what is empty is filled.
fn lost(owner: Option<Side>, values: &Sides<Option<Value>>) -> Ruling {
    let is_empty = |side: Side| values.get(side).as_ref().is_none_or(Value::is_empty);
    let fills = |side: Side| !is_empty(side) && is_empty(side.other()) && owner.is_none_or(|owner| owner == side);
    match [Side::Left, Side::Right].into_iter().find(|side| fills(*side)) {
        Some(side) => Ruling::wins(side, Reason::Filled(side)),
        None => Ruling {
            winner: None,
            reason: Reason::BaseLost,
        },
    }
}

fn first(field: &Field, prefer: Side, values: &Sides<Option<Value>>, had_base: bool) -> Ruling {
    let is_empty = |side: Side| values.get(side).as_ref().is_none_or(Value::is_empty);
    if field.flow == Flow::Both && is_empty(prefer) && !is_empty(prefer.other()) {
        return Ruling::wins(prefer.other(), Reason::Filled(prefer.other()));
    }
    Ruling::wins(
        prefer,
        if had_base {
            Reason::MappingChanged(prefer)
        } else {
            Reason::FirstMatch(prefer)
        },
    )
}

fn settle(policy: Policy, records: Sides<&Record>) -> Ruling {
    match policy {
        Policy::Side(side) => Ruling::wins(side, Reason::PolicyWins(side)),
        Policy::Manual => Ruling {
            winner: None,
            reason: Reason::Unsettled,
        },
        Policy::Newest => {
            let times = records.left.updated_at.zip(records.right.updated_at);
            let newest = match times.map(|(left, right)| compare::later(left, right)) {
                Some(Ordering::Greater) => Side::Left,
                Some(Ordering::Less) => Side::Right,
                Some(Ordering::Equal) | None => {
                    return Ruling {
                        winner: None,
                        reason: Reason::NoTimes,
                    };
                }
            };
            Ruling::wins(newest, Reason::NewestWins(newest))
        }
    }
}

/// The base of a pair after its writes: what is agreed now, and what was agreed before where nothing new was.
///
/// `left` and `right` are the records as they are after the writes.
#[must_use]
pub fn rebase(
    context: Context<'_>,
    left: &Record,
    right: &Record,
    decisions: &[Decision],
    before: Option<&Base>,
) -> Base {
    let hashes = Sides {
        left: hashes(context.key, context.mapping, Side::Left, left).collect::<Vec<_>>(),
        right: hashes(context.key, context.mapping, Side::Right, right).collect::<Vec<_>>(),
    };
    let fields = decisions.iter().filter_map(|decision| {
        let field = context.mapping.fields.get(decision.field)?;
        let settled = match decision.verdict {
            Verdict::Write { .. } | Verdict::WriteBoth(_) => {
                let at = |side: Side| hashes.get(side).get(decision.field).copied().flatten();
                at(Side::Left).zip(at(Side::Right)).map(|(left, right)| BaseField {
                    definition: field.definition,
                    left,
                    right,
                })
            }
            _ => decision.agreed,
        };
        settled.or_else(|| before.and_then(|base| base.field(field.definition)))
    });
    Base::new(fields.collect())
}
