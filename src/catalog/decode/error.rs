//! What serde says about a node, in words for people.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::{
    catalog::yaml::{NodeId, Tree},
    core::problem::{Problem, nearest},
};

/// Why a node is not what its form asks for.
#[derive(Debug)]
pub(super) struct Error {
    /// The node, as soon as it is known.
    pub(super) node: Option<NodeId>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// The node has a key that is none of these.
    UnknownKey { expected: &'static [&'static str] },
    /// The node's key was meant to be this one.
    Misspelt { key: &'static str },
    /// The node lacks this key.
    Missing { key: &'static str },
    /// The node is none of the names that are allowed.
    UnknownName {
        name: String,
        expected: &'static [&'static str],
    },
    /// What the node is about was wrong and is set aside.
    Follows,
    /// The node is of another kind, or out of range.
    Wrong { message: String, hint: Option<String> },
}

impl Error {
    pub(super) fn wrong(message: impl Into<String>, hint: Option<&str>) -> Self {
        Self {
            node: None,
            kind: Kind::Wrong {
                message: message.into(),
                hint: hint.map(str::to_owned),
            },
        }
    }

    pub(super) const fn misspelt(key: &'static str) -> Self {
        Self {
            node: None,
            kind: Kind::Misspelt { key },
        }
    }

    pub(super) const fn follows() -> Self {
        Self {
            node: None,
            kind: Kind::Follows,
        }
    }

    /// The same error at `node`, unless its place is known more closely.
    pub(super) fn at(mut self, node: NodeId) -> Self {
        self.node.get_or_insert(node);
        self
    }

    pub(super) fn problem(&self, tree: &Tree, node: NodeId) -> Problem {
        let pointer = tree.pointer(node);
        match &self.kind {
            Kind::UnknownKey { expected } => {
                let key = tree.node(node).key.as_ref().map_or("", |key| key.text.as_str());
                let problem = Problem::error("FM001", pointer, format!("unknown key `{key}`")).on_key();
                match meant(key, expected) {
                    Some(hint) => problem.with_hint(hint),
                    None => with_names(problem, key, expected, "known keys"),
                }
            }
            Kind::Misspelt { key } => {
                let found = tree.node(node).key.as_ref().map_or("", |key| key.text.as_str());
                let problem = Problem::error("FM001", pointer, format!("unknown key `{found}`")).on_key();
                problem.with_hint(format!("did you mean `{key}`?"))
            }
            Kind::Missing { key } => Problem::error("FM002", pointer, format!("`{key}` is missing")).on_key(),
            Kind::UnknownName { name, expected } => {
                let problem = Problem::error("FM003", pointer, format!("`{name}` is none of the names allowed here"));
                with_names(problem, name, expected, "allowed")
            }
            Kind::Follows => Problem::error("FM004", pointer, self.to_string()),
            Kind::Wrong { message, hint } => {
                let problem = Problem::error("FM004", pointer, message.as_str());
                match hint {
                    Some(hint) => problem.with_hint(hint.as_str()),
                    None => problem,
                }
            }
        }
    }
}

/// Words that people write, the key that stands for them where it is known, and how that is written.
const MEANT: [(&[&str], &str, &str); 1] = [(
    &["token", "secret", "api_key", "password"],
    "shared_secret",
    "a secret that the sender repeats is `shared_secret: { header: NAME }` or `shared_secret: { query: NAME }`; what it is stands in \
     `webhook_secrets` of the system",
)];

/// How what people mean by this key is written here.
fn meant(key: &str, expected: &[&str]) -> Option<&'static str> {
    let fits = |(words, known, _): &&(&[&str], &str, &str)| words.contains(&key) && expected.contains(known);
    MEANT.iter().find(fits).map(|(.., hint)| *hint)
}

/// How many names a hint lists before it leaves the rest to the documentation.
const NAMES_LISTED: usize = 16;

/// Adds "did you mean", or the list of names where none comes close.
fn with_names(problem: Problem, name: &str, expected: &[&str], label: &str) -> Problem {
    let expected: Vec<&str> = expected.iter().copied().filter(|name| *name != super::SIDES).collect();
    if let Some(nearest) = nearest(name, expected.iter().copied()) {
        return problem.with_hint(format!("did you mean `{nearest}`?"));
    }
    if expected.is_empty() || expected.len() > NAMES_LISTED {
        return problem;
    }
    problem.with_hint(format!("{label}: `{}`", expected.join("`, `")))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::UnknownKey { .. } | Kind::Misspelt { .. } => f.write_str("unknown key"),
            Kind::Missing { key } => write!(f, "`{key}` is missing"),
            Kind::UnknownName { name, .. } => write!(f, "`{name}` is unknown"),
            Kind::Follows => f.write_str("what stands here is wrong"),
            Kind::Wrong { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::wrong(message.to_string(), None)
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let wanted = wanted(expected);
        let hint = match unexpected {
            Unexpected::Bool(_) | Unexpected::Signed(_) | Unexpected::Unsigned(_) | Unexpected::Float(_)
                if wanted == TEXT =>
            {
                Some("put it in quotes")
            }
            _ => None,
        };
        Self::wrong(format!("expected {wanted}, found {}", found(&unexpected)), hint)
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::wrong(
            format!("expected {}, found {}", wanted(expected), found(&unexpected)),
            None,
        )
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::wrong(format!("expected {}, found {length} items", wanted(expected)), None)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self {
            node: None,
            kind: Kind::UnknownName {
                name: shortened(variant),
                expected,
            },
        }
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self {
            node: None,
            kind: Kind::UnknownKey { expected },
        }
    }

    fn missing_field(key: &'static str) -> Self {
        Self {
            node: None,
            kind: Kind::Missing { key },
        }
    }
}

const TEXT: &str = "a text";

/// serde's word for what it wants, in words that a file has.
fn wanted(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    let word = match expected.as_str() {
        "a string" | "a borrowed string" | "a character" | "string" => TEXT,
        "a boolean" => "`yes` or `no`",
        "a map" => "a map",
        "a sequence" => "a list",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "any valid JSON value" => "a value",
        other if other.starts_with("struct ") || other.starts_with("tuple struct ") => "a map",
        other if other.starts_with("enum ") || other == "variant identifier" => "a name",
        other => return other.to_owned(),
    };
    word.to_owned()
}

fn found(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("the number `{number}`"),
        Unexpected::Signed(number) => format!("the number `{number}`"),
        Unexpected::Float(number) => format!("the number `{number}`"),
        Unexpected::Char(letter) => format!("the text `{letter}`"),
        Unexpected::Str(text) => format!("the text `{}`", shortened(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// A text short enough for a message.
fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
