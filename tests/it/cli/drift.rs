//! Drift reports from the command line, of a reconciliation between the systems of the sandbox.

use std::{fs, io::Cursor};

use calamine::{Reader as _, Xlsx};
use serde_json::Value as Json;

use super::{stderr, stdout, work::Site};

#[tokio::test]
async fn a_report_is_shown_listed_followed_and_taken_along() {
    let site = Site::start();
    let run = site.one(0, &["reconcile", "customer-account", "--report-only"])["run_id"].to_string();
    let shown = stdout(&site.place.run(&["drift", "show"]).code(0));
    for part in [
        "customer-account: report ",
        "match score",
        "compared",
        " in erp, ",
        " in crm",
        "by cause",
        "next:",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let one = site.one(0, &["drift", "show", "customer-account"]);
    let numbers = &one["report"]["numbers"];
    let number = |name: &str| numbers[name].as_u64().unwrap();
    assert_eq!(
        number("compared"),
        number("in_step") + number("drifted") + number("filtered")
    );
    assert!(number("items") > 0 && one["report"]["since"].is_null());
    let items = site.place.json(&["drift", "items", &run, "--limit", "1000"]);
    assert_eq!(items.len() as u64, number("items"));
    assert_eq!(site.place.json(&["drift", &run, "--limit", "1000"]), items);
    let absent = site.place.json(&["drift", "items", "--situation", "absent"]);
    assert!(absent.iter().all(|item| item["situation"] == "absent"));

    // What is found again is as old as it is.
    site.one(0, &["reconcile", "customer-account", "--report-only"]);
    let again = site.one(0, &["drift", "show", "customer-account"]);
    let since = &again["report"]["since"];
    assert_eq!((&since["new"], &since["gone"]), (&0.into(), &0.into()));
    assert_eq!(since["still"].as_u64(), Some(number("items")));
    assert_eq!(site.place.json(&["drift", "trend", "customer-account"]).len(), 2);
    let old = site.place.json(&["drift", "items", "--older-than", "30d"]);
    assert!(old.is_empty(), "{old:?}");

    for format in ["jsonl", "csv", "html", "xlsx"] {
        let file = format!("out.{format}");
        let done = site
            .place
            .run(&["drift", "export", "--format", format, "--out", &file])
            .code(0);
        assert!(stderr(&done).contains("differences"), "{}", stderr(&done));
        assert!(fs::metadata(site.place.path().join(&file)).unwrap().len() > 100);
    }
    let csv = stdout(&site.place.run(&["drift", "export", &run, "--format", "csv"]).code(0));
    assert!(csv.starts_with("drift_id,run_id,mapping,situation"), "{csv}");
    let book = fs::read(site.place.path().join("out.xlsx")).unwrap();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(book)).unwrap();
    assert_eq!(
        book.worksheet_range("Items").unwrap().rows().count() as u64,
        number("items") + 1
    );
}

#[tokio::test]
async fn one_record_is_explained_by_either_id_and_now() {
    let site = Site::start();
    site.place.json(&["reconcile", "customer-account"]);
    let link = site.place.json(&["links", "--mapping", "customer-account"]).remove(0);
    let (left, right) = (link["left_id"].as_str().unwrap(), link["right_id"].as_str().unwrap());
    site.edit(left, r#"{"name":"Another name"}"#).await;
    site.place.json(&["reconcile", "customer-account"]);
    for record in [format!("erp:{left}"), format!("crm:{right}"), right.to_owned()] {
        let story = site.one(0, &["drift", "explain", &record]);
        assert_eq!(
            (&story["left"]["id"], &story["right"]["id"]),
            (&left.into(), &right.into())
        );
        let entries = story["entries"].as_array().unwrap();
        let is_it = |entry: &Json| entry["kind"] == "drift" && entry["left_value"] == "Another name";
        assert!(entries.iter().any(is_it), "{story}");
    }
    let told = stdout(
        &site
            .place
            .run(&["drift", "explain", &format!("erp:{left}"), "--now"])
            .code(0),
    );
    for part in ["linked", "drift", "event_missed", "now:", "in_sync"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let by_value = site.place.json(&["drift", "explain", "Another name"]);
    assert!(by_value.iter().any(|story| story["left"]["id"] == left));
    let unknown = site.place.run(&["drift", "explain", "erp:nobody"]).code(3);
    assert!(stderr(&unknown).contains("hint:"), "{}", stderr(&unknown));
}

#[test]
fn reports_that_are_not_there_are_told_with_what_to_do() {
    let place = super::Place::with("");
    place.run(&["migrate"]).code(0);
    for args in [
        &["drift", "show"][..],
        &["drift", "show", "9"],
        &["drift", "items"],
        &["drift", "trend"],
        &["drift", "export", "--format", "csv"],
    ] {
        let done = place.run(args).code(3);
        assert!(stderr(&done).contains("hint:"), "{args:?}: {}", stderr(&done));
    }
    place.run(&["drift", "export", "--format", "pdf"]).code(2);
    place.run(&["drift", "--cause", "conflict"]).code(2);
}

#[tokio::test]
async fn a_plan_on_a_changed_mapping_says_what_it_will_do_to_how_many_records() {
    let site = Site::start();
    site.place.json(&["reconcile", "customer-account"]);
    let before = site.one(0, &["plan", "customer-account"]);
    assert_eq!(
        (&before["mapping_changed"], &before["held"]),
        (&serde_json::json!({}), &Json::Null)
    );
    site.place.edit(
        "mappings/customer-account.yaml",
        "values: { active: Active, blocked: Inactive, prospect: Lead }",
        "values: { active: Inactive, blocked: Active, prospect: Lead }",
    );
    let plan = site.one(0, &["plan", "customer-account"]);
    let pairs = plan["mapping_changed"]["status"].as_u64().unwrap();
    assert!(
        pairs > 0 && plan["summary"]["planned"]["updates"].as_u64() >= Some(pairs),
        "{plan}"
    );
    assert!(plan["held"].as_str().unwrap().contains("would change"), "{plan}");
    let told = stdout(&site.place.run(&["plan", "customer-account"]).code(0));
    for part in [
        "a reconciliation would create",
        "`status` has a new definition",
        "it would be held",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let held = site.one(1, &["reconcile", "customer-account"]);
    assert_eq!(held["status"], "held");
}
