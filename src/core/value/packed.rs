//! Values as bytes that are only read back by this very process: short, quick, and exact to the variant.
//!
//! Nothing stored depends on this form; it may change with every version.

use chrono::{DateTime, FixedOffset, NaiveDate};
use rust_decimal::Decimal;

use super::{Map, Value};

/// How deep lists and maps are followed; what a system sent was bounded before.
const DEPTH_MAX: u32 = 512;

/// Appends the members of a record.
pub fn pack(map: &Map, out: &mut Vec<u8>) {
    length(map.len(), out);
    for (name, value) in map {
        text(name, out);
        one(value, out);
    }
}

/// Reads what [`pack`] wrote; `None` where the bytes are something else.
#[must_use]
pub fn unpack(bytes: &[u8]) -> Option<Map> {
    let mut rest = bytes;
    let map = members(&mut rest, 0)?;
    rest.is_empty().then_some(map)
}

fn one(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Bool(false) => out.push(1),
        Value::Bool(true) => out.push(2),
        Value::Int(int) => {
            out.push(3);
            out.extend(int.to_le_bytes());
        }
        Value::Decimal(decimal) => {
            out.push(4);
            out.extend(decimal.serialize());
        }
        Value::Number(number) => {
            out.push(5);
            text(number, out);
        }
        Value::Text(value) => {
            out.push(6);
            text(value, out);
        }
        Value::Date(date) => {
            out.push(7);
            text(&date.to_string(), out);
        }
        Value::DateTime(time) => {
            out.push(8);
            out.extend(time.timestamp().to_le_bytes());
            out.extend(time.timestamp_subsec_nanos().to_le_bytes());
            out.extend(time.offset().local_minus_utc().to_le_bytes());
        }
        Value::List(list) => {
            out.push(9);
            length(list.len(), out);
            for item in list {
                one(item, out);
            }
        }
        Value::Map(map) => {
            out.push(10);
            pack(map, out);
        }
    }
}

fn length(length: usize, out: &mut Vec<u8>) {
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn text(text: &str, out: &mut Vec<u8>) {
    length(text.len(), out);
    out.extend(text.as_bytes());
}

fn value(rest: &mut &[u8], depth: u32) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    let [tag] = take(rest)?;
    Some(match tag {
        0 => Value::Null,
        1 => Value::Bool(false),
        2 => Value::Bool(true),
        3 => Value::Int(i64::from_le_bytes(take(rest)?)),
        4 => Value::Decimal(Decimal::deserialize(take(rest)?)),
        5 => Value::Number(read_text(rest)?.into()),
        6 => Value::Text(read_text(rest)?.to_owned()),
        7 => Value::Date(read_text(rest)?.parse::<NaiveDate>().ok()?),
        8 => {
            let (seconds, nanos, offset) = (
                i64::from_le_bytes(take(rest)?),
                u32::from_le_bytes(take(rest)?),
                i32::from_le_bytes(take(rest)?),
            );
            let offset = FixedOffset::east_opt(offset)?;
            Value::DateTime(DateTime::from_timestamp(seconds, nanos)?.with_timezone(&offset))
        }
        9 => {
            let count = read_length(rest)?;
            let mut list = Vec::new();
            for _ in 0..count {
                list.push(value(rest, depth + 1)?);
            }
            Value::List(list)
        }
        10 => Value::Map(members(rest, depth + 1)?),
        _ => return None,
    })
}

fn members(rest: &mut &[u8], depth: u32) -> Option<Map> {
    let count = read_length(rest)?;
    let mut map = Map::new();
    for _ in 0..count {
        let name = read_text(rest)?.to_owned();
        map.insert(name, value(rest, depth)?);
    }
    Some(map)
}

fn read_length(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(take(rest)?)).ok()
}

fn read_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = read_length(rest)?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::value::{json, sample};

    #[test]
    fn every_kind_of_value_comes_back_exactly() {
        let text = br#"{"a":null,"b":[true,false,-7,12.50,123456789012345678901234567890123],"c":{"d":"x"},"e":""}"#;
        let Ok(Value::Map(mut map)) = json::parse(text, &json::Limits::default()) else {
            panic!("the sample is a map");
        };
        map.insert("f".into(), Value::Date("2026-02-28".parse().unwrap()));
        map.insert(
            "g".into(),
            Value::DateTime("2026-02-28T23:59:59.123456789-03:00".parse().unwrap()),
        );
        let mut bytes = Vec::new();
        pack(&map, &mut bytes);
        assert_eq!(unpack(&bytes), Some(map));
        bytes.pop();
        assert_eq!(unpack(&bytes), None);
    }

    proptest! {
        #[test]
        fn any_value_comes_back_exactly(value in sample::value()) {
            let map = Map::from([("v".to_owned(), value)]);
            let mut bytes = Vec::new();
            pack(&map, &mut bytes);
            prop_assert_eq!(unpack(&bytes), Some(map));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes);
        }
    }
}
