//! Decisions at the command line: conflicts side by side, pending deletes, suggestions, ignore rules.

use super::{Place, stderr, stdout};

/// A project with a database, and rows put in past the program.
fn place(sql: &str) -> Place {
    let place = Place::project();
    place.run(&["migrate"]).code(0);
    let database = rusqlite::Connection::open(place.path().join("data/syncline.db")).unwrap();
    database.execute_batch(sql).unwrap();
    place
}

const CONFLICT: &str = "insert into conflict (mapping, left_id, right_id, field, left_value, right_value, left_hash, right_hash, \
     sensitive, status, created_at) values ('customer-account', '7', 'ACC-7', 'name', 'Ana', 'Bia', 1, 2, 0, 'open', 0)";

#[test]
fn a_conflict_is_shown_side_by_side_and_decided_about_what_was_seen() {
    let place = place(CONFLICT);
    let shown = place.run(&["conflicts", "show", "1"]).code(0);
    let text = stdout(&shown);
    for part in ["erp", "Ana  (7)", "crm", "Bia  (ACC-7)", "name"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let seen = place.json(&["conflicts", "show", "1"])[0]["seen"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        stderr(&shown).contains(&format!("--seen {seen} --take erp")),
        "{}",
        stderr(&shown)
    );
    let other = place
        .run(&["conflicts", "resolve", "1", "--seen", "00000000", "--take", "erp"])
        .code(1);
    assert!(
        stderr(&other).contains("has changed since you looked"),
        "{}",
        stderr(&other)
    );
    assert!(
        stdout(&other).contains("Bia  (ACC-7)"),
        "what it is now: {}",
        stdout(&other)
    );
    for wrong in [
        &["conflicts", "resolve", "1"][..],
        &["conflicts", "resolve", "1", "--take", "erp", "--ignore"],
        &["conflicts", "resolve", "1", "--set", "city=Recife"],
        &["conflicts", "resolve", "1", "--take", "pos"],
    ] {
        place.run(wrong).code(2);
    }
    let done = place
        .run(&["conflicts", "resolve", "1", "--seen", &seen, "--set", "name=Ana Ltda"])
        .code(0);
    assert!(stderr(&done).contains("decided"), "{}", stderr(&done));
    let decided = &place.json(&["conflicts", "show", "1"])[0];
    assert_eq!(
        (&decided["status"], &decided["decided_value"]),
        (&"resolved".into(), &"Ana Ltda".into())
    );
    assert_eq!(decided["resolved_by"], "user:ana");
    let again = place.run(&["conflicts", "resolve", "1", "erp"]).code(3);
    assert!(stderr(&again).contains("settled already"), "{}", stderr(&again));
    place.run(&["conflicts", "show", "2"]).code(3);
}

#[test]
fn a_pending_delete_has_an_age_and_is_decided() {
    let place = place(
        "insert into link (mapping, left_id, right_id, base, status, missing_side, missing_since, created_at, updated_at) \
         values ('customer-account', '7', 'ACC-7', x'', 'pending_delete', 'right', 0, 0, 0)",
    );
    let listed = stdout(&place.run(&["deletes", "list"]).code(0));
    assert!(
        listed.contains("ACC-7") && listed.contains("1970-01-01T00:00:00Z"),
        "{listed}"
    );
    place.run(&["deletes", "keep", "1"]).code(0);
    assert!(place.json(&["deletes"]).is_empty());
    assert_eq!(place.json(&["deletes", "--all"])[0]["decision"], "keep");
    let unknown = place.run(&["deletes", "confirm", "9"]).code(3);
    assert!(
        stderr(&unknown).contains("there is no pending delete 9"),
        "{}",
        stderr(&unknown)
    );
}

#[test]
fn suggestions_are_listed_with_both_values_and_decided() {
    let place = place(
        "insert into suggestion (mapping, left_id, right_id, score, compared, sensitive, left_hash, right_hash, status, run_id, \
         created_at, seen_at) values ('customer-account', '7', 'ACC-7', 961, \
         '[{\"field\":\"name\",\"left\":\"Zeder Druck\",\"right\":\"Zeder Durck\"}]', 0, 1, 2, 'open', 1, 0, 0)",
    );
    let listed = stdout(&place.run(&["suggestions"]).code(0));
    assert!(
        listed.contains("0.96") && listed.contains("Zeder Druck") && listed.contains("Zeder Durck"),
        "{listed}"
    );
    place.run(&["suggestions", "accept", "1"]).code(0);
    assert!(place.json(&["suggestions"]).is_empty());
    assert_eq!(
        place.json(&["suggestions", "list", "--status", "accepted"])[0]["decided_by"],
        "user:ana"
    );
    place.run(&["suggestions", "reject", "1"]).code(3);
    place.run(&["suggestions", "accept"]).code(2);
}

/// A rule that is good but for what it is about.
fn add<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let args: [&'a str; 8] = [
        "ignore",
        "add",
        "--mapping",
        "customer-account",
        "--until",
        "2999-12-31",
        "--reason",
        "the merger",
    ];
    [&args, more].concat()
}

#[test]
fn an_ignore_rule_is_made_shown_and_taken_away() {
    let place = place("");
    let made = place.json(&add(&["--record", "erp:7", "--field", "name"]));
    assert_eq!((&made[0]["side"], &made[0]["record_id"]), (&"left".into(), &"7".into()));
    assert_eq!(made[0]["until"], "3000-01-01T00:00:00Z");
    for wrong in [
        &add(&[])[..],
        &add(&["--field", "nmae"]),
        &add(&["--record", "pos:7"]),
        &add(&["--situation", "sometimes"]),
        &[
            "ignore",
            "add",
            "--mapping",
            "customer-account",
            "--field",
            "name",
            "--until",
            "2020-01-01",
            "--reason",
            "x",
        ],
    ] {
        place.run(wrong).code(2);
    }
    let near = place.run(&add(&["--field", "nmae"])).code(2);
    assert!(stderr(&near).contains("`name`"), "{}", stderr(&near));
    let listed = &place.json(&["ignore"])[0];
    assert_eq!(
        (&listed["state"], &listed["owner"]),
        (&"active".into(), &"user:ana".into())
    );
    place.run(&["ignore", "remove", "1"]).code(0);
    assert!(place.json(&["ignore", "list"]).is_empty());
    assert_eq!(place.json(&["ignore", "--all"])[0]["state"], "removed");
    place.run(&["ignore", "remove", "1"]).code(3);
}
