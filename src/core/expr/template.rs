//! Texts with `{{ … }}` in them.

use super::{Error, Expr, Fault, Names, OUTPUT_BYTES_MAX, Scope};
use crate::core::{
    path::Path,
    value::{Redacted, Value},
};

/// A text with expressions in it. A text that is exactly one `{{ … }}` yields the expression's own type, any other
/// yields text; without `{{` it is what it is. A literal `{{` is written `{{ '{{' }}`.
#[derive(Debug)]
pub struct Template(Kind);

#[derive(Debug)]
enum Kind {
    Literal(Value),
    Single(Box<Expr>),
    Mixed(Vec<Part>),
}

#[derive(Debug)]
enum Part {
    Text(String),
    Expr(Expr),
}

impl Template {
    /// Compiles a text whose expressions may use `names`. Ranges of errors are bytes of `source`.
    pub fn parse(source: &str, names: &Names) -> Result<Self, Error> {
        let mut parts = parts(source, names)?;
        Ok(Self(match (parts.pop(), parts.is_empty()) {
            (None, _) => Kind::Literal(Value::Text(String::new())),
            (Some(Part::Text(text)), true) => Kind::Literal(Value::Text(text)),
            (Some(Part::Expr(expr)), true) => Kind::Single(Box::new(expr)),
            (Some(last), false) => {
                parts.push(last);
                Kind::Mixed(parts)
            }
        }))
    }

    /// A template that yields `value` whatever the scope.
    #[must_use]
    pub const fn literal(value: Value) -> Self {
        Self(Kind::Literal(value))
    }

    /// Whether it yields the same whatever the scope.
    #[must_use]
    pub const fn is_literal(&self) -> bool {
        matches!(self.0, Kind::Literal(_))
    }

    /// The template's value; that there is none is a fault.
    pub fn eval(&self, scope: &Scope) -> Result<Value, Fault> {
        match &self.0 {
            Kind::Single(expr) => expr.eval(scope),
            _ => self.find(scope).map(Option::unwrap_or_default),
        }
    }

    /// The template's value; `None` where it is one expression that comes to nothing. Inside of a text that is a fault.
    pub fn find(&self, scope: &Scope) -> Result<Option<Value>, Fault> {
        match &self.0 {
            Kind::Literal(value) => Ok(Some(value.clone())),
            Kind::Single(expr) => expr.find(scope),
            Kind::Mixed(parts) => mixed(parts, scope, |text| text).map(|text| Some(Value::Text(text))),
        }
    }

    /// The template as text, with every inserted value passed through `escape`; null is empty. `None` where it is one
    /// expression that comes to nothing.
    pub fn text(&self, scope: &Scope, escape: impl Fn(String) -> String) -> Result<Option<String>, Fault> {
        match &self.0 {
            Kind::Literal(value) => Ok(value.to_text()),
            Kind::Single(expr) => match expr.peek(scope)? {
                Some(value) => Ok(Some(escape(inserted(&value, expr)?))),
                None => Ok(None),
            },
            Kind::Mixed(parts) => mixed(parts, scope, escape).map(Some),
        }
    }

    /// Whether the condition holds, see [`Expr::holds`].
    pub fn holds(&self, scope: &Scope) -> Result<bool, Fault> {
        match &self.0 {
            Kind::Literal(Value::Bool(truth)) => Ok(*truth),
            Kind::Single(expr) => expr.holds(scope),
            Kind::Literal(_) | Kind::Mixed(_) => Err(Fault::Result {
                message: "the condition yields text instead of true or false".to_owned(),
            }),
        }
    }

    /// The members of `root` that the template names, see [`Expr::paths_of`].
    #[must_use]
    pub fn paths_of(&self, root: &str) -> Vec<Path> {
        self.expressions().flat_map(|expr| expr.paths_of(root)).collect()
    }

    /// Whether the template takes `root` as a whole, see [`Expr::uses_whole`].
    #[must_use]
    pub fn uses_whole(&self, root: &str) -> bool {
        self.expressions().any(|expr| expr.uses_whole(root))
    }

    /// The conditions by which it chooses between two values, see [`Expr::conditions`].
    #[must_use]
    pub fn conditions(&self, names: &Names) -> Vec<Expr> {
        self.expressions().flat_map(|expr| expr.conditions(names)).collect()
    }

    /// Whether it names `root`.
    #[must_use]
    pub fn uses(&self, root: &str) -> bool {
        self.expressions().any(|expr| expr.uses(root))
    }

    fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let (single, parts) = match &self.0 {
            Kind::Literal(_) => (None, [].as_slice()),
            Kind::Single(expr) => (Some(&**expr), [].as_slice()),
            Kind::Mixed(parts) => (None, parts.as_slice()),
        };
        single.into_iter().chain(parts.iter().filter_map(|part| match part {
            Part::Expr(expr) => Some(expr),
            Part::Text(_) => None,
        }))
    }
}

/// A value in the middle of a text. A list or map there is a mistake: whoever means it says how it is written.
fn inserted(value: &Value, expr: &Expr) -> Result<String, Fault> {
    value.to_text().ok_or_else(|| Fault::Result {
        message: format!(
            "`{}` yields a {} inside a text; `| json` writes it as one",
            expr.source(),
            Redacted(value)
        ),
    })
}

fn mixed(parts: &[Part], scope: &Scope, escape: impl Fn(String) -> String) -> Result<String, Fault> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Expr(expr) => {
                let value = expr.peek(scope)?.ok_or_else(|| expr.absent())?;
                text.push_str(&escape(inserted(&value, expr)?));
            }
        }
        if text.len() > OUTPUT_BYTES_MAX {
            return Err(Fault::Size);
        }
    }
    Ok(text)
}

fn parts(source: &str, names: &Names) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut at = 0;
    let rest = |at: usize| source.get(at..).unwrap_or_default();
    while let Some(open) = rest(at).find("{{") {
        literal(rest(at).get(..open).unwrap_or_default(), at, &mut parts)?;
        let start = at + open + 2;
        let Some(length) = closing(rest(start)) else {
            return Err(Error::new("`{{` is not closed", start - 2..source.len()).with_hint("add `}}`"));
        };
        let inner = rest(start).get(..length).unwrap_or_default();
        let expr = Expr::parse(inner, names).map_err(|error| error.moved(start))?;
        parts.push(Part::Expr(expr));
        at = start + length + 2;
    }
    literal(rest(at), at, &mut parts)?;
    Ok(parts)
}

/// Text between expressions, which begins at `offset`.
fn literal(text: &str, offset: usize, parts: &mut Vec<Part>) -> Result<(), Error> {
    if let Some(at) = text.find("{%") {
        return Err(
            Error::new("statements are not known here", offset + at..offset + at + 2)
                .with_hint("use one expression: `{{ a if condition else b }}`"),
        );
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(())
}

/// Bytes up to the `}}` that closes an expression; braces inside quotes and of maps do not count.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(chars.next()),
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') if depth > 0 => depth -= 1,
            (None, '}') if chars.peek().is_some_and(|(_, next)| *next == '}') => return Some(at),
            _ => {}
        }
    }
    None
}
