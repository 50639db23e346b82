//! Actions of the API that were sent with a key, so that sending one again does not do it twice.
//!
//! ```text
//!   begin ─▶ at work ─▶ answered ─▶ (a day later) gone
//!               │
//!               └─▶ forgotten: nothing was done, or whoever worked on it is gone
//! ```

use std::time::Duration;

use super::{
    Store,
    engine::{FromRow, Number, Row, Unread, args, int},
    error::Error,
};

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_hours(24);
/// An action that has no answer for so long has lost its process; the next one with its key begins anew.
pub const ABANDONED: Duration = Duration::from_mins(10);

/// One action, as its caller names it.
#[derive(Debug, Clone, Copy)]
pub struct ApiRequest<'a> {
    /// The caller's token: keys of different callers do not meet.
    pub api_token_id: i64,
    /// The key.
    pub key: &'a str,
    /// Hash of what was asked for.
    pub hash: &'a [u8; 32],
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The address of what was made.
    pub location: Option<String>,
    /// The body.
    pub body: String,
}

/// What is known about an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is new, and on record from now on.
    New,
    /// It is being worked on.
    AtWork,
    /// It was done, and answered so.
    Answered(Answered),
    /// Another action had this key.
    Other,
}

struct Known {
    hash: Vec<u8>,
    answered: Option<Answered>,
}

impl FromRow for Known {
    const TABLE: &'static str = "api_request";
    const KEY: &'static str = "idempotency_key";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let status = row
            .get::<Option<i64>>("status")?
            .and_then(|status| u16::try_from(status).ok());
        let answered = match status {
            Some(status) => Some(Answered {
                status,
                location: row.get("location")?,
                body: row.get::<Option<String>>("body")?.unwrap_or_default(),
            }),
            None => None,
        };
        Ok(Self {
            hash: row.get("request_hash")?,
            answered,
        })
    }
}

impl Store {
    /// Notes that an action begins, unless one with its key is known.
    pub async fn begin_api_request(&self, request: ApiRequest<'_>) -> Result<Begun, Error> {
        let now = self.now();
        let ago = |time: Duration| now.saturating_sub(int(time.as_millis()));
        let sql = "insert into api_request (api_token_id, idempotency_key, request_hash, started_at) \
             values ($1, $2, $3, $4) on conflict (api_token_id, idempotency_key) do update set \
             request_hash = excluded.request_hash, started_at = excluded.started_at, status = null, location = null, \
             body = null where api_request.started_at < $5 \
             or (api_request.status is null and api_request.started_at < $6) \
             returning started_at as number";
        let ApiRequest {
            api_token_id,
            key,
            hash,
        } = request;
        let args = args![api_token_id, key, hash.as_slice(), now, ago(KEPT), ago(ABANDONED)];
        if !self.engine().write::<Number>(sql, args).await?.is_empty() {
            return Ok(Begun::New);
        }
        let sql = "select idempotency_key, request_hash, status, location, body from api_request \
             where api_token_id = $1 and idempotency_key = $2";
        let known = self.engine().row::<Known>(sql, args![api_token_id, key]).await?;
        Ok(match known {
            Some(known) if known.hash != hash => Begun::Other,
            Some(known) => known.answered.map_or(Begun::AtWork, Begun::Answered),
            // Forgotten this moment: the caller may try again at once.
            None => Begun::AtWork,
        })
    }

    /// Keeps the answer to an action.
    pub async fn answer_api_request(&self, request: ApiRequest<'_>, answered: &Answered) -> Result<(), Error> {
        let sql = "update api_request set status = $4, location = $5, body = $6 \
             where api_token_id = $1 and idempotency_key = $2 and request_hash = $3";
        let args = args![
            request.api_token_id,
            request.key,
            request.hash.as_slice(),
            i64::from(answered.status),
            &answered.location,
            &answered.body
        ];
        self.engine().execute(sql, args).await.map(drop)
    }

    /// Forgets an action that was refused, so that its key is free again.
    pub async fn forget_api_request(&self, request: ApiRequest<'_>) -> Result<(), Error> {
        let sql = "delete from api_request where api_token_id = $1 and idempotency_key = $2 and request_hash = $3 \
             and status is null";
        let args = args![request.api_token_id, request.key, request.hash.as_slice()];
        self.engine().execute(sql, args).await.map(drop)
    }
}
