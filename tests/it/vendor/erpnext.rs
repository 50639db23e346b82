//! A site of ERPNext, as the REST API of Frappe shows it: documents by name, filters as lists in JSON, times of the site without
//! a zone, and exceptions by their type.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value as Json, json};
use sha2::Sha256;
use syncline::clock::Clock;

use super::ask::{Answer, Ask, Weather};
use crate::support::{http, loopback::Loopback};

pub const KEY: &str = "erpnext-key";
pub const SECRET: &str = "erpnext-secret";
/// What webhooks are signed with.
pub const HOOK: &str = "erpnext-webhook-secret";
/// What the site's times are ahead of UTC.
pub const TIME_ZONE: &str = "Etc/GMT-2";

/// What there is: kinds of documents, what their names are made of, and their fields.
const DOCTYPES: [(&str, &str, &str); 6] = [
    (
        "Customer",
        "customer_name",
        "customer_name customer_type customer_group territory tax_id email_id mobile_no website default_currency payment_terms \
         customer_details disabled",
    ),
    (
        "Contact",
        "first_name",
        "first_name last_name full_name designation department company_name email_id phone mobile_no unsubscribed status user",
    ),
    (
        "Item",
        "item_code",
        "item_code item_name item_group description stock_uom standard_rate is_stock_item disabled",
    ),
    (
        "Sales Order",
        "",
        "customer transaction_date delivery_date po_no currency net_total total_taxes_and_charges grand_total status per_billed \
         per_delivered",
    ),
    (
        "Sales Invoice",
        "",
        "customer posting_date due_date po_no currency net_total total_taxes_and_charges grand_total outstanding_amount status \
         is_return",
    ),
    (
        "Payment Entry",
        "",
        "payment_type party_type party posting_date mode_of_payment paid_from paid_to paid_amount received_amount reference_no \
         reference_date status",
    ),
];

/// A running site.
pub struct ErpNext {
    pub server: Loopback,
    site: Arc<Mutex<Site>>,
    pub weather: Arc<Weather>,
}

#[derive(Default)]
struct Site {
    /// By kind and name.
    documents: BTreeMap<(&'static str, String), Map<String, Json>>,
    made: u64,
}

impl ErpNext {
    pub async fn start() -> Self {
        let site = Arc::new(Mutex::new(Site::default()));
        let weather = Arc::new(Weather::default());
        let (answering, over) = (Arc::clone(&site), Arc::clone(&weather));
        let server =
            Loopback::start(move |seen| over.over(seen, || answering.lock().unwrap().answer(&Ask::of(seen)).reply()))
                .await;
        Self { server, site, weather }
    }

    /// Every document of a kind, by name.
    pub fn all(&self, kind: &str) -> BTreeMap<String, Map<String, Json>> {
        let site = self.site.lock().unwrap();
        let rows = site.documents.iter().filter(|((of, _), _)| *of == kind);
        rows.map(|((_, name), fields)| (name.clone(), fields.clone())).collect()
    }

    pub fn get(&self, kind: &str, name: &str) -> Map<String, Json> {
        self.all(kind)[name].clone()
    }

    /// A person makes a document.
    pub fn make(&self, kind: &str, fields: &Json) -> String {
        let answer = self.site.lock().unwrap().create(doctype(kind).unwrap(), fields);
        answer.body.unwrap()["data"]["name"].as_str().unwrap().to_owned()
    }

    /// A person changes a document.
    pub fn edit(&self, kind: &str, name: &str, fields: &Json) {
        let answer = self.site.lock().unwrap().update(doctype(kind).unwrap(), name, fields);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

impl ErpNext {
    /// A person renames a document.
    pub fn rename(&self, kind: &str, old: &str, new: &str) {
        let kind = doctype(kind).unwrap();
        let mut site = self.site.lock().unwrap();
        let mut document = site.documents.remove(&(kind, old.to_owned())).unwrap();
        for field in ["name", "customer_name"] {
            document.insert(field.into(), json!(new));
        }
        document.insert("modified".into(), stamp(Clock::system().now()));
        site.documents.insert((kind, new.to_owned()), document);
    }

    /// Tells the daemon at this address of a rename, as the webhook on comments does; the status of its answer.
    pub async fn push_rename(&self, address: &str, kind: &str, old: &str, new: &str) -> u16 {
        let bold = |name: &str| format!("<strong>{}</strong>", name.replace('&', "&amp;"));
        let text = format!("renamed from {} to {}", bold(old), bold(new));
        let body = json!({ "doctype": kind, "name": new, "event": "renamed", "text": text }).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(HOOK.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let headers = [
            ("Content-Type", "application/json"),
            ("X-Frappe-Webhook-Signature", signature.as_str()),
        ];
        http::send(address, "POST", "/webhooks/erpnext", &headers, body.as_bytes())
            .await
            .status
    }
}

fn doctype(name: &str) -> Option<&'static str> {
    DOCTYPES.iter().map(|(known, ..)| *known).find(|known| *known == name)
}

/// The site's own time.
fn stamp(time: DateTime<Utc>) -> Json {
    json!((time + TimeDelta::hours(2)).format("%Y-%m-%d %H:%M:%S%.6f").to_string())
}

/// An exception as Frappe tells it.
pub fn refused(status: u16, kind: &str, message: &str) -> Answer {
    let exception = format!("frappe.exceptions.{kind}: {message}");
    Answer::new(
        status,
        json!({ "exc_type": kind, "exception": exception, "exc": "[\"Traceback …\"]", "_server_messages": "[]" }),
    )
}

impl Site {
    fn answer(&mut self, ask: &Ask) -> Answer {
        if ask.header("authorization") != Some(&format!("token {KEY}:{SECRET}")) {
            return refused(401, "AuthenticationError", "");
        }
        let parts = ask.parts();
        let ["api", "resource", kind, rest @ ..] = parts.as_slice() else {
            return refused(404, "PageDoesNotExistError", "");
        };
        let Some(kind) = doctype(kind) else {
            return refused(404, "DoesNotExistError", "DocType not found");
        };
        match (ask.method.as_str(), rest) {
            ("GET", []) => self.list(ask, kind),
            ("POST", []) => self.create(kind, &ask.body),
            ("GET", [name]) => match self.documents.get(&(kind, (*name).to_owned())) {
                Some(fields) => Answer::ok(json!({ "data": fields })),
                None => refused(404, "DoesNotExistError", &format!("{kind} {name} not found")),
            },
            ("PUT", [name]) => self.update(kind, name, &ask.body),
            ("DELETE", [name]) => match self.documents.remove(&(kind, (*name).to_owned())) {
                Some(_) => Answer::new(202, json!({ "data": "ok" })),
                None => refused(404, "DoesNotExistError", &format!("{kind} {name} not found")),
            },
            _ => refused(405, "PageDoesNotExistError", ""),
        }
    }

    fn list(&self, ask: &Ask, kind: &'static str) -> Answer {
        let filters: Vec<(String, String, Json)> = serde_json::from_str(ask.param("filters").unwrap_or("[]")).unwrap();
        let limit = ask
            .param("limit_page_length")
            .map_or(20, |limit| limit.parse().unwrap());
        let fits = |fields: &Map<String, Json>| {
            filters.iter().all(|(name, operator, wanted)| {
                let text = |json: &Json| json.as_str().map_or_else(|| json.to_string(), ToOwned::to_owned);
                // MariaDB compares without case.
                let (value, wanted) = (text(&fields[name]).to_lowercase(), text(wanted).to_lowercase());
                match operator.as_str() {
                    "=" => value == wanted,
                    ">" => value > wanted,
                    ">=" => value >= wanted,
                    other => panic!("{other}"),
                }
            })
        };
        let rows = self
            .documents
            .iter()
            .filter(|((of, _), fields)| *of == kind && fits(fields));
        let mut rows: Vec<&Map<String, Json>> = rows.map(|(_, fields)| fields).collect();
        rows.sort_by_key(|fields| fields["name"].as_str().unwrap().to_lowercase());
        rows.truncate(limit);
        Answer::ok(json!({ "data": rows }))
    }

    fn create(&mut self, kind: &'static str, given: &Json) -> Answer {
        let mut fields = match taken(kind, given) {
            Ok(fields) => fields,
            Err(refused) => return refused,
        };
        self.made += 1;
        let (_, naming, _) = DOCTYPES.iter().find(|(known, ..)| *known == kind).unwrap();
        let name = match fields.get(*naming).and_then(Json::as_str) {
            Some(text) => text.to_owned(),
            None if naming.is_empty() => {
                let series = match kind {
                    "Sales Order" => "SAL-ORD",
                    "Sales Invoice" => "ACC-SINV",
                    _ => "ACC-PAY",
                };
                format!("{series}-2026-{:05}", self.made)
            }
            None => return refused(417, "MandatoryError", &format!("[{kind}, new]: {naming}")),
        };
        if self.documents.contains_key(&(kind, name.clone())) {
            return refused(409, "DuplicateEntryError", &format!("('{kind}', '{name}')"));
        }
        let all = DOCTYPES.iter().find(|(known, ..)| *known == kind).unwrap().2;
        let mut document: Map<String, Json> = all
            .split_whitespace()
            .map(|field| (field.to_owned(), Json::Null))
            .collect();
        for field in ["disabled", "unsubscribed"] {
            document.entry(field).and_modify(|value| *value = json!(0));
        }
        document.append(&mut fields);
        let at = Clock::system().now();
        for (field, value) in [
            ("name", json!(name)),
            ("doctype", json!(kind)),
            ("creation", stamp(at)),
            ("modified", stamp(at)),
        ] {
            document.insert(field.into(), value);
        }
        document.entry("docstatus").or_insert(json!(0));
        self.documents.insert((kind, name), document.clone());
        Answer::ok(json!({ "data": document }))
    }

    fn update(&mut self, kind: &'static str, name: &str, given: &Json) -> Answer {
        let Some(document) = self.documents.get_mut(&(kind, name.to_owned())) else {
            return refused(404, "DoesNotExistError", &format!("{kind} {name} not found"));
        };
        let mut fields = match taken(kind, given) {
            Ok(fields) => fields,
            Err(refused) => return refused,
        };
        let read = fields.shift_remove("modified");
        if read.is_some_and(|read| read != document["modified"]) {
            return refused(
                417,
                "TimestampMismatchError",
                "Document has been modified after you have opened it",
            );
        }
        document.append(&mut fields);
        document.insert("modified".into(), stamp(Clock::system().now()));
        Answer::ok(json!({ "data": document.clone() }))
    }
}

/// The values as they are kept. Frappe leaves out what it does not know.
fn taken(kind: &str, given: &Json) -> Result<Map<String, Json>, Answer> {
    let all = DOCTYPES.iter().find(|(known, ..)| *known == kind).unwrap().2;
    let known =
        |name: &str| ["docstatus", "modified"].contains(&name) || all.split_whitespace().any(|field| field == name);
    let Json::Object(given) = given else {
        return Err(refused(417, "ValidationError", ""));
    };
    let mut taken = Map::new();
    for (name, value) in given.iter().filter(|(name, _)| known(name)) {
        let value = match value {
            Json::Bool(value) => json!(u8::from(*value)),
            Json::String(text) if text.is_empty() => Json::Null,
            other => other.clone(),
        };
        taken.insert(name.clone(), value);
    }
    Ok(taken)
}
