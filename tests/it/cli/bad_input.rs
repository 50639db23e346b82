//! What people get wrong on the first day: a message names the thing, its place and the next step, and nothing of the insides.

use super::{Place, stderr, stdout};

const CONFLICT: &str = "insert into conflict (mapping, left_id, right_id, field, left_value, right_value, sensitive, \
     status, created_at) values ('customer-account', '7', 'ACC-1', 'name', 'a', 'b', 0, 'open', 1)";

/// A project whose database is there and empty.
fn migrated() -> Place {
    let place = Place::project();
    place.run(&["migrate"]).code(0);
    place
}

/// A project whose database is somewhere else.
fn stored_at(url: &str) -> Place {
    let place = Place::project();
    place.edit(
        "config/dev.toml",
        "[systems.erp]",
        &format!("[store]\nurl = \"{url}\"\n[systems.erp]"),
    );
    place
}

/// What a command says that ends so.
fn told(place: &Place, code: i32, args: &[&str]) -> String {
    let text = stderr(&place.run(args).code(code));
    for inside in ["panicked", "RUST_BACKTRACE", "Some(", "Error {", "Err("] {
        assert!(!text.contains(inside), "{args:?} shows `{inside}`: {text}");
    }
    text
}

#[test]
fn a_database_address_that_is_none_says_what_one_looks_like() {
    let place = stored_at("mysql://host/name");
    let text = stdout(&place.run(&["check"]).code(1));
    assert!(text.contains("[CF004]") && text.contains("config/dev.toml:"), "{text}");
    for command in ["run", "failures", "migrate"] {
        let text = told(&place, 1, &[command]);
        assert!(
            text.contains("store.url") && text.contains("sqlite://path/to/file.db"),
            "{text}"
        );
    }
}

#[test]
fn a_database_that_does_not_answer_is_named_without_its_password() {
    let place = stored_at("postgres://nobody:canary@127.0.0.1:1/books");
    for command in ["run", "failures", "migrate"] {
        let text = told(&place, 3, &[command]);
        assert!(
            text.contains("`books` at 127.0.0.1:1") && text.contains("store.url"),
            "{text}"
        );
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_named_with_what_to_look_at() {
    let place = stored_at("sqlite:///proc/syncline.db");
    let text = told(&place, 3, &["run"]);
    assert!(
        text.contains("/proc/syncline.db") && text.contains("may write to it"),
        "{text}"
    );
}

#[test]
fn a_mapping_that_is_not_there_is_a_mistake_and_not_an_empty_list() {
    let place = migrated();
    for command in [
        "runs",
        "failures",
        "conflicts",
        "deletes",
        "drift",
        "links",
        "suggestions",
        "ignore",
    ] {
        let text = told(&place, 2, &[command, "--mapping", "customer-acount"]);
        assert!(text.contains("did you mean `customer-account`?"), "{command}: {text}");
        place.run(&[command, "--mapping", "customer-account"]).code(0);
    }
}

#[test]
fn a_word_that_is_none_of_a_list_is_told_with_the_list() {
    let place = migrated();
    let text = told(&place, 2, &["failures", "--class", "temporary"]);
    assert!(text.contains("transient, auth, rejected"), "{text}");
    let text = told(&place, 2, &["token", "create", "x", "--role", "king"]);
    assert!(text.contains("viewer, analyst, operator, admin"), "{text}");
}

#[test]
fn a_conflict_is_decided_by_the_name_of_a_system_and_another_name_is_told_with_both() {
    let place = migrated();
    let database = rusqlite::Connection::open(place.path().join("data/syncline.db")).unwrap();
    database.execute(CONFLICT, []).unwrap();
    let text = told(&place, 2, &["conflicts", "resolve", "1", "shop"]);
    assert!(text.contains("`erp` (left) and `crm` (right)"), "{text}");
    let text = told(&place, 3, &["conflicts", "resolve", "2", "crm"]);
    assert!(text.contains("there is no conflict 2"), "{text}");
    place.run(&["conflicts", "resolve", "1", "crm"]).code(0);
    let winner: String = database
        .query_row("select winner from conflict", [], |row| row.get(0))
        .unwrap();
    assert_eq!(winner, "right");
}

#[test]
fn a_setting_that_is_not_there_is_told_with_the_one_that_is_meant() {
    let place = Place::project();
    let text = told(&place, 2, &["config", "show", "server.bnid"]);
    assert!(text.contains("did you mean `server.bind`?"), "{text}");
}

#[test]
fn an_id_that_nothing_has_ends_with_3_and_names_what_was_looked_for() {
    let place = migrated();
    for (args, thing) in [
        (&["runs", "7"][..], "run 7"),
        (&["failures", "show", "7"], "failure 7"),
        (&["failures", "ignore", "7"], "failure 7"),
        (&["links", "end", "7"], "link 7"),
        (&["runs", "release", "7"], "run 7"),
        (&["conflicts", "ignore", "7"], "conflict 7"),
    ] {
        let text = told(&place, 3, args);
        assert!(text.contains(&format!("there is no {thing}")), "{args:?}: {text}");
    }
}

#[test]
fn a_folder_of_an_earlier_demo_is_left_alone_and_one_that_cannot_be_made_is_named() {
    let place = Place::empty();
    place.write("shown/syncline.db", "");
    let text = told(&place, 3, &["demo", "--once", "--folder", "shown"]);
    assert!(text.contains("`shown`") && text.contains("an earlier demo"), "{text}");
    let text = told(&place, 3, &["demo", "--once", "--folder", "shown/syncline.db/new"]);
    assert!(
        text.contains("shown/syncline.db/new") && text.contains("--folder"),
        "{text}"
    );
}
