//! From an author's expression to the one that the engine compiles.
//!
//! The engine's parser gives a tree. It is checked (names, filters, arguments, nothing that calls), and written again
//! with our own operators: `erp.price * 1.10 > 5` becomes `__0|__mul(__1)|__gt(5)`, where `__0` is the input
//! `erp.price` and `__1` the exact literal. So every path is known, and no number goes through binary floating point.

use std::{fmt::Write as _, ops::Range, sync::Arc};

use minijinja::{
    machinery::{
        Span,
        ast::{BinOpKind, CallArg, CompareOpKind, Const, Expr as Tree, Spanned, UnaryOpKind},
        parse_expr,
    },
    value::{Value as Engine, ValueKind},
};

use super::{Error, Names, SOURCE_BYTES_MAX, filter};
use crate::core::{
    path::{Path, Segment},
    problem::nearest,
    value::Value,
};

/// Operators and brackets in one expression. Bounds the depth of the tree, which parser and engine walk recursively.
const PARTS_MAX: usize = 256;
/// How inputs are named in the lowered expression; no author's name gets past [`Names`] with it.
pub(super) const INPUT_PREFIX: &str = "__";
/// The name that an author writes for "nothing": an entry of a map with it is left out.
const ABSENT: &str = "absent";

/// Something that the lowered expression takes by its number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    /// A name of the scope and the path below it.
    Path { root: Box<str>, path: Arc<Path> },
    /// A number as written.
    Literal(Value),
}

/// A checked expression, ready for the engine.
pub(super) struct Lowered {
    pub program: String,
    pub inputs: Vec<Input>,
    /// Whether it is a single input and nothing else.
    pub is_input: bool,
}

pub(super) fn expression(source: &str, names: &Names) -> Result<Lowered, Error> {
    let whole = || 0..source.len();
    if source.trim().is_empty() {
        return Err(Error::new("the expression is empty", whole()));
    }
    if source.len() > SOURCE_BYTES_MAX {
        return Err(Error::new(
            format!("the expression is longer than {SOURCE_BYTES_MAX} bytes"),
            whole(),
        ));
    }
    if parts(source) > PARTS_MAX {
        return Err(too_complex(source));
    }
    let tree = parse_expr(source).map_err(|error| {
        let parsed = Error::new(
            error.detail().unwrap_or("this is not an expression").to_owned(),
            error.range().unwrap_or_else(whole),
        );
        match syntax_hint(source) {
            Some(hint) => parsed.with_hint(hint),
            None => parsed,
        }
    })?;
    let mut lowering = Lowering {
        source,
        names,
        inputs: Vec::new(),
        program: String::new(),
    };
    lowering.expr(&tree)?;
    Ok(Lowered {
        is_input: access(&tree).is_some(),
        program: lowering.program,
        inputs: lowering.inputs,
    })
}

pub(super) fn too_complex(source: &str) -> Error {
    Error::new("the expression is too complex", 0..source.len())
        .with_hint("split it up: compute parts of it in fields or settings of their own")
}

/// Counts, outside of texts, what can nest: operators, brackets, dots and the words among the operators.
fn parts(source: &str) -> usize {
    let mut count = 0;
    let mut quote = None;
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(chars.next()),
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_ascii_punctuation() && !matches!(c, ',' | ':' | '_') => count += 1,
            _ => {}
        }
    }
    let words = source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    count
        + words
            .filter(|word| matches!(*word, "not" | "and" | "or" | "if" | "in" | "is"))
            .count()
}

fn syntax_hint(source: &str) -> Option<&'static str> {
    if source.contains("{%") || source.contains("{#") {
        Some("only single expressions are known: no statements, no comments")
    } else if source.contains("&&") || source.contains("||") || source.replace("!=", "").contains('!') {
        Some("the words are `and`, `or` and `not`")
    } else if source.contains('?') {
        Some("write `a if condition else b`")
    } else {
        None
    }
}

struct Lowering<'s> {
    source: &'s str,
    names: &'s Names,
    inputs: Vec<Input>,
    program: String,
}

type Done = Result<(), Error>;

impl Lowering<'_> {
    /// Writes an expression so that a filter can follow it without changing its meaning.
    fn expr(&mut self, tree: &Tree<'_>) -> Done {
        if let Some(found) = access(tree) {
            return self.access(found);
        }
        match tree {
            Tree::Const(literal) => self.literal(literal),
            Tree::UnaryOp(unary) => match unary.op {
                UnaryOpKind::Not => self.wrapped("(not ", &unary.expr, ")"),
                UnaryOpKind::Neg => self.wrapped("", &unary.expr, "|__neg"),
            },
            Tree::BinOp(binary) => self.binary(binary.op, &binary.left, &binary.right, tree.span()),
            Tree::Compare(compare) => match compare.ops.as_slice() {
                [only] => self.applied(comparison(only.op), &compare.expr, &only.expr),
                _ => Err(self
                    .error("comparisons cannot be chained", tree.span())
                    .with_hint("write `a < b and b < c`")),
            },
            Tree::IfExpr(choice) => {
                self.wrapped("(", &choice.true_expr, " if ")?;
                self.expr(&choice.test_expr)?;
                if let Some(other) = &choice.false_expr {
                    self.wrapped(" else ", other, "")?;
                }
                self.program.push(')');
                Ok(())
            }
            Tree::Filter(applied) => self.filter(applied.name, applied.expr.as_ref(), &applied.args, tree.span()),
            Tree::Test(test) => self.test(test.name, &test.expr, &test.args, tree.span()),
            Tree::GetAttr(member) => {
                let name = serde_json::Value::from(member.name).to_string();
                self.wrapped("", &member.expr, &format!("|__item({name})"))
            }
            Tree::GetItem(item) => self.applied("__item", &item.expr, &item.subscript_expr),
            Tree::Slice(slice) if slice.step.is_none() => {
                self.wrapped("", &slice.expr, "|__slice(")?;
                self.bound(slice.start.as_ref())?;
                self.program.push(',');
                self.bound(slice.stop.as_ref())?;
                self.program.push(')');
                Ok(())
            }
            Tree::List(list) => self.list(&list.items),
            Tree::Map(map) => self.map(&map.keys, &map.values),
            Tree::Call(call) => Err(self.refused_call(&call.expr, tree.span())),
            Tree::Slice(_) => Err(self.error("a slice takes no step", tree.span())),
            Tree::Tuple(_) => Err(self
                .error("tuples are not known", tree.span())
                .with_hint("write a list: `[a, b]`")),
            Tree::Var(_) => Err(self.error("this is not an expression", tree.span())),
        }
    }

    fn access(&mut self, (root, span, segments): Access<'_>) -> Done {
        if root == ABSENT && segments.is_empty() && !self.names.contains(root) {
            self.program.push_str("__absent");
            return Ok(());
        }
        if !self.names.contains(root) {
            return Err(self.names.unknown(root, range(span)));
        }
        self.input(Input::Path {
            root: root.into(),
            path: Arc::new(Path::of(segments)),
        });
        Ok(())
    }

    fn input(&mut self, input: Input) {
        let known = self.inputs.iter().position(|known| *known == input);
        let number = known.unwrap_or_else(|| {
            self.inputs.push(input);
            self.inputs.len() - 1
        });
        self.write(format_args!("{INPUT_PREFIX}{number}"));
    }

    fn literal(&mut self, literal: &Spanned<Const>) -> Done {
        let value: &Engine = &literal.value;
        match value.kind() {
            ValueKind::Number if value.as_i64().is_some_and(|int| int >= 0) && value.is_integer() => {
                self.write(format_args!("{value}"));
            }
            ValueKind::Number => {
                let written = self
                    .source
                    .get(range(literal.span()))
                    .unwrap_or_default()
                    .replace('_', "");
                let number = Value::number(&written).or_else(|| Value::number(&value.to_string()));
                let number = number.ok_or_else(|| self.error("this is not a number", literal.span()))?;
                self.input(Input::Literal(number));
            }
            ValueKind::String => {
                let text = serde_json::Value::from(value.as_str().unwrap_or_default()).to_string();
                self.program.push_str(&text);
            }
            ValueKind::None => self.program.push_str("none"),
            ValueKind::Bool => self.program.push_str(if value.is_true() { "true" } else { "false" }),
            _ => return Err(self.error("this literal is not known", literal.span())),
        }
        Ok(())
    }

    fn binary(&mut self, op: BinOpKind, left: &Tree<'_>, right: &Tree<'_>, span: Span) -> Done {
        let filter = match op {
            BinOpKind::ScAnd | BinOpKind::ScOr => {
                self.wrapped(
                    "(",
                    left,
                    if matches!(op, BinOpKind::ScAnd) {
                        " and "
                    } else {
                        " or "
                    },
                )?;
                return self.wrapped("", right, ")");
            }
            BinOpKind::Add => "__add",
            BinOpKind::Sub => "__sub",
            BinOpKind::Mul => "__mul",
            BinOpKind::Concat => "__concat",
            BinOpKind::Eq => "__eq",
            BinOpKind::Ne => "__ne",
            BinOpKind::Lt => "__lt",
            BinOpKind::Lte => "__le",
            BinOpKind::Gt => "__gt",
            BinOpKind::Gte => "__ge",
            BinOpKind::In => "__in",
            BinOpKind::Div => {
                return Err(self
                    .error("`/` does not say how many digits to keep", span)
                    .with_hint("write `a | div(b, 2)`"));
            }
            BinOpKind::FloorDiv | BinOpKind::Rem | BinOpKind::Pow => {
                return Err(self
                    .error("the operators are `+`, `-`, `*` and `~`", span)
                    .with_hint("there is also the filter `div(b, digits)`"));
            }
        };
        self.applied(filter, left, right)
    }

    /// Writes `left|filter(right)`.
    fn applied(&mut self, filter: &str, left: &Tree<'_>, right: &Tree<'_>) -> Done {
        self.expr(left)?;
        self.write(format_args!("|{filter}("));
        self.wrapped("", right, ")")
    }

    fn wrapped(&mut self, before: &str, tree: &Tree<'_>, after: &str) -> Done {
        self.program.push_str(before);
        self.expr(tree)?;
        self.program.push_str(after);
        Ok(())
    }

    fn filter(&mut self, name: &str, input: Option<&Tree<'_>>, args: &[CallArg<'_>], span: Span) -> Done {
        let Some(input) = input else {
            return Err(self.error("a filter needs something to work on", span));
        };
        let place = self.name_after(input.span(), span, name);
        let Some(known) = filter::named(name) else {
            return Err(unknown_word("filter", name, filter::names(), place));
        };
        check_count(name, args.len(), &known.arguments, &place)?;
        self.expr(input)?;
        self.write(format_args!("|{name}"));
        self.arguments(args, place)
    }

    fn test(&mut self, name: &str, subject: &Tree<'_>, args: &[CallArg<'_>], span: Span) -> Done {
        let place = self.name_after(subject.span(), span, name);
        let Some(known) = filter::test_named(name) else {
            return Err(unknown_word("test", name, filter::test_names(), place));
        };
        check_count(name, args.len(), &(known.arguments..=known.arguments), &place)?;
        self.wrapped("(", subject, " is ")?;
        self.program.push_str(name);
        self.arguments(args, place)?;
        self.program.push(')');
        Ok(())
    }

    fn arguments(&mut self, args: &[CallArg<'_>], place: Range<usize>) -> Done {
        if args.is_empty() {
            return Ok(());
        }
        self.program.push('(');
        for (at, arg) in args.iter().enumerate() {
            if at > 0 {
                self.program.push(',');
            }
            match arg {
                CallArg::Pos(tree) => self.expr(tree)?,
                _ => {
                    return Err(Error::new("arguments have no names here", place)
                        .with_hint("write them in their order: `replace('a', 'b')`"));
                }
            }
        }
        self.program.push(')');
        Ok(())
    }

    fn bound(&mut self, bound: Option<&Tree<'_>>) -> Done {
        if let Some(tree) = bound {
            return self.expr(tree);
        }
        self.program.push_str("none");
        Ok(())
    }

    fn list(&mut self, items: &[Tree<'_>]) -> Done {
        self.program.push('[');
        for item in items {
            self.wrapped("", item, ",")?;
        }
        self.program.push(']');
        Ok(())
    }

    fn map(&mut self, keys: &[Tree<'_>], values: &[Tree<'_>]) -> Done {
        self.program.push('{');
        for (key, value) in keys.iter().zip(values) {
            if !matches!(key, Tree::Const(literal) if literal.value.as_str().is_some()) {
                return Err(self
                    .error("a key of a map is a text", key.span())
                    .with_hint("put it in quotes: `{'a': 1}`"));
            }
            self.wrapped("", key, ":")?;
            self.wrapped("", value, ",")?;
        }
        self.program.push('}');
        Ok(())
    }

    fn refused_call(&self, called: &Tree<'_>, span: Span) -> Error {
        match called {
            Tree::GetAttr(method) => self
                .error(format!("there are no methods: `{}`", method.name), span)
                .with_hint(format!("filters are written `… | {}`", method.name)),
            Tree::Var(function) => self
                .error(format!("there are no functions: `{}`", function.id), span)
                .with_hint("filters are written `value | filter(…)`"),
            _ => self.error("nothing can be called here", span),
        }
    }

    /// Where `name` stands behind what it is applied to.
    fn name_after(&self, input: Span, span: Span, name: &str) -> Range<usize> {
        let after = range(input).end..range(span).end;
        let found = self.source.get(after.clone()).and_then(|text| text.find(name));
        match found {
            Some(at) => after.start + at..after.start + at + name.len(),
            None => range(span),
        }
    }

    fn error(&self, message: impl Into<String>, span: Span) -> Error {
        let place = range(span);
        let is_inside = self.source.get(place.clone()).is_some_and(|text| !text.is_empty());
        Error::new(message, if is_inside { place } else { 0..self.source.len() })
    }

    fn write(&mut self, part: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.program.write_fmt(part);
    }
}

/// A name, where it stands, and the steps below it that are known beforehand.
type Access<'t> = (&'t str, Span, Vec<Segment>);

fn access<'t>(tree: &'t Tree<'_>) -> Option<Access<'t>> {
    let mut segments = Vec::new();
    let mut place = tree;
    loop {
        place = match place {
            Tree::Var(var) => {
                segments.reverse();
                return Some((var.id, var.span(), segments));
            }
            Tree::GetAttr(member) => {
                segments.push(Segment::Key(member.name.into()));
                &member.expr
            }
            Tree::GetItem(item) => {
                let Tree::Const(key) = &item.subscript_expr else {
                    return None;
                };
                segments.push(match key.value.as_str() {
                    Some(name) => Segment::Key(name.into()),
                    None => Segment::Index(u32::try_from(key.value.as_i64()?).ok()?),
                });
                &item.expr
            }
            _ => return None,
        };
    }
}

const fn comparison(op: CompareOpKind) -> &'static str {
    match op {
        CompareOpKind::Eq => "__eq",
        CompareOpKind::Ne => "__ne",
        CompareOpKind::Lt => "__lt",
        CompareOpKind::Lte => "__le",
        CompareOpKind::Gt => "__gt",
        CompareOpKind::Gte => "__ge",
        CompareOpKind::In => "__in",
        CompareOpKind::NotIn => "__not_in",
    }
}

fn range(span: Span) -> Range<usize> {
    let offset = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
    offset(span.start_offset)..offset(span.end_offset)
}

fn unknown_word(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'static str> + Clone,
    place: Range<usize>,
) -> Error {
    let error = Error::new(format!("unknown {what} `{name}`"), place);
    match filter::foreign(name).or_else(|| nearest(name, known.clone())) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint(format!("there are {}", known.collect::<Vec<_>>().join(", "))),
    }
}

fn check_count(
    name: &str,
    given: usize,
    allowed: &std::ops::RangeInclusive<usize>,
    place: &Range<usize>,
) -> Result<(), Error> {
    if allowed.contains(&given) {
        return Ok(());
    }
    let (least, most) = (allowed.start(), allowed.end());
    let wanted = match (least, most) {
        (least, most) if least == most => format!("{most}"),
        (least, most) => format!("{least} to {most}"),
    };
    Err(Error::new(
        format!("`{name}` takes {wanted} arguments, {given} given"),
        place.clone(),
    ))
}
