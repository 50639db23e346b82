//! The layers of the house, kept by reading every `crate::` path in the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Which rooms a room may name, itself aside. `docs/architecture.md` shows the same as a picture.
const MAY_USE: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("clock", &[]),
    ("seam", &[]),
    ("sandbox", &[]),
    ("settings", &["core", "clock"]),
    ("telemetry", &["core", "clock", "settings"]),
    ("metrics", &["core", "clock"]),
    ("catalog", &["core", "clock"]),
    ("draft", &["core", "catalog"]),
    ("store", &["core", "clock", "seam"]),
    ("client", &["core", "clock", "seam", "database"]),
    ("database", &["core", "clock", "seam"]),
    (
        "sync",
        &[
            "core",
            "clock",
            "seam",
            "telemetry",
            "metrics",
            "store",
            "client",
            "database",
            "catalog",
        ],
    ),
    ("rehearsal", &["core", "clock", "client", "catalog", "draft"]),
    ("report", &["core", "clock", "telemetry", "metrics", "store", "sync"]),
    (
        "worker",
        &[
            "core",
            "clock",
            "seam",
            "settings",
            "telemetry",
            "metrics",
            "store",
            "client",
            "database",
            "catalog",
            "sync",
        ],
    ),
    (
        "server",
        &[
            "core",
            "clock",
            "seam",
            "settings",
            "telemetry",
            "metrics",
            "store",
            "client",
            "catalog",
            "sync",
            "worker",
            "report",
        ],
    ),
    (
        "cli",
        &[
            "core",
            "clock",
            "seam",
            "settings",
            "telemetry",
            "metrics",
            "store",
            "client",
            "database",
            "catalog",
            "sync",
            "worker",
            "server",
            "rehearsal",
            "report",
            "draft",
            "sandbox",
        ],
    ),
];

/// Libraries that only some rooms may use.
const CONFINED: &[(&str, &[&str])] = &[
    ("sqlx", &["store", "database"]),
    ("rusqlite", &["store"]),
    ("reqwest", &["client"]),
    ("axum", &["server", "sandbox"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn room(path: &Path) -> Option<String> {
    let inside = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let first = inside.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// The code of a file: no comments, and nothing after its tests begin.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    body.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The rooms named after `crate::`, in paths and in `use crate::{…}` groups.
fn named_rooms(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        let word = |text: &str| {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        let Some(group) = part.strip_prefix('{') else {
            rooms.insert(word(part));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && !c.is_whitespace() => {
                    rooms.insert(word(&group[at..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    rooms
}

fn is_test(file: &Path) -> bool {
    file.components()
        .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

#[test]
fn rooms_only_use_the_rooms_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 20, "the sources were not found");
    let mut wrong = Vec::new();
    for file in files {
        if is_test(&file) {
            continue;
        }
        let Some(room) = room(&file) else { continue };
        let Some(may_use) = allowed.get(room.as_str()) else {
            wrong.push(format!("room `{room}` has no place in the house: add it to MAY_USE"));
            continue;
        };
        let code = code(&fs::read_to_string(&file).unwrap());
        for used in named_rooms(&code) {
            let is_room = allowed.contains_key(used.as_str());
            if is_room && used != room && !may_use.contains(&used.as_str()) {
                wrong.push(format!("{}: `{room}` must not use `{used}`", file.display()));
            }
        }
        for (library, rooms) in CONFINED {
            let used = code.contains(&format!("{library}::"));
            if used && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{}: `{library}` belongs to {rooms:?}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_neither_waits_nor_reads_clocks_files_or_chance() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core"), &mut files);
    for file in files {
        if is_test(&file) {
            continue;
        }
        let code = code(&fs::read_to_string(&file).unwrap());
        for impure in [
            "tokio",
            "async fn",
            "std::fs",
            "std::net",
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "rand::",
            "sqlx",
        ] {
            assert!(
                !code.contains(impure),
                "{}: `{impure}` has no place in the core",
                file.display()
            );
        }
    }
}

#[test]
fn grouped_imports_are_seen() {
    let rooms = named_rooms("use crate::{core::{a, b}, store};\nlet x = crate::client::System;");
    assert_eq!(rooms.into_iter().collect::<Vec<_>>(), ["client", "core", "store"]);
}
