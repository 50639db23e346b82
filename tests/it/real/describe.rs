//! What a real Tryton says of itself: every field of its models, with types, beside those of the connector.

use super::{daemon, system::Server};

#[tokio::test]
async fn a_real_tryton_describes_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let started = tokio::task::spawn_blocking(move || Server::start("tryton", &path)).await;
    let Some(server) = started.unwrap() else { return };
    let place = daemon::place(&server.url, "http://127.0.0.1:9");
    let asked = move || {
        let of = |object| place.ask(&["connector", "discover", "tryton", object]);
        (of("party"), [of("contact_mechanism"), of("address")].concat())
    };
    let (lines, parts) = tokio::task::spawn_blocking(asked).await.unwrap();
    let of = |path: &str| {
        let line = lines.iter().find(|line| line["path"] == path);
        line.unwrap_or_else(|| panic!("no {path} in {lines:?}"))
    };
    assert_eq!(
        (&of("name")["standing"], &of("name")["there"]),
        (&"same".into(), &"text".into())
    );
    assert_eq!(of("write_date")["there"], "datetime");
    assert_eq!(
        (&of("addresses")["standing"], &of("addresses")["there"]),
        (&"new".into(), &"list".into())
    );
    assert_eq!(of("lang")["there"], "integer");
    for line in lines.iter().chain(&parts) {
        assert_eq!(line["from"], "description");
        assert!(line["standing"] == "same" || line["standing"] == "new", "{line}");
    }
}
