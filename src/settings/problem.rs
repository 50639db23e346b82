//! What is wrong in the settings, with the key and the place it came from.

use std::fmt;

use serde::Serialize;

pub use crate::core::problem::Severity;

/// One thing that is wrong in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable, searchable code such as `CF003`; `docs/errors.md` lists them.
    pub code: &'static str,
    /// Whether the settings can still be used.
    pub severity: Severity,
    /// The key, `systems.crm.connector`; empty for a whole file.
    pub key: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What is wrong: a lowercase fragment that names the thing and the value, never a secret.
    pub message: String,
    /// How to mend it, where that is known.
    pub hint: Option<String>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The defaults compiled into the program (`config/default.toml`).
    Default,
    /// This file.
    File(String),
    /// This variable.
    Variable(String),
}

impl Problem {
    pub(super) fn error(
        code: &'static str,
        key: impl Into<String>,
        origin: Origin,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            key: key.into(),
            origin,
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn into_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Whether the settings can be used in spite of it.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.severity == Severity::Warning
    }
}

/// Two or three lines, as `syncline check` prints them.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.is_warning() { "warning" } else { "error" };
        write!(f, "{severity}[{}]: {}\n  --> {}", self.code, self.message, self.origin)?;
        if !self.key.is_empty() {
            write!(f, " ({})", self.key)?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File(path) => f.write_str(path),
            Self::Variable(name) => write!(f, "the variable {name}"),
        }
    }
}
