//! What the tokens and people of a tenant may ask together.

use syncline::core::status::Role;

use crate::support::{app::TestApp, visitor::Visitor};

#[tokio::test]
async fn everybody_of_a_tenant_shares_its_rate_and_is_told_the_tighter_one() {
    let app = TestApp::start_with("[server]\napi_tenant_rate = \"1/h\"\napi_tenant_burst = 4").await;
    let one = app.token_within(Role::Viewer, &["abc"]).await;
    let other = app.token_within(Role::Admin, &["abc"]).await;
    for (token, left) in [(&one, "3;t=3600"), (&other, "2;t=7200")] {
        let answer = app.get("/api/v1/me", token).await;
        let limit = format!("\"tenant\";r={left}");
        assert_eq!((answer.status, answer.header("ratelimit")), (200, Some(limit.as_str())));
        assert_eq!(answer.header("ratelimit-policy"), Some("\"tenant\";q=4;w=14400"));
    }
    // A person of the same tenant looks at one page.
    let mut ana = Visitor::signed_in_within(&app, Role::Viewer, &["abc"]).await;
    assert_eq!(app.get("/api/v1/me", &one).await.status, 200);
    let refused = app.get("/api/v1/me", &other).await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("ratelimit").unwrap().starts_with("\"tenant\";r=0"));
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    assert_eq!(ana.get("/console").await.status, 429);
    let stranger = app.token_within(Role::Viewer, &["abcdef"]).await;
    assert_eq!(app.get("/api/v1/me", &stranger).await.status, 200);
    let house = app.get("/api/v1/me", &app.token(Role::Viewer).await).await;
    assert_eq!(house.header("ratelimit-policy"), Some("\"requests\";q=60;w=3"));
}
