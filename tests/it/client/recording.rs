//! Recordings of answers in every format: what is written holds nothing of what was answered, and is played as it was recorded.

use syncline::{
    core::value::Map,
    rehearsal::{self, record},
};

use crate::support::system::scripted;

/// Records two records of the one object, and plays what was recorded; the file.
async fn recorded(yaml: &str, answers: &[&str]) -> String {
    let system = scripted(yaml, answers);
    let connector = system.connector();
    let mut recorded = record::begin(connector, &Map::new(), None, [7; 32]).unwrap();
    let object = connector.objects.values().next().unwrap();
    recorded.object(&system, object, 2).await.unwrap();
    let file = recorded.file("Recorded of a test.");
    let played = rehearsal::play("recorded.test.yaml", file.as_bytes(), connector).await;
    assert!(played.is_ok(), "{:#?}\n{file}", played.outcomes);
    for gone in ["Ana", "Souza", "acme.test"] {
        assert!(!file.contains(gone), "{gone} in {file}");
    }
    file
}

#[tokio::test]
async fn a_table_of_csv_is_recorded_without_its_data_and_played() {
    let yaml = "connector: table\nbase_url: https://table.example\nformat: csv\nobjects:\n  person:\n    id: id\n    \
                list: { get: /export }\n";
    let file = recorded(
        yaml,
        &["id,name,email\r\n1,\"Souza, Ana\",ana@acme.test\r\n2,Ana Souza,\r\n3,Ana,\r\n"],
    )
    .await;
    assert!(file.contains("id,name,email") && file.contains("id: \"2\""), "{file}");
    assert!(!file.contains("id: \"3\""), "two of three are kept: {file}");
}

#[tokio::test]
async fn json_lines_are_recorded_without_their_data_and_played() {
    let yaml = "connector: lines\nbase_url: https://lines.example\nformat: jsonl\nobjects:\n  person:\n    id: id\n    \
                list: { get: /export }\n";
    let file = recorded(
        yaml,
        &["{\"id\":1,\"name\":\"Ana Souza\"}\n{\"id\":2,\"name\":\"Ana\"}\n"],
    )
    .await;
    assert!(file.contains("id: \"1\"") && file.contains("id: \"2\""), "{file}");
}

#[tokio::test]
async fn xml_is_recorded_without_its_data_and_played() {
    let yaml = r#"
connector: soap
base_url: https://soap.example
format: xml
xml: { namespaces: { soap: "urn:soap" } }
types: { empty: [""] }
objects:
  person:
    id: "@id"
    fields: { mail: { type: text, sensitive: yes } }
    list:
      post: /soap
      body: { "soap:Envelope": { ListPersons: "" } }
      records: soap:Envelope.persons.person
    find:
      post: /soap
      body: { "soap:Envelope": { FindPerson: { mail: "{{ value }}" } } }
      fields: [mail]
      records: soap:Envelope.persons.person
"#;
    let one = "<s:Envelope xmlns:s='urn:soap'><persons><person id='P1'><name>Ana Souza</name><mail>ana@acme.test</mail><off/></person></persons>\
               </s:Envelope>";
    let file = recorded(yaml, &[one, one]).await;
    assert!(
        file.contains("<soap:Envelope xmlns:soap=") && file.contains("FindPerson"),
        "{file}"
    );
}

#[tokio::test]
async fn a_form_that_searches_is_recorded_by_its_fields_with_what_is_made_up() {
    let yaml = r#"
connector: forms
base_url: https://forms.example
objects:
  person:
    id: id
    list: { get: /persons }
    find: { post: /search, form: { mail: "{{ value }}", kind: person }, fields: [email] }
"#;
    let list = r#"[{"id": 1, "email": "ana@acme.test"}]"#;
    let file = recorded(yaml, &[list, list]).await;
    assert!(file.contains("form: { mail:") || file.contains("form:\n"), "{file}");
    assert!(
        file.contains("kind: \"person\"") || file.contains("kind: person"),
        "{file}"
    );
}
