//! Made-up values of the same shape: equal ones for equal ones, by a key that nobody keeps.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Letters of made-up words, in turn.
const CONSONANTS: &[u8] = b"bdfgklmnprstvz";
const VOWELS: &[u8] = b"aeiou";
/// Letters for letters with accents.
const ACCENTED: [char; 6] = ['á', 'é', 'í', 'ó', 'ú', 'ç'];
/// Ends of companies' names: no secret, and mappings know them.
const KEPT_WORDS: [&str; 14] = [
    "ltda", "gmbh", "inc", "ltd", "llc", "sa", "ag", "kg", "co", "bv", "ab", "spa", "srl", "plc",
];

/// Makes values up.
pub(super) struct Maker {
    key: [u8; 32],
}

impl Maker {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// As many bytes as are asked for, the same for the same text.
    fn stream(&self, text: &str, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new_keyed(&self.key)
            .update(text.to_lowercase().as_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    /// Words for words, digits for digits, and everything else as it is.
    pub(super) fn words(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        // How an address is reached is no secret.
        let scheme = text.find("://").filter(|at| *at <= 5).map_or(0, |at| at + 3);
        let (scheme, mut rest) = text.split_at(scheme);
        masked.push_str(scheme);
        while let Some(first) = rest.chars().next() {
            let kind = |found: char| (found.is_alphabetic(), found.is_numeric());
            let end = rest.find(|found| kind(found) != kind(first)).unwrap_or(rest.len());
            let (run, behind) = rest.split_at(end);
            rest = behind;
            match kind(first) {
                (true, _) => masked.push_str(&self.word(run)),
                (_, true) => masked.push_str(&self.digits(run)),
                _ => masked.push_str(run),
            }
        }
        masked
    }

    fn word(&self, word: &str) -> String {
        let folded = word.to_lowercase();
        if KEPT_WORDS.contains(&folded.as_str()) {
            return word.to_owned();
        }
        let bytes = self.stream(&folded, word.chars().count());
        let letter = |(index, (own, byte)): (usize, (char, u8))| {
            let made_up = if own.is_ascii() {
                let letters = if index % 2 == 0 { CONSONANTS } else { VOWELS };
                char::from(pick(letters, byte))
            } else {
                pick(&ACCENTED, byte)
            };
            if own.is_uppercase() {
                made_up.to_uppercase().next().unwrap_or(made_up)
            } else {
                made_up
            }
        };
        word.chars().zip(bytes).enumerate().map(letter).collect()
    }

    /// Digits for digits, whatever stands between them: the same number in another spelling stays the same number.
    pub(super) fn digits(&self, text: &str) -> String {
        let own: String = text.chars().filter(char::is_ascii_digit).collect();
        let mut bytes = self.stream(&own, own.len()).into_iter();
        let digit = |found: char| {
            if !found.is_ascii_digit() {
                return found;
            }
            let byte = bytes.next().unwrap_or_default();
            // No zero where there was none: it would be lost in front of a number.
            char::from(if found == '0' {
                b'0' + byte % 10
            } else {
                b'1' + byte % 9
            })
        };
        text.chars().map(digit).collect()
    }

    /// An address that leads nowhere.
    pub(super) fn email(&self, text: &str) -> String {
        let part = |one: &str| match one.split_once('@') {
            Some((local, domain)) => {
                let house = domain.rsplit_once('.').map_or(domain, |(house, _)| house);
                format!("{}@{}.example", self.words(local), self.words(house))
            }
            None => self.words(one),
        };
        text.split_inclusive(char::is_whitespace).map(part).collect()
    }

    /// A day of some other year, with dashes or without.
    pub(super) fn day(&self, text: &str) -> String {
        let byte = self.stream(text, 2);
        let (year, day) = (byte.first().copied().unwrap_or(0), byte.last().copied().unwrap_or(0));
        let (year, day) = (50 + year % 50, 1 + day % 28);
        let is_bare = text
            .get(..8)
            .is_some_and(|start| start.bytes().all(|byte| byte.is_ascii_digit()));
        if is_bare {
            return format!("19{year:02}01{day:02}{}", text.get(8..).unwrap_or_default());
        }
        format!("19{year:02}-01-{day:02}{}", text.get(10..).unwrap_or_default())
    }

    /// Bytes in Base64: a few others, since nobody can say what they are.
    pub(super) fn bytes(&self, text: &str) -> String {
        const BYTES_MAX: usize = 12;
        STANDARD.encode(self.stream(text, text.len().min(BYTES_MAX)))
    }
}

/// One of several, by a byte.
fn pick<T: Copy + Default>(from: &[T], byte: u8) -> T {
    let count = from.len().max(1);
    from.get(usize::from(byte) % count).copied().unwrap_or_default()
}
