//! Where a database is, and how a session with it begins: with a zone, with an end to every statement, and read-only but
//! for writes.

use std::{path::Path, str::FromStr as _, time::Duration};

use chrono_tz::Tz;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    ConnectOptions as _, MySqlConnection, PgConnection, mysql::MySqlConnectOptions, postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};
use url::Url;

use super::{Connection, Error, Heard};
use crate::core::connector::database::Engine;

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The database itself refuses every write.
    Read,
    /// Rows may be written.
    Write,
}

/// A database.
pub(crate) struct Address {
    way: Way,
    /// Its address without user, password and options.
    pub(crate) place: String,
    /// The password, which no message may hold.
    pub(crate) password: Option<String>,
    zone: Tz,
}

enum Way {
    Postgres(Box<PgConnectOptions>),
    Mysql(Box<MySqlConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

/// What the credential `url` should be.
const EXAMPLES: [(Engine, &str); 3] = [
    (Engine::Postgres, "postgres://user:password@db.example.com/erp"),
    (Engine::Mysql, "mysql://user:password@db.example.com/erp"),
    (Engine::Sqlite, "sqlite:///srv/erp/erp.db"),
];

impl Address {
    /// The database at this address. The error is for people and holds nothing of the address.
    pub(crate) fn parse(engine: Engine, url: &SecretString, zone: Option<Tz>) -> Result<Self, String> {
        let example = EXAMPLES.iter().find(|(of, _)| *of == engine).map_or("", |(_, url)| url);
        let wrong = || {
            format!(
                "the credential `url` is no address of {}, such as `{example}`",
                engine.title()
            )
        };
        let text = url.expose_secret().trim();
        let (scheme, _) = text.split_once(':').ok_or_else(wrong)?;
        let fits = match engine {
            Engine::Postgres => matches!(scheme, "postgres" | "postgresql"),
            Engine::Mysql => matches!(scheme, "mysql" | "mariadb"),
            Engine::Sqlite => scheme == "sqlite",
        };
        if !fits {
            return Err(wrong());
        }
        let parsed = Url::parse(text).ok();
        let password = parsed.as_ref().and_then(Url::password).map(|password| {
            let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
            decoded.into_owned()
        });
        let (way, place) = match engine {
            Engine::Postgres => {
                let options = PgConnectOptions::from_str(text).map_err(|_| wrong())?;
                let options = options.application_name("syncline").disable_statement_logging();
                let place = placed(
                    "postgres",
                    options.get_host(),
                    options.get_port(),
                    options.get_database(),
                );
                (Way::Postgres(Box::new(options)), place)
            }
            Engine::Mysql => {
                let options = MySqlConnectOptions::from_str(text).map_err(|_| wrong())?;
                let options = options.disable_statement_logging();
                let place = placed("mysql", options.get_host(), options.get_port(), options.get_database());
                (Way::Mysql(Box::new(options)), place)
            }
            Engine::Sqlite => {
                let options = SqliteConnectOptions::from_str(text).map_err(|_| wrong())?;
                let options = options.disable_statement_logging();
                let place = format!("sqlite:{}", options.get_filename().display());
                (Way::Sqlite(Box::new(options)), place)
            }
        };
        Ok(Self {
            way,
            place,
            password,
            zone: zone.unwrap_or(Tz::UTC),
        })
    }

    /// The file at this path.
    pub(crate) fn file(path: &Path, zone: Option<Tz>) -> Self {
        let options = SqliteConnectOptions::new().filename(path).disable_statement_logging();
        Self {
            place: format!("sqlite:{}", path.display()),
            way: Way::Sqlite(Box::new(options)),
            password: None,
            zone: zone.unwrap_or(Tz::UTC),
        }
    }

    /// Which database this really is: what stands in for another one in a rehearsal is a file.
    pub(crate) const fn engine(&self) -> Engine {
        match &self.way {
            Way::Postgres(_) => Engine::Postgres,
            Way::Mysql(_) => Engine::Mysql,
            Way::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Where its server is, where there is one that is reached over a network.
    pub(crate) fn server(&self) -> Option<(&str, u16)> {
        let (host, port, has_socket) = match &self.way {
            Way::Postgres(options) => (options.get_host(), options.get_port(), options.get_socket().is_some()),
            Way::Mysql(options) => (options.get_host(), options.get_port(), options.get_socket().is_some()),
            Way::Sqlite(_) => return None,
        };
        (!has_socket && !host.starts_with('/')).then_some((host, port))
    }

    /// A session for this, in which no statement takes longer than `time`.
    pub(crate) async fn connect(&self, role: Role, time: Duration) -> Result<Connection, Error> {
        let mut connection = self.open(role, time, false).await?;
        for statement in self.session(role, time) {
            connection.run(statement).await?;
        }
        if let Connection::Mysql(_) = &connection {
            limit_mysql(&mut connection, time).await?;
        }
        Ok(connection)
    }

    /// A connection on which these channels are heard; none where the database has no such thing.
    pub(crate) async fn listen(&self, channels: &[&str]) -> Result<Option<Heard>, Error> {
        match &self.way {
            Way::Postgres(options) => Ok(Some(Heard::on(options, channels).await?)),
            Way::Mysql(_) | Way::Sqlite(_) => Ok(None),
        }
    }

    /// A session to write in, with a file that is made where there is none.
    pub(crate) async fn create(&self, time: Duration) -> Result<Connection, Error> {
        self.open(Role::Write, time, true).await
    }

    async fn open(&self, role: Role, time: Duration, is_made: bool) -> Result<Connection, Error> {
        Ok(match &self.way {
            Way::Postgres(options) => {
                let connection: PgConnection = options.connect().await?;
                Connection::Postgres(Box::new(connection))
            }
            Way::Mysql(options) => {
                let connection: MySqlConnection = options.connect().await?;
                Connection::Mysql(Box::new(connection))
            }
            Way::Sqlite(options) => {
                let options = SqliteConnectOptions::clone(options)
                    .create_if_missing(is_made)
                    .read_only(role == Role::Read)
                    .busy_timeout(time);
                Connection::to_file(&options).await?
            }
        })
    }

    /// What a session is told at its beginning.
    fn session(&self, role: Role, time: Duration) -> Vec<String> {
        let millis = time.as_millis();
        let is_read = role == Role::Read;
        match self.engine() {
            Engine::Postgres => vec![format!(
                "set default_transaction_read_only = {}; set statement_timeout = {millis}; set lock_timeout = {millis}; \
                 set idle_in_transaction_session_timeout = {millis}; set timezone = '{}'; set datestyle = 'ISO'",
                if is_read { "on" } else { "off" },
                self.zone.name(),
            )],
            Engine::Mysql => {
                let mut told = vec![
                    format!(
                        "set session transaction read {}",
                        if is_read { "only" } else { "write" }
                    ),
                    "set session sql_mode = concat(@@sql_mode, ',STRICT_ALL_TABLES')".to_owned(),
                ];
                if self.zone != Tz::UTC {
                    told.push(format!("set session time_zone = '{}'", self.zone.name()));
                }
                told
            }
            Engine::Sqlite if is_read => vec!["pragma query_only = on".to_owned()],
            Engine::Sqlite => Vec::new(),
        }
    }
}

/// MySQL and MariaDB call the longest time of a statement by other names, and count it otherwise.
async fn limit_mysql(connection: &mut Connection, time: Duration) -> Result<(), Error> {
    let is_limited = connection
        .run(format!("set session max_statement_time = {}", time.as_secs_f64()))
        .await;
    if is_limited.is_err() {
        let millis = time.as_millis();
        connection
            .run(format!("set session max_execution_time = {millis}"))
            .await?;
    }
    let seconds = time.as_secs().max(1);
    connection
        .run(format!("set session innodb_lock_wait_timeout = {seconds}"))
        .await
}

fn placed(scheme: &str, host: &str, port: u16, database: Option<&str>) -> String {
    format!("{scheme}://{host}:{port}/{}", database.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_user_and_password() {
        let url = SecretString::from("postgres://syncline:s3cr%40t@db.example.com/erp?sslmode=require");
        let address = Address::parse(Engine::Postgres, &url, None).unwrap();
        assert_eq!(address.place, "postgres://db.example.com:5432/erp");
        assert_eq!(address.password.as_deref(), Some("s3cr@t"));
    }

    #[test]
    fn an_address_of_something_else_is_refused_without_repeating_it() {
        for (engine, url) in [
            (Engine::Postgres, "mysql://root:s3cret@h/erp"),
            (Engine::Mysql, "http://h/s3cret"),
            (Engine::Sqlite, "s3cret"),
        ] {
            let told = Address::parse(engine, &SecretString::from(url), None)
                .map(drop)
                .unwrap_err();
            assert!(told.contains(engine.title()) && !told.contains("s3cret"), "{told}");
        }
    }
}
