//! Who gets in, how long they stay, and that nobody else can use their browser.

use chrono::TimeDelta;
use syncline::{clock::Clock, core::status::Role, server::console::user, store::Page};

use crate::support::{
    app::{Setup, TestApp, settings},
    visitor::{PASSWORD, Visitor, person},
};

#[tokio::test]
async fn whoever_signs_in_is_led_to_the_page_they_wanted() {
    let app = TestApp::start().await;
    person(&app, "ana", Role::Viewer).await;
    let mut ana = Visitor::new(&app);
    let asked = ana.get("/console/runs?status=held").await;
    assert_eq!(asked.status, 401);
    assert!(
        asked
            .text()
            .contains("name=\"next\" value=\"/console/runs?status=held\""),
        "{}",
        asked.text()
    );
    let wrong = ana
        .sign_in("ana", "wrong horse battery", "/console/runs?status=held")
        .await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("Name or password is wrong"));
    let right = ana.sign_in("Ana ", PASSWORD, "/console/runs?status=held").await;
    assert_eq!(
        (right.status, right.header("location")),
        (303, Some("/console/runs?status=held"))
    );
    let page = ana.get("/console/runs?status=held").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<span><bdi>ana</bdi></span>"));
    let audit = app.store.audits(Page::first(1)).await.unwrap().remove(0).entry;
    assert_eq!(
        (audit.actor.as_str(), audit.action.as_str()),
        ("console:ana", "session.begin")
    );
}

#[tokio::test]
async fn the_cookie_is_for_this_server_alone_changes_with_the_sign_in_and_opens_no_api() {
    let app = TestApp::start().await;
    person(&app, "ana", Role::Admin).await;
    let mut ana = Visitor::new(&app);
    let asked = ana.get("/console").await;
    let before = ana.cookies.clone();
    let cookie = asked.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let answer = ana.sign_in("ana", PASSWORD, "/console").await;
    assert_eq!(answer.status, 303);
    assert_ne!(ana.cookies, before, "whoever knew the word of before knows nothing");
    assert_eq!(ana.get("/console").await.status, 200);
    assert_eq!(
        ana.get("/api/v1/me").await.status,
        401,
        "a browser can be made to do nothing"
    );
    let kept = format!("{:?}", app.store.users().await.unwrap());
    assert!(!kept.contains(&ana.cookies[0].1) && !kept.contains(PASSWORD));
}

#[tokio::test]
async fn where_the_server_is_reached_by_tls_the_cookie_is_sent_by_tls_alone() {
    let app = TestApp::start_with("[server]\npublic_url = \"https://sync.example.com\"").await;
    let mut ana = Visitor::new(&app);
    let cookie = ana.get("/console").await.header("set-cookie").unwrap().to_owned();
    assert!(
        cookie.starts_with("__Host-syncline=") && cookie.contains("; Secure") && cookie.contains("Path=/;"),
        "{cookie}"
    );
}

#[tokio::test]
async fn a_session_ends_at_rest_after_its_longest_time_and_by_signing_out() {
    let setup = Setup {
        clock: Clock::manual("2026-05-04T08:00:00Z".parse().unwrap()),
        ..Setup::new("[console]\nsession_idle = \"1h\"\nsession_longest = \"3h\"")
    };
    let app = setup.start().await;
    let later = |minutes| app.clock.set(app.clock.now() + TimeDelta::minutes(minutes));
    let mut ana = Visitor::signed_in(&app, Role::Viewer).await;
    for _ in 0..3 {
        later(50);
        assert_eq!(ana.get("/console").await.status, 200, "it is used");
    }
    later(35);
    assert_eq!(ana.get("/console").await.status, 401, "it has lasted long enough");

    let again = ana.sign_in("viewer", PASSWORD, "/console").await;
    assert_eq!(again.status, 303);
    later(61);
    assert_eq!(ana.get("/console").await.status, 401, "it has rested for too long");

    ana.sign_in("viewer", PASSWORD, "/console").await;
    ana.get("/console").await;
    let stolen = ana.cookies.clone();
    let out = ana.post("/console/sign-out", &[]).await;
    assert_eq!(
        (out.status, out.header("location")),
        (303, Some("/console/sign-in?done=signed-out"))
    );
    ana.cookies = stolen;
    assert_eq!(
        ana.get("/console").await.status,
        401,
        "the word is worth nothing any more"
    );
}

#[tokio::test]
async fn a_removed_person_or_a_new_password_ends_every_session_at_once() {
    let app = TestApp::start().await;
    let mut ana = Visitor::signed_in(&app, Role::Operator).await;
    user::set_password(&app.store, "operator", "another long password".into(), "test")
        .await
        .unwrap();
    assert_eq!(ana.get("/console").await.status, 401);
    assert_eq!(ana.sign_in("operator", PASSWORD, "").await.status, 401);
    assert_eq!(ana.sign_in("operator", "another long password", "").await.status, 303);
    user::remove(&app.store, "operator", "test").await.unwrap();
    assert_eq!(ana.get("/console").await.status, 401);
    assert_eq!(ana.sign_in("operator", "another long password", "").await.status, 401);
}

#[tokio::test]
async fn a_link_sets_a_password_once_and_ends() {
    let clock = Clock::manual("2026-05-04T08:00:00Z".parse().unwrap());
    let app = Setup {
        clock,
        ..Setup::new("")
    }
    .start()
    .await;
    let first = user::first(&app.store, &settings("")).await.unwrap().unwrap();
    assert!(
        user::first(&app.store, &settings("")).await.unwrap().is_none(),
        "only the first start has one"
    );
    let path = first.url.strip_prefix("http://127.0.0.1:8320").unwrap().to_owned();
    let mut admin = Visitor::new(&app);
    let page = admin.get(&path).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<strong>admin</strong>"));
    for bad in [("short", "short"), (PASSWORD, "another long password")] {
        let answer = admin.post(&path, &[("password", bad.0), ("again", bad.1)]).await;
        assert_eq!(answer.status, 422);
    }
    let set = admin.post(&path, &[("password", PASSWORD), ("again", PASSWORD)]).await;
    assert_eq!((set.status, set.header("location")), (303, Some("/console")));
    assert_eq!(
        admin.get("/console/settings").await.status,
        200,
        "they are signed in, as an administrator"
    );
    assert_eq!(admin.get(&path).await.status, 404, "it works once");

    let late = user::link(&app.store, &settings(""), "admin", "test").await.unwrap();
    app.clock.set(late.until + TimeDelta::seconds(1));
    let late = late.url.strip_prefix("http://127.0.0.1:8320").unwrap();
    assert_eq!(Visitor::new(&app).get(late).await.status, 404, "it has ended");
    for never in ["/console/link/x", &format!("/console/link/{}", "A".repeat(43))] {
        assert_eq!(Visitor::new(&app).get(never).await.status, 404, "{never}");
    }
}

#[tokio::test]
async fn wrong_passwords_slow_their_address_down_and_lock_nobody_out_who_knows_theirs() {
    let app = TestApp::start_with("[server]\nauth_failure_rate = \"1/h\"\nauth_failure_burst = 3").await;
    person(&app, "ana", Role::Viewer).await;
    assert_eq!(Visitor::new(&app).sign_in("ana", PASSWORD, "").await.status, 303);
    let mut guesser = Visitor::new(&app);
    for (name, status) in [("ana", 401), ("nobody", 401), ("ana", 401), ("ana", 429)] {
        let answer = guesser.sign_in(name, "a wrong password", "").await;
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.header("retry-after").is_some(), status == 429);
    }
    assert_eq!(
        Visitor::new(&app).sign_in("ana", PASSWORD, "").await.status,
        303,
        "it was right a moment ago"
    );
}

#[tokio::test]
async fn a_form_that_no_page_of_ours_gave_to_this_browser_does_nothing() {
    let app = TestApp::start().await;
    let mut ana = Visitor::signed_in(&app, Role::Admin).await;
    let mut other = Visitor::new(&app);
    other.get("/console").await;
    let good = ana.form.clone();
    for bad in ["", "x", &other.form] {
        bad.clone_into(&mut ana.form);
        assert_eq!(ana.post("/console/sign-out", &[]).await.status, 403, "{bad}");
    }
    let body = format!("form={good}");
    for headers in [
        [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")],
        [("Origin", "null"), ("Accept", "*/*")],
        [("Sec-Fetch-Site", "same-site"), ("Accept", "*/*")],
    ] {
        let answer = ana.send("POST", "/console/sign-out", &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    assert_eq!(ana.get("/console").await.status, 200, "nothing was done");
    // Also not the sign-in, by which a stranger could have her work under their name.
    let stranger = Visitor::new(&app)
        .post("/console/sign-in", &[("name", "admin"), ("password", PASSWORD)])
        .await;
    assert_eq!(stranger.status, 403);
}

#[tokio::test]
async fn nobody_is_led_to_another_site() {
    let app = TestApp::start().await;
    person(&app, "ana", Role::Viewer).await;
    for bad in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/console//evil.example",
        "javascript:alert(1)",
    ] {
        let mut ana = Visitor::new(&app);
        let answer = ana.sign_in("ana", PASSWORD, bad).await;
        assert_eq!(answer.header("location"), Some("/console"), "{bad}");
        ana.get("/console").await;
        let answer = ana
            .post("/console/language", &[("language", "pt-BR"), ("next", bad)])
            .await;
        assert_eq!(answer.header("location"), Some("/console"), "{bad}");
    }
}

#[tokio::test]
async fn every_page_forbids_what_it_does_not_need() {
    let app = TestApp::start().await;
    let mut ana = Visitor::signed_in(&app, Role::Viewer).await;
    let mut stranger = Visitor::new(&app);
    for answer in [
        ana.get("/console").await,
        ana.get("/console/settings").await,
        ana.get("/console/nothing").await,
        stranger.get("/console").await,
    ] {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"),
            "{policy}"
        );
        assert!(
            !policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{}",
            answer.status
        );
        let text = answer.text();
        assert!(
            !text.contains(" style=") && !text.contains(" onclick=") && !text.contains("<style"),
            "{text}"
        );
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "nothing of others is loaded: {text}"
        );
    }
    let style = ana.get("/console/asset/style.css?v=1").await;
    assert_eq!(
        (style.status, style.header("content-type")),
        (200, Some("text/css; charset=utf-8"))
    );
    assert_eq!(ana.get("/console/asset/..%2Fmod.rs").await.status, 404);
}

#[tokio::test]
async fn a_console_that_is_switched_off_is_not_there() {
    let app = TestApp::start_with("[console]\nenabled = false").await;
    for path in ["/console", "/console/sign-in", "/console/asset/style.css"] {
        assert_eq!(Visitor::new(&app).get(path).await.status, 404, "{path}");
    }
    assert!(
        user::first(&app.store, &settings("[console]\nenabled = false"))
            .await
            .unwrap()
            .is_none()
    );
}
