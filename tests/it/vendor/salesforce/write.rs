//! What Salesforce takes, changes and refuses when records are written.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value as Json, json};

use super::{
    Org, Row, USER_ID, instant, refused, refused_for,
    schema::{Field, Object},
    stamp,
};
use crate::vendor::ask::Answer;

impl Org {
    pub fn create(&mut self, object: &str, fields: &Json, at: DateTime<Utc>) -> Answer {
        let Some(object) = Object::find(object) else {
            return refused(404, "NOT_FOUND", "The requested resource does not exist");
        };
        let mut record = object.blank();
        let given = match self.taken(object, fields, None) {
            Ok(given) => given,
            Err(refused) => return refused,
        };
        record.extend(given);
        let lacking = |field: &Field| field.is_required() && record[field.name].is_null();
        let lacking: Vec<&str> = object.fields().filter(lacking).map(|field| field.name).collect();
        if !lacking.is_empty() {
            let message = format!("Required fields are missing: [{}]", lacking.join(", "));
            return refused_for("REQUIRED_FIELD_MISSING", &message, &lacking);
        }
        if object.name == "Order" && record["Status"] != "Draft" {
            let message = "Choose a valid order status and save your changes. Ask your admin for details.";
            return refused_for("FAILED_ACTIVATION", message, &["Status"]);
        }
        let id = self.next_id(object.prefix);
        let made = self.made;
        record.insert("Id".into(), json!(id));
        record.entry("OwnerId").and_modify(|owner| {
            if owner.is_null() {
                *owner = json!(USER_ID);
            }
        });
        if object.name == "Order" {
            record.insert("OrderNumber".into(), json!(format!("{made:08}")));
            record.insert("StatusCode".into(), json!("Draft"));
            record.insert("TotalAmount".into(), json!(0.0));
        }
        for name in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
            record.insert(name.into(), stamp(at));
        }
        let row = Row {
            object,
            fields: record,
            is_deleted: false,
        };
        self.records.insert(id.clone(), row);
        Answer::new(201, json!({ "id": id, "success": true, "errors": [] }))
    }

    /// Changes a record, unless somebody did after `unless_since`.
    pub fn update(
        &mut self,
        object: &str,
        id: &str,
        fields: &Json,
        unless_since: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Answer {
        let Some(object) = Object::find(object) else {
            return refused(404, "NOT_FOUND", "The requested resource does not exist");
        };
        let row = match self.row(object, id) {
            Ok(row) => row.clone(),
            Err(refused) => return refused,
        };
        let changed = instant(row.fields["LastModifiedDate"].as_str().unwrap());
        if unless_since.is_some_and(|since| changed > since) {
            return refused(
                412,
                "PRECONDITION_FAILED",
                "The record was modified after the given date",
            );
        }
        let id = row.fields["Id"].as_str().unwrap().to_owned();
        let given = match self.taken(object, fields, Some(&id)) {
            Ok(given) => given,
            Err(refused) => return refused,
        };
        let emptied = |field: &Field| field.is_required() && given.get(field.name).is_some_and(Json::is_null);
        if let Some(field) = object.fields().find(emptied) {
            let message = format!("Required fields are missing: [{}]", field.name);
            return refused_for("REQUIRED_FIELD_MISSING", &message, &[field.name]);
        }
        let record = &mut self.records.get_mut(&id).unwrap().fields;
        record.extend(given);
        for name in ["LastModifiedDate", "SystemModstamp"] {
            record.insert(name.into(), stamp(at));
        }
        Answer::empty(204)
    }

    pub fn delete(&mut self, object: &str, id: &str) -> Answer {
        let Some(object) = Object::find(object) else {
            return refused(404, "NOT_FOUND", "The requested resource does not exist");
        };
        let id = match self.row(object, id) {
            Ok(row) => row.fields["Id"].as_str().unwrap().to_owned(),
            Err(refused) => return refused,
        };
        self.records.get_mut(&id).unwrap().is_deleted = true;
        Answer::empty(204)
    }

    /// The values as they will be kept, or what is wrong with one of them.
    fn taken(&self, object: Object, fields: &Json, own: Option<&str>) -> Result<Map<String, Json>, Answer> {
        let Json::Object(fields) = fields else {
            return Err(refused(
                400,
                "JSON_PARSER_ERROR",
                "Unexpected character at [line:1, column:1]",
            ));
        };
        let mut taken = Map::new();
        for (name, value) in fields {
            if name == "attributes" {
                continue;
            }
            let Some(field) = object.field(name) else {
                let message = format!("No such column '{name}' on sobject of type {}", object.name);
                return Err(refused(400, "INVALID_FIELD", &message));
            };
            if !field.may_be_written(own.is_none()) {
                let message = format!(
                    "Unable to create/update fields: {name}. Please check the security settings of this field and verify \
                     that it is read/write for your profile or permission set."
                );
                return Err(refused_for("INVALID_FIELD_FOR_INSERT_UPDATE", &message, &[name]));
            }
            let value = kept(field, value)?;
            self.allowed(object, field, &value, own)?;
            taken.insert(field.name.to_owned(), value);
        }
        Ok(taken)
    }

    /// Whether a reference leads somewhere, and a unique value is.
    fn allowed(&self, object: Object, field: Field, value: &Json, own: Option<&str>) -> Result<(), Answer> {
        let Some(text) = value.as_str() else { return Ok(()) };
        if let Some(target) = field.target()
            && self.row(target, text).is_err()
        {
            let is_id = text.len() == 15 || text.len() == 18;
            let code = if is_id {
                "INVALID_CROSS_REFERENCE_KEY"
            } else {
                "MALFORMED_ID"
            };
            return Err(refused_for(
                code,
                &format!("{}: id value of incorrect type: {text}", field.name),
                &[field.name],
            ));
        }
        let is_other = |row: &&Row| {
            row.object.name == object.name
                && !row.is_deleted
                && row.fields["Id"].as_str() != own
                && row.fields[field.name] == *value
        };
        if field.is_unique()
            && let Some(other) = self.records.values().find(is_other)
        {
            let message = format!(
                "duplicate value found: {} duplicates value on record with id: {}",
                field.name, other.fields["Id"]
            );
            return Err(refused_for("DUPLICATE_VALUE", &message, &[]));
        }
        Ok(())
    }
}

/// A value as Salesforce keeps it: texts lose the white space at their ends, an empty one is nothing.
fn kept(field: Field, value: &Json) -> Result<Json, Answer> {
    let wrong = || {
        let kind = match value {
            Json::String(_) => "VALUE_STRING",
            Json::Bool(_) => "VALUE_TRUE",
            Json::Number(_) => "VALUE_NUMBER_INT",
            Json::Object(_) => "START_OBJECT",
            _ => "START_ARRAY",
        };
        let message = format!(
            "Cannot deserialize instance of {} from {kind} value {value} or request may be missing a required field at [line:1, column:2]",
            field.kind
        );
        refused(400, "JSON_PARSER_ERROR", &message)
    };
    match (field.kind, value) {
        ("boolean", Json::Null) => Err(refused_for(
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            "a checkbox is never null",
            &[field.name],
        )),
        (_, Json::Null) => Ok(Json::Null),
        ("boolean", Json::Bool(_)) => Ok(value.clone()),
        ("int", Json::Number(number)) => number.as_i64().map(|number| json!(number)).ok_or_else(wrong),
        ("currency" | "double", Json::Number(_)) => Ok(json!(value.as_f64())),
        ("date", Json::String(text)) => {
            // A time is cut off.
            let date = NaiveDate::parse_from_str(text.get(..10).unwrap_or(text), "%Y-%m-%d");
            date.map(|date| json!(date.to_string())).map_err(|_| wrong())
        }
        ("boolean" | "int" | "currency" | "double" | "date", _) => Err(wrong()),
        (_, Json::String(text)) => {
            let text = text.trim();
            if text.chars().count() > field.length {
                let message = format!(
                    "{}: data value too large: {text} (max length={})",
                    field.name, field.length
                );
                return Err(refused_for("STRING_TOO_LONG", &message, &[field.name]));
            }
            let is_bad_email = field.kind == "email" && !text.is_empty() && !text.contains('@');
            if is_bad_email {
                let message = format!("Email: invalid email address: {text}");
                return Err(refused_for("INVALID_EMAIL_ADDRESS", &message, &[field.name]));
            }
            Ok(if text.is_empty() { Json::Null } else { json!(text) })
        }
        _ => Err(wrong()),
    }
}
