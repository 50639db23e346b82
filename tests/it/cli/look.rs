//! Help, exit codes, and commands that look into the store.

use std::fs;

use serde_json::Value as Json;

use super::{Place, stderr, stdout};

/// Every command that `--help` lists.
pub fn commands(place: &Place) -> Vec<String> {
    let help = stdout(&place.run(&["--help"]).code(0));
    let list = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    let names = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let place = Place::with("");
    let commands = commands(&place);
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let help = stdout(&place.run(&[&command, "--help"]).code(0));
        assert!(help.contains("Example"), "{command}:\n{help}");
        assert!(
            help.contains(&format!("syncline {command}")) || help.contains(" {command}"),
            "{command}:\n{help}"
        );
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_right() {
    let place = Place::with("");
    for args in [
        &["runz"][..],
        &["runs", "--kind", "sometimes"],
        &["schema"],
        &["links", "--limit", "0"],
    ] {
        let done = place.run(args).code(2);
        assert!(stdout(&done).is_empty() && !stderr(&done).is_empty(), "{args:?}");
    }
    let unknown = place.run(&["runs", "--kind", "sometimes"]).code(2);
    assert!(stderr(&unknown).contains("sometimes"), "{}", stderr(&unknown));
}

#[test]
fn wrong_settings_end_with_1_and_name_key_and_file() {
    let place = Place::with("[server]\nbnid = \"x\"");
    let done = place.run(&["runs"]).code(1);
    let text = stderr(&done);
    for part in [
        "error[CF003]: unknown key `bnid`",
        "config/dev.toml (server.bnid)",
        "did you mean `bind`?",
        "1 problem in the settings",
    ] {
        assert!(text.contains(part), "{part} not in\n{text}");
    }
    let place = Place::with("");
    let text = stderr(&place.run(&["--env", "prod", "runs"]).code(1));
    assert!(text.contains("config/prod.toml is missing"), "{text}");
}

#[test]
fn a_database_that_is_not_there_ends_with_3_and_says_what_to_do() {
    let place = Place::with("");
    let done = place.run(&["runs"]).code(3);
    assert!(
        stderr(&done).starts_with("error: [ST011] there is no database"),
        "{}",
        stderr(&done)
    );
    assert!(stderr(&done).contains("syncline migrate"));
    let done = place.run(&["--json", "runs"]).code(3);
    let error: Json = serde_json::from_str(&stdout(&done)).unwrap();
    assert!(error["error"].as_str().unwrap().contains("[ST011]"));
}

#[test]
fn a_token_is_made_listed_and_taken_back() {
    let place = Place::with("");
    place.run(&["migrate"]).code(0);
    let made = place
        .run(&["token", "create", "ops", "--role", "operator", "--expires", "90d"])
        .code(0);
    let token = stdout(&made);
    assert!(
        token.starts_with("syncline_") && token.trim_end().len() == 52,
        "{token}"
    );
    assert!(!stderr(&made).contains(token.trim_end()));
    let listed = &place.json(&["token", "list"])[0];
    assert_eq!((&listed["name"], &listed["role"]), (&"ops".into(), &"operator".into()));
    assert!(listed["expires_at"].is_string() && !listed.to_string().contains(token.trim_end()));
    place.run(&["token", "revoke", "1"]).code(0);
    let again = place.run(&["token", "revoke", "1"]).code(3);
    assert!(stderr(&again).contains("hint: syncline token list"));
}

#[test]
fn lists_of_an_empty_store_are_empty_and_no_error() {
    let place = Place::with("");
    place.run(&["migrate"]).code(0);
    for list in ["runs", "failures", "links", "deletes", "conflicts", "events", "drift"] {
        assert!(place.json(&[list]).is_empty(), "{list}");
        place.run(&[list]).code(0);
    }
    place.run(&["failures", "groups"]).code(0);
    place.run(&["drift", "--threshold", "0"]).code(0);
    for missing in [
        &["runs", "9"][..],
        &["failures", "show", "9"],
        &["drift", "9"],
        &["links", "end", "9"],
        &["conflicts", "ignore", "9"],
    ] {
        let done = place.run(missing).code(3);
        assert!(stderr(&done).contains('9'), "{}", stderr(&done));
    }
}

#[test]
fn settings_are_shown_with_where_they_come_from_and_without_secrets() {
    let place = Place::with(
        "[systems.crm]\nconnector = \"x\"\ncredentials = { client_secret = \"canary\" }\nwebhook_secrets = [\"canary\"]",
    );
    let all = place.json(&["config", "show"]);
    assert!(!serde_json::to_string(&all).unwrap().contains("canary"));
    let connector = all
        .iter()
        .find(|entry| entry["key"] == "systems.crm.connector")
        .unwrap();
    assert_eq!(connector["origin"]["file"], "config/dev.toml");
    let bind = all.iter().find(|entry| entry["key"] == "server.bind").unwrap();
    assert_eq!(bind["origin"], "default");
}

#[test]
fn a_data_key_is_made_in_dev_and_asked_for_elsewhere() {
    let place = Place::with("");
    place.run(&["migrate"]).code(0);
    assert!(place.path().join("data/syncline.key").exists());
    fs::write(
        place.path().join("config/prod.toml"),
        "[keys]\ndata = { file = \"nowhere.key\" }",
    )
    .unwrap();
    let done = place.run(&["--env", "prod", "migrate"]).code(3);
    assert!(
        stderr(&done).contains("nowhere.key cannot be read"),
        "{}",
        stderr(&done)
    );
    assert!(stderr(&done).contains("syncline config key"));
    let key = stdout(&place.run(&["config", "key"]).code(0));
    assert_eq!(key.trim_end().len(), 64);
    fs::write(place.path().join("other.key"), key).unwrap();
    let wrong = fs::canonicalize(place.path().join("other.key")).unwrap();
    fs::write(
        place.path().join("config/prod.toml"),
        format!("[keys]\ndata = {{ file = \"{}\" }}", wrong.display()),
    )
    .unwrap();
    let done = place.run(&["--env", "prod", "migrate"]).code(3);
    assert!(stderr(&done).contains("[ST022]"), "open to others: {}", stderr(&done));
}

#[test]
fn the_written_schemas_are_those_of_this_version() {
    let place = Place::with("");
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas");
    let done = place.run(&["schema", "--compare", schemas]);
    done.code(0).stdout("");
    place.run(&["schema", "--write", "out"]).code(0);
    fs::write(place.path().join("out/mapping.schema.json"), "{}").unwrap();
    let old = place.run(&["schema", "--compare", "out"]).code(1);
    assert_eq!(stdout(&old), "out/mapping.schema.json is out of date\n");
}

#[test]
fn completions_know_every_command() {
    let place = Place::with("");
    let script = stdout(&place.run(&["completions", "bash"]).code(0));
    for command in commands(&place) {
        assert!(script.contains(&command), "{command}");
    }
}
