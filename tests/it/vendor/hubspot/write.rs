//! What HubSpot takes, changes and refuses when records are written.

use serde_json::{Value as Json, json};

use super::{Account, Properties, Row, now, properties_of, refused};
use crate::vendor::ask::Answer;

impl Account {
    /// A new record's id, or why there is none.
    pub fn create(&mut self, kind: &'static str, properties: &Json) -> Result<u64, Answer> {
        let taken = self.taken(kind, properties, None)?;
        self.made += 1;
        // Ids are numbers of more than 32 bits.
        let id = 9_100_000_000 + self.made;
        let row = Row {
            properties: taken.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
            created: now(),
            changed: now(),
            is_archived: false,
            indexed: None,
            lag: 1,
        };
        self.records.insert((kind, id), row);
        Ok(id)
    }

    pub fn update(&mut self, kind: &'static str, id: u64, properties: &Json) -> Result<(), Answer> {
        self.live(kind, id)?;
        let taken = self.taken(kind, properties, Some(id))?;
        let row = self.records.get_mut(&(kind, id)).unwrap();
        for (name, value) in taken {
            if value.is_empty() {
                row.properties.remove(&name);
            } else {
                row.properties.insert(name, value);
            }
        }
        row.changed = now().max(row.changed + chrono::TimeDelta::milliseconds(1));
        row.lag = 1;
        Ok(())
    }

    /// A record that is there.
    pub fn live(&self, kind: &'static str, id: u64) -> Result<&Row, Answer> {
        let row = self.records.get(&(kind, id)).filter(|row| !row.is_archived);
        row.ok_or_else(|| refused(404, "OBJECT_NOT_FOUND", "resource not found", json!([])))
    }

    /// Values as they are kept: every one is a text.
    fn taken(&self, kind: &'static str, properties: &Json, own: Option<u64>) -> Result<Properties, Answer> {
        let Json::Object(given) = properties else {
            return Err(refused(
                400,
                "VALIDATION_ERROR",
                "Invalid input JSON: properties is missing",
                json!([]),
            ));
        };
        let mut taken = Properties::new();
        for (name, value) in given {
            let invalid = |code: &str, why: &str| {
                let message = format!("Property values were not valid: {why}");
                let error = json!({ "message": why, "code": code, "context": { "propertyName": [name] } });
                refused(400, "VALIDATION_ERROR", &message, json!([error]))
            };
            let Some((_, mark)) = properties_of(kind).find(|(known, _)| known == name) else {
                return Err(invalid(
                    "PROPERTY_DOESNT_EXIST",
                    &format!("Property \"{name}\" does not exist"),
                ));
            };
            if mark == Some('-') {
                return Err(invalid(
                    "READ_ONLY_VALUE",
                    &format!("\"{name}\" is a read only property"),
                ));
            }
            let text = match value {
                Json::Null => String::new(),
                Json::String(text) => text.clone(),
                Json::Number(_) | Json::Bool(_) => value.to_string(),
                _ => return Err(invalid("INVALID_TYPE", "a property is a text")),
            };
            if name == "email" && !text.is_empty() && !text.contains('@') {
                return Err(invalid("INVALID_EMAIL", &format!("Email address {text} is invalid")));
            }
            let is_number = ["price", "annualrevenue", "hs_total_price", "hs_initial_amount"].contains(&name.as_str());
            if is_number && !text.is_empty() && text.parse::<f64>().is_err() {
                return Err(invalid("INVALID_DOUBLE", &format!("{text} was not a valid number.")));
            }
            // E-mail addresses are kept in lower case.
            let text = if name == "email" { text.to_lowercase() } else { text };
            self.is_free(kind, name, &text, own, mark)?;
            taken.insert(name.clone(), text);
        }
        Ok(taken)
    }

    fn is_free(&self, kind: &str, name: &str, text: &str, own: Option<u64>, mark: Option<char>) -> Result<(), Answer> {
        if mark != Some('=') || text.is_empty() {
            return Ok(());
        }
        let is_other = |((of, id), row): &(&(&'static str, u64), &Row)| {
            *of == kind
                && Some(*id) != own
                && !row.is_archived
                && row.properties.get(name).is_some_and(|known| known == text)
        };
        let Some(((_, other), _)) = self.records.iter().find(is_other) else {
            return Ok(());
        };
        if name == "email" {
            let message = format!("Contact already exists. Existing ID: {other}");
            return Err(refused(409, "CONFLICT", &message, json!([])));
        }
        let message = format!("Cannot set PropertyValueCoordinates: {other} already has that value.");
        let error =
            json!({ "message": message, "code": "CONFLICTING_UNIQUE_VALUE", "context": { "propertyName": [name] } });
        Err(refused(400, "VALIDATION_ERROR", &message, json!([error])))
    }
}
