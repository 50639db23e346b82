//! No text becomes a formula in a cell or markup in a page, and each can be had back.
#![no_main]

use syncline::report::{Format, export::cell, markup};

/// What spreadsheet programs take for the beginning of a formula or of another cell.
const SIGNS: &str = "=+-@\t\r\n\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}";

libfuzzer_sys::fuzz_target!(|text: &str| {
    let written = cell::guarded(text);
    assert!(!written.starts_with(|first: char| SIGNS.contains(first)), "{written:?}");
    assert!(!written.contains('\0'));
    assert_eq!(cell::unguarded(&written), text.replace('\0', "\u{fffd}"));
    let fitting = cell::fitting(text);
    assert!(fitting.encode_utf16().count() <= 32_767 && !fitting.contains('\0'));
    assert!(text.replace('\0', "\u{fffd}").starts_with(fitting.trim_end_matches('…')));
    let escaped = markup::escape(text);
    assert!(!escaped.contains(['<', '>', '"', '\'']), "{escaped:?}");
    for format in Format::ALL {
        let name = format.file_name(text, 17);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        assert!(name.len() < 100 && name.chars().all(is_plain) && !name.contains(".."), "{name:?}");
    }
});
