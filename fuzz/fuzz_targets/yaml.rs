//! Any file is read or refused, within its bounds, and every flaw lies inside it.
#![no_main]

use syncline::catalog::yaml::{Document, NODES_MAX};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let document = Document::read(bytes);
    assert!(document.events <= NODES_MAX + 10);
    assert!(document.body.is_ok() || !document.flaws.is_empty());
    for flaw in &document.flaws {
        assert!(flaw.span.start <= flaw.span.end && flaw.span.end <= bytes.len());
    }
});
