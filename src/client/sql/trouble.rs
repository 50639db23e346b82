//! What a database says when it says no, in the words of the exchange: no connection, no answer, or an answer with a status.

use sqlx::error::DatabaseError;

use super::connection::Failed;
use crate::{client::transport::SendError, core::connector::database::Engine};

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

/// What a code of a database means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    SignIn,
    NoDatabase,
    Denied,
    Unknown,
    Exists,
    Refused,
    /// The value is none of its type.
    Value,
    TooMany,
    Starting,
    Late,
    Passing,
    Gone,
    Other,
}

/// What kept a connection from being made.
pub(super) fn of_connecting(engine: Engine, error: &sqlx::Error) -> Trouble {
    let reason = |what: &dyn std::fmt::Display| SendError::Connect {
        reason: what.to_string(),
    };
    match error {
        sqlx::Error::Database(told) => match sense(engine, &**told) {
            Sense::SignIn | Sense::Denied => said(401, engine, &**told).into(),
            Sense::NoDatabase => unfit(
                format!("there is no such database: {}", told.message()),
                "correct the credential `url` of the system",
            ),
            Sense::TooMany => said(429, engine, &**told).into(),
            _ => reason(&told.message()).into(),
        },
        sqlx::Error::Tls(error) => SendError::Certificate {
            reason: error.to_string(),
        }
        .into(),
        sqlx::Error::Io(error) => reason(error).into(),
        // Never the error of a setting itself: it may quote the address.
        sqlx::Error::Configuration(_) => SendError::Unsendable {
            reason: "the credential `url` is no address of a database".to_owned(),
        }
        .into(),
        _ => reason(&"the database does not speak as it should").into(),
    }
}

/// What became of a statement. A write that came too late was rolled back; a read that did says nothing about the next one.
pub(super) fn of_statement(engine: Engine, failed: Failed, is_write: bool) -> Trouble {
    let error = match failed {
        Failed::TooLarge(max) => return SendError::TooLarge { max }.into(),
        Failed::Sql(error) => error,
    };
    let sqlx::Error::Database(told) = &error else {
        return SendError::Broken {
            reason: match &error {
                sqlx::Error::Io(error) => error.to_string(),
                _ => "the database does not speak as it should".to_owned(),
            },
        }
        .into();
    };
    let told = &**told;
    match sense(engine, told) {
        Sense::Unknown => unfit(
            format!("the database says: {}", without_values(engine, told)),
            "correct the table and its columns in the connector, or let the database user see them",
        ),
        Sense::SignIn => said(401, engine, told).into(),
        Sense::Denied => said(403, engine, told).into(),
        Sense::Exists => said(409, engine, told).into(),
        Sense::Value => Said {
            code: VALUE.to_owned(),
            ..said(422, engine, told)
        }
        .into(),
        Sense::Refused => said(422, engine, told).into(),
        Sense::TooMany => said(429, engine, told).into(),
        Sense::Late if !is_write => SendError::TimedOut.into(),
        Sense::Late | Sense::Passing => Said {
            passes: true,
            ..said(503, engine, told)
        }
        .into(),
        Sense::Gone | Sense::Starting | Sense::NoDatabase => SendError::Broken {
            reason: told.message().to_owned(),
        }
        .into(),
        Sense::Other => said(400, engine, told).into(),
    }
}

/// The code of a value that is none of its column's type, whichever the database.
pub(super) const VALUE: &str = "not_of_the_type";

fn said(status: u16, engine: Engine, told: &dyn DatabaseError) -> Said {
    Said {
        status,
        code: told.code().unwrap_or_default().into_owned(),
        message: if told.is_unique_violation() {
            match told.constraint() {
                Some(constraint) => format!("a row with these values exists already (`{constraint}`)"),
                None => "a row with these values exists already".to_owned(),
            }
        } else {
            without_values(engine, told)
        },
        passes: false,
    }
}

/// The database's words, without the values that some of them quote: names stand in double quotes or bare in PostgreSQL and
/// SQLite, both names and values in single ones in MySQL.
fn without_values(engine: Engine, told: &dyn DatabaseError) -> String {
    let message = told.message();
    let code = told.code().unwrap_or_default();
    if engine == Engine::Postgres && code.starts_with("22") {
        return masked(message, '"');
    }
    if engine == Engine::Mysql && matches!(code.get(..2), Some("22" | "23")) {
        return masked(message, '\'');
    }
    message.to_owned()
}

/// The text with an ellipsis for what stands between these marks.
pub(super) fn masked(text: &str, mark: char) -> String {
    let mut written = String::with_capacity(text.len());
    for (index, part) in text.split(mark).enumerate() {
        if index > 0 {
            written.push(mark);
        }
        written.push_str(if index % 2 == 1 { "…" } else { part });
    }
    written
}

fn sense(engine: Engine, told: &dyn DatabaseError) -> Sense {
    if told.is_unique_violation() {
        return Sense::Exists;
    }
    match engine {
        Engine::Postgres => postgres(&told.code().unwrap_or_default()),
        Engine::Mysql => {
            let number = told
                .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
                .map_or(0, sqlx::mysql::MySqlDatabaseError::number);
            mysql(number)
        }
        Engine::Sqlite => {
            let code = told.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            sqlite(code, told.message())
        }
    }
}

/// See "PostgreSQL Error Codes" in its manual.
fn postgres(code: &str) -> Sense {
    match code {
        "3D000" => Sense::NoDatabase,
        "42501" | "25006" => Sense::Denied,
        "42P01" | "42703" | "3F000" | "42704" | "42883" | "42804" => Sense::Unknown,
        "53300" => Sense::TooMany,
        "57P03" => Sense::Starting,
        "57014" => Sense::Late,
        "40001" | "40P01" | "55P03" => Sense::Passing,
        "57P01" | "57P02" | "57P05" => Sense::Gone,
        _ => match code.get(..2) {
            Some("28") => Sense::SignIn,
            Some("08") => Sense::Gone,
            Some("22") => Sense::Value,
            Some("23" | "44") => Sense::Refused,
            _ => Sense::Other,
        },
    }
}

/// See "Server Error Message Reference" of MySQL, and "MariaDB Error Codes".
const fn mysql(number: u16) -> Sense {
    match number {
        1045 | 1044 | 1251 | 1698 | 2059 => Sense::SignIn,
        1049 => Sense::NoDatabase,
        1142 | 1143 | 1227 | 1290 | 1370 | 1792 => Sense::Denied,
        1146 | 1054 | 1305 => Sense::Unknown,
        1048 | 1216 | 1217 | 1364 | 1451 | 1452 | 3819 | 4025 => Sense::Refused,
        1264 | 1265 | 1292 | 1366 | 1406 | 1411 => Sense::Value,
        1040 | 1203 | 1226 => Sense::TooMany,
        1053 | 1077 => Sense::Starting,
        1317 | 1969 | 3024 => Sense::Late,
        1205 | 1213 => Sense::Passing,
        1927 | 4031 => Sense::Gone,
        _ => Sense::Other,
    }
}

/// See "Result and Error Codes" of SQLite; the lowest byte is the plain code.
fn sqlite(code: i32, message: &str) -> Sense {
    match code & 0xff {
        1 if message.starts_with("no such") => Sense::Unknown,
        5 | 6 => Sense::Passing,
        8 | 3 | 23 => Sense::Denied,
        9 => Sense::Late,
        19 => Sense::Refused,
        20 | 25 => Sense::Value,
        14 => Sense::Starting,
        _ => Sense::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_between_marks_are_masked_and_names_elsewhere_stay() {
        assert_eq!(
            masked("invalid input syntax for type integer: \"ana@example.com\"", '"'),
            "invalid input syntax for type integer: \"…\""
        );
        assert_eq!(
            masked("Index Cond: (email = 'ana'::text) or x", '\''),
            "Index Cond: (email = '…'::text) or x"
        );
        assert_eq!(masked("nothing", '\''), "nothing");
    }

    #[test]
    fn codes_that_pass_by_themselves_are_told_from_those_that_stay() {
        assert_eq!(postgres("40P01"), Sense::Passing);
        assert_eq!(postgres("57014"), Sense::Late);
        assert_eq!(postgres("23502"), Sense::Refused);
        assert_eq!(postgres("22P02"), Sense::Value);
        assert_eq!(mysql(1213), Sense::Passing);
        assert_eq!(mysql(1969), Sense::Late);
        assert_eq!(sqlite(517, "database is locked"), Sense::Passing);
        assert_eq!(sqlite(1, "no such column: nope"), Sense::Unknown);
        assert_eq!(sqlite(8, "attempt to write a readonly database"), Sense::Denied);
    }
}
