//! The signature of a notice, as Standard Webhooks 1.0.0 has it: HMAC-SHA256 over `{id}.{timestamp}.{body}`.
//!
//! While a secret is being replaced, the body is signed with both, so that a receiver may change over whenever it likes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;

/// The fewest and the most bytes that the specification lets a secret have.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What notices to one target are signed with. Never printed.
pub struct Key(SecretSlice<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

/// Why a text is no secret of Standard Webhooks. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// It does not begin with `whsec_`.
    #[error("the secret does not begin with `whsec_`")]
    Prefix,
    /// What follows is no base64.
    #[error("what follows `whsec_` is not base64")]
    NotBase64,
    /// Too short or too long.
    #[error("the secret has {0} bytes, and not 24 to 64")]
    Length(usize),
}

impl Key {
    /// Reads `whsec_` and the base64 of 24 to 64 bytes.
    pub fn parse(text: &SecretString) -> Result<Self, NoKey> {
        let encoded = text.expose_secret().strip_prefix("whsec_").ok_or(NoKey::Prefix)?;
        let bytes = zeroize::Zeroizing::new(STANDARD.decode(encoded).map_err(|_| NoKey::NotBase64)?);
        if !KEY_BYTES.contains(&bytes.len()) {
            return Err(NoKey::Length(bytes.len()));
        }
        Ok(Self(bytes.to_vec().into()))
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        // An HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else {
            return String::new();
        };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The three headers of a signed body. The id stays the same over all tries, the time of sending does not.
#[must_use]
pub fn headers(keys: &[Key], id: &str, sent_at: DateTime<Utc>, body: &[u8]) -> [(&'static str, String); 3] {
    let timestamp = sent_at.timestamp();
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(id, timestamp, body)).collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_another_form_is_refused() {
        let parse = |text: &str| Key::parse(&SecretString::from(text)).unwrap_err();
        assert_eq!(parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), NoKey::Prefix);
        assert_eq!(parse("whsec_***"), NoKey::NotBase64);
        assert_eq!(parse("whsec_c2hvcnQ="), NoKey::Length(5));
        assert_eq!(parse(&format!("whsec_{}", STANDARD.encode([1; 65]))), NoKey::Length(65));
    }

    #[test]
    fn the_example_of_the_specification_is_signed_as_it_says() {
        let key = Key::parse(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let at = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
        let [_, _, (_, signature)] = headers(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
