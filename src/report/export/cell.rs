//! Text in cells: what a spreadsheet program would take for a formula is made plain text, in a way that can be undone.
//!
//! A program that opens a CSV file takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break for something to
//! execute (OWASP, "CSV injection"); some do so with the full-width forms of these signs, too. Such a cell gets an apostrophe
//! in front, and so does one that begins with an apostrophe already: whoever reads the file takes one leading apostrophe away
//! and has the very text again.

use std::borrow::Cow;

/// Signs at the beginning of a cell that make it more than text to some program.
const SIGNS: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '\''];

/// Whether some program would take the text for more than text.
#[must_use]
pub fn is_risky(text: &str) -> bool {
    text.starts_with(SIGNS)
}

/// The text as it is written to a CSV file.
#[must_use]
pub fn guarded(text: &str) -> Cow<'_, str> {
    let plain = without_nul(text);
    if is_risky(&plain) {
        Cow::Owned(format!("'{plain}"))
    } else {
        plain
    }
}

/// The text of a cell that [`guarded`] has written.
#[must_use]
pub fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// The most UTF-16 units a cell of a spreadsheet holds.
const UNITS_MAX: usize = 32_767;

/// The text as a spreadsheet can hold it: cut where it is too long.
#[must_use]
pub fn fitting(text: &str) -> Cow<'_, str> {
    let plain = without_nul(text);
    // No text has more UTF-16 units than bytes.
    if plain.len() <= UNITS_MAX || plain.encode_utf16().count() <= UNITS_MAX {
        return plain;
    }
    let mut units = 1;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= UNITS_MAX
    };
    let mut cut: String = plain.chars().take_while(fits).collect();
    cut.push('…');
    Cow::Owned(cut)
}

/// No form of file has a NUL; the store keeps none either.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_be_a_formula_gets_an_apostrophe() {
        for text in [
            "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x", "'=1",
        ] {
            assert_eq!(guarded(text), format!("'{text}"));
        }
        for text in ["", "a=1", " =1", "1-1", "R$ 5", "á"] {
            assert_eq!(guarded(text), text);
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_at_a_character() {
        let long = "😀".repeat(20_000);
        let cut = fitting(&long);
        assert!(cut.encode_utf16().count() <= UNITS_MAX && cut.ends_with('…'));
        let exact = "x".repeat(UNITS_MAX);
        assert_eq!(fitting(&exact), exact);
    }

    proptest! {
        #[test]
        fn a_guarded_cell_never_begins_with_a_sign_and_can_be_undone(text in "[=+@'\t\r\n＝a \\-]{0,6}") {
            let cell = guarded(&text);
            prop_assert!(cell.starts_with('\'') || !is_risky(&cell));
            prop_assert_eq!(unguarded(&cell), text.as_str());
        }
    }
}
