//! The address guard on every way out: the system's address, the token endpoint, the next page.

use serde_json::json;
use syncline::{
    client::{BatchItem, Outcome, Road, System, guard::Policy},
    core::{status::WriteKind, value::Value},
};

use super::{Sample, account, ana, get, list};
use crate::support::loopback::{Loopback, Reply};

/// Spellings of this machine and of networks that are not public. `PORT` is where a trap listens.
const FORMS: &[&str] = &[
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.0.0.1.",
    "①②⑦.0.0.1",
    "１２７.0.0.1",
    "127。0。0。1",
    "127．0．0．1",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "0",
    "0.0.0.0",
    "0.0.0.1",
    "0x0",
    "00",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::]",
    "[2001::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[fc00::1]",
    "[fd00::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[100::1]",
    "[5f00::1]",
    "[4000::1]",
    // One above and one below each edge of a range that is refused, in the forms that senders use.
    "0.255.255.255",
    "10.0.0.0",
    "10.128.0.1",
    "012.0.0.1",
    "0xa.0.0.1",
    "167772161",
    "0x0a000001",
    "100.64.0.0",
    "100.100.100.200",
    "1681915904",
    "127.0.0.0",
    "127.255.255.255",
    "0x7f.0.1",
    "0177.1",
    "00000177.0.0.1",
    "127.0x0.0.1",
    "169.254.0.0",
    "169.254.170.2",
    "169.254.255.255",
    "169.254.43518",
    "0251.0376.0251.0376",
    "0xa9.0xfe.0xa9.0xfe",
    "172.16.0.0",
    "172.24.0.1",
    "2886729729",
    "192.0.0.0",
    "192.0.0.170",
    "192.0.0.255",
    "192.0.2.255",
    "192.88.99.255",
    "192.168.0.0",
    "192.168.1.1",
    "0300.0250.0.1",
    "0xc0a80001",
    "3232235521",
    "198.18.0.0",
    "198.51.100.255",
    "203.0.113.255",
    "224.0.0.0",
    "224.0.0.251",
    "239.255.255.250",
    "240.0.0.0",
    "255.255.255.254",
    "4294967295",
    "[::ffff:10.0.0.1]",
    "[::ffff:0a00:1]",
    "[::ffff:172.16.0.1]",
    "[::ffff:192.168.0.1]",
    "[::ffff:100.64.0.1]",
    "[::ffff:0.0.0.0]",
    "[::10.0.0.1]",
    "[::a9fe:a9fe]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1:7f00:0:1::]",
    "[2002:a00:1::1]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:a9fe:a9fe::]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[2001:db8:ffff::1]",
    "[3fff:fff::1]",
    "[fc00::]",
    "[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]",
    "[fe80::]",
    "[febf::1]",
    "[feff::1]",
    "[ff00::]",
    "[ff05::1:3]",
    "[0000:0000:0000:0000:0000:ffff:7f00:0001]",
    "[::FFFF:127.0.0.1]",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
];

fn urls(port: u16) -> impl Iterator<Item = String> {
    let forms = FORMS.iter().map(move |form| format!("http://{form}:{port}"));
    forms.chain([
        format!("http:\\\\127.0.0.1:{port}\\"),
        format!("http:/127.0.0.1:{port}"),
        format!("http:127.0.0.1:{port}"),
    ])
}

/// What every way out of a system without a network of its own meets.
async fn refused_everywhere(system: &System, url: &str) {
    let fields = ana();
    let item = BatchItem {
        id: None,
        version: None,
        fields: &fields,
        key: "key",
        current: None,
    };
    let items = [item, item];
    let value = Value::from("ana@example.com");
    let mut faults = vec![
        get(system).await.unwrap_err(),
        system.find("account", "email", &value, Road::Event).await.unwrap_err(),
        list(system).await.unwrap_err(),
    ];
    let writes = [
        system.create("account", &fields, "key", Road::Event).await.err(),
        system
            .update("account", BatchItem::of("7", &fields, "key"), Road::Event)
            .await
            .err(),
        system.delete("account", "7", None, "key", Road::Event).await.err(),
    ];
    let batch = system
        .write_batch("account", WriteKind::Create, &items, Road::Event)
        .await;
    for write in writes
        .into_iter()
        .map(Option::unwrap)
        .chain(batch.into_iter().map(Result::unwrap_err))
    {
        assert_eq!(write.outcome, Outcome::NotWritten, "{url}");
        faults.push(write.fault);
    }
    for fault in faults {
        assert!(matches!(fault.code, "RQ001" | "RQ002" | "RQ010"), "{url}: {fault}");
        assert!(fault.hint.is_some());
    }
}

#[tokio::test]
async fn there_are_at_least_120_spellings() {
    assert!(urls(80).count() >= 120, "{}", urls(80).count());
}

#[tokio::test]
async fn no_spelling_of_a_private_address_is_reached_by_a_read_or_a_write() {
    let trap = Loopback::answering([Reply::json(200, &account(7))]).await;
    let batch = json!({ "objects": { "account": { "batch": { "create": {
        "post": "/accounts/batch", "body": { "items": "{{ records }}" }, "size": 10,
        "results": "results", "index": "{{ result.index }}", "ok": "{{ result.ok }}", "id": "{{ result.id }}",
    } } } } });
    for url in urls(trap.address().port()) {
        let mut sample = Sample::new().with(batch.clone());
        sample.network = Policy::default();
        // An address that is none is refused earlier.
        let Ok(system) = sample.try_at(&url) else { continue };
        refused_everywhere(&system, &url).await;
    }
    assert_eq!(trap.connects(), 0);
}

#[tokio::test]
async fn no_spelling_of_a_private_address_is_reached_for_a_token_or_a_session() {
    let trap = Loopback::answering([Reply::json(200, &json!({ "access_token": "a" }))]).await;
    for url in urls(trap.address().port()) {
        let oauth2 = json!({ "oauth2": { "grant": "client_credentials", "token_url": format!("{url}/token") } });
        let mut sample = Sample::new()
            .with(json!({ "auth": oauth2 }))
            .credential("client_id", "svc")
            .credential("client_secret", "canary");
        sample.network = Policy::default();
        let fault = get(&sample.at_url("http://192.0.2.1")).await.unwrap_err();
        assert!(
            matches!(fault.code, "RQ001" | "AU008" | "AU004" | "AU007"),
            "{url}: {fault}"
        );
        let session = json!({ "session": {
            "login": { "post": "/login", "body": { "password": "{{ credentials.password }}" } },
            "headers": { "Authorization": "Session {{ answer.id }}" },
        } });
        let mut sample = Sample::new()
            .with(json!({ "auth": session, "credentials": ["password"] }))
            .credential("password", "canary");
        sample.network = Policy::default();
        let Ok(system) = sample.try_at(&url) else { continue };
        let fault = get(&system).await.unwrap_err();
        assert!(matches!(fault.code, "RQ001" | "RQ002"), "{url}: {fault}");
    }
    assert_eq!(trap.connects(), 0);
}

#[tokio::test]
async fn no_spelling_of_another_address_is_reached_by_the_next_page_or_a_redirect() {
    let trap = Loopback::answering([Reply::json(200, &json!({ "items": [] }))]).await;
    for url in urls(trap.address().port()) {
        let next = Reply::json(200, &json!({ "items": [account(1)], "next": url }));
        let style = json!({ "objects": { "account": { "list": { "page": { "next_url": "next" } } } } });
        let link = Reply::json(200, &json!({ "items": [account(1)] }))
            .with("link", format!("<{}>; rel=\"next\"", percent(&url)));
        let redirect = |status| Reply::status(status).with("location", percent(&url));
        for reply in [next, redirect(301), redirect(302), redirect(307), redirect(308)] {
            let server = Loopback::answering([reply]).await;
            let fault = list(&Sample::new().with(style.clone()).at(&server)).await.unwrap_err();
            assert!(matches!(fault.code, "RQ032" | "RQ025"), "{url}: {fault}");
            // `http:host` beside an http address is a path on the same server.
            assert!(server.seen().len() == 1 || !url.starts_with("http://"), "{url}");
        }
        let style = json!({ "objects": { "account": { "list": { "page": { "link_header": "next" } } } } });
        let server = Loopback::answering([link]).await;
        let fault = list(&Sample::new().with(style).at(&server)).await.unwrap_err();
        assert_eq!(fault.code, "RQ032", "{url}: {fault}");
    }
    assert_eq!(trap.connects(), 0);
}

/// A header carries ASCII.
fn percent(url: &str) -> String {
    percent_encoding::utf8_percent_encode(url, percent_encoding::CONTROLS).to_string()
}

#[tokio::test]
async fn an_allowed_network_is_reached_by_address_and_by_name() {
    let server = Loopback::answering([Reply::json(200, &account(7))]).await;
    let port = server.address().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let system = Sample::new().at_url(&format!("http://{host}:{port}"));
        assert!(get(&system).await.unwrap().is_some(), "{host}");
    }
}

#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    let trap = Loopback::answering([Reply::status(502)]).await;
    let proxy = trap.url();
    let this = std::env::current_exe().unwrap();
    let running = tokio::task::spawn_blocking(move || {
        let mut command = std::process::Command::new(this);
        command.args(["an_allowed_network_is_reached_by_address_and_by_name", "--nocapture"]);
        for name in [
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
            "HTTPS_PROXY",
            "https_proxy",
        ] {
            command.env(name, &proxy);
        }
        command.env_remove("NO_PROXY").env_remove("no_proxy").output()
    });
    let output = running.await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(trap.connects(), 0);
}
