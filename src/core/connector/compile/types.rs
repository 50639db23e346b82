//! How a system spells values.

use std::str::FromStr;

use serde_json::Value as Json;

use super::Compiler;
use crate::core::{
    connector::{
        form::{SpellingForm, TypesForm},
        spelling::{Types, Wrapper},
    },
    problem::pointer,
    value::{Value, kind::Kind, spelling::Spelling},
};

/// What a writing form knows of every value.
const VALUE: &[&str] = &["value"];
/// Of dates.
const DATE: &[&str] = &["value", "year", "month", "day"];
/// Of datetimes.
const DATETIME: &[&str] = &[
    "value",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "microsecond",
];

impl Compiler<'_> {
    pub(super) fn types(&mut self, form: &TypesForm) -> Types {
        let zone = form.zone.as_ref().map(|zone| {
            let template = self.template(zone, "/types/zone", &["settings"]);
            if template.is_literal() && zone.parse::<chrono_tz::Tz>().is_err() {
                self.error(
                    "CN022",
                    "/types/zone",
                    &format!("`{zone}` is no time zone"),
                    "use an IANA name such as `Europe/Lisbon`",
                );
            }
            template
        });
        let spelling = Spelling {
            zone: None,
            decimal: self.format(form.decimal.as_ref(), "decimal"),
            boolean: self.format(form.boolean.as_ref(), "boolean"),
            datetime: self.format(form.datetime.as_ref(), "datetime"),
            date: self.format(form.date.as_ref(), "date"),
            empty: form.empty.iter().map(Value::from).collect(),
            null: form.null.as_ref().map(Value::from).unwrap_or_default(),
        };
        Types {
            zone,
            spelling,
            decimal: self.spelled(form.decimal.as_ref(), "decimal", Kind::Decimal { scale: None }),
            date: self.spelled(form.date.as_ref(), "date", Kind::Date),
            datetime: self.spelled(form.datetime.as_ref(), "datetime", Kind::DateTime { precision: None }),
            boolean: self.spelled(form.boolean.as_ref(), "boolean", Kind::Boolean),
        }
    }

    fn format<F>(&mut self, form: Option<&SpellingForm>, kind: &str) -> F
    where
        F: FromStr + Default,
        F::Err: std::fmt::Display,
    {
        let Some(text) = form.and_then(|form| form.format.as_ref()) else {
            return F::default();
        };
        text.parse().unwrap_or_else(|error: F::Err| {
            let place = format!("/types/{kind}/format");
            self.error("CN011", &place, &error.to_string(), "");
            F::default()
        })
    }

    fn spelled(&mut self, form: Option<&SpellingForm>, name: &str, kind: Kind) -> Wrapper {
        let Some(form) = form else { return Wrapper::default() };
        self.wrapper(
            form.read.as_deref(),
            form.write.as_ref(),
            &pointer("/types", name),
            kind,
        )
    }

    /// The system's own form around values of this kind.
    pub(super) fn wrapper(&mut self, read: Option<&str>, write: Option<&Json>, place: &str, kind: Kind) -> Wrapper {
        let names = match kind {
            Kind::Date => DATE,
            Kind::DateTime { .. } => DATETIME,
            _ => VALUE,
        };
        Wrapper {
            read: read.map(|text| self.template(text, &pointer(place, "read"), &["raw"])),
            write: write.map(|write| self.structure(write, &pointer(place, "write"), names)),
        }
    }
}
