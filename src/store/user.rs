//! People who sign in at the console. Of a password only its Argon2 hash is kept, of a link only a hash.

use chrono::{DateTime, Utc};

use super::{
    Op, Store,
    engine::{Args, Durability, FromRow, Row, Unread, args},
    error::Error,
};
use crate::core::{status::Role, tenant::Reach};

/// A person as they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Our id of them.
    pub console_user_id: i64,
    /// Their name, as the audit shows it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How far they may see.
    pub reach: Reach,
    /// When they were added.
    pub created_at: DateTime<Utc>,
    /// When they last signed in.
    pub signed_in_at: Option<DateTime<Utc>>,
    /// Until when their link may be used, if they have one.
    pub link_until: Option<DateTime<Utc>>,
    /// Whether they have a password.
    pub has_password: bool,
    /// Who they are at the OpenID provider that they sign in at: its issuer and their subject there.
    pub subject: Option<String>,
}

const SELECT: &str = "select console_user_id, name, role, tenants, created_at, signed_in_at, link_until, subject, \
     cast(case when password is null then 0 else 1 end as bigint) as has_password from console_user";

impl FromRow for User {
    const TABLE: &'static str = "console_user";
    const KEY: &'static str = "console_user_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            console_user_id: row.get("console_user_id")?,
            name: row.get("name")?,
            role: row.get("role")?,
            reach: row.reach()?,
            created_at: row.time("created_at")?,
            signed_in_at: row.maybe_time("signed_in_at")?,
            link_until: row.maybe_time("link_until")?,
            has_password: row.count("has_password")? > 0,
            subject: row.get("subject")?,
        })
    }
}

/// The hash of somebody's password.
struct Password(Option<String>);

impl FromRow for Password {
    const TABLE: &'static str = "console_user";
    const KEY: &'static str = "name";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self(row.get("password")?))
    }
}

impl Store {
    /// Adds a person without a password, together with what goes with it; their id. A name that is taken is an
    /// [`Error::Conflict`].
    pub async fn add_user(&self, name: &str, role: Role, reach: &Reach, with: Vec<Op>) -> Result<i64, Error> {
        let sql = "insert into console_user (name, role, tenants, created_at) values ($1, $2, $3, $4) \
             returning console_user_id as number";
        self.made(sql, args![name, role, reach.text(), self.now()], |_| with)
            .await
    }

    /// The person of this name.
    pub async fn user(&self, name: &str) -> Result<Option<User>, Error> {
        let sql = format!("{SELECT} where name = $1");
        self.engine().row(sql, args![name]).await
    }

    /// Adds a person who signs in at an OpenID provider, together with what goes with it; their id. A name that is taken is an
    /// [`Error::Conflict`].
    pub async fn add_user_of(
        &self,
        subject: &str,
        name: &str,
        (role, reach): (Role, &Reach),
        with: Vec<Op>,
    ) -> Result<i64, Error> {
        let sql = "insert into console_user (subject, name, role, tenants, created_at) values ($1, $2, $3, $4, $5) \
             returning console_user_id as number";
        let args = args![subject, name, role, reach.text(), self.now()];
        self.made(sql, args, |_| with).await
    }

    /// The person whom an OpenID provider knows by this subject.
    pub async fn user_of(&self, subject: &str) -> Result<Option<User>, Error> {
        let sql = format!("{SELECT} where subject = $1");
        self.engine().row(sql, args![subject]).await
    }

    /// Changes what a person may do and how far they may see, together with what goes with it; their sessions go on with it.
    pub async fn set_user_rights(
        &self,
        console_user_id: i64,
        role: Role,
        reach: &Reach,
        with: Vec<Op>,
    ) -> Result<(), Error> {
        let sql = "update console_user set role = $2, tenants = $3 where console_user_id = $1";
        let args = args![console_user_id, role, reach.text()];
        self.decide(sql, args, |_| with).await.map(drop)
    }

    /// Changes how far a person may see, together with what goes with it; their sessions go on with it.
    pub async fn set_user_reach(&self, console_user_id: i64, reach: &Reach, with: Vec<Op>) -> Result<(), Error> {
        let sql = "update console_user set tenants = $2 where console_user_id = $1";
        let args = args![console_user_id, reach.text()];
        self.decide(sql, args, |_| with).await.map(drop)
    }

    /// The hash of a person's password.
    pub async fn user_password(&self, console_user_id: i64) -> Result<Option<String>, Error> {
        let sql = "select name, password from console_user where console_user_id = $1";
        let found = self.engine().row::<Password>(sql, args![console_user_id]).await?;
        Ok(found.and_then(|found| found.0))
    }

    /// Everybody, by name.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        let sql = format!("{SELECT} order by name limit 1000");
        self.engine().rows(sql, args![]).await
    }

    /// Gives a person a link, in place of one they had, together with what goes with it.
    pub async fn set_user_link(
        &self,
        console_user_id: i64,
        hash: &[u8; 32],
        until: DateTime<Utc>,
        with: Vec<Op>,
    ) -> Result<(), Error> {
        let sql = "update console_user set link_hash = $2, link_until = $3 where console_user_id = $1";
        let args = args![console_user_id, hash.as_slice(), until];
        self.decide(sql, args, |_| with).await.map(drop)
    }

    /// The person whose link has this hash and may still be used.
    pub async fn user_by_link(&self, hash: &[u8; 32]) -> Result<Option<User>, Error> {
        let sql = format!("{SELECT} where link_hash = $1 and link_until > $2");
        self.engine().row(sql, args![hash.as_slice(), self.now()]).await
    }

    /// Sets a person's password by their link, which is used up by that, and ends their sessions, together with what goes with
    /// it; the person, if it could be used.
    pub async fn redeem_user_link(
        &self,
        hash: &[u8; 32],
        password: &str,
        with: impl FnOnce(&User) -> Vec<Op> + Send,
    ) -> Result<Option<User>, Error> {
        let Some(user) = self.user_by_link(hash).await? else {
            return Ok(None);
        };
        let sql = "update console_user set password = $3, link_hash = null, link_until = null \
             where link_hash = $1 and link_until > $2";
        let args = args![hash.as_slice(), self.now(), password];
        // Two that come at the same time: one of them.
        let is_used = self.renew(user.console_user_id, (sql, args), || with(&user)).await?;
        Ok(is_used.then_some(user))
    }

    /// Sets a person's password, takes their link away and ends their sessions, together with what goes with it.
    pub async fn set_user_password(&self, console_user_id: i64, password: &str, with: Vec<Op>) -> Result<(), Error> {
        let sql = "update console_user set password = $2, link_hash = null, link_until = null \
             where console_user_id = $1";
        let args = args![console_user_id, password];
        self.renew(console_user_id, (sql, args), || with).await.map(drop)
    }

    /// Changes how a person signs in and ends their sessions, together with what goes with it; whether anything was changed.
    async fn renew(
        &self,
        console_user_id: i64,
        (sql, args): (&'static str, Args<'_>),
        with: impl FnOnce() -> Vec<Op> + Send,
    ) -> Result<bool, Error> {
        let mut tx = self.engine().begin(Durability::Durable).await?;
        let is_changed = tx.execute(sql, args).await? > 0;
        let with = if is_changed {
            let sql = "delete from session where console_user_id = $1";
            tx.execute(sql, args![console_user_id]).await?;
            with()
        } else {
            Vec::new()
        };
        self.conclude(tx, &with).await?;
        Ok(is_changed)
    }

    /// Removes a person with their sessions, together with what goes with it; whether there was one.
    pub async fn remove_user(&self, name: &str, with: Vec<Op>) -> Result<bool, Error> {
        let sql = "delete from console_user where name = $1";
        Ok(self.decide(sql, args![name], |_| with).await? > 0)
    }
}
