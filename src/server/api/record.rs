//! Single records: what would be done about one, and having it looked at.

use axum::{Extension, Json, http::StatusCode};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{audit, drift::mask, mapping};
use crate::{
    client::Road,
    core::{
        diff::{Decision, Verdict},
        drift::shown,
        fault::Fault,
        mapping::Mapping,
        plan::{self, LinkStep},
        status::{FailureClass, Role, Side, Situation, Stage, WriteKind},
        webhook::event::NAME_BYTES_MAX,
    },
    report::story::{self, Story, Subject},
    server::{
        auth::Caller,
        decision::entry,
        error::{Problem, Result},
        extract::{Body, State, Within},
        state::App,
    },
    store::Op,
    sync::{
        record::{self, Planned},
        reprocess,
    },
};

/// What would be done about a record, and why.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Plan")]
pub struct View {
    /// The mapping.
    pub mapping: String,
    /// Id of the left record, where it is known.
    pub left_id: Option<String>,
    /// Id of the right record, where it is known.
    pub right_id: Option<String>,
    /// When the pair was last in sync; null where it is not linked.
    pub synced_at: Option<DateTime<Utc>>,
    /// What the pair is in.
    pub situation: Situation,
    /// Why nothing more, or nothing else, would be done.
    pub reason: String,
    /// What would happen to the link: `keep`, `put`, `mark_missing` or `end`.
    pub link: &'static str,
    /// What would be written; at most one write a side.
    pub writes: Vec<WriteView>,
    /// The decision about every field.
    pub decisions: Vec<DecisionView>,
    /// What would go on record as a failure.
    pub faults: Vec<FaultView>,
    /// The record of another mapping that has to be linked before.
    pub awaits: Option<String>,
}

/// One write.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PlannedWrite")]
pub struct WriteView {
    /// The side written to.
    pub to: Side,
    /// Its system.
    pub system: String,
    /// What kind of write.
    pub kind: WriteKind,
    /// The record; null for a new one.
    pub record_id: Option<String>,
    /// The fields, with their new values.
    pub fields: Vec<FieldView>,
}

/// One field of a write.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PlannedField")]
pub struct FieldView {
    /// Its path on the side written to.
    pub path: String,
    /// Its value there; masked for viewers where it is sensitive.
    pub value: Option<String>,
}

/// The decision about one field.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "FieldDecision")]
pub struct DecisionView {
    /// The field, by its name in reports.
    pub field: String,
    /// What would be done: `equal`, `kept`, `write`, `conflict` or `report`.
    pub verdict: &'static str,
    /// The side written to.
    pub to: Option<Side>,
    /// Why.
    pub reason: String,
    /// The left value; masked for viewers where it is sensitive.
    pub left_value: Option<String>,
    /// The right value; masked for viewers where it is sensitive.
    pub right_value: Option<String>,
    /// Whether the values are personal data.
    pub sensitive: bool,
}

/// What would go on record as a failure.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Fault")]
pub struct FaultView {
    /// The fault's code.
    pub code: &'static str,
    /// What would happen next.
    pub class: FailureClass,
    /// Where on the way.
    pub stage: Stage,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The field concerned.
    pub field: Option<String>,
}

impl View {
    /// What `role` may see of a plan.
    #[must_use]
    pub fn of(mapping: &Mapping, planned: Planned, role: Role) -> Self {
        let Planned { plan, pair, .. } = planned;
        let decisions = plan.decisions.iter();
        Self {
            mapping: mapping.name.clone(),
            left_id: pair.ids.left,
            right_id: pair.ids.right,
            synced_at: pair.synced_at,
            situation: plan.situation,
            reason: plan.reason,
            link: match plan.link {
                LinkStep::Keep => "keep",
                LinkStep::Put => "put",
                LinkStep::MarkMissing(_) => "mark_missing",
                LinkStep::ClearMissing => "clear_missing",
                LinkStep::End => "end",
            },
            writes: plan.writes.iter().map(|write| written(mapping, write, role)).collect(),
            decisions: decisions.filter_map(|one| decided(mapping, one, role)).collect(),
            faults: plan.faults.into_iter().map(FaultView::from).collect(),
            awaits: plan
                .awaited
                .map(|awaited| format!("{}/{}/{}", awaited.mapping, awaited.side, awaited.id)),
        }
    }
}

fn written(mapping: &Mapping, write: &plan::Write, role: Role) -> WriteView {
    let fields = mapping.fields.iter().filter_map(|field| {
        let path = field.paths.get(write.to).as_ref()?;
        let value = path.get_in(&write.fields)?;
        Some(FieldView {
            path: path.to_string(),
            value: mask(Some(shown(value)), field.sensitive, role),
        })
    });
    WriteView {
        to: write.to,
        system: mapping.end(write.to).system.clone(),
        kind: write.kind,
        record_id: write.id.clone(),
        fields: fields.collect(),
    }
}

fn decided(mapping: &Mapping, decision: &Decision, role: Role) -> Option<DecisionView> {
    let field = mapping.fields.get(decision.field)?;
    let value = |side: Side| mask(decision.values.get(side).as_ref().map(shown), field.sensitive, role);
    let (verdict, to) = match &decision.verdict {
        Verdict::Equal => ("equal", None),
        Verdict::Kept => ("kept", None),
        Verdict::Write { to, .. } => ("write", Some(*to)),
        Verdict::WriteBoth(_) => ("write_both", None),
        Verdict::Ignored => ("ignored", None),
        Verdict::Conflict => ("conflict", None),
        Verdict::Report => ("report", None),
    };
    Some(DecisionView {
        field: field.name.clone(),
        verdict,
        to,
        reason: decision.reason.describe(mapping),
        left_value: value(Side::Left),
        right_value: value(Side::Right),
        sensitive: field.sensitive,
    })
}

impl From<Fault> for FaultView {
    fn from(fault: Fault) -> Self {
        Self {
            code: fault.code,
            class: fault.class,
            stage: fault.stage,
            message: fault.message,
            hint: fault.hint,
            field: fault.field,
        }
    }
}

/// `POST /mappings/{name}/records/{side}/{id}/plan`: the dry run of one record. Both systems are read, nothing is touched.
pub(in crate::server) async fn plan(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Within((name, word, id)): Within<(String, String, String)>,
) -> Result<Json<View>> {
    let mapping = mapping::named(&app, &name)?;
    let side = place(&mapping, &word, &id)?;
    let planned = record::plan(app.engine(), &mapping, side, &id, Road::Manual).await;
    let planned = planned.map_err(|error| match error {
        record::Error::Store(error) => Problem::from(error),
        record::Error::Fault(fault) => fault.into(),
    })?;
    Ok(Json(View::of(&mapping, planned, caller.sight)))
}

/// `GET /mappings/{name}/records/{side}/{id}/story`: everything on record about one record, in order of time. No system is
/// asked.
pub(in crate::server) async fn story(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Within((name, word, id)): Within<(String, String, String)>,
) -> Result<Json<Story>> {
    let mapping = mapping::named(&app, &name)?;
    let side = place(&mapping, &word, &id)?;
    let story = story::tell(app.store(), &mapping, side, &id, caller.sight).await?;
    if story.entries.is_empty() {
        return Err(Problem::not_found("nothing is on record about this record"));
    }
    Ok(Json(story))
}

/// The story of a record about which nothing is on record.
pub(in crate::server) fn untold(app: &App, name: &str, word: &str, id: &str) -> Result<Story> {
    let mapping = mapping::named(app, name)?;
    let own = place(&mapping, word, id)?;
    let subject = |side: Side| {
        let end = mapping.end(side);
        Subject {
            system: end.system.clone(),
            object: end.object.clone(),
            id: (side == own).then(|| id.to_owned()),
        }
    };
    Ok(Story {
        mapping: name.to_owned(),
        left: subject(Side::Left),
        right: subject(Side::Right),
        link: None,
        last_synced_at: None,
        entries: Vec::new(),
    })
}

/// Why somebody wants to see it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Reason {
    /// For the audit: from 3 to 500 characters.
    #[schemars(length(min = 3, max = 500))]
    pub reason: String,
}

/// `POST /mappings/{name}/records/{side}/{id}/show`: the story of a record with its personal data, for a reason that stands in the
/// audit before anything is shown.
pub(in crate::server) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Within((name, word, id)): Within<(String, String, String)>,
    Body(Reason { reason }): Body<Reason>,
) -> Result<Json<Story>> {
    let mapping = mapping::named(&app, &name)?;
    let side = place(&mapping, &word, &id)?;
    let reason = reason.trim();
    if !(3..=500).contains(&reason.chars().count()) {
        return Err(Problem::invalid("a `reason` has from 3 to 500 characters"));
    }
    let story = story::tell(app.store(), &mapping, side, &id, caller.role).await?;
    if story.entries.is_empty() {
        return Err(Problem::not_found("nothing is on record about this record"));
    }
    let detail = serde_json::json!({ "reason": reason }).to_string();
    let subject = format!("record/{name}/{side}/{id}");
    let entry = entry(&audit::actor(&caller), "record.show", subject, Some(detail));
    app.store().commit(vec![Op::Audit(entry)]).await?;
    Ok(Json(story))
}

/// A record that will be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "QueuedRecord")]
pub struct Queued {
    /// The mapping.
    pub mapping: String,
    /// The side.
    pub side: Side,
    /// The record.
    pub record_id: String,
}

/// `POST /mappings/{name}/records/{side}/{id}/sync`: has one record looked at, before everything that is no live event.
pub(in crate::server) async fn sync(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Within((name, word, id)): Within<(String, String, String)>,
) -> Result<(StatusCode, Json<Queued>)> {
    let mapping = mapping::named(&app, &name)?;
    let side = place(&mapping, &word, &id)?;
    reprocess::look_at(app.engine(), &mapping, side, &id, &audit::actor(&caller)).await?;
    let queued = Queued {
        mapping: name,
        side,
        record_id: id,
    };
    Ok((StatusCode::ACCEPTED, Json(queued)))
}

fn place(mapping: &Mapping, word: &str, id: &str) -> Result<Side> {
    if id.is_empty() || id.len() > NAME_BYTES_MAX || id.contains(char::is_control) {
        return Err(Problem::invalid(format!(
            "an id has from 1 to {NAME_BYTES_MAX} bytes, none of them invisible"
        )));
    }
    mapping.side_named(word).ok_or_else(|| {
        Problem::not_found(format!(
            "the sides of this mapping are `{}` and `{}`",
            mapping.end(Side::Left).system,
            mapping.end(Side::Right).system
        ))
    })
}
