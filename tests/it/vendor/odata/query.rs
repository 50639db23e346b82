//! The part of OData's query options that connectors and client libraries write.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};

/// One comparison of a `$filter`; all of them hold.
#[derive(Debug)]
pub struct Comparison {
    pub field: String,
    operator: String,
    value: Json,
}

/// The comparisons of a filter; none where it is not understood.
pub fn parse(filter: &str) -> Option<Vec<Comparison>> {
    let mut rest = filter.trim();
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (field, behind) = rest.split_once(' ')?;
        let (operator, behind) = behind.trim_start().split_once(' ')?;
        let (value, behind) = literal(behind.trim_start())?;
        if !["eq", "ne", "gt", "ge", "lt", "le"].contains(&operator) {
            return None;
        }
        all.push(Comparison {
            field: field.to_owned(),
            operator: operator.to_owned(),
            value,
        });
        rest = match behind.trim_start() {
            "" => "",
            behind => behind.strip_prefix("and ")?.trim_start(),
        };
    }
    Some(all)
}

/// A literal, and what stands behind it.
fn literal(text: &str) -> Option<(Json, &str)> {
    if let Some(mut rest) = text.strip_prefix('\'') {
        let mut value = String::new();
        loop {
            let (part, behind) = rest.split_once('\'')?;
            value.push_str(part);
            match behind.strip_prefix('\'') {
                Some(more) => {
                    value.push('\'');
                    rest = more;
                }
                None => return Some((json!(value), behind)),
            }
        }
    }
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let value = match word {
        "null" => Json::Null,
        "true" => json!(true),
        "false" => json!(false),
        _ => word.parse::<f64>().map_or_else(|_| json!(word), |number| json!(number)),
    };
    Some((value, rest))
}

fn instant(json: &Json) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(json.as_str()?)
        .ok()
        .map(|time| time.to_utc())
}

/// The order of two values, where they have one.
pub fn compare(one: &Json, other: &Json) -> Option<Ordering> {
    if let (Some(one), Some(other)) = (instant(one), instant(other)) {
        return Some(one.cmp(&other));
    }
    match (one, other) {
        (Json::String(one), Json::String(other)) => Some(one.to_lowercase().cmp(&other.to_lowercase())),
        (Json::Number(one), Json::Number(other)) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        (one, other) => (one == other).then_some(Ordering::Equal),
    }
}

impl Comparison {
    pub fn fits(&self, record: &Map<String, Json>) -> bool {
        let order = compare(&record[&self.field], &self.value);
        match self.operator.as_str() {
            "eq" => order == Some(Ordering::Equal),
            "ne" => order != Some(Ordering::Equal),
            "gt" => order == Some(Ordering::Greater),
            "ge" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            "lt" => order == Some(Ordering::Less),
            _ => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        }
    }
}
