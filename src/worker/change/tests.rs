//! What the loop does between two looks.

use std::{path::Path, time::Duration};

use crate::{
    clock::Clock,
    core::{
        record::RecordKey,
        status::{ChangeOrigin, EventKind, Side},
    },
    store::{self, Access, Keys, Op, Store, change::NewChange},
    sync::{self, Engine},
    worker::{Signs, tests::shipped},
};

use super::{CancellationToken, Instant, Limits, Worker};

const MAPPING: &str = "customer-account";

/// An engine with the shipped mapping, on a database of its own.
async fn engine(folder: &Path) -> Engine {
    let mapping = shipped().mappings[MAPPING].clone();
    let url = format!("sqlite://{}", folder.join("syncline.db").display());
    let options = store::Options {
        access: Access::Daemon,
        node: "node".to_owned(),
        ..store::Options::new(url, Keys::derive(&[7; 32]))
    };
    let store = Store::open(&options).await.unwrap();
    let mappings = [(MAPPING.to_owned(), mapping)].into();
    Engine::new(store, [].into(), mappings, sync::Limits::default(), Clock::system())
}

/// A clock set forward ends the lease of a record before the work on it, so that its change is claimed again by the same worker.
#[tokio::test]
async fn a_change_whose_record_is_still_at_work_is_left_until_that_ends_and_not_claimed_without_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::new(engine(folder.path()).await, Limits::default(), Signs::default());
    let key = RecordKey::new(MAPPING, Side::Left, "1");
    let change = NewChange::new(key.clone(), ChangeOrigin::Event, EventKind::Updated);
    worker.engine.store().commit(vec![Op::Enqueue(change)]).await.unwrap();
    worker.busy.insert(key.clone());
    let shutdown = CancellationToken::new();
    for _ in 0..3 {
        assert_eq!(worker.claim().await, 0);
        let before = Instant::now();
        worker.rest(&shutdown).await;
        assert!(
            before.elapsed() >= Duration::from_millis(20),
            "its own giving back has woken it"
        );
    }
    worker.busy.clear();
    assert_eq!(worker.claim().await, 1, "it is free again");
}
