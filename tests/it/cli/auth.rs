//! A person signs in at the command line, and sees what ends when.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

use serde_json::json;
use url::Url;

use super::Place;
use crate::support::{
    http::send,
    loopback::{Loopback, Reply, Seen},
};

fn answer(seen: &Seen) -> Reply {
    match seen.path() {
        "/token" if seen.form()["code"] == "right" => Reply::json(
            200,
            &json!({ "access_token": "canary-a", "refresh_token": "canary-r", "expires_in": 3600, "refresh_expires_in": 86400 }),
        ),
        _ => Reply::json(400, &json!({ "error": "invalid_grant" })),
    }
}

fn place(server: &Loopback) -> Place {
    let place = Place::empty();
    let url = server.url();
    place.write(
        "connectors/people.yaml",
        "connector: people\nsettings: { base_url: { type: url } }\nbase_url: \"{{ settings.base_url }}\"\n\
         auth:\n  oauth2:\n    grant: authorization_code\n    authorize_url: \"{{ settings.base_url }}/sign-in\"\n    \
         token_url: \"{{ settings.base_url }}/token\"\n\
         objects: { account: { id: id, list: { get: /accounts }, get: { get: \"/accounts/{{ id }}\" } } }\n",
    );
    place.write("mappings/.keep", "");
    place.write(
        "config/dev.toml",
        &format!(
            "[systems.crm]\nconnector = \"people\"\nsettings = {{ base_url = \"{url}\" }}\nallow_networks = [\"127.0.0.0/8\"]\n\
             credentials = {{ client_id = \"c1\" }}\nsecret_owner = \"it@example.com\"\n"
        ),
    );
    place
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Begins a sign-in; the page's address is the first line.
fn login(place: &Place, args: &[&str]) -> (Running, Url) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["--quiet", "auth", "login", "crm"])
        .args(args)
        .current_dir(place.path())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (Running(child), Url::parse(line.trim()).unwrap())
}

fn asked(page: &Url, name: &str) -> String {
    page.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

fn state(place: &Place, code: i32) -> serde_json::Value {
    let rows = place.json_of(code, &["auth", "status"]);
    assert_eq!(rows[0]["owner"], "it@example.com");
    rows[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_the_browser_and_others_who_call_are_passed_over() {
    let server = Loopback::start(answer).await;
    let place = place(&server);
    assert_eq!(state(&place, 1)["state"], "needs_login");
    let (mut running, page) = login(&place, &[]);
    let redirect = Url::parse(&asked(&page, "redirect_uri")).unwrap();
    let address = format!("127.0.0.1:{}", redirect.port().unwrap());
    for target in ["/favicon.ico", "/callback?code=stolen&state=guessed"] {
        let reply = send(&address, "GET", target, &[], b"").await;
        assert_eq!(reply.status, 404, "{target}");
    }
    let target = format!("/callback?code=right&state={}", asked(&page, "state"));
    assert_eq!(send(&address, "GET", &target, &[], b"").await.status, 200);
    assert!(running.0.wait().unwrap().success());
    let status = state(&place, 0);
    assert_eq!(
        (&status["state"], &status["grant"]),
        (&json!("signed_in"), &json!("authorization_code"))
    );
    assert!(
        status["ends_at"].is_string() && status["refresh_ends_at"].is_string(),
        "{status}"
    );
    assert!(!status.to_string().contains("canary"));
    place.run(&["auth", "logout", "crm"]).code(0);
    assert_eq!(state(&place, 1)["state"], "needs_login");
    assert_eq!(server.count("/token"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_browser_runs_elsewhere_the_address_is_pasted() {
    let server = Loopback::start(answer).await;
    let place = place(&server);
    let registered = "https://sync.example.com/callback";
    for (code, ends_well) in [("wrong", false), ("right", true)] {
        let (mut running, page) = login(&place, &["--paste", "--redirect", registered]);
        assert_eq!(asked(&page, "redirect_uri"), registered);
        let answer = format!("{registered}?code={code}&state={}\n", asked(&page, "state"));
        running.0.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        assert_eq!(running.0.wait().unwrap().success(), ends_well);
    }
    place.run(&["auth", "login", "crm", "--redirect", registered]).code(2);
    place.run(&["auth", "login", "crm", "--paste"]).code(2);
    place.run(&["auth", "login", "erp"]).code(2);
}
