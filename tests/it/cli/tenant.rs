//! Tenants on the command line: who is limited to which, and mappings that belong to two.

use serde_json::json;

use super::{Place, stderr, stdout};

/// A project whose systems belong to these tenants.
fn place(erp: &str, crm: &str) -> Place {
    let place = Place::project();
    for (system, tenant) in [("erp", erp), ("crm", crm)] {
        if !tenant.is_empty() {
            let section = format!("[systems.{system}]\n");
            place.edit(
                "config/dev.toml",
                &section,
                &format!("{section}tenant = \"{tenant}\"\n"),
            );
        }
    }
    place
}

#[test]
fn a_mapping_between_systems_of_two_tenants_is_a_problem_of_check() {
    let done = place("acme", "umbra").run(&["check"]).code(1);
    let told = stdout(&done) + &stderr(&done);
    assert!(
        told.contains("MP048") && told.contains("`erp` to `acme`, `crm` to `umbra`"),
        "{told}"
    );
    for (erp, crm) in [("acme", "acme"), ("acme", ""), ("", "acme"), ("", "")] {
        place(erp, crm).run(&["check"]).code(0);
    }
}

#[test]
fn a_tenant_has_a_plain_name() {
    let done = place("Acme", "").run(&["check"]).code(1);
    let told = stdout(&done) + &stderr(&done);
    assert!(
        told.contains("CF004") && told.contains("`Acme` is no name of a tenant"),
        "{told}"
    );
}

#[test]
fn people_and_tokens_are_limited_to_tenants_that_there_are() {
    let place = place("acme", "acme");
    place.run(&["migrate"]).code(0);
    place.run(&["token", "create", "bi", "--tenant", "acme"]).code(0);
    place.run(&["token", "create", "ops"]).code(0);
    let tokens = place.json(&["token", "list"]);
    assert_eq!(
        (&tokens[0]["name"], &tokens[0]["tenants"]),
        (&json!("ops"), &json!(null))
    );
    assert_eq!(
        (&tokens[1]["name"], &tokens[1]["tenants"]),
        (&json!("bi"), &json!(["acme"]))
    );

    place.run(&["user", "add", "ana", "--tenant", "acme"]).code(0);
    let tenants = |place: &Place| place.json(&["user", "list"])[0]["tenants"].clone();
    assert_eq!(tenants(&place), json!(["acme"]));
    place.run(&["user", "limit", "ana", "--house"]).code(0);
    assert_eq!(tenants(&place), json!(null));
    let done = place.run(&["user", "limit", "ana", "--tenant", "acme"]).code(0);
    assert!(stderr(&done).contains("user ana: limited to acme"), "{}", stderr(&done));

    for wrong in [
        &["user", "add", "bia", "--tenant", "acm"][..],
        &["user", "limit", "ana", "--tenant", "acmee"],
        &["token", "create", "x", "--tenant", "acm"],
    ] {
        let done = place.run(wrong).code(2);
        assert!(
            stderr(&done).contains("did you mean `acme`"),
            "{wrong:?}: {}",
            stderr(&done)
        );
    }
    assert_eq!(place.json(&["user", "list"]).len(), 1, "nobody was added");
    for wrong in [
        &["user", "limit", "ana"][..],
        &["user", "limit", "ana", "--house", "--tenant", "acme"],
        &["user", "add", "bia", "--tenant", "ACME"],
    ] {
        place.run(wrong).code(2);
    }
}
