//! What the catalog of a database says of a table that deserves a look.

use syncline::core::connector::database::Engine;

use super::{Base, CUSTOMER};

#[tokio::test]
async fn a_search_without_an_index_is_told_with_the_index_that_helps() {
    for base in Base::all().await {
        base.customers().await;
        let remarks = base.system().inspect(&["customer"]).await;
        let about_name = remarks
            .iter()
            .find(|remark| remark.found.contains("no index on `name`"));
        let about_name = about_name.unwrap_or_else(|| panic!("{remarks:#?}"));
        assert!(!about_name.is_wrong);
        let next = about_name.next.as_deref().unwrap();
        assert!(
            next.contains("erp-team@example.com") && next.contains("create index"),
            "{next}"
        );
        assert!(
            !remarks.iter().any(|remark| remark.found.contains("`email`")),
            "{remarks:#?}"
        );
    }
}

#[tokio::test]
async fn a_table_as_it_should_be_is_told_so_with_its_owner() {
    let objects = CUSTOMER.replace("[email, name]", "[email]");
    for base in Base::all().await {
        base.customers().await;
        let remarks = base.system_with(&objects, "{}").inspect(&["customer"]).await;
        assert_eq!(remarks.len(), 1, "{remarks:#?}");
        assert!(remarks[0].next.is_none() && remarks[0].found.contains("erp-team@example.com"));
    }
}

#[tokio::test]
async fn what_keeps_a_table_from_being_read_is_wrong() {
    for base in Base::all().await {
        base.run("create table customer (id integer, name varchar(50), changed_at timestamp null)")
            .await;
        let objects = "
  customer:
    table: customer
    owner: erp-team@example.com
    id: id
    updated_at: changed_at
    fields: { id: integer, name: text }
";
        let remarks = base.system_with(objects, "{}").inspect(&["customer"]).await;
        let wrong = remarks
            .iter()
            .find(|remark| remark.is_wrong)
            .unwrap_or_else(|| panic!("{remarks:#?}"));
        assert!(
            wrong.found.contains("no primary or unique key on `id`"),
            "{}",
            wrong.found
        );
        assert!(wrong.next.as_deref().unwrap().contains("create unique index"));
    }
}

#[tokio::test]
async fn rights_that_are_not_needed_are_told() {
    let Some(base) = Base::postgres().await else { return };
    assert_eq!(base.engine(), Engine::Postgres);
    base.customers().await;
    let objects = CUSTOMER.replace("    write: allowed\n", "");
    let remarks = base.system_with(&objects, "{}").inspect(&["customer"]).await;
    let rights = remarks.iter().find(|remark| remark.found.contains("may write"));
    assert!(rights.is_some_and(|remark| !remark.is_wrong), "{remarks:#?}");
}

#[tokio::test]
async fn a_view_whose_plan_reads_everything_is_told() {
    let objects = "
  customer:
    view: latest
    owner: erp-team@example.com
    id: id
    updated_at: changed_at
    fields: { id: integer, name: text }
";
    for base in Base::all().await {
        base.run(
            "create table plain (id integer primary key, name varchar(50), changed_at timestamp null); \
             create view latest as select id, name, changed_at from plain",
        )
        .await;
        let remarks = base.system_with(objects, "{}").inspect(&["customer"]).await;
        let told = remarks.iter().find(|remark| remark.found.contains("reads all of it"));
        assert!(told.is_some(), "{:?}: {remarks:#?}", base.engine());
    }
}

#[tokio::test]
async fn whoever_looks_on_sees_the_table_and_the_statement_and_no_address_of_ours() {
    for base in Base::all().await {
        base.customers().await;
        base.run("insert into customer (name, email) values ('Ana', 'ana@example.com')")
            .await;
        let sample = base.system().sample("customer", None).await;
        let record = sample.record.unwrap().unwrap();
        let [page, row] = sample.exchanged.as_slice() else {
            panic!("{:#?}", sample.exchanged);
        };
        for asked in [page, row] {
            assert_eq!(asked.method, "SQL");
            assert!(
                asked.url.starts_with("table `customer` at ") && !asked.url.contains("invalid"),
                "{}",
                asked.url
            );
        }
        let statement = &row.body.as_ref().unwrap().text;
        assert!(
            statement.starts_with("select ") && statement.contains(" limit 2"),
            "{statement}"
        );
        assert!(
            !statement.contains(&format!("= {}", record.id)),
            "values are bound: {statement}"
        );
    }
}

#[tokio::test]
async fn the_columns_of_a_table_are_known_whether_the_connector_reads_them_or_not() {
    use syncline::{
        client::Found,
        core::connector::discover::{Standing, compare},
    };
    for base in Base::all().await {
        base.customers().await;
        base.run("alter table customer add column nickname varchar(40)").await;
        let system = base.system();
        let Some(Found::Fields(columns)) = system.describe("customer").await.unwrap() else {
            panic!("a database describes itself");
        };
        let compared = compare(&system.connector().objects["customer"], &columns, true);
        let of = |name: &str| compared.iter().find(|field| field.path == name).unwrap();
        assert_eq!(
            (of("nickname").standing, of("nickname").there.as_deref()),
            (Standing::New, Some("text"))
        );
        assert_eq!(of("name").standing, Standing::Same);
        assert!(
            !compared
                .iter()
                .any(|field| matches!(field.standing, Standing::Gone | Standing::Changed)),
            "{compared:#?}"
        );
        let names = system.columns("customer").await;
        let known: Vec<String> = serde_json::from_value(serde_json::to_value(names).unwrap()).unwrap();
        assert!(known.iter().any(|name| name == "nickname"), "{known:?}");
        base.run("alter table customer drop column code").await;
        let Some(Found::Fields(columns)) = base.system().describe("customer").await.unwrap() else {
            panic!("a database describes itself");
        };
        let compared = compare(&system.connector().objects["customer"], &columns, true);
        let gone: Vec<&str> = compared
            .iter()
            .filter(|field| field.standing == Standing::Gone)
            .map(|field| field.path.as_str())
            .collect();
        assert_eq!(gone, ["code"]);
    }
}
