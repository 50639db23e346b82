//! What a system says of itself, where the connector names another place than that of its records.

use syncline::client::Found;

use crate::support::system::scripted;

fn acme(base_url: &str) -> String {
    format!(
        "connector: acme\nbase_url: https://acme.example/records\ndiscover:\n  base_url: \"{base_url}\"\n  get: \"/{{{{ object }}}}\"\n  \
         fields: fields\nobjects:\n  account:\n    id: id\n    list: {{ get: /accounts }}\n"
    )
}

#[tokio::test]
async fn a_description_may_stand_elsewhere_on_the_server_and_nowhere_else() {
    let answer = r#"{"fields": {"name": {}}}"#;
    let own = scripted(&acme("https://acme.example/meta"), &[answer]);
    let Some(Found::Fields(fields)) = own.describe("account").await.unwrap() else {
        panic!("it describes itself");
    };
    assert_eq!(fields[0].path, "name");
    let foreign = scripted(&acme("https://elsewhere.example/meta"), &[answer]);
    let refused = foreign.describe("account").await.unwrap_err();
    assert!(
        refused.message.contains("path"),
        "what signs a request is not for others: {refused:?}"
    );
}
