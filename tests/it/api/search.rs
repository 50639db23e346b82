//! `GET /api/v1/records`: by an id, by what a report shows, and by what records are matched by.

use serde_json::json;
use syncline::{core::status::Role, sandbox::Snapshot};

use crate::support::app::Setup;

#[tokio::test]
async fn a_record_is_found_by_what_it_is_matched_by_and_by_personal_data_only_where_that_is_seen() {
    let systems = super::action::systems().await;
    let app = Setup::between(&systems).start().await;
    let (viewer, analyst) = (app.token(Role::Viewer).await, app.token(Role::Analyst).await);
    let customers = systems.erp.all("customer").unwrap();
    let fields = |one: &Snapshot| serde_json::from_str::<serde_json::Value>(&one.json).unwrap();
    let is_whole = |one: &&Snapshot| fields(one)["tax_id"].is_string() && fields(one)["email"].is_string();
    let customer = customers.iter().find(is_whole).unwrap();
    let value = |name: &str| {
        let fields = fields(customer);
        let text = fields[name].as_str().unwrap();
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let (tax_id, email) = (value("tax_id"), value("email"));
    let find = async |token: &str, query: &str| {
        let answer = app.get(&format!("/api/v1/records?{query}"), token).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let is_found = |answer: &serde_json::Value| {
        let items = answer["items"].as_array().unwrap().iter();
        let mut ids = items.filter(|one| one["mapping"] == "customer-account" && one["system"] == "erp");
        ids.any(|one| one["record_id"] == json!(customer.id))
    };
    let unknown = find(&viewer, &format!("q={tax_id}")).await;
    assert!(!is_found(&unknown), "nothing is on record yet: {unknown}");
    let asked = find(&viewer, &format!("q={tax_id}&ask=true")).await;
    assert!(is_found(&asked), "{asked}");
    assert_eq!(asked["unasked"], json!([]));
    let hidden = find(&viewer, &format!("q={email}&ask=true")).await;
    assert!(!is_found(&hidden), "{hidden}");
    let seen = find(&analyst, &format!("q={email}&ask=true")).await;
    assert!(is_found(&seen), "{seen}");
    let many = "x".repeat(201);
    assert_eq!(app.get(&format!("/api/v1/records?q={many}"), &viewer).await.status, 422);
    systems.stop().await;
}
