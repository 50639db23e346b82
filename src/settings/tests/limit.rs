//! Limits: each is a setting with a default, is shown, and refuses what makes no sense.

use super::*;

/// Every bound of the work, and a value that none of them takes.
const LIMITS: &[(&str, &str)] = &[
    // What one client of ours may take.
    ("server.connections_max", "0"),
    ("server.head_timeout", "\"0s\""),
    ("server.body_timeout", "\"0s\""),
    ("server.request_timeout", "\"0s\""),
    ("server.keep_alive_timeout", "\"0s\""),
    ("server.write_timeout", "\"0s\""),
    ("server.head_bytes_max", "8191"),
    ("server.headers_max", "0"),
    ("server.webhook_body_bytes_max", "0"),
    ("server.webhook_depth_max", "129"),
    ("server.webhook_values_max", "0"),
    ("server.api_body_bytes_max", "0"),
    ("server.api_burst", "0"),
    ("server.api_heavy_burst", "0"),
    ("server.api_tenant_burst", "0"),
    ("server.api_tenant_heavy_burst", "0"),
    ("server.auth_failure_burst", "0"),
    ("console.session_idle", "\"0s\""),
    ("console.session_longest", "\"0s\""),
    ("console.link_lasts", "\"0s\""),
    // What the work may take.
    ("store.connections_max", "0"),
    ("limits.in_flight_max", "0"),
    ("limits.queue_max", "0"),
    ("limits.change_time_max", "\"0s\""),
    ("limits.chunk_records", "10001"),
    ("limits.chunks_in_flight_max", "65"),
    ("limits.reconcile_memory_max", "1000"),
    ("limits.attempts_max", "0"),
    ("limits.retry_first", "\"0s\""),
    ("limits.run_time_max", "\"0s\""),
    ("limits.lease", "\"4s\""),
    // What an answer of another system may take.
    ("requests.concurrency", "0"),
    ("requests.timeout", "\"0s\""),
    ("requests.connect_timeout", "\"0s\""),
    ("requests.idle_timeout", "\"0s\""),
    ("requests.body_bytes_max", "0"),
    ("requests.depth_max", "129"),
    ("requests.pages_max", "0"),
    ("requests.attempts_max", "101"),
];

#[test]
fn every_limit_is_shown_with_its_default_and_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let (entries, problems) = entries(&source(&folder, DEV, &[], &[]));
    assert!(problems.is_empty(), "{problems:?}");
    for (key, _) in LIMITS {
        let entry = entries.iter().find(|entry| entry.key == *key);
        let entry = entry.unwrap_or_else(|| panic!("{key} is not shown"));
        assert!(entry.origin == Origin::Default && entry.value != "***", "{entry:?}");
    }
}

#[test]
fn every_limit_of_the_settings_stands_in_this_list() {
    let folder = tempfile::tempdir().unwrap();
    let (entries, _) = entries(&source(&folder, DEV, &[], &[]));
    let is_limit = |key: &str| key.ends_with("_max") || key.ends_with("_timeout") || key.starts_with("requests.");
    for entry in entries.iter().filter(|entry| is_limit(&entry.key)) {
        assert!(
            LIMITS.iter().any(|(key, _)| *key == entry.key),
            "{} is not tested",
            entry.key
        );
    }
}

#[test]
fn a_limit_that_makes_no_sense_is_a_problem_that_names_it() {
    for (key, value) in LIMITS {
        let (section, name) = key.split_once('.').unwrap();
        let problem = only(problems(
            "prod",
            &[("prod.toml", &format!("[{section}]\n{name} = {value}"))],
            &[],
        ));
        assert_eq!((problem.code, problem.key.as_str()), ("CF004", *key), "{problem}");
        assert!(
            problem.message.contains("zero is not allowed") || problem.message.contains(|c: char| c.is_ascii_digit())
        );
    }
}

#[test]
fn the_bounds_of_requests_are_the_budget_of_a_system_that_says_nothing() {
    let settings = loaded(
        &[(
            "prod.toml",
            "[requests]\ntimeout = \"7s\"\ndepth_max = 9\nattempts_max = 2",
        )],
        &[],
    );
    let limits = settings.requests.limits();
    assert_eq!(
        (limits.timeout.as_secs(), limits.depth_max, limits.attempts_max),
        (7, 9, 2)
    );
    let defaults = loaded(&[("prod.toml", "")], &[]).requests.limits();
    assert_eq!(
        format!("{defaults:?}"),
        format!("{:?}", crate::core::connector::Limits::default())
    );
}
