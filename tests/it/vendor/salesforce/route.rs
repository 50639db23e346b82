//! The addresses of the REST API.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::{
    DAILY, Org, Row, now, refused,
    schema::Object,
    shown,
    soql::{self, Query},
};
use crate::vendor::ask::{Answer, Ask};

/// The most parts of a composite request.
const PARTS_MAX: usize = 25;
/// The most records of a collection.
const COLLECTION_MAX: usize = 200;

fn not_found() -> Answer {
    refused(404, "NOT_FOUND", "The requested resource does not exist")
}

impl Org {
    pub fn route(&mut self, ask: &Ask) -> Answer {
        let parts = ask.parts();
        let ["services", "data", rest @ ..] = parts.as_slice() else {
            return not_found();
        };
        let [version, rest @ ..] = rest else {
            return Answer::ok(json!([{ "label": "Winter '25", "url": "/services/data/v62.0", "version": "62.0" }]));
        };
        if !version.starts_with('v') {
            return not_found();
        }
        match (ask.method.as_str(), rest) {
            ("GET", ["limits"]) => {
                let left = DAILY.saturating_sub(self.requests);
                Answer::ok(json!({ "DailyApiRequests": { "Max": DAILY, "Remaining": left } }))
            }
            ("GET", ["query" | "queryAll"]) => self.query(ask, rest[0] == "queryAll"),
            ("GET", ["query" | "queryAll", locator]) => self.more(locator),
            ("GET", ["sobjects"]) => {
                let objects: Vec<Json> = Object::all().map(Object::summary).collect();
                Answer::ok(json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects }))
            }
            ("POST", ["composite"]) => self.composite(ask),
            (_, ["composite", "sobjects", rest @ ..]) => self.collection(ask, rest),
            (_, ["sobjects", object, rest @ ..]) => match Object::find(object) {
                Some(object) => self.single(ask, object, rest),
                None => not_found(),
            },
            _ => not_found(),
        }
    }

    fn single(&mut self, ask: &Ask, object: Object, rest: &[&str]) -> Answer {
        match (ask.method.as_str(), rest) {
            ("GET", ["describe"]) => Answer::ok(object.describe()),
            ("POST", []) => self.create(object.name, &ask.body, now()),
            ("GET", [id]) => self.get(ask, object, id),
            ("PATCH", [id]) => {
                let since = ask.header("if-unmodified-since").map(http_date);
                self.update(object.name, id, &ask.body, since, now())
            }
            ("DELETE", [id]) => self.delete(object.name, id),
            (method, [field, value]) if object.field(field).is_some_and(super::schema::Field::is_external_id) => {
                let found = self.by_external_id(object, field, value);
                match (method, found.as_slice()) {
                    (_, [_, _, ..]) => Answer::new(300, json!(found)),
                    ("PATCH", found) => self.upsert(object, field, value, found.first(), &ask.body),
                    ("GET", [id]) => self.get(ask, object, id),
                    ("DELETE", [id]) => self.delete(object.name, id),
                    _ => not_found(),
                }
            }
            _ => not_found(),
        }
    }

    fn by_external_id(&self, object: Object, field: &str, value: &str) -> Vec<String> {
        let is_it = |row: &&Row| {
            row.object.name == object.name && !row.is_deleted && soql::get(&row.fields, field).as_str() == Some(value)
        };
        let rows = self.records.values().filter(is_it);
        rows.map(|row| row.fields["Id"].as_str().unwrap().to_owned()).collect()
    }

    fn upsert(&mut self, object: Object, field: &str, value: &str, known: Option<&String>, fields: &Json) -> Answer {
        if fields.get(field).is_some() {
            let message = format!("The {field} field should not be specified in the sobject data.");
            return refused(400, "INVALID_FIELD", &message);
        }
        let mut fields = fields.clone();
        fields[field] = json!(value);
        let answer = match known {
            Some(id) => {
                let done = self.update(object.name, id, &fields, None, now());
                if done.status != 204 {
                    return done;
                }
                Answer::ok(json!({ "id": id, "success": true, "errors": [] }))
            }
            None => self.create(object.name, &fields, now()),
        };
        match answer.body {
            Some(Json::Object(mut body)) if answer.status < 300 => {
                body.insert("created".into(), json!(known.is_none()));
                Answer::new(answer.status, Json::Object(body))
            }
            body => Answer { body, ..answer },
        }
    }

    fn get(&self, ask: &Ask, object: Object, id: &str) -> Answer {
        let fields: Vec<String> = match ask.param("fields") {
            Some(fields) => fields.split(',').map(|field| field.trim().to_owned()).collect(),
            None => Vec::new(),
        };
        if let Some(unknown) = fields.iter().find(|field| object.field(field).is_none()) {
            return no_such_column(object, unknown);
        }
        match self.row(object, id) {
            Ok(row) => Answer::ok(shown(row, &fields)),
            Err(refused) => refused,
        }
    }

    fn query(&mut self, ask: &Ask, with_deleted: bool) -> Answer {
        let text = ask.param("q").unwrap_or_default();
        let query = match Query::parse(text) {
            Ok(query) => query,
            Err(flaw) => return refused(400, "MALFORMED_QUERY", &flaw),
        };
        let Some(object) = Object::find(&query.object) else {
            let message = format!("sObject type '{}' is not supported.", query.object);
            return refused(400, "INVALID_TYPE", &message);
        };
        if let Some(unknown) = query.named().find(|field| object.field(field).is_none()) {
            return no_such_column(object, unknown);
        }
        let rows = self.records.values().filter(|row| row.object.name == object.name);
        let rows = rows.filter(|row| (with_deleted || !row.is_deleted) && query.fits(&row.fields));
        let mut found: Vec<_> = rows.map(|row| row.fields.clone()).collect();
        if query.fields.is_empty() {
            return Answer::ok(json!({ "totalSize": found.len(), "done": true, "records": [] }));
        }
        query.sort(&mut found);
        found.truncate(query.limit.unwrap_or(usize::MAX));
        let row = |fields| Row {
            object,
            fields,
            is_deleted: false,
        };
        let found: Vec<Json> = found
            .into_iter()
            .map(|fields| shown(&row(fields), &query.fields))
            .collect();
        // Whatever is asked for, a page has at least 200 records and at most 2000.
        let options = ask.header("sforce-query-options").unwrap_or_default();
        let size = options
            .split("batchSize=")
            .nth(1)
            .and_then(|size| size.trim().parse().ok());
        self.page(found, 0, size.unwrap_or(2000_usize).clamp(200, 2000))
    }

    fn page(&mut self, all: Vec<Json>, from: usize, size: usize) -> Answer {
        let page: Vec<Json> = all.iter().skip(from).take(size).cloned().collect();
        let end = from + page.len();
        let mut body = json!({ "totalSize": all.len(), "done": end == all.len(), "records": page });
        if end < all.len() {
            let locator = format!("01gxx{:010}-{end}-{size}", self.requests);
            body["nextRecordsUrl"] = json!(format!("/services/data/v62.0/query/{locator}"));
            self.cursors.insert(locator, all);
        }
        Answer::ok(body)
    }

    fn more(&mut self, locator: &str) -> Answer {
        // A cursor may be read again: an answer may have been lost.
        let Some(all) = self.cursors.get(locator).cloned() else {
            return refused(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
        };
        let mut numbers = locator.rsplit('-').map(|number| number.parse().unwrap());
        let (size, from) = (numbers.next().unwrap(), numbers.next().unwrap());
        self.page(all, from, size)
    }

    fn composite(&mut self, ask: &Ask) -> Answer {
        let parts = ask.body["compositeRequest"].as_array().cloned().unwrap_or_default();
        if parts.is_empty() || parts.len() > PARTS_MAX {
            return refused(
                400,
                "LIMIT_EXCEEDED",
                "Limit exceeded. A composite request holds 1 to 25 subrequests",
            );
        }
        let all = parts.iter().map(|part| {
            let headers = part["httpHeaders"].as_object().into_iter().flatten();
            let headers: BTreeMap<_, _> = headers
                .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
                .collect();
            let target = part["url"].as_str().unwrap();
            let method = part["method"].as_str().unwrap();
            let answer = self.route(&Ask::new(method, target, headers, part["body"].clone()));
            json!({ "body": answer.body, "httpHeaders": {}, "httpStatusCode": answer.status, "referenceId": part["referenceId"] })
        });
        let all: Vec<Json> = all.collect();
        Answer::ok(json!({ "compositeResponse": all }))
    }

    fn collection(&mut self, ask: &Ask, rest: &[&str]) -> Answer {
        let records = ask.body["records"].as_array().cloned().unwrap_or_default();
        let ids = ask
            .param("ids")
            .map(|ids| ids.split(',').map(ToOwned::to_owned).collect());
        let ids: Vec<String> = ids
            .or_else(|| serde_json::from_value(ask.body["ids"].clone()).ok())
            .unwrap_or_default();
        if records.len().max(ids.len()) > COLLECTION_MAX {
            return refused(
                400,
                "EXCEEDED_ID_LIMIT",
                "record limit reached. cannot submit more than 200 records into this call",
            );
        }
        let kind = |record: &Json| record["attributes"]["type"].as_str().unwrap_or_default().to_owned();
        match (ask.method.as_str(), rest) {
            ("POST", []) => {
                let done = records
                    .iter()
                    .map(|record| (String::new(), self.create(&kind(record), record, now())));
                results(done.collect())
            }
            ("PATCH", []) => {
                let done = records.iter().map(|record| {
                    let mut fields = record.as_object().unwrap().clone();
                    let id = fields
                        .shift_remove("id")
                        .or_else(|| fields.shift_remove("Id"))
                        .unwrap_or_default();
                    let id = id.as_str().unwrap_or_default().to_owned();
                    let answer = self.update(&kind(record), &id, &Json::Object(fields), None, now());
                    (id, answer)
                });
                results(done.collect())
            }
            ("DELETE", []) => {
                let done = ids.into_iter().map(|id| {
                    let object = Object::all().find(|object| id.starts_with(object.prefix));
                    let answer = object.map_or_else(not_found, |object| self.delete(object.name, &id));
                    (id, answer)
                });
                results(done.collect())
            }
            ("POST" | "GET", [object]) => match Object::find(object) {
                Some(object) => {
                    let fields: Vec<String> = serde_json::from_value(ask.body["fields"].clone()).unwrap_or_default();
                    let found = ids
                        .iter()
                        .map(|id| self.row(object, id).ok().map(|row| shown(row, &fields)));
                    Answer::ok(json!(found.collect::<Vec<_>>()))
                }
                None => not_found(),
            },
            ("PATCH", [object, field]) => match Object::find(object) {
                Some(object) => {
                    let done = records.iter().map(|record| {
                        let mut fields = record.as_object().unwrap().clone();
                        let value = fields.shift_remove(*field).unwrap_or_default();
                        let value = value.as_str().unwrap_or_default().to_owned();
                        let known = self.by_external_id(object, field, &value);
                        let answer = self.upsert(object, field, &value, known.first(), &Json::Object(fields));
                        (known.first().cloned().unwrap_or_default(), answer)
                    });
                    results(done.collect())
                }
                None => not_found(),
            },
            _ => not_found(),
        }
    }
}

/// The results of a collection: what went well and what did not, in the order in which it was sent.
fn results(done: Vec<(String, Answer)>) -> Answer {
    let results = done.into_iter().map(|(id, answer)| match (answer.status, answer.body) {
        (..=299, Some(body)) => body,
        (..=299, None) => json!({ "id": id, "success": true, "errors": [] }),
        (_, body) => {
            let error = &body.unwrap_or_default()[0];
            let fields = error.get("fields").cloned().unwrap_or_else(|| json!([]));
            let error = json!({ "statusCode": error["errorCode"], "message": error["message"], "fields": fields });
            json!({ "success": false, "errors": [error] })
        }
    });
    Answer::ok(json!(results.collect::<Vec<_>>()))
}

fn no_such_column(object: Object, field: &str) -> Answer {
    let message = format!(
        "No such column '{field}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name.",
        object.name
    );
    refused(400, "INVALID_FIELD", &message)
}

fn http_date(text: &str) -> DateTime<Utc> {
    DateTime::<Utc>::from(httpdate::parse_http_date(text).unwrap())
}
