//! Mappings: which object is which, and how fields convert, there and back.
//!
//! A [`Mapping`] is checked and compiled once, when it is loaded; what it says is then only read. `left` is the system that
//! stands first under `between:`.

pub mod form;

mod compile;
pub mod convert;
pub mod known;
mod law;
pub mod lines;
pub mod walk;
mod wanted;

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::{
    expr::Expr,
    matching::{Rule, Suggest},
    path::Path,
    period::{Period, Share},
    status::{Side, Sides},
    value::{Value, compare::Compare, kind::Kind},
};

pub use convert::{Convert, NoReferences, References, Unmapped};
pub use walk::Walk;

/// One end of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The system's name in `config/`.
    pub system: String,
    /// The object's name in the system's connector.
    pub object: String,
}

impl Sides<End> {
    /// The side that `system` is on.
    #[must_use]
    pub fn side_of_system(&self, system: &str) -> Option<Side> {
        [Side::Left, Side::Right]
            .into_iter()
            .find(|side| self.get(*side).system == system)
    }
}

/// Which object is which, and how their fields convert.
#[derive(Debug)]
pub struct Mapping {
    /// The mapping's name.
    pub name: String,
    /// A name for people; the mapping's name where none was given.
    pub title: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Both ends.
    pub ends: Sides<End>,
    /// Rules that couple what is not linked yet, in order.
    pub rules: Vec<Rule>,
    /// Suggestions for what no rule couples.
    pub suggest: Option<Suggest>,
    /// The field pairs, in the order written.
    pub fields: Vec<Field>,
    /// Where their values stand in the records of each side.
    pub walks: Sides<Walk>,
    /// Which records take part.
    pub filters: Sides<Option<Expr>>,
    /// The side that wins where nothing was agreed yet.
    pub prefer: Side,
    /// Where partners may be created.
    pub create: Sides<bool>,
    /// What is done in situations that leave a choice.
    pub actions: Actions,
    /// The values that archive a record whose partner is gone.
    pub archive: Sides<Vec<(Path, Value)>>,
    /// What happens to a change on the side that may not win.
    pub wrong_side: WrongSide,
    /// The daily comparison.
    pub reconcile: Reconcile,
    /// How often a side is asked what changed.
    pub poll: Sides<Option<Period>>,
    /// When a record that is written again and again is stopped.
    pub breaker: Breaker,
    /// Fingerprint of the whole definition: runs and reports keep it.
    pub version: u64,
}

impl Mapping {
    /// The end on one side.
    #[must_use]
    pub const fn end(&self, side: Side) -> &End {
        self.ends.get(side)
    }

    /// The side on which `system` holds `object`, if it is one of the two ends.
    #[must_use]
    pub fn side_of(&self, system: &str, object: &str) -> Option<Side> {
        [Side::Left, Side::Right]
            .into_iter()
            .find(|side| self.end(*side).system == system && self.end(*side).object == object)
    }

    /// The side that a person's word names: itself (`left`, `right`), or by its system.
    #[must_use]
    pub fn side_named(&self, word: &str) -> Option<Side> {
        word.parse().ok().or_else(|| self.ends.side_of_system(word))
    }

    /// The other mappings whose links this one needs.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let own = self.fields.iter();
        let in_lines = self.fields.iter().flat_map(Field::inner);
        own.chain(in_lines).filter_map(|field| match &field.convert {
            Convert::Link { mapping, .. } => Some(mapping.as_str()),
            _ => None,
        })
    }

    /// Whether records travel towards `side` at all.
    #[must_use]
    pub fn writes_to(&self, side: Side) -> bool {
        self.fields.iter().any(|field| field.flow.reaches(side))
    }
}

/// One field pair: two functions, there and back.
#[derive(Debug)]
pub struct Field {
    /// The pair's name in reports: the left field, or the right one where there is no left one.
    pub name: String,
    /// Where the value stands; a computed pair has only its target.
    pub paths: Sides<Option<Path>>,
    /// The list of records that belong to the record, where the value stands in one of them: they are written after it.
    pub parts: Sides<Option<Path>>,
    /// Which way values travel.
    pub flow: Flow,
    /// The kind both sides are compared in.
    pub kind: Kind,
    /// The kinds the connectors declare; what is written is brought into them.
    pub kinds: Sides<Kind>,
    /// How values are compared.
    pub compare: Compare,
    /// The functions.
    pub convert: Convert,
    /// The side whose value always wins.
    pub wins: Option<Side>,
    /// Who wins when both sides changed.
    pub conflict: Policy,
    /// What an empty winner does.
    pub empty: Empty,
    /// Personal data.
    pub sensitive: bool,
    /// Written only with a new record, and not compared afterwards.
    pub create_only: bool,
    /// Fingerprint of name and definition; a base belongs to it.
    pub definition: u64,
}

impl Field {
    /// The pairs of one line, where the field is a list of lines.
    #[must_use]
    pub fn inner(&self) -> &[Self] {
        match &self.convert {
            Convert::Lines(lines) => &lines.fields,
            _ => &[],
        }
    }

    /// Whether values travel as they are, or as a template makes them: then they are of the pair's kind.
    #[must_use]
    pub const fn is_copied(&self) -> bool {
        matches!(self.convert, Convert::Copy | Convert::From { .. })
    }

    /// The kind that values of `side` are compared in.
    #[must_use]
    pub const fn kind_on(&self, side: Side) -> Kind {
        match self.convert {
            Convert::Copy => self.kind,
            _ => *self.kinds.get(side),
        }
    }
}

/// Which way a field's values travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Both ways.
    Both,
    /// One way, towards this side.
    To(Side),
}

impl Flow {
    /// Whether values travel towards `side`.
    #[must_use]
    pub fn reaches(self, side: Side) -> bool {
        match self {
            Self::Both => true,
            Self::To(target) => target == side,
        }
    }
}

/// Who wins when both sides changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// This side.
    Side(Side),
    /// The side that changed last, by the records' update times.
    Newest,
    /// Nobody: a person decides, and both sides stay as they are until then.
    Manual,
}

/// What an empty winner does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// The other side keeps its value.
    Keep,
    /// The other side is cleared.
    Clear,
}

/// What happens to a change on the side that may not win.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongSide {
    /// The winner's value is written back.
    Repair,
    /// The difference is reported and left.
    Report,
}

/// What is done in situations that leave a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    /// Linked and different: sync, or only report.
    pub differs: Choice,
    /// Exactly one partner matches: link, or only report.
    pub unlinked_match: Choice,
    /// No partner: create where allowed, or only report.
    pub absent: Choice,
    /// The partner is gone.
    pub missing: Missing,
    /// No longer passes the filter.
    pub filtered: Filtered,
}

/// To act or to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Do what the situation calls for.
    Act,
    /// Only report it.
    Report,
}

/// What is done when the partner of a linked record is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Listed as a pending delete; a person decides.
    Report,
    /// The partner is made again.
    Recreate,
    /// The record that is left is deleted.
    Delete,
    /// The record that is left gets the values of [`Mapping::archive`], and the link is ended.
    Archive,
    /// The link is ended.
    Unlink,
}

/// What is done when a linked record no longer passes the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filtered {
    /// Reported; nothing travels.
    Report,
    /// The link is ended.
    Unlink,
    /// Synchronized all the same.
    Sync,
}

/// The daily comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reconcile {
    /// Local time of day; none: only when asked.
    pub at: Option<NaiveTime>,
    /// The zone of `at`.
    pub timezone: Tz,
    /// How long after the last comparison what changed since is compared alone; none: only when asked.
    pub incremental: Option<Period>,
    /// Whether drift is repaired or only reported.
    pub repair: bool,
    /// Guard rails.
    pub guard: Guard,
}

/// Guard rails of a reconciliation: a plan that would do more repairs nothing and is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guard {
    /// How many records may be deleted; none: 1 % or 50, whichever is less.
    pub delete: Option<Share>,
    /// How many records may be changed.
    pub change: Share,
    /// How many records may be created; none: no limit.
    pub create: Option<Share>,
    /// How many records fewer than the last complete one a listing may have and still be believed about what is missing.
    pub shrink: Share,
}

/// Without a limit of the mapping's own, so many deletes are let through where 1 % would be more.
const DELETES_MAX: u64 = 50;
/// So many deletes a day are let through where a share of the pairs would be less: a few are no sign of anything.
const DELETES_A_DAY: u64 = 10;

impl Guard {
    /// How many of so many records one reconciliation may delete.
    #[must_use]
    pub fn deletes(&self, records: u64) -> u64 {
        self.delete
            .map_or_else(|| (records / 100).clamp(1, DELETES_MAX), |share| share.of(records))
    }

    /// How many of so many pairs may be deleted within a day by what no reconciliation has weighed as a whole: events and polls.
    #[must_use]
    pub fn deletes_a_day(&self, pairs: u64) -> u64 {
        match self.delete {
            None => (pairs / 100).clamp(DELETES_A_DAY, DELETES_MAX),
            Some(limit @ (Share::Count(_) | Share::Percent(0))) => limit.of(pairs),
            Some(limit) => limit.of(pairs).max(DELETES_A_DAY),
        }
    }
}

/// When a record that is written again and again is stopped as a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// How many writes to one record …
    pub writes: u32,
    /// … in how long.
    pub within: Period,
}
