//! Secrets in nothing that leaves the daemon: a canary in every slot, everything told (`trace`), everything that can go wrong, and
//! then a search of all that was written.

mod crawl;
mod hunt;
mod loud;
mod scene;

use std::{collections::BTreeMap, fs};

use serde_json::Value as Json;
use syncline::{
    sandbox::{
        Edit,
        fault::{Fault, Order},
    },
    server::console,
};

use self::{
    crawl::{crawl, dechunked, filled},
    hunt::Hunt,
    scene::{LOUD, Running, SHOWN, Scene},
};
use super::site::{customer, until};
use crate::support::{
    database::Database,
    http::{self, Answer},
    rig::{Budget, report},
    visitor::Visitor,
};

/// What was seen, by where it was.
#[derive(Default)]
pub struct Told(BTreeMap<&'static str, Vec<u8>>);

impl Told {
    fn add(&mut self, place: &'static str, bytes: impl AsRef<[u8]>) {
        let all = self.0.entry(place).or_default();
        all.extend_from_slice(bytes.as_ref());
        all.push(b'\n');
    }

    fn answer(&mut self, place: &'static str, answer: &Answer) {
        // A cookie is for the browser that gets it.
        let others = answer
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
        self.add(place, format!("{} {:?}", answer.status, others.collect::<Vec<_>>()));
        self.add(place, dechunked(answer));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_any_slot_is_in_anything_that_leaves_the_daemon() {
    let budget = Budget::new(1, 1);
    let scene = Scene::build(Hunt::new(budget.chance()), None).await;
    let told = play(scene, async |scene| {
        let mut all = Vec::new();
        for entry in fs::read_dir(scene.path("data")).unwrap() {
            all.extend(fs::read(entry.unwrap().path()).unwrap());
        }
        all
    })
    .await;
    report(&told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_any_slot_leaves_a_daemon_on_postgres_not_even_that_of_its_database() {
    let Some(database) = Database::postgres().await else {
        return;
    };
    let budget = Budget::new(1, 1);
    let mut hunt = Hunt::new(budget.chance());
    let password = hunt.plain("store.url");
    let mut url = url::Url::parse(database.url()).unwrap();
    let schema = url
        .query_pairs()
        .find(|(name, _)| name == "application_name")
        .unwrap()
        .1
        .into_owned();
    let role = format!("canary_{schema}");
    database
        .raw(format!(
            "create role {role} login password '{password}'; grant usage, create on schema {schema} to {role}"
        ))
        .await;
    url.set_username(&role).unwrap();
    url.set_password(Some(&password)).unwrap();
    let scene = Scene::build(hunt, Some(url.as_str())).await;
    let told = play(scene, async |_| rows(&database, &schema).await).await;
    database
        .raw(format!("drop owned by {role} cascade; drop role {role}"))
        .await;
    report(&told);
}

/// Every row of every table, as text; bytes in hexadecimal.
async fn rows(database: &Database, schema: &str) -> Vec<u8> {
    let sql = format!("select string_agg(tablename, ' ') from pg_tables where schemaname = '{schema}'");
    let mut all = String::new();
    for table in database.raw_text(sql).await.unwrap().split(' ') {
        let sql = format!("select coalesce(string_agg(row_to_json(t)::text, ' '), '') from {schema}.{table} t");
        all.push_str(&database.raw_text(sql).await.unwrap());
    }
    all.into_bytes()
}

/// Lets everything happen, and looks at everything that came of it; how much that was.
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn play(mut scene: Scene, stored: impl AsyncFn(&Scene) -> Vec<u8>) -> String {
    let mut told = Told::default();
    let token = prepare(&mut scene, &mut told);
    let daemon = scene.start().await;
    told.add("cmdline", fs::read(format!("/proc/{}/cmdline", daemon.0.id())).unwrap());
    let (bearer, address) = (format!("Bearer {token}"), scene.address.clone());
    let call = async |method: &str, path: &str, body: &str| {
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        http::send(&address, method, path, &headers, body.as_bytes()).await
    };
    // A report before anything goes wrong.
    told.answer(
        "api",
        &call("POST", &format!("/api/v1/mappings/{SHOWN}/reconcile"), "{}").await,
    );
    let runs = async || {
        let runs = call("GET", "/api/v1/runs", "").await.json();
        let all = runs["items"].as_array().unwrap().iter();
        all.filter(|run| run["kind"] == "reconcile")
            .cloned()
            .collect::<Vec<_>>()
    };
    let is_over = |runs: &[Json], count| {
        let over = runs.iter().filter(|run| run["status"] != "running");
        over.count() >= count && runs.iter().all(|run| run["status"] != "running")
    };
    until("the report is there", async || is_over(&runs().await, 1).then_some(())).await;
    trouble(&scene, &mut told).await;
    for (left, _) in LOUD {
        for path in [
            "reconcile",
            "records/left/7/plan",
            "records/right/7/plan",
            "records/left/7/sync",
            "records/left/7/show",
        ] {
            let body = if path.ends_with("show") {
                r#"{"reason":"looked for"}"#
            } else {
                "{}"
            };
            let answer = call("POST", &format!("/api/v1/mappings/{left}/{path}"), body).await;
            assert!(![401, 429].contains(&answer.status), "{left} {path}: {}", answer.text());
            told.answer("api", &answer);
        }
    }
    until("every mapping was tried", async || {
        is_over(&runs().await, 1 + LOUD.len()).then_some(())
    })
    .await;
    for (name, _) in LOUD.iter().copied().chain(LOUD.map(|(left, right)| (right, left))) {
        let is_asked = scene
            .loud
            .seen()
            .iter()
            .any(|seen| seen.path().starts_with(&format!("/{name}/")));
        assert!(is_asked || name == "table", "`{name}` was asked for something");
    }
    told.add("database", stored(&scene).await);
    // Another start, which looks at once what is to be told.
    end(daemon);
    let daemon = scene.start().await;
    until("people and programs are told", async || {
        let is_sent = scene.loud.seen().iter().any(|seen| seen.path().starts_with("/notify/"));
        (is_sent && !scene.mail.commands().is_empty()).then_some(())
    })
    .await;
    visit(&mut scene, &mut told).await;
    crawl(&call, &mut told).await;
    for args in [
        ["doctor", "--json"],
        ["config", "show"],
        ["auth", "status"],
        ["token", "list"],
        ["user", "list"],
        ["failures", "--json"],
    ] {
        let done = scene.run(&args, "");
        told.add("commands", [done.stdout, done.stderr].concat());
    }
    told.add("database", stored(&scene).await);
    end(daemon);
    told.add("database", stored(&scene).await);
    told.add("log", fs::read(scene.path("log")).unwrap());
    judge(&scene.hunt, &told)
}

/// Makes the token and the people; the daemon is not there yet.
fn prepare(scene: &mut Scene, told: &mut Told) -> String {
    let mut run = |scene: &Scene, args: &[&str], input: &str| {
        let done = scene.run(args, input);
        let error = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{args:?}: {error}");
        told.add("commands", error);
        String::from_utf8(done.stdout).unwrap()
    };
    let checked = run(scene, &["check"], "");
    assert!(checked.contains("5 mappings"), "{checked}");
    run(scene, &["migrate"], "");
    let made = run(scene, &["--json", "token", "create", "ops", "--role", "admin"], "");
    let made: Json = serde_json::from_str(&made).unwrap();
    let token = made["token"].as_str().unwrap().to_owned();
    // What stands before the secret of every token is no secret.
    scene
        .hunt
        .add("a token of the API", &token.as_bytes()["syncline_".len()..]);
    let added = run(scene, &["--json", "user", "add", "ana", "--role", "admin"], "");
    let added: Json = serde_json::from_str(&added).unwrap();
    let link = added["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    scene.hunt.add("the link of a person", link.as_bytes());
    fs::write(scene.path("link"), link).unwrap();
    run(scene, &["user", "add", "bia", "--role", "admin"], "");
    run(scene, &["user", "password", "bia"], &format!("{}\n", scene.password));
    token
}

/// Edits while the CRM fails, and webhooks that are wrong in every way.
async fn trouble(scene: &Scene, told: &mut Told) {
    for fault in [
        Order::share(0.3, Fault::Unauthorized),
        Order::share(0.2, Fault::DropAnswer),
        Order::share(0.2, Fault::status(500)),
        Order::share(0.1, Fault::CutBody),
    ] {
        scene.systems.crm.faults().order(fault).unwrap();
    }
    let hook = format!("http://{}/webhooks/erp", scene.address);
    scene
        .systems
        .erp
        .subscribe(&hook, &scene.erp_hook.as_str().into())
        .unwrap();
    for number in 0..10 {
        scene
            .systems
            .erp
            .create("customer", &customer(number), &Edit::by("user:ana"))
            .unwrap();
    }
    scene.systems.webhooks_settled().await;
    for (system, secret) in &scene.hooks {
        let basic = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, secret);
        let basic = format!("Basic {basic}");
        let good = format!(r#"{{"id":"7","auth":{{"token":{}}}}}"#, Json::from(secret.as_str()));
        let path = format!("/webhooks/{system}");
        let query = format!("{path}?token={secret}");
        let headers = [
            ("Authorization", basic.as_str()),
            ("X-Secret", secret.as_str()),
            ("X-Signature", secret.as_str()),
        ];
        // Well, with half of a body, with half of a secret, and with the secret in every place that is none.
        for (path, headers, body) in [
            (query.clone(), &headers[..], good.clone()),
            (query.clone(), &headers[..], good[..good.len() - 3].to_owned()),
            (query, &headers[..], format!("[{secret}")),
            (
                format!("{path}?secret={secret}&token={}", &secret[..20]),
                &[][..],
                good.replace("\"}", "x\"}"),
            ),
            (format!("{path}/{secret}"), &headers[..], String::new()),
        ] {
            told.answer(
                "webhooks",
                &http::send(&scene.address, "POST", &path, headers, body.as_bytes()).await,
            );
        }
    }
}

/// A person at the console: with a link, with a wrong password, by way of the provider, and at every page.
async fn visit(scene: &mut Scene, told: &mut Told) {
    let mut visitor = Visitor {
        address: scene.address.clone(),
        cookies: Vec::new(),
        form: String::new(),
        language: "en",
    };
    let link = fs::read_to_string(scene.path("link")).unwrap();
    let path = format!("/console/link/{link}");
    let passwords = [("password", scene.password.as_str()), ("again", "another one")];
    for answer in [visitor.get(&path).await, visitor.post(&path, &passwords).await] {
        // The page has a form that leads to itself, and only who has the link sees it.
        told.add("console", answer.text().replace(&path, ""));
    }
    let left = visitor.get("/console/sign-in/openid?next=/console").await;
    let provider = url::Url::parse(left.header("location").unwrap()).unwrap();
    let state = provider
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let code = scene.hunt.plain("a code of the provider");
    let back = format!("/console/sign-in/openid/back?code={code}&state={state}");
    told.answer("console", &visitor.get(&back).await);
    assert!(scene.loud.count("/oidc/token") > 0, "the provider was asked");
    let almost = format!("{}x", scene.password);
    told.answer("console", &visitor.sign_in("bia", &almost, "/console").await);
    let before = visitor.cookies.clone();
    let answer = visitor.sign_in("bia", &scene.password, "/console").await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_ne!(visitor.cookies, before);
    for (name, value) in &visitor.cookies {
        if value.len() >= 40 {
            scene.hunt.add(&format!("the cookie `{name}`"), value.as_bytes());
        }
    }
    for route in console::routes().iter().filter(|route| route.method == "GET") {
        for path in filled(&route.path) {
            let answer = visitor.get(&path).await;
            assert!(
                answer.status < 500 || path.contains("openid"),
                "{path}: {}",
                answer.text()
            );
            told.answer("console", &answer);
        }
    }
}

fn end(mut daemon: Running) {
    let asked = std::process::Command::new("kill")
        .args(["-TERM", &daemon.0.id().to_string()])
        .status();
    assert!(asked.unwrap().success());
    assert!(daemon.0.wait().unwrap().success(), "the daemon ended well");
}

/// Finds what may be shown in every place, and no secret in any.
fn judge(hunt: &Hunt, told: &Told) -> String {
    let mut found = Vec::new();
    for (place, bytes) in &told.0 {
        found.extend(hunt.find(bytes).into_iter().map(|one| format!("in {place}: {one}")));
    }
    assert!(
        found.is_empty(),
        "{} secrets are told:\n{}",
        found.len(),
        found.join("\n")
    );
    for place in [
        "api", "cmdline", "console", "csv", "database", "html", "jsonl", "log", "metrics", "xlsx",
    ] {
        let bytes = &told.0[place];
        let is_seen = bytes.windows(SHOWN.len()).any(|window| window == SHOWN.as_bytes());
        assert!(
            is_seen,
            "`{SHOWN}` was not found in {place}: nothing is looked at there"
        );
    }
    let bytes: usize = told.0.values().map(Vec::len).sum();
    let log = told.0["log"].len();
    format!(
        "{} slots, {bytes} bytes of which {log} are the log: no secret",
        hunt.slots()
    )
}
