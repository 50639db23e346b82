//! The help of every command, as it is committed in `tests/data/help/`.

use std::{fs, path::Path};

use super::{Place, look::commands, stdout};

/// Rewrite the committed files with `UPDATE_HELP=1 cargo test --test it cli::help`.
fn compare(name: &str, help: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/help");
    let file = folder.join(format!("{name}.txt"));
    // Lines are kept without the spaces at their ends, as editors do.
    let mut help: String = help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    help.push('\n');
    if std::env::var_os("UPDATE_HELP").is_some() {
        fs::create_dir_all(folder).unwrap();
        fs::write(file, help).unwrap();
        return;
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        known, help,
        "the help of `{name}` is another; if it is meant to be: UPDATE_HELP=1 cargo test --test it cli::help"
    );
}

#[test]
fn the_help_of_every_command_is_the_committed_one() {
    let place = Place::with("");
    compare("syncline", &stdout(&place.run(&["--help"]).code(0)));
    for command in commands(&place) {
        compare(&command, &stdout(&place.run(&[&command, "--help"]).code(0)));
    }
}

#[test]
fn without_a_command_the_help_is_shown() {
    let place = Place::with("");
    let asked = stdout(&place.run(&["--help"]).code(0));
    assert_eq!(stdout(&place.run(&[]).code(0)), asked);
}

#[test]
fn commands_are_listed_in_the_order_of_work() {
    let order = [
        "check",
        "test",
        "plan",
        "sync",
        "reconcile",
        "drift",
        "runs",
        "failures",
        "reprocess",
        "links",
        "deletes",
        "conflicts",
        "events",
        "notices",
        "migrate",
        "schema",
        "doctor",
        "init",
        "sandbox",
        "demo",
    ];
    let listed = commands(&Place::with(""));
    let found: Vec<_> = listed.iter().filter(|name| order.contains(&name.as_str())).collect();
    assert_eq!(found, order);
}
