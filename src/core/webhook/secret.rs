//! The keys that requests are checked with: read once, when the settings are loaded.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD_PAD_INDIFFERENT};
use chrono::{DateTime, Utc};
use ed25519_dalek::VerifyingKey;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use zeroize::Zeroizing;

use super::{
    form::KeyForm,
    recipe::{Algorithm, Recipe, Scheme},
};

/// The shortest key a Standard Webhooks sender may make, in bytes.
const WHSEC_BYTES_MIN: usize = 24;

/// A key of one system, in the form its recipe asks for. Never compared, printed or stored by this type.
#[derive(Clone)]
pub struct Secret {
    pub(super) material: Arc<Material>,
    /// The subscription whose pushes alone it signs, by the sender's id of it.
    pub(super) subscription: Option<String>,
    not_after: Option<DateTime<Utc>>,
}

pub(super) enum Material {
    Bytes(SecretSlice<u8>),
    Ed25519(VerifyingKey),
}

/// Why a text cannot be a key. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is no text.
    #[error("the secret is empty")]
    Empty,
    /// White space at either end, as a copied line break leaves it.
    #[error("the secret begins or ends with white space")]
    Padded,
    /// The recipe says `base64`, `whsec` or `whpk`.
    #[error("the secret is not base64")]
    NotBase64,
    /// The recipe says `hex`.
    #[error("the secret is not hexadecimal")]
    NotHex,
    /// A Standard Webhooks secret below the length that its specification asks for.
    #[error("the secret has {bytes} bytes, fewer than the {min} of a Standard Webhooks secret")]
    TooShort {
        /// How many bytes it decodes to.
        bytes: usize,
        /// How many it needs.
        min: usize,
    },
    /// Not the 32 bytes of an ed25519 public key, or a point that makes forging easy.
    #[error("the secret is not an ed25519 public key")]
    NotPublicKey,
    /// The recipe says `basic`.
    #[error("the secret is not of the form `user:password`")]
    NotCredentials,
    /// The recipe says `insecure_no_verification`.
    #[error("the recipe verifies nothing and so uses no secret")]
    Unused,
}

impl Secret {
    /// Reads `text` in the form that `recipe` asks for; it counts until told otherwise by [`Secret::until`].
    pub fn parse(recipe: &Recipe, text: &SecretString) -> Result<Self, SecretError> {
        let text = text.expose_secret();
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if text.trim().len() != text.len() {
            return Err(SecretError::Padded);
        }
        let material = match &recipe.scheme {
            Scheme::Signed(signed) => match signed.algorithm {
                Algorithm::Hmac(_) => Material::Bytes(decode(signed.key, text)?.to_vec().into()),
                Algorithm::Ed25519 => Material::Ed25519(public_key(&decode(signed.key, text)?)?),
            },
            Scheme::Basic => Material::Bytes(credentials(text)?.to_vec().into()),
            Scheme::Shared(_) => Material::Bytes(text.as_bytes().to_vec().into()),
            Scheme::Unverified => return Err(SecretError::Unused),
        };
        Ok(Self {
            material: Arc::new(material),
            subscription: None,
            not_after: None,
        })
    }

    /// The same secret, which no longer counts after `not_after` (`None`: counts for ever).
    #[must_use]
    pub fn until(self, not_after: Option<DateTime<Utc>>) -> Self {
        Self { not_after, ..self }
    }

    /// The same secret, made by the sender for one of its subscriptions: where a push says which one it belongs to, no other
    /// secret of a subscription is tried.
    #[must_use]
    pub fn of(self, subscription: &str) -> Self {
        Self {
            subscription: Some(subscription.to_owned()),
            ..self
        }
    }

    /// Whether it may have signed what says that it belongs to the subscription `named`.
    pub(super) fn fits(&self, named: Option<&str>) -> bool {
        match (self.subscription.as_deref(), named) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        }
    }

    /// Whether the secret still counts at `now`.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.not_after.is_none_or(|end| now <= end)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

fn decode(form: KeyForm, text: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let base64 = |text: &str| {
        STANDARD_PAD_INDIFFERENT
            .decode(text)
            .map(Zeroizing::new)
            .map_err(|_| SecretError::NotBase64)
    };
    let bytes = match form {
        KeyForm::Utf8 => Zeroizing::new(text.as_bytes().to_vec()),
        KeyForm::Base64 => base64(text)?,
        KeyForm::Hex => Zeroizing::new(hex::decode(text).map_err(|_| SecretError::NotHex)?),
        KeyForm::Whsec => base64(text.strip_prefix("whsec_").unwrap_or(text))?,
        KeyForm::Whpk => base64(text.strip_prefix("whpk_").unwrap_or(text))?,
    };
    match bytes.len() {
        0 => Err(SecretError::Empty),
        length if form == KeyForm::Whsec && length < WHSEC_BYTES_MIN => Err(SecretError::TooShort {
            bytes: length,
            min: WHSEC_BYTES_MIN,
        }),
        _ => Ok(bytes),
    }
}

fn public_key(bytes: &[u8]) -> Result<VerifyingKey, SecretError> {
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| SecretError::NotPublicKey)?;
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| SecretError::NotPublicKey)?;
    // A key of small order verifies one signature for many messages.
    if key.is_weak() {
        return Err(SecretError::NotPublicKey);
    }
    Ok(key)
}

/// `user:password`: the user has no colon, the password may (RFC 7617 section 2).
fn credentials(text: &str) -> Result<&[u8], SecretError> {
    match text.split_once(':') {
        Some((_, password)) if !password.is_empty() => Ok(text.as_bytes()),
        _ => Err(SecretError::NotCredentials),
    }
}
