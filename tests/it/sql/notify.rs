//! PostgreSQL says which rows have changed.

use std::time::Duration;

use syncline::client::Hearing;

use super::Base;

/// What is told next; a test that hears nothing for so long has failed.
async fn next(hearing: &mut Hearing) -> Option<(Vec<String>, String)> {
    let told = tokio::time::timeout(Duration::from_secs(30), hearing.next())
        .await
        .unwrap();
    told.map(|(objects, id)| (objects.to_vec(), id))
}

fn objects(channel: &str) -> String {
    format!(
        "  customer: {{ table: customer, owner: x@example.com, id: id, updated_at: changed_at, notify: {channel}, fields: {{ name: text }} }}\n"
    )
}

async fn told_by_trigger(base: &Base) -> String {
    base.customers().await;
    // Channels are those of the whole server's database, which tests share.
    let channel = format!("changed_{:016x}", rand::random::<u64>());
    base.run(&format!(
        "create function tell() returns trigger language plpgsql as \
         $$ begin perform pg_notify('{channel}', coalesce(new.id, old.id)::text); return null; end $$; \
         create trigger tell after insert or update or delete on customer for each row execute function tell()"
    ))
    .await;
    channel
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_changes_is_heard_by_its_id_and_again_after_the_connection_broke() {
    let Some(base) = Base::postgres().await else { return };
    let channel = told_by_trigger(&base).await;
    let system = base.system_with(&objects(&channel), "{}");
    let mut hearing = system.hear().await.unwrap().unwrap();
    base.run("insert into customer (id, name) values (7, 'Ana')").await;
    assert_eq!(
        next(&mut hearing).await,
        Some((vec!["customer".to_owned()], "7".to_owned()))
    );
    // What is no id is passed over, and what follows is heard all the same.
    base.run(&format!(
        "select pg_notify('{channel}', ''); select pg_notify('{channel}', e'a\\nb'); delete from customer where id = 7"
    ))
    .await;
    assert_eq!(next(&mut hearing).await.unwrap().1, "7");

    base.run(&format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and query like '%{channel}%'"
    ))
    .await;
    assert_eq!(
        next(&mut hearing).await,
        None,
        "whoever listens has to know that something may be missed"
    );
    let mut hearing = system.hear().await.unwrap().unwrap();
    base.run("insert into customer (id, name) values (8, 'Bea')").await;
    assert_eq!(next(&mut hearing).await.unwrap().1, "8");
}

#[tokio::test]
async fn a_database_that_tells_nothing_is_not_listened_to() {
    let base = Base::sqlite();
    base.customers().await;
    assert!(base.system().hear().await.unwrap().is_none());
}
