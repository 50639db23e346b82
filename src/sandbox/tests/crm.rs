use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::sandbox::crm::{self, Billing, IfMatch, Introspection, Policy};
use crate::sandbox::history::Kind;

async fn start(change: impl FnOnce(&mut crm::Options)) -> (crm::Handle, Caller) {
    let mut options = crm::Options {
        plan: plan(50),
        page_max: 20,
        ..crm::Options::default()
    };
    change(&mut options);
    let crm = crm::start(options).await.unwrap();
    let caller = crm_caller(&crm).await;
    (crm, caller)
}

#[tokio::test]
async fn tokens_are_given_by_basic_and_form_and_expire() {
    let (crm, caller) = start(|options| options.token_life = Duration::from_secs(30)).await;
    let basic = STANDARD.encode(format!("{}:{}", crm.client_id(), crm.client_secret().expose_secret()));
    let asking = Caller::new(crm.base_url()).with("authorization", &format!("Basic {basic}"));
    let granted = asking
        .post("/oauth/token", "grant_type=client_credentials&scope=accounts.read")
        .await;
    assert_eq!((granted.status, &granted.json()["expires_in"]), (200, &json!(30)));
    assert_eq!(granted.json()["scope"], "accounts.read");
    assert_eq!(
        asking.post("/oauth/token", "grant_type=password").await.json()["error"],
        "unsupported_grant_type"
    );
    let wrong = Caller::new(crm.base_url())
        .post(
            "/oauth/token",
            "grant_type=client_credentials&client_id=x&client_secret=y",
        )
        .await;
    assert_eq!(
        (wrong.status, wrong.json()["error"].as_str()),
        (401, Some("invalid_client"))
    );

    assert_eq!(caller.get("/api/v2/accounts?limit=1").await.status, 200);
    crm.clock().advance(Duration::from_secs(31));
    let old = caller.get("/api/v2/accounts?limit=1").await;
    assert_eq!((old.status, old.json()["code"].as_str()), (401, Some("INVALID_TOKEN")));
    assert!(old.header("www-authenticate").contains("error=\"invalid_token\""));
    assert_eq!(crm.tokens_issued(), 2);
}

#[tokio::test]
async fn a_new_token_revokes_the_old_one_where_that_is_the_policy() {
    let (crm, first) = start(|options| options.token_policy = Policy::LatestOnly).await;
    let second = crm_caller(&crm).await;
    assert_eq!(first.get("/api/v2/accounts").await.status, 401);
    assert_eq!(second.get("/api/v2/accounts").await.status, 200);
    crm.revoke_tokens();
    assert_eq!(second.get("/api/v2/accounts").await.status, 401);
}

#[tokio::test]
async fn a_token_of_another_issuer_counts_when_that_issuer_vouches_for_it() {
    let issuer = Receiver::start().await;
    let word = axum::Router::new().route(
        "/introspect",
        axum::routing::post(|body: String| async move {
            let active = body == "token=good";
            axum::Json(json!({ "active": active, "client_id": "partner" }))
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/introspect", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, word).await });
    let introspection = Introspection {
        url: url.parse().unwrap(),
        client_id: "crm".into(),
        client_secret: "s".into(),
    };
    let (crm, caller) = start(|options| options.introspection = Some(introspection)).await;
    let good = caller.with("authorization", "Bearer good");
    assert_eq!(good.get("/api/v2/accounts").await.status, 200);
    assert_eq!(
        caller
            .with("authorization", "Bearer bad")
            .get("/api/v2/accounts")
            .await
            .status,
        401
    );
    let actors: Vec<_> = crm
        .history()
        .requests_to("GET", "/api")
        .into_iter()
        .filter_map(|request| request.actor)
        .collect();
    assert_eq!(actors, ["client:partner"]);
    drop(issuer);
}

#[tokio::test]
async fn cursor_paging_gives_every_account_once_even_while_others_are_deleted() {
    let (crm, caller) = start(|_| ()).await;
    let all = crm.all("account").unwrap();
    let mut seen = Vec::new();
    let mut path = "/api/v2/accounts?limit=7".to_owned();
    loop {
        let page = caller.get(&path).await.json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["Id"].as_str().unwrap().to_owned()),
        );
        if seen.len() == 7 {
            crm.delete("account", &seen[0], &crate::sandbox::Edit::by("user:anna"))
                .unwrap();
        }
        match page["meta"]["next"].as_str() {
            Some(next) => path = format!("/api/v2/accounts?limit=7&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all.iter().map(|account| account.id.clone()).collect::<Vec<_>>());
    assert_eq!(
        caller.get("/api/v2/accounts?cursor=x").await.json()["code"],
        "INVALID_CURSOR"
    );
    assert_eq!(
        caller.get("/api/v2/accounts?Nmae=x").await.json()["code"],
        "UNKNOWN_PARAMETER"
    );
}

#[tokio::test]
async fn modified_since_pages_through_what_changed_in_the_order_of_time() {
    let (crm, caller) = start(|_| ()).await;
    let ids: Vec<String> = crm
        .all("account")
        .unwrap()
        .into_iter()
        .map(|account| account.id)
        .take(5)
        .collect();
    let mut since = String::new();
    for id in ids.iter().rev() {
        let changed = caller
            .patch(&format!("/api/v2/accounts/{id}"), r#"{"Description":"x"}"#)
            .await
            .json();
        if since.is_empty() {
            since = changed["ModifiedAt"].as_str().unwrap().to_owned();
        }
    }
    let first = caller
        .get(&format!("/api/v2/accounts?modified_since={since}&limit=3"))
        .await
        .json();
    let next = first["meta"]["next"].as_str().unwrap();
    let second = caller
        .get(&format!("/api/v2/accounts?cursor={next}&limit=3"))
        .await
        .json();
    let pages = [&first, &second]
        .map(|page| page["items"].as_array().unwrap().clone())
        .concat();
    let seen: Vec<_> = pages
        .iter()
        .map(|item| item["Id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(seen, ids.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(second["meta"]["next"], Value::Null);
}

#[tokio::test]
async fn a_create_with_an_idempotency_key_is_done_once() {
    let (crm, caller) = start(|_| ()).await;
    let keyed = caller.with("idempotency-key", "k1");
    let first = keyed.post("/api/v2/accounts", r#"{"Name":"A"}"#).await;
    let again = keyed.post("/api/v2/accounts", r#"{"Name":"A"}"#).await;
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(
        first.header("location"),
        format!("/api/v2/accounts/{}", first.json()["Id"].as_str().unwrap())
    );
    let other = keyed.post("/api/v2/accounts", r#"{"Name":"B"}"#).await;
    assert_eq!(
        (other.status, other.json()["code"].as_str()),
        (409, Some("IDEMPOTENCY_MISMATCH"))
    );
    assert_eq!(crm.history().creates_of("account").len(), 1);
}

#[tokio::test]
async fn a_stale_version_is_refused_and_the_current_one_accepted() {
    let (_crm, caller) = start(|options| options.if_match = IfMatch::Required).await;
    let created = caller.post("/api/v2/accounts", r#"{"Name":"A"}"#).await;
    let path = created.header("location").to_owned();
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(caller.patch(&path, r#"{"Name":"B"}"#).await.status, 428);
    let changed = caller.with("if-match", "\"1\"").patch(&path, r#"{"Name":"B"}"#).await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
    let stale = caller.with("if-match", "\"1\"").patch(&path, r#"{"Name":"C"}"#).await;
    assert_eq!((stale.status, stale.json()["code"].as_str()), (412, Some("STALE")));
    assert_eq!(
        caller.with("if-match", "\"2\"").send("DELETE", &path, "").await.status,
        204
    );
    assert_eq!(caller.get(&path).await.status, 404);
}

#[tokio::test]
async fn an_upsert_by_external_key_makes_a_record_once_and_then_changes_it() {
    let (crm, caller) = start(|_| ()).await;
    let path = "/api/v2/accounts/by-external-key/erp%2F7";
    let first = caller.send("PUT", path, r#"{"Name":"A"}"#).await;
    let second = caller.send("PUT", path, r#"{"Name":"B"}"#).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(
        (&second.json()["Name"], &second.json()["ExternalKey"]),
        (&json!("B"), &json!("erp/7"))
    );
    assert_eq!(crm.history().creates_of("account").len(), 1);
    let duplicate = caller
        .post("/api/v2/accounts", r#"{"Name":"C","ExternalKey":"erp/7"}"#)
        .await;
    assert_eq!(
        (duplicate.status, duplicate.json()["code"].as_str()),
        (409, Some("DUPLICATE"))
    );
    let found = caller.get("/api/v2/accounts?ExternalKey=erp%2F7").await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn bad_values_are_refused_with_the_code_of_their_field() {
    let (_crm, caller) = start(|_| ()).await;
    for (body, code) in [
        (r#"{"Name":"A","VatNumber":"??"}"#, "INVALID_VAT"),
        (r#"{"Name":"A","VatNumber":"12345678"}"#, "INVALID_VAT"),
        (r#"{"Name":"A","Email":"nobody"}"#, "INVALID_EMAIL"),
        (r#"{"Name":"A","Status":"active"}"#, "INVALID_STATUS"),
        (r#"{"Name":"A","CreditLimit":"1.005"}"#, "INVALID_VALUE"),
        (r#"{"Name":"A","Billing":{"City":"x"}}"#, "UNKNOWN_FIELD"),
        (r#"{"Name":""}"#, "REQUIRED"),
    ] {
        let answer = caller.post("/api/v2/accounts", body).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some(code)),
            "{body}"
        );
    }
    let good = caller
        .post(
            "/api/v2/accounts",
            r#"{"Name":"A","VatNumber":"BR 12.345.678/0001-95","CreditLimit":"0.1"}"#,
        )
        .await;
    assert_eq!((good.status, &good.json()["CreditLimit"]), (201, &json!("0.10")));
    let stranger = caller
        .post("/api/v2/contacts", r#"{"LastName":"A","AccountId":"ACC-999999"}"#)
        .await;
    assert_eq!(stranger.json()["code"], "UNKNOWN_REFERENCE");
}

#[tokio::test]
async fn billing_is_nested_where_the_system_is_set_so() {
    let (_crm, caller) = start(|options| options.billing = Billing::Nested).await;
    let created = caller
        .post(
            "/api/v2/accounts",
            r#"{"Name":"A","Billing":{"City":"Lyon","Country":"FR"}}"#,
        )
        .await
        .json();
    assert_eq!(created["Billing"], json!({ "City": "Lyon", "Country": "FR" }));
    assert_eq!(created.get("BillingCity"), None);
    let path = format!("/api/v2/accounts/{}", created["Id"].as_str().unwrap());
    let changed = caller.patch(&path, r#"{"Billing":{"City":null}}"#).await.json();
    assert_eq!(changed["Billing"], json!({ "City": null, "Country": "FR" }));
}

#[tokio::test]
async fn a_batch_mixes_operations_and_reports_each() {
    let (crm, caller) = start(|_| ()).await;
    let body = json!({ "items": [
        { "op": "create", "Name": "A" },
        { "Id": "ACC-000002", "Description": "x" },
        { "op": "upsert", "ExternalKey": "k", "Name": "B" },
        { "op": "upsert", "Name": "C" },
        { "op": "delete", "Id": "ACC-000003" },
        { "op": "explode" },
        { "Id": "ACC-999999", "Name": "D" },
    ]});
    let answer = caller.post("/api/v2/accounts/batch", &body.to_string()).await.json();
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<_> = results
        .iter()
        .map(|result| result["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 200, 201, 400, 204, 400, 404]);
    assert_eq!(results[3]["error"]["field"], "ExternalKey");
    assert_eq!(
        (&results[1]["id"], &results[1]["error"]),
        (&json!("ACC-000002"), &Value::Null)
    );
    assert_eq!(crm.read("account", "ACC-000003").unwrap_err().field, None);
}

#[tokio::test]
async fn a_merged_account_is_gone_and_its_contacts_belong_to_the_other() {
    let (crm, caller) = start(|_| ()).await;
    let moved = crm.find("contact", "AccountId", "ACC-000001").unwrap();
    let merged = caller
        .post("/api/v2/accounts/ACC-000001/merge", r#"{"Into":"ACC-000002"}"#)
        .await;
    assert_eq!((merged.status, &merged.json()["Id"]), (200, &json!("ACC-000002")));
    let gone = caller.get("/api/v2/accounts/ACC-000001").await;
    assert_eq!((gone.status, gone.json()["code"].as_str()), (404, Some("MERGED")));
    assert_eq!(gone.json()["mergedInto"], "ACC-000002");
    for contact in moved {
        let now: Value = serde_json::from_str(&crm.read("contact", &contact.id).unwrap().json).unwrap();
        assert_eq!(now["AccountId"], "ACC-000002");
    }
    let last = crm.history().writes_to("account").pop().unwrap();
    assert_eq!((last.kind, last.id.as_str()), (Kind::Merged, "ACC-000001"));
    assert_eq!(
        caller
            .post("/api/v2/accounts/ACC-000002/merge", r#"{"Into":"ACC-000002"}"#)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_deleted_account_leaves_its_contacts_without_one() {
    let (crm, caller) = start(|_| ()).await;
    let contact = crm.find("contact", "AccountId", "ACC-000004").unwrap().pop().unwrap();
    assert_eq!(
        caller.send("DELETE", "/api/v2/accounts/ACC-000004", "").await.status,
        204
    );
    let now = caller.get(&format!("/api/v2/contacts/{}", contact.id)).await.json();
    assert_eq!((&now["AccountId"], &now["Version"]), (&Value::Null, &json!(2)));
    assert_eq!(
        caller.send("DELETE", "/api/v2/accounts/ACC-000004", "").await.status,
        404
    );
}
