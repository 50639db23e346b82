//! What is to be done about one record: the one planner that every road leads to.
//!
//! [`build`] decides everything, with the reason of every decision, from its arguments alone. Others bring records to it
//! and carry its plan out; a plan leaves them nothing to choose.

use crate::core::{
    diff::{self, Context, Decision, Refused, Verdict},
    expr::Scope,
    fault::Fault,
    mapping::{
        Choice, Filtered, Mapping, Missing,
        convert::{Awaited, Refusal, Source},
    },
    path::Path,
    record::{Link, Record, Seen},
    status::{FailureClass, LinkStatus, MissingDecision, Side, Sides, Situation, Stage, WriteKind},
    value::{Map, Value},
};

/// What the search for a partner of an unlinked record found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched<'a> {
    /// Nothing; or the one partner, which is then given as the other side's record.
    Settled,
    /// Several partners fit.
    Several(&'a [String]),
    /// The only partner belongs to another link.
    Elsewhere(&'a str),
    /// The only partner, by its id, matches these other records of the own side as well.
    Shared(&'a str, &'a [String]),
    /// Nothing; but these records are similar, and a person has not said yet whether one of them is the partner.
    Suggested(&'a [String]),
    /// A person says that the record given as the other side's is the partner.
    Accepted,
}

/// Everything a plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What is known about the left record.
    pub left: Seen<'a>,
    /// What is known about the right record.
    pub right: Seen<'a>,
    /// The link of the pair, if there is one.
    pub link: Option<&'a Link>,
    /// What the search for a partner found.
    pub matched: Matched<'a>,
}

/// What happens to the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStep {
    /// Stays as it is, or there is none.
    Keep,
    /// Is made, or its base renewed.
    Put,
    /// The record of this side is gone: the link becomes a pending delete.
    MarkMissing(Side),
    /// Both records are there again: the link is no pending delete any more.
    ClearMissing,
    /// Ends.
    End,
}

/// One write to one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Where to.
    pub to: Side,
    /// What kind.
    pub kind: WriteKind,
    /// The record written to; none for a new one.
    pub id: Option<String>,
    /// The version that was read, for optimistic writes.
    pub version: Option<String>,
    /// The fields, by the path they have there.
    pub fields: Map,
}

/// What is to be done about one record, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the pair is in.
    pub situation: Situation,
    /// Why nothing more, or nothing else, is done.
    pub reason: String,
    /// What happens to the link once every write has succeeded.
    pub link: LinkStep,
    /// The writes; at most one a side.
    pub writes: Vec<Write>,
    /// The decision about every field of a pair.
    pub decisions: Vec<Decision>,
    /// What has to be on record: conflicts, values that do not convert, ambiguity.
    pub faults: Vec<Fault>,
    /// The link of another mapping that the record waits for.
    pub awaited: Option<Awaited>,
    /// Whether the record as a whole is left as it is, as a person has decided.
    pub is_left_alone: bool,
}

impl Plan {
    fn new(situation: Situation, reason: impl Into<String>) -> Self {
        Self {
            situation,
            reason: reason.into(),
            link: LinkStep::Keep,
            writes: Vec::new(),
            decisions: Vec::new(),
            faults: Vec::new(),
            awaited: None,
            is_left_alone: false,
        }
    }

    fn left_alone(situation: Situation, reason: String) -> Self {
        Self {
            is_left_alone: true,
            ..Self::new(situation, reason)
        }
    }

    fn with_link(mut self, link: LinkStep) -> Self {
        self.link = link;
        self
    }

    /// Whether carrying it out settles something: a system is written to, or a link made, renewed or ended.
    #[must_use]
    pub fn acts(&self) -> bool {
        !self.writes.is_empty() || matches!(self.link, LinkStep::Put | LinkStep::End)
    }

    /// Whether nothing is to be written to a system and nothing has to be recorded as a failure.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.writes.is_empty() && self.faults.is_empty() && self.awaited.is_none()
    }

    /// The fields that nobody may decide.
    pub fn conflicts(&self) -> impl Iterator<Item = &Decision> {
        self.decisions
            .iter()
            .filter(|decision| decision.verdict == Verdict::Conflict)
    }

    /// Whether everything that differs is left as it is, as people have decided.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        let mut drifted = self.drifted().peekable();
        self.is_left_alone || (drifted.peek().is_some() && drifted.all(|decision| decision.verdict == Verdict::Ignored))
    }

    /// The fields in which the pair drifted.
    pub fn drifted(&self) -> impl Iterator<Item = &Decision> {
        self.decisions
            .iter()
            .filter(|decision| !matches!(decision.verdict, Verdict::Equal | Verdict::Kept))
    }
}

/// Decides what is to be done about one record.
#[must_use]
pub fn build(context: Context<'_>, input: Input<'_>) -> Plan {
    let plan = unrestrained(context, input);
    // Fields of a pair are left alone one by one.
    let is_whole = plan.decisions.is_empty() || plan.situation == Situation::UnlinkedMatch;
    let is_drift = !matches!(plan.situation, Situation::InSync | Situation::Gone) && is_whole;
    match context.settled.ignoring(plan.situation, None) {
        Some(rule) if is_drift => {
            let reason = format!("{}; left alone by ignore rule {}", plan.reason, rule.rule_id);
            Plan::left_alone(plan.situation, reason)
        }
        _ => plan,
    }
}

/// What is to be done, but for what people have chosen to leave.
fn unrestrained(context: Context<'_>, input: Input<'_>) -> Plan {
    match (input.link, input.left.record(), input.right.record()) {
        (Some(link), Some(left), Some(right)) => linked(context, link, left, right),
        (Some(link), Some(left), None) => partner_gone(context, link, Side::Left, left, input.right),
        (Some(link), None, Some(right)) => partner_gone(context, link, Side::Right, right, input.left),
        (Some(_), None, None) => both_gone(input),
        (None, Some(left), Some(right)) => matched(context, left, right, input.matched),
        (None, Some(left), None) => alone(context, Side::Left, left, input.matched),
        (None, None, Some(right)) => alone(context, Side::Right, right, input.matched),
        (None, None, None) => Plan::new(Situation::Gone, "there is no such record on either side"),
    }
}

fn linked(context: Context<'_>, link: &Link, left: &Record, right: &Record) -> Plan {
    let mapping = context.mapping;
    match outside(mapping, Sides { left, right }) {
        Err(fault) => return refused(Situation::Differs, Refused::Faults(vec![fault])),
        Ok(Some(side)) => {
            let plan = Plan::new(
                Situation::Filtered,
                format!("the record in {} no longer passes the filter", mapping.end(side).system),
            );
            match mapping.actions.filtered {
                Filtered::Report if link.status == LinkStatus::PendingDelete => {
                    return plan.with_link(LinkStep::ClearMissing);
                }
                Filtered::Report => return plan,
                Filtered::Unlink => return plan.with_link(LinkStep::End),
                Filtered::Sync => {}
            }
        }
        Ok(None) => {}
    }
    pair(context, Sides { left, right }, Some(link))
}

fn matched(context: Context<'_>, left: &Record, right: &Record, found: Matched<'_>) -> Plan {
    match outside(context.mapping, Sides { left, right }) {
        Err(fault) => return refused(Situation::UnlinkedMatch, Refused::Faults(vec![fault])),
        Ok(Some(side)) => return not_taking_part(context.mapping, side),
        Ok(None) => {}
    }
    if context.mapping.actions.unlinked_match == Choice::Report && found != Matched::Accepted {
        return Plan::new(
            Situation::UnlinkedMatch,
            "exactly one partner matches; the mapping says to report only",
        );
    }
    pair(context, Sides { left, right }, None)
}

/// Compares two records that belong together and collects what to write.
fn pair(context: Context<'_>, records: Sides<&Record>, link: Option<&Link>) -> Plan {
    let found = if link.is_some() {
        Situation::Differs
    } else {
        Situation::UnlinkedMatch
    };
    let decisions = match diff::compare(context, records.left, records.right, link.map(|link| &link.base)) {
        Ok(decisions) => decisions,
        Err(refused_by) => return refused(found, refused_by),
    };
    let mut plan = Plan::new(found, "");
    plan.decisions = decisions;
    if plan.drifted().next().is_none() && link.is_some() {
        plan.situation = Situation::InSync;
    }
    plan.faults = plan
        .conflicts()
        .map(|decision| conflict(context.mapping, decision))
        .collect();
    let reports_only = link.is_some() && context.mapping.actions.differs == Choice::Report;
    if !reports_only {
        plan.writes = updates(context.mapping, records, &plan.decisions);
    }
    plan.reason = match (plan.situation, plan.writes.len(), plan.faults.len()) {
        (Situation::InSync, ..) => "all mapped fields agree".to_owned(),
        (_, 0, 0) if reports_only => "differs; the mapping says to report only".to_owned(),
        (_, 0, 0) => "nothing has to be written".to_owned(),
        (_, 0, _) => "a person has to decide".to_owned(),
        _ => "fields differ".to_owned(),
    };
    if needs_put(&plan, link) {
        plan.link = LinkStep::Put;
    }
    plan
}

/// Whether the stored link would say something else than what was found.
fn needs_put(plan: &Plan, link: Option<&Link>) -> bool {
    let Some(link) = link else { return true };
    !plan.writes.is_empty()
        || link.status != LinkStatus::Linked
        || plan.decisions.iter().any(|decision| {
            decision
                .agreed
                .is_some_and(|agreed| link.base.field(agreed.definition) != Some(agreed))
        })
}

fn updates(mapping: &Mapping, records: Sides<&Record>, decisions: &[Decision]) -> Vec<Write> {
    [Side::Left, Side::Right]
        .into_iter()
        .filter_map(|side| {
            let record = records.get(side);
            let mut fields = Map::new();
            for decision in decisions {
                let Some(value) = decision.verdict.written(side) else {
                    continue;
                };
                let Some(field) = mapping.fields.get(decision.field) else {
                    continue;
                };
                if let Some(part) = field.parts.get(side) {
                    whole_part(part, record, &mut fields);
                }
                if let Some(path) = field.paths.get(side) {
                    put(path, &mut fields, value.clone());
                }
            }
            (!fields.is_empty()).then(|| Write {
                to: side,
                kind: WriteKind::Update,
                id: Some(record.id.clone()),
                version: record.version.clone(),
                fields,
            })
        })
        .collect()
}

/// Puts a value at its place in the fields to write. Mappings whose target paths overlap are refused when they are
/// compiled, so no path is ever in another's way.
fn put(path: &Path, fields: &mut Map, value: Value) {
    path.set_in(fields, value).ok();
}

/// Puts a list of parts as it was read among the fields to write, for one of them to be changed: what is not in it is removed.
fn whole_part(part: &Path, record: &Record, fields: &mut Map) {
    if part.get_in(fields).is_none() {
        let list = part.get_in(&record.fields).filter(|list| list.as_list().is_some());
        put(part, fields, list.cloned().unwrap_or_else(|| Value::List(Vec::new())));
    }
}

fn partner_gone(context: Context<'_>, link: &Link, left_over: Side, record: &Record, partner: Seen<'_>) -> Plan {
    let gone = left_over.other();
    let name = &context.mapping.end(gone).system;
    if partner == Seen::Unknown {
        return Plan::new(Situation::Differs, format!("the record in {name} was not read"));
    }
    let reason = format!("the record in {name} is gone");
    // A decision is about the record that was gone then.
    let decided = link
        .decided
        .filter(|(side, _)| *side == gone)
        .map(|(_, decision)| decision);
    let action = match decided {
        Some(MissingDecision::Keep) => {
            let reason = format!("{reason}; a person has decided to keep the other one");
            return Plan::left_alone(Situation::Missing, reason);
        }
        Some(MissingDecision::Delete) => Missing::Delete,
        Some(MissingDecision::Recreate) => Missing::Recreate,
        None => context.mapping.actions.missing,
    };
    let plan = Plan::new(Situation::Missing, reason);
    match action {
        Missing::Report => plan.with_link(LinkStep::MarkMissing(gone)),
        Missing::Unlink => plan.with_link(LinkStep::End),
        Missing::Recreate => match creation(context, left_over, record) {
            Ok(write) => Plan {
                writes: vec![write],
                ..plan.with_link(LinkStep::Put)
            },
            Err(refused_by) => refused(Situation::Missing, refused_by),
        },
        Missing::Archive => archive(context.mapping, left_over, record, plan),
        Missing::Delete => {
            let write = Write {
                to: left_over,
                kind: WriteKind::Delete,
                id: Some(link.id(left_over).to_owned()),
                version: record.version.clone(),
                fields: Map::new(),
            };
            Plan {
                writes: vec![write],
                ..plan.with_link(LinkStep::End)
            }
        }
    }
}

/// Archives the record that is left, where the mapping says what that means on its side; else it is only reported.
fn archive(mapping: &Mapping, side: Side, record: &Record, plan: Plan) -> Plan {
    let values = mapping.archive.get(side);
    if values.is_empty() {
        return plan.with_link(LinkStep::MarkMissing(side.other()));
    }
    let mut fields = Map::new();
    for (path, value) in values.iter().filter(|(path, value)| !holds(record, path, value)) {
        put(path, &mut fields, value.clone());
    }
    let write = Write {
        to: side,
        kind: WriteKind::Update,
        id: Some(record.id.clone()),
        version: record.version.clone(),
        fields,
    };
    Plan {
        writes: if write.fields.is_empty() {
            Vec::new()
        } else {
            vec![write]
        },
        ..plan.with_link(LinkStep::End)
    }
}

fn holds(record: &Record, path: &Path, value: &Value) -> bool {
    path.get_in(&record.fields).is_some_and(|found| found == value)
}

/// Whether a record was archived after its partner was gone: no partner is made for it then.
fn is_archived(mapping: &Mapping, side: Side, record: &Record) -> bool {
    let values = mapping.archive.get(side);
    !values.is_empty() && values.iter().all(|(path, value)| holds(record, path, value))
}

fn both_gone(input: Input<'_>) -> Plan {
    if input.left == Seen::Gone && input.right == Seen::Gone {
        return Plan::new(Situation::Gone, "both records are gone").with_link(LinkStep::End);
    }
    Plan::new(Situation::Differs, "neither record was read")
}

fn alone(context: Context<'_>, side: Side, record: &Record, found: Matched<'_>) -> Plan {
    let mapping = context.mapping;
    match passes(mapping, side, record) {
        Err(fault) => return refused(Situation::Absent, Refused::Faults(vec![fault])),
        Ok(false) => return not_taking_part(mapping, side),
        Ok(true) => {}
    }
    let partner = &mapping.end(side.other()).system;
    match found {
        Matched::Several(ids) => {
            let shown: Vec<&str> = ids.iter().take(5).map(String::as_str).collect();
            let reason = format!("{} records in {partner} match: {}", ids.len(), shown.join(", "));
            let fault = Fault::new("PL001", FailureClass::Ambiguous, Stage::Match, reason.clone())
                .with_hint("merge the duplicates in their own system");
            Plan {
                faults: vec![fault],
                ..Plan::new(Situation::Ambiguous, reason)
            }
        }
        Matched::Elsewhere(id) => {
            let reason = format!("the only match, `{id}` in {partner}, belongs to another link");
            let fault = Fault::new("PL002", FailureClass::Ambiguous, Stage::Match, reason.clone()).with_hint(
                "one of the two records is a duplicate: merge them, or end the wrong link by `syncline links unlink`",
            );
            Plan {
                faults: vec![fault],
                ..Plan::new(Situation::AlreadyLinked, reason)
            }
        }
        Matched::Shared(id, rivals) => {
            let own = &mapping.end(side).system;
            let shown: Vec<&str> = rivals.iter().take(5).map(String::as_str).collect();
            let reason = format!(
                "`{id}` in {partner} matches other records in {own} as well: {}",
                shown.join(", ")
            );
            let fault = Fault::new("PL001", FailureClass::Ambiguous, Stage::Match, reason.clone())
                .with_hint("merge the duplicates in their own system");
            Plan {
                faults: vec![fault],
                ..Plan::new(Situation::Ambiguous, reason)
            }
        }
        Matched::Suggested(ids) => suggested(context, side, record, ids),
        Matched::Settled | Matched::Accepted => absent(context, side, record),
    }
}

/// While a person may still say that a similar record is the partner, none is made.
fn suggested(context: Context<'_>, side: Side, record: &Record, ids: &[String]) -> Plan {
    let plan = absent(context, side, record);
    if plan.writes.is_empty() {
        return plan;
    }
    let partner = &context.mapping.end(side.other()).system;
    let shown: Vec<&str> = ids.iter().take(5).map(String::as_str).collect();
    Plan::new(
        Situation::Absent,
        format!(
            "none is made in {partner} while a person has to say whether it is {}: `syncline suggestions`",
            shown.join(" or ")
        ),
    )
}

fn absent(context: Context<'_>, side: Side, record: &Record) -> Plan {
    let mapping = context.mapping;
    let partner = &mapping.end(side.other()).system;
    if is_archived(mapping, side, record) {
        let reason = format!("the record in {} is archived", mapping.end(side).system);
        return Plan::new(Situation::Filtered, reason);
    }
    if !mapping.create.get(side.other()) || mapping.actions.absent == Choice::Report {
        return Plan::new(
            Situation::Absent,
            format!("no partner in {partner}, and the mapping creates none there"),
        );
    }
    match creation(context, side, record) {
        Ok(write) => {
            let plan = Plan::new(Situation::Absent, format!("no partner in {partner}; one is created"));
            Plan {
                writes: vec![write],
                ..plan.with_link(LinkStep::Put)
            }
        }
        Err(refused_by) => refused(Situation::Absent, refused_by),
    }
}

/// The write that makes the partner of `record`, which is on side `from`.
fn creation(context: Context<'_>, from: Side, record: &Record) -> Result<Write, Refused> {
    let to = from.other();
    let source = Source::new(&record.fields);
    let mut fields = Map::new();
    let mut faults = Vec::new();
    for field in context.mapping.fields.iter().filter(|field| field.flow.reaches(to)) {
        let Some(path) = field.paths.get(to) else { continue };
        let offered = field.offer(context.mapping, from, &source, context.references);
        let written = match offered {
            // What belongs to a record is made after it, by the next plan.
            Ok(Some(_)) if field.parts.get(to).is_some() => Ok(None),
            Ok(Some(value)) if !value.is_empty() => field.written(to, value, None),
            Ok(_) => Ok(None),
            Err(refusal) => Err(refusal),
        };
        match written {
            Ok(Some(value)) => put(path, &mut fields, value),
            Ok(None) => {}
            Err(Refusal::Fault(fault)) => faults.push(fault),
            Err(Refusal::Awaited(awaited)) => return Err(Refused::Awaited(awaited)),
        }
    }
    if !faults.is_empty() {
        return Err(Refused::Faults(faults));
    }
    Ok(Write {
        to,
        kind: WriteKind::Create,
        id: None,
        version: None,
        fields,
    })
}

fn refused(situation: Situation, by: Refused) -> Plan {
    match by {
        Refused::Faults(faults) => {
            let reason = faults.first().map_or_else(String::new, ToString::to_string);
            Plan {
                faults,
                ..Plan::new(situation, reason)
            }
        }
        Refused::Awaited(awaited) => {
            let reason = format!(
                "waits for `{}` to be linked by mapping `{}`",
                awaited.id, awaited.mapping
            );
            Plan {
                awaited: Some(awaited),
                ..Plan::new(Situation::Waiting, reason)
            }
        }
    }
}

fn not_taking_part(mapping: &Mapping, side: Side) -> Plan {
    Plan::new(
        Situation::Filtered,
        format!("the record in {} does not pass the filter", mapping.end(side).system),
    )
}

fn conflict(mapping: &Mapping, decision: &Decision) -> Fault {
    let name = mapping
        .fields
        .get(decision.field)
        .map_or("?", |field| field.name.as_str());
    Fault::new(
        "PL003",
        FailureClass::Conflict,
        Stage::Compare,
        format!("field `{name}`: {}", decision.reason.describe(mapping)),
    )
    .with_field(name)
    .with_hint("look at both values with `syncline conflicts` and take one")
}

/// The first side whose record does not pass its filter.
fn outside(mapping: &Mapping, records: Sides<&Record>) -> Result<Option<Side>, Fault> {
    for side in [Side::Left, Side::Right] {
        if !passes(mapping, side, records.get(side))? {
            return Ok(Some(side));
        }
    }
    Ok(None)
}

/// Whether a record takes part in the mapping.
pub fn passes(mapping: &Mapping, side: Side, record: &Record) -> Result<bool, Fault> {
    let Some(filter) = mapping.filters.get(side) else {
        return Ok(true);
    };
    let mut scope = Scope::new();
    scope.set(
        &mapping.end(side).system,
        std::sync::Arc::new(Value::Map(record.fields.clone())),
    );
    let fault = |message: String| {
        Fault::new("MP105", FailureClass::Mapping, Stage::Map, message)
            .with_hint("make the filter hold for every record, with `default(…)` or `is defined`")
    };
    match filter.eval(&scope) {
        Ok(Value::Bool(passes)) => Ok(passes),
        Ok(other) => Err(fault(format!(
            "the filter yields {} instead of true or false",
            other.type_name()
        ))),
        Err(error) => Err(fault(format!("cannot evaluate the filter: {error}"))),
    }
}

#[cfg(test)]
mod tests;
