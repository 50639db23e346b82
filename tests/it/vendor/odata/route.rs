//! The addresses: sets, records by their key, several in one request.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{COMPANY, Data, Set, query, refused};
use crate::vendor::ask::{Answer, Ask};

impl Data {
    pub fn route(&mut self, ask: &Ask) -> Answer {
        let parts = ask.parts();
        let Some(rest) = parts.strip_prefix(self.habits.root) else {
            return refused(404, self.habits.missing, "Resource not found for the segment");
        };
        let company = format!("companies({COMPANY})");
        let rest = match rest {
            [first, rest @ ..] if *first == company => rest,
            rest => rest,
        };
        match (ask.method.as_str(), rest) {
            ("GET", ["WhoAmI"]) => Answer::ok(json!({ "UserId": super::CLIENT_ID, "OrganizationId": super::TENANT })),
            ("POST", ["$batch"]) => self.batch(ask),
            ("POST", [set, "Microsoft.Dynamics.CRM.CreateMultiple"]) => match self.habits.set(set) {
                Some(set) => self.create_multiple(set, &ask.body),
                None => self.unknown(),
            },
            (_, [name]) => {
                let (set, key) = name
                    .strip_suffix(')')
                    .and_then(|name| name.split_once('('))
                    .map_or((*name, None), |(set, key)| (set, Some(key)));
                match (self.habits.set(set), key) {
                    (Some(set), Some(key)) => self.one(ask, set, key),
                    (Some(set), None) => self.many(ask, set),
                    (None, _) => self.unknown(),
                }
            }
            _ => self.unknown(),
        }
    }

    fn unknown(&self) -> Answer {
        refused(404, self.habits.missing, "Resource not found for the segment")
    }

    fn many(&mut self, ask: &Ask, set: &'static Set) -> Answer {
        match ask.method.as_str() {
            "GET" => self.list(ask, set),
            "POST" => match self.create(set, &ask.body, false) {
                Ok(key) => {
                    let record = self.record(set, &key).unwrap();
                    // Dataverse tells the key alone, in a header, unless it is asked for more; the body is empty then.
                    let wants_all = !self.habits.binds
                        || ask
                            .header("prefer")
                            .is_some_and(|prefer| prefer.contains("return=representation"));
                    if wants_all {
                        Answer::new(201, shown(record, ask))
                    } else {
                        Answer::empty(204)
                    }
                }
                Err(refused) => refused,
            },
            _ => refused(405, self.habits.invalid, "The method is not allowed"),
        }
    }

    fn one(&mut self, ask: &Ask, set: &'static Set, key: &str) -> Answer {
        let found = self.record(set, key).cloned();
        let condition = ask.header("if-match");
        let is_write = ask.method != "GET";
        let is_stale = found.as_ref().is_ok_and(|record| {
            condition.is_some_and(|condition| condition != "*" && record["@odata.etag"] != condition)
        });
        if is_write && is_stale {
            let (status, code) = self.habits.stale;
            return refused(status, code, "The version of the existing record doesn't match");
        }
        if is_write && condition.is_none() && !self.habits.makes_by_patch {
            return refused(400, self.habits.invalid, "The If-Match header is missing");
        }
        match (ask.method.as_str(), found) {
            ("PATCH", Err(_)) if condition.is_none() => match self.create(set, &ask.body, false) {
                Ok(key) => Answer::new(201, shown(self.record(set, &key).unwrap(), ask)),
                Err(refused) => refused,
            },
            (_, Err(missing)) => missing,
            ("GET", Ok(record)) => Answer::ok(shown(&record, ask)),
            ("PATCH", Ok(_)) => match self.update(set, key, &ask.body, false) {
                Ok(()) => {
                    let wants_all = !self.habits.binds
                        || ask
                            .header("prefer")
                            .is_some_and(|prefer| prefer.contains("return=representation"));
                    let record = self.record(set, key).unwrap();
                    if wants_all {
                        Answer::ok(shown(record, ask))
                    } else {
                        Answer::empty(204)
                    }
                }
                Err(refused) => refused,
            },
            ("DELETE", Ok(_)) => {
                self.records.remove(&(set.name, key.to_owned()));
                Answer::empty(204)
            }
            _ => refused(405, self.habits.invalid, "The method is not allowed"),
        }
    }

    fn list(&self, ask: &Ask, set: &'static Set) -> Answer {
        let filter = ask.param("$filter").unwrap_or_default();
        let Some(comparisons) = query::parse(filter) else {
            return refused(400, self.habits.invalid, &format!("Syntax error in '{filter}'"));
        };
        let known = |name: &str| set.field(name).is_some();
        if let Some(unknown) = comparisons.iter().find(|comparison| !known(&comparison.field)) {
            let message = format!(
                "Could not find a property named '{}' on type '{}'",
                unknown.field, set.one
            );
            return refused(400, self.habits.invalid, &message);
        }
        let rows = self.records.iter().filter(|((of, _), record)| {
            *of == set.name && comparisons.iter().all(|comparison| comparison.fits(record))
        });
        let mut rows: Vec<&Map<String, Json>> = rows.map(|(_, record)| record).collect();
        if let Some(order) = ask.param("$orderby") {
            let field = order.split(' ').next().unwrap();
            rows.sort_by(|one, other| query::compare(&one[field], &other[field]).unwrap_or(std::cmp::Ordering::Equal));
        }
        let total = rows.len();
        let number = |name: &str| ask.param(name).and_then(|text| text.parse::<usize>().ok());
        rows.truncate(number("$top").unwrap_or(usize::MAX));
        let from = number("$skiptoken").unwrap_or(0);
        let prefer = ask.header("prefer").unwrap_or_default();
        let size = prefer
            .split("odata.maxpagesize=")
            .nth(1)
            .and_then(|size| size.split(',').next()?.trim().parse().ok());
        let size: usize = size.unwrap_or(5000);
        let page: Vec<Json> = rows
            .iter()
            .skip(from)
            .take(size)
            .map(|record| shown(record, ask))
            .collect();
        let end = from + page.len();
        let mut body = json!({ "@odata.context": format!("{}/$metadata#{}", self.url, set.name), "value": page });
        if ask.param("$count") == Some("true") {
            body["@odata.count"] = json!(total);
        }
        if end < rows.len() {
            let mut url = url::Url::parse(&self.url).unwrap();
            url.set_path(&ask.path.join("/"));
            for (name, value) in ask.query.iter().filter(|(name, _)| *name != "$skiptoken") {
                url.query_pairs_mut().append_pair(name, value);
            }
            url.query_pairs_mut().append_pair("$skiptoken", &end.to_string());
            body["@odata.nextLink"] = json!(url.as_str());
        }
        Answer::ok(body)
    }

    /// Parts in JSON, each answered by itself, the last first.
    fn batch(&mut self, ask: &Ask) -> Answer {
        let parts = ask.body["requests"].as_array().cloned().unwrap_or_default();
        if parts.len() > 100 {
            return refused(400, self.habits.invalid, "A batch has at most 100 parts");
        }
        let root = self.habits.root.join("/");
        let mut responses: Vec<Json> = parts
            .iter()
            .map(|part| {
                let headers = part["headers"].as_object().into_iter().flatten();
                let headers: BTreeMap<_, _> = headers
                    .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()))
                    .collect();
                let target = format!("/{root}/{}", part["url"].as_str().unwrap());
                let asked = Ask::new(part["method"].as_str().unwrap(), &target, headers, part["body"].clone());
                let answer = self.route(&asked);
                json!({ "id": part["id"], "status": answer.status, "headers": {}, "body": answer.body })
            })
            .collect();
        responses.reverse();
        Answer::ok(json!({ "responses": responses }))
    }

    /// All of them, or none.
    fn create_multiple(&mut self, set: &'static Set, body: &Json) -> Answer {
        let targets = body["Targets"].as_array().cloned().unwrap_or_default();
        let before = self.records.clone();
        let mut ids = Vec::new();
        for target in &targets {
            match self.create(set, target, false) {
                Ok(id) => ids.push(id),
                Err(refused) => {
                    self.records = before;
                    return refused;
                }
            }
        }
        Answer::ok(json!({ "Ids": ids }))
    }
}

/// A record as it is answered: all of it, or what is selected.
fn shown(record: &Map<String, Json>, ask: &Ask) -> Json {
    let Some(select) = ask.param("$select") else {
        return Json::Object(record.clone());
    };
    let wanted: Vec<&str> = select.split(',').map(str::trim).collect();
    let fields = record
        .iter()
        .filter(|(name, _)| wanted.contains(&name.as_str()) || *name == "@odata.etag");
    Json::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}
