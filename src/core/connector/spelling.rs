//! How a system puts values, applied in both directions: what it sends becomes plain typed values, what is written
//! becomes what it takes.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;

use super::{Field, List, Object};
use crate::core::{
    expr::{Fault, Scope, Structure, Template},
    path::Segment,
    value::{Map, Value, kind::Kind, spelling::Spelling},
};

/// How a kind of system puts values; what depends on the settings is still open.
#[derive(Debug, Default)]
pub struct Types {
    /// IANA zone of datetimes that carry none.
    pub zone: Option<Template>,
    /// Everything else that is plain.
    pub spelling: Spelling,
    /// Wrappers of decimals.
    pub decimal: Wrapper,
    /// Wrappers of dates.
    pub date: Wrapper,
    /// Wrappers of datetimes.
    pub datetime: Wrapper,
    /// Wrappers of booleans.
    pub boolean: Wrapper,
}

/// The system's own form around values of one kind.
#[derive(Debug, Default)]
pub struct Wrapper {
    /// Takes the form apart; knows `raw`.
    pub read: Option<Template>,
    /// Puts it together; knows `value` and its parts.
    pub write: Option<Structure>,
}

/// How one system puts values.
#[derive(Debug)]
pub struct Dialect<'a> {
    types: &'a Types,
    spelling: Spelling,
}

/// A zone that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// The template does not come to a value.
    #[error("types.zone: {0}")]
    Template(#[from] Fault),
    /// There is no such zone.
    #[error("`{name}` is no IANA time zone")]
    Unknown {
        /// The name.
        name: String,
    },
}

impl Types {
    /// The zone of a system with these settings.
    pub fn zone_of(&self, scope: &Scope) -> Result<Option<Tz>, ZoneError> {
        let Some(template) = &self.zone else { return Ok(None) };
        let name = template.text(scope, |text| text)?.unwrap_or_default();
        match name.parse() {
            Ok(zone) => Ok(Some(zone)),
            Err(_) => Err(ZoneError::Unknown {
                name: name.chars().take(64).collect(),
            }),
        }
    }

    /// How a system in this zone puts values.
    #[must_use]
    pub fn dialect(&self, zone: Option<Tz>) -> Dialect<'_> {
        Dialect {
            types: self,
            spelling: Spelling {
                zone,
                ..self.spelling.clone()
            },
        }
    }

    const fn wrapper(&self, kind: Kind) -> Option<&Wrapper> {
        match kind {
            Kind::Decimal { .. } => Some(&self.decimal),
            Kind::Date => Some(&self.date),
            Kind::DateTime { .. } => Some(&self.datetime),
            Kind::Boolean => Some(&self.boolean),
            Kind::Any | Kind::Text | Kind::Integer | Kind::List | Kind::Map => None,
        }
    }
}

impl Dialect<'_> {
    /// Reads a value as this kind; `None` where it is not of that kind.
    #[must_use]
    pub fn read(&self, kind: Kind, raw: &Value) -> Option<Value> {
        self.read_by(self.types.wrapper(kind), kind, raw)
    }

    fn read_field(&self, field: &Field, raw: &Value) -> Option<Value> {
        let own = field.wrapper.read.is_some().then_some(&field.wrapper);
        self.read_by(own.or_else(|| self.types.wrapper(field.kind)), field.kind, raw)
    }

    fn read_by(&self, wrapper: Option<&Wrapper>, kind: Kind, raw: &Value) -> Option<Value> {
        let plain = match wrapper.and_then(|wrapper| wrapper.read.as_ref()) {
            Some(template) if !raw.is_null() && !self.spelling.empty.contains(raw) => {
                // What the wrapper does not fit may be plain already.
                let taken = template.find(&Scope::new().with("raw", raw.clone()));
                taken.ok().flatten()
            }
            _ => None,
        };
        kind.read(plain.as_ref().unwrap_or(raw), &self.spelling).ok()
    }

    /// Writes a plain value of this kind as the system puts it.
    pub fn write(&self, kind: Kind, value: &Value) -> Result<Value, Fault> {
        let kind = if kind == Kind::Any { kind_of(value) } else { kind };
        self.write_by(self.types.wrapper(kind), kind, value)
    }

    /// Writes the value of a field as the system puts it.
    pub fn write_field(&self, field: &Field, value: &Value) -> Result<Value, Fault> {
        if field.wrapper.write.is_none() {
            return self.write(field.kind, value);
        }
        self.write_by(Some(&field.wrapper), field.kind, value)
    }

    fn write_by(&self, wrapper: Option<&Wrapper>, kind: Kind, value: &Value) -> Result<Value, Fault> {
        match wrapper.and_then(|wrapper| wrapper.write.as_ref()) {
            Some(structure) if !value.is_null() => {
                let scope = self.parts(kind, value);
                Ok(structure.find(&scope)?.unwrap_or_default())
            }
            _ => Ok(kind.write(value, &self.spelling)),
        }
    }

    /// Reads the declared fields of a record in place. A value that is not of its kind stays as it came: converting it
    /// fails later, by field.
    pub fn read_record(&self, object: &Object, fields: &mut Map) {
        let is_read = |field: &&Field| field.kind != Kind::Any || field.wrapper.read.is_some();
        for field in object.fields.iter().filter(is_read) {
            if let [Segment::Key(key)] = field.path.segments() {
                if let Some(raw) = fields.get_mut(&**key)
                    && let Some(plain) = self.read_field(field, raw)
                {
                    *raw = plain;
                }
            } else if let Some(plain) = field.path.get_in(fields).and_then(|raw| self.read_field(field, raw)) {
                // The path led to a value just now, so it can be put back there.
                let _ = field.path.set_in(fields, plain);
            }
        }
    }

    /// The fields of a record as they are written. The fault names the field it is about.
    pub fn write_fields(&self, object: &Object, fields: &Map) -> Result<Map, (String, Fault)> {
        let mut written = Map::new();
        for (key, value) in fields {
            written.insert(key.clone(), self.write_undeclared(object, key, value)?);
        }
        for field in object.fields.iter().filter(|field| field.path.segments().len() > 1) {
            if let Some(value) = field.path.get_in(fields) {
                let value = self.write_named(field, value)?;
                // The path led to a value just now, so it can be put back there.
                let _ = field.path.set_in(&mut written, value);
            }
        }
        Ok(written)
    }

    /// The lower bound of an incremental read, as the listing wants it.
    pub fn write_since(&self, list: &List, since: DateTime<Utc>) -> Result<Value, Fault> {
        let since = Value::DateTime(since.fixed_offset());
        let kind = Kind::DateTime { precision: None };
        match &list.since_form {
            None => self.write(kind, &since),
            Some(form) => {
                let spelling = Spelling {
                    datetime: form.clone(),
                    ..self.spelling.clone()
                };
                Ok(kind.write(&since, &spelling))
            }
        }
    }

    fn write_undeclared(&self, object: &Object, key: &str, value: &Value) -> Result<Value, (String, Fault)> {
        let declared = object.fields.iter().find(|field| match field.path.segments() {
            [Segment::Key(own)] => **own == *key,
            _ => false,
        });
        match declared {
            Some(field) => self.write_named(field, value),
            None => self.write(Kind::Any, value).map_err(|fault| (key.to_owned(), fault)),
        }
    }

    fn write_named(&self, field: &Field, value: &Value) -> Result<Value, (String, Fault)> {
        self.write_field(field, value)
            .map_err(|fault| (field.name.clone(), fault))
    }

    /// What a writing wrapper knows: the plain text, and the parts of a date.
    fn parts(&self, kind: Kind, value: &Value) -> Scope {
        match value {
            Value::DateTime(at) => {
                let local = self.local(*at);
                let scope = Scope::new().with("value", kind.write(value, &self.spelling));
                let scope = date_parts(scope, local.date_naive());
                scope
                    .with("hour", i64::from(local.hour()))
                    .with("minute", i64::from(local.minute()))
                    .with("second", i64::from(local.second()))
                    .with("microsecond", i64::from(local.nanosecond() / 1_000 % 1_000_000))
            }
            Value::Date(date) => date_parts(Scope::new().with("value", value.to_text().unwrap_or_default()), *date),
            other => {
                let plain = kind.write(other, &self.spelling);
                Scope::new().with("value", plain.to_text().map_or(plain, Value::Text))
            }
        }
    }

    fn local(&self, at: DateTime<FixedOffset>) -> DateTime<Tz> {
        at.with_timezone(&self.spelling.zone.unwrap_or(Tz::UTC))
    }
}

fn date_parts(scope: Scope, date: NaiveDate) -> Scope {
    scope
        .with("year", i64::from(date.year()))
        .with("month", i64::from(date.month()))
        .with("day", i64::from(date.day()))
}

/// The kind that a value of an undeclared field is written as: its own.
const fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Bool(_) => Kind::Boolean,
        Value::Decimal(_) => Kind::Decimal { scale: None },
        Value::Date(_) => Kind::Date,
        Value::DateTime(_) => Kind::DateTime { precision: None },
        _ => Kind::Any,
    }
}
