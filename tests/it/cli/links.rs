//! Links that people make: from files, anew, and by merges.

use std::fs;

use super::{Place, stderr, stdout};

/// A project with a database and no systems that could be reached.
fn place() -> Place {
    let place = Place::project();
    place.run(&["migrate"]).code(0);
    place
}

/// Who did what to which, past the program.
fn audited(place: &Place) -> Vec<(String, String, String)> {
    let database = rusqlite::Connection::open(place.path().join("data/syncline.db")).unwrap();
    let mut select = database
        .prepare("select actor, action, subject from audit order by audit_id")
        .unwrap();
    let rows = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_file_of_links_is_taken_over_with_what_became_of_each_line() {
    let place = place();
    place.write(
        "links.csv",
        "left_id,right_id\r\n1,A\r\n2,B\r\n1,C\r\n,D\r\n'=3,E\r\n4\r\n",
    );
    let dry = place.json_of(1, &["links", "import", "customer-account", "links.csv", "--dry-run"]);
    assert!(place.json(&["links"]).is_empty(), "nothing is stored");
    let told = place.json_of(1, &["links", "import", "customer-account", "links.csv"]);
    assert_eq!(told, dry);
    let results: Vec<_> = told
        .iter()
        .map(|line| (line["line"].as_u64().unwrap(), line["result"].as_str().unwrap()))
        .collect();
    assert_eq!(
        results,
        [
            (2, "linked"),
            (3, "linked"),
            (4, "refused"),
            (5, "refused"),
            (6, "linked"),
            (7, "refused")
        ]
    );
    assert_eq!(told[4]["left_id"], "=3", "the guard of an export is taken away");
    let again = place.run(&["links", "import", "customer-account", "links.csv"]).code(1);
    assert!(
        stdout(&again).contains("line 4: left 1 is linked to A already"),
        "{}",
        stdout(&again)
    );
    assert!(
        stderr(&again).contains("0 pairs linked, 3 linked before, 3 refused"),
        "{}",
        stderr(&again)
    );
    assert_eq!(place.json(&["links", "list", "--mapping", "customer-account"]).len(), 3);
    let entries = audited(&place);
    let imported = ("user:ana".to_owned(), "link.import".to_owned());
    assert_eq!(
        entries
            .iter()
            .map(|one| (one.0.clone(), one.1.clone()))
            .collect::<Vec<_>>(),
        vec![imported; 3]
    );
    assert_eq!(entries[0].2, "link/customer-account/1/A");
}

#[test]
fn what_is_exported_can_be_taken_over_elsewhere() {
    let (one, other) = (place(), place());
    one.write(
        "links.jsonl",
        "{\"left_id\":\"1\",\"right_id\":\"=A\"}\n\n{\"left_id\":\"2\",\"right_id\":\"B\"}\n",
    );
    one.run(&["links", "import", "customer-account", "links.jsonl"]).code(0);
    for file in ["all.csv", "all.jsonl"] {
        one.run(&["links", "export", "customer-account", "--out", file]).code(0);
        other.write(file, &fs::read_to_string(one.path().join(file)).unwrap());
        other.run(&["links", "import", "customer-account", file]).code(0);
    }
    let ids = |place: &Place| -> Vec<(String, String)> {
        let links = place.json(&["links", "--mapping", "customer-account"]);
        links
            .iter()
            .map(|link| (link["left_id"].to_string(), link["right_id"].to_string()))
            .collect()
    };
    assert_eq!(ids(&one), ids(&other));
    let csv = stdout(&one.run(&["links", "export", "customer-account"]).code(0));
    assert!(csv.contains("1,'=A,linked,"), "{csv}");
}

#[test]
fn a_pair_is_linked_anew_and_follows_a_merge() {
    let place = place();
    place.write("links.csv", "erp,crm\n1,A\n2,B\n");
    place.run(&["links", "import", "customer-account", "links.csv"]).code(0);
    let relink = ["links", "relink", "customer-account", "crm:B", "erp:1"];
    let done = place.run(&relink).code(0);
    assert!(
        stderr(&done).contains("link 1: ended") && stderr(&done).contains("link 2: ended"),
        "{}",
        stderr(&done)
    );
    assert!(stderr(&place.run(&relink).code(0)).contains("links them already"));
    let found = place.json(&["links", "find", "customer-account", "left", "1"]);
    assert_eq!(found[0]["right_id"], "B");
    place
        .run(&["links", "merge", "customer-account", "crm:B", "crm:C"])
        .code(0);
    let found = place.json(&["links", "find", "customer-account", "right", "C"]);
    assert_eq!(found[0]["left_id"], "1");
    place
        .run(&["links", "merge", "customer-account", "crm:B", "crm:D"])
        .code(3);
    place
        .run(&["links", "relink", "customer-account", "erp:1", "erp:2"])
        .code(2);
    place
        .run(&["links", "merge", "customer-account", "erp:1", "crm:D"])
        .code(2);
    let id = found[0]["link_id"].to_string();
    place.run(&["links", "unlink", &id]).code(0);
    assert!(place.json(&["links"]).is_empty());
    let actions: Vec<_> = audited(&place).into_iter().map(|entry| entry.1).collect();
    assert_eq!(
        actions,
        ["link.import", "link.import", "link.relink", "link.merge", "link.end"]
    );
}

#[test]
fn a_file_without_the_columns_and_an_unknown_mapping_are_told() {
    let place = place();
    place.write("links.csv", "a,b\n1,2\n");
    let done = place.run(&["links", "import", "customer-account", "links.csv"]).code(3);
    assert!(
        stderr(&done).contains("no column `left_id` or `erp`"),
        "{}",
        stderr(&done)
    );
    let done = place.run(&["links", "import", "customer-acount", "links.csv"]).code(2);
    assert!(
        stderr(&done).contains("did you mean `customer-account`?"),
        "{}",
        stderr(&done)
    );
    place.run(&["links", "import", "customer-account", "none.csv"]).code(3);
}

#[test]
fn a_word_that_is_no_subcommand_is_told_with_the_command_that_was_meant() {
    let place = Place::project();
    let done = place.run(&["links", "customer-account"]).code(2);
    assert!(
        stderr(&done).contains("`syncline links list --mapping customer-account`"),
        "{}",
        stderr(&done)
    );
    assert!(stderr(&place.run(&["links", "exprot"]).code(2)).contains("did you mean `export`?"));
    assert!(!stdout(&place.run(&["links", "--help"]).code(0)).contains("WORD"));
}
