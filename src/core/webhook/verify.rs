//! Verifying a request: the raw bytes against the recipe and the secrets.
//!
//! Signatures are compared as decoded bytes of the exact length, in constant time, each with every live secret, and a
//! match does not end the search: how long it takes tells nothing about which one came close.

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Digest as _;
use subtle::ConstantTimeEq;

use super::{
    Incoming, Secret,
    form::{Digest, Unit},
    message,
    recipe::{Algorithm, Recipe, Scheme, SharedPlace, Signed, Timestamp},
    secret::Material,
    signature, token,
};
use crate::core::value::{json, xml};

/// A request that proved where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Which of the secrets matched, so that an old one can be retired on evidence; `None` if nothing was verified,
    /// as the recipe asked.
    pub secret_index: Option<usize>,
    /// When the sender says it sent, where the recipe has a timestamp.
    pub timestamp: Option<DateTime<Utc>>,
}

/// Why a request was refused. For logs and metrics only: the sender gets the same answer to all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Something the recipe reads cannot be used.
    #[error("{place} {flaw}")]
    Input {
        /// Where it was looked for.
        place: Place,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// No signature matches any live secret.
    #[error("no signature matches")]
    Signature,
    /// The time of sending cannot be read, or is too far from ours.
    #[error("timestamp {0}")]
    Timestamp(Staleness),
    /// User and password, or the shared secret, are not ours.
    #[error("credentials do not match")]
    Credentials,
    /// There is no secret that still counts.
    #[error("no secret is live")]
    Secret,
}

/// Where a recipe reads. The names are those of the recipe, never of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A header.
    Header(String),
    /// A query parameter.
    Query(String),
    /// The JSON body.
    Body,
}

/// What is wrong with an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is not there.
    Missing,
    /// It is there without a value.
    Empty,
    /// It is there more than once.
    Repeated,
    /// It is not laid out as the recipe says.
    Malformed,
}

/// What is wrong with a time of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staleness {
    /// It is not in the unit that the recipe names.
    Malformed,
    /// It is further back than the tolerance.
    Old,
    /// It is further ahead than the tolerance.
    Future,
}

/// The kinds of [`Rejection`], for a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A header, parameter or body that cannot be used.
    Header,
    /// No signature matches.
    Signature,
    /// The time of sending.
    Timestamp,
    /// User and password, or the shared secret.
    Credentials,
    /// No secret is live.
    Secret,
}

impl Rejection {
    /// The kind of rejection.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Input { .. } => Kind::Header,
            Self::Signature => Kind::Signature,
            Self::Timestamp(_) => Kind::Timestamp,
            Self::Credentials => Kind::Credentials,
            Self::Secret => Kind::Secret,
        }
    }
}

impl Kind {
    /// The kind as one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Signature => "signature",
            Self::Timestamp => "timestamp",
            Self::Credentials => "credentials",
            Self::Secret => "secret",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::Query(name) => write!(f, "query parameter `{name}`"),
            Self::Body => f.write_str("body"),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Empty => "is empty",
            Self::Repeated => "is repeated",
            Self::Malformed => "is malformed",
        })
    }
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "is malformed",
            Self::Old => "is too old",
            Self::Future => "is in the future",
        })
    }
}

/// Checks `request` by `recipe`: `Ok` only if it was made by a holder of one of `secrets` that counts at `now`.
///
/// With a recipe that verifies nothing every request passes and `secrets` are not looked at.
pub fn verify(
    recipe: &Recipe,
    secrets: &[Secret],
    request: &Incoming<'_>,
    now: DateTime<Utc>,
) -> Result<Verified, Rejection> {
    if recipe.is_unverified() {
        return Ok(Verified {
            secret_index: None,
            timestamp: None,
        });
    }
    let live: Vec<(usize, &Secret)> = secrets
        .iter()
        .enumerate()
        .filter(|(_, secret)| secret.is_live(now))
        .collect();
    if live.is_empty() {
        return Err(Rejection::Secret);
    }
    match &recipe.scheme {
        Scheme::Signed(signed) => verify_signature(signed, &live, request, now),
        Scheme::Basic => verify_token(&live, &credentials(request)?),
        Scheme::Shared(place) => verify_token(&live, &shared(place, request)?),
        Scheme::Unverified => Err(Rejection::Secret),
    }
}

fn verify_signature(
    recipe: &Signed,
    live: &[(usize, &Secret)],
    request: &Incoming<'_>,
    now: DateTime<Utc>,
) -> Result<Verified, Rejection> {
    let claim = signature::claim(recipe, request)?;
    let timestamp = match (&recipe.timestamp, claim.timestamp) {
        (Some(rule), Some(text)) => Some((rule, read_time(rule.unit, text)?)),
        _ => None,
    };
    let parts = message::parts(&recipe.message, request, claim.timestamp)?;
    let mut found = None;
    // Which subscription a push belongs to is no secret: those of others need not be tried.
    let fitting = live
        .iter()
        .filter(|(_, secret)| secret.fits(claim.subscription.as_deref()));
    for (index, secret) in fitting {
        let is_match = match (recipe.algorithm, &*secret.material) {
            (Algorithm::Hmac(digest), Material::Bytes(key)) => {
                any_equal(&mac(digest, key.expose_secret(), &parts), &claim.candidates)
            }
            (Algorithm::Ed25519, Material::Ed25519(key)) => any_signed(key, &parts, &claim.candidates),
            // A secret that was read for another recipe.
            _ => false,
        };
        if is_match && found.is_none() {
            found = Some(*index);
        }
    }
    let secret_index = Some(found.ok_or(Rejection::Signature)?);
    if let Some((rule, sent_at)) = timestamp {
        check_time(rule, sent_at, now)?;
    }
    Ok(Verified {
        secret_index,
        timestamp: timestamp.map(|(_, sent_at)| sent_at),
    })
}

/// Seconds and milliseconds are ASCII digits and nothing else: no sign, no fraction, no other script's digits.
fn read_time(unit: Unit, text: &str) -> Result<DateTime<Utc>, Rejection> {
    let number = || {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten()
    };
    match unit {
        Unit::S => number().and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        Unit::Ms => number().and_then(DateTime::from_timestamp_millis),
        Unit::Rfc3339 => DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()),
    }
    .ok_or(Rejection::Timestamp(Staleness::Malformed))
}

fn check_time(rule: &Timestamp, sent_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Rejection> {
    let age = now.signed_duration_since(sent_at);
    if age > rule.past {
        return Err(Rejection::Timestamp(Staleness::Old));
    }
    if -age > rule.future {
        return Err(Rejection::Timestamp(Staleness::Future));
    }
    Ok(())
}

/// The keyed hash of all parts, one behind the other.
pub(in crate::core) fn mac(digest: Digest, key: &[u8], parts: &[Cow<'_, [u8]>]) -> Vec<u8> {
    match digest {
        Digest::Sha1 => mac_with::<Hmac<sha1::Sha1>>(key, parts),
        Digest::Sha256 => mac_with::<Hmac<sha2::Sha256>>(key, parts),
        Digest::Sha512 => mac_with::<Hmac<sha2::Sha512>>(key, parts),
    }
}

fn mac_with<M: Mac + KeyInit>(key: &[u8], parts: &[Cow<'_, [u8]>]) -> Vec<u8> {
    // An HMAC takes a key of any length; should that change, the empty code below equals no candidate.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        return Vec::new();
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn any_equal(expected: &[u8], candidates: &[Vec<u8>]) -> bool {
    let mut found = subtle::Choice::from(0);
    for candidate in candidates {
        found |= expected.ct_eq(candidate);
    }
    found.into()
}

fn any_signed(key: &VerifyingKey, parts: &[Cow<'_, [u8]>], candidates: &[Vec<u8>]) -> bool {
    let message = parts.concat();
    let mut found = false;
    for candidate in candidates {
        let signature = Signature::from_slice(candidate);
        found |= signature.is_ok_and(|signature| key.verify_strict(&message, &signature).is_ok());
    }
    found
}

/// Compares digests, so that not even the length of the secret shows in the time it takes.
fn verify_token(live: &[(usize, &Secret)], presented: &[u8]) -> Result<Verified, Rejection> {
    let presented = sha2::Sha256::digest(presented);
    let mut found = None;
    for (index, secret) in live {
        let Material::Bytes(text) = &*secret.material else {
            continue;
        };
        let expected = sha2::Sha256::digest(text.expose_secret());
        if bool::from(expected.ct_eq(&presented)) && found.is_none() {
            found = Some(*index);
        }
    }
    Ok(Verified {
        secret_index: Some(found.ok_or(Rejection::Credentials)?),
        timestamp: None,
    })
}

/// `user:password` out of `Authorization: Basic` (RFC 7617). It is compared whole, so a colon in the password is no matter.
fn credentials(request: &Incoming<'_>) -> Result<Vec<u8>, Rejection> {
    const NAME: &str = "authorization";
    let value = request.header(NAME)?;
    value
        .split_at_checked("Basic ".len())
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Basic "))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim_ascii()).ok())
        .ok_or_else(|| Rejection::Input {
            place: Place::Header(NAME.to_owned()),
            flaw: Flaw::Malformed,
        })
}

fn shared(place: &SharedPlace, request: &Incoming<'_>) -> Result<Vec<u8>, Rejection> {
    let body = |flaw| Rejection::Input {
        place: Place::Body,
        flaw,
    };
    let found = match place {
        SharedPlace::Header(name) => return request.header(name).map(<[u8]>::to_vec),
        SharedPlace::Query(name) => return request.parameter(name),
        SharedPlace::Body(path) => token::find(request.body, path).map_err(drop),
        SharedPlace::Xml(path, namespaces) => {
            xml::find(request.body, namespaces, path, &json::Limits::default()).map_err(drop)
        }
    };
    let found = found.map_err(|()| body(Flaw::Malformed))?;
    found.map(String::into_bytes).ok_or_else(|| body(Flaw::Missing))
}
