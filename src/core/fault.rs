//! Everything that goes wrong while running: a code, a class that decides what happens next, and context for a person.

use std::{fmt, time::Duration};

use super::status::{FailureClass, Stage};

/// One thing that went wrong with a record, a request or a system.
///
/// A fault is data: it is stored with the run. Its message names the thing and the value, never a secret and never
/// personal data; `hint` says what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Stable, searchable code such as `RQ004`; `docs/errors/` lists them.
    pub code: &'static str,
    /// Decides what happens next.
    pub class: FailureClass,
    /// Where on the way it happened.
    pub stage: Stage,
    /// What happened: a lowercase fragment.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The other side's HTTP status, where there was one.
    pub status: Option<u16>,
    /// The mapped field concerned, where there is one.
    pub field: Option<String>,
    /// How long the other side asked us to wait.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault without context.
    pub fn new(code: &'static str, class: FailureClass, stage: Stage, message: impl Into<String>) -> Self {
        Self {
            code,
            class,
            stage,
            message: message.into(),
            hint: None,
            status: None,
            field: None,
            retry_after: None,
        }
    }

    /// The same fault with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same fault with the other side's HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same fault, of one mapped field.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same fault, at another stage.
    #[must_use]
    pub fn at(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)?;
        if let Some(status) = self.status {
            write!(f, " (HTTP {status})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
