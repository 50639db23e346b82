//! `syncline connector`: drafts that load, what a live system is asked, and what it has beside what its connector says.

use std::fs;

use super::{Place, stderr, stdout, work::Site};

const CUSTOMERS: &str = r#"{"data":[{"id":1,"name":"Ana Souza","email":"ana@souza.example","updated":"2026-01-02T03:04:05Z"},
  {"id":2,"name":"Bo","email":null,"updated":"2026-01-02T03:04:06Z"}],"total":2}"#;

#[test]
fn a_draft_from_a_sample_is_checked_and_tested_as_it_is() {
    let place = Place::with("");
    place.write("customers.json", CUSTOMERS);
    let made = place
        .run(&["connector", "new", "acme", "--sample", "customers.json"])
        .code(0);
    let text = stdout(&made);
    assert!(
        text.contains("connectors/acme.yaml: customer") && text.contains("marked CHECK"),
        "{text}"
    );
    assert!(stderr(&made).contains("[systems.acme]"), "{}", stderr(&made));
    fs::create_dir_all(place.path().join("mappings")).unwrap();
    place.run(&["check"]).code(0);
    place.run(&["test", "acme"]).code(0);
    let cases = fs::read_to_string(place.path().join("connectors/acme.test.yaml")).unwrap();
    assert!(!cases.contains("souza"), "{cases}");
}

#[test]
fn a_file_that_is_there_is_replaced_only_by_force() {
    let place = Place::with("");
    place.write("customers.json", CUSTOMERS);
    place.write("connectors/acme.yaml", "mine");
    let args = ["connector", "new", "acme", "--sample", "customers.json"];
    let refused = place.run(&args).code(3);
    assert!(
        stderr(&refused).contains("is there already") && stderr(&refused).contains("--force"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(
        fs::read_to_string(place.path().join("connectors/acme.yaml")).unwrap(),
        "mine"
    );
    assert!(
        !place.path().join("connectors/acme.test.yaml").exists(),
        "nothing is half written"
    );
    place.run(&[&args[..], &["--force"]].concat()).code(0);
    place
        .run(&[&args[..], &["--out", "elsewhere/acme.yaml"]].concat())
        .code(0);
    place
        .run(&[&args[..], &["--out", "elsewhere/other.yaml"]].concat())
        .code(2);
}

#[test]
fn a_description_gives_a_draft_and_programs_read_what_is_open() {
    let place = Place::with("");
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let told = &place.json(&["connector", "new", "syncline", "--openapi", own, "--object", "link"])[0];
    assert_eq!(told["objects"], serde_json::json!(["link"]));
    assert!(
        told["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|check| check["at"] == "/limits"),
        "{told}"
    );
    fs::create_dir_all(place.path().join("mappings")).unwrap();
    place.run(&["check"]).code(0);
}

#[test]
fn what_is_no_description_is_refused_with_a_next_step() {
    let place = Place::with("");
    place.write("page.html", "<html></html>");
    place.write("other.json", "{}");
    for (args, code, part) in [
        (&["--openapi", "page.html"][..], 1, "HTML"),
        (&["--openapi", "other.json"], 1, "no OpenAPI description"),
        (&["--odata", "page.html"], 1, "no OData description"),
        (&["--openapi", "nowhere.json"], 3, "cannot be read"),
        (&["--openapi", "http://127.0.0.1:9/openapi.json"], 3, "save it"),
        (&[], 2, "required"),
        (&["--openapi", "a", "--odata", "b"], 2, "cannot be used with"),
    ] {
        let done = place.run(&[&["connector", "new", "acme"], args].concat()).code(code);
        assert!(stderr(&done).contains(part), "{args:?}: {}", stderr(&done));
    }
    let named = place
        .run(&["connector", "new", "../acme", "--sample", "other.json"])
        .code(2);
    assert!(stderr(&named).contains("is no name"), "{}", stderr(&named));
}

#[test]
fn a_manifest_is_imported_under_the_name_of_its_folder() {
    let place = Place::with("");
    place.write(
        "source-acme/manifest.yaml",
        "type: DeclarativeSource
check: { type: CheckStream, stream_names: [things] }
streams:
  - type: DeclarativeStream
    name: things
    primary_key: id
    retriever:
      type: SimpleRetriever
      requester: { type: HttpRequester, url_base: 'https://api.acme.example', path: things, authenticator: { type: CustomAuthenticator } }
      record_selector: { extractor: { type: DpathExtractor, field_path: [] } }
",
    );
    let done = place.run(&["connector", "import", "source-acme/manifest.yaml"]).code(0);
    let text = stdout(&done);
    assert!(
        text.contains("connectors/acme.yaml: thing")
            && text.contains("not carried over: signing in by `CustomAuthenticator`"),
        "{text}"
    );
    fs::create_dir_all(place.path().join("mappings")).unwrap();
    place.run(&["check"]).code(0);
}

#[tokio::test]
async fn a_try_shows_a_page_a_record_and_what_the_system_says_of_its_limits() {
    let site = Site::start();
    let tried = site.one(0, &["connector", "try", "crm", "account"]);
    let asked = tried["exchanged"].as_array().unwrap();
    assert_eq!(asked.len(), 2, "a page, and its first record by itself: {tried}");
    assert!(tried["page"]["records"].as_u64().unwrap() > 0 && tried["page"]["limits"].is_object());
    assert_eq!(
        tried["record"]["id"],
        asked[1]["url"].as_str().unwrap().rsplit('/').next().unwrap()
    );
    assert!(!tried.to_string().contains("secret"), "{tried}");
    let first = site.one(0, &["connector", "try", "erp"]);
    assert!(first["object"].is_string(), "the first that can be listed: {first}");
    site.order(r#"{"fault":{"kind":"status","status":403}}"#).await;
    let denied = site.place.run(&["connector", "try", "erp", "customer", "3"]).code(1);
    assert!(
        stderr(&denied).contains("[AU002]") && stderr(&denied).contains("hint: let the integration user"),
        "{}",
        stderr(&denied)
    );
}

#[tokio::test]
async fn what_a_system_has_is_told_beside_what_its_connector_says_and_new_fields_are_put_into_the_file() {
    let site = Site::start();
    let file = "connectors/sandbox-erp.yaml";
    site.place.edit(file, "      credit_limit: decimal(2)\n", "");
    let lines = site.place.json(&["connector", "discover", "erp", "customer"]);
    let standing = |name: &str| {
        lines
            .iter()
            .find(|line| line["path"] == name)
            .map(|line| line["standing"].clone())
    };
    assert_eq!(standing("credit_limit"), Some("new".into()), "{lines:#?}");
    assert_eq!(standing("name"), Some("same".into()));
    let text = stdout(&site.place.run(&["connector", "discover", "erp", "customer"]).code(0));
    assert!(
        text.contains("to paste under `objects.customer.fields`") && text.contains("      credit_limit: decimal"),
        "{text}"
    );
    site.place
        .run(&["connector", "discover", "erp", "customer", "--write"])
        .code(0);
    let written = fs::read_to_string(site.place.path().join(file)).unwrap();
    assert!(written.contains("\n      credit_limit: decimal\n"), "{written}");
    site.place.run(&["check"]).code(0);
    let all = site.place.json(&["connector", "discover", "crm"]);
    assert!(
        all.iter()
            .any(|row| row["object"] == "account" && row["from"] == "records" && row["gone"] == 0),
        "{all:?}"
    );
    site.place.edit(file, "      tax_id: text\n", "      tax_id: date\n");
    let lines = site.place.json_of(1, &["connector", "discover", "erp", "customer"]);
    assert!(
        lines
            .iter()
            .any(|line| line["path"] == "tax_id" && line["standing"] == "changed"),
        "{lines:#?}"
    );
}
