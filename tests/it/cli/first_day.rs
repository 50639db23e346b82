//! What a newcomer meets: every dead end names the thing and the way out.

use std::fs;

use super::{Place, stderr, stdout};

#[test]
fn outside_of_a_project_every_command_says_so_and_leaves_nothing_behind() {
    let place = Place::empty();
    for command in [
        &["check"][..],
        &["test"],
        &["doctor"],
        &["runs"],
        &["plan", "x"],
        &["reconcile", "x"],
    ] {
        let done = place.run(command).code(3);
        let text = stderr(&done);
        assert!(text.contains("there is no folder `config`"), "{command:?}: {text}");
        assert!(
            text.contains("syncline init FOLDER") && text.contains("--config-dir"),
            "{command:?}: {text}"
        );
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_first_project_is_well_and_nothing_is_overwritten() {
    let place = Place::empty();
    let done = place.run(&["init", "my"]).code(0);
    assert!(stderr(&done).contains("cd my"), "{}", stderr(&done));
    let mut check = place.command();
    check.current_dir(place.path().join("my")).arg("check");
    assert!(stdout(&check.assert().code(0)).contains("all well"));
    fs::write(place.path().join("my/mappings/contact.yaml"), "mine").unwrap();
    let again = place.run(&["init", "my"]).code(3);
    assert!(stderr(&again).contains("is there already"), "{}", stderr(&again));
    assert_eq!(
        fs::read_to_string(place.path().join("my/mappings/contact.yaml")).unwrap(),
        "mine"
    );
}

#[test]
fn empty_folders_are_no_error_and_the_way_on_is_told() {
    let place = Place::with("");
    fs::create_dir(place.path().join("connectors")).unwrap();
    fs::create_dir(place.path().join("mappings")).unwrap();
    let done = place.run(&["check"]).code(0);
    assert_eq!(stdout(&done), "0 connectors, 0 mappings, 0 cases: all well\n");
    assert!(stderr(&done).contains("syncline init FOLDER"));
    let none = place.run(&["reconcile", "--all"]).code(3);
    assert!(
        stderr(&none).contains("there is no mapping to reconcile"),
        "{}",
        stderr(&none)
    );
}

#[test]
fn folders_that_are_missing_are_named_with_the_setting_that_points_to_them() {
    let place = Place::with("");
    let text = stdout(&place.run(&["check"]).code(1));
    assert!(text.contains("--> connectors") && text.contains("[folders]"), "{text}");
}

#[test]
fn an_unknown_environment_is_told_with_those_that_are_there() {
    let place = Place::project();
    place.write("config/prod.toml", "");
    let text = stderr(&place.run(&["--env", "prdo", "runs"]).code(1));
    assert!(text.contains("did you mean `prod`?"), "{text}");
}

#[test]
fn a_misspelt_mapping_or_system_is_told_with_the_one_that_is_meant() {
    let place = Place::project();
    let text = stderr(&place.run(&["plan", "customer-acount"]).code(2));
    assert!(text.contains("did you mean `customer-account`?"), "{text}");
    let text = stderr(&place.run(&["sync", "contact", "--record", "epr:7"]).code(2));
    assert!(text.contains("did you mean `erp:7`?"), "{text}");
    let text = stderr(&place.run(&["doctor", "cmr"]).code(2));
    assert!(text.contains("did you mean `crm`?"), "{text}");
    let text = stderr(&place.run(&["plan", "contact", "--record", "7"]).code(2));
    assert!(text.contains("SYSTEM:ID"), "{text}");
}

#[test]
fn a_missing_database_or_key_is_told_and_no_look_makes_one() {
    let place = Place::project();
    let text = stderr(&place.run(&["failures"]).code(3));
    assert!(text.contains("[ST011]") && text.contains("syncline migrate"), "{text}");
    assert!(!place.path().join("data").exists());
    place.run(&["migrate"]).code(0);
    fs::remove_file(place.path().join("data/syncline.key")).unwrap();
    let text = stderr(&place.run(&["failures"]).code(3));
    assert!(text.contains("[ST012]"), "{text}");
    assert!(!place.path().join("data/syncline.key").exists());
}

#[test]
fn a_closed_pipe_ends_a_command_without_a_word() {
    let place = Place::project();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_syncline"))
        .current_dir(place.path())
        .args(["config", "show"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success());
}

#[test]
fn a_first_project_with_a_database_is_well_and_its_cases_hold() {
    let place = Place::empty();
    let done = place.run(&["init", "my", "--example", "sql"]).code(0);
    assert!(
        stderr(&done).contains("psql \"$HOUSE_DB_URL\" -f house.sql"),
        "{}",
        stderr(&done)
    );
    let command = |args: &[&str]| {
        let mut command = place.command();
        command
            .current_dir(place.path().join("my"))
            .env("HOUSE_DB_URL", "postgres://ana@127.0.0.1/house");
        command.args(args).assert()
    };
    let checked = stdout(&command(&["check"]).code(0));
    assert!(checked.contains("generic-sql.overlay.yaml is laid over"), "{checked}");
    assert!(checked.contains("all well"), "{checked}");
    assert!(stdout(&command(&["test"]).code(0)).contains("all hold"));
    for entry in [
        "config/dev.toml",
        "connectors/generic-sql.overlay.yaml",
        "mappings/customer-account.yaml",
    ] {
        let text = fs::read_to_string(place.path().join("my").join(entry)).unwrap();
        assert!(
            text.lines().next().unwrap().contains("schema=../schemas/") || text.starts_with("#:schema "),
            "{entry}"
        );
    }
}
