//! No ping-pong with a system that brings what is written to it into a form of its own, over HTTP and with both directions on: the
//! CRM stands behind an address that trims, capitalizes and respells, tells of every write as if somebody else had made it, and
//! answers updates with the record or with nothing.

use std::collections::BTreeSet;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value as Json, json};
use syncline::core::status::Side;
use tokio::net::TcpListener;

use super::{CUSTOMERS, World};
use crate::support::{
    http,
    rig::{Budget, Chance, report},
};

/// Where the CRM is, and whether it answers updates with nothing.
#[derive(Clone)]
struct Tidy {
    address: String,
    is_silent: bool,
}

/// The headers that say something about a request or an answer.
const PASSED: [&str; 8] = [
    "authorization",
    "content-type",
    "etag",
    "idempotency-key",
    "if-match",
    "location",
    "retry-after",
    "www-authenticate",
];

/// What the CRM makes of the fields of an account.
fn tidied(account: &mut Json) {
    let Some(fields) = account.as_object_mut() else { return };
    for (name, value) in fields {
        let Some(text) = value.as_str() else { continue };
        let kept = match name.as_str() {
            "Name" => text.trim().to_uppercase(),
            "BillingCity" => text.trim().to_lowercase(),
            "Description" => text.split_whitespace().collect::<Vec<_>>().join(" "),
            "Phone" => text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect(),
            "VatNumber" => text.chars().filter(char::is_ascii_alphanumeric).collect(),
            _ => continue,
        };
        *value = Json::String(kept);
    }
}

/// Passes a request on to the CRM, with what is written as the CRM keeps it.
async fn pass(State(tidy): State<Tidy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = to_bytes(body, 16 << 20).await.unwrap().to_vec();
    let is_update = parts.method == Method::PATCH;
    if let Ok(mut json) = serde_json::from_slice::<Json>(&body)
        && (is_update || parts.method == Method::POST)
    {
        match json.get_mut("items").and_then(Json::as_array_mut) {
            Some(items) => items.iter_mut().for_each(tidied),
            None => tidied(&mut json),
        }
        body = serde_json::to_vec(&json).unwrap();
    }
    let passed = |name: &str| PASSED.contains(&name.to_ascii_lowercase().as_str());
    let headers: Vec<(&str, &str)> = parts
        .headers
        .iter()
        .filter(|(name, _)| passed(name.as_str()))
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let answer = http::send(&tidy.address, parts.method.as_str(), target, &headers, &body).await;
    if is_update && tidy.is_silent && answer.status < 300 {
        return StatusCode::NO_CONTENT.into_response();
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers.iter().filter(|(name, _)| passed(name)) {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

/// A world whose CRM is reached by that address.
async fn world(chance: &mut Chance) -> World {
    let mut world = World::empty().await;
    let tidy = Tidy {
        address: world.systems.crm.base_url().trim_start_matches("http://").to_owned(),
        is_silent: chance.percent(50),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(pass).with_state(tidy);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let conflict = format!("conflict: {}\n", chance.pick(&["newest", "erp", "crm", "manual"]));
    let (base, token) = (
        format!("base_url: \"{address}/api/v2\""),
        format!("token_url: \"{address}/oauth/token\""),
    );
    world.remap(&[
        ("base_url: \"{{ settings.base_url }}/api/v2\"", base.as_str()),
        ("token_url: \"{{ settings.base_url }}/oauth/token\"", token.as_str()),
        ("conflict: newest\n", conflict.as_str()),
    ]);
    world
}

/// Somebody edits one field of a pair, on one side.
fn edit(world: &World, chance: &mut Chance, (customer, account): &(String, String), number: u64) -> (Side, String) {
    let word = format!(" Word  {number} ");
    let phone = format!("+55 (11) {number:04}-0000");
    if chance.percent(50) {
        let patch = match chance.below(4) {
            0 => json!({ "name": word }),
            1 => json!({ "address": { "city": word } }),
            2 => json!({ "note": word }),
            _ => json!({ "phone": phone }),
        };
        world.edit_customer(customer, &patch.to_string());
        return (Side::Left, customer.clone());
    }
    let mut patch = match chance.below(4) {
        0 => json!({ "Name": word }),
        1 => json!({ "BillingCity": word }),
        2 => json!({ "Description": word }),
        _ => json!({ "Phone": phone }),
    };
    tidied(&mut patch);
    world.edit_account(account, &patch.to_string());
    (Side::Right, account.clone())
}

/// Works until nothing is told any more: every write of ours is told as one of somebody else's.
async fn settle(world: &World, told: &str) {
    let mut known = 0;
    for _ in 0..10 {
        world.drain().await;
        let (erp, crm) = (world.systems.erp.history(), world.systems.crm.history());
        let ours = [(Side::Left, erp), (Side::Right, crm)].map(|(side, history)| {
            let written = history.commits_where(|one| one.request.is_some());
            written.into_iter().map(|one| (side, one.id)).collect::<Vec<_>>()
        });
        let count = ours[0].len() + ours[1].len();
        if count == known {
            return;
        }
        known = count;
        let ours: BTreeSet<(Side, String)> = ours.into_iter().flatten().collect();
        for (side, id) in ours {
            world.event(side, &id).await;
        }
    }
    panic!("{known} writes, and there is no end: {told}");
}

#[tokio::test]
async fn a_system_that_respells_what_is_written_is_written_to_once_for_each_edit() {
    let mut budget = Budget::new(2, 2_000);
    let mut chance = budget.chance();
    let (mut all_edits, mut all_writes) = (0, 0);
    while budget.goes_on() {
        let world = world(&mut chance).await;
        let customers = world.customers(0, 4);
        world.full().await;
        let mut pairs = Vec::new();
        for customer in &customers {
            pairs.push((customer.clone(), world.link_of(customer).await.unwrap().link.right_id));
        }
        settle(&world, &budget.replay()).await;
        let before = world.our_writes().len();
        assert_eq!(before, pairs.len(), "each account is made and left alone");
        let mut edits = 0;
        for number in 1..=20 {
            let pair = chance.pick(&pairs).clone();
            let (side, id) = edit(&world, &mut chance, &pair, number);
            edits += 1;
            // No loop is to be broken off by the guard against loops.
            world.advance(std::time::Duration::from_mins(10));
            if chance.percent(70) {
                world.event(side, &id).await;
                settle(&world, &budget.replay()).await;
            }
        }
        settle(&world, &budget.replay()).await;
        world.reconcile().await;
        settle(&world, &budget.replay()).await;
        let written = world.our_writes().len() - before;
        let conflicts = world.failures().await.len();
        assert!(
            written <= edits + conflicts,
            "{written} writes of {edits} edits and {conflicts} conflicts; {}",
            budget.replay()
        );
        // Whoever looks again finds nothing to do.
        for (customer, account) in &pairs {
            world.event(Side::Left, customer).await;
            world.event(Side::Right, account).await;
        }
        world.drain().await;
        let second = world.reconcile().await;
        assert_eq!(
            (world.our_writes().len() - before, second.counters.updated),
            (written, 0),
            "{}",
            budget.replay()
        );
        all_edits += edits;
        all_writes += written;
    }
    assert!(all_writes * 4 > all_edits, "edits travel: {all_writes} of {all_edits}");
    report(&format!(
        "{} histories of `{CUSTOMERS}` over HTTP: {all_edits} edits, {all_writes} writes",
        budget.done()
    ));
}
