//! ERPNext and HubSpot, kept in step by the daemon with what we ship: customers, contacts, products, orders, invoices,
//! payments; HubSpot pushes what happens, and so does ERPNext what it renames.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{
    PATIENCE, agreed,
    ask::Mishap,
    erpnext::{self, ErpNext},
    files,
    hubspot::{self, Event, HubSpot},
    reconciled, writes,
};
use crate::support::{http, loopback::Seen, place::Place};

const CONNECTORS: [&str; 2] = ["connectors/erpnext.yaml", "connectors/hubspot.yaml"];
const MAPPINGS: [&str; 6] = [
    "templates/mappings/erpnext--hubspot-customer.yaml",
    "templates/mappings/erpnext--hubspot-contact.yaml",
    "templates/mappings/erpnext--hubspot-product.yaml",
    "templates/mappings/erpnext--hubspot-order.yaml",
    "templates/mappings/erpnext--hubspot-invoice.yaml",
    "templates/mappings/erpnext--hubspot-payment.yaml",
];
const CUSTOMER: &str = "erpnext--hubspot-customer";
/// So many that listings have several pages.
const CUSTOMERS: usize = 130;
/// So many of them have a company already.
const KNOWN: usize = 110;

struct Pair {
    erpnext: ErpNext,
    hubspot: HubSpot,
    place: Place,
}

impl Pair {
    async fn start() -> Self {
        let (erpnext, hubspot) = (ErpNext::start().await, HubSpot::start().await);
        let systems = format!(
            r#"
            {PATIENCE}
            [systems.erpnext]
            connector = "erpnext"
            settings = {{ base_url = "{}", time_zone = "{}", page_size = 50 }}
            credentials = {{ api_key = "{}", api_secret = "{}" }}
            webhook_secrets = ["{}"]
            allow_networks = ["127.0.0.0/8"]
            [systems.hubspot]
            connector = "hubspot"
            settings = {{ base_url = "{}" }}
            credentials = {{ token = "{}" }}
            webhook_secrets = ["{}"]
            allow_networks = ["127.0.0.0/8"]
            "#,
            erpnext.server.url(),
            erpnext::TIME_ZONE,
            erpnext::KEY,
            erpnext::SECRET,
            erpnext::HOOK,
            hubspot.server.url(),
            hubspot::TOKEN,
            hubspot::SECRET,
        );
        let mut files = files(CONNECTORS, &MAPPINGS);
        // What an account may do in ten seconds is not what is tried here.
        let connector = files.iter_mut().find(|(file, _)| *file == CONNECTORS[1]).unwrap();
        connector.1 = connector.1.replace("rate: 8/s, burst: 20", "rate: 1000/s, burst: 1000");
        let place = Place::lay_out(&files, &systems);
        let pair = Self {
            erpnext,
            hubspot,
            place,
        };
        pair.fill();
        pair
    }

    fn fill(&self) {
        for number in 0..CUSTOMERS {
            let customer = json!({ "customer_name": name(number), "customer_type": "Company", "website": format!("https://{number}.example") });
            self.erpnext.make("Customer", &customer);
        }
        for number in 0..KNOWN {
            // Without the legal form, and in capitals.
            let company = name(number).to_uppercase().replace(" GMBH", "");
            self.hubspot.make("companies", &json!({ "name": company }));
        }
        let person = json!({ "first_name": "Ana", "last_name": "Souza", "email_id": "ana@acme.example", "designation": "Buyer" });
        self.erpnext.make("Contact", &person);
        let colleague = json!({ "first_name": "Colleague", "email_id": "me@acme.example", "user": "me@acme.example" });
        self.erpnext.make("Contact", &colleague);
        let item = json!({ "item_code": "S-1", "item_name": "Screw", "standard_rate": 0.05 });
        self.erpnext.make("Item", &item);
        let order = json!({
            "customer": name(0), "currency": "EUR", "net_total": 100.0, "total_taxes_and_charges": 19.0, "grand_total": 119.0,
            "status": "To Deliver and Bill", "docstatus": 1,
        });
        self.erpnext.make("Sales Order", &order);
        let invoice = json!({
            "customer": name(0), "currency": "EUR", "posting_date": "2026-01-02", "due_date": "2026-02-01", "grand_total": 119.0,
            "outstanding_amount": 0.0, "status": "Paid", "is_return": 0, "docstatus": 1,
        });
        self.erpnext.make("Sales Invoice", &invoice);
        let payment = json!({
            "payment_type": "Receive", "party_type": "Customer", "party": name(0), "posting_date": "2026-01-02", "paid_amount": 119.0,
            "docstatus": 1,
        });
        self.erpnext.make("Payment Entry", &payment);
    }

    /// The company that a customer is linked to.
    fn company(&self, customer: &str) -> Option<(String, BTreeMap<String, String>)> {
        let links = self.place.ask(&["links", "--mapping", CUSTOMER, "--limit", "1000"]);
        let link = links.iter().find(|link| link["left_id"] == customer)?;
        let id = link["right_id"].as_str()?.to_owned();
        let properties = self.hubspot.all("companies").remove(&id)?;
        Some((id, properties))
    }

    fn customer(&self, number: usize) -> serde_json::Map<String, Json> {
        self.erpnext.get("Customer", &name(number))
    }

    /// Waits until a property of a company has this value.
    async fn company_says(&self, id: &str, property: &str, value: &str) {
        let what = format!("company {id} with `{value}` in {property}");
        let says = || {
            self.hubspot.all("companies")[id]
                .get(property)
                .is_some_and(|known| known == value)
        };
        self.place.until(&what, says).await;
    }

    async fn customer_says(&self, number: usize, field: &str, value: &str) {
        let what = format!("customer {number} with `{value}` in {field}");
        self.place.until(&what, || self.customer(number)[field] == value).await;
    }

    /// Writes that reached either system.
    fn writes(&self) -> usize {
        let to_hubspot = |seen: &Seen| seen.method != "GET" && !seen.path().ends_with("/search");
        writes(&self.erpnext.server, |seen| seen.method != "GET") + writes(&self.hubspot.server, to_hubspot)
    }
}

fn name(number: usize) -> String {
    format!("Customer {number:03} GmbH")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erpnext_and_hubspot_stay_in_step_both_ways_by_what_is_shipped() {
    let pair = Pair::start().await;
    pair.first_match();
    let before = pair.writes();
    reconciled(&pair.place);
    assert_eq!(pair.writes(), before, "a second comparison writes nothing");
    let daemon = pair.place.start();
    pair.place.ready().await;
    pair.edits_travel_both_ways().await;
    pair.pushes_are_believed_only_if_they_are_signed().await;
    pair.what_is_refused_for_a_while_arrives().await;
    pair.a_lost_answer_is_made_good_by_the_push_of_what_was_made().await;
    pair.a_company_that_became_another_is_followed().await;
    pair.several_companies_that_became_one_are_followed().await;
    pair.a_renamed_customer_keeps_its_company().await;
    daemon.stop();
    pair.a_deleted_company_is_told_and_not_copied();
}

impl Pair {
    fn first_match(&self) {
        agreed(&self.place);
        let companies = self.hubspot.all("companies");
        assert_eq!(companies.len(), CUSTOMERS, "one for each customer");
        for number in 0..CUSTOMERS {
            let (_, company) = self
                .hubspot
                .by("companies", "website", &format!("https://{number}.example"))
                .unwrap();
            assert_eq!(company["name"], name(number));
            let stage = company.get("lifecyclestage").map(String::as_str);
            assert_eq!(
                stage,
                (number >= KNOWN).then_some("customer"),
                "only new ones are given a stage"
            );
        }
        let (_, ana) = self.hubspot.by("contacts", "email", "ana@acme.example").unwrap();
        assert_eq!(
            (&*ana["firstname"], &*ana["lastname"], &*ana["jobtitle"]),
            ("Ana", "Souza", "Buyer")
        );
        assert_eq!(
            self.hubspot.all("contacts").len(),
            1,
            "whoever signs in to the ERP is no contact of the CRM"
        );
        let (_, screw) = self.hubspot.by("products", "hs_sku", "S-1").unwrap();
        assert_eq!((&*screw["name"], &*screw["price"]), ("Screw", "0.05"));
        let orders = self.hubspot.all("orders");
        let order = orders.values().next().unwrap();
        assert_eq!(
            (&*order["hs_total_price"], &*order["hs_currency_code"]),
            ("119.0", "EUR")
        );
        let invoices = self.hubspot.all("invoices");
        let invoice = invoices.values().next().unwrap();
        assert_eq!(
            (&*invoice["hs_currency"], &*invoice["hs_due_date"]),
            ("EUR", "2026-02-01")
        );
        let payments = self.hubspot.all("commerce_payments");
        let payment = payments.values().next().unwrap();
        assert_eq!(
            (&*payment["hs_initial_amount"], &*payment["hs_latest_status"]),
            ("119.0", "succeeded")
        );
    }

    async fn edits_travel_both_ways(&self) {
        let (first, _) = self.company(&name(1)).unwrap();
        let (second, _) = self.company(&name(2)).unwrap();
        self.erpnext.edit(
            "Customer",
            &name(1),
            &json!({ "customer_name": "Renamed in ERPNext & Söhne" }),
        );
        self.hubspot.edit(
            "companies",
            &second,
            &json!({ "website": "https://two.example", "description": "Told by \"sales\"" }),
        );
        self.company_says(&first, "name", "Renamed in ERPNext & Söhne").await;
        // Nothing was pushed: the next look finds it, though the search does not know of it at first.
        self.customer_says(2, "website", "https://two.example").await;
        self.customer_says(2, "customer_details", "Told by \"sales\"").await;
    }

    async fn pushes_are_believed_only_if_they_are_signed(&self) {
        let (id, _) = self.company(&name(3)).unwrap();
        let address = &self.place.address;
        self.hubspot
            .edit("companies", &id, &json!({ "website": "https://three.example" }));
        let pushed = self
            .hubspot
            .push(address, "companies", &id, Event::Changed("website"))
            .await;
        assert_eq!(pushed, 200, "{}", self.place.log_end());
        self.customer_says(3, "website", "https://three.example").await;
        let (body, mut headers) = self.hubspot.signed(address, "companies", &id, Event::Deleted);
        for (name, value) in &mut headers {
            if *name == "X-HubSpot-Signature-v3" {
                *value = hubspot::signature("http://elsewhere.example/webhooks/hubspot", &body, "0");
            }
        }
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let forged = http::send(address, "POST", "/webhooks/hubspot", &headers, body.as_bytes()).await;
        assert_eq!(forged.status, 401);
    }

    async fn what_is_refused_for_a_while_arrives(&self) {
        let (id, _) = self.company(&name(4)).unwrap();
        for _ in 0..2 {
            self.hubspot
                .weather
                .next("PATCH", "/companies/", Mishap::Refused(hubspot::too_many()));
        }
        self.erpnext
            .edit("Customer", &name(4), &json!({ "website": "https://four.example" }));
        self.company_says(&id, "website", "https://four.example").await;
        assert_eq!(self.hubspot.weather.left(), 0);
        // A deadlock, and a document that somebody saved just before.
        let (other, _) = self.company(&name(7)).unwrap();
        for kind in ["QueryDeadlockError", "TimestampMismatchError"] {
            let refused = erpnext::refused(417, kind, "not now").reply();
            self.erpnext.weather.next("PUT", "/Customer/", Mishap::Refused(refused));
        }
        self.hubspot
            .edit("companies", &other, &json!({ "website": "https://seven.example" }));
        self.customer_says(7, "website", "https://seven.example").await;
        assert_eq!(self.erpnext.weather.left(), 0);
    }

    /// HubSpot's search does not know yet of what was just made: its push does.
    async fn a_lost_answer_is_made_good_by_the_push_of_what_was_made(&self) {
        self.hubspot.weather.next("POST", "/companies$", Mishap::AnswerLost);
        let customer = json!({ "customer_name": "Made once GmbH", "customer_type": "Company" });
        self.erpnext.make("Customer", &customer);
        let made = || self.hubspot.by("companies", "name", "Made once GmbH");
        self.place
            .until("a company whose answer was lost", || made().is_some())
            .await;
        let (id, _) = made().unwrap();
        let pushed = self
            .hubspot
            .push(&self.place.address, "companies", &id, Event::Created)
            .await;
        assert_eq!(pushed, 200);
        let is_linked = || self.company("Made once GmbH").is_some_and(|(linked, _)| linked == id);
        self.place
            .until("a link to the company whose answer was lost", is_linked)
            .await;
        assert!(made().is_some(), "there is one of it");
    }

    async fn a_company_that_became_another_is_followed(&self) {
        let (id, _) = self.company(&name(5)).unwrap();
        let winner = self.hubspot.make("companies", &json!({ "name": "Winner" }));
        self.hubspot.delete("companies", &id);
        let pushed = self
            .hubspot
            .push(&self.place.address, "companies", &id, Event::Merged(&winner))
            .await;
        assert_eq!(pushed, 200);
        let is_followed = || self.company(&name(5)).is_some_and(|(linked, _)| linked == winner);
        self.place.until("a link to what the company became", is_followed).await;
    }

    /// HubSpot makes a new company of those that are merged, and tells of all of them in one event.
    async fn several_companies_that_became_one_are_followed(&self) {
        let (first, _) = self.company(&name(8)).unwrap();
        let (second, _) = self.company(&name(9)).unwrap();
        let made = self.hubspot.make("companies", &json!({ "name": "Made of two" }));
        for id in [&first, &second] {
            self.hubspot.delete("companies", id);
        }
        let merged = Event::MadeOf(&second, &made);
        let pushed = self
            .hubspot
            .push(&self.place.address, "companies", &first, merged)
            .await;
        assert_eq!(pushed, 200);
        let linked = || [8, 9].map(|number| self.company(&name(number)).map(|(id, _)| id));
        let is_followed = || {
            let to_it = linked().iter().flatten().filter(|id| **id == made).count();
            let to_none = linked().iter().flatten().all(|id| *id != first && *id != second);
            to_it == 1 && to_none
        };
        self.place
            .until("one link to what two companies became", is_followed)
            .await;
    }

    async fn a_renamed_customer_keeps_its_company(&self) {
        let (old, new) = (name(10), "Renamed & Sons GmbH");
        let (id, _) = self.company(&old).unwrap();
        self.erpnext.rename("Customer", &old, new);
        let address = &self.place.address;
        for _ in 0..2 {
            let pushed = self.erpnext.push_rename(address, "Customer", &old, new).await;
            assert_eq!(pushed, 200, "{}", self.place.log_end());
        }
        let is_followed = || self.company(new).is_some_and(|(linked, _)| linked == id);
        self.place.until("a link under the new name", is_followed).await;
        self.erpnext
            .edit("Customer", new, &json!({ "website": "https://renamed.example" }));
        self.company_says(&id, "website", "https://renamed.example").await;
        let companies = self.hubspot.all("companies");
        let named = |company: &&BTreeMap<String, String>| company.get("name").is_some_and(|name| name == new);
        assert_eq!(
            companies.values().filter(named).count(),
            1,
            "nothing is made of a rename"
        );
    }

    fn a_deleted_company_is_told_and_not_copied(&self) {
        let (id, _) = self.company(&name(6)).unwrap();
        self.hubspot.delete("companies", &id);
        reconciled(&self.place);
        let deletes = self.place.ask(&["deletes", "--mapping", CUSTOMER]);
        let told: Vec<&str> = deletes.iter().filter_map(|pair| pair["right_id"].as_str()).collect();
        // Of two companies that became one, the one whose customer did not keep it is told as well.
        assert!(told.contains(&id.as_str()) && told.len() <= 2, "{told:?}");
        assert_eq!(self.customer(6)["customer_type"], "Company");
    }
}
