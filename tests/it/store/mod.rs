//! What the store promises, on both databases: one suite of functions, each run on SQLite and on PostgreSQL.

use std::sync::Arc;

use syncline::{
    core::{
        record::RecordKey,
        status::{ChangeOrigin, EventKind, RunKind, Side, Trigger},
    },
    store::{
        Store,
        change::{Change, ClaimRequest, NewChange},
        event::NewEvent,
        run::NewRun,
    },
};

/// Makes two tests of each function: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::support::database::Database::sqlite()).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(database) = $crate::support::database::Database::postgres().await {
                        super::$name(database).await;
                    }
                }
            )+
        }
    };
}

mod atomic;
mod change;
mod decision;
mod event;
mod failing;
mod finding;
mod lease;
mod link;
mod minute;
mod notice;
mod open;
mod report;
mod run;
mod scope;
mod subscription;
mod token;
mod user;
mod write;

const MINUTE: std::time::Duration = std::time::Duration::from_mins(1);

fn mapping() -> Arc<str> {
    Arc::from("customer-account")
}

fn left(id: impl ToString) -> RecordKey {
    RecordKey::new(mapping(), Side::Left, id.to_string())
}

fn right(id: impl ToString) -> RecordKey {
    RecordKey::new(mapping(), Side::Right, id.to_string())
}

/// An event about `A-1` that brings no change.
pub fn new_event(external_id: impl ToString) -> NewEvent {
    NewEvent {
        system: Arc::from("crm"),
        external_id: external_id.to_string(),
        object: "account".into(),
        record_id: Some("A-1".into()),
        kind: EventKind::Updated,
        own: false,
        merged_into: None,
        version: None,
        occurred_at: None,
        request_id: "request-1".into(),
        payload: None,
        changes: Vec::new(),
    }
}

fn new_change(key: RecordKey) -> NewChange {
    NewChange::new(key, ChangeOrigin::Event, EventKind::Updated)
}

async fn claim(store: &Store, limit: u32) -> Vec<Change> {
    let request = ClaimRequest {
        limit,
        ttl: MINUTE,
        paused: Vec::new(),
    };
    store.claim_changes(&request).await.unwrap()
}

async fn start_run(store: &Store) -> i64 {
    let run = NewRun {
        kind: RunKind::Reconcile,
        mapping: Some(mapping()),
        trigger: Trigger::Schedule,
        note: None,
        job_key: None,
    };
    store.start_run(&run).await.unwrap()
}

/// The suite is compared with the store's functions, so that none is forgotten.
#[test]
fn every_function_of_the_store_is_in_the_suite() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |folder: &str| texts(&root.join(folder));
    let (store, suite) = (
        ["", "/change", "/drift", "/event"]
            .map(|room| read(&format!("src/store{room}")))
            .concat(),
        read("tests/it/store") + &read("tests/it/support") + &read("tests/it/durable"),
    );
    // The scan of a reconciliation, a folder, has its own tests: it has one database only.
    let functions = store
        .lines()
        .filter_map(|line| line.strip_prefix("    pub async fn "))
        .filter_map(|line| line.split(['(', '<']).next().map(str::to_owned))
        .filter(|name| !INTERNAL.contains(&name.as_str()))
        .collect::<Vec<_>>();
    assert!(functions.len() > 60, "the store's functions are found: {functions:?}");
    let forgotten = functions
        .iter()
        .filter(|name| !suite.contains(&format!(".{name}(")) && !suite.contains(&format!("::{name}(")))
        .collect::<Vec<_>>();
    assert!(forgotten.is_empty(), "no test calls {forgotten:?}");
}

/// The texts of a folder and of those in it, but that of the scan.
fn texts(folder: &std::path::Path) -> String {
    let paths = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    paths
        .filter(|path| !path.ends_with("scan"))
        .map(|path| {
            if path.is_dir() {
                texts(&path)
            } else {
                std::fs::read_to_string(path).unwrap()
            }
        })
        .collect()
}

/// Functions of the engine that have the form of the store's.
const INTERNAL: &[&str] = &[
    "bulk",
    "row",
    "rows",
    "begin",
    "begin_here",
    "write",
    "execute",
    "returning",
    "rollback",
    "count",
    "returning",
];
