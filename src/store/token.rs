//! Tokens of other systems, sealed at rest, replaced by compare-and-swap so that two nodes cannot both refresh one.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::{
    Store,
    engine::{FromRow, Number, Row, Unread, args},
    error::Error,
    seal::Place,
};

/// A token as it is kept.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token, in the client's own form.
    pub secret: SecretString,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// Grows with every replacement; 1 for the first.
    pub version: i64,
}

struct Sealed {
    bytes: Vec<u8>,
    expires_at: Option<DateTime<Utc>>,
    version: i64,
}

impl FromRow for Sealed {
    const TABLE: &'static str = "token";
    const KEY: &'static str = "version";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            bytes: row.get("sealed")?,
            expires_at: row.maybe_time("expires_at")?,
            version: row.get("version")?,
        })
    }
}

const fn place(system: &str) -> Place<'_> {
    Place {
        table: "token",
        column: "sealed",
        row: system,
    }
}

impl Store {
    /// The token of a system.
    pub async fn load_token(&self, system: &str) -> Result<Option<Token>, Error> {
        let sql = "select sealed, expires_at, version from token where system = $1";
        let Some(found) = self.engine().row::<Sealed>(sql, args![system]).await? else {
            return Ok(None);
        };
        let plain = Zeroizing::new(self.sealer().open(place(system), &found.bytes)?);
        let text = std::str::from_utf8(&plain).map_err(|_| Error::Unsealed {
            table: "token",
            column: "sealed",
            row: system.into(),
        })?;
        Ok(Some(Token {
            secret: SecretString::from(text),
            expires_at: found.expires_at,
            version: found.version,
        }))
    }

    /// Replaces the token of a system if it still has version `expected` (none: there is no token yet); the new version,
    /// or none when somebody else was quicker: load again then.
    pub async fn save_token(
        &self,
        system: &str,
        secret: &SecretString,
        expires_at: Option<DateTime<Utc>>,
        expected: Option<i64>,
    ) -> Result<Option<i64>, Error> {
        let sealed = self.sealer().seal(place(system), secret.expose_secret().as_bytes())?;
        let mut args = args![system, sealed, expires_at, self.now()];
        let sql = if let Some(version) = expected {
            args.push(version.into());
            "update token set sealed = $2, expires_at = $3, version = version + 1, updated_at = $4 \
             where system = $1 and version = $5 returning version as number"
        } else {
            "insert into token (system, sealed, expires_at, version, updated_at) values ($1, $2, $3, 1, $4) \
             on conflict (system) do nothing returning version as number"
        };
        let saved = self.engine().write::<Number>(sql, args).await?;
        Ok(saved.first().map(|version| version.0))
    }

    /// Forgets the token of a system.
    pub async fn delete_token(&self, system: &str) -> Result<(), Error> {
        self.engine()
            .execute("delete from token where system = $1", args![system])
            .await
            .map(drop)
    }
}
