//! A store in which something of everything is, in the words that a test gives.

use syncline::{
    core::{
        drift::Summary,
        fault::Fault,
        newcomer::NewFields,
        record::RecordKey,
        status::{
            Cause, DriftOutcome, EventKind, EventStatus, FailureClass, FailureStatus, RunKind, RunStatus, Side, Sides,
            Situation, Stage, Trigger,
        },
    },
    store::{
        Op,
        audit::NewAudit,
        conflict::NewConflict,
        drift::NewDrift,
        event::{FinishedEvent, NewEvent, Received},
        failure::NewFailure,
        ignore::NewIgnoreRule,
        link::{Agreement, NewLink},
        run::NewRun,
        suggestion::{Compared, NewSuggestion},
    },
};

use crate::support::app::TestApp;

/// Fills a store; `word` makes every text from outside, with the number of its row.
pub async fn fill(app: &TestApp, mapping: &str, rows: u32, word: impl Fn(u32) -> String) -> i64 {
    fill_of(app, (mapping, "crm"), rows, word).await
}

/// The same, with the events of another system.
pub async fn fill_of(app: &TestApp, (mapping, system): (&str, &str), rows: u32, word: impl Fn(u32) -> String) -> i64 {
    let store = &app.store;
    let run_id = run(app, mapping, &word(0)).await;
    for row in 0..rows {
        let text = word(row);
        let (left_id, right_id) = (format!("L{row}-{text}"), format!("R{row}-{text}"));
        let ops = vec![
            Op::AddDrift(drift(run_id, mapping, row, &text)),
            Op::Fail(failure(run_id, mapping, row, &text)),
            Op::PutLink(NewLink {
                mapping: mapping.into(),
                left_id: left_id.clone(),
                right_id: right_id.clone(),
                agreement: Agreement::default(),
            }),
            Op::OpenConflict(conflict(mapping, row, &text)),
            Op::Audit(NewAudit {
                actor: text.clone(),
                action: "thing.do".into(),
                subject: text.clone(),
                detail: Some(text.clone()),
            }),
        ];
        store.commit(ops).await.unwrap();
        let link = store.link_by(mapping, Side::Left, &left_id).await.unwrap().unwrap();
        let missing = Op::MarkMissing {
            link_id: link.link.link_id,
            side: Side::Right,
        };
        store.commit(vec![missing]).await.unwrap();
        event(app, system, row, &text).await;
        suggestion(app, mapping, run_id, row, &text).await;
        rule(app, mapping, &text).await;
    }
    run_id
}

async fn run(app: &TestApp, mapping: &str, text: &str) -> i64 {
    let new = NewRun {
        kind: RunKind::Reconcile,
        mapping: Some(mapping.into()),
        trigger: Trigger::Schedule,
        note: Some(text.to_owned()),
        job_key: None,
    };
    let run_id = app.store.start_run(&new).await.unwrap();
    let mut summary = Summary {
        cells: 1_000,
        cells_equal: 900,
        ..Summary::default()
    };
    summary.situations.insert(Situation::Differs, 7);
    summary.situations.insert(Situation::InSync, 93);
    summary.causes.insert(Cause::EventMissed, 5);
    summary.causes.insert(Cause::Conflict, 2);
    summary.fields.insert(text.to_owned(), 5);
    summary.fields.insert("city".to_owned(), 2);
    summary.unmapped.insert(text.to_owned(), 1);
    summary.new_fields.push(NewFields {
        side: Side::Left,
        system: text.to_owned(),
        object: text.to_owned(),
        fields: vec![text.to_owned(), "region".to_owned()],
        more: 3,
    });
    let text_of = serde_json::to_string(&summary).unwrap();
    app.store.save_drift_summary(run_id, mapping, &text_of).await.unwrap();
    app.store.finish_run(run_id, RunStatus::Held, Some(text)).await.unwrap();
    run_id
}

fn drift(run_id: i64, mapping: &str, row: u32, text: &str) -> NewDrift {
    NewDrift {
        run_id,
        mapping: mapping.into(),
        situation: Situation::Differs,
        cause: Cause::EventMissed,
        field: Some(text.to_owned()),
        left_id: Some(format!("L{row}-{text}")),
        right_id: Some(format!("R{row}-{text}")),
        left_value: Some(format!("{text} left")),
        right_value: Some(format!("{text} right")),
        sensitive: false,
        first_seen_at: None,
        age_runs: 1,
        last_changed_side: Some(Side::Left),
        outcome: DriftOutcome::Held,
        note: Some(text.to_owned()),
        failure_id: None,
        event_id: None,
    }
}

fn failure(run_id: i64, mapping: &str, row: u32, text: &str) -> NewFailure {
    let fault = Fault::new("RQ004", FailureClass::Rejected, Stage::Write, text.to_owned());
    NewFailure {
        run_id: Some(run_id),
        key: RecordKey::new(mapping, Side::Left, format!("L{row}-{text}")),
        left_id: Some(format!("L{row}-{text}")),
        right_id: Some(text.to_owned()),
        fault: fault.with_hint(text.to_owned()),
        status: FailureStatus::Parked,
        next_attempt_at: None,
        event_id: None,
    }
}

fn conflict(mapping: &str, row: u32, text: &str) -> NewConflict {
    NewConflict {
        mapping: mapping.into(),
        left_id: format!("L{row}-{text}"),
        right_id: format!("R{row}-{text}"),
        field: text.to_owned(),
        left_value: Some(format!("{text} left")),
        right_value: Some(format!("{text} right")),
        hashes: Sides { left: 1, right: 2 },
        sensitive: false,
        run_id: None,
    }
}

async fn event(app: &TestApp, system: &str, row: u32, text: &str) {
    let new = NewEvent {
        system: system.into(),
        external_id: format!("{row}-{text}"),
        object: text.to_owned(),
        record_id: Some(text.to_owned()),
        kind: EventKind::Updated,
        own: false,
        merged_into: Some(text.to_owned()),
        version: None,
        occurred_at: None,
        request_id: text.to_owned(),
        payload: None,
        changes: Vec::new(),
    };
    let Received::Stored(event_id) = app.store.receive(vec![new]).await.unwrap()[0] else {
        panic!("it is new");
    };
    let finished = FinishedEvent {
        event_id,
        change: None,
        status: EventStatus::Failed,
        last_error: Some(text.to_owned()),
        processing_ms: 12,
    };
    app.store.commit(vec![Op::FinishEvent(finished)]).await.unwrap();
}

async fn suggestion(app: &TestApp, mapping: &str, run_id: i64, row: u32, text: &str) {
    let new = NewSuggestion {
        mapping: mapping.into(),
        left_id: format!("SL{row}-{text}"),
        right_id: format!("SR{row}-{text}"),
        score: 870,
        compared: vec![Compared {
            field: text.to_owned(),
            left: text.to_owned(),
            right: text.to_owned(),
        }],
        sensitive: false,
        hashes: Sides { left: 1, right: 2 },
        run_id,
    };
    app.store.put_suggestions(mapping, run_id, &[new]).await.unwrap();
}

async fn rule(app: &TestApp, mapping: &str, text: &str) {
    let rule = NewIgnoreRule {
        mapping: mapping.into(),
        record: Some((Side::Left, text.to_owned())),
        field: Some(text.to_owned()),
        situation: None,
        until: app.clock.now() + chrono::TimeDelta::days(3),
        reason: text.to_owned(),
        owner: text.to_owned(),
    };
    app.store.add_ignore_rule(&rule, |_| Vec::new()).await.unwrap();
}
