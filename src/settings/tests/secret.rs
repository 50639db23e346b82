//! Secrets: where they may stand, and that nothing shows them.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn a_secret_in_clear_text_is_refused_outside_dev_and_taken_in_dev() {
    let found = problems("prod", &[("prod.toml", WITH_CLEAR_TEXT)], &[]);
    let keys: Vec<_> = found
        .iter()
        .map(|problem| (problem.code, problem.key.as_str()))
        .collect();
    assert_eq!(
        keys,
        [
            ("CF006", "store.url"),
            ("CF006", "keys.data"),
            ("CF006", "systems.crm.credentials.client_secret"),
            ("CF006", "systems.crm.webhook_secrets.0"),
        ]
    );
    assert!(problems(DEV, &[("dev.toml", WITH_CLEAR_TEXT)], &[]).is_empty());
}

#[test]
fn no_secret_is_shown_by_debug_by_problems_or_by_the_list_of_settings() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(
        &folder,
        DEV,
        &[("dev.toml", WITH_CLEAR_TEXT)],
        &[("HOOK", "canary-variable")],
    );
    let (settings, _) = load(&source, today()).unwrap();
    let (entries, _) = entries(&source);
    let refused = problems("prod", &[("prod.toml", WITH_CLEAR_TEXT)], &[]);
    let shown = format!("{settings:?} {source:?} {entries:?} {refused:?}");
    assert!(!shown.contains("canary"), "{shown}");
    let id = entries
        .iter()
        .find(|entry| entry.key == "systems.crm.credentials.client_id")
        .unwrap();
    assert_eq!(id.value, "syncline");
    let hook = entries
        .iter()
        .find(|entry| entry.key == "systems.crm.webhook_secrets.1.env")
        .unwrap();
    assert_eq!(hook.value, "HOOK");
}

#[test]
fn a_secret_under_a_wrong_type_is_not_repeated_in_the_problem() {
    let file = "[systems.crm]\nconnector = \"x\"\nwebhook_secrets = \"canary\"\ncredentials = \"canary\"";
    let found = problems("prod", &[("prod.toml", file)], &[]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(!format!("{found:?}").contains("canary"), "{found:?}");
}

#[test]
fn a_missing_secret_names_system_key_variable_and_owner() {
    let file = r#"
        [systems.crm]
        connector = "acme-crm"
        credentials = { client_secret = { env = "CRM_SECRET" } }
        webhook_secrets = [{ credential = "crm-hook" }, { file = "/nowhere/crm" }]
        secret_owner = "it@example.com"
    "#;
    let missing = loaded(&[("prod.toml", file)], &[]).missing_secrets();
    assert_eq!(missing.len(), 3, "{missing:#?}");
    assert_eq!(
        missing[0].message,
        "the secret `credentials.client_secret` of system `crm` is missing: the variable CRM_SECRET is not set"
    );
    assert_eq!(
        missing[0].hint.as_deref(),
        Some("set the variable CRM_SECRET; it@example.com answers for it")
    );
    assert!(missing[1].message.contains("CREDENTIALS_DIRECTORY"), "{}", missing[1]);
    assert!(
        missing[2].message.contains("/nowhere/crm cannot be read"),
        "{}",
        missing[2]
    );
    assert!(loaded(&[("prod.toml", "")], &[]).missing_secrets().is_empty());
}

#[test]
fn references_read_variables_files_and_systemd_credentials() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("crm"), "from file\n").unwrap();
    fs::write(folder.path().join("empty"), "\n").unwrap();
    let variables: Variables = [
        ("TOKEN".to_owned(), "from variable".to_owned()),
        ("NOTHING".to_owned(), String::new()),
        ("CREDENTIALS_DIRECTORY".to_owned(), folder.path().display().to_string()),
    ]
    .into_iter()
    .collect();
    let read = |reference: Reference| {
        reference
            .read(&variables)
            .map(|secret| secret.expose_secret().to_owned())
    };
    assert_eq!(read(Reference::Env("TOKEN".into())).unwrap(), "from variable");
    assert_eq!(read(Reference::Credential("crm".into())).unwrap(), "from file");
    assert_eq!(read(Reference::File(folder.path().join("crm"))).unwrap(), "from file");
    assert!(matches!(
        read(Reference::Env("NOTHING".into())),
        Err(ReadError::Empty(_))
    ));
    assert!(matches!(
        read(Reference::Credential("empty".into())),
        Err(ReadError::Empty(_))
    ));
    assert!(matches!(
        read(Reference::Credential("other".into())),
        Err(ReadError::File { .. })
    ));
}

#[test]
fn a_reference_is_one_place_and_a_credential_is_a_name() {
    for secret in [
        "{}",
        "{ env = \"A\", file = \"b\" }",
        "{ credential = \"../key\" }",
        "{ vault = \"x\" }",
        "{ env = 5 }",
    ] {
        let file = format!("[systems.crm]\nconnector = \"x\"\ncredentials = {{ token = {secret} }}");
        let problem = only(problems("prod", &[("prod.toml", &file)], &[]));
        assert!(problem.key.starts_with("systems.crm.credentials.token"), "{problem}");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_file_that_everybody_may_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("crm");
    fs::write(&secret, "s").unwrap();
    let file = format!(
        "[systems.crm]\nconnector = \"x\"\ncredentials = {{ token = {{ file = \"{}\" }} }}",
        secret.display()
    );
    let source = source(&folder, "prod", &[("prod.toml", &file)], &[]);
    for (mode, warnings) in [(0o644, 1), (0o600, 0)] {
        fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
        let (_, found) = load(&source, today()).unwrap();
        assert_eq!(found.len(), warnings, "{mode:o}: {found:?}");
        assert!(
            found
                .iter()
                .all(|problem| problem.code == "CF008" && problem.is_warning())
        );
    }
}

#[test]
fn a_rotation_date_warns_a_month_before_and_after_it() {
    for (date, message) in [
        ("2026-05-31", Some("were to be replaced by 2026-05-31")),
        ("2026-06-01", Some("are to be replaced by 2026-06-01")),
        ("2026-07-01", Some("are to be replaced by 2026-07-01")),
        ("2026-07-02", None),
    ] {
        let file = format!("[systems.crm]\nconnector = \"x\"\nsecret_rotate_by = {date}");
        let found = problems("prod", &[("prod.toml", &file)], &[]);
        assert_eq!(found.len(), usize::from(message.is_some()), "{date}: {found:?}");
        assert!(
            found
                .iter()
                .all(|problem| problem.is_warning() && problem.message.contains(message.unwrap_or("")))
        );
    }
}
