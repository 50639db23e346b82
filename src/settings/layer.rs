//! The layers, merged, and where each value of the merge came from.

use std::path::Path;

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Value, ValueKind};

use super::{
    DEFAULTS, DEV, Settings, Source,
    problem::{Origin, Problem},
    tree::{self, ENVIRONMENT, Flaw},
};
use crate::core::problem::nearest;

/// What variables that are settings start with.
const PREFIX: &str = "SYNCLINE";
/// What stands between the parts of a variable's name.
const SEPARATOR: &str = "__";
/// More problems than this are not collected.
const PROBLEMS_MAX: usize = 100;

/// All layers, merged.
pub(super) struct Layers {
    merged: Value,
    defaults: Value,
    /// The file of the environment, for keys that stand nowhere.
    file: String,
}

impl Layers {
    /// Reads and merges all layers; those that cannot be read are problems, and left out.
    pub(super) fn read(source: &Source) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut builder = Config::builder().add_source(defaults());
        let base = source.folder.join("default.toml");
        let file = source.folder.join(format!("{}.toml", source.environment));
        match environment_problem(source, &file) {
            Some(problem) => problems.push(problem),
            None => {
                for path in [&base, &file].into_iter().filter(|path| path.exists()) {
                    let layer = File::new(&path.display().to_string(), FileFormat::Toml);
                    match Config::builder().add_source(layer.clone()).build() {
                        Ok(_) => builder = builder.add_source(layer),
                        Err(error) => problems.push(unreadable(path, &error)),
                    }
                }
            }
        }
        let mut merged = built(builder.add_source(variables(source)));
        drop_empty_segments(&mut merged);
        keep_highest_reference(&mut merged);
        let layers = Self {
            merged,
            defaults: built(Config::builder().add_source(defaults())),
            file: file.display().to_string(),
        };
        (layers, problems)
    }

    /// Reads the merge into the typed form. Where a value is wrong, the problem is noted and the default takes its place,
    /// so that one look finds every problem; none, where too much is wrong to go on.
    pub(super) fn settings(&self, problems: &mut Vec<Problem>) -> Option<Settings> {
        let mut tree = self.merged.clone();
        for _ in 0..PROBLEMS_MAX {
            let error = match tree::read::<Settings>(&tree) {
                Ok(settings) => return Some(settings),
                Err(error) => error,
            };
            let path = error.path();
            let problem = self.problem(&path, &error);
            // What follows from an earlier problem inside the same table is no second one.
            let inside = format!("{}.", problem.key);
            if !problems.iter().any(|earlier| earlier.key.starts_with(&inside)) {
                problems.push(problem);
            }
            let prune = match error.flaw {
                Flaw::MissingKey(_) => path.split_last().map_or(&[][..], |(_, parent)| parent),
                _ => path.as_slice(),
            };
            if !replace(&mut tree, prune, get(&self.defaults, prune)) {
                return None;
            }
        }
        None
    }

    /// Where the value at `path` came from; for one that is not there, where it would stand.
    pub(super) fn origin(&self, path: &[String]) -> Origin {
        match get(&self.merged, path).and_then(leaf) {
            Some(leaf) => origin_of(leaf, path),
            None => Origin::File(self.file.clone()),
        }
    }

    pub(super) const fn merged(&self) -> &Value {
        &self.merged
    }

    fn problem(&self, path: &[String], error: &tree::Error) -> Problem {
        let key = path.join(".");
        let origin = self.origin(path);
        match &error.flaw {
            Flaw::UnknownKey { key: name, allowed } => {
                Problem::error("CF003", key, origin, format!("unknown key `{name}`"))
                    .with_hint(suggestion(name, allowed))
            }
            Flaw::UnknownName { name, allowed } => {
                Problem::error("CF004", key, origin, format!("`{name}` is not allowed here"))
                    .with_hint(suggestion(name, allowed))
            }
            Flaw::MissingKey(name) => Problem::error("CF005", key, origin, format!("`{name}` is missing")),
            Flaw::Value(message) => Problem::error("CF004", key, origin, message),
        }
    }
}

/// "did you mean", or everything that is allowed.
fn suggestion(name: &str, allowed: &[&str]) -> String {
    match nearest(name, allowed.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("allowed are {}", allowed.join(", ")),
    }
}

fn defaults() -> File<config::FileSourceString, FileFormat> {
    File::from_str(DEFAULTS, FileFormat::Toml)
}

fn variables(source: &Source) -> Environment {
    let ours: Map<String, String> = source
        .variables
        .starting_with(&format!("{PREFIX}{SEPARATOR}"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Environment::with_prefix(PREFIX)
        .separator(SEPARATOR)
        .prefix_separator(SEPARATOR)
        .source(Some(ours))
}

/// Builds from layers that were built one by one before; an empty table, should they fail together.
fn built(builder: config::ConfigBuilder<config::builder::DefaultState>) -> Value {
    builder
        .build()
        .map_or_else(|_| Value::new(None, Map::<String, Value>::new()), |config| config.cache)
}

/// A variable named `SYNCLINE__` and nothing more gives a key without a name.
fn drop_empty_segments(value: &mut Value) {
    if let ValueKind::Table(table) = &mut value.kind {
        table.remove("");
    }
}

/// A reference is one thing: where a layer says `{ credential = … }` and a lower one `{ file = … }`, only the higher one's
/// place stands.
fn keep_highest_reference(value: &mut Value) {
    const PLACES: [&str; 3] = ["env", "file", "credential"];
    match &mut value.kind {
        ValueKind::Table(table) => {
            let highest = PLACES.iter().filter_map(|place| table.get(*place).map(rank)).max();
            for place in PLACES {
                if table.get(place).is_some_and(|child| Some(rank(child)) < highest) {
                    table.remove(place);
                }
            }
            table.values_mut().for_each(keep_highest_reference);
        }
        ValueKind::Array(items) => items.iter_mut().for_each(keep_highest_reference),
        _ => {}
    }
}

/// How high the layer of a value lies.
fn rank(value: &Value) -> u8 {
    match value.origin() {
        None => 0,
        Some(ENVIRONMENT) => 3,
        Some(file) if Path::new(file).file_name().is_some_and(|name| name == "default.toml") => 1,
        Some(_) => 2,
    }
}

fn environment_problem(source: &Source, file: &Path) -> Option<Problem> {
    let name = &source.environment;
    let origin = || Origin::Variable("SYNCLINE_ENV".to_owned());
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !is_name || name == "default" {
        let message = format!("`{name}` is no name of an environment");
        return Some(
            Problem::error("CF001", "", origin(), message)
                .with_hint("letters, digits, `-` and `_`, as in `prod`; `default` is the base of all of them"),
        );
    }
    if name == DEV || file.exists() {
        return None;
    }
    let message = format!(
        "there are no settings of the environment `{name}`: {} is missing",
        file.display()
    );
    let known = known_environments(&source.folder);
    let near = nearest(name, known.iter().map(String::as_str));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("write {}, or name another folder with --config-dir", file.display()),
        None => format!("there are settings of {}", known.join(", ")),
    };
    Some(Problem::error("CF001", "", Origin::File(file.display().to_string()), message).with_hint(hint))
}

fn known_environments(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .filter(|name| name != "default")
        .take(PROBLEMS_MAX)
        .collect();
    names.sort();
    names
}

fn unreadable(path: &Path, error: &ConfigError) -> Problem {
    let origin = Origin::File(path.display().to_string());
    match error {
        ConfigError::FileParse { cause, .. } => {
            // The TOML reader shows the line it stopped at, which may hold a secret: keep what comes before and after.
            let text = cause.to_string();
            let lines: Vec<_> = text.lines().filter(|line| !line.contains('|')).map(str::trim).collect();
            Problem::error("CF002", "", origin, lines.join(": "))
                .with_hint("mend that line: nothing in this file counts until it can be read")
        }
        other => Problem::error("CF001", "", origin, format!("the file cannot be read: {other}")),
    }
}

/// The value at `path`.
pub(super) fn get<'a>(root: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(root, |value, step| match &value.kind {
        ValueKind::Table(table) => table.get(step),
        ValueKind::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Puts `default` (or nothing) in the place of what stands at `path`; a list is replaced as a whole. False where there is
/// nothing to replace.
fn replace(root: &mut Value, path: &[String], default: Option<&Value>) -> bool {
    let Some((step, rest)) = path.split_first() else {
        return false;
    };
    let ValueKind::Table(table) = &mut root.kind else {
        return false;
    };
    let is_inside_table = !rest.is_empty()
        && table
            .get(step)
            .is_some_and(|child| matches!(child.kind, ValueKind::Table(_)));
    if is_inside_table {
        return table.get_mut(step).is_some_and(|child| replace(child, rest, default));
    }
    match default.filter(|_| rest.is_empty()) {
        Some(default) => table.insert(step.clone(), default.clone()).is_some(),
        None => table.remove(step).is_some(),
    }
}

/// A value with an origin: this one, or the first one in it.
fn leaf(value: &Value) -> Option<&Value> {
    match &value.kind {
        ValueKind::Table(table) => {
            let first = table.iter().min_by_key(|(key, _)| *key)?;
            leaf(first.1)
        }
        ValueKind::Array(items) => items.first().map_or(Some(value), leaf),
        _ => Some(value),
    }
}

/// Where a value came from.
pub(super) fn origin_of(value: &Value, path: &[String]) -> Origin {
    match value.origin() {
        None => Origin::Default,
        Some(ENVIRONMENT) => Origin::Variable(format!("{PREFIX}{SEPARATOR}{}", path.join(SEPARATOR).to_uppercase())),
        Some(file) => Origin::File(file.to_owned()),
    }
}
