//! What the address of the next page tells, where an answer has one: the path of the collection, and parameters that it takes.

use serde_json::Value as Json;
use url::Url;

use super::{guess, listing::Hints, name::folded, sample::pointer_of};

/// What stands for the system's own address in cases.
pub(super) const STAND_IN: &str = "https://system.example";
/// So many parameters are taken over.
const PARAMETERS_MAX: usize = 20;
/// Addresses beside that of the next page, which is empty on the last one.
const SIBLINGS: [&str; 6] = ["previous", "prev", "first", "last", "self", "current"];

/// An address of the collection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Where the system answers; none where the address is a path alone.
    pub(super) origin: Option<String>,
    pub(super) path: String,
    /// The names of its parameters.
    pub(super) parameters: Vec<String>,
}

impl Address {
    /// The address of another page of this answer.
    pub(super) fn of(answer: &Json, hints: &Hints) -> Option<Self> {
        let pointer = pointer_of(hints.next_url.as_ref().or(hints.next.as_ref())?)?;
        let (above, _) = pointer.rsplit_once('/')?;
        let siblings = SIBLINGS.iter().map(|name| format!("{above}/{name}"));
        std::iter::once(pointer.clone())
            .chain(siblings)
            .find_map(|pointer| Self::read(answer.pointer(&pointer)?.as_str()?))
    }

    fn read(text: &str) -> Option<Self> {
        let is_path = text.starts_with('/') && !text.starts_with("//");
        let url = if is_path {
            Url::parse(STAND_IN).ok()?.join(text).ok()?
        } else {
            Url::parse(text).ok()?
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
        let path = url.path();
        if !matches!(url.scheme(), "http" | "https") || path.len() < 2 || !path.chars().all(is_plain) {
            return None;
        }
        let parameters = url.query_pairs().map(|(name, _)| name.into_owned());
        Some(Self {
            origin: (!is_path).then(|| url.origin().ascii_serialization()),
            path: path.to_owned(),
            parameters: parameters
                .filter(|name| !is_secret(name))
                .take(PARAMETERS_MAX)
                .collect(),
        })
    }

    /// The path of one record, as these addresses are written.
    pub(super) fn of_one(path: &str) -> String {
        match path.strip_suffix('/') {
            Some(bare) => format!("{bare}/{{id}}/"),
            None => format!("{path}/{{id}}"),
        }
    }
}

/// A text of an answer as a case may have it: the system's own address replaced, and secrets in addresses.
pub(super) fn masked(text: &str, origin: Option<&str>) -> Option<String> {
    let mut url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let is_own = origin.is_some_and(|origin| url.origin().ascii_serialization() == origin);
    let has_secrets = url.query_pairs().any(|(name, _)| is_secret(&name));
    if has_secrets {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = if is_secret(&name) { "x".into() } else { value };
                (name.into_owned(), value.into_owned())
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    match origin.filter(|_| is_own) {
        Some(origin) => Some(format!("{STAND_IN}{}", url.as_str().strip_prefix(origin)?)),
        None => has_secrets.then(|| url.to_string()),
    }
}

fn is_secret(name: &str) -> bool {
    let folded = folded(name);
    // What leads on is often called a token.
    let leads_on = guess::rank(guess::List::Cursor, name).is_some();
    !leads_on
        && [
            "secret",
            "signature",
            "password",
            "apikey",
            "auth",
            "accesskey",
            "token",
        ]
        .iter()
        .any(|part| folded.contains(part))
}
