//! The records of both systems: fifteen fields each, eight of which are mapped.

use anyhow::{Context as _, Result};
use bytes::Bytes;

/// The left record with this number, which is its id.
pub fn left(number: usize) -> Bytes {
    left_named(number, &format!("Customer {number:07} Ltda"))
}

/// The left record with this number after its n-th edit.
pub fn left_edited(number: usize, version: usize) -> Bytes {
    left_named(number, &format!("Customer {number:07} Ltda, edit {version}"))
}

fn left_named(number: usize, name: &str) -> Bytes {
    let status = if number.is_multiple_of(7) { "blocked" } else { "active" };
    let text = format!(
        r#"{{"id":{number},"key":"K{number:07}","name":"{name}","kind":"customer","status":"{status}","tax_id":"DE{number:09}","email":"office{number}@example.com","phone":"+49 30 {number:08}","credit_limit":{}.{:02},"currency":"EUR","city":"{}","country":"DE","salesperson_id":{},"note":"terms as agreed, see the file","updated":"2026-03-01T10:00:00Z"}}"#,
        number % 50_000,
        number % 100,
        city(number),
        number % 40,
    );
    Bytes::from(text)
}

/// The right record that belongs to the left one with this number; its id is `R` and the number.
pub fn right(number: usize) -> Bytes {
    let status = if number.is_multiple_of(7) { "Inactive" } else { "Active" };
    let text = format!(
        r#"{{"Id":"R{number}","Key":"K{number:07}","Name":"Customer {number:07} Ltda","Status":"{status}","VatNumber":"DE{number:09}","Email":"office{number}@example.com","Phone":"+49 30 {number:08}","CreditLimit":{}.{:02},"City":"{}","Country":"DE","Owner":"USR-{:03}","Description":"made by the bench","CreatedAt":"2026-01-01T00:00:00Z","ModifiedAt":"2026-03-01T10:00:00Z","Version":1}}"#,
        number % 50_000,
        number % 100,
        city(number),
        number % 40,
    );
    Bytes::from(text)
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
