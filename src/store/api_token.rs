//! Tokens of those who call our API. Only a hash is kept.

use chrono::{DateTime, Utc};

use super::{
    Op, Store,
    engine::{FromRow, Row, Unread, args},
    error::Error,
};
use crate::core::{status::Role, tenant::Reach};

/// A token about to be given out.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// A name for people; it stands in the audit trail.
    pub name: String,
    /// Hash of the token.
    pub hash: [u8; 32],
    /// What its bearer may do.
    pub role: Role,
    /// How far its bearer may see.
    pub reach: Reach,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Our id of it.
    pub api_token_id: i64,
    /// Its name.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// How far its bearer may see.
    pub reach: Reach,
    /// When it was given out.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
}

const SELECT: &str =
    "select api_token_id, name, role, tenants, created_at, expires_at, last_used_at, revoked_at from api_token";

/// Uses within this time are recorded once.
const LAST_USED_MS: i64 = 60_000;

impl FromRow for ApiToken {
    const TABLE: &'static str = "api_token";
    const KEY: &'static str = "api_token_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            api_token_id: row.get("api_token_id")?,
            name: row.get("name")?,
            role: row.get("role")?,
            reach: row.reach()?,
            created_at: row.time("created_at")?,
            expires_at: row.maybe_time("expires_at")?,
            last_used_at: row.maybe_time("last_used_at")?,
            revoked_at: row.maybe_time("revoked_at")?,
        })
    }
}

impl Store {
    /// Keeps a new token, together with what goes with the token of this id; its id.
    pub async fn create_api_token(
        &self,
        token: &NewApiToken,
        with: impl FnOnce(i64) -> Vec<Op> + Send,
    ) -> Result<i64, Error> {
        let sql = "insert into api_token (name, hash, role, tenants, created_at, expires_at) \
             values ($1, $2, $3, $4, $5, $6) \
             returning api_token_id as number";
        let args = args![
            &token.name,
            token.hash.as_slice(),
            token.role,
            token.reach.text(),
            self.now(),
            token.expires_at
        ];
        self.made(sql, args, with).await
    }

    /// The living token with this hash: neither revoked nor past its end.
    pub async fn api_token(&self, hash: &[u8; 32]) -> Result<Option<ApiToken>, Error> {
        let sql =
            format!("{SELECT} where hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)");
        self.engine().row(sql, args![hash.as_slice(), self.now()]).await
    }

    /// Notes that a token was used.
    pub async fn touch_api_token(&self, token: &ApiToken) -> Result<(), Error> {
        let now = self.now();
        let is_fresh = token
            .last_used_at
            .is_some_and(|at| now.saturating_sub(at.timestamp_millis()) < LAST_USED_MS);
        if is_fresh {
            return Ok(());
        }
        let sql = "update api_token set last_used_at = $2 where api_token_id = $1";
        self.engine()
            .execute(sql, args![token.api_token_id, now])
            .await
            .map(drop)
    }

    /// All tokens, newest first.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>, Error> {
        let sql = format!("{SELECT} order by api_token_id desc limit 1000");
        self.engine().rows(sql, args![]).await
    }

    /// Takes a token back, together with what goes with it; whether it was living.
    pub async fn revoke_api_token(&self, api_token_id: i64, with: Vec<Op>) -> Result<bool, Error> {
        let sql = "update api_token set revoked_at = $2 where api_token_id = $1 and revoked_at is null";
        Ok(self.decide(sql, args![api_token_id, self.now()], |_| with).await? > 0)
    }
}
