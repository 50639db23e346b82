//! Who is signed in at the console. Of what the browser holds only a hash is kept.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    Op, Store,
    engine::{Durability, FromRow, Row, Unread, args, int},
    error::Error,
};
use crate::core::{status::Role, tenant::Reach};

/// A session about to begin.
#[derive(Debug, Clone, Copy)]
pub struct NewSession<'a> {
    /// Hash of what the browser holds.
    pub hash: &'a [u8; 32],
    /// Whose it is.
    pub console_user_id: i64,
    /// When it ends, however much it is used.
    pub ends_at: DateTime<Utc>,
}

/// A living session, with the person whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Our id of the person.
    pub console_user_id: i64,
    /// Their name.
    pub name: String,
    /// What they may do now.
    pub role: Role,
    /// How far they may see now.
    pub reach: Reach,
    /// Whether they sign in at an OpenID provider.
    pub is_of_provider: bool,
    /// When it was last used, to the minute.
    pub seen_at: DateTime<Utc>,
}

/// Uses within this time are recorded once.
const SEEN_MS: i64 = 60_000;

impl FromRow for Session {
    const TABLE: &'static str = "session";
    const KEY: &'static str = "console_user_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            console_user_id: row.get("console_user_id")?,
            name: row.get("name")?,
            role: row.get("role")?,
            reach: row.reach()?,
            is_of_provider: row.get::<Option<String>>("subject")?.is_some(),
            seen_at: row.time("seen_at")?,
        })
    }
}

impl Store {
    /// Begins a session, and notes that its person has signed in, together with what goes with it.
    pub async fn begin_session(&self, session: NewSession<'_>, with: Vec<Op>) -> Result<(), Error> {
        let now = self.now();
        let sql =
            "insert into session (hash, console_user_id, created_at, seen_at, ends_at) values ($1, $2, $3, $3, $4)";
        let args = args![session.hash.as_slice(), session.console_user_id, now, session.ends_at];
        let mut tx = self.engine().begin(Durability::Durable).await?;
        tx.execute(sql, args).await?;
        let sql = "update console_user set signed_in_at = $2 where console_user_id = $1";
        tx.execute(sql, args![session.console_user_id, now]).await?;
        self.conclude(tx, &with).await
    }

    /// The living session with this hash: neither past its end nor unused for `idle`.
    pub async fn session(&self, hash: &[u8; 32], idle: Duration) -> Result<Option<Session>, Error> {
        let sql = "select s.console_user_id, u.name, u.role, u.tenants, u.subject, s.seen_at from session as s \
             join console_user as u on u.console_user_id = s.console_user_id \
             where s.hash = $1 and s.ends_at > $2 and s.seen_at > $3";
        let now = self.now();
        let oldest = now.saturating_sub(int(idle.as_millis()));
        self.engine().row(sql, args![hash.as_slice(), now, oldest]).await
    }

    /// Notes that a session was used.
    pub async fn touch_session(&self, hash: &[u8; 32], session: &Session) -> Result<(), Error> {
        let now = self.now();
        if now.saturating_sub(session.seen_at.timestamp_millis()) < SEEN_MS {
            return Ok(());
        }
        let sql = "update session set seen_at = $2 where hash = $1";
        self.engine().execute(sql, args![hash.as_slice(), now]).await.map(drop)
    }

    /// Ends a session; whether there was one.
    pub async fn end_session(&self, hash: &[u8; 32]) -> Result<bool, Error> {
        let sql = "delete from session where hash = $1";
        Ok(self.engine().execute(sql, args![hash.as_slice()]).await? > 0)
    }

    /// Ends every session of a person.
    pub async fn end_sessions_of(&self, console_user_id: i64) -> Result<(), Error> {
        let sql = "delete from session where console_user_id = $1";
        self.engine().execute(sql, args![console_user_id]).await.map(drop)
    }
}
