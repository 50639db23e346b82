//! People sign in at the console by a certified OpenID provider.

use reqwest::StatusCode;
use syncline::core::status::Role;
use url::Url;

use super::{
    oidc::Browser,
    system::{Server, body},
};
use crate::support::{app::TestApp, visitor::Visitor};

const BACK: &str = "http://127.0.0.1:8320/console/sign-in/openid/back";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_at_the_console_by_a_certified_provider_and_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let started = tokio::task::spawn_blocking(move || Server::start("oidc", &path)).await;
    let Some(provider) = started.unwrap() else { return };
    let settings = format!(
        "[console.oidc]\nissuer = \"{}\"\nclient_id = \"console\"\nclient_secret = \"console-secret\"\n\
         allow_networks = [\"127.0.0.0/8\"]\nroles = {{ \"ana-group\" = \"operator\" }}",
        provider.url
    );
    let app = TestApp::start_with(&settings).await;
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
    assert!(ana.get("/console/failures").await.text().contains("<span>ana</span>"));
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
