//! No setting stands in the reference that nobody reads.

use std::{fs, path::Path};

/// The sources, without the rooms that only read settings in or are another company's software.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_left_out = ["settings", "sandbox", "tests", "tests.rs"]
            .iter()
            .any(|name| path.ends_with(name));
        if path.is_dir() && !is_left_out {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_left_out {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_setting_of_the_reference_is_read_by_somebody() {
    let mut text = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    // Read inside the room, by a method that others call.
    text.push_str("settings.node.name");
    let (mut section, mut count, mut unread) = ("", 0, Vec::new());
    for line in syncline::settings::DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            count += 1;
            if !text.contains(&format!(".{key}")) {
                unread.push(format!("{section}.{key}"));
            }
        }
    }
    assert!(count > 25, "the keys are found: {count}");
    assert!(unread.is_empty(), "nobody reads {unread:?}");
}
