//! People sign in at the console by a certified OpenID provider.

use reqwest::StatusCode;
use syncline::{core::status::Role, store::Page};
use url::Url;

use super::{
    oidc::Browser,
    system::{Server, body},
};
use crate::support::{app::TestApp, chromium::Chromium, visitor::Visitor};

const BACK: &str = "http://127.0.0.1:8320/console/sign-in/openid/back";

fn settings(provider: &Server) -> String {
    format!(
        "[console.oidc]\nissuer = \"{}\"\nclient_id = \"console\"\nclient_secret = \"console-secret\"\n\
         allow_networks = [\"127.0.0.0/8\"]\nroles = {{ \"ana-group\" = \"operator\" }}",
        provider.url
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_at_the_console_by_a_certified_provider_and_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let started = tokio::task::spawn_blocking(move || Server::start("oidc", &path)).await;
    let Some(provider) = started.unwrap() else { return };
    let app = TestApp::start_with(&settings(&provider)).await;
    let mut ana = Visitor::new(&app);
    let left = ana.get("/console/sign-in/openid?next=/console/failures").await;
    assert_eq!(left.status, 303, "{}", left.text());
    let address = Url::parse(left.header("location").unwrap()).unwrap();
    let mut browser = Browser::new();
    let back = browser.sign_in(&address, BACK).await;
    let path = format!("{}?{}", back.path(), back.query().unwrap());
    let answer = ana.get(&path).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/console/failures")),
        "{}",
        answer.text()
    );
    assert!(
        ana.get("/console/failures")
            .await
            .text()
            .contains("<span><bdi>ana</bdi></span>")
    );
    // The group is told by the userinfo endpoint alone.
    assert_eq!(app.store.user("ana").await.unwrap().unwrap().role, Role::Operator);
    assert_eq!(ana.get(&path).await.status, 400, "it works once");

    let out = ana.post("/console/sign-out", &[]).await;
    let end = out.header("refresh").unwrap().strip_prefix("0; url=").unwrap();
    let page = browser.send(&end.parse().unwrap(), None).await;
    assert_eq!(
        page.status(),
        StatusCode::OK,
        "the provider asks whether to sign out there, too"
    );
    assert!(String::from_utf8_lossy(&body(page).await).contains("<form"));
    assert_eq!(ana.get("/console").await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_led_through_the_provider_to_the_page_that_was_asked_for_and_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let started = tokio::task::spawn_blocking(move || Server::start("oidc", &path)).await;
    let Some(provider) = started.unwrap() else { return };
    let app = TestApp::start_with(&settings(&provider)).await;
    // People know the console by the address that the provider knows, as behind a proxy.
    let console = "127.0.0.1:8320";
    let rules = format!("MAP {console} {}, MAP fonts.googleapis.com ~NOTFOUND", app.address);
    let done = tokio::task::spawn_blocking(move || {
        let rules = format!("--host-resolver-rules={rules}");
        let Some(mut browser) = Chromium::start_with(&[rules]) else {
            return false;
        };
        there_and_back(&mut browser, &format!("http://{console}"), &provider.url);
        true
    });
    if done.await.unwrap() {
        let entries = app.store.audits(Page::first(9)).await.unwrap();
        let told: Vec<&str> = entries.iter().map(|audit| audit.entry.action.as_str()).collect();
        assert!(told.contains(&"user.add"), "{told:?}");
        assert_eq!(app.store.user("ana").await.unwrap().unwrap().role, Role::Operator);
    }
}

fn there_and_back(browser: &mut Chromium, console: &str, provider: &str) {
    let at = |browser: &mut Chromium| {
        browser
            .js("location.origin + location.pathname")
            .as_str()
            .unwrap()
            .to_owned()
    };
    browser.go(&format!("{console}/console/failures"));
    browser.click("a.button.main");
    assert!(at(browser).starts_with(provider), "{}", at(browser));

    // The provider asks who it is, and whether the console may know.
    browser.fill("[name=login]", "ana");
    browser.fill("[name=password]", "any");
    browser.click("button.login-submit");
    browser.click("button.login-submit");
    assert_eq!(at(browser), format!("{console}/console/failures"), "{}", browser.text());
    assert_eq!(browser.js("document.querySelector('form.who span').innerText"), "ana");

    // Out of the console, which leads to the provider, which asks whether there, too, and leads back.
    browser.click("form.who button");
    browser.arrive();
    assert!(at(browser).starts_with(provider), "{}", at(browser));
    browser.click("button[name=logout]");
    assert_eq!(at(browser), format!("{console}/console/sign-in"), "{}", browser.text());
    browser.go(&format!("{console}/console/failures"));
    assert!(!browser.text().contains("ana"), "{}", browser.text());

    // The provider has forgotten them, too.
    browser.click("a.button.main");
    assert_eq!(browser.js("document.querySelectorAll('[name=login]').length"), 1);
}
