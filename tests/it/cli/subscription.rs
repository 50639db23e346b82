//! Subscriptions at the command line.

use serde_json::json;

use super::{Place, stderr, stdout};
use crate::support::hooks::{self, Hooks};

fn place(url: &str) -> Place {
    let place = Place::empty();
    let connector = json!({
        "connector": "pushing", "settings": { "base_url": { "type": "url" } }, "base_url": "{{ settings.base_url }}",
        "objects": { "account": {
            "id": "id", "list": { "get": "/accounts", "records": "items" }, "get": { "get": "/accounts/{{ id }}" },
            "update": { "patch": "/accounts/{{ id }}", "body": "{{ changes }}" },
        } },
        "webhooks": hooks::form(),
    });
    place.write("connectors/pushing.yaml", &connector.to_string());
    let mapping = json!({
        "mapping": "account", "between": { "crm": "account", "other": "account" }, "direction": "crm -> other",
        "fields": [{ "crm": "name", "other": "name" }], "match": [{ "crm": "name", "other": "name" }],
        "create": { "crm": false, "other": false },
    });
    place.write("mappings/account.yaml", &mapping.to_string());
    let system = |name: &str| {
        format!(
            "[systems.{name}]\nconnector = \"pushing\"\nsettings = {{ base_url = \"{url}\" }}\nallow_networks = [\"127.0.0.0/8\"]\n\
             webhook_secrets = [\"0123456789abcdef0123456789abcdef\"]\n"
        )
    };
    let settings = format!(
        "[server]\npublic_url = \"https://sync.example\"\n{}{}",
        system("crm"),
        system("other")
    );
    place.write("config/dev.toml", &settings);
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_listed_put_in_order_and_removed() {
    let hooks = Hooks::default();
    let server = hooks.start().await;
    let place = place(&server.url());
    let missing = place.json_of(1, &["subscriptions", "list", "crm"]);
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing.iter().all(|row| row["state"] == "missing"));
    let done = stdout(&place.run(&["subscriptions", "sync", "crm"]).code(0));
    assert_eq!(done, "account.created: made\naccount.updated: made\n");
    assert_eq!(hooks.all()[0]["url"], "https://sync.example/webhooks/crm");
    let alive = place.json(&["subscriptions", "list", "crm"]);
    assert!(
        alive
            .iter()
            .all(|row| row["state"] == "alive" && row["expires_at"].is_string()),
        "{alive:?}"
    );
    assert!(stderr(&place.run(&["subscriptions", "sync", "crm"]).code(0)).contains("nothing to do"));
    place.run(&["subscriptions", "remove", "crm"]).code(0);
    assert!(hooks.all().is_empty());
    place.run(&["subscriptions", "sync", "crn"]).code(2);
}
