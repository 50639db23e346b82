use std::fs;

use super::*;

mod limit;
mod secret;

/// Settings of `environment` from these files of a folder and these variables.
fn source(folder: &tempfile::TempDir, environment: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Source {
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    Source {
        folder: folder.path().to_owned(),
        environment: environment.to_owned(),
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn today() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-06-01T12:00:00Z").unwrap().to_utc()
}

fn loaded(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    load(&source(&folder, "prod", files, variables), today()).unwrap().0
}

fn problems(environment: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Vec<Problem> {
    let folder = tempfile::tempdir().unwrap();
    match load(&source(&folder, environment, files, variables), today()) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    }
}

fn only(problems: Vec<Problem>) -> Problem {
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap()
}

#[test]
fn the_defaults_alone_are_valid_settings() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, warnings) = load(&source(&folder, DEV, &[], &[]), today()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(settings.is_dev());
    assert_eq!(settings.server.bind.port(), 8320);
}

#[test]
fn a_variable_goes_over_the_file_and_the_file_over_the_default() {
    let file = "[limits]\nattempts_max = 3\nin_flight_max = 4";
    let settings = loaded(
        &[
            ("prod.toml", file),
            ("default.toml", "[limits]\nin_flight_max = 9\nlease = \"90s\""),
        ],
        &[("SYNCLINE__LIMITS__ATTEMPTS_MAX", "7"), ("SYNCLINE_ENV", "ignored")],
    );
    assert_eq!(settings.limits.attempts_max, 7);
    assert_eq!(settings.limits.in_flight_max, 4);
    assert_eq!(
        settings.limits.lease.to_string(),
        "90s".parse::<crate::core::period::Period>().unwrap().to_string()
    );
    assert_eq!(settings.limits.queue_max, 1_000_000);
}

#[test]
fn variables_spell_numbers_booleans_lists_and_whole_systems() {
    let settings = loaded(
        &[("prod.toml", "")],
        &[
            ("SYNCLINE__SCHEDULE__ENABLED", "false"),
            ("SYNCLINE__LIMITS__QUEUE_MAX", "2_000"),
            ("SYNCLINE__NODE__NAME", "17"),
            ("SYNCLINE__SYSTEMS__CRM__CONNECTOR", "acme-crm"),
            ("SYNCLINE__SYSTEMS__CRM__ALLOW_NETWORKS", "10.0.0.0/8, fd00::/8"),
            ("SYNCLINE__SYSTEMS__CRM__CREDENTIALS__TOKEN__ENV", "CRM_TOKEN"),
        ],
    );
    assert!(!settings.schedule.enabled);
    assert_eq!(settings.limits.queue_max, 2_000);
    assert_eq!(settings.node.name, "17");
    let crm = &settings.systems["crm"];
    assert_eq!(crm.allow_networks.len(), 2);
    assert_eq!(crm.credentials["token"].to_string(), "{ env = \"CRM_TOKEN\" }");
}

#[test]
fn a_reference_in_a_higher_layer_replaces_the_whole_lower_one() {
    let settings = loaded(
        &[("prod.toml", "[keys]\ndata = { credential = \"data-key\" }")],
        &[("SYNCLINE__STORE__URL__ENV", "STORE")],
    );
    assert_eq!(settings.keys.data.to_string(), "{ credential = \"data-key\" }");
    assert_eq!(settings.store.url.to_string(), "{ env = \"STORE\" }");
}

#[test]
fn every_problem_is_named_at_once_with_its_key_and_where_it_came_from() {
    let file = r#"
        [limits]
        max_queue = 5
        attempts_max = "many"
        lease = "1 minute"
        [log]
        format = "jsno"
        [systems.crm]
        settings = {}
        [systms.erp]
        connector = "erp"
    "#;
    let found = problems(
        "prod",
        &[("prod.toml", file)],
        &[("SYNCLINE__SERVER__BIND", "localhost")],
    );
    let codes: Vec<_> = found
        .iter()
        .map(|problem| (problem.code, problem.key.as_str()))
        .collect();
    for expected in [
        ("CF003", "limits.max_queue"),
        ("CF004", "limits.attempts_max"),
        ("CF004", "limits.lease"),
        ("CF004", "log.format"),
        ("CF005", "systems.crm.connector"),
        ("CF003", "systms"),
        ("CF004", "server.bind"),
    ] {
        assert!(codes.contains(&expected), "{expected:?} not in {codes:?}");
    }
    assert_eq!(codes.len(), 7, "{found:#?}");
    let bind = found.iter().find(|problem| problem.key == "server.bind").unwrap();
    assert_eq!(bind.origin, Origin::Variable("SYNCLINE__SERVER__BIND".into()));
    let format = found.iter().find(|problem| problem.key == "log.format").unwrap();
    assert_eq!(format.hint.as_deref(), Some("did you mean `json`?"));
    assert!(matches!(&format.origin, Origin::File(file) if file.ends_with("prod.toml")));
}

#[test]
fn a_misspelt_key_is_answered_with_the_right_one_and_a_strange_one_with_all_of_them() {
    let near = only(problems("prod", &[("prod.toml", "[server]\nbnid = \"x\"")], &[]));
    assert_eq!(near.hint.as_deref(), Some("did you mean `bind`?"));
    let far = only(problems("prod", &[("prod.toml", "[schedule]\nfrequency = 1")], &[]));
    assert_eq!(far.hint.as_deref(), Some("allowed are enabled, catch_up"));
}

#[test]
fn a_number_out_of_range_is_a_problem_and_not_another_number() {
    for (text, expected) in [
        ("-1", "`-1` is not a whole number of zero or more"),
        ("99999999999", "`99999999999` is not a whole number of zero or more"),
        ("0", "zero is not allowed here"),
        ("\"ten\"", "a text is not a whole number of zero or more"),
    ] {
        let problem = only(problems(
            "prod",
            &[("prod.toml", &format!("[limits]\nattempts_max = {text}"))],
            &[],
        ));
        assert_eq!((problem.code, problem.message.as_str()), ("CF004", expected));
    }
}

#[test]
fn a_file_that_is_no_toml_is_named_with_the_line_and_without_its_text() {
    let file = "[systems.crm]\ncredentials = { client_secret = \"canary-7f3a\n";
    let problem = only(problems("prod", &[("prod.toml", file)], &[]));
    assert_eq!(problem.code, "CF002");
    assert!(problem.message.contains("line 2"), "{problem}");
    assert!(problem.to_string().contains("mend that line"), "{problem}");
    assert!(!problem.to_string().contains("canary"), "{problem}");
}

#[test]
fn an_environment_without_settings_is_an_error_that_knows_the_others() {
    let problem = only(problems("prdo", &[("prod.toml", "")], &[]));
    assert_eq!(problem.code, "CF001");
    assert_eq!(problem.hint.as_deref(), Some("did you mean `prod`?"));
    for name in ["../prod", "default", ""] {
        assert_eq!(only(problems(name, &[], &[])).code, "CF001");
    }
}

const WITH_CLEAR_TEXT: &str = r#"
    [store]
    url = "postgres://syncline:canary-db@db/syncline"
    [keys]
    data = "canary-key"
    [systems.crm]
    connector = "acme-crm"
    credentials = { client_id = "syncline", client_secret = "canary-secret" }
    webhook_secrets = ["canary-hook", { env = "HOOK", not_after = "2026-12-31T00:00:00Z" }]
"#;

#[test]
fn a_public_address_has_no_path_and_a_system_a_plain_name() {
    for file in [
        "[server]\npublic_url = \"https://x.example/hooks\"",
        "[server]\npublic_url = \"ftp://x.example\"",
        "[systems.\"a/b\"]\nconnector = \"x\"",
        "[systems.crm]\nconnector = \"x\"\nallow_networks = [\"10.0.0.0/99\"]",
        "[systems.crm]\nconnector = \"x\"\nsecret_rotate_by = \"soon\"",
        "[log]\nlevel = \"info,syncline::client=loud\"",
        "[log]\nlevel = \"inof\"",
    ] {
        assert_eq!(
            only(problems("prod", &[("prod.toml", file)], &[])).code,
            "CF004",
            "{file}"
        );
    }
}

#[test]
fn every_key_of_the_form_stands_in_the_reference_with_a_comment_before_it() {
    let schema = Settings::schema();
    let definitions = schema["definitions"].as_object().unwrap();
    let sections = schema["properties"].as_object().unwrap();
    for (section, place) in sections {
        let name = match place["$ref"].as_str().or_else(|| place["allOf"][0]["$ref"].as_str()) {
            Some(reference) => reference.rsplit('/').next().unwrap(),
            None => "System",
        };
        let start = DEFAULTS
            .find(&format!("[{section}]"))
            .or_else(|| DEFAULTS.find(&format!("[{section}.")))
            .unwrap_or_else(|| panic!("no section {section}"));
        for key in definitions[name]["properties"].as_object().unwrap().keys() {
            commented(&DEFAULTS[start..], section, key);
        }
    }
    for (name, section) in [("Of", "mappings"), ("Webhook", "webhooks"), ("Mail", "mails")] {
        let start = DEFAULTS.find(&format!("[notify.{section}.")).unwrap();
        for key in definitions[name]["properties"].as_object().unwrap().keys() {
            let here = &DEFAULTS[start..];
            let is_there = here.lines().any(|line| {
                let bare = line.trim_start_matches("# ");
                bare.starts_with(&format!("{key} ="))
            });
            assert!(is_there, "notify.{section}.*.{key} is not in config/default.toml");
        }
    }
}

/// A key stands there, as a value or as a section of its own, and a comment stands before it.
fn commented(reference: &str, section: &str, key: &str) {
    let lines: Vec<_> = reference.lines().collect();
    let line = lines
        .iter()
        .position(|line| {
            let bare = line.trim_start_matches("# ");
            let section = format!("[{section}.{key}");
            bare.starts_with(&format!("{key} ="))
                || ["]", "."].iter().any(|end| bare.starts_with(&(section.clone() + end)))
        })
        .unwrap_or_else(|| panic!("{section}.{key} is not in config/default.toml"));
    assert!(lines[line - 1].starts_with('#'), "{section}.{key} has no comment");
}

#[test]
fn the_shipped_environments_are_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for environment in ["dev", "staging", "prod"] {
        let source = Source {
            folder: folder.clone(),
            environment: environment.to_owned(),
            variables: Variables::default(),
        };
        let (settings, _) = load(&source, today()).unwrap_or_else(|problems| panic!("{environment}: {problems:#?}"));
        assert_eq!(settings.systems.len(), 2, "{environment}");
    }
}
