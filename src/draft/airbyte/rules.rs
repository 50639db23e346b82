//! Error handlers of a manifest as rules. Those that say what HTTP says already are left out.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{
    Import,
    text::{Root, chain, pieces},
};
use crate::{
    core::connector::form::{ErrorMeaning, ErrorRuleForm},
    draft::{at, one_line},
};

/// The most rules that are taken over.
const RULES_MAX: usize = 40;

impl Import<'_> {
    pub(super) fn error_handler(&mut self, object: &str, node: &Json) {
        match node.get("type").and_then(Json::as_str) {
            None => {}
            Some("DefaultErrorHandler") => self.filters(object, node),
            Some("CompositeErrorHandler") => {
                for handler in node
                    .get("error_handlers")
                    .and_then(Json::as_array)
                    .into_iter()
                    .flatten()
                {
                    self.error_handler(object, handler);
                }
            }
            Some(other) => self.lost(at(object, "list"), format!("what errors mean (`{other}`)")),
        }
    }

    fn filters(&mut self, object: &str, node: &Json) {
        for backoff in node
            .get("backoff_strategies")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            let text = |key: &str| backoff.get(key).and_then(Json::as_str);
            match (text("type"), text("header")) {
                (Some("ConstantBackoffStrategy" | "ExponentialBackoffStrategy"), _) => {}
                (Some("WaitTimeFromHeader"), Some(header)) if header.eq_ignore_ascii_case("retry-after") => {}
                (Some("WaitTimeFromHeader" | "WaitUntilTimeFromHeader"), Some(header)) => {
                    self.lost("/limits", format!("the wait that the header `{header}` tells: `Retry-After` alone is known, otherwise waits grow by themselves"));
                }
                (kind, _) => self.lost("/limits", format!("how long to wait (`{}`)", kind.unwrap_or_default())),
            }
        }
        for filter in node
            .get("response_filters")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            self.filter(object, filter);
        }
    }

    fn filter(&mut self, object: &str, filter: &Json) {
        let text = |key: &str| filter.get(key).and_then(Json::as_str);
        let codes: Vec<u64> = filter
            .get("http_codes")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_u64)
            .collect();
        let action = text("action").unwrap_or("FAIL");
        let (predicate, contains) = (text("predicate"), text("error_message_contains"));
        let then = match (action, codes.as_slice()) {
            ("RATE_LIMITED", _) | ("RETRY", [429]) => ErrorMeaning::Throttle,
            ("RETRY", _) => ErrorMeaning::Retry,
            ("SUCCESS", _) => ErrorMeaning::Ok,
            ("REFRESH_TOKEN_THEN_RETRY", _) => ErrorMeaning::Reauthenticate,
            ("FAIL", [401 | 403] | [401, 403]) => ErrorMeaning::Denied,
            ("FAIL", _) => ErrorMeaning::Reject,
            _ => {
                self.lost(
                    at(object, "list"),
                    format!("an answer that counts as nothing (HTTP {codes:?}): it is an error here"),
                );
                return;
            }
        };
        let is_plain = predicate.is_none() && contains.is_none();
        if is_plain && codes.iter().all(|code| is_usual(*code, then)) {
            return;
        }
        let Some(when) = condition(&codes, predicate, contains) else {
            let what = predicate.or(contains).map(one_line).unwrap_or_default();
            self.lost("/errors", format!("a rule that asks `{what}`"));
            return;
        };
        let message = text("error_message")
            .filter(|message| !message.contains("{{") && !message.contains("{%"))
            .map(one_line);
        let rules = &mut self.draft.form.errors;
        if rules.len() < RULES_MAX && rules.iter().all(|rule| rule.when != when) {
            rules.push(ErrorRuleForm { when, then, message });
        }
    }
}

/// Whether HTTP says the same of this status.
fn is_usual(code: u64, then: ErrorMeaning) -> bool {
    matches!(
        (code, then),
        (429, ErrorMeaning::Throttle | ErrorMeaning::Retry)
            | (500..=599, ErrorMeaning::Retry)
            | (401 | 403, ErrorMeaning::Denied | ErrorMeaning::Reject)
            | (400 | 404 | 409 | 422, ErrorMeaning::Reject)
    )
}

fn condition(codes: &[u64], predicate: Option<&str>, contains: Option<&str>) -> Option<String> {
    let mut parts = Vec::new();
    match codes {
        [] => {}
        [one] => parts.push(format!("status == {one}")),
        several => parts.push(format!("status in {several:?}")),
    }
    if let Some(text) = contains {
        if text.contains(['\'', '\\', '{', '}']) {
            return None;
        }
        parts.push(format!("'{text}' in (body | json)"));
    }
    if let Some(text) = predicate {
        parts.push(asked(text)?);
    }
    let mut when = String::from("{{ ");
    let _ = write!(when, "{}", parts.join(" and "));
    when.push_str(" }}");
    (!parts.is_empty()).then_some(when)
}

/// A predicate about the answer: `'x' in response.y`, `response.y == 'x'`, `'y' in response`.
fn asked(predicate: &str) -> Option<String> {
    let expression = match pieces(predicate).as_slice() {
        [("", Some(expression)), ("", None)] => *expression,
        _ => return None,
    };
    let body = |text: &str| {
        let chain = chain(text)?;
        let is_plain = chain
            .steps
            .iter()
            .all(|step| step.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        (chain.root == Root::Response && is_plain && !chain.steps.is_empty())
            .then(|| format!("body.{}", chain.steps.join(".")))
    };
    let is_literal = |text: &str| {
        let inner = text
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
            .or_else(|| text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')));
        inner.is_some_and(|inner| !inner.contains(['\'', '"', '\\']))
            || text.parse::<i64>().is_ok()
            || matches!(text, "true" | "false" | "True" | "False")
    };
    let lower = |text: &str| text.replace("True", "true").replace("False", "false");
    if let Some((left, right)) = expression.split_once(" == ") {
        let (left, right) = (left.trim(), right.trim());
        return if is_literal(right) {
            Some(format!("{} == {}", body(left)?, lower(right)))
        } else {
            None
        };
    }
    if let Some((left, right)) = expression.split_once(" in ") {
        let (left, right) = (left.trim(), right.trim());
        if !is_literal(left) {
            return None;
        }
        if right == "response" {
            let key = left.trim_matches(['\'', '"']);
            let is_plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            return is_plain.then(|| format!("body.{key} is defined"));
        }
        return Some(format!("{left} in {}", body(right)?));
    }
    body(expression).map(|body| format!("{body} is defined and {body}"))
}
