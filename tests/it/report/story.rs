//! The whole story of one record.

use std::{collections::BTreeMap, sync::Arc};

use syncline::{
    catalog::load::{Catalog, Sources, SystemDecl},
    core::{
        drift::Summary,
        fault::Fault,
        mapping::Mapping,
        record::RecordKey,
        status::{
            Cause, DriftOutcome, EventKind, FailureClass, FailureStatus, Role, RunKind, RunStatus, Side, Situation,
            Stage, Trigger, WriteKind, WriteStatus,
        },
    },
    report::{
        MASKED,
        story::{self, Kind},
    },
    store::{
        Op, Store,
        drift::NewDrift,
        event::{FinishedEvent, NewEvent},
        failure::NewFailure,
        link::{Agreement, NewLink},
        run::NewRun,
        write::{FinishedWrite, NewWrite},
    },
};

use crate::support::database::Database;

const MINUTE: std::time::Duration = std::time::Duration::from_mins(1);

fn mapping() -> Arc<Mapping> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let system = |connector: &str| SystemDecl {
        connector: connector.to_owned(),
        ..SystemDecl::default()
    };
    let loaded = Catalog::load(&Sources {
        connectors_dir: &root.join("connectors"),
        mappings_dir: &root.join("mappings"),
        systems: &BTreeMap::from([
            ("erp".to_owned(), system("sandbox-erp")),
            ("crm".to_owned(), system("sandbox-crm")),
        ]),
    });
    let found = loaded
        .catalog
        .in_order()
        .find(|mapping| mapping.name == "customer-account");
    Arc::clone(found.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics)))
}

/// A pair that was linked, changed on the left, told by an event, refused by the right system, and found by a reconciliation.
async fn tell(database: &Database, store: &Store) -> i64 {
    hear(store).await;
    database.advance(MINUTE);
    fail(store).await;
    database.advance(MINUTE);
    find(database, store).await
}

fn name() -> Arc<str> {
    Arc::from("customer-account")
}

async fn hear(store: &Store) {
    let link = NewLink {
        mapping: name(),
        left_id: "7".into(),
        right_id: "ACC-7".into(),
        agreement: Agreement::default(),
    };
    store.commit(vec![Op::PutLink(link)]).await.unwrap();
    let event = NewEvent {
        system: Arc::from("erp"),
        external_id: "e-1".into(),
        object: "customer".into(),
        record_id: Some("7".into()),
        kind: EventKind::Updated,
        own: false,
        merged_into: None,
        version: None,
        occurred_at: None,
        request_id: "request-1".into(),
        payload: None,
        changes: Vec::new(),
    };
    store.receive(vec![event]).await.unwrap();
}

async fn fail(store: &Store) {
    let write = NewWrite {
        run_id: None,
        mapping: name(),
        side: Side::Right,
        kind: WriteKind::Update,
        record_id: Some("ACC-7".into()),
        partner_id: "7".into(),
        idempotency_key: "k".into(),
        values_hash: 1,
        origin: None,
        is_unweighed: false,
    };
    let written = store.intend(vec![write]).await.unwrap();
    let outcome = FinishedWrite {
        write_id: written[0],
        kind: WriteKind::Update,
        status: WriteStatus::Failed,
        http_status: Some(400),
        record_id: None,
        version: None,
    };
    let failure = NewFailure {
        run_id: None,
        key: RecordKey::new("customer-account", Side::Left, "7"),
        left_id: Some("7".into()),
        right_id: Some("ACC-7".into()),
        fault: Fault::new("RQ004", FailureClass::Rejected, Stage::Write, "VatNumber invalid").with_hint("correct it"),
        status: FailureStatus::Parked,
        next_attempt_at: None,
        event_id: Some(1),
    };
    let finished = FinishedEvent {
        event_id: 1,
        change: None,
        status: syncline::core::status::EventStatus::Failed,
        last_error: Some("[RQ004] VatNumber invalid".into()),
        processing_ms: 12,
    };
    store
        .commit(vec![
            Op::FinishWrite(outcome),
            Op::Fail(failure),
            Op::FinishEvent(finished),
        ])
        .await
        .unwrap();
}

async fn find(database: &Database, store: &Store) -> i64 {
    let run = NewRun {
        kind: RunKind::Reconcile,
        mapping: Some(name()),
        trigger: Trigger::Schedule,
        note: None,
        job_key: None,
    };
    let run_id = store.start_run(&run).await.unwrap();
    database.advance(MINUTE);
    let item = NewDrift {
        run_id,
        mapping: name(),
        situation: Situation::Differs,
        cause: Cause::EventFailed,
        field: Some("tax_id".into()),
        left_id: Some("7".into()),
        right_id: Some("ACC-7".into()),
        left_value: Some("12".into()),
        right_value: Some("BR1".into()),
        sensitive: true,
        first_seen_at: None,
        age_runs: 1,
        last_changed_side: Some(Side::Left),
        outcome: DriftOutcome::Failed,
        note: None,
        failure_id: Some(1),
        event_id: None,
    };
    let open = NewDrift {
        field: Some("name".into()),
        left_value: Some("Ana Ltda".into()),
        sensitive: false,
        ..item.clone()
    };
    store
        .commit(vec![Op::AddDrift(item), Op::AddDrift(open)])
        .await
        .unwrap();
    let summary = serde_json::to_string(&Summary::default()).unwrap();
    store
        .save_drift_summary(run_id, "customer-account", &summary)
        .await
        .unwrap();
    store.finish_run(run_id, RunStatus::Partial, None).await.unwrap();
    run_id
}

#[tokio::test]
async fn a_story_is_told_in_order_of_time_from_either_side() {
    let database = Database::sqlite();
    let store = database.open().await;
    let run_id = tell(&database, &store).await;
    let mapping = mapping();
    for (side, id) in [(Side::Left, "7"), (Side::Right, "ACC-7")] {
        assert_eq!(
            story::find(&store, &mapping, id).await.unwrap(),
            [(side, id.to_owned())]
        );
        let story = story::tell(&store, &mapping, side, id, Role::Admin).await.unwrap();
        assert_eq!(
            (story.left.id.as_deref(), story.right.id.as_deref()),
            (Some("7"), Some("ACC-7"))
        );
        let kinds: Vec<Kind> = story.entries.iter().map(|entry| entry.kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::Link,
                Kind::Link,
                Kind::Event,
                Kind::Write,
                Kind::Failure,
                Kind::Run,
                Kind::Drift,
                Kind::Drift
            ]
        );
        let text = |kind: Kind| &story.entries.iter().find(|entry| entry.kind == kind).unwrap().text;
        assert_eq!(
            text(Kind::Event),
            "erp told: customer updated; failed: [RQ004] VatNumber invalid"
        );
        assert_eq!(text(Kind::Write), "update ACC-7 in crm: failed (HTTP 400)");
        let drift = text(Kind::Drift);
        assert!(
            drift.contains("event_failed") && drift.contains("(event 1, failure 1)"),
            "{drift}"
        );
        let found = story.entries.last().unwrap();
        assert_eq!(found.run_id, Some(run_id));
        assert!(found.next.as_deref().unwrap().contains("syncline reprocess"));
        assert_eq!(story.next_step(), found.next.as_deref());
    }
}

#[tokio::test]
async fn a_viewer_reads_the_story_without_sensitive_values() {
    let database = Database::sqlite();
    let store = database.open().await;
    tell(&database, &store).await;
    let story = story::tell(&store, &mapping(), Side::Left, "7", Role::Viewer)
        .await
        .unwrap();
    let values: Vec<_> = story
        .entries
        .iter()
        .filter_map(|entry| entry.left_value.as_deref())
        .collect();
    assert_eq!(values, [MASKED, "Ana Ltda"]);
}

#[tokio::test]
async fn a_record_is_found_by_a_value_that_a_report_shows_and_by_no_sealed_one() {
    let database = Database::sqlite();
    let store = database.open().await;
    tell(&database, &store).await;
    let mapping = mapping();
    let found = story::find(&store, &mapping, "Ana Ltda").await.unwrap();
    assert_eq!(found, [(Side::Left, "7".to_owned())]);
    for unknown in ["12", "ACC-8", ""] {
        assert!(
            story::find(&store, &mapping, unknown).await.unwrap().is_empty(),
            "{unknown}"
        );
    }
}
