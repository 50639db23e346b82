//! Answers of every format without personal data, in the form that they came in: what is read of them later is what was read.
//!
//! Only names of elements, columns and members are taken over as they are; every text passes through the mask. Comments,
//! layout and whatever else says nothing to a reader is left out.

use crate::core::{
    connector::format::Format,
    path::{Path, Segment},
    value::{
        Value,
        json::{self, Limits},
        xml::{self, Element, Namespaces},
    },
};

use super::mask::Mask;

/// An answer's body.
#[derive(Debug, PartialEq)]
pub(in crate::rehearsal) enum Body {
    /// JSON.
    Json(Value),
    /// The text of another format.
    Text(String),
}

/// Where the list of records is, and how many of it are kept.
pub(super) type Cut<'a> = Option<(&'a Path, usize)>;

/// What cannot be read as what it should be, so that its texts cannot be told apart.
#[derive(Debug)]
pub(super) struct Unreadable;

/// A body without personal data.
pub(super) fn masked(mask: &mut Mask, format: &Format, text: &str, cut: Cut<'_>) -> Result<Body, Unreadable> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    match format {
        // Errors come in JSON, whatever the records are in.
        Format::Xml(_) | Format::XmlRpc if !start.starts_with('<') => json_of(mask, text, cut),
        Format::Csv(_) if start.starts_with(['{', '[']) => json_of(mask, text, cut),
        Format::Json => json_of(mask, text, cut),
        Format::Xml(namespaces) => xml_of(mask, namespaces, text, cut),
        Format::XmlRpc => xml_rpc_of(mask, text, cut),
        Format::Csv(delimiter) => csv_of(mask, *delimiter, text, cut),
        Format::JsonLines => lines_of(mask, text, cut),
    }
}

fn json_of(mask: &mut Mask, text: &str, cut: Cut<'_>) -> Result<Body, Unreadable> {
    let mut body = json::parse(text.as_bytes(), &Limits::default()).map_err(|_| Unreadable)?;
    if let Some((path, max)) = cut
        && let Some(Value::List(items)) = at_mut(&mut body, path)
    {
        items.truncate(max);
    }
    Ok(Body::Json(mask.value(&body)))
}

/// What a path of members leads to.
fn at_mut<'v>(value: &'v mut Value, path: &Path) -> Option<&'v mut Value> {
    let mut at = value;
    for segment in path.segments() {
        at = match (at, segment) {
            (Value::Map(map), Segment::Key(key)) => map.get_mut(key.as_ref())?,
            (Value::List(items), Segment::Index(index)) => items.get_mut(usize::try_from(*index).ok()?)?,
            _ => return None,
        };
    }
    Some(at)
}

fn written(element: &Element, namespaces: &Namespaces) -> Result<Body, Unreadable> {
    let bytes = element.write(namespaces).map_err(|_| Unreadable)?;
    String::from_utf8(bytes).map(Body::Text).map_err(|_| Unreadable)
}

fn xml_of(mask: &mut Mask, namespaces: &Namespaces, text: &str, cut: Cut<'_>) -> Result<Body, Unreadable> {
    let mut root = xml::parse(text.as_bytes(), namespaces, &Limits::default()).map_err(|_| Unreadable)?;
    if let Some((path, max)) = cut {
        let keys: Option<Vec<&str>> = path.segments().iter().map(key).collect();
        if let Some((first, rest)) = keys.as_deref().and_then(<[_]>::split_first)
            && *first == root.name
        {
            shorten(&mut root, rest, max);
        }
    }
    let mut at = vec![root.name.clone()];
    element(mask, &mut root, &mut at);
    written(&root, namespaces)
}

fn key(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Key(key) => Some(key),
        Segment::Index(_) | Segment::Item { .. } => None,
    }
}

/// Keeps so many of the elements that a path of names leads to.
fn shorten(root: &mut Element, path: &[&str], max: usize) {
    match path {
        [] => {}
        [last] => {
            let mut kept = 0;
            root.children.retain(|child| {
                kept += usize::from(child.name == *last);
                child.name != *last || kept <= max
            });
        }
        [first, rest @ ..] => {
            let inner = root.children.iter_mut().filter(|child| child.name == *first);
            inner.for_each(|child| shorten(child, rest, max));
        }
    }
}

fn element(mask: &mut Mask, element_of: &mut Element, at: &mut Vec<String>) {
    for (name, text) in &mut element_of.attributes {
        at.push(format!("@{name}"));
        *text = mask.text_of(text, at, name);
        at.pop();
    }
    if !element_of.text.trim().is_empty() {
        // Beside attributes and other elements a text has a name of its own in paths.
        let is_beside = !element_of.attributes.is_empty() || !element_of.children.is_empty();
        if is_beside {
            at.push("#text".to_owned());
        }
        element_of.text = mask.text_of(&element_of.text, at, &element_of.name);
        if is_beside {
            at.pop();
        }
    }
    for child in &mut element_of.children {
        at.push(child.name.clone());
        element(mask, child, at);
        at.pop();
    }
}

fn xml_rpc_of(mask: &mut Mask, text: &str, cut: Cut<'_>) -> Result<Body, Unreadable> {
    let none = Namespaces::default();
    let mut root = xml::parse(text.as_bytes(), &none, &Limits::default()).map_err(|_| Unreadable)?;
    let holder = root.children.first_mut().ok_or(Unreadable)?;
    let (name, value) = match holder.name.as_str() {
        "params" => (
            "result",
            holder.children.first_mut().and_then(|param| param.children.first_mut()),
        ),
        "fault" => ("fault", holder.children.first_mut()),
        _ => return Err(Unreadable),
    };
    if let Some(value) = value {
        if let Some((path, max)) = cut
            && let Some((Segment::Key(first), rest)) = path.segments().split_first()
            && **first == *name
            && let Some(items) = data(value, rest)
        {
            items.truncate(max);
        }
        rpc_value(mask, value, &mut vec![name.to_owned()])?;
    }
    written(&root, &none)
}

/// The items of the array that a path leads to.
fn data<'v>(value: &'v mut Element, path: &[Segment]) -> Option<&'v mut Vec<Element>> {
    let typed = value.children.first_mut()?;
    match path.split_first() {
        None if typed.name == "array" => Some(&mut typed.children.first_mut()?.children),
        Some((Segment::Key(key), rest)) if typed.name == "struct" => {
            let mut members = typed.children.iter_mut();
            let member = members.find(|member| member.children.first().is_some_and(|name| name.text == **key))?;
            data(member.children.get_mut(1)?, rest)
        }
        Some((Segment::Index(index), rest)) if typed.name == "array" => {
            let items = &mut typed.children.first_mut()?.children;
            data(items.get_mut(usize::try_from(*index).ok()?)?, rest)
        }
        _ => None,
    }
}

fn rpc_value(mask: &mut Mask, value: &mut Element, at: &mut Vec<String>) -> Result<(), Unreadable> {
    value.attributes.clear();
    // Without a type it is a text.
    let Some(typed) = value.children.first_mut() else {
        value.text = rpc_text(mask, &value.text, at);
        return Ok(());
    };
    typed.attributes.clear();
    match typed.name.rsplit(':').next().unwrap_or_default() {
        "array" => {
            let mut items = typed.children.iter_mut().flat_map(|data| &mut data.children);
            items.try_for_each(|item| rpc_value(mask, item, at))
        }
        "struct" => typed.children.iter_mut().try_for_each(|member| {
            let [name, inner] = member.children.as_mut_slice() else {
                return Err(Unreadable);
            };
            at.push(name.text.clone());
            let masked = rpc_value(mask, inner, at);
            at.pop();
            masked
        }),
        "boolean" | "nil" => Ok(()),
        "int" | "i1" | "i2" | "i4" | "i8" | "double" | "float" | "bigdecimal" | "biginteger" => {
            typed.text = mask.number_of(&typed.text, at);
            Ok(())
        }
        "dateTime.iso8601" | "dateTime" => {
            typed.text = mask.time_of(&typed.text, at);
            Ok(())
        }
        "base64" => {
            typed.text = mask.bytes_of(&typed.text, at);
            Ok(())
        }
        "string" => {
            typed.text = rpc_text(mask, &typed.text, at);
            Ok(())
        }
        _ => Err(Unreadable),
    }
}

fn rpc_text(mask: &mut Mask, text: &str, at: &[String]) -> String {
    mask.text_of(text, at, at.last().map_or("", String::as_str))
}

fn csv_of(mask: &mut Mask, delimiter: u8, text: &str, cut: Cut<'_>) -> Result<Body, Unreadable> {
    let text = text.trim_start_matches('\u{feff}');
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let head = rows.headers().map_err(|_| Unreadable)?.clone();
    let mut table = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    table.write_record(&head).map_err(|_| Unreadable)?;
    for row in rows.records().take(kept(cut)) {
        let row = row.map_err(|_| Unreadable)?;
        let cells = head.iter().zip(&row).map(|(column, cell)| {
            let at = [column.to_owned()];
            if cell.is_empty() {
                String::new()
            } else {
                mask.text_of(cell, &at, column)
            }
        });
        table.write_record(cells).map_err(|_| Unreadable)?;
    }
    let bytes = table.into_inner().map_err(|_| Unreadable)?;
    String::from_utf8(bytes).map(Body::Text).map_err(|_| Unreadable)
}

fn lines_of(mask: &mut Mask, text: &str, cut: Cut<'_>) -> Result<Body, Unreadable> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let masked = lines.take(kept(cut)).map(|line| {
        let record = json::parse(line.as_bytes(), &Limits::default()).map_err(|_| Unreadable)?;
        Ok(json::to_string(&mask.value(&record)))
    });
    let masked: Vec<String> = masked.collect::<Result<_, Unreadable>>()?;
    Ok(Body::Text(
        masked.iter().flat_map(|line| [line.as_str(), "\n"]).collect(),
    ))
}

/// How many records of a table are kept.
fn kept(cut: Cut<'_>) -> usize {
    cut.map_or(usize::MAX, |(_, max)| max)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn mask() -> Mask {
        Mask::new([7; 32], Vec::new())
    }

    fn text(format: &Format, body: &str, cut: Option<(&str, usize)>) -> String {
        let path = Path::parse(cut.map_or("$", |(path, _)| path)).unwrap();
        let cut = cut.map(|(_, max)| (&path, max));
        match masked(&mut mask(), format, body, cut) {
            Ok(Body::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    /// What is left of Ana in any of these is a leak.
    fn assert_masked(shown: &str) {
        for gone in ["Ana", "ana", "Souza", "98765", "noon", "1984"] {
            assert!(!shown.contains(gone), "{gone} in {shown}");
        }
    }

    #[test]
    fn nothing_of_a_person_is_left_in_xml_and_what_is_read_is_of_the_same_shape() {
        let body = r#"<?xml version="1.0"?><!-- Ana --><e:Envelope xmlns:e="urn:soap"><e:Body><rows>
            <row id="A-1" owner="Ana Souza"><name>Ana Souza</name><mail kind="work">ana@acme.test</mail><status>active</status>
              <phone>+55 11 98765-4321</phone><birthDate>1984-05-06</birthDate><note><![CDATA[Call at noon]]></note></row>
            <row id="A-2"><name>Ana Souza</name></row></rows></e:Body></e:Envelope>"#;
        let namespaces = Namespaces([("soap".to_owned(), "urn:soap".to_owned())].into());
        let format = Format::Xml(Arc::new(namespaces.clone()));
        let path = "soap:Envelope.soap:Body.rows.row";
        let shown = text(&format, body, Some((path, 9)));
        assert_masked(&shown);
        let value = |text: &str| {
            let read = xml::parse(text.as_bytes(), &namespaces, &Limits::default()).unwrap();
            read.into_document()
        };
        let at = |path: &str| Path::parse(&format!("soap:Envelope.soap:Body.rows.{path}")).unwrap();
        let (read, real) = (value(&shown), value(body));
        for kept in ["row[0].@id", "row[0].status", "row[0].mail.@kind", "row[1].@id"] {
            assert_eq!(at(kept).get(&read), at(kept).get(&real), "{kept}");
        }
        let name = |row: &str| at(&format!("{row}.name")).get(&read).cloned();
        assert_eq!(name("row[0]"), name("row[1]"), "equal values stay equal");
        assert!(name("row[0]").is_some());
        let short = value(&text(&format, body, Some((path, 1))));
        assert_eq!(
            at("row.@id").get(&short),
            at("row[0].@id").get(&real),
            "one of two is kept"
        );
    }

    #[test]
    fn nothing_of_a_person_is_left_in_xml_rpc_and_types_stay() {
        let member = |name: &str, value: &str| format!("<member><name>{name}</name><value>{value}</value></member>");
        let record = [
            member("id", "<int>7</int>"),
            member("name", "<string>Ana Souza</string>"),
            member("full", "Ana Souza"),
            member("mobile", "<i8>11987654321</i8>"),
            member("amount", "<double>12.50</double>"),
            member("changed", "<dateTime.iso8601>20260302T09:00:00</dateTime.iso8601>"),
            member("birthday", "<dateTime.iso8601>19840506T00:00:00</dateTime.iso8601>"),
            member("photo", "<base64>QW5hIFNvdXph</base64>"),
            member("active", "<boolean>1</boolean>"),
            member("nothing", "<nil/>"),
        ]
        .concat();
        let one = format!("<value><struct>{record}</struct></value>");
        let body = format!(
            "<?xml version='1.0'?><methodResponse><params><param><value><array><data>{one}{one}</data></array></value></param></params></methodResponse>"
        );
        let shown = text(&Format::XmlRpc, &body, Some(("result", 1)));
        assert_masked(&shown);
        assert!(!shown.contains("QW5h"), "{shown}");
        for kept in [
            "<int>7</int>",
            "<double>12.50</double>",
            "20260302T09:00:00</dateTime.iso8601>",
            "<boolean>1</boolean>",
        ] {
            assert!(shown.contains(kept), "{kept} in {shown}");
        }
        let read = crate::core::value::xml_rpc::parse(shown.as_bytes(), &Limits::default()).unwrap();
        let of = |path: &str| Path::parse(path).unwrap().get(&read).cloned();
        assert_eq!(of("result[0].name"), of("result[0].full"));
        assert!(of("result[1]").is_none(), "one of two is kept");
        let fault = "<methodResponse><fault><value><struct><member><name>faultString</name><value><string>Ana is not there</string>\
            </value></member></struct></value></fault></methodResponse>";
        assert_masked(&text(&Format::XmlRpc, fault, None));
    }

    #[test]
    fn nothing_of_a_person_is_left_in_tables_and_lines() {
        let table = "id;name;email;amount\r\n1;\"Souza; Ana\";ana@acme.test;12.50\r\n2;\"Souza; Ana\";;1\r\n";
        let shown = text(&Format::Csv(b';'), table, Some(("$", 9)));
        assert_masked(&shown);
        assert!(
            shown.starts_with("id;name;email;amount\n1;") && shown.contains(";12.50\n2;"),
            "{shown}"
        );
        assert_eq!(text(&Format::Csv(b';'), table, Some(("$", 1))).lines().count(), 2);
        let lines = "{\"id\":1,\"name\":\"Ana\"}\n\n{\"id\":2,\"name\":\"ANA\"}\n";
        let shown = text(&Format::JsonLines, lines, None);
        assert_masked(&shown);
        assert_eq!(shown.lines().count(), 2);
        assert_eq!(text(&Format::JsonLines, lines, Some(("$", 1))).lines().count(), 1);
    }

    #[test]
    fn what_cannot_be_taken_apart_is_not_recorded() {
        for (format, body) in [
            (Format::Json, "Ana"),
            (Format::Xml(Arc::default()), "<a><b></a>"),
            (Format::XmlRpc, "<methodResponse/>"),
            (
                Format::XmlRpc,
                "<methodResponse><params><param><value><odd>Ana</odd></value></param></params></methodResponse>",
            ),
            (Format::Csv(b','), "a,b\n1\n"),
            (Format::JsonLines, "{\"a\":"),
        ] {
            assert!(masked(&mut mask(), &format, body, None).is_err(), "{body}");
        }
        let error = masked(&mut mask(), &Format::XmlRpc, r#"{"name":"Ana"}"#, None).unwrap();
        assert!(matches!(error, Body::Json(_)), "an error in JSON is JSON");
    }
}
