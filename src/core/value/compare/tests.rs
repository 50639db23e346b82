use proptest::prelude::*;

use super::*;
use crate::core::value::{fingerprint::Key, json, sample};

fn value(text: &str) -> Value {
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
}

fn at(text: &str) -> Value {
    Value::DateTime(DateTime::parse_from_rfc3339(text).unwrap())
}

#[test]
fn numbers_are_compared_by_value_at_the_declared_scale() {
    for (left, right, kind, expected) in [
        ("1.0", "1.00", "decimal", true),
        ("5", "5.0", "any", true),
        ("1e2", "100.0", "decimal", true),
        ("9007199254740993", "9007199254740992", "integer", false),
        ("9223372036854775808", "9223372036854775808.0", "any", true),
        ("1e400", "10e399", "any", true),
        ("1.005", "1.00", "decimal(2)", true),
        ("1.015", "1.02", "decimal(2)", true),
        ("1.005", "1.01", "decimal(2)", false),
        ("1.005", "1.01", "decimal", false),
        ("0.1", "0.10000000000000000001", "decimal", false),
        ("[1.0,{\"a\":2}]", "[1,{\"a\":2.0}]", "any", true),
        ("1", "\"1\"", "any", false),
        ("0", "null", "any", false),
        ("1", "true", "any", false),
    ] {
        let equal = equal(&value(left), &value(right), kind.parse().unwrap(), Compare::Exact);
        assert_eq!(equal, expected, "{left} {right} {kind}");
    }
}

#[test]
fn datetimes_are_compared_as_instants_at_the_coarser_precision() {
    for (left, right, kind, expected) in [
        ("2026-03-01T10:00:00+02:00", "2026-03-01T08:00:00Z", "datetime", true),
        (
            "2026-03-01T08:00:00.123456Z",
            "2026-03-01T08:00:00.123Z",
            "datetime",
            true,
        ),
        ("2026-03-01T08:00:00.123456Z", "2026-03-01T08:00:00Z", "datetime", true),
        (
            "2026-03-01T08:00:00.123Z",
            "2026-03-01T08:00:00.124Z",
            "datetime",
            false,
        ),
        (
            "2026-03-01T08:00:00.123Z",
            "2026-03-01T08:00:00.124Z",
            "datetime(s)",
            true,
        ),
        (
            "2026-03-01T08:00:00.123456789Z",
            "2026-03-01T08:00:00.123456Z",
            "datetime",
            true,
        ),
        ("2026-03-01T08:00:01Z", "2026-03-01T08:00:00.999Z", "datetime", false),
    ] {
        let equal = equal(&at(left), &at(right), kind.parse().unwrap(), Compare::Exact);
        assert_eq!(equal, expected, "{left} {right} {kind}");
    }
    let midnight = at("2026-03-01T00:00:00Z");
    let day = Value::Date("2026-03-01".parse().unwrap());
    assert!(!equal(&midnight, &day, Kind::Any, Compare::Caseless));
}

#[test]
fn texts_are_compared_as_declared() {
    for (compare, left, right, expected) in [
        ("exact", "Ana", "Ana ", false),
        ("trimmed", " Ana\n", "Ana", true),
        ("trimmed", "Ana", "ana", false),
        ("caseless", "STRASSE ", "straße", true),
        ("caseless", "ΟΔΟΣ", "οδος", true),
        ("caseless", "\u{e9}", "e\u{301}", false),
        ("alphanumeric", "BR 12.345.678/0001-95", "br12345678000195", true),
        ("alphanumeric", "A-1", "A-2", false),
        ("digits", "123.456-7", "1234567", true),
        ("phone", "+55 (11) 2345-6789", "0055 11 23456789", true),
        ("phone", "+49 (0) 30 1234", "+49301234", true),
        ("phone", "030/1234", "030 1234", true),
        ("phone", "030 1234", "+49 30 1234", false),
        ("phone", "Tel. +1 555 0100 ext. 12", "+15550100", true),
        ("email", " Ana@Example.com", "ana@example.COM", true),
    ] {
        let compare: Compare = compare.parse().unwrap();
        let equal = equal(&Value::from(left), &Value::from(right), Kind::Text, compare);
        assert_eq!(equal, expected, "{compare} {left} {right}");
    }
}

#[test]
fn an_id_that_is_a_number_here_and_a_text_there_is_one_in_every_loose_comparison() {
    let (number, text) = (Value::Int(42), Value::from("42"));
    assert!(equal(&number, &text, Kind::Any, Compare::Trimmed));
    assert!(!equal(&number, &text, Kind::Any, Compare::Exact));
    let spelled = Value::number("42.0").unwrap();
    assert_eq!(normalize(&spelled, Kind::Any, Compare::Trimmed), text);
    assert!(equal(&spelled, &text, Kind::Any, Compare::Trimmed));
}

#[test]
fn the_normal_form_of_a_phone_number_is_its_own_normal_form() {
    for number in ["0+0", "0-0 44 20", "0(0)30", "+49 (0) 30", "(0)0 1"] {
        let normal = Compare::Phone.text(number).into_owned();
        assert_eq!(Compare::Phone.text(&normal), normal, "{number}");
    }
}

#[test]
fn null_and_empty_text_are_different() {
    for compare in Compare::ALL {
        assert!(!equal(&Value::Null, &Value::from(""), Kind::Text, compare));
        assert_eq!(compare.name().parse::<Compare>(), Ok(compare));
    }
    assert!("fuzzy".parse::<Compare>().is_err());
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![
        "any",
        "text",
        "decimal",
        "decimal(2)",
        "datetime",
        "datetime(ms)",
        "integer",
    ])
    .prop_map(|name| name.parse().unwrap())
}

proptest! {
    #[test]
    fn equality_is_reflexive_and_symmetric(
        left in sample::value(), right in sample::value(), kind in any_kind(), compare in prop::sample::select(&Compare::ALL[..]),
    ) {
        prop_assert!(equal(&left, &left, kind, compare));
        prop_assert_eq!(equal(&left, &right, kind, compare), equal(&right, &left, kind, compare));
    }

    #[test]
    fn equal_values_have_one_normal_form_and_one_fingerprint(
        left in sample::value(), right in sample::value(), kind in any_kind(), compare in prop::sample::select(&Compare::ALL[..]),
    ) {
        let (l, r) = (normalize(&left, kind, compare), normalize(&right, kind, compare));
        let key = Key::new([1; 32]);
        prop_assert_eq!(l == r, key.field("f", Some(&l)) == key.field("f", Some(&r)));
        prop_assert_eq!(&l, &normalize(&l, kind, compare));
        if equal(&left, &right, kind, compare) {
            prop_assert_eq!(l, r);
        }
    }

    #[test]
    fn texts_of_one_normal_form_are_equal(left in sample::text(), right in sample::text(), compare in prop::sample::select(&Compare::ALL[..])) {
        let (l, r) = (Value::Text(left), Value::Text(right));
        let normal = |value| normalize(value, Kind::Text, compare);
        prop_assert_eq!(equal(&l, &r, Kind::Text, compare), normal(&l) == normal(&r));
    }
}
