//! An ID token: whether it is of the provider, for us, of now, and the answer to this sign-in (OpenID Connect Core 1.0, 3.1.3.7).

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header,
    jwk::{Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::{Map as JsonMap, Value as Json};
use subtle::ConstantTimeEq as _;

use super::crypto::{self, ALGORITHMS};

/// The largest token.
const TOKEN_BYTES_MAX: usize = 256 << 10;
/// The longest name of a person by their provider (section 2).
const SUBJECT_BYTES_MAX: usize = 255;
/// How far two clocks may be apart.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// What a token has to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: DateTime<Utc>,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is no signed token, or one that asks for what we do not know.
    #[error("it is not a signed token that can be read")]
    Unreadable,
    /// It is not signed in a way that counts.
    #[error("it is signed in no way that counts (none, or with a shared secret)")]
    Algorithm,
    /// No published key has its name.
    #[error("the provider publishes no key of its name")]
    UnknownKey,
    /// The signature is not of that key.
    #[error("its signature is wrong")]
    Signature,
    /// It is of another provider.
    #[error("it is of another issuer")]
    Issuer,
    /// It is for another application.
    #[error("it is for another client")]
    Audience,
    /// It has ended.
    #[error("it has ended: do the clocks agree?")]
    Ended,
    /// It is of the future.
    #[error("it is of the future: do the clocks agree?")]
    Early,
    /// It answers another sign-in.
    #[error("it answers another sign-in")]
    Nonce,
    /// It names nobody.
    #[error("it names nobody")]
    Subject,
}

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    aud: Audience,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    azp: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn is_only(&self, client_id: &str) -> bool {
        match self {
            Self::One(name) => name == client_id,
            Self::Many(names) => names.iter().all(|name| name == client_id),
        }
    }
}

/// The head of a token, if it is signed in a way that counts.
pub(super) fn head(token: &str) -> Result<Header, Flaw> {
    crypto::install();
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Flaw::Unreadable);
    }
    // `none` is no algorithm for the library, as any other that it does not know.
    let head = decode_header(token).map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::Json(_) => Flaw::Algorithm,
        _ => Flaw::Unreadable,
    })?;
    if !ALGORITHMS.contains(&head.alg) {
        return Err(Flaw::Algorithm);
    }
    // A head may ask for rules that we do not know.
    if head.crit.is_some() || head.enc.is_some() || head.zip.is_some() {
        return Err(Flaw::Unreadable);
    }
    Ok(head)
}

/// Whether the keys have one for this head.
pub(super) fn has_key(head: &Header, keys: &JwkSet) -> bool {
    keys_for(head, keys).next().is_some()
}

fn keys_for<'a>(head: &'a Header, keys: &'a JwkSet) -> impl Iterator<Item = &'a Jwk> {
    let named = move |key: &&Jwk| head.kid.is_none() || key.common.key_id == head.kid;
    keys.keys.iter().filter(named).filter(|key| signs(key, head.alg))
}

fn signs(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let is_for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let verifies = common
        .key_operations
        .as_ref()
        .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let is_of_it = common
        .key_algorithm
        .is_none_or(|own| own == KeyAlgorithm::from(algorithm));
    is_for_signatures && verifies && is_of_it
}

/// What the token says of its person, if it can be believed.
pub(super) fn check(token: &str, keys: &JwkSet, expected: Expected<'_>) -> Result<JsonMap<String, Json>, Flaw> {
    let head = head(token)?;
    let mut validation = Validation::new(head.alg);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library reads the machine's clock; times are compared below, with ours.
    validation.validate_exp = false;
    let mut flaw = Flaw::UnknownKey;
    for key in keys_for(&head, keys) {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match decode::<JsonMap<String, Json>>(token, &key, &validation) {
            Ok(said) => {
                let claims = serde_json::from_value(Json::Object(said.claims.clone()));
                let claims: Claims = claims.map_err(|_| Flaw::Unreadable)?;
                compare(&claims, expected)?;
                return Ok(said.claims);
            }
            Err(error) => flaw = flaw_of(&error),
        }
        if flaw != Flaw::Signature {
            break;
        }
    }
    Err(flaw)
}

fn flaw_of(error: &jsonwebtoken::errors::Error) -> Flaw {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        // A key of another family is none that signed it.
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => Flaw::Signature,
        ErrorKind::InvalidIssuer => Flaw::Issuer,
        ErrorKind::InvalidAudience => Flaw::Audience,
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "iss" => Flaw::Issuer,
            "aud" => Flaw::Audience,
            "exp" => Flaw::Ended,
            _ => Flaw::Subject,
        },
        _ => Flaw::Unreadable,
    }
}

fn compare(claims: &Claims, expected: Expected<'_>) -> Result<(), Flaw> {
    let is_ours = |name: &String| name == expected.client_id;
    // Several audiences: the one it was made for must be us.
    if claims.azp.as_ref().is_some_and(|name| !is_ours(name))
        || (claims.azp.is_none() && !claims.aud.is_only(expected.client_id))
    {
        return Err(Flaw::Audience);
    }
    if at(claims.exp)? + LEEWAY <= expected.now {
        return Err(Flaw::Ended);
    }
    let latest = expected.now + LEEWAY;
    let not_before = claims.nbf.map(at).transpose()?;
    if at(claims.iat)? > latest || not_before.is_some_and(|at| at > latest) {
        return Err(Flaw::Early);
    }
    let nonce = claims.nonce.as_deref().unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(Flaw::Nonce);
    }
    if claims.sub.trim().is_empty() || claims.sub.len() > SUBJECT_BYTES_MAX {
        return Err(Flaw::Subject);
    }
    Ok(())
}

/// A time in seconds, of which fractions do not matter.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is out of range is no time, and refused"
)]
fn at(seconds: f64) -> Result<DateTime<Utc>, Flaw> {
    let whole = seconds.is_finite().then_some(seconds.floor() as i64);
    whole
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .filter(|at| at.timestamp().unsigned_abs() < 1 << 40)
        .ok_or(Flaw::Unreadable)
}
