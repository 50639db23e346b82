//! Names and links that lead out of the folders of the definitions, in every spelling.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use super::{CANARY, Project};
use crate::cli::{Place, stderr, stdout};

/// Ways to write the file outside, from a folder of definitions.
fn spellings(outside: &Path) -> Vec<String> {
    let outside = outside.display().to_string();
    let bare = outside.trim_end_matches(".yaml").to_owned();
    let mut all = Vec::new();
    for end in ["", ".yaml"] {
        all.extend(
            [
                "../../outside/secret",
                "./../../outside/secret",
                "../connectors/../../outside/secret",
                "....//....//outside/secret",
                "..//..//outside//secret",
                "..\\..\\outside\\secret",
                "..%2f..%2foutside%2fsecret",
                "%2e%2e/%2e%2e/outside/secret",
                "..%252f..%252foutside%252fsecret",
                "..%c0%af..%c0%afoutside%c0%afsecret",
                "..;/..;/outside/secret",
                "\u{ff0e}\u{ff0e}/\u{ff0e}\u{ff0e}/outside/secret",
                "..\u{2215}..\u{2215}outside\u{2215}secret",
                "shop/../../../outside/secret",
            ]
            .map(|path| format!("{path}{end}")),
        );
        all.extend([
            format!("{bare}{end}"),
            format!("/proc/self/root{bare}{end}"),
            format!("file://{bare}{end}"),
            format!("file:{bare}{end}"),
            format!("//{bare}{end}"),
            format!("../../outside/secret{end}\0"),
            format!("../../outside/secret{end}\0shop"),
            format!(" ../../outside/secret{end}"),
            format!("../../outside/secret{end}\n"),
            format!("$PWD/../../outside/secret{end}"),
            format!("~/../../outside/secret{end}"),
            format!("http://127.0.0.1:1/outside/secret{end}"),
        ]);
    }
    all
}

/// Where a name stands that could be taken for a path: the file, and its text with `NAME` in it.
const PLACES: [(&str, &str); 9] = [
    (
        "connectors/evil.yaml",
        "connector: NAME\nbase_url: https://a.example\nobjects: { account: { id: id } }\n",
    ),
    ("connectors/evil.yaml", "!include NAME\n"),
    (
        "connectors/evil.yaml",
        "connector: evil\nbase_url: https://a.example\nobjects: !include NAME\n",
    ),
    ("connectors/shop.overlay.yaml", "extends: NAME\ntitle: evil\n"),
    (
        "mappings/evil.yaml",
        "mapping: NAME\nbetween: { erp: customer, crm: account }\nfields: [ { erp: name, crm: name } ]\nprefer: erp\n",
    ),
    (
        "mappings/evil.yaml",
        "mapping: evil\nbetween: { NAME: customer, crm: account }\nfields: [ { NAME: name, crm: name } ]\nprefer: crm\n",
    ),
    (
        "mappings/evil.yaml",
        "mapping: evil\nbetween: { erp: customer, crm: account }\nfields: [ { erp: name, crm: name, link: NAME } ]\nprefer: erp\n",
    ),
    ("mappings/customer.overlay.yaml", "extends: NAME\nowner: evil\n"),
    ("mappings/customer.test.yaml", "- !include NAME\n"),
];

#[test]
fn no_name_in_a_definition_is_a_path_however_it_is_spelled() {
    let project = Project::new();
    let spellings = spellings(&project.path("outside/secret.yaml"));
    assert!(spellings.len() * PLACES.len() > 400);
    for (file, text) in PLACES {
        for spelling in &spellings {
            let quoted = serde_json::to_string(spelling).unwrap();
            project.write(&format!("project/{file}"), text.replace("NAME", &quoted).as_bytes());
            let told = project.refused(&format!("{spelling:?} in {file}: {text}"));
            let name = file.rsplit('/').next().unwrap();
            assert!(told.contains(name), "{spelling:?}: {file} is not named: {told}");
        }
        fs::remove_file(project.path(&format!("project/{file}"))).unwrap();
    }
    assert!(project.load().is_ok(), "nothing of it is left");
}

#[test]
fn nothing_that_is_no_file_of_its_folder_is_read() {
    let targets: [(&str, &str); 8] = [
        ("a file outside", "../../outside/secret.yaml"),
        ("a link to a link", "../../outside/link.yaml"),
        ("a link through a linked folder", "../linked/secret.yaml"),
        ("a device without an end", "/dev/zero"),
        ("the memory of this process", "/proc/self/mem"),
        ("the variables of this process", "/proc/self/environ"),
        ("nothing", "../../outside/nothing.yaml"),
        ("itself", "evil.yaml"),
    ];
    for (about, target) in targets {
        let project = Project::new();
        symlink("secret.yaml", project.path("outside/link.yaml")).unwrap();
        symlink("../outside", project.path("project/linked")).unwrap();
        symlink(target, project.path("project/connectors/evil.yaml")).unwrap();
        let told = project.refused(about);
        assert!(told.contains("evil.yaml"), "{about}: {told}");
    }
    // A pipe that nobody writes to would be waited for, and a folder is no file.
    let project = Project::new();
    let pipe = project.path("project/connectors/evil.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(project.refused("a pipe").contains("evil.yaml"));
    fs::remove_file(&pipe).unwrap();
    fs::create_dir(&pipe).unwrap();
    assert!(project.refused("a folder").contains("evil.yaml"));
}

#[test]
fn no_command_takes_a_path_for_the_name_of_a_definition() {
    let place = Place::project();
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("secret.yaml");
    let text = format!(
        "connector: secret\ntitle: {CANARY}\nbase_url: https://a.example\nobjects: {{ account: {{ id: id }} }}\n"
    );
    fs::write(&file, text).unwrap();
    let absolute = file.display().to_string();
    let depth = place.path().components().count();
    let relative = format!("{}{absolute}", "../".repeat(depth));
    for spelling in [
        &absolute,
        &relative,
        &format!("file://{absolute}"),
        &format!("connectors/{relative}"),
        &relative.replace('/', "%2f"),
    ] {
        for args in [
            &["check", spelling][..],
            &["test", spelling],
            &["connector", "show", spelling],
            &["mapping", "show", spelling],
            &["plan", spelling],
            &["reconcile", spelling],
            &["config", "show", spelling],
        ] {
            let done = place.run(args);
            let output = done.get_output();
            let code = output.status.code();
            assert!(
                matches!(code, Some(1..=3)),
                "{args:?} ends with {code:?}: {}",
                stdout(&done)
            );
            let told = format!("{}{}", stdout(&done), stderr(&done));
            assert!(!told.contains(CANARY) && !told.contains("panicked"), "{args:?}: {told}");
        }
    }
    // Nor is a system of that kind.
    for spelling in [&absolute, &relative] {
        let place = Place::project();
        let quoted = serde_json::to_string(spelling.trim_end_matches(".yaml")).unwrap();
        place.edit(
            "config/dev.toml",
            "connector = \"sandbox-erp\"",
            &format!("connector = {quoted}"),
        );
        let done = place.run(&["check"]).code(1);
        assert!(!stdout(&done).contains(CANARY), "{}", stdout(&done));
    }
}
