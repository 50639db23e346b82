//! The expression language of connectors and mappings: `{{ … }}`, one expression at a time.
//!
//! It is [minijinja](https://docs.rs/minijinja) without statements, loops, functions and access to anything but the names
//! it is given, with a budget on steps and size. `docs/expressions.md` lists what an author can use; its examples are
//! run as tests. Numbers stay exact: a result that binary floating point could not hold exactly is refused.

mod bridge;
mod filter;
mod scope;
mod template;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, ops::Range, sync::LazyLock};

use minijinja::{Environment, Expression, UndefinedBehavior};

use super::{path::Path, problem::nearest, value::Value};

pub use scope::Scope;
pub use template::{Structure, Template};

/// Steps one evaluation may take.
const FUEL: u64 = 10_000;
/// The longest expression.
const SOURCE_BYTES_MAX: usize = 4_096;
/// The largest text or number of nodes one evaluation may yield.
pub(crate) const OUTPUT_MAX: usize = 1 << 20;

/// What is wrong with an expression as written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the text that holds the expression.
    pub range: Range<usize>,
    /// How to mend it.
    pub hint: Option<String>,
}

/// Why an evaluation came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A name or member that the data does not have.
    #[error("`{0}` is not there")]
    Undefined(String),
    /// The expression does not fit the data.
    #[error("{0}")]
    Evaluation(String),
    /// The budget is used up.
    #[error("the expression takes more than {FUEL} steps")]
    Fuel,
    /// The result is too large.
    #[error("the result is larger than {OUTPUT_MAX} bytes")]
    Size,
    /// Binary floating point would round the result.
    #[error("the result cannot be exact: use the filters `add`, `sub`, `mul`, `div` and `round`")]
    Inexact,
}

/// The names an expression may use.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// These names.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    fn unknown(&self, name: &str, range: Range<usize>) -> Error {
        let known: Vec<String> = self.0.iter().map(|name| format!("`{name}`")).collect();
        let hint = match nearest(name, self.0.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "nothing can be named here".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        };
        Error {
            message: format!("unknown name `{name}`"),
            range,
            hint: Some(hint),
        }
    }
}

/// A compiled expression.
pub struct Expr {
    source: String,
    program: Program,
}

enum Program {
    /// Only names and dots: looked up without the engine.
    Path {
        root: String,
        members: Vec<String>,
    },
    Compiled(Expression<'static, 'static>),
}

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(32);
    filter::register(&mut engine);
    engine
});

impl Expr {
    /// Compiles an expression (without braces) that may use `names`.
    pub fn parse(source: &str, names: &Names) -> Result<Self, Error> {
        let trimmed = source.trim();
        let start = source.find(trimmed).unwrap_or(0);
        let fail = |message: &str, hint: Option<&str>| Error {
            message: message.to_owned(),
            range: start..start + trimmed.len(),
            hint: hint.map(ToOwned::to_owned),
        };
        if trimmed.is_empty() {
            return Err(fail("the expression is empty", None));
        }
        if source.len() > SOURCE_BYTES_MAX {
            return Err(fail(
                "the expression is too long",
                Some("an expression has at most 4,096 bytes"),
            ));
        }
        if let Some((root, members)) = dotted(trimmed) {
            if !names.has(root) {
                return Err(names.unknown(root, start..start + root.len()));
            }
            let members = members.into_iter().map(ToOwned::to_owned).collect();
            return Ok(Self {
                source: trimmed.to_owned(),
                program: Program::Path {
                    root: root.to_owned(),
                    members,
                },
            });
        }
        let compiled = ENGINE.compile_expression_owned(trimmed.to_owned()).map_err(|error| {
            let range = error.range().map_or(start..start + trimmed.len(), |range| {
                range.start + start..range.end + start
            });
            let hint = trimmed
                .contains("{%")
                .then(|| "only single expressions are known: no statements".to_owned());
            Error {
                message: error.detail().unwrap_or("not an expression").to_owned(),
                range,
                hint,
            }
        })?;
        for name in compiled.undeclared_variables(false) {
            if !names.has(&name) {
                let range = position(trimmed, &name);
                return Err(names.unknown(&name, range.start + start..range.end + start));
            }
        }
        check_filters(trimmed, start)?;
        Ok(Self {
            source: trimmed.to_owned(),
            program: Program::Compiled(compiled),
        })
    }

    /// The value of the expression; something that is not there is a fault.
    pub fn eval(&self, scope: &Scope) -> Result<Value, Fault> {
        self.find(scope)?.ok_or_else(|| Fault::Undefined(self.source.clone()))
    }

    /// The value of the expression; `None` where it names something that is not there.
    pub fn find(&self, scope: &Scope) -> Result<Option<Value>, Fault> {
        match &self.program {
            Program::Path { root, members } => {
                let mut value = scope.get(root);
                for member in members {
                    value = value.and_then(|value| bridge::member(value, member));
                }
                Ok(value.cloned())
            }
            Program::Compiled(expression) => {
                let result = expression.eval(scope.view()).map_err(|error| self.fault(&error))?;
                bridge::from_engine(&result)
            }
        }
    }

    /// The members of `root` that the expression names, as paths. The root alone counts as the empty list.
    #[must_use]
    pub fn paths_of(&self, root: &str) -> Vec<Path> {
        let dotted: Vec<String> = match &self.program {
            Program::Path { root: own, members } if own == root => vec![members.join(".")],
            Program::Path { .. } => Vec::new(),
            Program::Compiled(expression) => expression
                .undeclared_variables(true)
                .into_iter()
                .filter_map(|name| name.strip_prefix(root)?.strip_prefix('.').map(ToOwned::to_owned))
                .collect(),
        };
        dotted.iter().filter_map(|path| Path::parse(path).ok()).collect()
    }

    fn fault(&self, error: &minijinja::Error) -> Fault {
        match error.kind() {
            minijinja::ErrorKind::OutOfFuel => Fault::Fuel,
            minijinja::ErrorKind::UndefinedError => Fault::Undefined(self.source.clone()),
            _ => Fault::Evaluation(
                error
                    .detail()
                    .map_or_else(|| error.kind().to_string(), ToOwned::to_owned),
            ),
        }
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.source).finish()
    }
}

/// Words of the language that are no names.
const WORDS: [&str; 8] = ["true", "false", "none", "True", "False", "None", "not", "loop"];

/// Splits text that is only names and dots.
fn dotted(text: &str) -> Option<(&str, Vec<&str>)> {
    let is_name = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut parts = text.split('.');
    let root = parts.next().filter(|root| is_name(root) && !WORDS.contains(root))?;
    let members: Vec<&str> = parts.collect();
    members.iter().all(|member| is_name(member)).then_some((root, members))
}

/// Where `name` stands in `source` as a word of its own.
fn position(source: &str, name: &str) -> Range<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    source
        .match_indices(name)
        .find(|(at, _)| {
            let before = source.get(..*at).and_then(|text| text.chars().next_back());
            let after = source.get(at + name.len()..).and_then(|text| text.chars().next());
            !before.is_some_and(|c| is_word(c) || c == '.') && !after.is_some_and(is_word)
        })
        .map_or(0..source.len(), |(at, _)| at..at + name.len())
}

/// Finds filters that do not exist, which the engine would tell only when they run.
fn check_filters(source: &str, start: usize) -> Result<(), Error> {
    let mut quote = None;
    let mut rest = source.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), '\\') => drop(rest.next()),
            (None, '"' | '\'') => quote = Some(c),
            (None, '|') => {
                let after = source.get(at + 1..).unwrap_or_default();
                let name_at = at + 1 + (after.len() - after.trim_start().len());
                let name: String = after
                    .trim_start()
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if !filter::NAMES.contains(&name.as_str()) {
                    let near = nearest(&name, filter::NAMES.iter().copied());
                    return Err(Error {
                        message: format!("unknown filter `{name}`"),
                        range: start + name_at..start + name_at + name.len(),
                        hint: near.map(|near| format!("did you mean `{near}`?")),
                    });
                }
            }
            _ => {}
        }
    }
    Ok(())
}
