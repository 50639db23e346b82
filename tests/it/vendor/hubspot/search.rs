//! Searches: groups of filters, one order, at most 10,000 records, and an index that lags behind.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::{Account, Properties, refused, route::shown};
use crate::vendor::ask::Answer;

/// However it is paged, a search goes no further.
const REACH: u64 = 10_000;
/// The most records of a page.
const PAGE_MAX: u64 = 200;

impl Account {
    pub fn search(&mut self, kind: &'static str, body: &Json) -> Answer {
        let invalid = |why: &str| refused(400, "VALIDATION_ERROR", why, json!([]));
        let number = |name: &str, default: u64| {
            let text = body
                .get(name)
                .map(|value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned));
            text.map_or(Some(default), |text| text.parse().ok())
        };
        let (Some(limit), Some(after)) = (number("limit", 10), number("after", 0)) else {
            return invalid("Invalid input JSON: limit and after are numbers");
        };
        if limit > PAGE_MAX {
            return invalid("Limit must not be greater than 200");
        }
        if after + limit > REACH {
            return invalid("The requested page exceeds the limit of 10000 results");
        }
        let groups = body["filterGroups"].as_array().cloned().unwrap_or_default();
        let filters = |group: &Json| group["filters"].as_array().cloned().unwrap_or_default();
        if groups.len() > 5 || groups.iter().any(|group| filters(group).len() > 6) {
            return invalid("Too many filters or filter groups");
        }
        let mut found: Vec<(u64, Properties)> = self.indexed(kind);
        if !groups.is_empty() {
            found.retain(|(_, row)| {
                groups
                    .iter()
                    .any(|group| filters(group).iter().all(|filter| fits(filter, row)))
            });
        }
        if let Some(sort) = body["sorts"].get(0) {
            let name = sort["propertyName"]
                .as_str()
                .or_else(|| sort.as_str())
                .unwrap_or_default();
            found.sort_by(|(_, one), (_, other)| compare(one.get(name), other.get(name)));
            if sort["direction"] == "DESCENDING" {
                found.reverse();
            }
        }
        let total = found.len() as u64;
        let wanted: Vec<String> = serde_json::from_value(body["properties"].clone()).unwrap_or_default();
        let page = found
            .into_iter()
            .skip(usize::try_from(after).unwrap())
            .take(usize::try_from(limit).unwrap());
        // What is shown of what was found is as new as the record.
        let results: Vec<Json> = page
            .filter_map(|(id, _)| Some(shown(kind, id, self.records.get(&(kind, id))?, &wanted)))
            .collect();
        let end = after + results.len() as u64;
        let mut answer = json!({ "total": total, "results": results });
        if end < total {
            answer["paging"] = json!({ "next": { "after": end.to_string(), "link": "" } });
        }
        Answer::ok(answer)
    }

    /// What the index knows; the next search knows more.
    fn indexed(&mut self, kind: &str) -> Vec<(u64, Properties)> {
        let mut known = Vec::new();
        for ((of, id), row) in &mut self.records {
            if *of != kind || row.is_archived {
                continue;
            }
            if row.lag > 0 {
                row.lag -= 1;
            } else {
                row.indexed = Some((row.properties.clone(), row.changed));
            }
            if let Some((properties, changed)) = row.indexed.clone() {
                known.push((*id, searchable(properties, *id, row.created, changed)));
            }
        }
        known
    }
}

/// The properties that every record has, as searches know them.
fn searchable(mut properties: Properties, id: u64, created: DateTime<Utc>, changed: DateTime<Utc>) -> Properties {
    for (name, value) in [
        ("hs_object_id", id.to_string()),
        ("createdate", created.timestamp_millis().to_string()),
        ("hs_lastmodifieddate", changed.timestamp_millis().to_string()),
        ("lastmodifieddate", changed.timestamp_millis().to_string()),
    ] {
        properties.insert(name.to_owned(), value);
    }
    properties
}

/// Numbers as numbers, texts without case; nothing is before everything.
fn compare(one: Option<&String>, other: Option<&String>) -> Ordering {
    let (Some(one), Some(other)) = (one, other) else {
        return one.is_some().cmp(&other.is_some());
    };
    match (one.parse::<i128>(), other.parse::<i128>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        _ => one.to_lowercase().cmp(&other.to_lowercase()),
    }
}

fn fits(filter: &Json, row: &Properties) -> bool {
    let value = row.get(filter["propertyName"].as_str().unwrap_or_default());
    let wanted = filter["value"].as_str().map(ToOwned::to_owned);
    let order = compare(value, wanted.as_ref());
    let is_there = value.is_some();
    match filter["operator"].as_str().unwrap_or_default() {
        "EQ" => is_there && order == Ordering::Equal,
        "NEQ" => order != Ordering::Equal,
        "LT" => is_there && order == Ordering::Less,
        "LTE" => is_there && order != Ordering::Greater,
        "GT" => is_there && order == Ordering::Greater,
        "GTE" => is_there && order != Ordering::Less,
        "HAS_PROPERTY" => is_there,
        "NOT_HAS_PROPERTY" => !is_there,
        "IN" => {
            let values: Vec<String> = serde_json::from_value(filter["values"].clone()).unwrap_or_default();
            values
                .iter()
                .any(|wanted| is_there && compare(value, Some(wanted)) == Ordering::Equal)
        }
        other => panic!("{other}"),
    }
}
