//! The addresses of the API.

use serde_json::{Map, Value as Json, json};

use super::{Account, Row, TOKEN, kind_of, now, properties_of, refused, shown_time};
use crate::vendor::ask::{Answer, Ask};

/// The most records of a page, and of a batch.
const PAGE_MAX: usize = 100;

fn not_found() -> Answer {
    Answer::new(
        404,
        json!({ "status": "error", "message": "Unable to find the requested resource", "category": "NOT_FOUND" }),
    )
}

/// A record as it is answered: the properties that were asked for, and those that always come.
pub fn shown(kind: &str, id: u64, row: &Row, wanted: &[String]) -> Json {
    let changed = shown_time(row.changed);
    let mut properties = Map::new();
    properties.insert("createdate".into(), json!(shown_time(row.created)));
    let modified = if kind == "contacts" {
        "lastmodifieddate"
    } else {
        "hs_lastmodifieddate"
    };
    properties.insert(modified.into(), json!(changed));
    properties.insert("hs_object_id".into(), json!(id.to_string()));
    let defaults: &[&str] = match kind {
        "companies" => &["name", "domain"],
        "contacts" => &["email", "firstname", "lastname"],
        _ => &[],
    };
    let known = |name: &str| properties_of(kind).any(|(known, _)| known == name);
    let asked = wanted.iter().map(String::as_str).filter(|name| known(name));
    let names: Vec<&str> = if wanted.is_empty() {
        defaults.to_vec()
    } else {
        asked.collect()
    };
    for name in names {
        properties.insert(name.to_owned(), json!(row.properties.get(name)));
    }
    json!({
        "id": id.to_string(), "properties": properties, "createdAt": shown_time(row.created), "updatedAt": changed,
        "archived": row.is_archived,
    })
}

/// The names in the parameter `properties`, which may come several times with several in each.
fn wanted(ask: &Ask) -> Vec<String> {
    let text = ask.param("properties").unwrap_or_default();
    text.split(',')
        .filter(|name| !name.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

impl Account {
    pub fn answer(&mut self, ask: &Ask) -> Answer {
        if ask.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            let message = "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview";
            return refused(401, "INVALID_AUTHENTICATION", message, json!([]));
        }
        match ask.parts().as_slice() {
            ["crm", "v3", "objects", kind, rest @ ..] => match kind_of(kind) {
                Some(kind) => self.objects(ask, kind, rest).unwrap_or_else(|refused| refused),
                None => not_found(),
            },
            ["crm", "v4", "objects", from, id, "associations", rest @ ..] => self.associations(ask, from, id, rest),
            _ => not_found(),
        }
    }

    fn objects(&mut self, ask: &Ask, kind: &'static str, rest: &[&str]) -> Result<Answer, Answer> {
        Ok(match (ask.method.as_str(), rest) {
            ("GET", []) => self.list(ask, kind)?,
            ("POST", []) => {
                let id = self.create(kind, &ask.body["properties"])?;
                Answer::new(201, shown(kind, id, self.live(kind, id)?, &all(kind)))
            }
            ("POST", ["search"]) => self.search(kind, &ask.body),
            ("POST", ["batch", what]) => self.batch(ask, kind, what)?,
            (method, [id]) => {
                let id = self.id(ask, kind, id)?;
                match method {
                    "GET" => Answer::ok(shown(kind, id, self.live(kind, id)?, &wanted(ask))),
                    "PATCH" => {
                        self.update(kind, id, &ask.body["properties"])?;
                        Answer::ok(shown(kind, id, self.live(kind, id)?, &all(kind)))
                    }
                    "DELETE" => {
                        // What is gone already is gone.
                        if let Some(row) = self.records.get_mut(&(kind, id)) {
                            row.is_archived = true;
                        }
                        Answer::empty(204)
                    }
                    _ => not_found(),
                }
            }
            _ => not_found(),
        })
    }

    /// The number of a record, also by a unique property.
    fn id(&self, ask: &Ask, kind: &'static str, id: &str) -> Result<u64, Answer> {
        let missing = || refused(404, "OBJECT_NOT_FOUND", "resource not found", json!([]));
        let Some(property) = ask.param("idProperty") else {
            return id.parse().map_err(|_| missing());
        };
        let is_it = |row: &Row| {
            !row.is_archived
                && row
                    .properties
                    .get(property)
                    .is_some_and(|known| known.eq_ignore_ascii_case(id))
        };
        let found = self.records.iter().find(|((of, _), row)| *of == kind && is_it(row));
        found.map(|((_, id), _)| *id).ok_or_else(missing)
    }

    fn list(&self, ask: &Ask, kind: &'static str) -> Result<Answer, Answer> {
        let limit = ask.param("limit").map_or(Ok(10), str::parse).unwrap_or(usize::MAX);
        if limit > PAGE_MAX {
            let message = format!("Limit must not be greater than {PAGE_MAX}");
            return Err(refused(400, "VALIDATION_ERROR", &message, json!([])));
        }
        let after: u64 = ask.param("after").map_or(0, |after| after.parse().unwrap());
        let archived = ask.param("archived") == Some("true");
        let rows = self
            .records
            .iter()
            .filter(|((of, id), row)| *of == kind && *id >= after && row.is_archived == archived);
        let mut rows = rows.map(|((_, id), row)| (*id, row));
        let page: Vec<Json> = rows
            .by_ref()
            .take(limit)
            .map(|(id, row)| shown(kind, id, row, &wanted(ask)))
            .collect();
        let mut answer = json!({ "results": page });
        if let Some((next, _)) = rows.next() {
            answer["paging"] = json!({ "next": { "after": next.to_string(), "link": format!("?after={next}") } });
        }
        Ok(Answer::ok(answer))
    }

    fn batch(&mut self, ask: &Ask, kind: &'static str, what: &str) -> Result<Answer, Answer> {
        let inputs = ask.body["inputs"].as_array().cloned().unwrap_or_default();
        if inputs.len() > PAGE_MAX {
            return Err(refused(
                400,
                "VALIDATION_ERROR",
                "A batch has at most 100 inputs",
                json!([]),
            ));
        }
        let mut results = Vec::new();
        let mut errors = Vec::new();
        let mut fail = |answer: Answer, context: Json| {
            let body = answer.body.unwrap();
            errors.push(json!({ "status": "error", "category": body["category"], "message": body["message"], "context": context }));
        };
        for input in &inputs {
            let named = || {
                input["id"]
                    .as_str()
                    .and_then(|id| id.parse::<u64>().ok())
                    .unwrap_or_default()
            };
            let trace = &input["objectWriteTraceId"];
            match what {
                "read" => match self.live(kind, named()) {
                    Ok(row) => {
                        let wanted: Vec<String> =
                            serde_json::from_value(ask.body["properties"].clone()).unwrap_or_default();
                        results.push(shown(kind, named(), row, &wanted));
                    }
                    Err(refused) => fail(refused, json!({ "ids": [input["id"]] })),
                },
                "create" => match self.create(kind, &input["properties"]) {
                    Ok(id) => results.push(traced(shown(kind, id, self.live(kind, id)?, &all(kind)), trace)),
                    // Without a trace nothing tells which one it was, and the whole batch is refused.
                    Err(refused) if trace.is_null() => return Err(refused),
                    Err(refused) => fail(refused, json!({ "objectWriteTraceId": [trace] })),
                },
                "update" => match self.update(kind, named(), &input["properties"]) {
                    Ok(()) => results.push(traced(
                        shown(kind, named(), self.live(kind, named())?, &all(kind)),
                        trace,
                    )),
                    Err(refused) => fail(refused, json!({ "ids": [input["id"]] })),
                },
                "archive" => {
                    if let Some(row) = self.records.get_mut(&(kind, named())) {
                        row.is_archived = true;
                    }
                }
                _ => return Err(not_found()),
            }
        }
        if what == "archive" {
            return Ok(Answer::empty(204));
        }
        let at = shown_time(now());
        let mut body = json!({ "status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at });
        if errors.is_empty() {
            return Ok(Answer::new(if what == "create" { 201 } else { 200 }, body));
        }
        body["numErrors"] = json!(errors.len());
        body["errors"] = json!(errors);
        Ok(Answer::new(207, body))
    }

    /// A contact and its primary company.
    fn associations(&mut self, ask: &Ask, from: &str, id: &str, rest: &[&str]) -> Answer {
        let is_contact = ["contact", "contacts", "0-1"].contains(&from);
        let company = "associatedcompanyid";
        let key = ("contacts", id.parse().unwrap_or_default());
        let Some(row) = self.records.get_mut(&key).filter(|_| is_contact) else {
            return not_found();
        };
        match (ask.method.as_str(), rest) {
            ("PUT", ["default", _, to]) => {
                row.properties.insert(company.into(), (*to).to_owned());
                row.changed = now();
                Answer::ok(json!({ "status": "COMPLETE", "results": [{
                    "from": { "id": id }, "to": { "id": to }, "associationSpec": { "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1 },
                }] }))
            }
            ("GET", [_]) => {
                let primary = json!([{ "category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary" }]);
                let results: Vec<Json> = row
                    .properties
                    .get(company)
                    .map(|id| json!({ "toObjectId": id.parse::<u64>().unwrap(), "associationTypes": primary }))
                    .into_iter()
                    .collect();
                Answer::ok(json!({ "results": results }))
            }
            ("DELETE", [_, _]) => {
                row.properties.remove(company);
                Answer::empty(204)
            }
            _ => not_found(),
        }
    }
}

/// With the id that its sender gave it.
fn traced(mut record: Json, trace: &Json) -> Json {
    if !trace.is_null() {
        record["objectWriteTraceId"] = trace.clone();
    }
    record
}

/// What is shown of a record that was just written: everything.
fn all(kind: &str) -> Vec<String> {
    properties_of(kind).map(|(name, _)| name.to_owned()).collect()
}
