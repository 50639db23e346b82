//! The records of both systems: fifteen fields each, eight of which are mapped.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use bytes::Bytes;

/// The left record with this number, which is its id.
pub fn left(number: usize) -> Bytes {
    made(|out| write_left(number, "", out))
}

/// The left record with this number after its n-th edit.
pub fn left_edited(number: usize, version: usize) -> Bytes {
    made(|out| write_left(number, &format!(", edit {version}"), out))
}

/// The right record that belongs to the left one with this number; its id is `R` and the number.
pub fn right(number: usize) -> Bytes {
    made(|out| write_right(number, "", out))
}

fn made(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut out = Vec::with_capacity(512);
    write(&mut out);
    Bytes::from(out)
}

/// Appends the left record with this number, and what its name ends with.
pub fn write_left(number: usize, suffix: &str, out: &mut Vec<u8>) {
    let status = if number.is_multiple_of(7) { "blocked" } else { "active" };
    let (credit, cents, city, person) = (number % 50_000, number % 100, city(number), number % 40);
    // Writing to a vector cannot fail.
    let _ = write!(
        out,
        r#"{{"id":{number},"key":"K{number:07}","name":"Customer {number:07} Ltda{suffix}","kind":"customer","status":"{status}","tax_id":"DE{number:09}","email":"office{number}@example.com","phone":"+49 30 {number:08}","credit_limit":{credit}.{cents:02},"currency":"EUR","city":"{city}","country":"DE","salesperson_id":{person},"note":"terms as agreed, see the file","updated":"2026-03-01T10:00:00Z"}}"#,
    );
}

/// Appends the right record that belongs to the left one with this number, and what its name ends with.
pub fn write_right(number: usize, suffix: &str, out: &mut Vec<u8>) {
    let status = if number.is_multiple_of(7) { "Inactive" } else { "Active" };
    let (credit, cents, city, person) = (number % 50_000, number % 100, city(number), number % 40);
    let _ = write!(
        out,
        r#"{{"Id":"R{number}","Key":"K{number:07}","Name":"Customer {number:07} Ltda{suffix}","Status":"{status}","VatNumber":"DE{number:09}","Email":"office{number}@example.com","Phone":"+49 30 {number:08}","CreditLimit":{credit}.{cents:02},"City":"{city}","Country":"DE","Owner":"USR-{person:03}","Description":"made by the bench","CreatedAt":"2026-01-01T00:00:00Z","ModifiedAt":"2026-03-01T10:00:00Z","Version":1}}"#,
    );
}

const fn city(number: usize) -> &'static str {
    match number % 4 {
        0 => "Berlin",
        1 => "São Paulo",
        2 => "Hamburg",
        _ => "Leipzig",
    }
}

/// The key of the record with this number.
pub fn key(number: usize) -> String {
    format!("K{number:07}")
}

/// The key in a right record as it was sent.
pub fn key_in(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    text.split_once(r#""Key":""#)?.1.split('"').next()
}

/// The number in an id of either side.
pub fn number(id: &str) -> Result<usize> {
    id.trim_start_matches('R')
        .parse()
        .with_context(|| format!("`{id}` is no id"))
}

/// A record as it was sent, with the id and version it gets.
pub fn with_id(id: &str, body: &[u8]) -> Bytes {
    let members = body.get(1..).unwrap_or_default();
    let head = format!(r#"{{"Id":"{id}","Version":1,"ModifiedAt":"2026-03-01T10:00:00Z","#);
    Bytes::from([head.as_bytes(), members].concat())
}

/// A record with its changes laid over it.
pub fn patched(stored: &[u8], changes: &[u8]) -> Result<Bytes> {
    let mut record: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(stored)?;
    let changes: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(changes)?;
    record.extend(changes);
    Ok(Bytes::from(serde_json::to_vec(&record)?))
}

/// The items of `{"items":[…]}`, as they stand there: found by counting braces outside of texts.
pub fn items(body: &[u8]) -> Result<Vec<&[u8]>> {
    let (mut found, mut depth, mut start, mut in_text, mut is_escaped) = (Vec::new(), 0_u32, 0, false, false);
    for (index, byte) in body.iter().enumerate() {
        match byte {
            _ if std::mem::take(&mut is_escaped) => {}
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'{' if !in_text => {
                depth += 1;
                if depth == 2 {
                    start = index;
                }
            }
            b'}' if !in_text => {
                if depth == 2 {
                    found.push(body.get(start..=index).context("an item without a start")?);
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
    }
    Ok(found)
}
