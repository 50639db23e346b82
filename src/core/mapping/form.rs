//! A mapping as people write it: the shape of `mappings/*.yaml`, before it is checked and compiled.
//!
//! Some keys are the names of the two systems (`{ erp: name, crm: Name }`). The catalog gathers every key that is not listed
//! here under `sides`, so that a misspelt key can be told from a system's name when the mapping is compiled. Pointers in
//! problems are those of the written document (`/fields/3/erp`, never `/fields/3/sides/erp`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map as JsonMap, Value as Json};

use crate::core::{
    matching::Normalizer,
    period::{Period, Share},
    value::compare::Compare,
};

/// Which object is which, and how their fields convert.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingForm {
    /// The mapping's name, as the file name uses it.
    pub mapping: String,
    /// A name for people.
    #[serde(default)]
    pub title: Option<String>,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
    /// The two ends, system to object; the first one is the left side.
    pub between: JsonMap<String, Json>,
    /// `both`, or one way as in `erp -> crm`.
    #[serde(default)]
    pub direction: Option<String>,
    /// Rules that couple what is not linked yet; the first rule with exactly one partner wins.
    #[serde(default, rename = "match")]
    pub rules: Vec<RuleForm>,
    /// Suggestions for what no rule couples: similar records, for a person to look at.
    #[serde(default)]
    pub suggest: Option<SuggestForm>,
    /// The field pairs.
    pub fields: Vec<PairForm>,
    /// Which records take part (system to expression; the system's name is known).
    #[serde(default)]
    pub filter: JsonMap<String, Json>,
    /// The side that wins at the first match; required where fields go both ways.
    #[serde(default)]
    pub prefer: Option<String>,
    /// Who wins when both sides changed: a system's name, `newest` or `manual` (default).
    #[serde(default)]
    pub conflict: Option<String>,
    /// Where records may be created (system to yes or no; default no).
    #[serde(default)]
    pub create: JsonMap<String, Json>,
    /// What is done in each situation.
    #[serde(default)]
    pub situations: SituationsForm,
    /// What `missing: archive` writes to the record that is left (system to fields and their values).
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub archive: JsonMap<String, Json>,
    /// What happens to a change on the side that may not win: `repair` (written back, default) or `report`.
    #[serde(default)]
    pub wrong_side: Option<WrongSideForm>,
    /// The daily comparison of both sides.
    #[serde(default)]
    pub reconcile: ReconcileForm,
    /// How often a side without webhooks is asked what changed (system to period).
    #[serde(default)]
    pub poll: JsonMap<String, Json>,
    /// When a record that is written again and again is stopped as a loop.
    #[serde(default, rename = "loop")]
    pub breaker: BreakerForm,
}

/// One rule that finds partners: a pair of fields that must be equal.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleForm {
    /// System to field.
    #[serde(default)]
    pub sides: JsonMap<String, Json>,
    /// How the values are compared (default exact).
    #[serde(default)]
    pub compare: Option<Compare>,
    /// What is done to both values before they are compared, instead of `compare`.
    #[serde(default)]
    pub normalize: Vec<Normalizer>,
    /// Where numbers without a country are from: two letters, as in `BR`; for `phone` and `tax_id`.
    #[serde(default)]
    pub country: Option<String>,
}

/// Suggestions by similarity. They never link by themselves.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuggestForm {
    /// Pairs of fields that are alike in records that are the same thing; the first one decides which records are compared.
    pub fields: Vec<RuleForm>,
    /// How similar records have to be: more than 0, at most 1 (default 0.9).
    #[serde(default)]
    pub at_least: Option<f64>,
}

/// One field pair: two functions, there and back.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairForm {
    /// System to field (a path); a pair with `from` names one.
    #[serde(default)]
    pub sides: JsonMap<String, Json>,
    /// Template of the value; the names of both systems' are known, but only the other side's record may be used.
    #[serde(default)]
    pub from: Option<String>,
    /// `both` or one way as in `erp -> crm` (default: the mapping's; with `from`: towards the field).
    #[serde(default)]
    pub direction: Option<String>,
    /// The kind both sides are read as, such as `decimal(2)` (default: what the connectors say, else as it comes).
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Values that correspond (left to right).
    #[serde(default)]
    pub values: JsonMap<String, Json>,
    /// What is done with a value that `values` does not name: `error` (default), `keep`, `skip`, or `{ default: x }`.
    #[serde(default)]
    pub on_unmapped: Option<Json>,
    /// The side whose value always wins.
    #[serde(default)]
    pub wins: Option<String>,
    /// Who wins when both sides changed this field (default: the mapping's).
    #[serde(default)]
    pub conflict: Option<String>,
    /// What an empty winner does: `keep` the other side's value (default) or `clear` it.
    #[serde(default)]
    pub empty: Option<EmptyForm>,
    /// How values are compared (default exact).
    #[serde(default)]
    pub compare: Option<Compare>,
    /// Personal data: masked in reports and failures.
    #[serde(default)]
    pub sensitive: bool,
    /// The value is the id of a record that this other mapping links.
    #[serde(default)]
    pub link: Option<String>,
    /// Where a value is written only with a new record; inside of lines, with a new line.
    #[serde(default)]
    pub create_only: bool,
    /// The pairs of one line, where the fields are lists of lines: paths are those within a line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<PairForm>,
    /// Which line is which: a pair of `fields`, or several, whose values no two lines of a list share (default: their places).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<ByForm>,
    /// What is done with lines that only the losing side has: `remove` (default) or `keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<OthersForm>,
}

/// What tells lines apart: one pair of fields, or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "system to field, or a list of such pairs")]
pub enum ByForm {
    /// One.
    One(JsonMap<String, Json>),
    /// Several, which only together tell lines apart.
    Many(Vec<JsonMap<String, Json>>),
}

impl ByForm {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[JsonMap<String, Json>] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// What is done with lines that only the losing side has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OthersForm {
    /// They are removed.
    Remove,
    /// They are kept.
    Keep,
}

/// What an empty winner does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmptyForm {
    /// The other side keeps its value.
    Keep,
    /// The other side is cleared.
    Clear,
}

/// What happens to a change on the side that may not win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WrongSideForm {
    /// The winner's value is written back.
    Repair,
    /// The difference is reported and left.
    Report,
}

/// What is done in each situation that leaves a choice.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SituationsForm {
    /// Linked and different (default `sync`).
    #[serde(default)]
    pub differs: Option<SituationAction>,
    /// Not linked, exactly one partner (default `link`).
    #[serde(default)]
    pub unlinked_match: Option<SituationAction>,
    /// Not linked, no partner (default `create` where `create:` allows it).
    #[serde(default)]
    pub absent: Option<SituationAction>,
    /// Linked, the partner is gone (default `report`).
    #[serde(default)]
    pub missing: Option<SituationAction>,
    /// Linked, no longer passes the filter (default `report`).
    #[serde(default)]
    pub filtered: Option<SituationAction>,
}

/// What is done in a situation; not every action fits every situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SituationAction {
    /// Nothing but a line in the report.
    Report,
    /// Compare three-way and write what changed.
    Sync,
    /// Link, then sync.
    Link,
    /// Make the partner.
    Create,
    /// Make the partner again.
    Recreate,
    /// Delete the record that is left.
    Delete,
    /// Write the values under `archive:` to the record that is left, and forget the link.
    Archive,
    /// Forget the link.
    Unlink,
}

/// The daily comparison.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconcileForm {
    /// Local time of day, `HH:MM`; without it the mapping is reconciled only when asked.
    #[serde(default)]
    pub at: Option<String>,
    /// How often, after each comparison of everything, what changed since the last one is compared alone (`1h`; at least 1m). One
    /// of the two systems must be able to tell what changed. Records that are gone are found by the comparison of everything.
    #[serde(default)]
    pub incremental: Option<Period>,
    /// IANA zone of `at` (default UTC).
    #[serde(default)]
    pub timezone: Option<String>,
    /// Whether drift is repaired (default yes) or only reported.
    #[serde(default)]
    pub repair: Option<bool>,
    /// Guard rails: a plan that would do more repairs nothing and is held.
    #[serde(default)]
    pub limits: GuardForm,
}

/// Guard rails of a reconciliation.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardForm {
    /// How many records may be deleted (default: 1 % or 50, whichever is less). By events and polls as many within a day; of a share
    /// at least ten.
    #[serde(default)]
    pub delete: Option<Share>,
    /// How many records may be changed (default 25 %).
    #[serde(default)]
    pub change: Option<Share>,
    /// How many records may be created (default: no limit, so that a first run goes through).
    #[serde(default)]
    pub create: Option<Share>,
    /// How many records fewer than the last complete one a listing may have to be believed about missing ones (default 50 %).
    #[serde(default)]
    pub shrink: Option<Share>,
}

/// When a record counts as a loop.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakerForm {
    /// How many writes to one record (default 10) …
    #[serde(default)]
    pub writes: Option<u32>,
    /// … in how long (default 5m).
    #[serde(default)]
    pub within: Option<Period>,
}

/// One case of `mappings/*.test.yaml`. Beside these keys it has the systems' names, gathered under `sides`: the records
/// as they are read.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseForm {
    /// What the case shows.
    pub name: String,
    /// System to record.
    #[serde(default)]
    pub sides: JsonMap<String, Json>,
    /// Whether both records are linked (default: where both are given).
    #[serde(default)]
    pub linked: Option<bool>,
    /// The values both sides last agreed on, by left field name (right field name where there is no left one).
    #[serde(default)]
    pub base: Option<JsonMap<String, Json>>,
    /// The links of other mappings that the records refer to (mapping to left id to right id).
    #[serde(default)]
    pub links: BTreeMap<String, BTreeMap<String, String>>,
    /// The system whose record changed last, for `conflict: newest`.
    #[serde(default)]
    pub newer: Option<String>,
    /// What must come of it.
    pub expect: ExpectForm,
}

/// What a case expects. Beside these keys it has the systems' names, gathered under `sides`: the fields to be written there.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectForm {
    /// System to fields written (all that are written, no others).
    #[serde(default)]
    pub sides: JsonMap<String, Json>,
    /// Fields in conflict.
    #[serde(default)]
    pub conflict: Option<Vec<String>>,
    /// The situation.
    #[serde(default)]
    pub situation: Option<crate::core::status::Situation>,
    /// A part of the message of the failure that must come.
    #[serde(default)]
    pub failure: Option<String>,
    /// Nothing is written.
    #[serde(default)]
    pub nothing: bool,
}
