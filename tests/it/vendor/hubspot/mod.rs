//! An account of HubSpot, as its CRM API v3 shows it: properties as texts, pages by `after`, searches that lag behind and
//! end at 10,000 records, batches with partial results, associations, signed webhooks.

mod route;
mod search;
mod write;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value as Json, json};
use sha2::Sha256;
use syncline::clock::Clock;

use super::ask::{Answer, Ask, Weather};
use crate::support::{http, loopback::Loopback};

pub const TOKEN: &str = "pat-eu1-hubspot";
pub const SECRET: &str = "hubspot-client-secret";

/// What there is: the name in addresses, the id of the type, the properties (`=` unique, `-` read only).
const TYPES: [(&str, &str, &str); 6] = [
    (
        "companies",
        "0-2",
        "name domain website phone address address2 city state zip country industry description annualrevenue \
         numberofemployees lifecyclestage hubspot_owner_id",
    ),
    (
        "contacts",
        "0-1",
        "email= firstname lastname phone mobilephone jobtitle company address city state zip country lifecyclestage \
         hubspot_owner_id associatedcompanyid",
    ),
    (
        "products",
        "0-7",
        "name hs_sku= description price hs_cost_of_goods_sold hs_url",
    ),
    (
        "orders",
        "0-123",
        "hs_order_name hs_external_order_id hs_external_order_status hs_source_store hs_fulfillment_status hs_pipeline \
         hs_pipeline_stage hs_currency_code hs_subtotal_price hs_tax hs_shipping_cost hs_total_price hs_external_created_date",
    ),
    (
        "invoices",
        "0-53",
        "hs_title hs_number- hs_currency hs_invoice_status hs_invoice_date hs_due_date hs_amount_billed- hs_amount_paid- hs_balance_due-",
    ),
    (
        "commerce_payments",
        "0-101",
        "hs_initial_amount hs_initiated_date hs_currency_code hs_latest_status hs_payment_method_type hs_reference_number \
         hs_customer_email hs_net_amount-",
    ),
];

/// Properties by name.
type Properties = BTreeMap<String, String>;

/// A running account.
pub struct HubSpot {
    pub server: Loopback,
    account: Arc<Mutex<Account>>,
    pub weather: Arc<Weather>,
}

#[derive(Default)]
struct Account {
    /// By type and number.
    records: BTreeMap<(&'static str, u64), Row>,
    made: u64,
    events: u64,
}

#[derive(Clone)]
struct Row {
    properties: Properties,
    created: DateTime<Utc>,
    changed: DateTime<Utc>,
    is_archived: bool,
    /// What searches know, and how many still come before they know better.
    indexed: Option<(Properties, DateTime<Utc>)>,
    lag: u8,
}

/// Something that a webhook tells.
#[derive(Debug, Clone, Copy)]
pub enum Event<'e> {
    Created,
    /// This property was.
    Changed(&'e str),
    Deleted,
    /// Into this one.
    Merged(&'e str),
    /// Together with the first into the second, which is new.
    MadeOf(&'e str, &'e str),
}

impl HubSpot {
    pub async fn start() -> Self {
        let account = Arc::new(Mutex::new(Account::default()));
        let weather = Arc::new(Weather::default());
        let (answering, over) = (Arc::clone(&account), Arc::clone(&weather));
        let server =
            Loopback::start(move |seen| over.over(seen, || answering.lock().unwrap().answer(&Ask::of(seen)).reply()))
                .await;
        Self {
            server,
            account,
            weather,
        }
    }

    /// Every record of a type, by id.
    pub fn all(&self, kind: &str) -> BTreeMap<String, Properties> {
        let account = self.account.lock().unwrap();
        let rows = account
            .records
            .iter()
            .filter(|((of, _), row)| *of == kind && !row.is_archived);
        rows.map(|((_, id), row)| (id.to_string(), row.properties.clone()))
            .collect()
    }

    /// The only record of a type whose property has this value.
    pub fn by(&self, kind: &str, property: &str, value: &str) -> Option<(String, Properties)> {
        let is_it =
            |(_, properties): &(String, Properties)| properties.get(property).is_some_and(|known| known == value);
        let mut found = self.all(kind).into_iter().filter(is_it);
        let first = found.next();
        assert!(found.next().is_none(), "two of `{kind}` have `{value}` in {property}");
        first
    }

    /// A person makes a record.
    pub fn make(&self, kind: &str, properties: &Json) -> String {
        let answer = self.account.lock().unwrap().create(kind_of(kind).unwrap(), properties);
        answer.unwrap().to_string()
    }

    /// A person changes a record.
    pub fn edit(&self, kind: &str, id: &str, properties: &Json) {
        let mut account = self.account.lock().unwrap();
        account
            .update(kind_of(kind).unwrap(), id.parse().unwrap(), properties)
            .unwrap();
    }

    pub fn delete(&self, kind: &str, id: &str) {
        let key = (kind_of(kind).unwrap(), id.parse().unwrap());
        self.account.lock().unwrap().records.get_mut(&key).unwrap().is_archived = true;
    }

    /// Tells the daemon at this address what happened, signed; the status of its answer.
    pub async fn push(&self, address: &str, kind: &str, id: &str, event: Event<'_>) -> u16 {
        let (text, headers) = self.signed(address, kind, id, event);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        http::send(address, "POST", "/webhooks/hubspot", &headers, text.as_bytes())
            .await
            .status
    }

    /// The body of a push and its headers.
    pub fn signed(
        &self,
        address: &str,
        kind: &str,
        id: &str,
        event: Event<'_>,
    ) -> (String, Vec<(&'static str, String)>) {
        let mut account = self.account.lock().unwrap();
        account.events += 1;
        let type_id = TYPES.iter().find(|(name, ..)| *name == kind).unwrap().1;
        let object: u64 = id.parse().unwrap();
        let name = match event {
            Event::Created => "object.creation",
            Event::Changed(_) => "object.propertyChange",
            Event::Deleted => "object.deletion",
            Event::Merged(_) | Event::MadeOf(..) => "object.merge",
        };
        let mut told = json!({
            "eventId": account.events, "subscriptionId": 9, "portalId": 1, "appId": 2, "occurredAt": now().timestamp_millis(),
            "subscriptionType": name, "attemptNumber": 0, "objectId": object, "objectTypeId": type_id, "changeSource": "CRM_UI",
        });
        match event {
            Event::Changed(property) => {
                told["propertyName"] = json!(property);
                told["propertyValue"] = json!("not to be believed");
            }
            Event::Merged(into) => {
                let into: u64 = into.parse().unwrap();
                told["mergedObjectIds"] = json!([object]);
                told["primaryObjectId"] = json!(into);
                told["newObjectId"] = json!(into);
            }
            Event::MadeOf(other, made) => {
                let [other, made]: [u64; 2] = [other, made].map(|id| id.parse().unwrap());
                told["objectId"] = json!(made);
                told["mergedObjectIds"] = json!([other]);
                told["primaryObjectId"] = json!(object);
                told["newObjectId"] = json!(made);
            }
            Event::Created | Event::Deleted => {}
        }
        let body = json!([told]).to_string();
        let at = now().timestamp_millis().to_string();
        let signature = signature(&format!("http://{address}/webhooks/hubspot"), &body, &at);
        let headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("X-HubSpot-Signature-v3", signature),
            ("X-HubSpot-Request-Timestamp", at),
        ];
        (body, headers)
    }
}

/// How HubSpot signs a push to an address, version 3.
pub fn signature(url: &str, body: &str, at: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("POST{url}{body}{at}").as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn shown_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The type of this name.
fn kind_of(name: &str) -> Option<&'static str> {
    TYPES.iter().map(|(known, ..)| *known).find(|known| *known == name)
}

/// The properties of a type: name and mark.
fn properties_of(kind: &str) -> impl Iterator<Item = (&'static str, Option<char>)> {
    let all = TYPES.iter().find(|(name, ..)| *name == kind).unwrap().2;
    all.split_whitespace().map(|word| {
        let name = word.trim_end_matches(['=', '-']);
        (name, word[name.len()..].chars().next())
    })
}

/// An error as HubSpot tells it.
fn refused(status: u16, category: &str, message: &str, errors: Json) -> Answer {
    let mut body = json!({
        "status": "error", "message": message, "correlationId": "f1a7c3de-5b1f-4c4b-9b3e-000000000000", "category": category,
    });
    if errors.as_array().is_some_and(|errors| !errors.is_empty()) {
        body["errors"] = errors;
    }
    Answer::new(status, body)
}

/// Too many requests in ten seconds.
pub fn too_many() -> crate::support::loopback::Reply {
    let body = json!({
        "status": "error", "message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT",
        "correlationId": "f1a7c3de-5b1f-4c4b-9b3e-000000000000", "policyName": "TEN_SECONDLY_ROLLING",
    });
    Answer::new(429, body).reply().with("x-hubspot-ratelimit-max", "100")
}
