//! Where a new connector goes, and what is told about it.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    cli::{
        Exit,
        context::Context,
        error::{Error, Result},
        output::{count, print},
    },
    draft::{self, Draft},
    settings,
    telemetry::harmless,
};

/// Where a draft goes.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// Where to write it (default: NAME.yaml in the folder of connectors)
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// What is told of a draft, for programs.
#[derive(Debug, Serialize)]
struct Told<'a> {
    file: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    cases: Option<&'a Path>,
    objects: Vec<&'a str>,
    /// What has to be looked at.
    checks: Vec<Check<'a>>,
}

#[derive(Debug, Serialize)]
struct Check<'a> {
    /// JSON pointer into the file.
    at: &'a str,
    text: &'a str,
}

/// Whether a name can be that of a connector and of its file.
pub(super) fn check_name(name: &str) -> Result<()> {
    let is_good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'));
    if is_good {
        return Ok(());
    }
    Err(Error::usage(format!("`{name}` is no name for a connector")).with_hint(
        "begin with a lower-case letter and use lower-case letters, digits, `-` and `_`, at most 64 of them",
    ))
}

/// Why there is no draft, with what to do.
pub(super) fn refused(error: &draft::Error, what: &str) -> Error {
    let told = format!("{what}: {error}");
    let made = if matches!(error, draft::Error::Unknown { .. } | draft::Error::TooMany(_)) {
        Error::usage(told)
    } else {
        Error::found(told)
    };
    match error.hint() {
        Some(hint) => made.with_hint(hint),
        None => made,
    }
}

/// Writes a draft: where it is wanted, or where the project's connectors are.
pub(super) fn write(context: &Context, draft: &Draft, target: &Target) -> Result {
    let (name, force) = (&draft.form.connector, target.force);
    let wanted = target.out.clone();
    let path = wanted.unwrap_or_else(|| folder(context).join(format!("{name}.yaml")));
    if path.file_stem().and_then(|stem| stem.to_str()) != Some(name) || path.extension().is_none_or(|end| end != "yaml")
    {
        return Err(
            Error::usage(format!("{} is not named after the connector", path.display()))
                .with_hint(format!("files of connectors are found by their name: {name}.yaml")),
        );
    }
    let text = draft.yaml().map_err(|error| refused(&error, name))?;
    let cases = draft.cases_yaml().map(|text| (path.with_extension("test.yaml"), text));
    let mut files = vec![(path.clone(), text)];
    files.extend(cases.clone());
    if let Some((taken, _)) = files.iter().find(|(path, _)| path.exists() && !force) {
        return Err(Error::failed(format!("{} is there already", taken.display()))
            .with_hint("choose another name or --out, or replace it with --force"));
    }
    for (path, text) in &files {
        put(path, text, force)
            .map_err(|error| Error::failed(format!("{} cannot be written: {error}", path.display())))?;
    }
    tell(context, draft, &path, cases.as_ref().map(|(path, _)| path.as_path()))
}

fn put(path: &Path, text: &str, force: bool) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true);
    // Between the look and this, somebody else may have made it.
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    options.open(path)?.write_all(text.as_bytes())
}

/// Where connectors are, by the settings; `connectors` where there are none.
fn folder(context: &Context) -> PathBuf {
    let (entries, _) = settings::entries(&context.source);
    let entry = entries.into_iter().find(|entry| entry.key == "folders.connectors");
    PathBuf::from(entry.map_or_else(|| "connectors".to_owned(), |entry| entry.value))
}

fn tell(context: &Context, draft: &Draft, path: &Path, cases: Option<&Path>) -> Result {
    let out = context.output;
    let open = draft.open();
    let form = &draft.form;
    let told = Told {
        file: path,
        cases,
        objects: form.objects.keys().map(String::as_str).collect(),
        checks: open
            .iter()
            .map(|note| Check {
                at: &note.place,
                text: &note.text,
            })
            .collect(),
    };
    out.json(&told)?;
    if out.is_json() {
        return Ok(Exit::Done);
    }
    print(harmless(&format!("{}: {}", path.display(), told.objects.join(", "))))?;
    if let Some(cases) = cases {
        print(harmless(&format!(
            "{}: the sample as a case, personal data replaced",
            cases.display()
        )))?;
    }
    if !open.is_empty() {
        print(format!(
            "\n{} to settle, each marked CHECK in the file:",
            count(open.len(), "thing")
        ))?;
        let rows: Vec<Vec<String>> = open
            .iter()
            .map(|note| vec![about(&note.place), note.text.clone()])
            .collect();
        out.aligned(&rows)?;
    }
    out.talk(next(draft));
    Ok(Exit::Done)
}

/// The place of a note for people: `customer.list`.
fn about(place: &str) -> String {
    let steps: Vec<&str> = place.split('/').skip(1).collect();
    match steps.as_slice() {
        ["objects"] | [] => "the file".to_owned(),
        ["objects", rest @ ..] => rest.join("."),
        steps => steps.join("."),
    }
}

/// What comes next, with the part of the settings that this connector needs.
fn next(draft: &Draft) -> String {
    let form = &draft.form;
    let name = &form.connector;
    let needed = form.settings.iter().filter(|(_, setting)| setting.default.is_none());
    let settings: Vec<String> = needed.map(|(name, _)| format!("{name} = \"…\"")).collect();
    let variable = |credential: &str| format!("{name}_{credential}").to_ascii_uppercase().replace('-', "_");
    let credentials = form
        .needed_credentials()
        .into_iter()
        .map(|credential| format!("{credential} = {{ env = \"{}\" }}", variable(credential)));
    let credentials: Vec<String> = credentials.collect();
    let mut text = format!("\nnext, in config/dev.toml:\n  [systems.{name}]\n  connector = \"{name}\"\n");
    if !settings.is_empty() {
        let _ = writeln!(text, "  settings = {{ {} }}", settings.join(", "));
    }
    if !credentials.is_empty() {
        let _ = writeln!(text, "  credentials = {{ {} }}", credentials.join(", "));
    }
    let _ = write!(text, "then: syncline check, syncline connector try {name}");
    text
}
