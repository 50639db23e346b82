//! `syncline doctor`: what it finds about a system, and the next step it names, for every kind of trouble.

use serde_json::{Value as Json, json};
use syncline::clock::Clock;

use super::{Place, stdout};

use crate::support::loopback::{Loopback, Reply};

const CONNECTOR: &str = r#"
connector: sample
settings:
  base_url: { type: url }
  token_url: { type: text, default: "" }
credentials: [token]
base_url: "{{ settings.base_url }}"
auth:
  bearer: { token: "{{ credentials.token }}" }
objects:
  account:
    id: id
    fields: { id: integer, name: text, vat: text }
    closed: yes
    list: { get: /accounts, query: { since: "{{ since }}" }, records: items, overlap: 2m }
    find: { get: /accounts, query: { vat: "{{ value }}" }, fields: [vat], records: items }
    get: { get: "/accounts/{{ id }}" }
    create: { post: /accounts, body: "{{ record }}" }
    update: { patch: "/accounts/{{ id }}", body: "{{ changes }}" }
  invoice:
    id: id
    list: { get: /invoices, records: items }
"#;

const MAPPING: &str = r"
mapping: account
title: Accounts
owner: ops@example.com
between: { crm: account, erp: account }
match:
  - { crm: vat, erp: vat }
fields:
  - { crm: vat, erp: vat }
  - { crm: name, erp: name }
prefer: crm
conflict: newest
create: { crm: yes, erp: yes }
poll: { crm: 5m }
";

const OAUTH: &str = r#"
  oauth2: { grant: client_credentials, token_url: "{{ settings.token_url }}" }
"#;

/// A project about the system at `url`.
fn place(url: &str) -> Place {
    let system = |name: &str| {
        format!(
            "[systems.{name}]\nconnector = \"sample\"\nsettings = {{ base_url = \"{url}\" }}\n\
             credentials = {{ token = \"canary-token\" }}\nsecret_owner = \"it@example.com\"\n\
             allow_networks = [\"127.0.0.0/8\"]\n\n"
        )
    };
    let place = Place::with(&format!("{}{}", system("crm"), system("erp")));
    place.write("connectors/sample.yaml", CONNECTOR);
    place.write("mappings/account.yaml", MAPPING);
    place
}

/// The same, with a sign-in of its own at `token_url`.
fn signing_in(url: &str, token_url: &str) -> Place {
    let place = place(url);
    place.edit(
        "connectors/sample.yaml",
        "\n  bearer: { token: \"{{ credentials.token }}\" }\n",
        OAUTH,
    );
    place.edit(
        "connectors/sample.yaml",
        "credentials: [token]",
        "credentials: [client_id, client_secret]",
    );
    for _system in ["crm", "erp"] {
        place.edit(
            "config/dev.toml",
            "token = \"canary-token\"",
            "client_id = \"svc\", client_secret = \"canary-token\"",
        );
        let settings = format!("settings = {{ base_url = \"{url}\" }}");
        let more = format!("settings = {{ base_url = \"{url}\", token_url = \"{token_url}\" }}");
        place.edit("config/dev.toml", &settings, &more);
    }
    place
}

fn page(records: u64) -> Reply {
    let items: Vec<Json> = (0..records).map(|id| json!({ "id": id, "name": "Ana" })).collect();
    Reply::json(200, &json!({ "items": items }))
}

fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The finding about an object.
fn of<'a>(findings: &'a [Json], about: &str) -> &'a Json {
    let found = findings.iter().find(|finding| finding["about"] == about);
    found.unwrap_or_else(|| panic!("nothing about {about}: {findings:#?}"))
}

/// The one trouble that is met, which ends the command with 1.
fn trouble(place: &Place) -> (String, String) {
    let findings = place.json_of(1, &["doctor", "crm"]);
    assert!(!findings.iter().any(|finding| finding.to_string().contains("canary")));
    let finding = of(&findings, "account");
    assert_eq!(finding["state"], "wrong", "{finding}");
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    (text("trouble"), text("next"))
}

async fn answered(reply: Reply) -> (String, String) {
    let server = Loopback::answering([reply]).await;
    trouble(&place(&server.url()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_trouble_comes_with_its_next_step() {
    let busy = Reply::status(429).with("retry-after", "90");
    for (reply, kind, step) in [
        (Reply::hang_up(), "broken", "proxies and firewalls"),
        (Reply::status(503), "busy", "ask whoever runs the system"),
        (
            busy,
            "busy",
            "lower `rate` or `concurrency` in `limits` of [systems.crm]",
        ),
        (
            Reply::status(401),
            "sign_in",
            "replace the credentials of [systems.crm]",
        ),
        (
            Reply::status(403),
            "denied",
            "let the integration user of crm read `account`",
        ),
        (
            Reply::html(200),
            "wrong_address",
            "a login page, a proxy, or another path",
        ),
        (
            Reply::status(302).with("location", "/login"),
            "wrong_address",
            "correct the address in `settings`",
        ),
        (
            Reply::json(200, &json!({ "data": [] })),
            "mismatch",
            "correct `account` in connectors/sample.yaml",
        ),
    ] {
        let told = format!("{reply:?}");
        let (found, next) = answered(reply).await;
        assert_eq!(found, kind, "{told}");
        assert!(next.contains(step), "{told}: {next}");
    }
}

#[test]
fn a_system_that_nobody_reaches_is_told_with_its_address() {
    let url = closed_port();
    let (kind, next) = trouble(&place(&url));
    assert_eq!(kind, "unreachable");
    assert!(next.contains(&url) && next.contains("[systems.crm]"), "{next}");
}

#[test]
fn an_address_that_the_guard_refuses_is_told_with_the_key_that_allows_it() {
    let place = place(&closed_port());
    place.edit("config/dev.toml", "allow_networks = [\"127.0.0.0/8\"]", "");
    let (kind, next) = trouble(&place);
    assert_eq!(kind, "forbidden");
    assert!(next.contains("`allow_networks` of [systems.crm]"), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_fails_is_told_apart_from_a_sign_in_server_that_is_not_there() {
    let server = Loopback::answering([page(1)]).await;
    let (kind, next) = trouble(&signing_in(&server.url(), &closed_port()));
    assert_eq!(kind, "unreachable");
    assert!(
        next.contains("`token_url`") && next.contains("credentials were not looked at"),
        "{next}"
    );
    let refusing = Loopback::answering([Reply::json(401, &json!({ "error": "invalid_client" }))]).await;
    let (kind, next) = trouble(&signing_in(&server.url(), &refusing.url()));
    assert_eq!(kind, "sign_in");
    assert!(
        next.contains("client id, secret") && next.contains("it@example.com answers for them"),
        "{next}"
    );
    let page = Loopback::answering([Reply::html(200)]).await;
    assert_eq!(trouble(&signing_in(&server.url(), &page.url())).0, "wrong_address");
}

/// The time in an answer, this far from ours.
fn date(seconds: i64) -> String {
    let then = Clock::system().now() + chrono::TimeDelta::seconds(seconds);
    httpdate::fmt_http_date(then.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_that_can_be_listed_is_looked_at_with_clock_limits_and_the_filter_by_time() {
    let server = Loopback::start(|seen| {
        let is_future = seen.param("since").is_some_and(|since| !since.starts_with("1970"));
        let reply = match seen.path() {
            "/accounts" => page(if is_future { 0 } else { 3 }),
            _ => Reply::status(403),
        };
        reply.with("date", date(-200)).with("x-ratelimit-remaining", "0")
    })
    .await;
    let place = place(&server.url());
    let findings = place.json_of(1, &["doctor", "crm"]);
    let account = of(&findings, "account");
    assert_eq!(account["state"], "good", "{account}");
    assert_eq!(account["look"]["records"], 3);
    assert_eq!(account["look"]["filters_changes"], true);
    assert_eq!(account["look"]["limits"]["x-ratelimit-remaining"], "0");
    let invoice = of(&findings, "invoice");
    assert_eq!(
        (&invoice["state"], &invoice["trouble"]),
        (&"notable".into(), &"denied".into())
    );
    assert!(invoice["found"].as_str().unwrap().contains("no mapping uses it"));
    let clock = of(&findings, "clock");
    let found = clock["found"].as_str().unwrap();
    assert!(clock["state"] == "wrong" && found.contains("behind ours"), "{clock}");
    assert_eq!(of(&findings, "rate limit")["state"], "notable");

    let text = stdout(&place.run(&["doctor", "crm"]).code(1));
    let head = text.lines().position(|line| line == "system crm").expect(&text);
    let lines: Vec<_> = text.lines().skip(head + 1).collect();
    assert!(
        lines[0].starts_with(" ✓  account     reached, signed in, 3 records seen in "),
        "{text}"
    );
    assert!(lines[0].ends_with("; filters by time of change"), "{text}");
    assert!(lines[1].starts_with(" !  invoice     [AU002] "), "{text}");
    assert!(
        lines[2].starts_with("                → let the integration user"),
        "{text}"
    );
    assert!(text.ends_with("1 thing wrong\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_by_time_that_does_not_filter_is_found_out() {
    let server = Loopback::answering([page(3)]).await;
    let findings = place(&server.url()).json_of(1, &["doctor", "crm"]);
    let account = of(&findings, "account");
    assert_eq!(
        (&account["state"], &account["look"]["filters_changes"]),
        (&"wrong".into(), &false.into())
    );
    assert!(
        account["found"].as_str().unwrap().contains("RQ040") && account["next"].as_str().unwrap().contains("since"),
        "{account}"
    );
}

/// What is found about an object that reads otherwise than the connector says: how it stands, what was seen, and the next step.
async fn seen(from: &str, to: &str, script: impl Fn() -> Reply + Send + Sync + 'static) -> (String, String, String) {
    let server = Loopback::start(move |seen| {
        let is_future = seen.param("since").is_some_and(|since| !since.starts_with("1970"));
        if is_future { page(0) } else { script() }
    })
    .await;
    let place = place(&server.url());
    place.edit("connectors/sample.yaml", from, to);
    let done = place.run(&["--json", "doctor", "crm"]);
    let findings: Vec<Json> = stdout(&done)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let account = of(&findings, "account");
    let text = |key: &str| account[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("found"), text("next"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reads_otherwise_than_described_is_told_with_the_key_to_correct() {
    let refused = || Reply::json(400, &json!({ "message": "unknown parameter" }));
    let (state, _, next) = seen("connector: sample", "connector: sample", refused).await;
    assert!(
        state == "wrong" && next.contains("correct `list:` of `account`"),
        "{next}"
    );
    assert!(!next.contains("reprocess"), "{next}");

    let (id, dated) = (
        "    id: id\n    fields:",
        "    id: id\n    updated_at: changed\n    fields:",
    );
    let (state, found, next) = seen(id, dated, || page(2)).await;
    assert_eq!(state, "notable");
    assert!(found.contains("none of them has a time at `changed`"), "{found}");
    assert!(
        next.contains("`updated_at:` of `account` in connectors/sample.yaml"),
        "{next}"
    );

    let (list, paged) = (
        "records: items, overlap: 2m }",
        "records: items, overlap: 2m, page: { cursor: next, more: has_more, send: { query: cursor } } }",
    );
    let more = || Reply::json(200, &json!({ "items": [{ "id": 1 }], "after": "b", "has_more": true }));
    let (state, found, _) = seen(list, paged, more).await;
    assert!(
        state == "wrong" && found.contains("nothing at `next` leads to it"),
        "{found}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_ends_short_of_what_the_system_counts_is_wrong() {
    let (list, paged) = (
        "records: items, overlap: 2m }",
        "records: items, overlap: 2m, page: { next_url: nxt, total: count } }",
    );
    let first = || {
        Reply::json(
            200,
            &json!({ "items": [{ "id": 1 }], "next": "/accounts?page=2", "count": 3 }),
        )
    };
    let (state, found, next) = seen(list, paged, first).await;
    assert_eq!(state, "wrong", "{found}");
    assert!(found.contains("though the system says that there are 3"), "{found}");
    assert!(next.contains("correct `page:` of `account`"), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_stands_elsewhere_and_a_redirect_are_told_with_their_place() {
    let elsewhere = || {
        Reply::json(
            200,
            &json!({ "meta": { "total": 1 }, "data": { "rows": [{ "id": 1 }] } }),
        )
    };
    let (_, found, _) = seen("connector: sample", "connector: sample", elsewhere).await;
    assert!(
        found.contains("no list at `items`; there is one at `data.rows`"),
        "{found}"
    );

    let slash = || Reply::status(301).with("location", "/accounts/?token=canary-token");
    let (_, found, _) = seen("connector: sample", "connector: sample", slash).await;
    assert!(
        found.contains("(to `/accounts/`)") && !found.contains("canary"),
        "{found}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_nothing_is_mapped_of_yet_and_nothing_can_be_read_of_is_wrong() {
    let server = Loopback::start(|_| Reply::status(403)).await;
    let place = place(&server.url());
    std::fs::remove_file(place.path().join("mappings/account.yaml")).unwrap();
    let findings = place.json_of(1, &["doctor", "crm"]);
    assert_eq!(of(&findings, "account")["state"], "wrong", "{findings:?}");
}

#[test]
fn a_database_that_could_not_be_made_is_told_before_the_first_start() {
    let place = place(&closed_port());
    place.write("data", "a file where a folder should be");
    let findings = place.json_of(1, &["doctor"]);
    let database = findings.iter().find(|finding| finding["part"] == "database").unwrap();
    assert_eq!(database["state"], "wrong", "{database}");
    assert!(
        database["found"].as_str().unwrap().contains("it is no folder"),
        "{database}"
    );
}

#[test]
fn a_connector_whose_file_has_an_error_is_told_with_the_error_and_its_line() {
    let place = place(&closed_port());
    place.edit(
        "connectors/sample.yaml",
        "connector: sample",
        "connector: sample\ntitel: Sample",
    );
    let findings = place.json_of(1, &["doctor", "crm"]);
    let own = findings.iter().find(|finding| finding["part"] == "system crm").unwrap();
    let found = own["found"].as_str().unwrap();
    for part in [
        "connector `sample` has an error",
        "sample.yaml:3: [FM001] unknown key `titel`",
    ] {
        assert!(found.contains(part), "{part} not in {found}");
    }
    assert!(own["next"].as_str().unwrap().contains("did you mean `title`?"), "{own}");
}

#[test]
fn an_address_that_does_not_lead_to_where_the_server_listens_is_told() {
    let place = place(&closed_port());
    let told = |settings: &str| {
        let settings = format!("[server]\n{settings}\n");
        place.edit("config/dev.toml", "[systems.crm]", &format!("{settings}[systems.crm]"));
        let findings = place.json_of(1, &["doctor"]);
        place.edit("config/dev.toml", &settings, "");
        let found = findings.into_iter().find(|finding| finding["part"] == "webhooks")?;
        Some((found["state"].clone(), found["found"].to_string()))
    };
    let (state, found) = told("bind = \"127.0.0.1:8443\"\npublic_url = \"http://localhost:9000\"").unwrap();
    assert!(
        state == "notable" && found.contains("does not lead to the other"),
        "{found}"
    );
    assert!(told("bind = \"127.0.0.1:8443\"\npublic_url = \"http://sync.example:8443\"").is_some());
    assert_eq!(
        told("bind = \"127.0.0.1:8443\"\npublic_url = \"http://localhost:8443\""),
        None
    );
    assert_eq!(
        told("bind = \"127.0.0.1:8443\"\npublic_url = \"https://sync.example\""),
        None
    );
}
