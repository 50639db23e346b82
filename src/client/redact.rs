//! What may be told of another system's answer: a short piece, without control characters and without what looks like
//! personal data or a secret.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The longest excerpt, in characters.
const EXCERPT_CHARS_MAX: usize = 200;
/// Runs of this many digits and more (phone, card and tax numbers) are masked.
const DIGITS_MAX: usize = 6;
/// Runs of this many characters of a token's alphabet are masked, where digits and letters are mixed in them.
const TOKEN_MAX: usize = 24;
/// Shorter secrets are not looked for: they would be found in every other word.
const SECRET_BYTES_MIN: usize = 4;
/// How many secrets that come and go (tokens) are remembered: the newest ones.
const PASSING_MAX: usize = 16;

/// Secrets that are removed from every excerpt, in the spellings in which another system may repeat them.
#[derive(Default)]
pub(super) struct Secrets(Mutex<Known>);

#[derive(Default)]
struct Known {
    lasting: Vec<String>,
    passing: VecDeque<Vec<String>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// One more secret, for good.
    pub(super) fn add(&self, secret: &str) {
        self.known().lasting.extend(spellings(secret));
    }

    /// One more secret that is replaced now and then.
    pub(super) fn add_passing(&self, secret: &str) {
        let mut known = self.known();
        if known.passing.len() >= PASSING_MAX {
            known.passing.pop_front();
        }
        known.passing.push_back(spellings(secret));
    }

    /// Whether a text holds one of them.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let known = self.known();
        known.all().any(|spelling| text.contains(spelling))
    }

    /// The text without any of them.
    pub(super) fn mask(&self, text: &str) -> String {
        let known = self.known();
        let mut found: Vec<&str> = known.all().filter(|spelling| text.contains(*spelling)).collect();
        // The longest first: a part of it that is masked would hide that the rest belongs to it.
        found.sort_unstable_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        let mut masked = text.to_owned();
        for spelling in found {
            masked = masked.replace(spelling, "***");
        }
        masked
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn all(&self) -> impl Iterator<Item = &str> {
        let passing = self.passing.iter().flatten();
        self.lasting.iter().chain(passing).map(String::as_str)
    }
}

/// A secret as it may come back: as it is, percent-encoded, as in a form, in JSON, in hexadecimal, and in base64 behind any
/// other text.
fn spellings(secret: &str) -> Vec<String> {
    if secret.len() < SECRET_BYTES_MIN {
        return Vec::new();
    }
    let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::to_string(secret).unwrap_or_default();
    let hex = hex::encode(secret);
    let mut all = vec![
        secret.to_owned(),
        encoded.to_lowercase(),
        encoded,
        form.to_lowercase(),
        form,
        json.trim_matches('"').to_owned(),
        hex.to_uppercase(),
        hex,
    ];
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret.as_bytes());
        // Characters that do not depend on what stands before and behind.
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        for engine in [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD] {
            let base64 = engine.encode(&bytes);
            all.extend(base64.get(own.clone()).map(ToOwned::to_owned));
        }
    }
    all.retain(|spelling| spelling.len() >= SECRET_BYTES_MIN);
    all.sort_unstable();
    all.dedup();
    all
}

/// A piece of `text` that may be shown and stored.
///
/// Each of `secrets` is removed first, whatever it looks like; then e-mail addresses, long numbers and what looks like
/// a token.
#[must_use]
pub(super) fn excerpt(text: &str, secrets: &Secrets) -> String {
    // Masking needs a little more than is shown, so that nothing is cut in the middle and kept.
    let text: String = text.chars().take(EXCERPT_CHARS_MAX * 8).collect();
    let text = secrets.mask(&text);
    let words = text
        .split(|c: char| c.is_whitespace() || is_hidden(c))
        .filter(|word| !word.is_empty());
    let mut out = String::new();
    let mut count = 0;
    for word in words {
        let masked = mask_word(word);
        count += masked.chars().count() + usize::from(!out.is_empty());
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&masked);
        if count > EXCERPT_CHARS_MAX {
            out = out.chars().take(EXCERPT_CHARS_MAX).collect();
            out.push('…');
            break;
        }
    }
    out
}

/// Control characters, and those that change the direction or hide text.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn mask_word(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut piece = String::new();
    for c in word.chars() {
        if is_piece(c) {
            piece.push(c);
        } else {
            out.push_str(&mask_piece(&piece));
            piece.clear();
            out.push(c);
        }
    }
    out.push_str(&mask_piece(&piece));
    out
}

/// What an address, a number or a token may consist of.
fn is_piece(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '@' | '.' | '-' | '_' | '+' | '%')
}

fn mask_piece(piece: &str) -> String {
    if piece.contains('@') {
        return "***@***".to_owned();
    }
    let has_digit = piece.bytes().any(|byte| byte.is_ascii_digit());
    let has_letter = piece.bytes().any(|byte| byte.is_ascii_alphabetic());
    if piece.chars().count() >= TOKEN_MAX && has_digit && has_letter {
        return "***".to_owned();
    }
    mask_digits(piece)
}

/// Masks runs of digits; the separators inside of a phone number do not end a run.
fn mask_digits(piece: &str) -> String {
    let mut out = String::with_capacity(piece.len());
    let mut run = String::new();
    for c in piece.chars() {
        if c.is_numeric() || (!run.is_empty() && matches!(c, '-' | '.')) {
            run.push(c);
        } else {
            push_run(&mut out, &run);
            run.clear();
            out.push(c);
        }
    }
    push_run(&mut out, &run);
    out
}

fn push_run(out: &mut String, run: &str) {
    if run.chars().filter(|c| c.is_numeric()).count() >= DIGITS_MAX {
        out.push_str("***");
    } else {
        out.push_str(run);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn personal_data_and_tokens_are_masked() {
        for (text, expected) in [
            ("no such field `Nmae`", "no such field `Nmae`"),
            (
                "duplicate value for ana.maria+x@example.com.br!",
                "duplicate value for ***@***!",
            ),
            ("tax id 123456789 is taken", "tax id *** is taken"),
            ("phone +55-11-98765-4321", "phone +***"),
            ("12.345.678/0001-95", "***/***"),
            ("code 12345 at line 7", "code 12345 at line 7"),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIi", "Bearer ***"),
            ("a\u{1b}[31mb\r\nc\u{202e}d\0", "a [31mb c d"),
        ] {
            assert_eq!(excerpt(text, &Secrets::default()), expected, "{text:?}");
        }
    }

    #[test]
    fn known_secrets_are_removed_wherever_they_stand() {
        let secrets = Secrets::default();
        secrets.add("s3cret");
        assert_eq!(excerpt("key=s3cret;", &secrets), "key=***;");
    }

    #[test]
    fn a_secret_is_removed_in_every_spelling() {
        let secret = "pä+ss wörd/1";
        let secrets = Secrets::default();
        secrets.add_passing(secret);
        let mut told = spellings(secret);
        for before in ["", "u", "us", "usr"] {
            told.push(base64::prelude::BASE64_STANDARD.encode(format!("{before}:{secret}:x")));
        }
        for spelling in told {
            let excerpt = excerpt(&format!("got {spelling} from you"), &secrets);
            assert!(
                excerpt.contains("***") && !secrets.are_in(&excerpt),
                "{spelling}: {excerpt}"
            );
        }
    }

    #[test]
    fn old_tokens_are_forgotten_and_credentials_are_not() {
        let secrets = Secrets::default();
        secrets.add("credential");
        for number in 0..100 {
            secrets.add_passing(&format!("token{number:03}"));
        }
        assert!(secrets.are_in("a credential") && secrets.are_in("token099") && !secrets.are_in("token001"));
    }

    proptest! {
        #[test]
        fn an_excerpt_is_short_and_of_one_line(text in any::<String>(), more in ".{0,2000}") {
            let excerpt = excerpt(&format!("{text} {more}"), &Secrets::default());
            prop_assert!(excerpt.chars().count() <= EXCERPT_CHARS_MAX + 1);
            prop_assert!(!excerpt.chars().any(is_hidden));
        }
    }
}
