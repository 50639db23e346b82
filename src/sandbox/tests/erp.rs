use serde_json::json;

use super::*;
use crate::sandbox::erp;
use crate::sandbox::history::Kind;
use crate::sandbox::office::Edit;

async fn start() -> (erp::Handle, Caller) {
    let options = erp::Options {
        plan: plan(45),
        page_max: 20,
        ..erp::Options::default()
    };
    let erp = erp::start(options).await.unwrap();
    let caller = erp_caller(&erp);
    (erp, caller)
}

#[tokio::test]
async fn a_request_without_the_key_is_refused_and_noted() {
    let (erp, caller) = start().await;
    assert_eq!(caller.get("/api/customers").await.status, 200);
    let refused = caller.with("x-api-key", "wrong").get("/api/customers").await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_str()),
        (401, Some("unauthorized"))
    );
    let statuses: Vec<_> = erp.history().requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(200), Some(401)]);
    assert_eq!(erp.history().requests()[0].actor.as_deref(), Some("key:integration"));
}

#[tokio::test]
async fn offset_paging_gives_every_customer_once_and_caps_the_page_silently() {
    let (_erp, caller) = start().await;
    let mut ids = Vec::new();
    for offset in [0, 20, 40, 60] {
        let page = caller
            .get(&format!("/api/customers?limit=1000&offset={offset}"))
            .await
            .json();
        assert_eq!(page["total"], 45);
        ids.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|customer| customer["id"].as_u64().unwrap()),
        );
    }
    assert_eq!(ids, (1..=45).collect::<Vec<_>>());
}

#[tokio::test]
async fn updated_since_gives_what_was_written_from_that_time_on_in_the_order_of_time() {
    let (_erp, caller) = start().await;
    let first = caller.patch("/api/customers/9", r#"{"note":"a"}"#).await.json();
    caller.patch("/api/customers/3", r#"{"note":"b"}"#).await;
    let since = first["updated"].as_str().unwrap().replace('+', "%2B");
    let page = caller
        .get(&format!("/api/customers?updated_since={since}"))
        .await
        .json();
    let ids: Vec<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|customer| customer["id"].clone())
        .collect();
    assert_eq!((ids, page["total"].clone()), (vec![json!(9), json!(3)], json!(2)));
    let wrong = caller.get("/api/customers?updated_since=yesterday").await;
    assert_eq!(wrong.status, 422);
}

#[tokio::test]
async fn a_customer_is_found_by_tax_id_and_email_however_they_are_spelt() {
    let (_erp, caller) = start().await;
    let body = r#"{"name":"Ana Ltda","tax_id":"BR 12.345.678/0001-95","email":"Compras@Ana.example"}"#;
    let id = caller.post("/api/customers", body).await.json()["id"].clone();
    for query in ["tax_id=br12345678000195", "email=compras%40ana.example%20"] {
        let found = caller.get(&format!("/api/customers?{query}")).await.json();
        assert_eq!(
            (found["total"].clone(), found["data"][0]["id"].clone()),
            (json!(1), id.clone()),
            "{query}"
        );
    }
    caller
        .patch(&format!("/api/customers/{id}"), r#"{"tax_id":null}"#)
        .await;
    assert_eq!(
        caller.get("/api/customers?tax_id=BR12345678000195").await.json()["total"],
        0
    );
}

#[tokio::test]
async fn money_keeps_its_cents_and_a_patch_changes_only_what_it_names() {
    let (_erp, caller) = start().await;
    let body = r#"{"name":"A","credit_limit":0.1,"address":{"city":"Lyon","country":"FR"}}"#;
    let created = caller.post("/api/customers", body).await;
    assert_eq!(created.status, 201);
    assert!(created.text.contains(r#""credit_limit":0.10,"#), "{}", created.text);
    let path = format!("/api/customers/{}", created.json()["id"]);
    let changed = caller
        .patch(
            &path,
            r#"{"address":{"city":"Lille"},"credit_limit":9007199254740993.07}"#,
        )
        .await;
    assert!(
        changed.text.contains(r#""credit_limit":9007199254740993.07,"#),
        "{}",
        changed.text
    );
    assert_eq!(
        (
            &changed.json()["address"]["city"],
            &changed.json()["address"]["country"]
        ),
        (&json!("Lille"), &json!("FR"))
    );
    assert_eq!(
        caller.patch(&path, r#"{"credit_limit":null}"#).await.json()["credit_limit"],
        Value::Null
    );
}

#[tokio::test]
async fn bad_input_is_refused_with_code_and_field_and_commits_nothing() {
    let (erp, caller) = start().await;
    for (body, status, code, field) in [
        (r#"{"name":"A","status":"vip"}"#, 422, "invalid_value", json!("status")),
        (r#"{"status":"active"}"#, 422, "required", json!("name")),
        (r#"{"name":"A","nmae":"B"}"#, 422, "unknown_field", json!("nmae")),
        (
            r#"{"name":"A","credit_limit":"10.00"}"#,
            422,
            "invalid_value",
            json!("credit_limit"),
        ),
        (
            r#"{"name":"A","customer_since":"01.02.2026"}"#,
            422,
            "invalid_value",
            json!("customer_since"),
        ),
        (r#"{"name":"#, 400, "malformed_json", Value::Null),
        ("[]", 400, "malformed_json", Value::Null),
    ] {
        let answer = caller.post("/api/customers", body).await;
        let error = &answer.json()["error"];
        assert_eq!(
            (answer.status, error["code"].as_str(), &error["field"]),
            (status, Some(code), &field),
            "{body}"
        );
    }
    assert_eq!(erp.history().counts().commits, 0);
}

#[tokio::test]
async fn a_batch_does_what_it_can_and_says_what_it_could_not() {
    let (erp, caller) = start().await;
    let body = r#"{"items":[{"name":"New"},{"id":7,"status":"vip"},{"id":8,"note":"x"},{"id":999,"note":"x"}]}"#;
    let results = caller.post("/api/customers/batch", body).await.json()["results"].clone();
    let shown: Vec<_> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|result| (result["status"].clone(), result["id"].clone()))
        .collect();
    let expected = [(201, 46), (422, 7), (200, 8), (404, 999)].map(|(status, id)| (json!(status), json!(id)));
    assert_eq!(shown, expected);
    assert_eq!(results[1]["error"]["field"], "status");
    assert_eq!(erp.history().counts().commits, 2);
    let many = format!(r#"{{"items":[{}]}}"#, vec![r#"{"name":"x"}"#; 201].join(","));
    assert_eq!(caller.post("/api/customers/batch", &many).await.status, 413);
}

#[tokio::test]
async fn a_customer_with_contacts_stays_and_one_without_goes() {
    let (erp, caller) = start().await;
    let refused = caller.send("DELETE", "/api/customers/1", "").await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_str()),
        (409, Some("in_use"))
    );
    let id = caller.post("/api/customers", r#"{"name":"Alone"}"#).await.json()["id"].clone();
    assert_eq!(
        caller.send("DELETE", &format!("/api/customers/{id}"), "").await.status,
        204
    );
    assert_eq!(caller.get(&format!("/api/customers/{id}")).await.status, 404);
    let kinds: Vec<_> = erp.history().commits().iter().map(|commit| commit.kind).collect();
    assert_eq!(kinds, [Kind::Created, Kind::Deleted]);
}

#[tokio::test]
async fn orders_add_up_exactly_and_refer_to_what_exists() {
    let (_erp, caller) = start().await;
    let body = r#"{"customer_id":2,"lines":[{"product_id":1,"quantity":3,"price":0.10},{"product_id":2,"quantity":1,"price":19.90}]}"#;
    let order = caller.post("/api/orders", body).await;
    assert!(order.text.contains(r#""total":20.20,"#), "{}", order.text);
    let unknown = caller.post("/api/orders", r#"{"customer_id":999}"#).await;
    assert_eq!(
        (unknown.status, unknown.json()["error"]["code"].as_str()),
        (422, Some("unknown_reference"))
    );
    let of_customer = caller.get("/api/orders?customer_id=2").await.json();
    assert_eq!(of_customer["total"], 2);
}

#[tokio::test]
async fn an_edit_behind_the_api_is_a_commit_without_a_request() {
    let (erp, caller) = start().await;
    erp.patch(
        "customer",
        "5",
        r#"{"name":"By hand"}"#,
        &Edit::by("user:anna").silently(),
    )
    .unwrap();
    assert_eq!(caller.get("/api/customers/5").await.json()["name"], "By hand");
    let writes = erp.history().writes_to_record("customer", "5");
    assert_eq!(
        (writes.len(), writes[0].actor.as_str(), writes[0].request),
        (1, "user:anna", None)
    );
    assert!(writes[0].before.as_deref().unwrap().contains("\"id\":5"));
    assert!(writes[0].after.as_deref().unwrap().contains("By hand"));
    assert!(
        erp.patch("customer", "5", r#"{"status":"vip"}"#, &Edit::by("user:anna"))
            .is_err()
    );
    assert_eq!(erp.find("customer", "tax_id", "nothing").unwrap(), []);
    assert_eq!(erp.all("customer").unwrap().len(), 45);
}

#[tokio::test]
async fn a_full_history_refuses_requests_instead_of_forgetting() {
    let options = erp::Options {
        history_max: 3,
        ..erp::Options::default()
    };
    let erp = erp::start(options).await.unwrap();
    let caller = erp_caller(&erp);
    assert_eq!(caller.post("/api/customers", r#"{"name":"A"}"#).await.status, 201);
    assert_eq!(caller.get("/api/customers").await.status, 200);
    assert_eq!(caller.get("/api/customers").await.status, 507);
    erp.history().clear();
    assert_eq!(caller.get("/api/customers").await.status, 200);
}
