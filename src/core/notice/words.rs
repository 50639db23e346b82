//! What a notice says to people: a title, the facts, and what to do next, with the command.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Notice, sight::Detail};
use crate::core::status::{NoticeCondition, NoticeState};

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// One sentence, beginning with the name of what it is about.
pub(super) fn title(notice: &Notice) -> String {
    let what = match notice.state {
        NoticeState::Raised => raised(notice),
        NoticeState::Well => well(notice),
    };
    format!("{}: {what}", notice.subject)
}

fn raised(notice: &Notice) -> String {
    match (notice.condition, &notice.detail) {
        (
            _,
            Some(Detail::Drift {
                drifted,
                records,
                limit,
                ..
            }),
        ) => {
            format!("{drifted} of {records} records drifted, more than {limit}")
        }
        (NoticeCondition::SecretDue, Some(Detail::Secret { rotate_by, .. })) => {
            format!("its secrets are to be replaced by {rotate_by}")
        }
        (_, Some(Detail::Secret { rotate_by, .. })) => format!("its secrets were to be replaced by {rotate_by}"),
        (_, Some(Detail::Overdue { due_at, .. })) => {
            format!(
                "the reconciliation that was due at {} has not come to its end",
                time(*due_at)
            )
        }
        (condition, _) => match condition {
            NoticeCondition::Drift => "more drift than is allowed",
            NoticeCondition::Paused => "paused, since a system is down or does not let us in",
            NoticeCondition::Held => "a run was stopped by a guard rail and waits for a person",
            NoticeCondition::Unreachable => "the system does not answer",
            NoticeCondition::SecretDue => "its secrets are to be replaced soon",
            NoticeCondition::SecretOverdue => "its secrets were to be replaced by now",
            NoticeCondition::Overdue => "a reconciliation has not come to its end",
        }
        .to_owned(),
    }
}

fn well(notice: &Notice) -> String {
    let Some(detail) = &notice.detail else {
        return "is not in the settings any more; what was told of it is settled".to_owned();
    };
    match (notice.condition, detail) {
        (_, Detail::Drift { drifted, records, .. }) => {
            format!("{drifted} of {records} records drifted, which is well again")
        }
        (_, Detail::Secret { rotate_by, .. }) => format!("its secrets were replaced; the next time is {rotate_by}"),
        (NoticeCondition::Held, _) => "no run waits for a person any more".to_owned(),
        (NoticeCondition::Paused, _) => "goes on after its pause".to_owned(),
        (NoticeCondition::Unreachable, _) => "the system answers again".to_owned(),
        (NoticeCondition::Overdue, _) => "was reconciled".to_owned(),
        _ => "is well again".to_owned(),
    }
}

/// What to do next.
pub(super) fn next(notice: &Notice) -> String {
    let subject = &notice.subject;
    if notice.state == NoticeState::Well {
        return "nothing to do".to_owned();
    }
    match (notice.condition, &notice.detail) {
        (NoticeCondition::Drift, Some(Detail::Drift { run_id, .. })) => format!("syncline drift show {run_id}"),
        (NoticeCondition::Drift, _) => format!("syncline drift show {subject}"),
        (NoticeCondition::Held, Some(Detail::Held { run_id: Some(run_id) })) => format!(
            "syncline drift show {run_id}, then `syncline runs release {run_id}` or `syncline runs discard {run_id}`"
        ),
        (NoticeCondition::Held, _) => "syncline runs --status held".to_owned(),
        (NoticeCondition::Paused, _) => {
            "syncline doctor says which system it is and why; nothing is lost, its changes wait".to_owned()
        }
        (NoticeCondition::Unreachable, _) => {
            format!("syncline doctor {subject}; nothing is lost, and work goes on by itself once it answers")
        }
        (NoticeCondition::SecretDue | NoticeCondition::SecretOverdue, _) => format!(
            "give the new secret beside the old one, drop the old one, and set systems.{subject}.secret_rotate_by"
        ),
        (NoticeCondition::Overdue, _) => {
            format!("syncline runs --mapping {subject} says why; `syncline reconcile {subject}` makes up for it")
        }
    }
}

/// The facts, one a line.
pub(super) fn facts(detail: &Detail) -> Vec<(&'static str, String)> {
    match detail {
        Detail::Drift {
            run_id,
            is_complete,
            causes,
            ..
        } => {
            let causes: Vec<String> = causes.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
            let mut facts = vec![("run", run_id.to_string())];
            if !causes.is_empty() {
                facts.push(("causes", causes.join(", ")));
            }
            if !is_complete {
                facts.push(("incomplete", "a listing ended early: there may be more".to_owned()));
            }
            facts
        }
        Detail::Held { run_id } => run_id.iter().map(|run_id| ("run", run_id.to_string())).collect(),
        Detail::Overdue { due_at, last_at } => {
            let last = last_at.map_or_else(|| "never".to_owned(), time);
            vec![("due", time(*due_at)), ("last", last)]
        }
        Detail::Secret { rotate_by, days } => vec![("date", rotate_by.to_string()), ("days left", days.to_string())],
        Detail::Trouble { since, reason } => {
            let since = since.map(|since| ("since", time(since)));
            since
                .into_iter()
                .chain(reason.clone().map(|reason| ("reason", reason)))
                .collect()
        }
    }
}
