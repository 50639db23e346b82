//! What may be told of another system's answer: a short piece, without control characters and without what looks like
//! personal data or a secret.

/// The longest excerpt, in characters.
const EXCERPT_CHARS_MAX: usize = 200;
/// Runs of this many digits and more (phone, card and tax numbers) are masked.
const DIGITS_MAX: usize = 6;
/// Runs of this many characters of a token's alphabet are masked, where digits and letters are mixed in them.
const TOKEN_MAX: usize = 24;

/// A piece of `text` that may be shown and stored.
///
/// Each of `secrets` is removed first, whatever it looks like; then e-mail addresses, long numbers and what looks like
/// a token.
#[must_use]
pub(super) fn excerpt<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    // Masking needs a little more than is shown, so that nothing is cut in the middle and kept.
    let mut text: String = text.chars().take(EXCERPT_CHARS_MAX * 8).collect();
    for secret in secrets {
        if secret.len() >= 4 {
            text = text.replace(secret, "***");
        }
    }
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
            assert_eq!(excerpt(text, []), expected, "{text:?}");
        }
    }

    #[test]
    fn known_secrets_are_removed_wherever_they_stand() {
        assert_eq!(excerpt("key=s3cret;", ["s3cret"]), "key=***;");
    }

    proptest! {
        #[test]
        fn an_excerpt_is_short_and_of_one_line(text in any::<String>(), more in ".{0,2000}") {
            let excerpt = excerpt(&format!("{text} {more}"), []);
            prop_assert!(excerpt.chars().count() <= EXCERPT_CHARS_MAX + 1);
            prop_assert!(!excerpt.chars().any(is_hidden));
        }
    }
}
