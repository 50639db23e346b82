//! Why a database did not do what it was asked, whichever it is.

use sqlx::{error::DatabaseError, mysql::MySqlDatabaseError, postgres::PgDatabaseError};

use crate::core::connector::database::Engine;

/// Why a statement or a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There are more bytes than may be.
    #[error("an answer of more than {0} bytes")]
    TooLarge(u64),
    /// The database says no.
    #[error("error returned from database: {}", .0.message)]
    Told(Box<Told>),
    /// No secure connection could be made.
    #[error("{0}")]
    Tls(String),
    /// The connection cannot be made or broke.
    #[error("{0}")]
    Io(String),
    /// The address is none. Never the error of a setting itself: it may quote the address.
    #[error("no address of a database")]
    Configuration,
    /// What came makes no sense.
    #[error("the database does not speak as it should")]
    Other,
}

/// A refusal in the database's own words.
#[derive(Debug)]
pub(crate) struct Told {
    /// What it means.
    pub(crate) sense: Sense,
    /// The database's own code.
    pub(crate) code: String,
    /// Its words as they came.
    pub(crate) message: String,
    /// Its words without values.
    pub(crate) words: String,
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(told) => Self::Told(Box::new(Told::of(&*told))),
            sqlx::Error::Tls(error) => Self::Tls(error.to_string()),
            sqlx::Error::Io(error) => Self::Io(error.to_string()),
            sqlx::Error::Configuration(_) => Self::Configuration,
            _ => Self::Other,
        }
    }
}

impl Told {
    fn of(told: &dyn DatabaseError) -> Self {
        let engine = engine(told);
        Self {
            sense: sense(engine, told),
            code: told.code().unwrap_or_default().into_owned(),
            message: told.message().to_owned(),
            words: match (told.is_unique_violation(), told.constraint()) {
                (true, Some(constraint)) => format!("a row with these values exists already (`{constraint}`)"),
                (true, None) => "a row with these values exists already".to_owned(),
                (false, _) => without_values(engine, told),
            },
        }
    }
}

/// What a code of a database means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sense {
    /// User or password are wrong.
    SignIn,
    /// There is no such database.
    NoDatabase,
    /// The user may not.
    Denied,
    /// There is no such table or column.
    Unknown,
    /// A row with these values exists.
    Exists,
    /// A rule of the table says no.
    Refused,
    /// The value is none of its type.
    Value,
    /// There are too many connections.
    TooMany,
    /// It is not ready yet.
    Starting,
    /// It took too long and was stopped.
    Late,
    /// Somebody was in the way; it was rolled back.
    Passing,
    /// It ended the connection.
    Gone,
    /// Anything else.
    Other,
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
pub(crate) fn masked(text: &str, mark: char) -> String {
    let mut written = String::with_capacity(text.len());
    for (index, part) in text.split(mark).enumerate() {
        if index > 0 {
            written.push(mark);
        }
        written.push_str(if index % 2 == 1 { "…" } else { part });
    }
    written
}

/// Which database says it.
fn engine(told: &dyn DatabaseError) -> Engine {
    if told.try_downcast_ref::<PgDatabaseError>().is_some() {
        Engine::Postgres
    } else if told.try_downcast_ref::<MySqlDatabaseError>().is_some() {
        Engine::Mysql
    } else {
        Engine::Sqlite
    }
}

fn sense(engine: Engine, told: &dyn DatabaseError) -> Sense {
    if told.is_unique_violation() {
        return Sense::Exists;
    }
    match engine {
        Engine::Postgres => postgres(&told.code().unwrap_or_default()),
        Engine::Mysql => {
            let number = told
                .try_downcast_ref::<MySqlDatabaseError>()
                .map_or(0, MySqlDatabaseError::number);
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
