//! The expression language of connectors and mappings: `{{ … }}`, one expression at a time.
//!
//! Its syntax and engine are those of [minijinja](https://docs.rs/minijinja), without statements, functions and
//! methods, and with nothing to reach but the names it is given. `docs/expressions.md` is the reference for authors; its
//! examples are run as tests.
//!
//! What is ours is the meaning of operators. The engine would take decimals through binary floating point, order a
//! decimal and an integer by their *types*, and print values in its own way; so [`lower`] rewrites every operator, path
//! and number of a parsed expression into a filter or input of ours before the engine compiles it, and all values stay
//! exact. What is left to the engine: `and`, `or`, `not`, `if … else`, lists and maps, the order of evaluation, and the
//! budget.
//!
//! - A name that is unknown, a filter that does not exist or a wrong number of arguments is an [`Error`] when the
//!   expression is parsed.
//! - A member that the data does not have is *absent*: false in a condition, equal to nothing, taken by `default`, and
//!   a [`Fault`] in every other filter or operator. An expression that comes to nothing yields `None`.
//! - Null is a value: text filters leave it alone, so that what was cleared stays cleared.
//! - The budget is counted in steps, one an instruction and one for every 64 bytes of text that is worked on.

mod condition;
mod engine;
mod filter;
mod lower;
mod operator;
mod scope;
mod structure;
mod template;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::BTreeSet, fmt, ops::Range, sync::Arc};

use super::{path::Path, problem::nearest, value::Value};
use lower::Input;

pub use scope::Scope;
pub use structure::Structure;
pub use template::Template;

/// Steps that one evaluation may take.
const STEPS_MAX: u64 = 20_000;
/// The longest expression.
const SOURCE_BYTES_MAX: usize = 8 << 10;
/// The largest result that is computed, in bytes of its text. Data that is only passed on is not measured.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// What is wrong with an expression as written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the text that was parsed.
    pub range: Range<usize>,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Error {
    fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self {
            message: message.into(),
            range,
            hint: None,
        }
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error of a text that begins `offset` bytes later.
    fn moved(mut self, offset: usize) -> Self {
        self.range = self.range.start + offset..self.range.end + offset;
        self
    }
}

/// Why an evaluation came to nothing. Names what the author wrote and never what the data says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The data has no such member.
    #[error("`{what}` is absent")]
    Absent {
        /// The path as written, or the expression.
        what: String,
    },
    /// An operator or filter cannot take these values.
    #[error("`{operation}`: {message}")]
    Operation {
        /// The operator or filter.
        operation: &'static str,
        /// What it cannot take.
        message: String,
    },
    /// The expression yields what its place cannot take.
    #[error("{message}")]
    Result {
        /// What was found and what was expected.
        message: String,
    },
    /// The budget is used up.
    #[error("the expression takes more than {STEPS_MAX} steps")]
    Steps,
    /// The result is too large.
    #[error("the result has more than {OUTPUT_BYTES_MAX} bytes")]
    Size,
    /// The engine gave up for another reason.
    #[error("the expression cannot be evaluated: {reason}")]
    Engine {
        /// The kind of error.
        reason: String,
    },
}

/// The names an expression may use.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// These names.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// The same names and one more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>) -> Self {
        self.0.insert(name.into());
        self
    }

    fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    fn unknown(&self, name: &str, range: Range<usize>) -> Error {
        let known: Vec<String> = self.0.iter().map(|name| format!("`{name}`")).collect();
        let hint = match nearest(name, self.0.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "nothing can be named here".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        };
        Error::new(format!("unknown name `{name}`"), range).with_hint(hint)
    }
}

/// A compiled expression. Compiling is dear and evaluating is cheap: keep it.
pub struct Expr {
    source: String,
    inputs: Arc<[Input]>,
    program: Program,
}

enum Program {
    /// Nothing but a path: looked up without the engine.
    Path,
    Compiled(engine::Program),
}

impl Expr {
    /// Compiles an expression (without braces) that may use `names`.
    pub fn parse(source: &str, names: &Names) -> Result<Self, Error> {
        let lowered = lower::expression(source, names)?;
        let program = match lowered.inputs.as_slice() {
            [Input::Path { .. }] if lowered.is_input => Program::Path,
            _ => Program::Compiled(engine::compile(lowered.program).ok_or_else(|| lower::too_complex(source))?),
        };
        Ok(Self {
            source: source.trim().to_owned(),
            inputs: lowered.inputs.into(),
            program,
        })
    }

    /// The value of the expression; that there is none is a fault.
    pub fn eval(&self, scope: &Scope) -> Result<Value, Fault> {
        self.find(scope)?.ok_or_else(|| self.absent())
    }

    /// The value of the expression; `None` where it comes to nothing.
    pub fn find(&self, scope: &Scope) -> Result<Option<Value>, Fault> {
        self.peek(scope).map(|value| value.map(Cow::into_owned))
    }

    /// As [`Expr::find`]; what an expression that is only a path leads to is not copied.
    pub fn peek<'a>(&self, scope: &'a Scope) -> Result<Option<Cow<'a, Value>>, Fault> {
        match (&self.program, self.inputs.first()) {
            (Program::Compiled(program), _) => {
                let result = program.eval(scope, &self.inputs)?;
                result.map(Cow::Owned).map_or(Ok(None), |value| Ok(Some(value)))
            }
            (Program::Path, Some(Input::Path { root, path })) => {
                Ok(scope.get(root).and_then(|value| path.get(value)).map(Cow::Borrowed))
            }
            (Program::Path, _) => Ok(None),
        }
    }

    /// Whether the condition holds: null and absent are false, and anything that is not a boolean is a fault.
    pub fn holds(&self, scope: &Scope) -> Result<bool, Fault> {
        match self.peek(scope)?.as_deref() {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(truth)) => Ok(*truth),
            Some(other) => Err(Fault::Result {
                message: format!("the condition yields {} instead of true or false", other.type_name()),
            }),
        }
    }

    /// The members of `root` that the expression names. They are all it can read, unless [`Expr::uses_whole`] too.
    #[must_use]
    pub fn paths_of(&self, root: &str) -> Vec<Path> {
        let paths = self.paths().filter(|(name, path)| *name == root && !path.is_whole());
        paths.map(|(_, path)| path.clone()).collect()
    }

    /// Whether the expression takes `root` as a whole, so that any of its members may matter.
    #[must_use]
    pub fn uses_whole(&self, root: &str) -> bool {
        self.paths().any(|(name, path)| name == root && path.is_whole())
    }

    /// Whether the expression names `root`.
    #[must_use]
    pub fn uses(&self, root: &str) -> bool {
        self.paths().any(|(name, _)| name == root)
    }

    /// The conditions by which the expression chooses between two values, each as an expression of its own. `names` are those
    /// that it was compiled with.
    #[must_use]
    pub fn conditions(&self, names: &Names) -> Vec<Self> {
        let found = condition::conditions(&self.source).into_iter();
        let parts = found.filter_map(|at| self.source.get(at));
        parts.filter_map(|part| Self::parse(part, names).ok()).collect()
    }

    /// The expression as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    fn paths(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.inputs.iter().filter_map(|input| match input {
            Input::Path { root, path } => Some((&**root, &**path)),
            Input::Literal(_) => None,
        })
    }

    fn absent(&self) -> Fault {
        Fault::Absent {
            what: self.source.clone(),
        }
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.source).finish()
    }
}
