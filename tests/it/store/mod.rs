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

mod change;
mod event;
mod failing;
mod finding;
mod lease;
mod link;
mod open;
mod run;
mod token;
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

fn new_event(external_id: impl ToString) -> NewEvent {
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
