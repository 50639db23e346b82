//! How requests prove who they are, checked; and the assertion that is signed for a token.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};

use super::{
    form::{ClientAuth, Grant, JwtAlgorithm},
    request::Request,
    sign::{OAuth1, Signed},
};
use crate::core::{
    expr::{Fault, Scope, Structure, Template},
    period::Period,
    value::{Map, Value, json},
};

/// How requests prove who they are.
#[derive(Debug)]
pub enum Auth {
    /// Not at all.
    None,
    /// User and password (RFC 7617).
    Basic {
        /// The user.
        user: Template,
        /// The password.
        password: Template,
    },
    /// A fixed bearer token (RFC 6750).
    Bearer {
        /// The token.
        token: Template,
    },
    /// Keys in headers and query parameters.
    ApiKey {
        /// By header.
        headers: Vec<(String, Template)>,
        /// By query parameter.
        query: Vec<(String, Template)>,
    },
    /// OAuth 2.0.
    OAuth2(Box<OAuth2>),
    /// OAuth 1.0a.
    OAuth1(Box<OAuth1>),
    /// A keyed hash of every request.
    Signed(Box<Signed>),
    /// A login request.
    Session(Box<Session>),
}

impl Auth {
    /// OAuth 2.0, where it is that.
    #[must_use]
    pub const fn oauth2(&self) -> Option<&OAuth2> {
        match self {
            Self::OAuth2(oauth2) => Some(oauth2),
            _ => None,
        }
    }

    /// Its key in a connector.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic { .. } => "basic",
            Self::Bearer { .. } => "bearer",
            Self::ApiKey { .. } => "api_key",
            Self::OAuth2(_) => "oauth2",
            Self::OAuth1(_) => "oauth1",
            Self::Signed(_) => "signed",
            Self::Session(_) => "session",
        }
    }

    /// Whether what proves who we are ends, and can be got anew.
    #[must_use]
    pub const fn is_got(&self) -> bool {
        matches!(self, Self::OAuth2(_) | Self::Session(_))
    }
}

/// OAuth 2.0.
#[derive(Debug)]
pub struct OAuth2 {
    /// How a token is got.
    pub grant: Grant,
    /// The token endpoint; the issuer names it where it is not given.
    pub token_url: Option<Template>,
    /// Where a person signs in.
    pub authorize_url: Option<Template>,
    /// Where tokens are taken back.
    pub revoke_url: Option<Template>,
    /// Who names the addresses.
    pub issuer: Option<Template>,
    /// The scopes asked for.
    pub scopes: Vec<String>,
    /// More parameters of the token request.
    pub params: Vec<(String, Template)>,
    /// More parameters of the page where a person signs in.
    pub authorize_params: Vec<(String, Template)>,
    /// How the client proves itself.
    pub client_auth: ClientAuth,
    /// The assertion by which it does, where it has a key in place of a secret.
    pub client_jwt: Option<Jwt>,
    /// How long a token lasts where the answer does not say it.
    pub expires_after: Option<Period>,
    /// Headers of every later request, where they are not the usual one.
    pub headers: Vec<(String, Template)>,
    /// The assertion of the grant `jwt_bearer`.
    pub jwt: Option<Jwt>,
}

/// An assertion that we sign (RFC 7519).
#[derive(Debug)]
pub struct Jwt {
    /// How it is signed.
    pub algorithm: JwtAlgorithm,
    /// The private key, in PEM.
    pub key: Template,
    /// The key's name.
    pub key_id: Option<Template>,
    /// `iss`.
    pub issuer: Template,
    /// `sub`.
    pub subject: Option<Template>,
    /// `aud`; the token endpoint where nothing is said.
    pub audience: Option<Template>,
    /// How long it holds.
    pub expires_after: Period,
    /// More claims.
    pub claims: Structure,
}

impl Jwt {
    /// Header and claims as they are signed (RFC 7515, section 5.1): the signature comes behind a dot. `id` makes it one of
    /// its own.
    pub fn unsigned(&self, scope: &Scope, now: DateTime<Utc>, token_url: &str, id: &str) -> Result<String, Fault> {
        let mut header = Map::new();
        header.insert("alg".to_owned(), Value::from(self.algorithm.as_str()));
        header.insert("typ".to_owned(), Value::from("JWT"));
        if let Some(key_id) = self.key_id.as_ref().map(|key_id| plain(key_id, scope)).transpose()? {
            header.insert("kid".to_owned(), key_id.into());
        }
        let issued_at = now.timestamp();
        let life = i64::try_from(self.expires_after.duration().as_secs()).unwrap_or(i64::MAX);
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), plain(&self.issuer, scope)?.into());
        if let Some(subject) = &self.subject {
            claims.insert("sub".to_owned(), plain(subject, scope)?.into());
        }
        let audience = self
            .audience
            .as_ref()
            .map(|audience| plain(audience, scope))
            .transpose()?;
        claims.insert(
            "aud".to_owned(),
            audience.unwrap_or_else(|| token_url.to_owned()).into(),
        );
        claims.insert("iat".to_owned(), Value::from(issued_at));
        claims.insert("exp".to_owned(), Value::from(issued_at.saturating_add(life)));
        claims.insert("jti".to_owned(), Value::from(id));
        if let Some(Value::Map(more)) = self.claims.find(scope)? {
            claims.extend(more);
        }
        let encoded = |map: Map| BASE64_URL_SAFE_NO_PAD.encode(json::to_string(&Value::Map(map)));
        Ok(format!("{}.{}", encoded(header), encoded(claims)))
    }
}

fn plain(template: &Template, scope: &Scope) -> Result<String, Fault> {
    Ok(template.text(scope, |text| text)?.unwrap_or_default())
}

/// A login request whose answer opens a session.
#[derive(Debug)]
pub struct Session {
    /// The login request.
    pub login: Request,
    /// Headers of every later request.
    pub headers: Vec<(String, Template)>,
    /// When it is renewed without being asked to.
    pub expires_after: Option<Period>,
}

/// What the connection itself shows (mutual TLS).
#[derive(Debug)]
pub struct ClientCertificate {
    /// The certificates, in PEM.
    pub certificate: Template,
    /// The private key, in PEM.
    pub key: Template,
}
