//! That nobody can write a handler that forgets: what the sources say, and what a store within a scope reads.

use std::{fs, path::Path};

/// Handlers that nobody passes a door for, and the door itself.
const OPEN: [&str; 3] = ["sign.rs", "openid.rs", "door.rs"];
/// What reaches past the scope of whoever asks.
const PAST: [&str; 5] = [
    ".engine().store(",
    ".engine().mapping(",
    ".engine().mappings(",
    ".engine().systems(",
    ".settings().systems",
];

#[test]
fn every_handler_behind_a_door_takes_the_server_as_far_as_its_caller_may_see() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
    let mut handlers = 0;
    for folder in ["api", "console"] {
        for file in fs::read_dir(root.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.extension().is_none_or(|extension| extension != "rs") || OPEN.contains(&name.as_str()) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let text: String = text.split_whitespace().collect();
            let of_axum = text
                .split("useaxum::")
                .skip(1)
                .filter_map(|rest| rest.split(';').next());
            for named in of_axum {
                let is_whole = named.contains("State");
                assert!(
                    !is_whole,
                    "{folder}/{name} takes the whole house: use `server::extract::State`"
                );
            }
            assert!(!text.contains("axum::extract::State"), "{folder}/{name}");
            for past in PAST {
                assert!(
                    !text.contains(past),
                    "{folder}/{name} has `{past}`: ask the app, which knows the scope"
                );
            }
            handlers += text.matches("State(app):State<App>").count();
        }
    }
    assert!(handlers > 60, "the handlers are found: {handlers}");
}
