//! Notices: one message when something that is watched changes, and one when it is well again.
//!
//! ```text
//!            bad for `raise`
//!   well ─────────────────────▶ raised
//!     ▲                            │
//!     └────────────────────────────┘
//!            well for `settle`
//! ```
//!
//! [`sight`] says what is seen of a condition, [`state`] whether that turns it, [`payload`] what is told, and [`signature`]
//! how a receiver knows that it comes from us. Where each condition stands is kept by the store, so that a restart or a
//! second node tells nothing twice.

pub mod filter;
pub mod payload;
pub mod sight;
pub mod signature;
pub mod state;

mod words;

pub use filter::Filter;
pub use payload::{Letter, Notice, Payload};
pub use sight::{Detail, Sight};
pub use state::{Patience, Standing};

use super::status::{NoticeCondition, NoticeState};

/// How much a condition matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is well.
    Info,
    /// Somebody should look at it these days.
    Warning,
    /// Data does not flow, or waits for a person.
    Alert,
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A mapping.
    Mapping,
    /// A system.
    System,
}

impl NoticeCondition {
    /// What it is about.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Drift | Self::Paused | Self::Held | Self::Overdue => Kind::Mapping,
            Self::Unreachable | Self::SecretDue | Self::SecretOverdue => Kind::System,
        }
    }

    /// How much it matters while it is raised.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Drift | Self::SecretDue => Severity::Warning,
            Self::Paused | Self::Held | Self::Unreachable | Self::SecretOverdue | Self::Overdue => Severity::Alert,
        }
    }

    /// Whether it comes and goes by itself within minutes, so that it has to last before it is told.
    #[must_use]
    pub const fn is_fleeting(self) -> bool {
        matches!(self, Self::Paused | Self::Unreachable)
    }
}

/// The type of a notice, `drift.raised`.
#[must_use]
pub fn type_of(condition: NoticeCondition, state: NoticeState) -> String {
    format!("{condition}.{state}")
}

/// The type of the message that `syncline notices test` sends.
pub const TEST: &str = "test";
