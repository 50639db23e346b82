//! Odoo and Salesforce, kept in step by the daemon with what we ship: customers, contacts, products, orders, invoices.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::{
    PATIENCE, agreed,
    ask::{Answer, Mishap},
    files, odoo,
    odoo::Odoo,
    reconciled, salesforce,
    salesforce::Salesforce,
    writes,
};
use crate::support::{loopback::Seen, place::Place};

const CONNECTORS: [&str; 2] = ["connectors/odoo.yaml", "connectors/salesforce.yaml"];
const MAPPINGS: [&str; 5] = [
    "templates/mappings/odoo--salesforce-customer.yaml",
    "templates/mappings/odoo--salesforce-contact.yaml",
    "templates/mappings/odoo--salesforce-product.yaml",
    "templates/mappings/odoo--salesforce-order.yaml",
    "templates/mappings/odoo--salesforce-invoice.yaml",
];
const CUSTOMER: &str = "odoo--salesforce-customer";
/// So many customers that a listing of accounts has several pages, and new ones several requests.
const CUSTOMERS: usize = 430;
/// So many of them have an account already.
const KNOWN: usize = 220;

struct Pair {
    odoo: Odoo,
    salesforce: Salesforce,
    place: Place,
    /// The customers of Odoo.
    customers: Vec<u64>,
}

impl Pair {
    async fn start() -> Self {
        let (odoo, salesforce) = (Odoo::start().await, Salesforce::start().await);
        let systems = format!(
            r#"
            {PATIENCE}
            [systems.odoo]
            connector = "odoo"
            settings = {{ base_url = "{}", database = "{}", page_size = 150 }}
            credentials = {{ user = "{}", password = "{}" }}
            allow_networks = ["127.0.0.0/8"]
            [systems.salesforce]
            connector = "salesforce"
            settings = {{ base_url = "{}", page_size = 200 }}
            credentials = {{ client_id = "{}", client_secret = "{}" }}
            allow_networks = ["127.0.0.0/8"]
            "#,
            odoo.server.url(),
            odoo::DATABASE,
            odoo::USER,
            odoo::PASSWORD,
            salesforce.server.url(),
            salesforce::CLIENT_ID,
            salesforce::CLIENT_SECRET,
        );
        let place = Place::lay_out(&files(CONNECTORS, &MAPPINGS), &systems);
        let mut pair = Self {
            odoo,
            salesforce,
            place,
            customers: Vec::new(),
        };
        pair.fill();
        pair
    }

    /// Customers of whom Salesforce knows some, and what hangs on them.
    fn fill(&mut self) {
        for number in 0..CUSTOMERS {
            let customer = json!({
                "name": format!("Customer {number} GmbH"), "ref": reference(number), "is_company": true, "city": "Berlin",
                "phone": format!("+49 30 {number:06}"),
            });
            self.customers.push(self.odoo.make("res.partner", &customer));
        }
        for number in 0..KNOWN {
            let account = json!({ "Name": format!("Customer {number} GmbH"), "AccountNumber": reference(number) });
            self.salesforce.make("Account", &account);
        }
        self.salesforce
            .make("Account", &json!({ "Name": "Of Salesforce alone" }));
        let (first, last) = (self.customers[0], self.customers[CUSTOMERS - 1]);
        for (name, parent) in [("Ana Maria Souza", first), ("Bernd O'Neil", last)] {
            let email = format!("{}@acme.example", name.split(' ').next().unwrap().to_lowercase());
            let contact =
                json!({ "name": name, "parent_id": parent, "email": email, "function": "Buyer", "type": "contact" });
            self.odoo.make("res.partner", &contact);
        }
        for (code, name) in [("S-1", "Screw"), ("N-1", "Nail")] {
            let product = json!({ "name": name, "default_code": code, "sale_ok": true, "list_price": 0.05 });
            self.odoo.make("product.product", &product);
        }
        let order = json!({ "name": "S00001", "partner_id": first, "state": "sale", "date_order": "2026-01-02 10:00:00", "client_order_ref": "PO 7" });
        self.odoo.make("sale.order", &order);
        let invoice = json!({
            "name": "INV/2026/00001", "partner_id": first, "commercial_partner_id": first, "move_type": "out_invoice", "state": "posted",
            "payment_state": "not_paid", "invoice_date": "2026-01-02", "invoice_date_due": "2026-02-01", "currency_id": 1,
            "amount_total": 119.0, "amount_residual": 119.0,
        });
        self.odoo.make("account.move", &invoice);
    }

    /// The account of a customer.
    fn account(&self, number: usize) -> Option<(String, serde_json::Map<String, Json>)> {
        self.salesforce.by("Account", "AccountNumber", &reference(number))
    }

    /// Waits until a field of a customer's account has this value.
    async fn account_says(&self, number: usize, field: &str, value: &str) {
        let what = format!("account {number} with `{value}` in {field}");
        let holds = || self.account(number).is_some_and(|(_, fields)| fields[field] == value);
        self.place.until(&what, holds).await;
    }

    /// Waits until a field of a customer has this value.
    async fn customer_says(&self, number: usize, field: &str, value: &str) {
        let what = format!("customer {number} with `{value}` in {field}");
        let holds = || self.odoo.get("res.partner", self.customers[number])[field] == value;
        self.place.until(&what, holds).await;
    }

    fn edit_customer(&self, number: usize, fields: &Json) {
        self.odoo.edit("res.partner", self.customers[number], fields);
    }

    fn edit_account(&self, number: usize, fields: &Json) {
        self.salesforce
            .edit("Account", &self.account(number).unwrap().0, fields);
    }

    /// Writes that reached either system.
    fn writes(&self) -> usize {
        let to_odoo = |seen: &Seen| {
            let is_call = seen.path() == "/web/dataset/call_kw";
            is_call && seen.json()["params"]["method"] != "search_read"
        };
        let to_salesforce = |seen: &Seen| seen.method != "GET" && seen.path().starts_with("/services/data/");
        writes(&self.odoo.server, to_odoo) + writes(&self.salesforce.server, to_salesforce)
    }
}

fn reference(number: usize) -> String {
    format!("C{number:05}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odoo_and_salesforce_stay_in_step_both_ways_by_what_is_shipped() {
    let pair = Pair::start().await;
    pair.first_match();
    pair.what_hangs_on_customers_came_along();
    let before = pair.writes();
    reconciled(&pair.place);
    assert_eq!(pair.writes(), before, "a second comparison writes nothing");
    let daemon = pair.place.start();
    pair.place.ready().await;
    pair.edits_travel_both_ways().await;
    pair.sessions_that_end_are_opened_anew().await;
    pair.what_is_refused_for_a_while_arrives().await;
    pair.lost_answers_double_nothing().await;
    pair.an_account_that_somebody_changed_meanwhile_is_planned_again().await;
    pair.a_payment_arrives().await;
    daemon.stop();
    pair.a_deleted_account_is_told_and_not_copied();
}

impl Pair {
    fn first_match(&self) {
        agreed(&self.place);
        let accounts = self.salesforce.all("Account");
        assert_eq!(
            accounts.len(),
            CUSTOMERS + 1,
            "one for each customer, and that of Salesforce alone"
        );
        for number in 0..CUSTOMERS {
            let (_, account) = self.account(number).unwrap();
            assert_eq!(account["Phone"], format!("+49 30 {number:06}"));
            assert_eq!(account["BillingCity"], "Berlin");
            let kind = if number < KNOWN {
                Json::Null
            } else {
                json!("Customer - Direct")
            };
            assert_eq!(account["Type"], kind, "only new ones are given a type");
        }
        let pages = self.salesforce.server.seen();
        let pages = pages.iter().filter(|seen| seen.path().contains("/query/01g")).count();
        assert!(pages > 0, "a listing went on by its next address");
    }

    fn what_hangs_on_customers_came_along(&self) {
        let (first, _) = self.account(0).unwrap();
        let (_, ana) = self.salesforce.by("Contact", "Email", "ana@acme.example").unwrap();
        assert_eq!(
            (&ana["FirstName"], &ana["LastName"]),
            (&json!("Ana Maria"), &json!("Souza"))
        );
        assert_eq!(ana["AccountId"], json!(first));
        let (_, bernd) = self.salesforce.by("Contact", "Email", "bernd@acme.example").unwrap();
        assert_eq!(bernd["LastName"], "O'Neil");
        let (_, screw) = self.salesforce.by("Product2", "ProductCode", "S-1").unwrap();
        assert_eq!((&screw["Name"], &screw["IsActive"]), (&json!("Screw"), &json!(true)));
        let (_, order) = self.salesforce.by("Order", "OrderReferenceNumber", "S00001").unwrap();
        assert_eq!(
            (&order["AccountId"], &order["EffectiveDate"]),
            (&json!(first), &json!("2026-01-02"))
        );
        assert_eq!(
            (&order["PoNumber"], &order["Status"]),
            (&json!("PO 7"), &json!("Draft"))
        );
        let (_, invoice) = self.salesforce.by("Invoice__c", "Name", "INV/2026/00001").unwrap();
        assert_eq!(
            (&invoice["Account__c"], &invoice["Amount__c"]),
            (&json!(first), &json!(119.0))
        );
        assert_eq!(
            (&invoice["Payment_Status__c"], &invoice["Currency__c"]),
            (&json!("Open"), &json!("EUR"))
        );
    }

    async fn edits_travel_both_ways(&self) {
        self.edit_customer(1, &json!({ "name": "Renamed in Odoo & Söhne" }));
        self.edit_account(
            2,
            &json!({ "Name": "Renamed \"in\" Salesforce <é>", "Website": "https://two.example" }),
        );
        self.edit_customer(3, &json!({ "city": "" }));
        self.account_says(1, "Name", "Renamed in Odoo & Söhne").await;
        self.customer_says(2, "name", "Renamed \"in\" Salesforce <é>").await;
        self.customer_says(2, "website", "https://two.example").await;
        let is_cleared = || self.account(3).unwrap().1["BillingCity"].is_null();
        self.place.until("a city that was emptied", is_cleared).await;
        let (contact, _) = self.salesforce.by("Contact", "Email", "ana@acme.example").unwrap();
        self.salesforce
            .edit("Contact", &contact, &json!({ "Title": "Head of purchasing" }));
        let has_title = || {
            self.odoo
                .all("res.partner")
                .values()
                .any(|partner| partner["function"] == "Head of purchasing")
        };
        self.place.until("a title", has_title).await;
    }

    async fn sessions_that_end_are_opened_anew(&self) {
        let before = self.salesforce.tokens_given();
        self.odoo.forget_sessions();
        self.salesforce.forget_sessions();
        self.edit_customer(4, &json!({ "name": "After the sessions ended" }));
        self.account_says(4, "Name", "After the sessions ended").await;
        assert_eq!(
            self.salesforce.tokens_given(),
            before + 1,
            "one token for all that asked"
        );
    }

    /// The org's requests are used up for a while, a row is locked, and Odoo's database has a conflict.
    async fn what_is_refused_for_a_while_arrives(&self) {
        let error = |code: &str| json!([{ "errorCode": code, "message": "not now" }]);
        let used_up = Answer::new(403, error("REQUEST_LIMIT_EXCEEDED")).reply();
        let locked = Answer::new(400, error("UNABLE_TO_LOCK_ROW")).reply();
        let serial = json!({ "error": { "code": 200, "message": "Odoo Server Error", "data": { "name": "psycopg2.errors.SerializationFailure", "message": "" } } });
        self.salesforce.weather.next("GET", "/query", Mishap::Refused(used_up));
        self.salesforce
            .weather
            .next("PATCH", "/sobjects/Account/", Mishap::Refused(locked));
        self.odoo.weather.next(
            "POST",
            "/web/dataset/call_kw",
            Mishap::Refused(Answer::ok(serial).reply()),
        );
        self.edit_customer(5, &json!({ "name": "After a while" }));
        self.edit_account(6, &json!({ "Name": "After a while too" }));
        self.account_says(5, "Name", "After a while").await;
        self.customer_says(6, "name", "After a while too").await;
        assert_eq!((self.salesforce.weather.left(), self.odoo.weather.left()), (0, 0));
    }

    async fn lost_answers_double_nothing(&self) {
        self.salesforce
            .weather
            .next("POST", "/sobjects/Account", Mishap::AnswerLost);
        self.salesforce
            .weather
            .next("PATCH", "/sobjects/Account/", Mishap::AnswerLost);
        let customer = json!({ "name": "Made once", "ref": "ONCE", "is_company": true });
        self.odoo.make("res.partner", &customer);
        self.edit_customer(7, &json!({ "name": "Written once" }));
        self.account_says(7, "Name", "Written once").await;
        let is_made = || self.salesforce.by("Account", "AccountNumber", "ONCE").is_some();
        self.place.until("an account whose answer was lost", is_made).await;
        assert_eq!(self.salesforce.weather.left(), 0);
        // It is known to be the customer's: what is edited there arrives.
        let (id, _) = self.salesforce.by("Account", "AccountNumber", "ONCE").unwrap();
        let links = || self.place.ask(&["links", "--mapping", CUSTOMER]);
        let is_linked = || links().iter().any(|link| link["right_id"] == json!(id));
        self.place
            .until("a link to the account whose answer was lost", is_linked)
            .await;
        assert_eq!(self.salesforce.all("Account").len(), CUSTOMERS + 2);
    }

    /// Both sides edit different fields of one record at once: neither is lost.
    async fn an_account_that_somebody_changed_meanwhile_is_planned_again(&self) {
        self.edit_customer(8, &json!({ "name": "Name of Odoo" }));
        self.edit_account(8, &json!({ "Website": "https://eight.example" }));
        self.account_says(8, "Name", "Name of Odoo").await;
        self.customer_says(8, "website", "https://eight.example").await;
        self.account_says(8, "Website", "https://eight.example").await;
    }

    async fn a_payment_arrives(&self) {
        let (id, _) = self.odoo.all("account.move").into_iter().next().unwrap();
        self.odoo.edit(
            "account.move",
            id,
            &json!({ "payment_state": "paid", "amount_residual": 0.0 }),
        );
        let is_paid = || {
            let invoice = self.salesforce.by("Invoice__c", "Name", "INV/2026/00001").unwrap().1;
            invoice["Payment_Status__c"] == "Paid" && invoice["Balance__c"] == 0.0
        };
        self.place.until("a payment", is_paid).await;
    }

    fn a_deleted_account_is_told_and_not_copied(&self) {
        let (id, _) = self.account(9).unwrap();
        self.salesforce.delete("Account", &id);
        reconciled(&self.place);
        let deletes = self.place.ask(&["deletes", "--mapping", CUSTOMER]);
        let told: BTreeSet<&str> = deletes.iter().filter_map(|pair| pair["right_id"].as_str()).collect();
        assert_eq!(told, BTreeSet::from([id.as_str()]));
        assert!(self.odoo.all("res.partner").contains_key(&self.customers[9]));
    }
}
