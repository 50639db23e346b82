//! What a database is not asked, or not let do: each with its next step, and without a value in the words.

use syncline::{
    client::{Listing, Outcome, Road},
    core::{
        connector::{Connector, database::Engine, form::ConnectorForm},
        fault::Fault,
        problem::Problems,
        value::Value,
    },
};

use super::{Base, CUSTOMER, listed};

fn since() -> Listing {
    Listing {
        since: Some(chrono::DateTime::UNIX_EPOCH),
        ..Listing::default()
    }
}

async fn refused(base: &Base, objects: &str, listing: Listing) -> Fault {
    let system = base.system_with(objects, "{}");
    listed(&system, "customer", listing).await.unwrap_err()
}

#[tokio::test]
async fn polling_by_a_column_without_an_index_is_refused_with_the_index_that_helps_and_works_with_it() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(3).await;
        let drop_index = match base.engine() {
            Engine::Postgres => "drop index customer_changed_at_id_idx",
            Engine::Mysql => "drop index customer_changed on customer",
            Engine::Sqlite => "drop index customer_changed",
        };
        base.run(drop_index).await;
        let system = base.system();
        let fault = listed(&system, "customer", since()).await.unwrap_err();
        assert_eq!(fault.code, "RQ050");
        let hint = fault.hint.unwrap();
        let (_, help) = hint.split_once("run: ").unwrap();
        assert!(
            hint.contains("erp-team@example.com") && help.starts_with("create index"),
            "{hint}"
        );
        // What reads by the key is not in the way.
        assert_eq!(
            listed(&system, "customer", Listing::default()).await.unwrap().0.len(),
            3
        );
        base.run(help).await;
        assert_eq!(listed(&system, "customer", since()).await.unwrap().0.len(), 3);
    }
}

#[tokio::test]
async fn a_listing_by_a_key_that_is_none_is_refused() {
    let objects = CUSTOMER
        .replace("id: id\n", "id: name\n")
        .replace("type: integer, access", "access");
    for base in Base::all().await {
        base.customers().await;
        let fault = refused(&base, &objects, Listing::default()).await;
        assert_eq!(fault.code, "RQ050");
        assert!(
            fault.message.contains("no primary or unique key on `name`"),
            "{}",
            fault.message
        );
    }
}

#[tokio::test]
async fn two_rows_of_one_id_in_a_view_are_refused_also_across_pages() {
    let objects = "
  customer:
    view: twins
    owner: erp-team@example.com
    id: id
    fields: { id: integer }
    list: { page: { size: 2 } }
";
    for base in Base::all().await {
        base.run("create table one (id integer); insert into one values (1), (2), (2); create view twins as select id from one")
            .await;
        let fault = refused(&base, objects, Listing::default()).await;
        assert!(
            fault.message.contains("several rows with the id `2`"),
            "{}",
            fault.message
        );
        let got = base.system_with(objects, "{}").get("customer", "2", Road::Manual).await;
        assert_eq!(got.unwrap_err().code, "RQ050");
    }
}

#[tokio::test]
async fn a_table_or_column_that_is_not_there_is_named() {
    for base in Base::all().await {
        base.customers().await;
        for (objects, name) in [
            (CUSTOMER.replace("table: customer", "table: custommer"), "custommer"),
            (CUSTOMER.replace("      code: text", "      cod: text"), "cod"),
        ] {
            let fault = refused(&base, &objects, Listing::default()).await;
            assert_eq!(fault.code, "RQ050", "{fault}");
            assert!(fault.message.contains(name), "{}", fault.message);
        }
    }
}

#[tokio::test]
async fn a_session_that_reads_cannot_write_whatever_it_is_asked() {
    // A function that writes, behind a query that looks harmless.
    let Some(base) = Base::postgres().await else { return };
    base.customers().await;
    base.run(
        "create function sneak() returns bigint language sql as \
         $$ insert into customer (name) values ('sneaked') returning id $$",
    )
    .await;
    let objects = "
  customer:
    query: select sneak() as id
    owner: erp-team@example.com
    id: id
    fields: { id: integer }
";
    let fault = refused(&base, objects, Listing::default()).await;
    assert_eq!(fault.code, "AU002", "{fault}");
    assert!(fault.message.contains("read-only"), "{}", fault.message);
}

#[tokio::test]
async fn a_statement_ends_in_time() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(3).await;
        let slow = match base.engine() {
            Engine::Postgres => "select id, pg_sleep(60)::text as name from customer",
            Engine::Mysql => "select id, sleep(60) as name from customer",
            Engine::Sqlite => {
                "with recursive n(i) as (select 1 union all select i + 1 from n) select i as id, '' as name from n where i < 0"
            }
        };
        let objects = format!(
            "
  customer:
    query: {slow}
    owner: erp-team@example.com
    id: id
    fields: {{ id: integer, name: text }}
"
        );
        let system = base.system_with(&objects, "{ timeout: 1s, daily: 1, reserve: 0% }");
        let mut lister = system.list("customer", Listing::default(), Road::Manual);
        let fault = lister.next().await.unwrap_err();
        // Asked once, since the daily quota lets no more go.
        assert!(matches!(fault.code, "RQ005" | "RQ012"), "{:?}: {fault}", base.engine());
        assert!(system.usage().dead >= 1, "{:?}: {:?}", base.engine(), system.usage());
    }
}

#[tokio::test]
async fn an_answer_ends_at_its_largest_size() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(10).await;
        let system = base.system_with(CUSTOMER, "{ body_bytes_max: 300 }");
        let fault = listed(&system, "customer", Listing::default()).await.unwrap_err();
        assert_eq!(fault.code, "RQ004");
    }
}

#[tokio::test]
async fn a_private_address_is_refused_as_for_every_system() {
    let Some(base) = Base::postgres().await else { return };
    let system = base.system_without_networks();
    let fault = system.get("customer", "1", Road::Manual).await.unwrap_err();
    assert_eq!(fault.code, "RQ001", "{fault}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_with_its_place_and_without_its_password() {
    let objects = CUSTOMER;
    let connector = |engine: &str| format!("connector: house\ndatabase: {engine}\nobjects:\n{objects}");
    for (engine, url, place) in [
        (
            "postgres",
            "postgres://syncline:canary-password@127.0.0.1:1/erp",
            "127.0.0.1:1",
        ),
        (
            "mysql",
            "mysql://syncline:canary-password@127.0.0.1:1/erp",
            "127.0.0.1:1",
        ),
        ("sqlite", "sqlite:///nowhere/erp.db", "/nowhere/erp.db"),
    ] {
        let tokens = std::sync::Arc::new(syncline::client::NoTokens);
        let system = crate::support::system::system(&connector(engine), "unused", &[("url", url)], tokens);
        let told = tokio::time::timeout(
            std::time::Duration::from_secs(60),
            system.get("customer", "1", Road::Event),
        );
        let fault = told.await.unwrap().unwrap_err();
        assert_eq!(fault.code, "RQ002", "{fault}");
        assert!(fault.message.contains(place), "{fault}");
        assert!(!format!("{fault:?} {system:?}").contains("canary"), "{fault:?}");
        assert!(!system.origin().contains("canary"));
    }
}

#[tokio::test]
async fn what_a_database_says_of_a_value_does_not_repeat_it() {
    for base in Base::all().await {
        base.customers().await;
        base.rows(1).await;
        let system = base.system();
        let fields = std::collections::BTreeMap::from([
            ("name".to_owned(), Value::from("Canary")),
            ("code".to_owned(), Value::from("canary-too-long")),
        ]);
        let error = system
            .create("customer", &fields, "key", Road::Manual)
            .await
            .unwrap_err();
        assert_eq!(error.outcome, Outcome::NotWritten, "{:?}", error.fault);
        assert_eq!(error.fault.code, "RQ026", "{:?}", base.engine());
        assert!(
            !error.fault.message.to_lowercase().contains("canary"),
            "{}",
            error.fault
        );
        assert_eq!(
            listed(&system, "customer", Listing::default()).await.unwrap().0.len(),
            1
        );
    }
}

#[test]
fn a_connector_that_asks_too_much_of_a_database_is_refused_with_its_place() {
    let whole = |objects: &str| format!("connector: house\ndatabase: postgres\nobjects:\n{objects}");
    for (yaml, code, place) in [
        (
            whole(&CUSTOMER.replace("    owner: erp-team@example.com\n", "")),
            "CN030",
            "/objects/customer",
        ),
        (
            whole(&CUSTOMER.replace("table: customer", "title: none")),
            "CN029",
            "/objects/customer",
        ),
        (
            whole(&CUSTOMER.replace("table: customer", "view: customer")),
            "CN029",
            "/objects/customer/write",
        ),
        (
            whole(&CUSTOMER.replace("table: customer", "query: drop table x")),
            "CN029",
            "/objects/customer/query",
        ),
        (
            whole(&CUSTOMER.replace("table: customer", "table: a..b")),
            "CN031",
            "/objects/customer/table",
        ),
        (
            whole(&CUSTOMER.replace("      code: text", "      a.b: text")),
            "CN031",
            "/objects/customer/fields/a.b",
        ),
        (
            whole(&CUSTOMER.replace("updated_at: changed_at", "updated_at: a, b")),
            "CN029",
            "/objects/customer/updated_at",
        ),
        (
            whole(&CUSTOMER.replace("    write: allowed", "    get: { get: /x }")),
            "CN029",
            "/objects/customer/get",
        ),
        (
            whole(&CUSTOMER.replace("[email, name]", "[emial]")),
            "CN015",
            "/objects/customer/find/fields/0",
        ),
        (
            format!("base_url: \"https://x.example\"\n{}", whole(CUSTOMER)),
            "CN029",
            "/base_url",
        ),
        (
            whole(CUSTOMER).replace("database: postgres", "base_url: \"https://x.example\""),
            "CN029",
            "/objects/customer/table",
        ),
    ] {
        let form: ConnectorForm = serde_saphyr::from_str(&yaml).unwrap();
        let mut problems = Problems::new();
        assert!(Connector::compile(&form, &mut problems).is_none(), "{yaml}");
        let problems = problems.into_vec();
        let found = problems
            .iter()
            .find(|problem| problem.code == code && problem.pointer == place);
        let found = found.unwrap_or_else(|| panic!("{code} {place}: {problems:#?}"));
        assert!(found.hint.is_some(), "{found}");
    }
}
