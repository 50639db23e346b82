//! What the forms of the pages do: the same as the API, under the name of who sends them.

use syncline::{
    core::status::{ConflictStatus, FailureStatus, Role, RunStatus, SuggestionStatus},
    store::{Page, link::LinkFilter},
};

use super::scene;
use crate::{
    api::action::systems,
    support::{
        app::{Setup, TestApp},
        visitor::Visitor,
    },
};

async fn last_action(app: &TestApp) -> (String, String, String) {
    let entry = app.store.audits(Page::first(1)).await.unwrap().remove(0).entry;
    (entry.actor, entry.action, entry.subject)
}

fn by(role: &str, action: &str, subject: &str) -> (String, String, String) {
    (format!("console:{role}"), action.to_owned(), subject.to_owned())
}

#[tokio::test]
async fn a_decision_is_about_what_its_reader_has_seen_and_leads_back_to_where_they_were() {
    let app = TestApp::start_with("[server]\napi_burst = 1000\napi_heavy_burst = 1000").await;
    scene::fill(&app, "gone-mapping", 2, |row| format!("value {row}")).await;
    let mut operator = Visitor::signed_in(&app, Role::Operator).await;
    let seen = {
        let page = operator.get("/console/conflicts/1").await.text();
        page.split("name=\"seen\" value=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    let stale = operator
        .post("/console/conflicts/1/resolve", &[("winner", "left"), ("seen", "other")])
        .await;
    assert_eq!(stale.status, 409);
    assert!(
        stale.text().contains("has changed since you looked"),
        "{}",
        stale.text()
    );
    let next = [
        ("winner", "left"),
        ("seen", &*seen),
        ("next", "/console/conflicts?mapping=gone-mapping"),
    ];
    let answer = operator.post("/console/conflicts/1/resolve", &next).await;
    assert_eq!(
        answer.header("location"),
        Some("/console/conflicts?mapping=gone-mapping&done=decided")
    );
    assert_eq!(
        last_action(&app).await,
        by("operator", "conflict.resolve", "conflict/1")
    );
    let shown = operator.get("/console/conflicts?done=decided").await.text();
    assert!(shown.contains("role=\"status\">Decided."), "{shown}");
}

#[tokio::test]
async fn every_decision_of_the_pages_is_made_and_stands_in_the_audit_under_its_name() {
    let app = TestApp::start_with("[server]\napi_burst = 1000\napi_heavy_burst = 1000").await;
    let run_id = scene::fill(&app, "gone-mapping", 2, |row| format!("value {row}")).await;
    let mut operator = Visitor::signed_in(&app, Role::Operator).await;
    let mut admin = Visitor::signed_in(&app, Role::Admin).await;
    for (path, action, subject) in [
        ("/console/conflicts/2/ignore", "conflict.ignore", "conflict/2"),
        ("/console/suggestions/1/accept", "suggestion.accept", "suggestion/1"),
        ("/console/suggestions/2/reject", "suggestion.reject", "suggestion/2"),
        ("/console/failures/1/ignore", "failure.ignore", "failure/1"),
        ("/console/ignore/1/remove", "ignore.remove", "ignore/1"),
    ] {
        let answer = operator.post(path, &[]).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
        assert_eq!(last_action(&app).await, by("operator", action, subject), "{path}");
    }
    for (path, action, subject) in [
        (
            "/console/failures/2/reprocess".to_owned(),
            "failure.reprocess",
            "failure/2".to_owned(),
        ),
        (
            "/console/deletes/1/keep".to_owned(),
            "delete.decide",
            "link/1".to_owned(),
        ),
        ("/console/deletes/2/unlink".to_owned(), "link.end", "link/2".to_owned()),
        (
            format!("/console/runs/{run_id}/discard"),
            "run.discard",
            format!("run/{run_id}"),
        ),
    ] {
        let answer = admin.post(&path, &[]).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
        assert_eq!(last_action(&app).await, by("admin", action, &subject), "{path}");
    }
    let store = &app.store;
    assert_eq!(
        store.conflict(2).await.unwrap().unwrap().status,
        ConflictStatus::Ignored
    );
    assert_eq!(
        store.suggestion(1).await.unwrap().unwrap().status,
        SuggestionStatus::Accepted
    );
    assert_eq!(store.failure(1).await.unwrap().unwrap().status, FailureStatus::Ignored);
    assert_eq!(store.run(run_id).await.unwrap().unwrap().status, RunStatus::Cancelled);
    let again = admin.post(&format!("/console/runs/{run_id}/release"), &[]).await;
    assert_eq!(again.status, 409, "it is not held any more");
    assert!(again.text().contains("is not held"));
}

#[tokio::test]
async fn a_filtered_set_is_reprocessed_only_after_its_count_was_seen() {
    let app = TestApp::start().await;
    scene::fill(&app, "gone-mapping", 3, |row| format!("value {row}")).await;
    let before = app.store.queue_stats().await.unwrap().depth;
    let mut admin = Visitor::signed_in(&app, Role::Admin).await;
    let listed = admin.get("/console/failures?class=rejected").await.text();
    assert!(
        listed.contains("<input type=\"hidden\" name=\"class\" value=\"rejected\">"),
        "{listed}"
    );
    let filter = [("class", "rejected"), ("next", "/console/failures?class=rejected")];
    let asked = admin.post("/console/failures/reprocess", &filter).await;
    assert_eq!(asked.status, 200);
    assert!(
        asked.text().contains("would be reprocessed: <strong>3</strong>"),
        "{}",
        asked.text()
    );
    assert_eq!(
        app.store.queue_stats().await.unwrap().depth,
        before,
        "nothing is done yet"
    );
    let wrong = admin
        .post("/console/failures/reprocess", &[filter[0], filter[1], ("confirm", "2")])
        .await;
    assert_eq!(wrong.status, 409);
    let done = admin
        .post("/console/failures/reprocess", &[filter[0], filter[1], ("confirm", "3")])
        .await;
    assert_eq!(
        done.header("location"),
        Some("/console/failures?class=rejected&done=reprocess&of=3")
    );
    assert_eq!(app.store.queue_stats().await.unwrap().depth, before + 3);
    let left = admin.get(done.header("location").unwrap()).await.text();
    assert!(
        left.contains("still wait: <strong>3</strong>") && left.contains("max=\"3\" value=\"0\""),
        "{left}"
    );
}

#[tokio::test]
async fn a_rule_is_made_with_its_reason_or_says_what_it_lacks() {
    let systems = systems().await;
    let app = Setup::between(&systems).start().await;
    let mut operator = Visitor::signed_in(&app, Role::Operator).await;
    let rule = |until: &'static str| {
        [
            ("mapping", "customer-account"),
            ("side", "left"),
            ("record_id", "7"),
            ("until", until),
            ("reason", "as agreed"),
        ]
    };
    let late = operator.post("/console/ignore", &rule("2001-01-01")).await;
    assert_eq!(late.status, 422);
    assert!(late.text().contains("name a date in the future"), "{}", late.text());
    let made = operator.post("/console/ignore", &rule("2999-12-31")).await;
    assert_eq!(
        made.header("location"),
        Some("/console/ignore?done=ignored"),
        "{}",
        made.text()
    );
    assert_eq!(last_action(&app).await, by("operator", "ignore.add", "ignore/1"));
    systems.stop().await;
}

#[tokio::test]
async fn a_reconciliation_is_begun_watched_and_its_report_found() {
    let systems = systems().await;
    let app = Setup::between(&systems).start().await;
    let mut operator = Visitor::signed_in(&app, Role::Operator).await;
    let path = "/console/mappings/customer-account/reconcile";
    let begun = operator.post(path, &[("kind", "full")]).await;
    assert_eq!(begun.status, 303, "{}", begun.text());
    let run = begun.header("location").unwrap().split('?').next().unwrap().to_owned();
    assert_eq!(last_action(&app).await, by("operator", "run.start", "run/1"));
    app.app.finish().await;
    let page = operator.get(&run).await.text();
    assert!(
        page.contains("href=\"/console/drift/1\"") && page.contains("succeeded"),
        "{page}"
    );
    let report = operator.get("/console/drift/1").await;
    assert_eq!(report.status, 200);
    assert!(report.text().contains("never linked"), "{}", report.text());
    let file = operator
        .get("/console/drift/1/export?format=csv&cause=never_linked")
        .await;
    assert_eq!(
        file.header("content-type"),
        Some("text/csv; charset=utf-8; header=present")
    );
    let overview = operator.get("/console").await.text();
    assert!(overview.contains("drifting"), "{overview}");
    systems.stop().await;
}

#[tokio::test]
async fn a_record_is_found_by_its_id_and_told_what_would_be_done() {
    let systems = systems().await;
    let app = Setup::between(&systems).start().await;
    let mut operator = Visitor::signed_in(&app, Role::Operator).await;
    operator
        .post(
            "/console/mappings/customer-account/reconcile",
            &[("kind", "full"), ("repair", "1")],
        )
        .await;
    app.app.finish().await;
    let link = app
        .store
        .links(&LinkFilter::default(), Page::first(1))
        .await
        .unwrap()
        .remove(0);
    for id in [&link.link.left_id, &link.link.right_id] {
        let found = operator.get(&format!("/console/record?q={id}")).await;
        assert_eq!(found.status, 303, "{}", found.text());
        let place = found.header("location").unwrap().to_owned();
        let page = operator.get(&place).await.text();
        assert!(
            page.contains(&link.link.left_id) && page.contains(&link.link.right_id),
            "{page}"
        );
        let plan = operator.post(&format!("{place}/plan"), &[]).await;
        assert_eq!(plan.status, 200);
        assert!(plan.text().contains("Nothing would be written"), "{}", plan.text());
        let sync = operator
            .post(&format!("{place}/sync"), &[("next", place.as_str())])
            .await;
        assert_eq!(
            sync.header("location"),
            Some(format!("{place}?done=reprocess").as_str())
        );
    }
    let nothing = operator.get("/console/record?q=no-such-record").await;
    assert!(nothing.text().contains("Nothing is on record"));
    systems.stop().await;
}

#[tokio::test]
async fn where_the_settings_ask_for_a_reason_personal_data_is_shown_for_one_that_stands_in_the_audit() {
    let systems = systems().await;
    let mut setup = Setup::between(&systems);
    setup.settings.server.sensitive_values = syncline::settings::SensitiveValues::Reason;
    let app = setup.start().await;
    scene::fill(&app, "customer-account", 1, |row| format!("value {row}")).await;
    let path = "/console/records/customer-account/left/L0-value%200";
    let mut viewer = Visitor::signed_in(&app, Role::Viewer).await;
    assert!(!viewer.get(path).await.text().contains("/show\""));
    let refused = viewer.post(&format!("{path}/show"), &[("reason", "curious")]).await;
    assert_eq!(refused.status, 403);
    let mut analyst = Visitor::signed_in(&app, Role::Analyst).await;
    assert!(analyst.get(path).await.text().contains("/show\""));
    for bad in ["", "  ", "no", &"x".repeat(501)] {
        let refused = analyst.post(&format!("{path}/show"), &[("reason", bad)]).await;
        assert_eq!(refused.status, 422, "{bad}");
    }
    let shown = analyst
        .post(&format!("{path}/show"), &[("reason", "they asked why <b>")])
        .await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    let audits = app.store.audits(Page::first(50)).await.unwrap();
    let shows: Vec<_> = audits.iter().filter(|one| one.entry.action == "record.show").collect();
    assert_eq!(shows.len(), 1);
    let entry = &shows[0].entry;
    assert_eq!(
        (entry.actor.as_str(), entry.subject.as_str(), entry.detail.as_deref()),
        (
            "console:analyst",
            "record/customer-account/left/L0-value 0",
            Some(r#"{"reason":"they asked why <b>"}"#)
        )
    );
    let token = app.token(Role::Analyst).await;
    let api = "/api/v1/mappings/customer-account/records/left/L0-value%200/show";
    let answer = app.call("POST", api, &token, r#"{"reason":"they asked"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
