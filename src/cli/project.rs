//! The files of a project (settings, connectors, mappings, cases) with everything that is wrong with them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{context::Context, error::Error, place};
use crate::{
    catalog::{
        case::Report,
        diagnostic::{self, Diagnostic},
        load::{Catalog, Loaded, Sources, SystemDecl, definition_of},
    },
    core::problem::{Focus, Problem, Severity, nearest},
    rehearsal,
    settings::{self, Settings},
};

/// Everything that could be read, and everything that is wrong with it.
pub(super) struct Survey {
    /// The settings, unless they are wrong.
    pub(super) settings: Option<Settings>,
    /// Where connectors and mappings are.
    pub(super) folders: Folders,
    /// What can be used.
    pub(super) catalog: Catalog,
    /// What is wrong, in the order of files and lines.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Where connectors and mappings are.
pub(super) struct Folders {
    /// Connectors.
    pub(super) connectors: PathBuf,
    /// Mappings and their cases.
    pub(super) mappings: PathBuf,
}

impl Context {
    /// Connectors and mappings, checked against the systems of the settings, with whatever is wrong.
    pub fn loaded(&self, settings: &Settings) -> Loaded {
        let origins = origins(self);
        let mut loaded = Catalog::load(&Sources {
            connectors_dir: &settings.folders.connectors,
            mappings_dir: &settings.folders.mappings,
            systems: &declared(settings, &origins),
        });
        loaded.diagnostics = loaded.diagnostics.into_iter().map(place::locate).collect();
        loaded
    }
}

/// What came of the cases of every definition, or of those with one name: those of connectors first.
pub(super) async fn run_cases(catalog: &Catalog, only: Option<&str>) -> Vec<(String, Report)> {
    let mut reports = rehearsal::run(catalog, only).await;
    reports.extend(catalog.run_cases(only));
    reports
}

/// Reads everything; wrong settings keep connectors and mappings from being looked at no more than they must.
pub(super) fn survey(context: &Context) -> Survey {
    let origins = origins(context);
    let (settings, problems) = match settings::load(&context.source, context.clock.now()) {
        Ok((settings, warnings)) => (Some(settings), warnings),
        Err(problems) => (None, problems),
    };
    let mut diagnostics: Vec<Diagnostic> = problems.into_iter().map(of_setting).collect();
    let (folders, loaded) = match &settings {
        Some(settings) => {
            diagnostics.extend(
                settings
                    .missing_secrets()
                    .into_iter()
                    .map(|problem| missing(problem, &origins)),
            );
            let folders = Folders {
                connectors: settings.folders.connectors.clone(),
                mappings: settings.folders.mappings.clone(),
            };
            (folders, context.loaded(settings))
        }
        None => without_settings(context),
    };
    diagnostics.extend(loaded.diagnostics);
    let mut diagnostics: Vec<Diagnostic> = diagnostics.into_iter().map(place::locate).collect();
    diagnostic::sort(&mut diagnostics);
    Survey {
        settings,
        folders,
        catalog: loaded.catalog,
        diagnostics,
    }
}

/// Connectors and mappings alone: with wrong settings nothing is known about systems, so their names are not checked.
fn without_settings(context: &Context) -> (Folders, Loaded) {
    let folders = folders(context);
    let loaded = Catalog::load(&Sources {
        connectors_dir: &folders.connectors,
        mappings_dir: &folders.mappings,
        systems: &BTreeMap::new(),
    });
    (folders, loaded)
}

/// Where connectors and mappings are, whatever else of the settings is wrong.
pub(super) fn folders(context: &Context) -> Folders {
    let (entries, _) = settings::entries(&context.source);
    let folder = |key: &str| {
        let entry = entries.iter().find(|entry| entry.key == key);
        PathBuf::from(entry.map_or_else(String::new, |entry| entry.value.clone()))
    };
    Folders {
        connectors: folder("folders.connectors"),
        mappings: folder("folders.mappings"),
    }
}

/// Where each setting comes from, by key.
fn origins(context: &Context) -> BTreeMap<String, String> {
    let (entries, _) = settings::entries(&context.source);
    let pairs = entries.into_iter().map(|entry| (entry.key, entry.origin.to_string()));
    pairs.collect()
}

/// The systems of the settings, as the catalog checks mappings against them.
fn declared(settings: &Settings, origins: &BTreeMap<String, String>) -> BTreeMap<String, SystemDecl> {
    let declare = |(name, system): (&String, &settings::System)| {
        let origin = origins.get(&format!("systems.{name}.connector")).cloned();
        let declared = SystemDecl {
            connector: system.connector.clone(),
            tenant: system.tenant.clone(),
            settings: system.settings.clone(),
            credentials: system.credentials.keys().cloned().collect(),
            webhook_secrets: system.webhook_secrets.len(),
            origin: origin.unwrap_or_else(|| "the settings".to_owned()),
        };
        (name.clone(), declared)
    };
    settings.systems.iter().map(declare).collect()
}

fn of_setting(problem: settings::Problem) -> Diagnostic {
    let pointer = match problem.key.as_str() {
        "" => String::new(),
        key => format!("/{}", key.replace('.', "/")),
    };
    let told = Problem {
        code: problem.code,
        severity: problem.severity,
        pointer,
        range: None,
        focus: Focus::Value,
        message: problem.message,
        hint: problem.hint,
    };
    Diagnostic::of_file(problem.origin.to_string(), told)
}

/// A secret that this machine does not have is a warning: files are checked where secrets are not. It is told where the
/// settings refer to it.
fn missing(mut problem: settings::Problem, origins: &BTreeMap<String, String>) -> Diagnostic {
    problem.severity = Severity::Warning;
    let inside = format!("{}.", problem.key);
    let origin = origins
        .iter()
        .find(|(key, _)| **key == problem.key || key.starts_with(&inside));
    let mut told = of_setting(problem);
    if let Some((_, file)) = origin {
        told.file.clone_from(file);
    }
    told
}

/// That there is no such thing, and which there are.
pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Error {
    let error = Error::usage(format!("there is no {what} `{name}`"));
    if let Some(near) = nearest(name, known.clone()) {
        return error.with_hint(format!("did you mean `{near}`?"));
    }
    let names: Vec<String> = known.take(20).map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        return error.with_hint(format!(
            "there is none yet: `syncline check` says which {what}s can be used"
        ));
    }
    error.with_hint(format!("there are {}", names.join(", ")))
}

/// Why a connector is not loaded, and what to do: its file has an error, or there is none.
pub(super) fn broken_connector(loaded: &Loaded, connector: &str) -> (String, String) {
    let is_own = |file: &str| {
        let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str());
        stem.is_some_and(|stem| definition_of(stem) == connector)
    };
    let mut errors = loaded.diagnostics.iter().filter(|problem| problem.is_error());
    let Some(first) = errors.find(|problem| is_own(&problem.file)) else {
        return (
            format!("there is no connector `{connector}`"),
            "`syncline check` says which there are".to_owned(),
        );
    };
    let line = first
        .place
        .as_ref()
        .map_or_else(String::new, |place| format!(":{}", place.line));
    let (file, code, message) = (&first.file, first.code, &first.message);
    let found = format!("its connector `{connector}` has an error, {file}{line}: [{code}] {message}");
    let all = "`syncline check` shows all of it";
    let next = first
        .hint
        .as_ref()
        .map_or_else(|| all.to_owned(), |hint| format!("{hint}; {all}"));
    (found, next)
}

/// Whether two names are of one file.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    match (std::fs::canonicalize(one), std::fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
