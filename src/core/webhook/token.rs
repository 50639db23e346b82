//! One text out of a JSON body that nobody has vouched for yet, without building the rest of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// The text at `path` (names of nested objects) in the JSON document `body`; `None` if it is not there. An error if
/// the body is no JSON, if something else than a text is there, or if a name on the way occurs twice.
pub(super) fn find(body: &[u8], path: &[String]) -> Result<Option<String>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let found = Find { path }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(found)
}

struct Find<'p> {
    path: &'p [String],
}

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.path.is_empty() {
            deserializer.deserialize_str(self)
        } else {
            deserializer.deserialize_map(self)
        }
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.path.is_empty() { "a text" } else { "an object" })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((wanted, rest)) = self.path.split_first() else {
            return Err(A::Error::custom("an object where a text was expected"));
        };
        let mut found = None;
        let mut is_seen = false;
        while let Some(name) = map.next_key::<String>()? {
            if name != *wanted {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if std::mem::replace(&mut is_seen, true) {
                return Err(A::Error::custom("a name occurs twice"));
            }
            found = map.next_value_seed(Find { path: rest })?;
        }
        Ok(found)
    }
}
