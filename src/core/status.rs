//! Every status and category that is stored, defined once.
//!
//! A value is stored by its snake_case name, in SQLite and PostgreSQL alike; the store reads and binds it by that. With the
//! feature `diesel`, Diesel users read the very same types.
#![cfg_attr(
    feature = "diesel",
    expect(
        missing_docs,
        reason = "the column types that diesel-derive-enum makes carry no documentation"
    )
)]

/// Defines an enum that is spelled by name in files, tables, answers and pages.
macro_rules! status {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        #[cfg_attr(feature = "diesel", derive(diesel_derive_enum::DbEnum))]
        #[cfg_attr(feature = "diesel", DbValueStyle = "snake_case")]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every value, in the order of definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that is stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownName { name: text.chars().take(64).collect(), known: &[$($text),+] }),
                }
            }
        }
    };
}

/// A stored or given name that no variant has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is none of {}", known.join(", "))]
pub struct UnknownName {
    name: String,
    known: &'static [&'static str],
}

status! {
    /// One of the two systems of a mapping; `left` is the one that stands first under `between:`.
    Side { #[doc = "The first system."] Left = "left", #[doc = "The second system."] Right = "right" }
}

impl Side {
    /// The side across.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// One thing for each side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sides<T> {
    /// The left side's.
    pub left: T,
    /// The right side's.
    pub right: T,
}

impl<T> Sides<T> {
    /// Both, made from the side.
    pub fn of(mut make: impl FnMut(Side) -> T) -> Self {
        Self {
            left: make(Side::Left),
            right: make(Side::Right),
        }
    }

    /// One side's.
    pub const fn get(&self, side: Side) -> &T {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// One side's, to be changed.
    pub const fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }
}

status! {
    /// What a run was started for.
    RunKind {
        /// Changes told by events.
        Event = "event",
        /// Changes found by asking a system what changed.
        Poll = "poll",
        /// Both sides compared, drift reported and repaired.
        Reconcile = "reconcile",
        /// What changed since the last comparison compared, drift reported and repaired.
        Incremental = "incremental",
        /// Every record of both sides looked at, the first time.
        Full = "full",
        /// Failures tried again.
        Reprocess = "reprocess",
        /// Records a person named.
        Manual = "manual",
    }
}

status! {
    /// How a run stands.
    RunStatus {
        /// At work.
        Running = "running",
        /// Done without a failure.
        Succeeded = "succeeded",
        /// Done, with failures.
        Partial = "partial",
        /// Ended before its end.
        Failed = "failed",
        /// Stopped by a guard rail; a person releases or discards it.
        Held = "held",
        /// Ended by a person.
        Cancelled = "cancelled",
    }
}

status! {
    /// Who or what started a run.
    Trigger {
        /// An event in the inbox.
        Webhook = "webhook",
        /// The schedule.
        Schedule = "schedule",
        /// The schedule, late, after downtime.
        CatchUp = "catch_up",
        /// A person, by command line, API or page.
        Person = "person",
        /// The daemon's start.
        Start = "start",
    }
}

status! {
    /// Why a record could not be synchronized, in classes that decide what happens next.
    FailureClass {
        /// Passes by itself: retried with backoff.
        Transient = "transient",
        /// Credentials or rights; pauses the system.
        Auth = "auth",
        /// The other side said no.
        Rejected = "rejected",
        /// A value cannot be converted.
        Mapping = "mapping",
        /// Both sides changed and nobody may win.
        Conflict = "conflict",
        /// Several partners match.
        Ambiguous = "ambiguous",
        /// Needs a link of another mapping first.
        Waiting = "waiting",
        /// Stopped by a guard rail.
        Held = "held",
        /// A write whose outcome could not be found out; never sent again blindly.
        Uncertain = "uncertain",
        /// Our fault.
        Bug = "bug",
    }
}

status! {
    /// Where on its way a record failed.
    Stage {
        /// Taking the request in.
        Receive = "receive",
        /// Checking the signature.
        Verify = "verify",
        /// Reading the body.
        Decode = "decode",
        /// Reading a record.
        Fetch = "fetch",
        /// Looking for the partner.
        Match = "match",
        /// Converting values.
        Map = "map",
        /// Checking values against what the other side takes.
        Validate = "validate",
        /// Comparing both sides.
        Compare = "compare",
        /// Writing.
        Write = "write",
        /// Storing the link.
        Link = "link",
    }
}

status! {
    /// How a failure stands.
    FailureStatus {
        /// Will be tried again by itself.
        Retrying = "retrying",
        /// Waits for another record or a person.
        Open = "open",
        /// Not tried again until a person reprocesses it.
        Parked = "parked",
        /// A later success of the same record ended it.
        Resolved = "resolved",
        /// A person decided that it is none.
        Ignored = "ignored",
    }
}

status! {
    /// How an event stands.
    EventStatus {
        /// Stored and acknowledged.
        Received = "received",
        /// Turned into changes that are not done yet.
        Queued = "queued",
        /// Every change it caused is done.
        Done = "done",
        /// Needs nothing: our own echo, a state older than the one that is known, or an object nobody maps.
        Ignored = "ignored",
        /// Could not be processed; see its failure.
        Failed = "failed",
    }
}

status! {
    /// What an event says has happened to the record.
    EventKind {
        /// The record is new.
        Created = "created",
        /// The record changed.
        Updated = "updated",
        /// The record is gone.
        Deleted = "deleted",
        /// The record lives on as another.
        Merged = "merged",
        /// The record has a new id.
        Renamed = "renamed",
        /// Too much changed: read everything again.
        Reread = "reread",
    }
}

status! {
    /// What brought a change up.
    ChangeOrigin {
        /// An event.
        Event = "event",
        /// A poll.
        Poll = "poll",
        /// A reconciliation.
        Reconcile = "reconcile",
        /// A person.
        Manual = "manual",
        /// A reprocessed failure.
        Reprocess = "reprocess",
        /// The parent a record waited for has linked.
        Parent = "parent",
    }
}

status! {
    /// What a write does at the other side.
    WriteKind {
        /// A new record.
        Create = "create",
        /// Changed fields.
        Update = "update",
        /// A removed record.
        Delete = "delete",
    }
}

status! {
    /// How a write stands: an intent before the request, an outcome after it.
    WriteStatus {
        /// Stored before the request; nobody knows yet whether it was sent.
        Intended = "intended",
        /// The other side confirmed it.
        Succeeded = "succeeded",
        /// The other side refused it; nothing was written.
        Failed = "failed",
        /// No answer came; the partner is read before anything is sent again.
        Unknown = "unknown",
    }
}

status! {
    /// How a link stands.
    LinkStatus {
        /// Both records exist, as far as is known.
        Linked = "linked",
        /// One record is gone; a person or the mapping decides what follows.
        PendingDelete = "pending_delete",
        /// Ended; kept as a tombstone so that nothing is created twice.
        Ended = "ended",
    }
}

status! {
    /// What a person decides about a link whose one record is gone.
    MissingDecision {
        /// The record that is left is deleted, too.
        Delete = "delete",
        /// The record that is gone is made again.
        Recreate = "recreate",
        /// The record that is left stays, without a partner.
        Keep = "keep",
    }
}

status! {
    /// How a suggestion stands.
    SuggestionStatus {
        /// Waits for a person.
        Open = "open",
        /// A person says that it is right; the records are linked at the next look.
        Accepted = "accepted",
        /// A person says that it is wrong; it stays so until a record changes.
        Rejected = "rejected",
        /// Accepted, and linked.
        Linked = "linked",
    }
}

status! {
    /// How a conflict stands.
    ConflictStatus {
        /// Waits for a person.
        Open = "open",
        /// Settled by a person or by both sides agreeing.
        Resolved = "resolved",
        /// Left alone until a side changes again.
        Ignored = "ignored",
    }
}

status! {
    /// What reconciliation found about a record.
    Situation {
        /// Linked, all mapped fields equal.
        InSync = "in_sync",
        /// Linked, some field differs.
        Differs = "differs",
        /// Not linked, exactly one partner matches.
        UnlinkedMatch = "unlinked_match",
        /// Not linked, several partners match.
        Ambiguous = "ambiguous",
        /// The only match belongs to another link.
        AlreadyLinked = "already_linked",
        /// Not linked, no partner.
        Absent = "absent",
        /// Linked, the partner is gone.
        Missing = "missing",
        /// Both gone.
        Gone = "gone",
        /// No longer passes the filter but is linked.
        Filtered = "filtered",
        /// Needs a link of another mapping first.
        Waiting = "waiting",
    }
}

status! {
    /// Why a record drifted.
    Cause {
        /// The records were never linked.
        NeverLinked = "never_linked",
        /// No event arrived.
        EventMissed = "event_missed",
        /// It was told, or the next poll asks for it; nobody has worked on it yet.
        Pending = "pending",
        /// Changed where nothing is pushed and nothing is polled: only reconciliation sees it.
        Unwatched = "unwatched",
        /// An event arrived and failed; see the failure.
        EventFailed = "event_failed",
        /// The write failed; see the failure.
        WriteFailed = "write_failed",
        /// Both sides changed.
        Conflict = "conflict",
        /// Changed on the side that may not win.
        EditedOnWrongSide = "edited_on_wrong_side",
        /// The mapping's definition changed.
        MappingChanged = "mapping_changed",
        /// Deleted on one side.
        Deleted = "deleted",
        /// No longer passes the filter.
        Filtered = "filtered",
        /// None of these could be shown.
        Unknown = "unknown",
    }
}

status! {
    /// What became of a drift item.
    DriftOutcome {
        /// Only reported.
        Reported = "reported",
        /// Repaired in the same run.
        Repaired = "repaired",
        /// Waits for the held run to be released.
        Held = "held",
        /// The repair failed; see the failure.
        Failed = "failed",
        /// Left alone, as a person has decided; counted apart.
        Ignored = "ignored",
    }
}

status! {
    /// What a person at the console or a caller of the API may do; each role includes the ones before it.
    Role {
        /// Look, at everything but values that are personal data.
        Viewer = "viewer",
        /// Look at those values, too.
        Analyst = "analyst",
        /// Start runs, settle conflicts, suggestions and failures, make and end links and ignore rules.
        Operator = "operator",
        /// Reprocess, decide pending deletes and held runs, manage tokens.
        Admin = "admin",
    }
}

status! {
    /// What is watched, and told when it changes.
    NoticeCondition {
        /// A reconciliation found more drift than is usual.
        Drift = "drift",
        /// A mapping rests, since a system of its is down or does not let us in.
        Paused = "paused",
        /// A run was stopped by a guard rail and waits for a person.
        Held = "held",
        /// A system does not answer.
        Unreachable = "unreachable",
        /// The secrets of a system are to be replaced soon.
        SecretDue = "secret_due",
        /// The secrets of a system were to be replaced by now.
        SecretOverdue = "secret_overdue",
        /// A daily reconciliation has not come to its end.
        Overdue = "overdue",
    }
}

status! {
    /// How a watched condition stands.
    NoticeState {
        /// As it should be.
        Well = "well",
        /// A person was told of it.
        Raised = "raised",
    }
}

status! {
    /// How the delivery of a notice to one target stands.
    DeliveryStatus {
        /// To be sent, or sent again.
        Pending = "pending",
        /// The target took it.
        Sent = "sent",
        /// Given up; a person may have it sent again.
        Dead = "dead",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_matches_serde() {
        fn check<T>(all: &[T])
        where
            T: Copy + PartialEq + std::fmt::Debug + std::fmt::Display + std::str::FromStr + serde::Serialize,
        {
            for value in all {
                let name = value.to_string();
                assert_eq!(name.parse::<T>().ok(), Some(*value));
                assert_eq!(serde_json::to_value(value).unwrap(), serde_json::Value::String(name));
            }
        }
        check(Side::ALL);
        check(RunKind::ALL);
        check(RunStatus::ALL);
        check(Trigger::ALL);
        check(FailureClass::ALL);
        check(Stage::ALL);
        check(FailureStatus::ALL);
        check(EventStatus::ALL);
        check(EventKind::ALL);
        check(ChangeOrigin::ALL);
        check(WriteKind::ALL);
        check(WriteStatus::ALL);
        check(LinkStatus::ALL);
        check(ConflictStatus::ALL);
        check(MissingDecision::ALL);
        check(SuggestionStatus::ALL);
        check(Situation::ALL);
        check(Cause::ALL);
        check(DriftOutcome::ALL);
        check(Role::ALL);
        check(NoticeCondition::ALL);
        check(NoticeState::ALL);
        check(DeliveryStatus::ALL);
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it_and_all_that_are_known() {
        let error = "runing".parse::<RunStatus>().unwrap_err();
        let known = "running, succeeded, partial, failed, held, cancelled";
        assert_eq!(error.to_string(), format!("`runing` is none of {known}"));
    }
}
