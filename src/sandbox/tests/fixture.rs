//! The sample answers beside the connectors are what the systems really say.

use super::*;
use crate::sandbox::Edit;
use crate::sandbox::{crm, erp};

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!("../../../connectors/", $path))
    };
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Field names with their order, at every depth.
fn names(value: &Value) -> Vec<String> {
    let Some(fields) = value.as_object() else {
        return Vec::new();
    };
    fields
        .iter()
        .flat_map(|(name, inner)| std::iter::once(name.clone()).chain(names(inner)))
        .collect()
}

/// Makes the sample record, and compares what comes back but for what the system itself decides.
async fn assert_answered_alike(caller: &Caller, path: &str, sample: &Value, own: &[&str]) {
    let answer = caller.post(path, &sample.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut answer = answer.json();
    assert_eq!(names(&answer), names(sample));
    for name in own {
        answer[name] = sample[name].clone();
    }
    assert_eq!(&answer, sample);
}

#[tokio::test]
async fn the_erp_answers_as_its_fixtures_do() {
    let erp = erp::start(erp::Options::default()).await.unwrap();
    let caller = erp_caller(&erp);
    let empty = caller.get("/api/customers").await;
    assert_eq!(
        empty.text,
        fixture!("sandbox-erp/fixtures/customers_empty.json").trim_end()
    );
    let pages = [
        parse(fixture!("sandbox-erp/fixtures/customers_page_1.json")),
        parse(fixture!("sandbox-erp/fixtures/customers_page_2.json")),
    ];
    let samples = pages.iter().flat_map(|page| page["data"].as_array().unwrap());
    for sample in samples.chain([&parse(fixture!("sandbox-erp/fixtures/customer.json"))]) {
        assert_answered_alike(&caller, "/api/customers", sample, &["id", "created", "updated"]).await;
    }
    assert_eq!(names(&caller.get("/api/customers").await.json()), names(&pages[0]));
    let invalid = caller.patch("/api/customers/1", r#"{"status":"vip"}"#).await;
    assert_eq!(
        invalid.text,
        fixture!("sandbox-erp/fixtures/error_invalid.json").trim_end()
    );
    let missing = caller.get("/api/customers/70000").await;
    assert_eq!(
        missing.text,
        fixture!("sandbox-erp/fixtures/error_not_found.json").trim_end()
    );
    let batch = caller
        .post(
            "/api/customers/batch",
            r#"{"items":[{"name":"A"},{"id":2,"status":"vip"}]}"#,
        )
        .await
        .json();
    let sample = parse(fixture!("sandbox-erp/fixtures/batch_results.json"));
    for index in 0..2 {
        assert_eq!(names(&batch["results"][index]), names(&sample["results"][index]));
    }
    assert_eq!(batch["results"][1]["error"], sample["results"][1]["error"]);
}

#[tokio::test]
async fn the_crm_answers_as_its_fixtures_do() {
    let crm = crm::start(crm::Options::default()).await.unwrap();
    let caller = crm_caller(&crm).await;
    let empty = caller.get("/api/v2/accounts").await;
    assert_eq!(
        empty.text,
        fixture!("sandbox-crm/fixtures/accounts_empty.json").trim_end()
    );
    let pages = [
        parse(fixture!("sandbox-crm/fixtures/accounts_page_1.json")),
        parse(fixture!("sandbox-crm/fixtures/accounts_page_2.json")),
    ];
    let samples = pages.iter().flat_map(|page| page["items"].as_array().unwrap());
    for sample in samples.chain([&parse(fixture!("sandbox-crm/fixtures/account.json"))]) {
        let own = ["Id", "CreatedAt", "ModifiedAt", "Version"];
        assert_answered_alike(&caller, "/api/v2/accounts", sample, &own).await;
    }
    assert_eq!(
        names(&caller.get("/api/v2/accounts?limit=1").await.json()),
        names(&pages[0])
    );
    let invalid = caller
        .patch("/api/v2/accounts/ACC-000001", r#"{"VatNumber":"??"}"#)
        .await;
    assert_eq!(
        invalid.text,
        fixture!("sandbox-crm/fixtures/error_invalid_vat.json").trim_end()
    );
    let missing = caller.get("/api/v2/accounts/ACC-070000").await;
    assert_eq!(
        missing.text,
        fixture!("sandbox-crm/fixtures/error_not_found.json").trim_end()
    );
    let items = r#"{"items":[{"op":"create","Name":"A"},{"Id":"ACC-000002","VatNumber":"??"}]}"#;
    let batch = caller.post("/api/v2/accounts/batch", items).await.json();
    let sample = parse(fixture!("sandbox-crm/fixtures/batch_results.json"));
    for index in 0..2 {
        assert_eq!(names(&batch["results"][index]), names(&sample["results"][index]));
    }
    assert_eq!(batch["results"][1]["error"], sample["results"][1]["error"]);
}

#[tokio::test]
async fn webhooks_look_as_their_fixtures_do() {
    let erp = erp::start(erp::Options::default()).await.unwrap();
    let crm = crm::start(crm::Options::default()).await.unwrap();
    let receiver = Receiver::start().await;
    erp.subscribe(&receiver.url, &"s".into()).unwrap();
    erp.create("customer", r#"{"name":"A"}"#, &Edit::by("user:anna"))
        .unwrap();
    erp.webhooks_settled().await;
    crm.subscribe(&receiver.url, &"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())
        .unwrap();
    crm.create("account", r#"{"Name":"A"}"#, &Edit::by("user:anna"))
        .unwrap();
    crm.webhooks_settled().await;
    let taken = receiver.taken();
    let samples = [
        parse(fixture!("sandbox-erp/fixtures/webhook_customer_updated.json")),
        parse(fixture!("sandbox-crm/fixtures/webhook_events.json")),
    ];
    assert_eq!(names(&taken[0].1), names(&samples[0]));
    assert_eq!(names(&taken[1].1["events"][0]), names(&samples[1]["events"][0]));
}
