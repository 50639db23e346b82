//! How requests prove who they are, as people write it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map as JsonMap, Value as Json};

use super::{ConnectorForm, RequestForm};
use crate::core::{
    period::Period,
    webhook::form::{Digest, Encoding},
};

/// How requests prove who they are: at most one of these keys, and `client_certificate` beside any of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthForm {
    /// User and password in every request (RFC 7617).
    #[serde(default)]
    pub basic: Option<BasicForm>,
    /// A fixed bearer token (RFC 6750).
    #[serde(default)]
    pub bearer: Option<BearerForm>,
    /// A key, or several, in headers or in the query.
    #[serde(default)]
    pub api_key: Option<ApiKeyForm>,
    /// OAuth 2.0 (RFC 6749).
    #[serde(default)]
    pub oauth2: Option<OAuth2Form>,
    /// OAuth 1.0a with a token that does not end (RFC 5849).
    #[serde(default)]
    pub oauth1: Option<OAuth1Form>,
    /// A keyed hash (HMAC) of every request.
    #[serde(default)]
    pub signed: Option<SignedForm>,
    /// A login request whose answer opens a session.
    #[serde(default)]
    pub session: Option<SessionForm>,
    /// The certificate that the connection itself shows (mutual TLS).
    #[serde(default)]
    pub client_certificate: Option<ClientCertificateForm>,
}

/// User and password.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicForm {
    /// Template; `credentials` is known.
    pub user: String,
    /// Template; `credentials` is known.
    pub password: String,
}

/// A fixed token.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BearerForm {
    /// Template; `credentials` is known.
    pub token: String,
}

/// A key in one place (`header` or `query`, and `value`), or several (`headers`, `query`).
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyForm {
    /// The header's name.
    #[serde(default)]
    pub header: Option<String>,
    /// The query parameter's name; or several, name to template.
    #[serde(default)]
    pub query: Option<ApiKeyQuery>,
    /// Template; `credentials` is known.
    #[serde(default)]
    pub value: Option<String>,
    /// Several headers, name to template; `credentials` and `settings` are known.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// The query parameter that carries a key, or several.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "the name of a query parameter, or several with their templates"
)]
pub enum ApiKeyQuery {
    /// Its name.
    Name(String),
    /// Several, name to template.
    Values(BTreeMap<String, String>),
}

/// OAuth 2.0.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2Form {
    /// How a token is got.
    pub grant: Grant,
    /// Template of the token endpoint; `settings` is known.
    #[serde(default)]
    pub token_url: Option<String>,
    /// Template of the page where a person signs in (grant `authorization_code`); `settings` is known.
    #[serde(default)]
    pub authorize_url: Option<String>,
    /// Template of the endpoint that takes tokens back (RFC 7009); `settings` is known. An issuer names its own.
    #[serde(default)]
    pub revoke_url: Option<String>,
    /// In place of the two addresses: template of the issuer, which names them (OpenID Connect Discovery 1.0).
    #[serde(default)]
    pub issuer: Option<String>,
    /// The scopes asked for: the least that the objects need.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// More parameters of the token request (`audience`, `resource`; name to template).
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// More parameters of the page where a person signs in (`access_type`, `prompt`; name to template).
    #[serde(default)]
    pub authorize_params: BTreeMap<String, String>,
    /// How the client proves itself.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// The assertion by which the client proves itself where `client_auth` is `private_key_jwt`.
    #[serde(default)]
    pub client_jwt: Option<ClientJwtForm>,
    /// How long a token lasts where the answer does not say it.
    #[serde(default)]
    pub expires_after: Option<Period>,
    /// Headers of every later request (default: `Authorization: Bearer …`); `token`, `answer` (the token endpoint's) and
    /// `settings` are known.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The assertion of the grant `jwt_bearer`.
    #[serde(default)]
    pub jwt: Option<JwtForm>,
}

impl OAuth2Form {
    /// The credentials that it cannot do without. A client with a key of its own has no secret.
    fn needed(&self) -> Vec<&'static str> {
        let has_key = self.client_auth == ClientAuth::PrivateKeyJwt;
        let needed = self.grant.needed().iter().copied();
        let needed = needed.filter(|name| !has_key || *name != "client_secret");
        needed.chain(has_key.then_some("client_id")).collect()
    }
}

/// How a token is got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// By the client's own id and secret (RFC 6749, section 4.4).
    ClientCredentials,
    /// A person signs in once, with `syncline auth login` (RFC 6749, section 4.1, with PKCE, RFC 7636).
    AuthorizationCode,
    /// By a refresh token that is given as a credential; the ones that replace it are kept (RFC 6749, section 6).
    RefreshToken,
    /// By an assertion that we sign (RFC 7523).
    JwtBearer,
}

impl Grant {
    /// Whether a token is renewed by a refresh token.
    #[must_use]
    pub const fn refreshes(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::RefreshToken)
    }

    /// The credentials that it cannot do without.
    const fn needed(self) -> &'static [&'static str] {
        match self {
            Self::ClientCredentials => &["client_id", "client_secret"],
            Self::AuthorizationCode => &["client_id"],
            Self::RefreshToken => &["client_id", "refresh_token"],
            Self::JwtBearer => &[],
        }
    }
}

/// How the client proves itself in a token request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// By id and secret in the `Authorization` header.
    #[default]
    Basic,
    /// By id and secret in the body.
    Post,
    /// By an assertion that it signs with a key of its own, so that there is no secret to share (RFC 7523, section 2.2).
    PrivateKeyJwt,
}

/// An assertion by which a client proves itself: who it is by its `client_id`, and that it has the key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientJwtForm {
    /// How it is signed.
    pub algorithm: JwtAlgorithm,
    /// Template of the private key, in PEM; `credentials` is known.
    pub key: String,
    /// Template of the key's name (`kid`), where the other side asks for one.
    #[serde(default)]
    pub key_id: Option<String>,
    /// Template of `aud` (default: the token endpoint).
    #[serde(default)]
    pub audience: Option<String>,
}

/// An assertion that we sign (RFC 7519).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtForm {
    /// How it is signed.
    pub algorithm: JwtAlgorithm,
    /// Template of the private key, in PEM; `credentials` is known.
    pub key: String,
    /// Template of the key's name (`kid`), where the other side asks for one.
    #[serde(default)]
    pub key_id: Option<String>,
    /// Template of `iss`; `credentials` and `settings` are known.
    pub issuer: String,
    /// Template of `sub`.
    #[serde(default)]
    pub subject: Option<String>,
    /// Template of `aud` (default: the token endpoint).
    #[serde(default)]
    pub audience: Option<String>,
    /// How long it holds (default 3m).
    #[serde(default)]
    pub expires_after: Option<Period>,
    /// More claims: any structure of templates by name.
    #[serde(default)]
    pub claims: JsonMap<String, Json>,
}

/// How an assertion is signed (RFC 7518).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum JwtAlgorithm {
    /// RSA, PKCS #1, SHA-256.
    RS256,
    /// RSA, PSS, SHA-256.
    PS256,
    /// ECDSA over P-256, SHA-256.
    ES256,
}

impl JwtAlgorithm {
    /// Its name in the header of the assertion.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => stringify!(RS256),
            Self::PS256 => stringify!(PS256),
            Self::ES256 => stringify!(ES256),
        }
    }
}

/// A keyed hash of every request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedForm {
    /// The hash.
    pub hmac: Digest,
    /// Template of the key; `credentials` is known.
    pub key: String,
    /// How the key is spelled, where it stands for bytes; without it, the key is its own text.
    #[serde(default)]
    pub key_encoding: Option<Encoding>,
    /// Template of the text that is signed; `request` (`method`, `url`, `host`, `path`, `query`, `body`, `body_sha256`),
    /// `timestamp`, `timestamp_ms`, `date` (as in the `Date` header), `nonce`, `credentials` and `settings` are known.
    pub text: String,
    /// How the signature is spelled (default hex).
    #[serde(default)]
    pub encoding: Encoding,
    /// Headers of the request, name to template; knows what `text` knows, and `signature`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Query parameters, name to template; the same.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
}

/// OAuth 1.0a with a token that does not end.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth1Form {
    /// Template; `credentials` is known, here and below.
    pub consumer_key: String,
    /// Template.
    pub consumer_secret: String,
    /// Template.
    pub token: String,
    /// Template.
    pub token_secret: String,
    /// Template; `settings` is known too (the account of NetSuite).
    #[serde(default)]
    pub realm: Option<String>,
    /// The hash.
    #[serde(default)]
    pub signature: OAuth1Signature,
}

/// How a request of OAuth 1.0a is signed (RFC 5849, section 3.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OAuth1Signature {
    /// HMAC with SHA-256.
    #[default]
    HmacSha256,
    /// HMAC with SHA-1: only for systems that know no other.
    HmacSha1,
}

/// The certificate that the connection itself shows (mutual TLS).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificateForm {
    /// Template of the certificate and those that it leans on, in PEM; `credentials` is known.
    pub certificate: String,
    /// Template of its private key, in PEM; `credentials` is known.
    pub key: String,
}

/// A login request whose answer opens a session.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionForm {
    /// The login request; `settings` and `credentials` are known.
    pub login: RequestForm,
    /// Headers of every later request; `settings`, `credentials`, `answer` (the login answer's body), `cookies` and
    /// `answer_headers` are known.
    pub headers: BTreeMap<String, String>,
    /// When the session is renewed without being asked to; the error rule `reauthenticate` renews it in any case.
    #[serde(default)]
    pub expires_after: Option<Period>,
}

impl ConnectorForm {
    /// The credentials that a system of this kind must be given.
    #[must_use]
    pub fn needed_credentials(&self) -> Vec<&str> {
        let mut needed: Vec<&str> = self.credentials.iter().map(String::as_str).collect();
        for name in self.auth.oauth2.iter().flat_map(OAuth2Form::needed) {
            needed.push(name);
        }
        needed.extend(self.database.map(|_| "url"));
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// The credentials that a system of this kind may be given: those, a client's secret where it can do without, and a refresh
    /// token where a person would sign in otherwise.
    #[must_use]
    pub fn known_credentials(&self) -> Vec<&str> {
        let mut known = self.needed_credentials();
        if let Some(oauth2) = &self.auth.oauth2 {
            known.push("client_id");
            known.extend((oauth2.client_auth != ClientAuth::PrivateKeyJwt).then_some("client_secret"));
            known.extend(oauth2.grant.refreshes().then_some("refresh_token"));
        }
        known.sort_unstable();
        known.dedup();
        known
    }
}
