//! Any JSON is read or refused; what was read is written and read again as the same.
#![no_main]

use syncline::core::{
    path::Path,
    value::{
        json::{Limits, parse, split, to_string},
        projection::Projection,
    },
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = Limits {
        depth: 32,
        nodes: 100_000,
        ..Limits::default()
    };
    if let Ok(value) = parse(bytes, &limits) {
        let text = to_string(&value);
        assert_eq!(parse(text.as_bytes(), &limits).as_ref(), Ok(&value));
    }
    if let Ok(path) = Path::parse("data.items") {
        let _ = split(bytes, &path, &Projection::all(), &limits);
    }
});
