//! How a plan is shown: what is done to which record, field by field, with the reason of every decision.

use serde::Serialize;

use super::{context::Context, error::Result, output::Output};
use crate::core::{
    diff::Verdict,
    drift::shown,
    fault::Fault,
    mapping::Mapping,
    plan::{LinkStep, Plan},
    status::{Side, Situation, WriteKind},
};

/// Which two records a plan is about, and how they stand.
#[derive(Debug, Serialize)]
pub(super) struct Head {
    mapping: String,
    situation: Situation,
    reason: String,
    pub(super) left: End,
    pub(super) right: End,
}

/// A plan, for programs and for people.
#[derive(Debug, Serialize)]
pub(super) struct View {
    #[serde(flatten)]
    head: Head,
    link: &'static str,
    writes: Vec<Write>,
    fields: Vec<Pair>,
    failures: Vec<Failure>,
    waits_for: Option<String>,
}

/// One record.
#[derive(Debug, Serialize)]
pub(super) struct End {
    pub(super) system: String,
    object: String,
    id: Option<String>,
}

#[derive(Debug, Serialize)]
struct Write {
    system: String,
    kind: WriteKind,
    id: Option<String>,
    fields: serde_json::Value,
}

#[derive(Debug, Serialize)]
struct Pair {
    field: String,
    left: Option<String>,
    right: Option<String>,
    /// `equal`, `kept`, `write`, `write_both`, `conflict`, `ignored` or `report`.
    action: &'static str,
    /// The system written to.
    to: Option<String>,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Failure {
    code: String,
    class: String,
    field: Option<String>,
    message: String,
    hint: Option<String>,
}

impl Head {
    /// The records with these ids.
    pub(super) fn of(mapping: &Mapping, plan: &Plan, left_id: Option<&str>, right_id: Option<&str>) -> Self {
        let end = |side: Side, id: Option<&str>| End {
            system: mapping.end(side).system.clone(),
            object: mapping.end(side).object.clone(),
            id: id.map(str::to_owned),
        };
        Self {
            mapping: mapping.name.clone(),
            situation: plan.situation,
            reason: plan.reason.clone(),
            left: end(Side::Left, left_id),
            right: end(Side::Right, right_id),
        }
    }

    /// `customer-account  erp:1 ↔ crm:-  missing: no record of the other side fits`
    pub(super) fn line(&self) -> String {
        let name = |end: &End| format!("{}:{}", end.system, end.id.as_deref().unwrap_or("-"));
        format!(
            "{}  {} ↔ {}  {}: {}",
            self.mapping,
            name(&self.left),
            name(&self.right),
            self.situation,
            self.reason
        )
    }
}

impl View {
    /// A plan for the records with these ids.
    pub(super) fn of(mapping: &Mapping, plan: &Plan, left_id: Option<&str>, right_id: Option<&str>) -> Self {
        let system = |side: Side| mapping.end(side).system.clone();
        let writes = plan.writes.iter().map(|write| Write {
            system: system(write.to),
            kind: write.kind,
            id: write.id.clone(),
            fields: serde_json::to_value(crate::core::value::Value::Map(write.fields.clone())).unwrap_or_default(),
        });
        let fields = plan.decisions.iter().map(|decision| {
            let (action, to) = match &decision.verdict {
                Verdict::Equal => ("equal", None),
                Verdict::Kept => ("kept", None),
                Verdict::Write { to, .. } => ("write", Some(system(*to))),
                Verdict::WriteBoth(_) => ("write_both", None),
                Verdict::Ignored => ("ignored", None),
                Verdict::Conflict => ("conflict", None),
                Verdict::Report => ("report", None),
            };
            let name = mapping.fields.get(decision.field).map_or("?", |field| &field.name);
            Pair {
                field: name.to_owned(),
                left: decision.values.left.as_ref().map(shown),
                right: decision.values.right.as_ref().map(shown),
                action,
                to,
                reason: decision.reason.describe(mapping),
            }
        });
        Self {
            head: Head::of(mapping, plan, left_id, right_id),
            link: match plan.link {
                LinkStep::Keep => "keep",
                LinkStep::Put => "put",
                LinkStep::MarkMissing(_) => "mark_missing",
                LinkStep::ClearMissing => "clear_missing",
                LinkStep::End => "end",
            },
            writes: writes.collect(),
            fields: fields.collect(),
            failures: plan.faults.iter().map(Failure::of).collect(),
            waits_for: plan
                .awaited
                .as_ref()
                .map(|awaited| format!("{} to be linked by mapping {}", awaited.id, awaited.mapping)),
        }
    }

    /// Shows it; the writes are told as what `would` be done, or as what was.
    pub(super) fn show(&self, context: &Context, is_dry: bool) -> Result<()> {
        let out = context.output;
        out.json(self)?;
        if out.is_json() {
            return Ok(());
        }
        out.line(self.head.line())?;
        self.table(out)?;
        for write in &self.writes {
            let verb = match (write.kind, is_dry) {
                (WriteKind::Create, true) => "would create in",
                (WriteKind::Update, true) => "would update in",
                (WriteKind::Delete, true) => "would delete in",
                (WriteKind::Create, false) => "created in",
                (WriteKind::Update, false) => "updated in",
                (WriteKind::Delete, false) => "deleted in",
            };
            let id = write.id.as_deref().map_or_else(String::new, |id| format!(" {id}"));
            out.line(format!("{verb} {}{id}: {}", write.system, write.fields))?;
        }
        let link = match (self.link, is_dry) {
            ("put", true) if matches!(self.head.situation, Situation::UnlinkedMatch | Situation::Absent) => {
                Some("would link the two records")
            }
            ("put", true) => Some("would renew what both sides agreed on"),
            ("clear_missing", true) => Some("would take the link off the pending deletes"),
            ("mark_missing", true) => Some("would list the link as a pending delete"),
            ("end", true) => Some("would end the link"),
            _ => None,
        };
        if let Some(line) = link {
            out.line(line)?;
        }
        for failure in &self.failures {
            out.line(format!("{}: [{}] {}", failure.class, failure.code, failure.message))?;
            if let Some(hint) = &failure.hint {
                out.line(format!("  hint: {hint}"))?;
            }
        }
        if let Some(waits_for) = &self.waits_for {
            out.line(format!("waits for {waits_for}"))?;
        }
        Ok(())
    }

    /// The fields in which something was decided; those that agree are only counted.
    fn table(&self, out: Output) -> Result<()> {
        let told: Vec<&Pair> = self.fields.iter().filter(|field| field.action != "equal").collect();
        if !told.is_empty() {
            let head = [
                "field",
                self.head.left.system.as_str(),
                self.head.right.system.as_str(),
                "what",
                "why",
            ];
            out.rows(&head, &told, |field| {
                let what = field
                    .to
                    .as_ref()
                    .map_or(field.action.to_owned(), |to| format!("→ {to}"));
                vec![
                    field.field.clone(),
                    field.left.clone().unwrap_or_default(),
                    field.right.clone().unwrap_or_default(),
                    what,
                    field.reason.clone(),
                ]
            })?;
        }
        let equal = self.fields.len() - told.len();
        if equal > 0 {
            out.line(format!("{equal} of {} fields agree", self.fields.len()))?;
        }
        Ok(())
    }
}

impl Failure {
    fn of(fault: &Fault) -> Self {
        Self {
            code: fault.code.to_owned(),
            class: fault.class.to_string(),
            field: fault.field.clone(),
            message: fault.message.clone(),
            hint: fault.hint.clone(),
        }
    }
}
