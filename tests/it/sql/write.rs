//! What is written: the changed columns alone, only over the version that was read, and never twice.

use std::collections::BTreeMap;

use syncline::{
    client::{BatchItem, Listing, Outcome, Road},
    core::value::{Map, Value},
};

use super::{Base, CUSTOMER, field, listed};

fn fields(members: &[(&str, Value)]) -> Map {
    members
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

#[tokio::test]
async fn a_new_row_has_every_value_exactly_and_tells_its_id() {
    for base in Base::all().await {
        base.customers().await;
        let system = base.system();
        let given = fields(&[
            ("name", Value::from("Ana \"O'Hara\" Ñandú")),
            ("credit", Value::number("90071992547409.93").unwrap()),
            ("large", Value::Int(9_007_199_254_740_993)),
            ("active", Value::Bool(true)),
            (
                "since",
                Value::Date(chrono::NaiveDate::from_ymd_opt(2024, 2, 29).unwrap()),
            ),
            ("seen", Value::DateTime("2026-01-02T05:04:05+02:00".parse().unwrap())),
            ("status", Value::from("active")),
            ("email", Value::Null),
        ]);
        let written = system.create("customer", &given, "key", Road::Manual).await.unwrap();
        let made = written.record.unwrap();
        assert_eq!(
            (written.id.as_str(), made.id.as_str(), written.version.as_deref()),
            ("1", "1", Some("1"))
        );
        let read = system.get("customer", "1", Road::Manual).await.unwrap().unwrap();
        assert_eq!(read, made);
        assert_eq!(field(&read, "credit").to_text().unwrap(), "90071992547409.93");
        assert_eq!(*field(&read, "large"), Value::Int(9_007_199_254_740_993));
        assert_eq!(*field(&read, "active"), Value::Bool(true));
        assert_eq!(field(&read, "since").to_text().unwrap(), "2024-02-29");
        assert_eq!(
            field(&read, "seen").to_text().unwrap(),
            "2026-01-02T03:04:05Z",
            "{:?}",
            base.engine()
        );
    }
}

#[tokio::test]
async fn a_change_writes_its_columns_alone_and_only_over_the_version_that_was_read() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(2).await;
        let system = base.system();
        let changes = fields(&[("name", Value::from("Bea"))]);
        let item = BatchItem {
            version: Some("1"),
            ..BatchItem::of("1", &changes, "key")
        };
        base.run("update customer set email = 'new@example.com' where id = 1")
            .await;
        let written = system.update("customer", item, Road::Manual).await.unwrap();
        let record = written.record.unwrap();
        assert_eq!(field(&record, "name").as_str(), Some("Bea"));
        assert_eq!(field(&record, "email").as_str(), Some("new@example.com"));
        base.run("update customer set version = 2 where id = 1").await;
        let stale = system.update("customer", item, Road::Manual).await.unwrap_err();
        assert_eq!(stale.outcome, Outcome::Stale, "{}", stale.fault);
        let gone = BatchItem { id: Some("99"), ..item };
        let missing = system.update("customer", gone, Road::Manual).await.unwrap_err();
        assert_eq!(missing.outcome, Outcome::Missing, "{}", missing.fault);
        let stale = system
            .delete("customer", "1", Some("1"), "key", Road::Manual)
            .await
            .unwrap_err();
        assert_eq!(stale.outcome, Outcome::Stale);
        for _ in 0..2 {
            // What is gone already counts as removed.
            system
                .delete("customer", "1", Some("2"), "key", Road::Manual)
                .await
                .unwrap();
        }
        let left = listed(&system, "customer", Listing::default()).await.unwrap().0;
        assert_eq!((left.len(), left[0].id.as_str()), (1, "2"));
    }
}

#[tokio::test]
async fn a_row_that_exists_is_told_as_such_and_nothing_is_written() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(1).await;
        let system = base.system();
        let twin = fields(&[("name", Value::from("Twin")), ("email", Value::from("c1@example.com"))]);
        let error = system.create("customer", &twin, "key", Road::Manual).await.unwrap_err();
        assert_eq!(
            (error.outcome, error.fault.code),
            (Outcome::Exists, "RQ022"),
            "{:?}",
            base.engine()
        );
        assert!(!error.fault.message.contains("c1@example.com"));
        let refused = fields(&[("email", Value::from("new@example.com"))]);
        let error = system
            .create("customer", &refused, "key", Road::Manual)
            .await
            .unwrap_err();
        assert_eq!(
            (error.outcome, error.fault.code),
            (Outcome::NotWritten, "RQ026"),
            "{}",
            error.fault
        );
        assert_eq!(
            listed(&system, "customer", Listing::default()).await.unwrap().0.len(),
            1
        );
    }
}

#[tokio::test]
async fn what_is_not_allowed_to_be_written_has_no_way_to_be() {
    let objects = CUSTOMER.replace("    write: allowed\n", "");
    for base in Base::all().await {
        base.customers().await;
        base.rows(1).await;
        let system = base.system_with(&objects, "{}");
        let given = fields(&[("name", Value::from("Bea"))]);
        let error = system
            .create("customer", &given, "key", Road::Manual)
            .await
            .unwrap_err();
        assert_eq!((error.outcome, error.fault.code), (Outcome::NotWritten, "RQ031"));
        let change = BatchItem::of("1", &given, "key");
        let error = system.update("customer", change, Road::Manual).await.unwrap_err();
        assert_eq!(error.fault.code, "RQ031");
        let error = system
            .delete("customer", "1", None, "key", Road::Manual)
            .await
            .unwrap_err();
        assert_eq!(error.fault.code, "RQ031");
    }
}

#[tokio::test]
async fn a_write_whose_connection_breaks_in_between_is_of_unknown_outcome_and_the_next_one_goes_through() {
    let Some(base) = Base::postgres().await else { return };
    base.customers().await;
    base.run(
        "create function cut() returns trigger language plpgsql as $$ begin \
         if new.name = 'Cut' then perform pg_terminate_backend(pg_backend_pid()); end if; return new; end $$; \
         create trigger cut before insert on customer for each row execute function cut()",
    )
    .await;
    let system = base.system();
    let cut = fields(&[("name", Value::from("Cut"))]);
    let error = system.create("customer", &cut, "key", Road::Manual).await.unwrap_err();
    assert_eq!(
        (error.outcome, error.fault.code),
        (Outcome::Unknown, "RQ006"),
        "{}",
        error.fault
    );
    let whole = fields(&[("name", Value::from("Whole"))]);
    system.create("customer", &whole, "key", Road::Manual).await.unwrap();
    let left = listed(&system, "customer", Listing::default()).await.unwrap().0;
    assert_eq!(left.len(), 1);
    assert_eq!(system.usage().requests, 3);
}

#[tokio::test]
async fn an_empty_change_writes_nothing() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(1).await;
        let none = BTreeMap::new();
        let written = base
            .system()
            .update("customer", BatchItem::of("1", &none, "key"), Road::Manual)
            .await;
        assert_eq!(written.unwrap().id, "1");
    }
}
