//! `syncline check` and `syncline test`.

use super::{Place, stderr, stdout};

#[test]
fn a_project_without_mistakes_is_told_so_with_counts() {
    let place = Place::project();
    let done = place.run(&["check"]).code(0);
    let text = stdout(&done);
    assert!(text.starts_with("2 connectors, 2 mappings, "), "{text}");
    assert!(text.ends_with("cases: all well\n"), "{text}");
    assert!(place.json(&["check"]).is_empty());
}

#[test]
fn all_problems_of_all_files_are_shown_at_once_with_their_lines() {
    let place = Place::project();
    place.edit(
        "config/dev.toml",
        "connector = \"sandbox-erp\"",
        "connector = \"sandbox-epr\"",
    );
    place.edit(
        "connectors/sandbox-crm.yaml",
        "connector: sandbox-crm",
        "conector: sandbox-crm",
    );
    place.edit(
        "mappings/contact.yaml",
        "mapping: contact",
        "mapping: contact\nmatsch: []",
    );
    place.edit(
        "mappings/customer-account.test.yaml",
        "expect: { crm: { Status: Inactive } }",
        "expect: { crm: { Status: Lead } }",
    );
    let done = place.run(&["check"]).code(1);
    let text = stdout(&done);
    for part in [
        "config/dev.toml:6",
        "connector = \"sandbox-erp\"".replace("erp", "epr").as_str(),
        "did you mean `sandbox-erp`?",
        "unknown key `conector`",
        "unknown key `matsch`",
        "expected `Status` to become",
        "2 connectors, 2 mappings",
    ] {
        assert!(text.contains(part), "{part} not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour in a pipe: {text}");
    let lines = place.json_of(1, &["check"]);
    assert!(
        lines
            .iter()
            .all(|line| line["code"].is_string() && line["file"].is_string())
    );
    assert!(
        lines
            .iter()
            .any(|line| line["file"] == "config/dev.toml" && line["line"] == 6)
    );
}

#[test]
fn wrong_settings_do_not_hide_what_is_wrong_in_mappings() {
    let place = Place::project();
    place.edit("config/dev.toml", "[systems.erp]", "[servre]\nbind = 1\n[systems.erp]");
    place.edit(
        "mappings/contact.yaml",
        "mapping: contact",
        "mapping: contact\nmatsch: []",
    );
    let text = stdout(&place.run(&["check"]).code(1));
    assert!(
        text.contains("did you mean `server`?") && text.contains("matsch"),
        "{text}"
    );
}

#[test]
fn only_the_named_files_are_told_about_and_a_name_that_is_none_is_a_mistake() {
    let place = Place::project();
    place.edit(
        "mappings/contact.yaml",
        "mapping: contact",
        "mapping: contact\nmatsch: []",
    );
    place.run(&["check", "mappings/customer-account.yaml"]).code(0);
    let text = stdout(&place.run(&["check", "./mappings/contact.yaml"]).code(1));
    assert!(text.contains("matsch"), "{text}");
    let unknown = place.run(&["check", "mappings/contcat.yaml"]).code(2);
    assert!(stderr(&unknown).contains("mappings/contcat.yaml is no file of this project"));
}

#[test]
fn a_secret_in_clear_text_is_refused_outside_dev_and_never_printed() {
    let place = Place::project();
    let text = std::fs::read_to_string(place.path().join("config/dev.toml")).unwrap();
    place.write("config/prod.toml", &text.replace("sandbox-erp-key", "canary-key"));
    let done = place.run(&["--env", "prod", "check"]).code(1);
    let text = stdout(&done);
    assert!(
        text.contains("[CF006]") && text.contains("config/prod.toml:8"),
        "{text}"
    );
    assert!(
        !text.contains("canary-key") && !stderr(&done).contains("canary-key"),
        "{text}"
    );
}

#[test]
fn a_secret_that_is_not_here_is_a_warning_with_where_it_is_expected() {
    let place = Place::project();
    place.edit(
        "config/dev.toml",
        "client_secret = \"sandbox-crm-secret\"",
        "client_secret = { env = \"CRM_SECRET\" }",
    );
    let text = stdout(&place.run(&["check"]).code(0));
    for part in [
        "warning[CF007]",
        "config/dev.toml:15",
        "CRM_SECRET",
        "no errors, 1 warning",
    ] {
        assert!(text.contains(part), "{part} not in\n{text}");
    }
}

#[test]
fn cases_that_hold_are_counted_and_one_that_fails_shows_both_values() {
    let place = Place::project();
    let text = stdout(&place.run(&["test"]).code(0));
    assert!(
        text.contains("✓ a blocked customer becomes inactive") && text.ends_with("all hold\n"),
        "{text}"
    );
    place.edit(
        "mappings/customer-account.test.yaml",
        "expect: { crm: { Status: Inactive } }",
        "expect: { crm: { Status: Lead } }",
    );
    let text = stdout(&place.run(&["test", "customer-account"]).code(1));
    for part in [
        "✗ a blocked customer becomes inactive  (mappings/customer-account.test.yaml:",
        "crm.Status",
        "- \"Lead\"",
        "+ \"Inactive\"",
        "the planner says",
        "1 fails",
    ] {
        assert!(text.contains(part), "{part} not in\n{text}");
    }
    let lines = place.json_of(1, &["test", "customer-account"]);
    let failed: Vec<_> = lines.iter().filter(|line| line["holds"] == false).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["differences"][0]["expected"], "\"Lead\"");
}

#[test]
fn a_misspelt_mapping_is_told_with_the_one_that_is_meant() {
    let place = Place::project();
    let done = place.run(&["test", "custmer-account"]).code(2);
    assert!(
        stderr(&done).contains("did you mean `customer-account`?"),
        "{}",
        stderr(&done)
    );
}

#[test]
fn a_token_that_is_taken_for_a_way_to_verify_is_told_how_it_is_written() {
    let place = Place::project();
    place.write(
        "connectors/hooked.yaml",
        "connector: hooked\nbase_url: https://hooked.example\nobjects: { account: { id: id } }\n\
         webhooks:\n  verify: { token: abc }\n  object: account\n  record_id: \"{{ event.id }}\"\n",
    );
    let text = stdout(&place.run(&["check"]).code(1));
    assert!(text.contains("unknown key `token`"), "{text}");
    assert!(text.contains("`shared_secret: { header: NAME }`"), "{text}");
}

#[test]
fn what_is_laid_over_a_file_is_told_and_shown_with_its_lines() {
    let place = Place::project();
    place.write(
        "connectors/sandbox-crm.overlay.yaml",
        "extends: sandbox-crm\nobjects:\n  account:\n    fields:\n      Region: { type: text, sensitive: yes }\n",
    );
    place.write(
        "mappings/contact.overlay.yaml",
        "extends: contact\nowner: ops@example.com\n",
    );
    let checked = stdout(&place.run(&["check"]).code(0));
    assert!(
        checked.contains("connectors/sandbox-crm.overlay.yaml is laid over connectors/sandbox-crm.yaml"),
        "{checked}"
    );
    assert!(checked.contains("2 connectors, 2 mappings"), "{checked}");
    let shown = stdout(&place.run(&["connector", "show", "sandbox-crm"]).code(0));
    assert!(
        shown.contains("Region: { type: text, sensitive: yes }  # connectors/sandbox-crm.overlay.yaml:5"),
        "{shown}"
    );
    let mapping = stdout(&place.run(&["mapping", "show", "contact"]).code(0));
    assert!(
        mapping.contains("owner: ops@example.com  # mappings/contact.overlay.yaml:2"),
        "{mapping}"
    );
    let told = stderr(&place.run(&["config", "show", "folders"]).code(0));
    assert!(
        told.contains("mappings/contact.overlay.yaml is laid over mappings/contact.yaml"),
        "{told}"
    );
    let unknown = stderr(&place.run(&["connector", "show", "sandbox-crn"]).code(2));
    assert!(unknown.contains("did you mean `sandbox-crm`?"), "{unknown}");

    place.write(
        "mappings/contact.overlay.yaml",
        "extends: contact\nfields:\n  - { erp: fax, compare: phone }\n",
    );
    let broken = stdout(&place.run(&["check"]).code(1));
    assert!(
        broken.contains("error[CT013]") && broken.contains("mappings/contact.overlay.yaml:"),
        "{broken}"
    );
}

#[test]
fn what_no_case_touches_is_told_and_fails_where_that_is_asked_for() {
    let place = Place::project();
    let told = stdout(&place.run(&["test", "customer-account", "--coverage"]).code(0));
    assert!(told.contains("customer-account: its cases touch "), "{told}");
    place.write(
        "mappings/contact.test.yaml",
        "- name: nobody\n  expect: { situation: gone }\n",
    );
    let lines = place.json_of(1, &["test", "contact", "--min-coverage", "50"]);
    let covered = lines.iter().find(|line| line["mapping"] == "contact").unwrap();
    assert_eq!(covered["percent"], 0, "{covered}");
    assert!(!covered["untouched"].as_array().unwrap().is_empty());
    // Whoever does not ask is told of cases alone.
    let lines = place.json_of(0, &["test", "contact"]);
    assert!(lines.iter().all(|line| line.get("holds").is_some()), "{lines:?}");
}
