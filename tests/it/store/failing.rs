//! What can happen to a SQLite file and to the way to PostgreSQL.

use futures_util::future::join_all;
use syncline::store::{Access, Error, Keys, Options, Page, Store, event::EventFilter, key};

use super::{new_event, start_run};
use crate::support::database::Database;

#[tokio::test]
async fn a_second_daemon_on_one_file_is_refused_and_told_who_is_there() {
    let database = Database::sqlite();
    let first = database.open().await;
    let error = Store::open(&database.options()).await.unwrap_err();
    let Error::Locked { by, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(by.contains(&std::process::id().to_string()), "{by}");
    assert!(by.contains("north"), "{by}");
    drop(first);
    // Connections close in the background; the lock goes with the last handle.
    database.open().await;
}

#[tokio::test]
async fn commands_work_beside_the_daemon() {
    let database = Database::sqlite();
    let daemon = database.open().await;
    let command = database.open_beside("shell").await;
    let run_id = start_run(&command).await;
    assert!(daemon.run(run_id).await.unwrap().is_some());
}

/// As on a file system that was mounted anew without the right to write; the webhook is answered 503 then, as for every store
/// that cannot take it (`webhook`).
#[tokio::test]
async fn a_store_that_may_not_be_written_takes_nothing_and_says_so() {
    let database = Database::sqlite();
    let daemon = database.open().await;
    let read_only = Options {
        access: Access::Read,
        ..database.options()
    };
    let store = Store::open(&read_only).await.unwrap();
    let error = store.receive(vec![new_event("event")]).await.unwrap_err();
    assert!(
        matches!(&error, Error::Gone { what } if what.contains("readonly")),
        "{error:?}"
    );
    let stored = daemon.events(&EventFilter::default(), Page::first(10)).await.unwrap();
    assert!(stored.is_empty());
}

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_passes() {
    let database = Database::sqlite();
    let store = database.open().await;
    store.close().await;
    drop(store);
    let full = Options {
        sqlite_bytes_max: Some(640 * 1024),
        ..database.options()
    };
    let store = Store::open(&full).await.unwrap();
    let mut taken = 0_usize;
    let error = loop {
        let mut event = new_event(taken);
        event.payload = Some(vec![b'x'; 20_000]);
        match store.receive(vec![event]).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 1_000, "the file never got full");
    };
    assert_eq!(error, Error::Full);
    let stored = store.events(&EventFilter::default(), Page::first(1_000)).await.unwrap();
    assert_eq!(stored.len(), taken, "what was acknowledged is there, and nothing else");
    let mut large = new_event("large");
    large.payload = Some(vec![b'x'; 200_000]);
    assert_eq!(store.receive(vec![large.clone()]).await, Err(Error::Full), "still full");
    database.raw("delete from event").await;
    store.receive(vec![large]).await.unwrap();
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_called_damaged() {
    let database = Database::sqlite();
    std::fs::write(database.path().unwrap(), vec![b'?'; 8_192]).unwrap();
    let error = Store::open(&database.options()).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn a_reading_command_finds_no_database_before_the_first_start() {
    let database = Database::sqlite();
    for access in [Access::Read, Access::Shared] {
        let options = Options {
            access,
            ..database.options()
        };
        let error = Store::open(&options).await.unwrap_err();
        assert!(matches!(error, Error::Absent { .. }), "{error:?}");
    }
    assert!(!database.path().unwrap().exists());
}

#[tokio::test]
async fn the_key_file_stands_beside_the_database() {
    let database = Database::sqlite();
    let path = key::default_path(database.url()).unwrap();
    assert_eq!(path.parent(), database.path().unwrap().parent());
    let options = Options {
        keys: key::load_or_create(&path).unwrap(),
        ..database.options()
    };
    let store = Store::open(&options).await.unwrap();
    store.close().await;
    drop(store);
    assert_eq!(Store::open(&database.options()).await.unwrap_err(), Error::WrongKey);
}

#[tokio::test]
async fn an_address_that_is_none_says_what_one_looks_like() {
    for url in [
        "",
        "mysql://host/name",
        "sqlite://",
        "sqlite::memory:",
        "postgres://[bad",
    ] {
        let error = Store::open(&Options::new(url, Keys::derive(&[7; 32])))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Url { .. }), "{url}: {error:?}");
        assert!(error.to_string().contains("sqlite://path"), "{error}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_gone() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("postgres://nobody:hush@127.0.0.1:{port}/none");
    let error = Store::open(&Options::new(url, Keys::derive(&[7; 32])))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Gone { .. }), "{error:?}");
    assert!(!error.to_string().contains("hush"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_are_told_and_made_anew() {
    let Some(database) = Database::postgres().await else {
        return;
    };
    let store = database.open().await;
    let blocked = database.block().await;
    let waiting = (0..5).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { store.receive(vec![new_event(number)]).await })
    });
    let waiting = waiting.collect::<Vec<_>>();
    database.cut_connections().await;
    drop(blocked);
    for answer in join_all(waiting).await {
        let answer = answer.unwrap();
        assert!(matches!(answer, Ok(_) | Err(Error::Gone { .. })), "{answer:?}");
    }
    store.ping().await.unwrap();
    store.receive(vec![new_event("after")]).await.unwrap();
}
