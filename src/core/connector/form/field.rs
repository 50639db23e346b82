//! One field of an object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// One field of an object: a kind (`CreditLimit: decimal`) or a description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldForm {
    /// The kind, such as `decimal(2)`; `any` where none is given.
    pub kind: Option<String>,
    /// What may be done with the field.
    pub access: Access,
    /// Personal data: masked in reports.
    pub sensitive: bool,
    /// Expression that takes this field's own form apart; `raw` is known.
    pub read: Option<String>,
    /// Structure that puts this field's own form together; knows what `write` of `types` knows.
    pub write: Option<Json>,
    /// Whether the system replaces it as a whole.
    pub whole: bool,
}

/// What may be done with a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read and written.
    #[default]
    ReadWrite,
    /// Never written.
    ReadOnly,
    /// Written with a new record only.
    CreateOnly,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FieldDescription {
    /// What it holds: `text`, `integer`, `decimal(2)`, `boolean`, `date`, `datetime`, `list`, `map` or `any` (default).
    #[serde(rename = "type", default)]
    kind: Option<String>,
    /// What may be done with it (default `read_write`).
    #[serde(default)]
    access: Access,
    /// Personal data: masked in reports and failures.
    #[serde(default)]
    sensitive: bool,
    /// Expression that takes this field's own form apart, before `types` is asked; `raw` is known.
    #[serde(default)]
    read: Option<String>,
    /// Structure that puts this field's own form together, in place of what `types` says; `value` and the parts of a date
    /// are known.
    #[serde(default)]
    write: Option<Json>,
    /// The system replaces this map or list as a whole: where a part of it changes, all of it is sent.
    #[serde(default)]
    whole: bool,
}

impl<'de> Deserialize<'de> for FieldForm {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KindOrDescription;
        impl<'de> serde::de::Visitor<'de> for KindOrDescription {
            type Value = FieldForm;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a kind such as `decimal`, or a description `{ type: …, access: … }`")
            }
            fn visit_str<E: serde::de::Error>(self, kind: &str) -> Result<FieldForm, E> {
                Ok(FieldForm {
                    kind: Some(kind.to_owned()),
                    ..FieldForm::default()
                })
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<FieldForm, A::Error> {
                let FieldDescription {
                    kind,
                    access,
                    sensitive,
                    read,
                    write,
                    whole,
                } = FieldDescription::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(FieldForm {
                    kind,
                    access,
                    sensitive,
                    read,
                    write,
                    whole,
                })
            }
        }
        deserializer.deserialize_any(KindOrDescription)
    }
}

impl Serialize for FieldForm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            kind,
            access,
            sensitive,
            read,
            write,
            whole,
        } = self.clone();
        FieldDescription {
            kind,
            access,
            sensitive,
            read,
            write,
            whole,
        }
        .serialize(serializer)
    }
}

impl JsonSchema for FieldForm {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FieldForm".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let description = generator.subschema_for::<FieldDescription>();
        schemars::json_schema!({
            "description": "A kind such as `decimal(2)`, or a description of the field.",
            "oneOf": [{ "type": "string" }, description],
        })
    }
}
