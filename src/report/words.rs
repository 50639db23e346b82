//! What the words of a report mean, and what to do about them: one text for the command line, the exports and the page
//! `docs/drift-reports.md`.

use crate::core::status::{Cause, DriftOutcome, Situation};

/// What a situation means.
#[must_use]
pub const fn situation(situation: Situation) -> &'static str {
    match situation {
        Situation::InSync => "linked, and all mapped fields agree",
        Situation::Differs => "linked, and at least one mapped field differs",
        Situation::UnlinkedMatch => "not linked yet, and exactly one partner matches",
        Situation::Ambiguous => "not linked, and several partners match",
        Situation::AlreadyLinked => "not linked, and the only match belongs to another link",
        Situation::Absent => "not linked, and the other system has no partner",
        Situation::Missing => "linked, and the record of one side is gone",
        Situation::Gone => "linked, and both records are gone",
        Situation::Filtered => "linked, and no longer passing the mapping's filter",
        Situation::Waiting => "needs a link of another mapping first",
    }
}

/// What shows a cause, by the ids that are known: `event 901, failure 12`.
#[must_use]
pub fn evidence(ids: &[(&str, Option<i64>)]) -> String {
    let known = ids.iter().filter_map(|(what, id)| Some(format!("{what} {}", (*id)?)));
    known.collect::<Vec<_>>().join(", ")
}

/// What a cause means.
#[must_use]
pub const fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::NeverLinked => "the records were never linked",
        Cause::EventMissed => "the record changed, and no webhook told of it",
        Cause::Pending => "it is known, and nobody has worked on it yet",
        Cause::Unwatched => "changed in a system that neither tells of its changes nor is asked for them",
        Cause::EventFailed => "a webhook told of the change, and the work on it failed",
        Cause::WriteFailed => "the other system did not take the change",
        Cause::Conflict => "both sides changed the same field",
        Cause::EditedOnWrongSide => "changed on the side that may not win",
        Cause::MappingChanged => "the mapping's definition of the field changed",
        Cause::Deleted => "the record was deleted on one side",
        Cause::Filtered => "the record no longer passes the filter",
        Cause::Unknown => "nothing on record explains it",
    }
}

/// What to do about a cause.
#[must_use]
pub const fn next_step(cause: Cause) -> &'static str {
    match cause {
        Cause::NeverLinked => {
            "let the reconciliation link or create it; where several match, link the right pair with `syncline links import`"
        }
        Cause::EventMissed => {
            "the reconciliation repairs it; if it happens often, look at the sender's webhook subscription and its log"
        }
        Cause::Pending => "nothing: it is worked on soon; if it stays, look at `syncline doctor` and the queue",
        Cause::Unwatched => "the reconciliation repairs it; to see such changes sooner, add webhooks or `poll:`",
        Cause::EventFailed => "read the failure, correct the record or the mapping, then `syncline reprocess`",
        Cause::WriteFailed => "read the failure: correct the value it names, then `syncline reprocess`",
        Cause::Conflict => "decide with `syncline conflicts resolve`, or let the mapping decide with `conflict:`",
        Cause::EditedOnWrongSide => {
            "tell the people who edit there, or let the field travel both ways with `direction: both`"
        }
        Cause::MappingChanged => "compare the values, then let the next reconciliation settle them as `prefer:` says",
        Cause::Deleted => "decide with `syncline deletes`, or say what is to happen under `situations: missing:`",
        Cause::Filtered => "nothing, if it is meant to be; else correct `filter:` or the record",
        Cause::Unknown => "look at the whole story with `syncline drift explain`",
    }
}

/// What became of a difference.
#[must_use]
pub const fn outcome(outcome: DriftOutcome) -> &'static str {
    match outcome {
        DriftOutcome::Reported => "only reported",
        DriftOutcome::Repaired => "repaired in the same run",
        DriftOutcome::Held => "waits for the held run to be released",
        DriftOutcome::Failed => "the repair failed; see the failure",
        DriftOutcome::Ignored => "left alone, as a person has decided",
    }
}
