//! Commands that work on records, against the sandbox over real HTTP.

use serde_json::Value as Json;

use super::{
    Place,
    sandbox::{self, Sandbox},
    stderr, stdout,
};
use crate::support::http;

/// A project, and the two systems it is about.
pub struct Site {
    pub place: Place,
    erp: String,
    _sandbox: Sandbox,
}

impl Site {
    pub fn start() -> Self {
        let place = Place::project();
        let (running, views) = sandbox::start(&place, &["--companies", "20", "--no-webhooks"], 2);
        let url = |at: usize| views[at]["base_url"].as_str().unwrap().to_owned();
        place.edit("config/dev.toml", "http://127.0.0.1:8321", &url(0));
        place.edit("config/dev.toml", "http://127.0.0.1:8322", &url(1));
        Self {
            erp: url(0).strip_prefix("http://").unwrap().to_owned(),
            place,
            _sandbox: running,
        }
    }

    /// What a person changes in the ERP, without a webhook.
    pub async fn edit(&self, id: &str, fields: &str) {
        let body = format!(r#"{{"op":"patch","object":"customer","id":"{id}","fields":{fields},"event":false}}"#);
        let answer = http::send(&self.erp, "POST", "/_sandbox/edit", &[], body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    pub async fn order(&self, fault: &str) {
        let answer = http::send(&self.erp, "POST", "/_sandbox/faults", &[], fault.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// The one JSON line of a command.
    pub fn one(&self, code: i32, args: &[&str]) -> Json {
        let mut lines = self.place.json_of(code, args);
        assert_eq!(lines.len(), 1, "{args:?}: {lines:?}");
        lines.remove(0)
    }
}

#[tokio::test]
async fn a_plan_of_everything_writes_nothing_and_tells_what_would_be_done() {
    let site = Site::start();
    let plan = site.one(0, &["plan", "customer-account", "--limit", "3"]);
    assert!(plan["summary"]["left_records"].as_u64().unwrap() > 0);
    assert_eq!(plan["items"].as_array().unwrap().len(), 3);
    let lines = plan["situations"].as_array().unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line["situation"] == "absent" && line["action"] != ""),
        "{lines:?}"
    );
    assert!(site.place.json(&["links"]).is_empty());
    let again = site.one(0, &["plan", "customer-account", "--limit", "3"]);
    assert_eq!(again["drifted"], plan["drifted"]);
}

#[tokio::test]
async fn a_reconciliation_brings_both_sides_in_agreement_and_one_record_is_planned_and_synced_with_reasons() {
    let site = Site::start();
    let first = site.place.json(&["reconcile", "--all"]);
    assert_eq!(first.len(), 2, "{first:?}");
    assert_eq!(first[0]["mapping"], "customer-account", "parents first");
    let second = site.one(0, &["reconcile", "customer-account", "--report-only"]);
    assert_eq!(second["note"], "reported only");
    site.edit("3", r#"{"name":"A new name"}"#).await;
    let args = ["customer-account", "--record", "erp:3"];
    let plan = site.one(0, &[&["plan"][..], &args].concat());
    assert_eq!(plan["writes"][0]["fields"]["Name"], "A new name", "{plan}");
    let name = plan["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|field| field["field"] == "name")
        .unwrap();
    assert_eq!(name["reason"], "only erp changed");
    let done = site.place.run(&[&["sync"][..], &args].concat()).code(0);
    assert!(stdout(&done).contains("updated in crm"), "{}", stdout(&done));
    assert_eq!(site.one(0, &[&["plan"][..], &args].concat())["situation"], "in_sync");
    let unknown = site
        .place
        .run(&["plan", "customer-account", "--record", "erp:99999"])
        .code(3);
    assert!(
        stderr(&unknown).contains("there is no customer `99999` in erp"),
        "{}",
        stderr(&unknown)
    );
}

#[tokio::test]
async fn what_failed_is_reprocessed_after_it_was_corrected() {
    let site = Site::start();
    site.place.json(&["reconcile", "--all"]);
    // A pair that was there on both sides: what the reconciliation has made itself is looked at once more anyway.
    let links = site.place.json(&["links", "--mapping", "customer-account"]);
    let pair = links
        .iter()
        .find(|link| link["right_id"].as_str() < Some("ACC-000010"))
        .unwrap();
    let id = pair["left_id"].as_str().unwrap();
    let tax_id = r#"{"tax_id":"BR 99.888.777/0001-66"}"#;
    site.edit(id, r#"{"tax_id":"12"}"#).await;
    let sync = site.place.run(&["sync", "customer-account"]).code(1);
    assert!(stdout(&sync).contains("1 failure open"), "{}", stdout(&sync));
    let failure = site.one(0, &["failures"]);
    let asked = site.place.run(&["reprocess", "--all"]).code(2);
    assert!(stderr(&asked).contains("1 failure would be looked at again") && stderr(&asked).contains("--yes"));
    let run = failure["failure_id"].to_string();
    assert_eq!(site.one(1, &["reprocess", &run])["status"], "parked");
    site.edit(id, tax_id).await;
    assert_eq!(site.one(0, &["reprocess", "--all", "--yes"])["status"], "resolved");
    let nothing = site.place.run(&["reprocess"]).code(2);
    assert!(stderr(&nothing).contains("which failures are meant?"));
}

#[tokio::test]
async fn drift_above_the_threshold_ends_with_1() {
    let site = Site::start();
    let args = ["reconcile", "customer-account", "--report-only", "--fail-above", "1"];
    let done = site.place.run(&args).code(1);
    assert!(
        stderr(&done).contains("records drifted, more than 1"),
        "{}",
        stderr(&done)
    );
    let args = ["reconcile", "customer-account", "--report-only", "--fail-above", "100%"];
    site.place.run(&args).code(0);
}

#[tokio::test]
async fn only_a_held_run_can_be_discarded() {
    let site = Site::start();
    let run = site.one(0, &["reconcile", "customer-account", "--report-only"])["run_id"].to_string();
    let done = site.place.run(&["runs", "discard", &run]).code(3);
    assert!(stderr(&done).contains("is not held"), "{}", stderr(&done));
    site.place.run(&["runs", "discard", "999"]).code(3);
}

#[tokio::test]
async fn the_doctor_names_the_system_and_the_next_step() {
    let site = Site::start();
    let well = site.place.json(&["doctor"]);
    assert!(well.iter().all(|finding| finding["state"] != "wrong"), "{well:?}");
    let is_of = |finding: &Json, part: &str| {
        finding["part"] == part && finding["found"].as_str().unwrap().contains("reached, signed in")
    };
    assert!(
        well.iter().any(|finding| is_of(finding, "system erp"))
            && well.iter().any(|finding| is_of(finding, "system crm"))
    );
    assert!(
        !site.place.path().join("data").exists(),
        "the doctor leaves nothing behind"
    );
    let wrong = |findings: Vec<Json>| {
        findings
            .into_iter()
            .find(|finding| finding["state"] == "wrong")
            .unwrap()
    };
    site.order(r#"{"fault":{"kind":"html"},"times":1}"#).await;
    let html = wrong(site.place.json_of(1, &["doctor", "erp"]));
    assert!(
        html["found"].as_str().unwrap().contains("HTML or text instead of data") && html["trouble"] == "wrong_address",
        "{html}"
    );
    site.place.edit("config/dev.toml", "sandbox-erp-key", "wrong-key");
    let key = wrong(site.place.json_of(1, &["doctor", "erp"]));
    assert!(
        key["found"].as_str().unwrap().contains("system `erp`")
            && key["next"].as_str().unwrap().contains("credentials"),
        "{key}"
    );
    assert!(!key.to_string().contains("wrong-key"));
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    site.place.edit("config/dev.toml", &site.erp, &closed.to_string());
    let dead = wrong(site.place.json_of(1, &["doctor", "erp"]));
    assert!(
        dead["found"].as_str().unwrap().contains("system `erp`") && dead["next"].as_str().unwrap().contains("address"),
        "{dead}"
    );
}

#[tokio::test]
async fn a_try_shows_what_is_asked_what_is_answered_and_each_field_with_its_type() {
    let site = Site::start();
    let look = site.one(0, &["connector", "try", "erp", "customer"]);
    let asked = &look["exchanged"][0];
    assert_eq!((&asked["method"], &asked["status"]), (&"GET".into(), &200.into()));
    assert!(asked["url"].as_str().unwrap().contains("/api/customers?"), "{asked}");
    assert!(!look.to_string().contains("sandbox-erp-key"), "{look}");
    let key = ["X-Api-Key", "***"];
    assert!(
        asked["headers"]
            .as_array()
            .unwrap()
            .iter()
            .any(|header| *header == serde_json::json!(key)),
        "{asked}"
    );
    let id = look["record"]["id"].as_str().unwrap();
    assert!(
        asked["answer"]["text"]
            .as_str()
            .unwrap()
            .contains(&format!("\"id\":{id},")),
        "{asked}"
    );
    let fields = look["record"]["fields"].as_array().unwrap();
    let credit = fields.iter().find(|field| field["name"] == "credit_limit").unwrap();
    assert_eq!(credit["type"], "decimal(2)");

    let text = stdout(&site.place.run(&["connector", "try", "erp", "customer", "3"]).code(0));
    for part in [
        "/api/customers/3\n",
        "→ 200, application/json",
        "record 3, version none, changed 20",
        "customer_since",
    ] {
        assert!(text.contains(part), "{part} not in\n{text}");
    }
    let contact = site.one(0, &["connector", "try", "crm", "account"]);
    assert!(!contact.to_string().contains("secret"), "{contact}");
    site.order(r#"{"fault":{"kind":"html"}}"#).await;
    let broken = site.place.run(&["connector", "try", "erp", "customer", "3"]).code(1);
    assert!(
        stderr(&broken).contains("[RQ008]") && stdout(&broken).contains("<!doctype html"),
        "{}",
        stdout(&broken)
    );
    assert!(
        stdout(
            &site
                .place
                .run(&["connector", "try", "erp", "customer", "999999"])
                .code(1)
        )
        .ends_with("no record\n")
    );
    let unknown = site.place.run(&["connector", "try", "erp", "custmer"]).code(2);
    assert!(
        stderr(&unknown).contains("did you mean `customer`?"),
        "{}",
        stderr(&unknown)
    );
    assert!(
        !site.place.path().join("data/syncline.db").exists(),
        "it needs no database"
    );
}

#[tokio::test]
async fn a_preview_shows_a_record_both_ways_beside_its_partner_and_writes_nothing() {
    let site = Site::start();
    let new = site.one(0, &["preview", "customer-account", "erp:3"]);
    assert_eq!(new["situation"], "absent", "{new}");
    let name = |view: &Json| {
        let fields = view["fields"].as_array().unwrap();
        fields.iter().find(|field| field["field"] == "name").cloned().unwrap()
    };
    assert_eq!(name(&new)["to_right"]["why"], "part of the new record", "{new}");
    assert_eq!(name(&new)["to_left"]["why"], "there is no record in crm");
    assert!(site.place.json(&["links"]).is_empty());

    site.place.json(&["reconcile", "--all"]);
    site.edit("3", r#"{"name":"A new name"}"#).await;
    let args = ["preview", "customer-account"];
    let view = site.one(0, &[&args[..], &["3", "--side", "erp"]].concat());
    let field = name(&view);
    assert_eq!(field["to_right"]["written"], "A new name", "{view}");
    assert_eq!(field["to_right"]["why"], "only erp changed");
    assert_eq!(field["to_left"]["mapped"], field["right"]);
    assert_eq!(field["to_left"]["written"], Json::Null);
    // By the partner's id, and by what a match field holds.
    let id = view["right"]["id"].as_str().unwrap().to_owned();
    assert_eq!(name(&site.one(0, &[&args[..], &[id.as_str()]].concat())), field);
    let fields = view["fields"].as_array().unwrap();
    let key = fields.iter().find(|field| field["field"] == "tax_id").unwrap()["left"]
        .as_str()
        .unwrap();
    assert_eq!(name(&site.one(0, &[&args[..], &[key]].concat())), field);
    // Nothing was written: the same is still to be done.
    assert_eq!(name(&site.one(0, &[&args[..], &["erp:3"]].concat())), field);

    let shown = stdout(&site.place.run(&[&args[..], &["erp:3"]].concat()).code(0));
    assert!(shown.contains("erp → crm") && shown.contains("crm → erp"), "{shown}");
    let missing = stderr(&site.place.run(&[&args[..], &["no-such-thing"]].concat()).code(3));
    assert!(missing.contains("with the id or key `no-such-thing`"), "{missing}");
    let side = stderr(
        &site
            .place
            .run(&[&args[..], &["3", "--side", "middle"]].concat())
            .code(2),
    );
    assert!(side.contains("say `left` (erp) or `right` (crm)"), "{side}");
}

#[tokio::test]
async fn what_a_system_answers_is_recorded_without_personal_data_and_played_again() {
    let site = Site::start();
    let looked = site.one(0, &["connector", "try", "crm", "account"]);
    let fields = looked["record"]["fields"].as_array().unwrap();
    let real = |name: &str| {
        let field = fields.iter().find(|field| field["name"] == name).unwrap();
        field["value"].as_str().unwrap().trim_matches('"').to_owned()
    };
    let args = ["record", "crm", "account", "--records", "2"];
    let recorded = site.one(0, &args);
    let file = "connectors/sandbox-crm.recorded.test.yaml";
    assert_eq!(recorded["file"], file, "{recorded}");
    let text = std::fs::read_to_string(site.place.path().join(file)).unwrap();
    for gone in [
        real("Name"),
        real("Email"),
        real("VatNumber"),
        "127.0.0.1".to_owned(),
        "sandbox-crm-secret".to_owned(),
    ] {
        assert!(!text.contains(&gone), "{gone} is in {text}");
    }
    assert!(
        text.contains(looked["record"]["id"].as_str().unwrap()),
        "ids are kept: {text}"
    );
    assert!(text.starts_with("# yaml-language-server: $schema=../schemas/connector-test.schema.json\n"));
    let played = site.place.run(&["test", "sandbox-crm"]).code(0);
    let cases = recorded["cases"].as_u64().unwrap();
    assert!(
        cases >= 2 && stdout(&played).contains(&format!("{cases} cases")),
        "{}",
        stdout(&played)
    );
    // Nothing that is there is lost.
    assert!(stderr(&site.place.run(&args).code(3)).contains("is there already"));
    let printed = stdout(&site.place.run(&["record", "erp", "customer", "--out", "-"]).code(0));
    assert!(printed.contains("cases:"), "{printed}");
}
