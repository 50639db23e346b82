//! What a browser holds: one random word in a cookie. The store keeps a hash of it, forms carry another one.

use std::fmt;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Random bytes of a key.
const KEY_BYTES: usize = 32;

/// A random word that only one browser, or the holder of one link, knows.
#[derive(Clone)]
pub struct Key(Zeroizing<String>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A new one.
    pub fn random() -> Self {
        let random = Zeroizing::new(rand::random::<[u8; KEY_BYTES]>());
        Self(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*random)))
    }

    /// A text that may be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let is_whole = text.len() == (KEY_BYTES * 4).div_ceil(3);
        let is_ours = is_whole && BASE64_URL_SAFE_NO_PAD.decode(text).is_ok();
        is_ours.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The word itself.
    pub fn word(&self) -> &str {
        &self.0
    }

    /// What the store keeps.
    pub fn hash(&self) -> [u8; 32] {
        self.derived("kept")
    }

    /// What forms of this browser carry: nobody who does not know the cookie can make it.
    pub fn form_word(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.derived("form"))
    }

    /// Whether a form came from a page that we gave to this browser.
    pub fn has_made(&self, form_word: &str) -> bool {
        self.form_word().as_bytes().ct_eq(form_word.as_bytes()).into()
    }

    /// A word for one purpose and one thing, which nobody who does not know the cookie can make.
    pub fn word_for(&self, purpose: &str, thing: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.derived_for(purpose, thing))
    }

    fn derived(&self, purpose: &str) -> [u8; 32] {
        self.derived_for(purpose, "")
    }

    fn derived_for(&self, purpose: &str, thing: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in ["syncline console", purpose, thing, &self.0] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// The value of the first cookie of this name.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))
}

/// The cookie that holds a browser's key. A name that begins with `__Host-` cannot be set by another host of the domain.
pub const fn name(is_secure: bool) -> &'static str {
    if is_secure { "__Host-syncline" } else { "syncline" }
}

/// Has the browser keep this key until it is closed, or forget the one it has.
pub fn set(key: Option<&Key>, is_secure: bool) -> Option<HeaderValue> {
    kept(name(is_secure), key.map(Key::word), is_secure)
}

/// Has the browser keep a secret of this name until it is closed, or forget the one it has.
pub fn kept(name: &str, value: Option<&str>, is_secure: bool) -> Option<HeaderValue> {
    let secure = if is_secure { "; Secure" } else { "" };
    let (value, end) = match value {
        Some(value) => (value, ""),
        None => ("", "; Max-Age=0"),
    };
    let mut cookie =
        HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{end}")).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_word_belongs_to_one_key_and_does_not_tell_it() {
        let (one, other) = (Key::random(), Key::random());
        assert!(one.has_made(&one.form_word()) && !one.has_made(&other.form_word()) && !one.has_made(""));
        assert!(!one.form_word().contains(one.word()));
        assert_eq!(Key::parse(one.word()).unwrap().hash(), one.hash());
        for bad in ["", "x", &"!".repeat(43), &"A".repeat(44)] {
            assert!(Key::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_first_cookie_of_a_name_counts() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; syncline=x; syncline=y"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(cookie(&headers, "syncline"), Some("x"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "c"), None);
    }
}
