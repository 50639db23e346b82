//! Texts with `{{ … }}` in them, and structures of such texts.

use serde_json::Value as Json;

use super::{Error, Expr, Fault, Names, OUTPUT_MAX, Scope};
use crate::core::{
    path::Path,
    problem::pointer,
    value::{Map, Value, json},
};

/// A text with expressions in it. A text that is exactly one `{{ … }}` yields the expression's own type, any other text.
#[derive(Debug)]
pub struct Template(Kind);

#[derive(Debug)]
enum Kind {
    Literal(Value),
    Single(Expr),
    Mixed(Vec<Part>),
}

#[derive(Debug)]
enum Part {
    Text(String),
    Expr(Expr),
}

impl Template {
    /// Compiles a text whose expressions may use `names`.
    pub fn parse(source: &str, names: &Names) -> Result<Self, Error> {
        let mut parts = parts(source, names)?;
        Ok(Self(match parts.len() {
            0 => Kind::Literal(Value::Text(String::new())),
            1 => match parts.swap_remove(0) {
                Part::Text(text) => Kind::Literal(Value::Text(text)),
                Part::Expr(expr) => Kind::Single(expr),
            },
            _ => Kind::Mixed(parts),
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

    /// The template's value; something that is not there is a fault.
    pub fn eval(&self, scope: &Scope) -> Result<Value, Fault> {
        match &self.0 {
            Kind::Single(expr) => expr.eval(scope),
            _ => self.find(scope).map(Option::unwrap_or_default),
        }
    }

    /// The template's value; `None` where it is one expression that names something that is not there.
    pub fn find(&self, scope: &Scope) -> Result<Option<Value>, Fault> {
        match &self.0 {
            Kind::Literal(value) => Ok(Some(value.clone())),
            Kind::Single(expr) => expr.find(scope),
            Kind::Mixed(parts) => mixed(parts, scope, |text| text).map(|text| Some(Value::Text(text))),
        }
    }

    /// The template as text, with every inserted value passed through `escape`; `None` where it names something that is
    /// not there and is nothing else.
    pub fn text(&self, scope: &Scope, escape: impl Fn(String) -> String) -> Result<Option<String>, Fault> {
        match &self.0 {
            Kind::Literal(value) => Ok(value.to_text()),
            Kind::Single(expr) => Ok(expr.find(scope)?.map(|value| escape(shown(&value)))),
            Kind::Mixed(parts) => mixed(parts, scope, escape).map(Some),
        }
    }

    /// The members of `root` that the template's expressions name.
    #[must_use]
    pub fn paths_of(&self, root: &str) -> Vec<Path> {
        match &self.0 {
            Kind::Literal(_) => Vec::new(),
            Kind::Single(expr) => expr.paths_of(root),
            Kind::Mixed(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Expr(expr) => Some(expr.paths_of(root)),
                    Part::Text(_) => None,
                })
                .flatten()
                .collect(),
        }
    }
}

fn shown(value: &Value) -> String {
    value.to_text().unwrap_or_else(|| json::to_string(value))
}

fn mixed(parts: &[Part], scope: &Scope, escape: impl Fn(String) -> String) -> Result<String, Fault> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Expr(expr) => text.push_str(&escape(shown(&expr.eval(scope)?))),
        }
        if text.len() > OUTPUT_MAX {
            return Err(Fault::Size);
        }
    }
    Ok(text)
}

fn parts(source: &str, names: &Names) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut at = 0;
    let rest = |at: usize| source.get(at..).unwrap_or_default();
    if let Some(statement) = source.find("{%") {
        return Err(Error {
            message: "statements are not known here".to_owned(),
            range: statement..statement + 2,
            hint: Some("use one expression, with `if … else …` inside it".to_owned()),
        });
    }
    while let Some(open) = rest(at).find("{{") {
        if open > 0 {
            parts.push(Part::Text(rest(at).get(..open).unwrap_or_default().to_owned()));
        }
        let start = at + open + 2;
        let Some(length) = closing(rest(start)) else {
            return Err(Error {
                message: "`{{` is not closed".to_owned(),
                range: start - 2..source.len(),
                hint: Some("add `}}`".to_owned()),
            });
        };
        let inner = rest(start).get(..length).unwrap_or_default();
        let expr = Expr::parse(inner, names).map_err(|error| Error {
            range: error.range.start + start..error.range.end + start,
            ..error
        })?;
        parts.push(Part::Expr(expr));
        at = start + length + 2;
    }
    if !rest(at).is_empty() {
        parts.push(Part::Text(rest(at).to_owned()));
    }
    Ok(parts)
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

/// A JSON-like structure whose texts are templates.
#[derive(Debug)]
pub enum Structure {
    /// A text, or a value that is the same whatever the scope.
    Leaf(Template),
    /// Items.
    List(Vec<Structure>),
    /// Members; one that yields nothing is left out.
    Map(Vec<(Template, Structure)>),
}

impl Structure {
    /// Compiles a structure. Every problem is reported with the JSON pointer of its text.
    pub fn parse(form: &Json, names: &Names, place: &str, report: &mut dyn FnMut(String, Error)) -> Self {
        match form {
            Json::String(text) => Self::Leaf(Template::parse(text, names).unwrap_or_else(|error| {
                report(place.to_owned(), error);
                Template::literal(Value::Null)
            })),
            Json::Array(items) => Self::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Self::parse(item, names, &pointer(place, index), report))
                    .collect(),
            ),
            Json::Object(members) => Self::Map(
                members
                    .iter()
                    .map(|(key, member)| {
                        let place = pointer(place, key);
                        let key = Template::parse(key, names).unwrap_or_else(|error| {
                            report(place.clone(), error);
                            Template::literal(Value::Null)
                        });
                        (key, Self::parse(member, names, &place, report))
                    })
                    .collect(),
            ),
            plain => Self::Leaf(Template::literal(Value::from(plain.clone()))),
        }
    }

    /// The structure's value; `None` where it is a text that yields nothing.
    pub fn find(&self, scope: &Scope) -> Result<Option<Value>, Fault> {
        match self {
            Self::Leaf(template) => template.find(scope),
            Self::List(items) => {
                let items: Result<Vec<_>, _> = items.iter().map(|item| item.find(scope)).collect();
                Ok(Some(Value::List(items?.into_iter().flatten().collect())))
            }
            Self::Map(members) => {
                let mut map = Map::new();
                for (key, member) in members {
                    let key = key.text(scope, |text| text)?;
                    if let (Some(key), Some(value)) = (key, member.find(scope)?) {
                        map.insert(key, value);
                    }
                }
                Ok(Some(Value::Map(map)))
            }
        }
    }

    /// Whether any of its texts names `root`.
    #[must_use]
    pub fn uses(&self, root: &str) -> bool {
        match self {
            Self::Leaf(template) => template.uses(root),
            Self::List(items) => items.iter().any(|item| item.uses(root)),
            Self::Map(members) => members.iter().any(|(key, member)| key.uses(root) || member.uses(root)),
        }
    }
}

impl Template {
    /// Whether it names `root`.
    #[must_use]
    pub fn uses(&self, root: &str) -> bool {
        match &self.0 {
            Kind::Literal(_) => false,
            Kind::Single(expr) => expr.uses(root),
            Kind::Mixed(parts) => parts
                .iter()
                .any(|part| matches!(part, Part::Expr(expr) if expr.uses(root))),
        }
    }
}

impl Expr {
    /// Whether the expression names `root`.
    #[must_use]
    pub fn uses(&self, root: &str) -> bool {
        match &self.program {
            super::Program::Path { root: own, .. } => own == root,
            super::Program::Compiled(expression) => expression.undeclared_variables(false).contains(root),
        }
    }
}
