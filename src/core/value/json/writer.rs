//! Writing: iterative, so that no value is too deep for it.

use std::{collections::btree_map, slice};

use crate::core::value::Value;

/// A list or map that is being written.
enum Open<'a> {
    List(slice::Iter<'a, Value>),
    Map(btree_map::Iter<'a, String, Value>),
}

pub(super) fn write(value: &Value, out: &mut Vec<u8>) {
    let mut open = Vec::new();
    begin(value, &mut open, out);
    while let Some(top) = open.last_mut() {
        let next = match top {
            Open::List(items) => items.next().map(|item| (None, item)),
            Open::Map(members) => members.next().map(|(key, member)| (Some(key), member)),
        };
        let Some((key, value)) = next else {
            out.push(match top {
                Open::List(_) => b']',
                Open::Map(_) => b'}',
            });
            open.pop();
            continue;
        };
        if !matches!(out.last(), Some(b'[' | b'{')) {
            out.push(b',');
        }
        if let Some(key) = key {
            text(key, out);
            out.push(b':');
        }
        begin(value, &mut open, out);
    }
}

/// Writes a scalar, or the opening of a structure.
fn begin<'a>(value: &'a Value, open: &mut Vec<Open<'a>>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Text(content) => text(content, out),
        Value::List(list) => {
            out.push(b'[');
            open.push(Open::List(list.iter()));
        }
        Value::Map(map) => {
            out.push(b'{');
            open.push(Open::Map(map.iter()));
        }
        scalar => {
            let plain = scalar.to_text().unwrap_or_default();
            if matches!(scalar, Value::Date(_) | Value::DateTime(_)) {
                text(&plain, out);
            } else {
                out.extend_from_slice(plain.as_bytes());
            }
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn text(content: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in content.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control @ 0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend(
                    [control >> 4, control & 0xF].map(|half| HEX.get(usize::from(half)).copied().unwrap_or(b'0')),
                );
            }
            plain => out.push(plain),
        }
    }
    out.push(b'"');
}
