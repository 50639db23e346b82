//! Opening: migrations, keys, and values that nobody should have written.

use futures_util::future::join_all;
use syncline::store::{Access, Error, Keys, Options, Page, Store, event::EventFilter, migrate, run::RunFilter};

use super::start_run;
use crate::support::database::Database;

on_both!(
    a_database_of_every_earlier_release_is_migrated_with_what_is_in_it,
    a_migration_cut_off_half_way_is_run_again,
    many_nodes_may_migrate_at_once,
    a_database_of_a_newer_release_is_refused,
    a_database_that_is_not_migrated_is_refused_by_commands,
    an_altered_migration_is_refused,
    the_wrong_data_key_is_refused,
    an_unknown_status_names_table_column_and_row,
    a_ping_takes_the_way_of_every_write,
    a_closed_store_says_so,
);

/// What the first release stored.
const OLD_ROWS: &str = "
    insert into run (kind, mapping, trigger, status, started_at, node, note, job_key)
        values ('reconcile', 'contact', 'schedule', 'succeeded', 1, 'north', 'kept', 'key-1');
    insert into event (system, external_id, object, record_id, kind, own, status, received_at, request_id)
        values ('crm', 'E-1', 'account', 'A', 'updated', IS_OWN, 'queued', 1, 'r-1');
    insert into link (mapping, left_id, right_id, base, status, created_at, updated_at)
        values ('contact', 'L', 'R', BASE, 'linked', 1, 1);
    insert into change (mapping, side, record_id, origin, kind, priority, not_before, first_at, updated_at)
        values ('contact', 'left', 'L', 'event', 'updated', 0, 1, 1, 1);
";

async fn a_database_of_every_earlier_release_is_migrated_with_what_is_in_it(database: Database) {
    let is_sqlite = database.path().is_some();
    let rows = OLD_ROWS
        .replace("BASE", if is_sqlite { "x'00'" } else { "'\\x00'" })
        .replace("IS_OWN", if is_sqlite { "0" } else { "false" });
    let mut known = 1;
    loop {
        let Some(database) = database.another().await else {
            return;
        };
        let has_later = database.migrate_to(known).await;
        database.raw(rows.clone()).await;
        let store = database.open().await;
        let runs = store.runs(&RunFilter::default(), Page::first(10)).await.unwrap();
        assert_eq!(runs[0].note.as_deref(), Some("kept"), "from version {known}");
        let events = store.events(&EventFilter::default(), Page::first(10)).await.unwrap();
        assert_eq!(
            (events.len(), events[0].external_id.as_str()),
            (1, "E-1"),
            "from version {known}"
        );
        store.close().await;
        for table in ["link", "change"] {
            let count = database
                .raw_text(format!("select cast(count(*) as text) from {table}"))
                .await;
            assert_eq!(count.as_deref(), Some("1"), "{table} from version {known}");
        }
        if !has_later {
            return;
        }
        known += 1;
    }
}

async fn a_migration_cut_off_half_way_is_run_again(database: Database) {
    // The first statements of a migration, and then the power goes: nothing was committed.
    let begin = if database.path().is_some() {
        "begin immediate"
    } else {
        "begin"
    };
    database
        .raw(format!(
            "{begin}; create table meta (key text); create table link (link_id int)"
        ))
        .await;
    let store = database.open().await;
    start_run(&store).await;
    store.close().await;
    drop(store);
    start_run(&database.open().await).await;
}

async fn many_nodes_may_migrate_at_once(database: Database) {
    if database.path().is_some() {
        // On SQLite the second is refused, which `failing` shows.
        return;
    }
    let options = database.options();
    let stores = join_all((0..4).map(|_| Store::open(&options))).await;
    for store in stores {
        start_run(&store.unwrap()).await;
    }
}

async fn a_database_of_a_newer_release_is_refused(database: Database) {
    database.open().await.close().await;
    let hash = if database.path().is_some() { "x'00'" } else { "'\\x00'" };
    database
        .raw(format!(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
             values (999, 'future', true, {hash}, 0)"
        ))
        .await;
    for access in [Access::Daemon, Access::Shared, Access::Read] {
        let options = Options {
            access,
            ..database.options()
        };
        let error = Store::open(&options).await.unwrap_err();
        let known = migrate::newest();
        assert_eq!(error, Error::Newer { found: 999, known });
        assert!(error.to_string().contains("install the newer Syncline"), "{error}");
    }
}

async fn a_database_that_is_not_migrated_is_refused_by_commands(database: Database) {
    // An empty database.
    database.raw("select 1").await;
    let options = Options {
        access: Access::Shared,
        ..database.options()
    };
    let error = Store::open(&options).await.unwrap_err();
    let known = migrate::newest();
    assert_eq!(error, Error::Outdated { found: 0, known });
    assert!(error.to_string().contains("syncline migrate"), "{error}");
}

async fn an_altered_migration_is_refused(database: Database) {
    database.open().await.close().await;
    let hash = if database.path().is_some() { "x'00'" } else { "'\\x00'" };
    database
        .raw(format!("update _sqlx_migrations set checksum = {hash}"))
        .await;
    let error = Store::open(&database.options()).await.unwrap_err();
    assert_eq!(error, Error::Altered { version: 1 });
}

async fn the_wrong_data_key_is_refused(database: Database) {
    database.open().await.close().await;
    let options = Options {
        keys: Keys::derive(&[8; 32]),
        ..database.options()
    };
    assert_eq!(Store::open(&options).await.unwrap_err(), Error::WrongKey);
    database.open().await;
}

async fn an_unknown_status_names_table_column_and_row(database: Database) {
    let store = database.open().await;
    let run_id = start_run(&store).await;
    database.raw("update run set status = 'dancing'").await;
    let error = store.run(run_id).await.unwrap_err();
    let Error::Value { table, column, row, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((*table, column.as_str(), row), ("run", "status", &run_id.to_string()));
    assert!(error.to_string().contains("dancing"), "{error}");
}

async fn a_ping_takes_the_way_of_every_write(database: Database) {
    let store = database.open().await;
    store.ping().await.unwrap();
    let written = database
        .raw_text("select value from meta where key = 'heartbeat/north'")
        .await;
    assert_eq!(written, Some(database.clock().now_millis().to_string()));
    let options = Options {
        access: Access::Read,
        ..database.options()
    };
    let reader = Store::open(&options).await.unwrap();
    if reader.kind() == "sqlite" {
        assert!(matches!(reader.ping().await, Err(Error::Gone { .. })));
    }
}

async fn a_closed_store_says_so(database: Database) {
    let store = database.open().await;
    store.close().await;
    let answer = store.receive(vec![super::new_event("e-1")]).await;
    assert_eq!(answer, Err(Error::Closed));
    assert_eq!(store.ping().await, Err(Error::Closed));
}
