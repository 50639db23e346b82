//! Syncline's database read from other people's Rust, with Diesel and the very enums that Syncline stores.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(missing_docs, reason = "Diesel's tables need none")]

use diesel::{Connection as _, ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _, SqliteConnection};
use syncline::{
    core::status::{EventKind, EventStatus, LinkStatus, RunKind, RunStatus, Side, Trigger},
    store::{
        Keys, Op, Options, Store,
        event::{NewEvent, Received},
        link::{Agreement, NewLink},
        run::NewRun,
    },
};

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use syncline::core::status::{RunKindMapping, RunStatusMapping, TriggerMapping};

    run (run_id) {
        run_id -> BigInt,
        kind -> RunKindMapping,
        mapping -> Nullable<Text>,
        trigger -> TriggerMapping,
        status -> RunStatusMapping,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use syncline::core::status::{EventKindMapping, EventStatusMapping};

    event (event_id) {
        event_id -> BigInt,
        external_id -> Text,
        kind -> EventKindMapping,
        status -> EventStatusMapping,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable};
    use syncline::core::status::{LinkStatusMapping, SideMapping};

    link (link_id) {
        link_id -> BigInt,
        status -> LinkStatusMapping,
        missing_side -> Nullable<SideMapping>,
    }
}

/// One database, opened by the store and by Diesel; it goes with the folder.
async fn both() -> (Store, SqliteConnection, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("syncline.db");
    let url = format!("sqlite://{}", path.display());
    let store = Store::open(&Options::new(url, Keys::derive(&[7; 32]))).await.unwrap();
    let diesel = SqliteConnection::establish(&path.display().to_string()).unwrap();
    (store, diesel, folder)
}

async fn start_run(store: &Store) -> i64 {
    let run = NewRun {
        kind: RunKind::Reconcile,
        mapping: Some("customer-account".into()),
        trigger: Trigger::CatchUp,
        note: None,
        job_key: None,
    };
    store.start_run(&run).await.unwrap()
}

#[tokio::test]
async fn diesel_reads_what_the_store_wrote() {
    let (store, mut diesel, _folder) = both().await;
    let run_id = start_run(&store).await;
    let read: (i64, RunKind, Option<String>, Trigger, RunStatus) = run::table
        .filter(run::status.eq(RunStatus::Running))
        .first(&mut diesel)
        .unwrap();
    let mapping = Some("customer-account".to_owned());
    let expected = (
        run_id,
        RunKind::Reconcile,
        mapping,
        Trigger::CatchUp,
        RunStatus::Running,
    );
    assert_eq!(read, expected);
}

#[tokio::test]
async fn diesel_reads_events_and_links_with_their_statuses() {
    let (store, mut diesel, _folder) = both().await;
    let event = NewEvent {
        system: "crm".into(),
        external_id: "e-1".into(),
        object: "account".into(),
        record_id: None,
        kind: EventKind::Reread,
        own: false,
        merged_into: None,
        version: None,
        occurred_at: None,
        request_id: "request-1".into(),
        payload: None,
        changes: Vec::new(),
    };
    let answers = store.receive(vec![event]).await.unwrap();
    assert!(matches!(answers.as_slice(), [Received::Stored(_)]));
    let link = NewLink {
        mapping: "customer-account".into(),
        left_id: "1".into(),
        right_id: "A".into(),
        agreement: Agreement::default(),
    };
    store.commit(vec![Op::PutLink(link)]).await.unwrap();
    let missing = Op::MarkMissing {
        link_id: 1,
        side: Side::Right,
    };
    store.commit(vec![missing]).await.unwrap();
    let events: Vec<(EventKind, EventStatus)> = event::table
        .select((event::kind, event::status))
        .load(&mut diesel)
        .unwrap();
    assert_eq!(events, [(EventKind::Reread, EventStatus::Received)]);
    let links: Vec<(LinkStatus, Option<Side>)> = link::table
        .select((link::status, link::missing_side))
        .load(&mut diesel)
        .unwrap();
    assert_eq!(links, [(LinkStatus::PendingDelete, Some(Side::Right))]);
}

#[tokio::test]
async fn the_store_reads_what_diesel_wrote() {
    let (store, mut diesel, _folder) = both().await;
    let run_id = start_run(&store).await;
    diesel::update(run::table.find(run_id))
        .set((run::status.eq(RunStatus::Cancelled), run::trigger.eq(Trigger::Person)))
        .execute(&mut diesel)
        .unwrap();
    let run = store.run(run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.trigger), (RunStatus::Cancelled, Trigger::Person));
}

#[tokio::test]
async fn a_name_that_no_variant_has_is_an_error_for_diesel_too() {
    let (store, mut diesel, _folder) = both().await;
    start_run(&store).await;
    diesel::sql_query("update run set status = 'dancing'")
        .execute(&mut diesel)
        .unwrap();
    let read = run::table.select(run::status).load::<RunStatus>(&mut diesel);
    let error = read.unwrap_err().to_string();
    assert!(error.contains("field 'status'"), "{error}");
}
