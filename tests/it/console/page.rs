//! What pages show: in both languages, within their size, and whatever comes from outside as text.

use syncline::core::status::Role;

use super::scene;
use crate::{
    api::action::systems,
    support::{
        app::{Setup, TestApp},
        visitor::Visitor,
    },
};

/// The largest page.
const PAGE_BYTES_MAX: usize = 200_000;

/// Every page that shows what `scene` has left.
pub fn pages(run_id: i64) -> Vec<String> {
    let mut pages: Vec<String> = [
        "",
        "/drift",
        "/operations",
        "/conflicts",
        "/conflicts?status=resolved",
        "/conflicts/1",
        "/deletes",
        "/deletes?all=true",
        "/held",
        "/suggestions",
        "/failures",
        "/failures?class=rejected",
        "/failures/1",
        "/links",
        "/links?status=pending_delete",
        "/runs",
        "/events",
        "/events?status=failed",
        "/events?record_id=7",
        "/events/1",
        "/record",
        "/record?q=7",
        "/ignore",
        "/ignore?all=true",
        "/notices",
        "/systems",
        "/webhooks",
        "/audit",
        "/settings",
        "/nowhere",
    ]
    .iter()
    .map(|path| format!("/console{path}"))
    .collect();
    pages.push(format!("/console/drift/{run_id}"));
    pages.push(format!("/console/drift/{run_id}?cause=event_missed&outcome=held"));
    pages.push(format!("/console/runs/{run_id}"));
    pages
}

#[tokio::test]
async fn hostile_texts_stay_texts_on_every_page_and_no_page_grows_with_them() {
    const HOSTILE: [&str; 6] = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'-alert(1)-'",
        "{{ 7*7 }}{% raw %}",
        "\u{202e}\u{2066}evil\u{200f} العربية",
        "</title></textarea><svg onload=alert(1)>",
    ];
    let app = TestApp::start_with("[server]\napi_burst = 1000\napi_heavy_burst = 1000").await;
    let long = "A".repeat(10_000);
    let word = |row: u32| {
        let hostile = HOSTILE[row as usize % HOSTILE.len()];
        if row.is_multiple_of(2) {
            format!("{hostile}{long}{hostile}")
        } else {
            hostile.to_owned()
        }
    };
    let mapping = format!("<b>{}", "m".repeat(300));
    let run_id = scene::fill(&app, &mapping, 60, word).await;
    let mut admin = Visitor::signed_in(&app, Role::Admin).await;
    let mut all = pages(run_id);
    all.push(format!("/console/record?q={}", "%3Cscript%3Ealert(1)%3C/script%3E"));
    all.push("/console/failures?code=%22%3E%3Cscript%3Ealert(1)".to_owned());
    all.push("/console/drift?mapping=%22%3E%3Cscript%3Ealert(1)".to_owned());
    for path in all {
        let answer = admin.get(&path).await;
        let page = answer.text();
        assert!([200, 404, 422].contains(&answer.status), "{path}: {}", answer.status);
        assert!(page.len() <= PAGE_BYTES_MAX, "{path} has {} bytes", page.len());
        for raw in [
            "<script>alert",
            "<img",
            "<svg onload",
            "<b>",
            "</textarea>",
            "\u{202e}",
            "\u{2066}",
            "'-alert",
        ] {
            assert!(!page.contains(raw), "{path} has {raw}");
        }
        assert_eq!(page.matches("<script").count(), 1, "{path} runs our own file alone");
    }
}

#[tokio::test]
async fn a_new_field_stands_with_its_run_and_its_report_with_what_to_do_next() {
    let app = TestApp::start().await;
    let run_id = scene::fill(&app, "customer-account", 1, |_| "tier".to_owned()).await;
    let mut viewer = Visitor::signed_in(&app, Role::Viewer).await;
    for path in [format!("/console/drift/{run_id}"), format!("/console/runs/{run_id}")] {
        let page = viewer.get(&path).await.text();
        for told in ["tier, region and 3 more", "syncline connector discover tier tier"] {
            assert!(page.contains(told), "{path}: {page}");
        }
    }
}

#[tokio::test]
async fn every_page_speaks_both_languages_and_says_what_it_is() {
    let systems = systems().await;
    let mut setup = Setup::between(&systems);
    setup.settings.server.api_burst = 1_000;
    setup.settings.server.api_heavy_burst = 1_000;
    let app = setup.start().await;
    let run_id = scene::fill(&app, "customer-account", 3, |row| format!("value {row}")).await;
    let mut admin = Visitor::signed_in(&app, Role::Admin).await;
    let mut all = pages(run_id);
    all.push("/console/mappings/customer-account".to_owned());
    all.push("/console/records/customer-account/left/L1-value%201".to_owned());
    for path in &all {
        for (language, tag, word) in [("en", "en", "Sign out"), ("pt-BR,pt;q=0.9", "pt-BR", "Sair")] {
            admin.language = language;
            let answer = admin.get(path).await;
            let page = answer.text();
            let expected = if path.ends_with("/nowhere") { 404 } else { 200 };
            assert_eq!(answer.status, expected, "{path}: {page}");
            assert!(
                page.contains(&format!("<html lang=\"{tag}\">")) && page.contains(word),
                "{path} in {tag}"
            );
            assert!(page.contains("<h1>") && page.contains("<main id=\"main\""), "{path}");
        }
    }
    admin.language = "en";
    admin.get("/console").await;
    let chosen = admin
        .post("/console/language", &[("language", "pt-BR"), ("next", "/console/runs")])
        .await;
    assert_eq!(chosen.header("location"), Some("/console/runs"));
    assert!(
        admin
            .get("/console/runs")
            .await
            .text()
            .contains("<html lang=\"pt-BR\">"),
        "the choice is remembered"
    );
    systems.stop().await;
}

#[tokio::test]
async fn an_empty_house_says_that_all_is_well_or_what_to_do_first() {
    let app = TestApp::start().await;
    let mut admin = Visitor::signed_in(&app, Role::Admin).await;
    for (path, text) in [
        ("/console", "No mapping is loaded"),
        ("/console/conflicts", "No conflict waits for you"),
        ("/console/deletes", "No pending delete waits for you"),
        ("/console/held", "No run is held"),
        ("/console/failures", "No record has failed"),
        ("/console/drift", "There is no report yet"),
        ("/console/suggestions", "No suggestion waits for you"),
    ] {
        assert!(admin.get(path).await.text().contains(text), "{path}");
    }
}

#[tokio::test]
async fn a_list_goes_on_where_its_page_ends_and_keeps_its_filter() {
    let app = TestApp::start().await;
    scene::fill(&app, "customer-account", 60, |row| format!("value {row}")).await;
    let mut viewer = Visitor::signed_in(&app, Role::Viewer).await;
    let first = viewer.get("/console/failures?class=rejected&stage=").await.text();
    let next = first
        .split("rel=\"next\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let next = next.replace("&#38;", "&").replace("&amp;", "&");
    assert!(next.starts_with("/console/failures?class=rejected&cursor="), "{next}");
    let rows = |page: &str| page.matches("href=\"/console/failures/").count();
    let second = viewer.get(&next).await.text();
    assert_eq!((rows(&first), rows(&second)), (50, 10));
    assert!(!second.contains("rel=\"next\"") && second.contains("First page"));
}

#[tokio::test]
async fn personal_data_is_masked_for_viewers_and_shown_to_analysts() {
    let app = TestApp::start().await;
    let conflict = syncline::store::Op::OpenConflict(syncline::store::conflict::NewConflict {
        mapping: "customer-account".into(),
        left_id: "7".into(),
        right_id: "ACC-7".into(),
        field: "phone".into(),
        left_value: Some("+55 11 9999".into()),
        right_value: Some("+55 11 8888".into()),
        hashes: syncline::core::status::Sides { left: 1, right: 2 },
        sensitive: true,
        run_id: None,
    });
    app.store.commit(vec![conflict]).await.unwrap();
    for (role, is_shown) in [(Role::Viewer, false), (Role::Analyst, true)] {
        let mut visitor = Visitor::signed_in(&app, role).await;
        for path in ["/console/conflicts", "/console/conflicts/1"] {
            let page = visitor.get(path).await.text();
            assert_eq!(page.contains("9999"), is_shown, "{role} {path}");
            assert!(!page.contains("name=\"winner\""), "neither decides");
        }
    }
}
