use proptest::prelude::*;

use super::*;
use crate::core::value::{
    compare::{self, Compare},
    json, sample,
    spelling::{DateForm, DateTimeForm, OffsetForm},
};

fn value(text: &str) -> Value {
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
}

fn read(kind: &str, text: &str, spelling: &Spelling) -> Result<String, String> {
    let kind: Kind = kind.parse().unwrap();
    kind.read(&value(text), spelling)
        .map(|value| format!("{} {}", value.type_name(), value.to_text().unwrap_or_default()))
        .map_err(|mismatch| mismatch.to_string())
}

#[test]
fn every_kind_reads_back_from_its_name() {
    let kinds = Kind::NAMES
        .into_iter()
        .chain(["decimal(0)", "decimal(28)", "datetime(us)"]);
    for name in kinds {
        assert_eq!(name.parse::<Kind>().unwrap().to_string(), name);
    }
    for name in [
        "",
        "string",
        "decimal()",
        "decimal(29)",
        "decimal(+2)",
        "decimal(2",
        "text(2)",
        "datetime(ns)",
        "Text",
    ] {
        assert!(name.parse::<Kind>().is_err(), "{name}");
    }
}

#[test]
fn what_systems_send_is_read_as_the_declared_kind() {
    let spelling = Spelling {
        zone: Some(chrono_tz::America::Sao_Paulo),
        ..Spelling::default()
    };
    for (kind, text, expected) in [
        ("text", "\"x\"", "text x"),
        ("text", "7", "text 7"),
        ("text", "1.50", "text 1.50"),
        ("integer", "7", "integer 7"),
        ("integer", "7.00", "integer 7"),
        ("integer", "\" 7 \"", "integer 7"),
        ("integer", "9223372036854775808", "decimal 9223372036854775808"),
        ("decimal(2)", "\"12.50\"", "decimal 12.50"),
        ("decimal", "12", "decimal 12"),
        ("decimal", "0.1", "decimal 0.1"),
        ("boolean", "1", "boolean true"),
        ("boolean", "0", "boolean false"),
        ("boolean", "\"True\"", "boolean true"),
        ("boolean", "\"false\"", "boolean false"),
        ("date", "\"2026-03-01\"", "date 2026-03-01"),
        ("datetime", "\"2026-03-01T10:00:00Z\"", "datetime 2026-03-01T10:00:00Z"),
        (
            "datetime",
            "\"2026-03-01 10:00:00.250+0200\"",
            "datetime 2026-03-01T10:00:00.250+02:00",
        ),
        (
            "datetime",
            "\"2026-03-01 10:00:00\"",
            "datetime 2026-03-01T10:00:00-03:00",
        ),
        ("any", "\"2026-03-01\"", "text 2026-03-01"),
        ("date", "null", "null "),
    ] {
        assert_eq!(read(kind, text, &spelling), Ok(expected.to_owned()), "{kind} {text}");
    }
}

#[test]
fn what_does_not_fit_is_named_by_its_shape_only() {
    let spelling = Spelling::default();
    for (kind, text, expected) in [
        ("text", "true", "expected text, found boolean"),
        ("text", "[1]", "expected text, found list of 1"),
        (
            "integer",
            "\"geheim\"",
            "expected integer, found text of 6 characters: not written as a number",
        ),
        (
            "integer",
            "1.5",
            "expected integer, found decimal: it has a fractional part",
        ),
        (
            "decimal",
            "1e400",
            "expected decimal, found number: more than 28 digits",
        ),
        (
            "decimal",
            "\"1,50\"",
            "expected decimal, found text of 4 characters: not written as a number",
        ),
        (
            "boolean",
            "2",
            "expected boolean, found integer: only 0 and 1 are booleans",
        ),
        (
            "date",
            "\"2026-02-30\"",
            "expected date, found text of 10 characters: not written as a date",
        ),
        (
            "date",
            "\"2026-03-01T00:00:00Z\"",
            "expected date, found text of 20 characters: a datetime is not a date; say which zone's day is meant",
        ),
        (
            "datetime",
            "\"2026-03-01\"",
            "expected datetime, found text of 10 characters: a date is not a datetime",
        ),
        (
            "datetime",
            "\"2026-03-01T10:00:00\"",
            "expected datetime, found text of 19 characters: it has no offset, and the system has no zone declared",
        ),
        (
            "datetime",
            "1700000000",
            "expected datetime, found integer: the system is not declared to count seconds or milliseconds",
        ),
        ("list", "{}", "expected list, found map of 0"),
        ("map", "[]", "expected map, found list of 0"),
    ] {
        assert_eq!(read(kind, text, &spelling), Err(expected.to_owned()), "{kind} {text}");
    }
}

#[test]
fn an_hour_that_the_clocks_skipped_is_refused_and_one_that_comes_twice_is_the_earlier() {
    let spelling = Spelling {
        zone: Some(chrono_tz::Europe::Berlin),
        ..Spelling::default()
    };
    let skipped = read("datetime", "\"2026-03-29T02:30:00\"", &spelling).unwrap_err();
    assert!(
        skipped.ends_with("the clocks of the declared zone skipped this hour"),
        "{skipped}"
    );
    let twice = read("datetime", "\"2026-10-25T02:30:00\"", &spelling);
    assert_eq!(twice.unwrap(), "datetime 2026-10-25T02:30:00+02:00");
}

#[test]
fn what_a_system_spells_as_nothing_is_null() {
    let spelling = Spelling {
        empty: vec![Value::Bool(false), Value::from("")],
        ..Spelling::default()
    };
    for (kind, text, expected) in [
        ("text", "false", "null "),
        ("date", "\"\"", "null "),
        ("boolean", "false", "boolean false"),
        ("boolean", "\"\"", "null "),
        ("any", "false", "boolean false"),
    ] {
        assert_eq!(read(kind, text, &spelling), Ok(expected.to_owned()), "{kind} {text}");
    }
}

#[test]
fn values_are_written_as_the_system_spells_them() {
    let spelling = Spelling {
        zone: Some(chrono_tz::Europe::Berlin),
        decimal: DecimalForm::Text,
        boolean: BooleanForm::Number,
        datetime: "%d.%m.%Y %H:%M".parse().unwrap(),
        date: "%d.%m.%Y".parse().unwrap(),
        empty: vec![],
        null: Value::from(""),
    };
    let plain = Spelling::default();
    let at = Value::DateTime(DateTime::parse_from_rfc3339("2026-03-01T10:00:00.123456+02:00").unwrap());
    let on = Value::Date(NaiveDate::from_ymd_opt(2026, 3, 1).unwrap());
    for (kind, given, spelling, expected) in [
        ("decimal(2)", value("12.345"), &plain, "12.34"),
        ("decimal(2)", value("12.355"), &plain, "12.36"),
        ("decimal(2)", value("12"), &plain, "12.00"),
        ("decimal(2)", value("12.5"), &spelling, "\"12.50\""),
        ("boolean", value("true"), &spelling, "1"),
        ("text", Value::Null, &spelling, "\"\""),
        ("date", on.clone(), &plain, "\"2026-03-01\""),
        ("date", on, &spelling, "\"01.03.2026\""),
        ("datetime", at.clone(), &plain, "\"2026-03-01T08:00:00.123456Z\""),
        ("datetime", at, &spelling, "\"01.03.2026 09:00\""),
    ] {
        let kind: Kind = kind.parse().unwrap();
        assert_eq!(
            json::to_string(&kind.write(&given, spelling)),
            expected,
            "{kind} {given:?}"
        );
    }
}

#[test]
fn every_form_of_a_datetime_is_written_and_read_back() {
    let at = DateTime::parse_from_rfc3339("2026-03-01T10:00:00.123456+02:00").unwrap();
    let kind = Kind::DateTime { precision: None };
    for (form, expected) in [
        ("rfc3339(s)", "\"2026-03-01T08:00:00Z\""),
        ("rfc3339(ms)", "\"2026-03-01T08:00:00.123Z\""),
        ("rfc3339(us, offset)", "\"2026-03-01T05:00:00.123456-03:00\""),
        ("epoch_seconds", "1772352000"),
        ("epoch_millis", "1772352000123"),
        ("%Y%m%d%H%M%S", "\"20260301050000\""),
        ("%Y-%m-%dT%H:%M:%S%z", "\"2026-03-01T05:00:00-0300\""),
    ] {
        let spelling = Spelling {
            zone: Some(chrono_tz::America::Sao_Paulo),
            datetime: form.parse().unwrap(),
            ..Spelling::default()
        };
        let written = kind.write(&Value::DateTime(at), &spelling);
        assert_eq!(json::to_string(&written), expected, "{form}");
        let back = kind.read(&written, &spelling).unwrap();
        assert!(
            compare::equal(&back, &Value::DateTime(at), kind, Compare::Exact),
            "{form}: {back:?}"
        );
    }
}

#[test]
fn an_unsound_form_is_refused() {
    for text in ["", "iso", "rfc3339(ns)", "%Q", "%Y-%", "plain"] {
        assert!(text.parse::<DateTimeForm>().is_err(), "{text}");
    }
    assert!("d/m/Y".parse::<DateForm>().is_err());
    // Sound, but asks a date for a time: falls back to ISO 8601 instead of panicking.
    let spelling = Spelling {
        date: "%H:%M".parse().unwrap(),
        ..Spelling::default()
    };
    let on = Value::Date(NaiveDate::from_ymd_opt(2026, 3, 1).unwrap());
    assert_eq!(Kind::Date.write(&on, &spelling), Value::from("2026-03-01"));
}

fn any_spelling() -> impl Strategy<Value = Spelling> {
    let datetime = prop_oneof![
        Just(DateTimeForm::default()),
        Just(DateTimeForm::Rfc3339 {
            precision: None,
            offset: OffsetForm::Numeric
        }),
        Just("%Y-%m-%d %H:%M:%S%.f%z".parse().unwrap()),
    ];
    let decimal = prop_oneof![Just(DecimalForm::Number), Just(DecimalForm::Text)];
    let boolean = prop_oneof![
        Just(BooleanForm::Literal),
        Just(BooleanForm::Number),
        Just(BooleanForm::Text)
    ];
    (datetime, decimal, boolean).prop_map(|(datetime, decimal, boolean)| Spelling {
        decimal,
        boolean,
        datetime,
        ..Spelling::default()
    })
}

fn kind_and_value() -> impl Strategy<Value = (Kind, Value)> {
    prop_oneof![
        sample::text().prop_map(|text| (Kind::Text, Value::Text(text))),
        any::<i64>().prop_map(|int| (Kind::Integer, Value::Int(int))),
        (any::<i64>(), 0_u32..20).prop_map(|(mantissa, scale)| {
            (
                Kind::Decimal { scale: None },
                Value::Decimal(Decimal::new(mantissa, scale)),
            )
        }),
        (-100_000_i64..100_000, 0_u32..5).prop_map(|(mantissa, scale)| {
            (
                Kind::Decimal { scale: Some(scale) },
                Value::Decimal(Decimal::new(mantissa, scale)),
            )
        }),
        any::<bool>().prop_map(|truth| (Kind::Boolean, Value::Bool(truth))),
        sample::date().prop_map(|date| (Kind::Date, Value::Date(date))),
        sample::datetime().prop_map(|at| (Kind::DateTime { precision: None }, Value::DateTime(at))),
    ]
}

proptest! {
    #[test]
    fn reading_what_was_written_means_the_same((kind, value) in kind_and_value(), spelling in any_spelling()) {
        let written = kind.write(&value, &spelling);
        let read = kind.read(&written, &spelling);
        prop_assert!(
            read.as_ref().is_ok_and(|read| compare::equal(read, &value, kind, Compare::Exact)),
            "{:?} was written {:?} and read {:?}", value, written, read
        );
    }

    #[test]
    fn no_value_makes_reading_or_writing_panic((kind, _) in kind_and_value(), value in sample::value(), spelling in any_spelling()) {
        let _ = kind.read(&value, &spelling);
        let _ = kind.write(&value, &spelling);
    }
}
