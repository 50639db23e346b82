//! What a database says when it says no, in the words of the exchange: no connection, no answer, or an answer with a status.

use crate::{
    client::transport::SendError,
    database::{Error, Sense, Told},
};

/// Why a statement came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no answer.
    Silent(SendError),
    /// The database answers, as a system would with this status.
    Said(Said),
}

/// An answer that is none of rows.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    /// The database's own code.
    pub(super) code: String,
    /// Its words, without values.
    pub(super) message: String,
    /// Whether it was rolled back and passes by itself.
    pub(super) passes: bool,
}

impl Said {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            code: String::new(),
            message: message.into(),
            passes: false,
        }
    }
}

impl From<Said> for Trouble {
    fn from(said: Said) -> Self {
        Self::Said(said)
    }
}

impl From<SendError> for Trouble {
    fn from(error: SendError) -> Self {
        Self::Silent(error)
    }
}

/// The table is not what the connector says, or not fit for what is asked.
pub(super) fn unfit(reason: impl Into<String>, next: impl Into<String>) -> Trouble {
    Trouble::Silent(SendError::Unfit {
        reason: reason.into(),
        next: next.into(),
    })
}

/// What kept a connection from being made.
pub(super) fn of_connecting(error: &Error) -> Trouble {
    let reason = |what: &dyn std::fmt::Display| SendError::Connect {
        reason: what.to_string(),
    };
    match error {
        Error::Told(told) => match told.sense {
            Sense::SignIn | Sense::Denied => said(401, told).into(),
            Sense::NoDatabase => unfit(
                format!("there is no such database: {}", told.message),
                "correct the credential `url` of the system",
            ),
            Sense::TooMany => said(429, told).into(),
            _ => reason(&told.message).into(),
        },
        Error::Tls(reason) => SendError::Certificate { reason: reason.clone() }.into(),
        Error::Io(what) => reason(what).into(),
        Error::Configuration => SendError::Unsendable {
            reason: "the credential `url` is no address of a database".to_owned(),
        }
        .into(),
        Error::TooLarge(_) | Error::Other => reason(error).into(),
    }
}

/// What became of a statement. A write that came too late was rolled back; a read that did says nothing about the next one.
pub(super) fn of_statement(error: Error, is_write: bool) -> Trouble {
    let told = match error {
        Error::Told(told) => told,
        Error::TooLarge(max) => return SendError::TooLarge { max }.into(),
        broken => {
            return SendError::Broken {
                reason: broken.to_string(),
            }
            .into();
        }
    };
    match told.sense {
        Sense::Unknown => unfit(
            format!("the database says: {}", told.words),
            "correct the table and its columns in the connector, or let the database user see them",
        ),
        Sense::SignIn => said(401, &told).into(),
        Sense::Denied => said(403, &told).into(),
        Sense::Exists => said(409, &told).into(),
        Sense::Value => Said {
            code: VALUE.to_owned(),
            ..said(422, &told)
        }
        .into(),
        Sense::Refused => said(422, &told).into(),
        Sense::TooMany => said(429, &told).into(),
        Sense::Late if !is_write => SendError::TimedOut.into(),
        Sense::Late | Sense::Passing => Said {
            passes: true,
            ..said(503, &told)
        }
        .into(),
        Sense::Gone | Sense::Starting | Sense::NoDatabase => SendError::Broken { reason: told.message }.into(),
        Sense::Other => said(400, &told).into(),
    }
}

/// The code of a value that is none of its column's type, whichever the database.
pub(super) const VALUE: &str = "not_of_the_type";

fn said(status: u16, told: &Told) -> Said {
    Said {
        status,
        code: told.code.clone(),
        message: told.words.clone(),
        passes: false,
    }
}
