//! XML-RPC: a call is written from `{ method, params }`, an answer is read as `{ result }` or `{ fault }`, and values are plain
//! ones in both directions.

use rust_decimal::Decimal;

use super::{
    Map, Value,
    json::Limits,
    xml::{self, Element, Namespaces, Ordered},
};

/// Why an answer is none of XML-RPC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no XML.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// It is another document.
    #[error("`{found}` stands where XML-RPC has `{expected}`")]
    Unexpected {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A value is not of the type that it names.
    #[error("a value is no `{kind}`")]
    Value {
        /// The type.
        kind: &'static str,
    },
}

/// Why a structure is no call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// It has another form.
    #[error("a call of XML-RPC is `{{ method: …, params: [ … ] }}`")]
    Form,
    /// XML cannot say it.
    #[error(transparent)]
    Xml(#[from] xml::WriteError),
}

/// Types that a value has to name, since nothing else tells them from text: `{ base64: … }`, `{ dateTime.iso8601: … }`,
/// `{ double: … }`.
const NAMED: [&str; 3] = ["base64", "dateTime.iso8601", "double"];

/// Writes a call.
pub fn write(call: &Value) -> Result<Vec<u8>, WriteError> {
    let map = call.as_map().ok_or(WriteError::Form)?;
    let method = map.get("method").and_then(Value::as_str).ok_or(WriteError::Form)?;
    let params = match map.get("params") {
        None => &[],
        Some(Value::List(params)) => params.as_slice(),
        Some(_) => return Err(WriteError::Form),
    };
    let params = params.iter().map(|param| named("value", value(param)));
    let content = Ordered::Map(vec![
        ("methodName".to_owned(), Ordered::Value(Value::from(method))),
        ("params".to_owned(), named("param", Ordered::List(params.collect()))),
    ]);
    Ok(xml::write(&named("methodCall", content), &Namespaces::default())?)
}

fn named(name: &str, content: Ordered) -> Ordered {
    Ordered::Map(vec![(name.to_owned(), content)])
}

fn value(value: &Value) -> Ordered {
    let typed = |kind: &str, text: String| named(kind, Ordered::Value(Value::Text(text)));
    let text = || value.to_text().unwrap_or_default();
    match value {
        Value::Null => named("nil", Ordered::Value(Value::Null)),
        Value::Bool(truth) => typed("boolean", u8::from(*truth).to_string()),
        Value::Int(int) if i32::try_from(*int).is_ok() => typed("int", int.to_string()),
        Value::Int(int) => typed("i8", int.to_string()),
        Value::Decimal(_) | Value::Number(_) => typed("double", text()),
        Value::Text(_) | Value::Date(_) | Value::DateTime(_) => typed("string", text()),
        Value::List(items) => {
            let items = items.iter().map(self::value).collect();
            named("array", named("data", named("value", Ordered::List(items))))
        }
        Value::Map(map) => {
            if let Some((kind, inner)) = map
                .iter()
                .next()
                .filter(|(kind, _)| map.len() == 1 && NAMED.contains(&kind.as_str()))
                && let Some(text) = inner.to_text()
            {
                return typed(kind, text);
            }
            let members = map.iter().map(|(name, member)| {
                Ordered::Map(vec![
                    ("name".to_owned(), Ordered::Value(Value::from(name.as_str()))),
                    ("value".to_owned(), self::value(member)),
                ])
            });
            named("struct", named("member", Ordered::List(members.collect())))
        }
    }
}

/// Reads an answer.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, Error> {
    let root = xml::parse(bytes, &Namespaces::default(), limits)?;
    let content = only(root, "methodResponse")?;
    let (name, holder) = match content.name.as_str() {
        "fault" => ("fault", content),
        "params" => {
            if content.children.is_empty() {
                return Ok(Value::Map(Map::from_iter([("result".to_owned(), Value::Null)])));
            }
            ("result", only(content, "params")?)
        }
        other => return Err(unexpected(other, "params")),
    };
    let expected = if name == "fault" { "fault" } else { "param" };
    let read = read(only(holder, expected)?)?;
    Ok(Value::Map(Map::from_iter([(name.to_owned(), read)])))
}

fn unexpected(found: &str, expected: &'static str) -> Error {
    Error::Unexpected {
        found: found.chars().take(40).collect(),
        expected,
    }
}

/// The one element in an element of this name.
fn only(mut element: Element, name: &'static str) -> Result<Element, Error> {
    if element.name != name {
        return Err(unexpected(&element.name, name));
    }
    match (element.children.pop(), element.children.is_empty()) {
        (Some(child), true) => Ok(child),
        _ => Err(unexpected(&element.name, "one element inside of it")),
    }
}

/// The value of a `<value>`.
fn read(mut element: Element) -> Result<Value, Error> {
    if element.name != "value" {
        return Err(unexpected(&element.name, "value"));
    }
    // Without a type it is a text.
    let Some(typed) = element.children.pop() else {
        return Ok(Value::Text(element.text));
    };
    if !element.children.is_empty() {
        return Err(unexpected("value", "one element inside of it"));
    }
    let text = typed.text.trim();
    let integer = |kind| text.parse().map(Value::Int).map_err(|_| Error::Value { kind });
    // Servers put a prefix before what is not of the first version (`ex:nil`, `ex:i8`).
    match typed.name.rsplit(':').next().unwrap_or_default() {
        "int" | "i4" | "i2" | "i1" => integer("int"),
        "i8" => integer("i8"),
        "boolean" => match text {
            "1" | "true" => Ok(Value::Bool(true)),
            "0" | "false" => Ok(Value::Bool(false)),
            _ => Err(Error::Value { kind: "boolean" }),
        },
        "double" | "float" | "bigdecimal" => {
            let exact = text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(text));
            exact.map(Value::Decimal).map_err(|_| Error::Value { kind: "double" })
        }
        "biginteger" => Ok(text.parse().map_or_else(|_| Value::Number(text.into()), Value::Int)),
        "nil" => Ok(Value::Null),
        "string" | "dateTime.iso8601" | "dateTime" | "base64" => Ok(Value::Text(typed.text)),
        "array" => {
            let data = only(typed, "array")?;
            if data.name != "data" {
                return Err(unexpected(&data.name, "data"));
            }
            let items = data.children.into_iter().map(read).collect::<Result<_, _>>()?;
            Ok(Value::List(items))
        }
        "struct" => {
            let members = typed.children.into_iter().map(member).collect::<Result<_, _>>()?;
            Ok(Value::Map(members))
        }
        other => Err(unexpected(other, "a type of XML-RPC")),
    }
}

fn member(element: Element) -> Result<(String, Value), Error> {
    let mut parts = element.children.into_iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(value), None) if name.name == "name" => Ok((name.text, read(value)?)),
        _ => Err(unexpected(&element.name, "member with a name and a value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::value::json;

    fn value_of(text: &str) -> Value {
        json::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    fn answered(content: &str) -> Result<String, Error> {
        let text = format!("<?xml version='1.0'?><methodResponse>{content}</methodResponse>");
        parse(text.as_bytes(), &Limits::default()).map(|value| json::to_string(&value))
    }

    fn result(value: &str) -> Result<String, Error> {
        answered(&format!("<params><param><value>{value}</value></param></params>"))
    }

    #[test]
    fn a_call_is_written_with_its_types() {
        let call = value_of(
            r#"{"method":"m.x","params":[1,3000000000,true,"a<b",1.50,null,[1],{"k":"v"},{"base64":"YQ=="},
                {"dateTime.iso8601":"20260302T09:00:00"}]}"#,
        );
        let written = String::from_utf8(write(&call).unwrap()).unwrap();
        let params: Vec<&str> = written.split("<param>").skip(1).collect();
        for (param, expected) in params.iter().zip([
            "<int>1</int>",
            "<i8>3000000000</i8>",
            "<boolean>1</boolean>",
            "<string>a&lt;b</string>",
            "<double>1.50</double>",
            "<nil></nil>",
            "<array><data><value><int>1</int></value></data></array>",
            "<struct><member><name>k</name><value><string>v</string></value></member></struct>",
            "<base64>YQ==</base64>",
            "<dateTime.iso8601>20260302T09:00:00</dateTime.iso8601>",
        ]) {
            assert!(
                param.starts_with(&format!("<value>{expected}</value></param>")),
                "{param}"
            );
        }
        assert_eq!(params.len(), 10);
        assert!(written.contains("<methodCall><methodName>m.x</methodName><params><param>"));
    }

    #[test]
    fn what_is_no_call_is_refused() {
        for text in ["1", "{}", r#"{"method":1}"#, r#"{"method":"m","params":{}}"#] {
            assert_eq!(write(&value_of(text)), Err(WriteError::Form), "{text}");
        }
    }

    #[test]
    fn values_are_read_by_their_types() {
        for (value, expected) in [
            ("<int> 7 </int>", "7"),
            ("<i4>-7</i4>", "-7"),
            ("<ex:i8 xmlns:ex='urn:x'>3000000000</ex:i8>", "3000000000"),
            ("<boolean>0</boolean>", "false"),
            ("<double>-1.50</double>", "-1.50"),
            ("<double>1e3</double>", "1000"),
            ("<string> a </string>", r#"" a ""#),
            ("plain", r#""plain""#),
            ("", r#""""#),
            ("<nil/>", "null"),
            ("<array><data/></array>", "[]"),
            (
                "<array><data><value>a</value><value><int>1</int></value></data></array>",
                r#"["a",1]"#,
            ),
            (
                "<struct><member><name>k</name><value><int>1</int></value></member></struct>",
                r#"{"k":1}"#,
            ),
            ("<struct/>", "{}"),
        ] {
            assert_eq!(result(value), Ok(format!("{{\"result\":{expected}}}")), "{value}");
        }
        let fault = "<fault><value><struct><member><name>faultCode</name><value><int>4</int></value></member></struct></value></fault>";
        assert_eq!(answered(fault).unwrap(), r#"{"fault":{"faultCode":4}}"#);
        assert_eq!(answered("<params/>").unwrap(), r#"{"result":null}"#);
    }

    #[test]
    fn what_is_none_of_xml_rpc_is_told() {
        for value in [
            "<int>x</int>",
            "<boolean>2</boolean>",
            "<double>NaN</double>",
            "<array/>",
            "<odd/>",
            "<int>1</int><int>2</int>",
        ] {
            assert!(result(value).is_err(), "{value}");
        }
        for content in [
            "",
            "<other/>",
            "<params><param/></params>",
            "<fault/>",
            "<params/><fault/>",
        ] {
            assert!(answered(content).is_err(), "{content}");
        }
        assert!(parse(b"<html/>", &Limits::default()).is_err());
    }
}
