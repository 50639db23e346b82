//! Any XML is read or refused; what was read is written and read again as the same, within the same bounds.
#![no_main]

use syncline::core::value::{
    json::{Limits, to_string},
    xml::{DEFAULT, Element, Namespaces, Ordered, parse, write},
    xml_rpc,
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { depth: 32, nodes: 10_000, text_bytes: 1 << 20, ..Limits::default() };
    let namespaces = Namespaces(
        [("soap".to_owned(), "urn:soap".to_owned()), (DEFAULT.to_owned(), "urn:m".to_owned())].into(),
    );
    let _ = xml_rpc::parse(bytes, &limits);
    let Ok(read) = parse(bytes, &namespaces, &limits) else { return };
    let (mut nodes, mut depth) = (0, 0);
    let is_plain = measure(&read, 1, &mut nodes, &mut depth);
    assert!(nodes <= limits.nodes && depth <= limits.depth / 2, "{nodes} nodes, {depth} deep");
    let shown = |element: Element| to_string(&element.into_document());
    let document = read.clone().into_document();
    if is_plain && let Ok(written) = read.write(&namespaces) {
        let again = parse(&written, &namespaces, &limits);
        assert_eq!(again.map(shown).as_deref(), Ok(shown(read).as_str()), "{}", String::from_utf8_lossy(&written));
    }
    // A structure that is written is a document that is read, whatever stands in it.
    if is_plain && let Ok(written) = write(&Ordered::from(document), &namespaces) {
        let again = parse(&written, &namespaces, &limits);
        assert!(again.is_ok(), "{again:?}: {}", String::from_utf8_lossy(&written));
    }
});

/// Counts elements and attributes, and how deep they stand. False where a name is reserved by the language, or stands twice once
/// its namespace is left away: then there is no way to write it.
fn measure(element: &Element, level: usize, nodes: &mut usize, depth: &mut usize) -> bool {
    *nodes += 1 + element.attributes.len();
    *depth = level.max(*depth);
    let is_free = |name: &str| !name.to_ascii_lowercase().starts_with("xml") && !name.starts_with("default:");
    let mut names: Vec<&str> = element.attributes.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let is_own = names.windows(2).all(|pair| pair[0] != pair[1]) && names.iter().all(|name| is_free(name));
    let children = element.children.iter();
    let are_plain = children.fold(true, |all, child| measure(child, level + 1, nodes, depth) && all);
    is_own && is_free(&element.name) && are_plain
}
