//! Recordings of what servers of XML-RPC and SOAP answer: nothing in them is as it was, and they are played as they were recorded.

use std::sync::Arc;

use serde_json::json;
use syncline::{
    client::{NoTokens, Road, System},
    core::value::{Map, Value},
    rehearsal::{self, record},
};

use super::{graphql_soap::ERP, system::Server, xml_rpc};
use crate::support::system::system;

async fn started(kind: &'static str) -> Option<(Server, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let server = tokio::task::spawn_blocking(move || Server::start(kind, &path)).await;
    Some((server.unwrap()?, folder))
}

/// Records two records of an object, and plays what was recorded; the file.
async fn recorded(system: &System, url: &str, object: &str) -> String {
    let connector = system.connector();
    let settings = Map::from([("base_url".to_owned(), Value::from(url))]);
    let mut recorded = record::begin(connector, &settings, None, [7; 32]).unwrap();
    recorded.object(system, &connector.objects[object], 2).await.unwrap();
    let file = recorded.file("Recorded of a test.");
    let played = rehearsal::play("recorded.test.yaml", file.as_bytes(), connector).await;
    assert!(played.is_ok(), "{:#?}\n{file}", played.outcomes);
    file
}

#[tokio::test]
async fn what_a_server_of_xml_rpc_answers_is_recorded_without_its_data_and_played() {
    let Some((server, _folder)) = started("xml-rpc").await else {
        return;
    };
    let system = system(xml_rpc::CONNECTOR, &server.url, &[], Arc::new(NoTokens));
    let file = recorded(&system, &server.url, "account").await;
    assert!(!file.contains("Account") && !file.contains(&server.url), "{file}");
    for kept in [
        "<boolean>1</boolean>",
        "<double>1.5</double>",
        "20260302T09:00:00",
        "<nil",
    ] {
        assert!(file.contains(kept), "{kept} in {file}");
    }
    assert_eq!(file.matches("- name:").count(), 2, "a page and one record: {file}");
}

#[tokio::test]
async fn what_a_soap_service_answers_is_recorded_without_its_data_and_played() {
    let Some((server, _folder)) = started("soap").await else {
        return;
    };
    let system = system(ERP, &server.url, &[], Arc::new(NoTokens));
    for number in 1..=3 {
        let fields = json!({ "name": format!("Ana Souza {number}"), "taxId": format!("DE12345678{number}"), "city": "Lisboa", "isActive": true });
        let Value::Map(fields) = Value::from(fields) else {
            unreachable!()
        };
        system.create("customer", &fields, "key", Road::Manual).await.unwrap();
    }
    let file = recorded(&system, &server.url, "customer").await;
    for gone in ["Ana", "Souza", "12345678", "Lisboa", server.url.as_str()] {
        assert!(!file.contains(gone), "{gone} in {file}");
    }
    assert_eq!(
        file.matches("- name:").count(),
        3,
        "a page, one record, and a search by tax number: {file}"
    );
}
