//! Texts with `{{ … }}` of a manifest in the words of a connector. Only forms that mean the same are taken over.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Import;
use crate::{
    core::{
        connector::form::{SettingForm, SettingKind},
        path::{Path, Segment},
    },
    draft::{name, one_line},
};

/// What an expression of a manifest is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    /// What a person gives the connector.
    Config,
    /// The answer.
    Response,
    /// The last record of a page.
    LastRecord,
    /// The span of time that is read.
    Interval,
    /// The next page.
    NextPage,
    /// The headers of the answer.
    Headers,
}

/// A chain of members, and what it falls back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) root: Root,
    pub(super) steps: Vec<String>,
}

/// The names of what is secret, by the last step of its path.
pub(super) fn secrets(spec: &Json) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    gather(spec, 0, &mut found);
    found
}

fn gather(node: &Json, depth: usize, found: &mut BTreeSet<String>) {
    if depth > 12 {
        return;
    }
    for (name, property) in node.get("properties").and_then(Json::as_object).into_iter().flatten() {
        if property.get("airbyte_secret").and_then(Json::as_bool) == Some(true) {
            found.insert(name.clone());
        }
        gather(property, depth + 1, found);
    }
    for part in node.get("oneOf").and_then(Json::as_array).into_iter().flatten() {
        gather(part, depth + 1, found);
    }
}

/// The expressions of a text: pieces outside of braces, and those inside.
pub(super) fn pieces(text: &str) -> Vec<(&str, Option<&str>)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        match after.split_once("}}") {
            Some((inside, behind)) => {
                pieces.push((before, Some(inside.trim())));
                rest = behind;
            }
            None => break,
        }
    }
    pieces.push((rest, None));
    pieces
}

/// Reads a chain: `config['a']`, `response.paging.next`, `response.get('a', {}).get('b')`.
pub(super) fn chain(expression: &str) -> Option<Chain> {
    // `(response.get('a') or {}).get('b')`: what stands for an empty value is what absent is to us.
    let plain = expression.trim().replace(" or {}", "").replace(" or []", "");
    let text = plain.trim_start_matches('(');
    let mut open = plain.len() - text.len();
    let word = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    let (head, mut rest) = text.split_at(word);
    let root = match head {
        "config" => Root::Config,
        "response" | "decoded_response" => Root::Response,
        "last_record" | "last_page_record" => Root::LastRecord,
        "stream_interval" | "stream_slice" => Root::Interval,
        "next_page_token" => Root::NextPage,
        "headers" => Root::Headers,
        _ => return None,
    };
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix(')').filter(|_| open > 0) {
            open -= 1;
            rest = behind.trim_start();
            continue;
        }
        let (step, behind) = step(rest)?;
        steps.push(step);
        rest = behind.trim_start();
        if matches!(rest, "or ''" | "or \"\"" | "or None" | "or none") {
            rest = "";
        }
    }
    (open == 0).then_some(Chain { root, steps })
}

fn step(rest: &str) -> Option<(String, &str)> {
    if let Some(inner) = rest.strip_prefix('[') {
        let (key, behind) = quoted(inner.trim_start()).or_else(|| {
            let digits = inner.find(|c: char| c != '-' && !c.is_ascii_digit())?;
            let (number, behind) = inner.split_at(digits);
            number.parse::<i64>().is_ok().then(|| (number.to_owned(), behind))
        })?;
        return Some((key, behind.trim_start().strip_prefix(']')?));
    }
    let rest = rest.strip_prefix('.')?;
    if let Some(inner) = rest.strip_prefix("get(") {
        let (key, behind) = quoted(inner.trim_start())?;
        // A default of nothing (`{}`, `''`, `None`) is what absent is to us.
        let (default, behind) = behind.split_once(')')?;
        let default = default.trim().trim_start_matches(',').trim();
        return matches!(default, "" | "{}" | "''" | "\"\"" | "None" | "none" | "[]").then_some((key, behind));
    }
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    let (key, behind) = rest.split_at(end);
    (!key.is_empty() && !behind.starts_with('(')).then(|| (key.to_owned(), behind))
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (key, behind) = text.get(1..)?.split_once(quote)?;
    Some((key.to_owned(), behind))
}

/// The path that steps lead along.
pub(super) fn path(steps: &[String]) -> Option<String> {
    let segments = steps.iter().map(|step| match step.parse::<u32>() {
        Ok(index) => Segment::Index(index),
        Err(_) => Segment::Key(step.as_str().into()),
    });
    let path = Path::of(segments.collect()).to_string();
    Path::parse(&path).is_ok().then_some(path)
}

/// Where something that the manifest was given stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// In `auth`, where everything is a credential.
    Auth,
    /// In a request.
    Request,
}

impl Import<'_> {
    /// A text in the words of a connector; the error is the expression that has none.
    pub(super) fn translate(&mut self, text: &str, spot: Spot) -> Result<String, String> {
        let mut out = String::new();
        for (plain, expression) in pieces(text) {
            if plain.contains("{%") {
                return Err(one_line(text));
            }
            out.push_str(plain);
            let Some(expression) = expression else { continue };
            let unknown = || Err(one_line(expression));
            let Some(chain) = chain(expression) else {
                return unknown();
            };
            let said = match chain.root {
                Root::Config => Some(self.given(&chain.steps, spot)),
                Root::Interval if chain.steps.first().is_some_and(|step| step == "start_time") => {
                    Some("since".to_owned())
                }
                Root::NextPage => Some("page.cursor".to_owned()),
                _ => None,
            };
            match said {
                Some(said) => {
                    out.push_str("{{ ");
                    out.push_str(&said);
                    out.push_str(" }}");
                }
                None => return unknown(),
            }
        }
        Ok(out)
    }

    /// What a person gives, as a setting or a credential.
    fn given(&mut self, steps: &[String], spot: Spot) -> String {
        let last = steps.last().map_or("value", String::as_str);
        let word = name::word(last);
        if spot == Spot::Auth {
            let known = ["client_id", "client_secret", "refresh_token"];
            if !known.contains(&word.as_str()) && !self.draft.form.credentials.contains(&word) {
                self.draft.form.credentials.push(word.clone());
            }
            return format!("credentials.{word}");
        }
        if self.secrets.contains(last) {
            self.draft.check("/auth", format!("`{word}` is a secret that goes into requests: put it into `auth: api_key` (`headers:` or `query:`) as a credential, in place of the setting"));
        }
        self.setting(&word, last);
        format!("settings.{word}")
    }

    /// A setting as the manifest describes it.
    fn setting(&mut self, word: &str, own: &str) {
        if self.draft.form.settings.contains_key(word) {
            return;
        }
        let described = self
            .spec
            .get("properties")
            .and_then(|properties| properties.get(own))
            .unwrap_or(&Json::Null);
        let text = |key: &str| described.get(key).and_then(Json::as_str);
        let kind = match (text("type"), text("format")) {
            (Some("integer"), _) => SettingKind::Integer,
            (Some("boolean"), _) => SettingKind::Boolean,
            (_, Some("uri")) => SettingKind::Url,
            _ => SettingKind::Text,
        };
        let fits = |value: &Json| match kind {
            SettingKind::Integer => value.is_i64(),
            SettingKind::Boolean => value.is_boolean(),
            SettingKind::Text => value.is_string(),
            SettingKind::Url => value.as_str().is_some_and(|url| url.starts_with("http")),
        };
        let setting = SettingForm {
            kind,
            default: described.get("default").filter(|value| fits(value)).cloned(),
            title: text("title").map(one_line),
        };
        self.draft.form.settings.insert(word.to_owned(), setting);
    }
}

/// The length of time of ISO 8601 (`P1D`, `PT5M`) in seconds.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let rest = text.trim().strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let sum = |part: &str, units: &[(char, u64)]| -> Option<u64> {
        let mut sum = 0_u64;
        let mut digits = String::new();
        for c in part.chars() {
            if c.is_ascii_digit() {
                digits.push(c);
            } else {
                let (_, unit) = units.iter().find(|(own, _)| *own == c)?;
                sum = sum.checked_add(digits.parse::<u64>().ok()?.checked_mul(*unit)?)?;
                digits.clear();
            }
        }
        digits.is_empty().then_some(sum)
    };
    let days = sum(
        days,
        &[('Y', 31_536_000), ('M', 2_592_000), ('W', 604_800), ('D', 86_400)],
    )?;
    let time = sum(time, &[('H', 3_600), ('M', 60), ('S', 1)])?;
    days.checked_add(time).filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(expression: &str) -> Option<Vec<String>> {
        chain(expression).map(|chain| chain.steps)
    }

    #[test]
    fn chains_of_members_are_read_and_nothing_else_is() {
        for (expression, expected) in [
            ("config['api_key']", Some(vec!["api_key"])),
            ("config[\"a\"][\"b\"]", Some(vec!["a", "b"])),
            ("response.paging.next.after", Some(vec!["paging", "next", "after"])),
            (
                "response.get('paging', {}).get('next', {}).get(\"after\")",
                Some(vec!["paging", "next", "after"]),
            ),
            ("response['data'][-1]['id']", Some(vec!["data", "-1", "id"])),
            ("headers['link']['next']['url']", Some(vec!["link", "next", "url"])),
            ("response.get('next', '') or ''", Some(vec!["next"])),
            (
                "((response.get('data') or {}).get('pagination') or {}).get('next')",
                Some(vec!["data", "pagination", "next"]),
            ),
            ("(response.next", None),
            ("response.get('limit', 10)", None),
            ("response.next | int", None),
            ("now_utc()", None),
            ("config['a'] + 1", None),
            ("config['a", None),
        ] {
            let expected = expected.map(|steps| steps.into_iter().map(str::to_owned).collect());
            assert_eq!(steps(expression), expected, "{expression}");
        }
    }

    #[test]
    fn lengths_of_time_are_read() {
        for (text, expected) in [
            ("P1D", Some(86_400)),
            ("PT5M", Some(300)),
            ("P1DT1H", Some(90_000)),
            ("PT10S", Some(10)),
            ("1D", None),
            ("P", None),
            ("PT5X", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
