//! Values and serde: exact numbers out, literals of YAML files in.

use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;

use super::{Map, Value, json};

impl Serialize for Value {
    /// Numbers keep all digits and their scale in JSON made by `serde_json`; dates and datetimes are ISO 8601 text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Int(int) => serializer.serialize_i64(*int),
            Self::Decimal(_) | Self::Number(_) => RawValue::from_string(json::to_string(self))
                .map_err(S::Error::custom)?
                .serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Date(date) => serializer.collect_str(date),
            Self::DateTime(_) => serializer.serialize_str(&self.to_text().unwrap_or_default()),
            Self::List(list) => serializer.collect_seq(list),
            Self::Map(map) => serializer.collect_map(map),
        }
    }
}

impl From<&serde_json::Value> for Value {
    /// Takes a literal of a definition file. Its numbers have already been through `serde_json`: a fraction is read
    /// back from its shortest decimal form.
    fn from(literal: &serde_json::Value) -> Self {
        match literal {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(truth) => Self::Bool(*truth),
            serde_json::Value::Number(number) => Self::number(&number.to_string()).unwrap_or_default(),
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(list) => Self::List(list.iter().map(Self::from).collect()),
            serde_json::Value::Object(map) => {
                let members = map.iter().map(|(name, member)| (name.clone(), Self::from(member)));
                Self::Map(members.collect::<Map>())
            }
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(literal: serde_json::Value) -> Self {
        Self::from(&literal)
    }
}

impl From<&Value> for serde_json::Value {
    /// For places that need `serde_json`'s own tree (schemas, tests). A number that binary floating point would change
    /// becomes text; [`Serialize`] is the exact way.
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(int) => Self::from(*int),
            Value::List(list) => Self::Array(list.iter().map(Self::from).collect()),
            Value::Map(map) => Self::Object(
                map.iter()
                    .map(|(name, member)| (name.clone(), Self::from(member)))
                    .collect(),
            ),
            scalar => {
                let text = scalar.to_text().unwrap_or_default();
                match scalar {
                    Value::Decimal(_) | Value::Number(_) => double(&text).unwrap_or(Self::String(text)),
                    _ => Self::String(text),
                }
            }
        }
    }
}

/// The double that says exactly what the digits say, judged by its shortest form.
fn double(text: &str) -> Option<serde_json::Value> {
    let number = serde_json::Number::from_f64(text.parse().ok()?)?;
    let back = Value::number(&number.to_string())?;
    let exact = match (Value::number(text)?, back) {
        (Value::Decimal(written), Value::Decimal(read)) => written == read,
        (Value::Decimal(written), Value::Int(read)) => written == rust_decimal::Decimal::from(read),
        (written, read) => written == read,
    };
    exact.then_some(serde_json::Value::Number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_json_writes_every_digit() {
        let text = r#"{"big":123456789012345678901234567890123,"price":12.50,"when":[null,true,-7,"x"]}"#;
        let value = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), text);
    }

    #[test]
    fn literals_of_files_become_values() {
        let literal = serde_json::json!({ "a": [1, 1.5, "x", null, true] });
        let value = Value::from(literal.clone());
        assert_eq!(json::to_string(&value), r#"{"a":[1,1.5,"x",null,true]}"#);
        assert_eq!(serde_json::Value::from(&value), literal);
    }

    #[test]
    fn a_number_that_a_double_would_change_becomes_text() {
        let value = Value::number("0.1234567890123456789").unwrap();
        assert_eq!(
            serde_json::Value::from(&value),
            serde_json::json!("0.1234567890123456789")
        );
    }
}
