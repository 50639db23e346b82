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
