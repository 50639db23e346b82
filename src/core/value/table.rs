//! Answers that are lines: CSV with a head (RFC 4180), and JSON Lines. Both become the JSON of a list of records.

use super::{Map, Value, json};

/// Why bytes were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    Encoding,
    /// A line has more or fewer cells than the head.
    #[error("line {line} has not as many cells as the head")]
    Cells {
        /// The line.
        line: u64,
    },
    /// The head names a column twice, or not at all.
    #[error("the head names the column `{name}` twice, or one without a name")]
    Head {
        /// The name.
        name: String,
    },
    /// The head lacks a column: it is no head.
    #[error("the head has no column `{name}`")]
    Lacking {
        /// The name.
        name: String,
    },
    /// A line is no JSON object.
    #[error("line {line} is no JSON object")]
    Line {
        /// The line.
        line: usize,
    },
    /// The text cannot be taken apart.
    #[error("invalid CSV")]
    Broken,
}

impl Error {
    /// Whether the answer may come whole the next time.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        !matches!(self, Self::Head { .. })
    }
}

/// The JSON of a table's rows: one map of texts each. A table without one of these columns is none.
pub fn csv(bytes: &[u8], delimiter: u8, columns: &[String]) -> Result<Vec<u8>, Error> {
    let text = text(bytes)?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let head: Vec<String> = reader
        .headers()
        .map_err(|error| failed(&error))?
        .iter()
        .map(ToOwned::to_owned)
        .collect();
    for (index, name) in head.iter().enumerate() {
        if name.is_empty() || head.iter().take(index).any(|before| before == name) {
            return Err(Error::Head {
                name: name.chars().take(64).collect(),
            });
        }
    }
    if let Some(lacking) = columns.iter().find(|column| !head.contains(column)) {
        return Err(Error::Lacking { name: lacking.clone() });
    }
    let mut out = b"[".to_vec();
    for row in reader.records() {
        let row = row.map_err(|error| failed(&error))?;
        if out.len() > 1 {
            out.push(b',');
        }
        let cells = head
            .iter()
            .zip(&row)
            .map(|(name, cell)| (name.clone(), Value::from(cell)));
        json::write(&Value::Map(cells.collect::<Map>()), &mut out);
    }
    out.push(b']');
    Ok(out)
}

fn failed(error: &csv::Error) -> Error {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, .. } => Error::Cells {
            line: pos.as_ref().map_or(0, csv::Position::line),
        },
        csv::ErrorKind::Utf8 { .. } => Error::Encoding,
        _ => Error::Broken,
    }
}

/// The JSON of a list of all lines; empty ones are passed over.
pub fn json_lines(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let text = text(bytes)?;
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'[');
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        // Whether it is sound inside, reading it tells; that it ends on its line, nothing else would.
        if !line.starts_with('{') || !line.ends_with('}') {
            return Err(Error::Line { line: index + 1 });
        }
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(line.as_bytes());
    }
    out.push(b']');
    Ok(out)
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|_| Error::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_maps_of_texts() {
        let csv = |text: &str| csv(text.as_bytes(), b',', &[]).map(|json| String::from_utf8(json).unwrap());
        assert_eq!(
            csv("\u{feff}id,name\r\n1,\"a, \"\"b\"\"\nc\"\r\n2,\r\n").unwrap(),
            r#"[{"id":"1","name":"a, \"b\"\nc"},{"id":"2","name":""}]"#
        );
        assert_eq!(csv("id,name\n").unwrap(), "[]");
        assert_eq!(csv("").unwrap(), "[]");
        let id = ["id".to_owned()];
        for text in ["The service is not available", ""] {
            let refused = self::csv(text.as_bytes(), b',', &id).unwrap_err();
            assert!(matches!(refused, Error::Lacking { .. }), "{text}: {refused}");
        }
        assert_eq!(csv("id,name\n1"), Err(Error::Cells { line: 2 }));
        assert!(matches!(csv("id,id\n"), Err(Error::Head { .. })));
        assert_eq!(self::csv(b"id\n\xff\n", b',', &[]), Err(Error::Encoding));
        assert_eq!(
            self::csv(b"a;b\n1;2\n", b';', &["b".to_owned()]).unwrap(),
            br#"[{"a":"1","b":"2"}]"#
        );
    }

    #[test]
    fn lines_become_a_list() {
        let lines = |text: &str| json_lines(text.as_bytes()).map(|json| String::from_utf8(json).unwrap());
        assert_eq!(lines("{\"a\":1}\r\n\n {\"a\":2}").unwrap(), r#"[{"a":1},{"a":2}]"#);
        assert_eq!(lines("").unwrap(), "[]");
        assert_eq!(lines("{\"a\":1}\n{\"a\":"), Err(Error::Line { line: 2 }));
        assert_eq!(lines("[1]"), Err(Error::Line { line: 1 }));
    }
}
