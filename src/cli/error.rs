//! How a command ends when it cannot do its work: a message with its causes, and a hint.

use std::fmt;

/// Why a command could not run.
#[derive(Debug)]
pub struct Error {
    cause: anyhow::Error,
    hint: Option<String>,
    exit: Exit,
}

/// How a command ended. The numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and nothing was found.
    Done,
    /// Done, and problems were found, or drift above the threshold.
    Found,
    /// The command line was wrong.
    Usage,
    /// The command could not run.
    Failed,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Found => 1,
            Self::Usage => 2,
            Self::Failed => 3,
        }
    }
}

impl Error {
    /// Could not run, for a reason in words.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self {
            cause: anyhow::Error::msg(message.to_string()),
            hint: None,
            exit: Exit::Failed,
        }
    }

    /// What people wrote is wrong; the problems have been shown.
    pub fn found(message: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Found,
            ..Self::failed(message)
        }
    }

    /// The command line asks for something that is not there.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Usage,
            ..Self::failed(message)
        }
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The cause of this type, where there is one.
    #[must_use]
    pub fn cause<E: std::error::Error + Send + Sync + 'static>(&self) -> Option<&E> {
        self.cause.chain().find_map(|cause| cause.downcast_ref())
    }

    /// How the process is to end.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether somebody closed the other end of our output, which is no error (`syncline runs | head`).
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.cause
            .chain()
            .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
            .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// The message with its causes, in one line.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = String::new();
        for (index, cause) in self.cause.chain().enumerate() {
            let text = cause.to_string();
            // Errors that show their cause themselves would say everything twice.
            if last.contains(&text) {
                continue;
            }
            if index > 0 {
                f.write_str(": ")?;
            }
            f.write_str(&text)?;
            last = text;
        }
        Ok(())
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(cause: E) -> Self {
        Self {
            cause: cause.into(),
            hint: None,
            exit: Exit::Failed,
        }
    }
}

/// What a command answers.
pub type Result<T = Exit> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_stand_behind_the_message_and_none_twice() {
        #[derive(Debug, thiserror::Error)]
        #[error("the settings cannot be read")]
        struct Outer(#[source] std::io::Error);
        let error = Error::from(Outer(std::io::Error::other("disk gone")));
        assert_eq!(error.to_string(), "the settings cannot be read: disk gone");
        assert_eq!(error.exit().code(), 3);
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_errors() {
        let closed = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(Error::from(closed).is_broken_pipe());
        assert!(!Error::failed("x").is_broken_pipe());
    }
}
