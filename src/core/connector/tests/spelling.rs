use chrono::{DateTime, NaiveDate};

use super::*;
use crate::core::{connector::call::Context, value::kind::Kind};

const WRAPPED: &str = r#"
connector: tryton-like
settings: { zone: { type: text } }
base_url: "https://a.example"
types:
  zone: "{{ settings.zone }}"
  decimal: { read: "{{ raw.decimal }}", write: { __class__: Decimal, decimal: "{{ value }}" } }
  date:
    read: "{{ raw.year }}-{{ '0' if raw.month < 10 else '' }}{{ raw.month }}-{{ '0' if raw.day < 10 else '' }}{{ raw.day }}"
    write: { __class__: date, year: "{{ year }}", month: "{{ month }}", day: "{{ day }}" }
  datetime:
    write: { __class__: datetime, year: "{{ year }}", hour: "{{ hour }}", microsecond: "{{ microsecond }}" }
  boolean: { format: number }
objects:
  party:
    id: id
    fields: { limit: decimal(2), born: date, seen: datetime, active: boolean, address.since: date }
    list: { get: /p }
"#;

#[test]
fn wrapped_values_become_plain_and_go_back() {
    let connector = compiled(WRAPPED);
    let (party, dialect) = (&connector.objects["party"], connector.types.dialect(None));
    let mut fields = map(
        r#"{"limit":{"__class__":"Decimal","decimal":"1.50"},"born":{"__class__":"date","year":1984,"month":2,"day":29},
            "active":1,"address":{"since":{"year":2020,"month":12,"day":1}},"other":{"x":1},"seen":null}"#,
    );
    dialect.read_record(party, &mut fields);
    assert_eq!(fields["limit"].to_text().as_deref(), Some("1.50"));
    assert_eq!(
        fields["born"],
        Value::Date(NaiveDate::from_ymd_opt(1984, 2, 29).unwrap())
    );
    assert_eq!(fields["active"], Value::Bool(true));
    assert_eq!(
        fields["address"].as_map().unwrap()["since"],
        Value::Date(NaiveDate::from_ymd_opt(2020, 12, 1).unwrap())
    );
    let written = dialect.write_fields(party, &fields).unwrap();
    assert_eq!(
        json::to_string(&Value::Map(written)),
        r#"{"active":1,"address":{"since":{"__class__":"date","day":1,"month":12,"year":2020}},"born":{"__class__":"date","day":29,"month":2,"year":1984},"limit":{"__class__":"Decimal","decimal":"1.50"},"other":{"x":1},"seen":null}"#
    );
}

/// References are read as `[id, label]` and written as an id, as some systems do; one that is empty is `false`.
const REFERENCES: &str = r#"
connector: odoo-like
base_url: "https://a.example"
types: { empty: [false], "null": false, decimal: { read: "{{ raw.amount }}", write: { amount: "{{ value }}" } } }
objects:
  partner:
    id: id
    fields:
      parent: { type: integer, read: "{{ raw[0] }}", write: "{{ value | integer }}" }
      limit: decimal
      rate: { type: decimal, read: "{{ raw }}", write: "{{ value }}" }
      paid: boolean
    list: { get: /p }
    find: { post: /p, fields: [parent, limit], records: items, body: { by: "{{ field }}", is: "{{ value }}" } }
"#;

#[test]
fn a_field_may_be_put_in_a_way_of_its_own_in_records_and_in_filters() {
    let connector = compiled(REFERENCES);
    let (partner, dialect) = (&connector.objects["partner"], connector.types.dialect(None));
    let mut fields = map(r#"{"parent":[7,"Ana Ltda"],"limit":{"amount":"1.10"},"rate":"0.25","paid":false}"#);
    dialect.read_record(partner, &mut fields);
    assert_eq!(fields["parent"], Value::Int(7));
    assert_eq!(fields["rate"].to_text().as_deref(), Some("0.25"));
    assert_eq!(
        fields["paid"],
        Value::Bool(false),
        "a boolean's `false` is not the empty value"
    );
    let written = dialect.write_fields(partner, &fields).unwrap();
    assert_eq!(
        json::to_string(&Value::Map(written)),
        r#"{"limit":{"amount":"1.10"},"paid":false,"parent":7,"rate":"0.25"}"#
    );
    let mut empty = map(r#"{"parent":false}"#);
    dialect.read_record(partner, &mut empty);
    assert_eq!(empty["parent"], Value::Null);
    let written = dialect.write_fields(partner, &empty).unwrap();
    assert_eq!(written["parent"], Value::Bool(false));
    for (field, sent) in [
        ("parent", r#"{"by":"parent","is":7}"#),
        ("limit", r#"{"by":"limit","is":{"amount":"7"}}"#),
    ] {
        let settings = std::sync::Arc::new(Value::Map(Map::new()));
        let base = url::Url::parse("https://a.example").unwrap();
        let context = Context {
            connector: &connector,
            base: &base,
            settings: &settings,
            dialect: &dialect,
        };
        let call = context
            .find(partner, partner.find.as_ref().unwrap(), field, &Value::Int(7))
            .unwrap();
        assert_eq!(String::from_utf8(call.body.unwrap()).unwrap(), sent);
    }
}

#[test]
fn a_value_that_cannot_be_read_stays_as_it_came() {
    let connector = compiled(WRAPPED);
    let (party, dialect) = (&connector.objects["party"], connector.types.dialect(None));
    let mut fields = map(r#"{"limit":"abc","born":"30.02.2026","active":7}"#);
    let before = fields.clone();
    dialect.read_record(party, &mut fields);
    assert_eq!(fields, before);
}

#[test]
fn datetimes_are_put_in_the_systems_zone() {
    let connector = compiled(WRAPPED);
    let zone = connector
        .types
        .zone_of(&crate::core::expr::Scope::new().with("settings", map(r#"{"zone":"America/Sao_Paulo"}"#)));
    let dialect = connector.types.dialect(zone.unwrap());
    let at = DateTime::parse_from_rfc3339("2026-03-01T12:00:00.25Z").unwrap();
    let written = dialect
        .write(Kind::DateTime { precision: None }, &Value::DateTime(at))
        .unwrap();
    assert_eq!(
        json::to_string(&written),
        r#"{"__class__":"datetime","hour":9,"microsecond":250000,"year":2026}"#
    );
    let naive = dialect.read(Kind::DateTime { precision: None }, &Value::from("2026-03-01 09:00:00"));
    assert_eq!(
        naive,
        Some(Value::DateTime(
            DateTime::parse_from_rfc3339("2026-03-01T09:00:00-03:00").unwrap()
        ))
    );
    let unknown = connector
        .types
        .zone_of(&crate::core::expr::Scope::new().with("settings", map(r#"{"zone":"Mars"}"#)));
    assert!(unknown.is_err());
}
