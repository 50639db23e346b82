//! What is read: every value exactly, pages by key, changes by time, and nothing else.

use chrono::{TimeZone as _, Utc};
use syncline::{
    client::{Listing, Road},
    core::{connector::database::Engine, value::Value},
};

use super::{Base, field, listed};

/// A row with something in every column.
async fn fill(base: &Base) {
    let values = match base.engine() {
        Engine::Postgres => {
            "'90071992547409.93', 9007199254740993, true, '2024-02-29', '2026-01-02 03:04:05.123456', \
             '2026-01-02 05:04:05.123456+02', '\\x00ff10', '{\"a\": [1, {\"b\": null}], \"n\": 12345678901234567890.5}', 3, 'active', 'ab'"
        }
        Engine::Mysql => {
            "90071992547409.93, 9007199254740993, true, '2024-02-29', '2026-01-02 03:04:05.123456', \
             '2026-01-02 03:04:05.123456', x'00ff10', '{\"a\": [1, {\"b\": null}], \"n\": 5}', 3, 'active', 'ab'"
        }
        Engine::Sqlite => {
            "'90071992547409.93', 9007199254740993, true, '2024-02-29', '2026-01-02 03:04:05.123456', \
             '2026-01-02 03:04:05.123456', x'00ff10', '{\"a\": [1, {\"b\": null}]}', 3, 'active', 'ab'"
        }
    };
    base.run(&format!(
        "insert into customer (id, name, email, credit, large, active, since, seen, changed_at, photo, extra, version, \
         status, code) values (1, 'Ana \"O''Hara\" Ñandú \u{1f600}', null, {values})"
    ))
    .await;
}

#[tokio::test]
async fn every_value_of_a_row_is_read_exactly() {
    for base in Base::all().await {
        base.customers().await;
        fill(&base).await;
        let system = base.system();
        let record = system.get("customer", "1", Road::Manual).await.unwrap().unwrap();
        assert_eq!(record.id, "1");
        assert_eq!(record.version.as_deref(), Some("3"));
        let at = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap() + chrono::TimeDelta::microseconds(123_456);
        assert_eq!(record.updated_at, Some(at), "{:?}", base.engine());
        let text = |name: &str| field(&record, name).to_text().unwrap();
        assert_eq!(text("name"), "Ana \"O'Hara\" Ñandú \u{1f600}");
        assert_eq!(*field(&record, "email"), Value::Null);
        assert_eq!(text("credit"), "90071992547409.93");
        assert_eq!(*field(&record, "large"), Value::Int(9_007_199_254_740_993));
        assert_eq!(*field(&record, "active"), Value::Bool(true));
        assert_eq!(text("since"), "2024-02-29");
        assert_eq!(text("seen"), "2026-01-02T03:04:05.123456Z");
        assert_eq!(text("photo"), "AP8Q");
        assert_eq!(text("status"), "active");
        let extra = field(&record, "extra").as_map();
        let extra = extra.unwrap_or_else(|| panic!("{:?}", record.fields));
        assert_eq!(extra["a"].as_list().map(<[Value]>::len), Some(2));
        let listed = listed(&system, "customer", Listing::default()).await.unwrap().0;
        assert_eq!(listed, [record], "a listing reads the same");
    }
}

#[tokio::test]
async fn a_listing_goes_on_by_the_key_and_sees_every_row_once() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(25).await;
        let (records, pages) = listed(&base.system(), "customer", Listing::default()).await.unwrap();
        let ids: Vec<String> = records.into_iter().map(|record| record.id).collect();
        let expected: Vec<String> = (1..=25).map(|id: u32| id.to_string()).collect();
        assert_eq!((ids, pages), (expected, 3));
    }
}

#[tokio::test]
async fn a_listing_goes_on_where_an_earlier_one_stood() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(25).await;
        let system = base.system();
        let mut lister = system.list("customer", Listing::default(), Road::Manual);
        let page = lister.next().await.unwrap().unwrap();
        drop(lister);
        let resumed = Listing {
            resume: page.resume,
            ..Listing::default()
        };
        let (records, _) = listed(&system, "customer", resumed).await.unwrap();
        assert_eq!((records.len(), records[0].id.as_str()), (15, "11"));
    }
}

#[tokio::test]
async fn what_changed_is_listed_in_the_order_of_the_change_also_where_many_changed_at_once() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(40).await;
        base.run("update customer set changed_at = '2026-03-02 00:00:00' where id in (3, 7, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39)")
            .await;
        let zone = Utc.with_ymd_and_hms(2026, 3, 1, 0, 25, 0).unwrap();
        let listing = Listing {
            since: Some(zone),
            ..Listing::default()
        };
        let (records, pages) = listed(&base.system(), "customer", listing).await.unwrap();
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let expected = [
            "25", "26", "27", "28", "29", "40", "3", "7", "30", "31", "32", "33", "34", "35", "36", "37", "38", "39",
        ];
        assert_eq!(ids, expected, "{:?}", base.engine());
        assert_eq!(pages, 2);
    }
}

#[tokio::test]
async fn a_filter_by_time_is_seen_to_filter() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(3).await;
        base.system().check_since("customer", Road::Manual).await.unwrap();
    }
}

#[tokio::test]
async fn values_are_bound_and_never_part_of_a_statement() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(3).await;
        let system = base.system();
        for hostile in ["' or '1'='1", "x'; drop table customer; --", "\"", "`", "\\", "$1", "?"] {
            let found = system
                .find("customer", "email", &Value::from(hostile), Road::Manual)
                .await;
            assert_eq!(found.unwrap(), [], "{hostile}");
            let got = system.get("customer", hostile, Road::Manual).await.unwrap();
            assert_eq!(got, None, "{hostile}");
        }
        let found = system
            .find("customer", "email", &Value::from("c2@example.com"), Road::Manual)
            .await
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, "2");
        assert_eq!(
            listed(&system, "customer", Listing::default()).await.unwrap().0.len(),
            3
        );
    }
}

#[tokio::test]
async fn names_of_tables_and_columns_are_taken_as_they_are_written() {
    let objects = "
  line:
    table: \"Order Lines\"
    owner: erp-team@example.com
    id: \"['Order No'], select\"
    fields: { \"['Preis \\\"netto\\\"']\": decimal(2), select: integer, \"['Order No']\": text }
    find: { fields: [\"['Order No']\"] }
";
    for base in Base::all().await {
        let quote = |name: &str| base.engine().quoted(name);
        let (table, order, line, price) = (
            quote("Order Lines"),
            quote("Order No"),
            quote("select"),
            quote("Preis \"netto\""),
        );
        base.run(&format!(
            "create table {table} ({order} varchar(20) not null, {line} integer not null, {price} decimal(9, 2), \
             primary key ({order}, {line})); insert into {table} values ('A|1', 1, 9.5), ('A|1', 2, null), ('B', 1, 1)"
        ))
        .await;
        let system = base.system_with(objects, "{}");
        let (records, _) = listed(&system, "line", Listing::default()).await.unwrap();
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(ids, ["A\\|1|1", "A\\|1|2", "B|1"], "{:?}", base.engine());
        let record = system.get("line", "A\\|1|2", Road::Manual).await.unwrap().unwrap();
        assert_eq!(*field(&record, "Preis \"netto\""), Value::Null);
        let found = system
            .find("line", "['Order No']", &Value::from("A|1"), Road::Manual)
            .await
            .unwrap();
        assert_eq!(found.len(), 2);
    }
}

#[tokio::test]
async fn a_query_and_a_view_are_read_like_a_table() {
    let objects = "
  name:
    query: select c.id as number, c.name as label, c.changed_at from customer c where c.id > 5 -- only these
    owner: erp-team@example.com
    id: number
    updated_at: changed_at
    fields: { number: integer, label: text }
    list: { page: { size: 2 } }
  seen:
    view: seen_customer
    owner: erp-team@example.com
    id: id
    updated_at: changed_at
    fields: { id: integer, name: text }
    list: { page: { size: 2 } }
";
    for base in Base::all().await {
        base.customers().await;
        base.rows(10).await;
        base.run("create view seen_customer as select id, name, changed_at from customer where id <= 5")
            .await;
        let system = base.system_with(objects, "{}");
        for (object, first) in [("name", "6"), ("seen", "1")] {
            let (records, pages) = listed(&system, object, Listing::default()).await.unwrap();
            assert_eq!((records.len(), pages, records[0].id.as_str()), (5, 3, first));
            let since = Listing {
                since: Some(Utc.with_ymd_and_hms(2026, 3, 1, 0, 2, 0).unwrap()),
                ..Listing::default()
            };
            let (changed, _) = listed(&system, object, since).await.unwrap();
            assert_eq!(changed.len(), if object == "name" { 5 } else { 4 });
            assert!(system.get(object, first, Road::Manual).await.unwrap().is_some());
        }
    }
}
