//! The page of the codes beside the codes in the source.

use std::{collections::BTreeSet, fs, path::Path};

fn codes(text: &str, before: char, after: char) -> BTreeSet<String> {
    let is_code = |word: &&str| {
        let digits = word.strip_prefix("RQ").or_else(|| word.strip_prefix("AU"));
        digits.is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let pieces = text.split([before, after]).map(str::trim);
    pieces.filter(is_code).map(ToOwned::to_owned).collect()
}

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_code_of_the_client_is_explained_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut source = String::new();
    sources(&root.join("src/client"), &mut source);
    let page = fs::read_to_string(root.join("docs/errors/client.md")).unwrap();
    let (told, explained) = (codes(&source, '"', '"'), codes(&page, '|', '|'));
    assert!(told.len() > 20, "{told:?}");
    assert_eq!(told, explained);
}
