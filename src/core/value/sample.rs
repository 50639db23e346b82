//! Generated values for property tests.

use chrono::{DateTime, NaiveDate};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{Map, Value, number};

/// Numbers of all three forms, in the form that reading JSON gives them.
pub(crate) fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        (-1000_i64..1000).prop_map(Value::Int),
        (any::<i64>(), 0_u32..20).prop_map(|(mantissa, scale)| read(Decimal::new(mantissa, scale))),
        (any::<i64>(), 300_u32..500)
            .prop_map(|(mantissa, power)| { number::parse(&format!("{mantissa}e{power}")).expect("a JSON number") }),
    ]
}

fn read(decimal: Decimal) -> Value {
    number::parse(&decimal.to_string()).expect("a decimal is written as a JSON number")
}

/// Any text, with a lean to short ones that collide.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,12}", "[ a-bA-B0-1+-]{0,4}", any::<String>()]
}

/// A date of the years that systems send.
pub(crate) fn date() -> impl Strategy<Value = NaiveDate> {
    (1_i32..3000, 1_u32..=366).prop_filter_map("no such day", |(year, day)| NaiveDate::from_yo_opt(year, day))
}

/// A datetime to the microsecond, in some offset.
pub(crate) fn datetime() -> impl Strategy<Value = DateTime<chrono::FixedOffset>> {
    let micros = prop_oneof![
        Just(0_u32),
        (0_u32..1000).prop_map(|millis| millis * 1000),
        0_u32..1_000_000
    ];
    (-60_000_000_000_i64..30_000_000_000, micros, -12_i32..=14).prop_map(|(seconds, micros, hours)| {
        let offset = chrono::FixedOffset::east_opt(hours * 3600).expect("less than a day");
        DateTime::from_timestamp(seconds, micros * 1000)
            .expect("in range")
            .with_timezone(&offset)
    })
}

/// What JSON can say.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number(),
        text().prop_map(Value::Text),
    ];
    nested(leaf.boxed())
}

/// Every kind of value.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number(),
        text().prop_map(Value::Text),
        date().prop_map(Value::Date),
        datetime().prop_map(Value::DateTime),
    ];
    nested(leaf.boxed())
}

fn nested(leaf: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::btree_map("[a-c@. ]{0,3}", inner, 0..6).prop_map(|map: Map| Value::Map(map)),
        ]
    })
}
