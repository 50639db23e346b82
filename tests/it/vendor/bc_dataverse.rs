//! Business Central and Dataverse, kept in step by the daemon with what we ship: customers, contacts, products, orders, invoices.

use serde_json::{Value as Json, json};

use super::{
    PATIENCE, agreed,
    ask::Mishap,
    files,
    odata::{BUSINESS_CENTRAL, CLIENT_ID, CLIENT_SECRET, COMPANY, DATAVERSE, Service, TENANT},
    reconciled, writes,
};
use crate::support::{
    http,
    loopback::{Reply, Seen},
    place::Place,
};

const CONNECTORS: [&str; 2] = ["connectors/business-central.yaml", "connectors/dataverse.yaml"];
const MAPPINGS: [&str; 5] = [
    "templates/mappings/bc--dataverse-customer.yaml",
    "templates/mappings/bc--dataverse-contact.yaml",
    "templates/mappings/bc--dataverse-product.yaml",
    "templates/mappings/bc--dataverse-order.yaml",
    "templates/mappings/bc--dataverse-invoice.yaml",
];
const CUSTOMER: &str = "bc--dataverse-customer";
const CUSTOMERS: usize = 130;
/// So many of them have an account already.
const KNOWN: usize = 70;
const CURRENCY: &str = "44444444-4444-4444-8444-444444444444";
const HOOK: &str = "dataverse-webhook-secret";

struct Pair {
    bc: Service,
    dataverse: Service,
    place: Place,
}

impl Pair {
    async fn start() -> Self {
        let (bc, dataverse) = (
            Service::start(&BUSINESS_CENTRAL).await,
            Service::start(&DATAVERSE).await,
        );
        let systems = format!(
            r#"
            {PATIENCE}
            [systems.bc]
            connector = "business-central"
            settings = {{ base_url = "{0}", login_url = "{0}", tenant = "{TENANT}", company_id = "{COMPANY}", page_size = 40 }}
            credentials = {{ client_id = "{CLIENT_ID}", client_secret = "{CLIENT_SECRET}" }}
            allow_networks = ["127.0.0.0/8"]
            [systems.dataverse]
            connector = "dataverse"
            settings = {{ base_url = "{1}", login_url = "{1}", tenant = "{TENANT}", page_size = 40, currency_id = "{CURRENCY}" }}
            credentials = {{ client_id = "{CLIENT_ID}", client_secret = "{CLIENT_SECRET}" }}
            webhook_secrets = ["{HOOK}"]
            allow_networks = ["127.0.0.0/8"]
            "#,
            bc.server.url(),
            dataverse.server.url(),
        );
        let place = Place::lay_out(&files(CONNECTORS, &MAPPINGS), &systems);
        let pair = Self { bc, dataverse, place };
        pair.fill();
        pair
    }

    fn fill(&self) {
        for number in 0..CUSTOMERS {
            let customer = json!({
                "number": code(number), "displayName": format!("Customer {number} GmbH"), "type": "Company", "city": "Berlin",
                "email": format!("{number}@customer.example"), "creditLimit": 1000.5, "blocked": "_x0020_",
            });
            self.bc.make("customers", &customer);
        }
        for number in 0..KNOWN {
            let account = json!({ "name": format!("Account {number}"), "accountnumber": code(number), "websiteurl": "https://dv.example" });
            self.dataverse.make("accounts", &account);
        }
        let person = json!({ "number": "CT1", "type": "Person", "displayName": "Ana Maria Souza", "email": "ana@acme.example", "city": "Recife" });
        self.bc.make("contacts", &person);
        self.bc.make(
            "contacts",
            &json!({ "number": "CT2", "type": "Company", "displayName": "A company" }),
        );
        self.bc.make(
            "items",
            &json!({ "number": "S-1", "displayName": "Screw", "unitPrice": 0.05, "unitCost": 0.01 }),
        );
        let (customer, _) = self.bc.by("customers", "number", &code(0)).unwrap();
        let order = json!({ "number": "S-ORD1", "customerId": customer, "status": "Open", "externalDocumentNumber": "PO 7", "requestedDeliveryDate": "2026-02-01" });
        self.bc.make("salesOrders", &order);
        let invoice = json!({ "number": "S-INV1", "customerId": customer, "status": "Open", "dueDate": "2026-03-01" });
        self.bc.make("salesInvoices", &invoice);
    }

    /// The account of a customer.
    fn account(&self, number: usize) -> (String, serde_json::Map<String, Json>) {
        self.dataverse.by("accounts", "accountnumber", &code(number)).unwrap()
    }

    fn customer(&self, number: usize) -> (String, serde_json::Map<String, Json>) {
        self.bc.by("customers", "number", &code(number)).unwrap()
    }

    async fn account_says(&self, number: usize, field: &str, value: &Json) {
        let what = format!("account {number} with {value} in {field}");
        self.place
            .until(&what, || self.account(number).1[field] == *value)
            .await;
    }

    async fn customer_says(&self, number: usize, field: &str, value: &Json) {
        let what = format!("customer {number} with {value} in {field}");
        self.place
            .until(&what, || self.customer(number).1[field] == *value)
            .await;
    }

    fn edit_customer(&self, number: usize, fields: &Json) {
        self.bc.edit("customers", &self.customer(number).0, fields);
    }

    fn edit_account(&self, number: usize, fields: &Json) {
        self.dataverse.edit("accounts", &self.account(number).0, fields);
    }

    fn writes(&self) -> usize {
        let is_write = |seen: &Seen| seen.method != "GET" && !seen.path().ends_with("/token");
        writes(&self.bc.server, is_write) + writes(&self.dataverse.server, is_write)
    }

    /// What Dataverse pushes of a change, asynchronously.
    async fn push(&self, id: &str, secret: &str) -> u16 {
        let body = json!({
            "PrimaryEntityName": "account", "PrimaryEntityId": id, "MessageName": "Update", "InitiatingUserId": CURRENCY,
            "OperationCreatedOn": "/Date(1772442000000+0000)/", "CorrelationId": CURRENCY, "RequestId": CURRENCY,
        });
        let headers = [("Content-Type", "application/json"), ("X-Webhook-Secret", secret)];
        http::send(
            &self.place.address,
            "POST",
            "/webhooks/dataverse",
            &headers,
            body.to_string().as_bytes(),
        )
        .await
        .status
    }
}

fn code(number: usize) -> String {
    format!("K{number:05}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn business_central_and_dataverse_stay_in_step_both_ways_by_what_is_shipped() {
    let pair = Pair::start().await;
    pair.first_match();
    let before = pair.writes();
    reconciled(&pair.place);
    assert_eq!(pair.writes(), before, "a second comparison writes nothing");
    let daemon = pair.place.start();
    pair.place.ready().await;
    pair.edits_travel_both_ways().await;
    pair.a_push_is_believed_only_with_its_secret().await;
    pair.what_is_refused_for_a_while_arrives().await;
    pair.lost_answers_double_nothing().await;
    pair.a_payment_arrives().await;
    daemon.stop();
    pair.a_deleted_account_is_told_and_not_copied();
}

impl Pair {
    fn first_match(&self) {
        agreed(&self.place);
        assert_eq!(self.dataverse.all("accounts").len(), CUSTOMERS);
        for number in 0..CUSTOMERS {
            let (_, account) = self.account(number);
            assert_eq!(account["name"], format!("Customer {number} GmbH"));
            assert_eq!(
                (&account["creditlimit"], &account["creditonhold"]),
                (&json!(1000.5), &json!(false))
            );
            assert_eq!(account["address1_city"], "Berlin");
        }
        let (_, ana) = self
            .dataverse
            .by("contacts", "emailaddress1", "ana@acme.example")
            .unwrap();
        assert_eq!(
            (&ana["firstname"], &ana["lastname"]),
            (&json!("Ana Maria"), &json!("Souza"))
        );
        assert_eq!(self.dataverse.all("contacts").len(), 1, "a company is no person");
        let (_, screw) = self.dataverse.by("products", "productnumber", "S-1").unwrap();
        assert_eq!((&screw["price"], &screw["quantitydecimal"]), (&json!(0.05), &json!(2)));
        let (first, _) = self.account(0);
        let (_, order) = self.dataverse.by("salesorders", "ordernumber", "S-ORD1").unwrap();
        assert_eq!(
            (&order["_customerid_value"], &order["requestdeliveryby"]),
            (&json!(first), &json!("2026-02-01"))
        );
        assert_eq!(
            (&order["description"], &order["_transactioncurrencyid_value"]),
            (&json!("PO 7"), &json!(CURRENCY))
        );
        let (_, invoice) = self.dataverse.by("invoices", "invoicenumber", "S-INV1").unwrap();
        assert_eq!(
            (&invoice["_customerid_value"], &invoice["statecode"]),
            (&json!(first), &json!(0))
        );
    }

    async fn edits_travel_both_ways(&self) {
        self.edit_customer(1, &json!({ "displayName": "Renamed in BC & Söhne", "city": "" }));
        self.edit_customer(2, &json!({ "blocked": "All", "creditLimit": 0.1 }));
        self.edit_account(
            3,
            &json!({ "name": "Renamed in \"Dataverse\" O'Neil", "websiteurl": null, "telephone1": "+49 30 1" }),
        );
        self.account_says(1, "name", &json!("Renamed in BC & Söhne")).await;
        self.account_says(1, "address1_city", &Json::Null).await;
        self.account_says(2, "creditonhold", &json!(true)).await;
        self.account_says(2, "creditlimit", &json!(0.1)).await;
        self.customer_says(3, "displayName", &json!("Renamed in \"Dataverse\" O'Neil"))
            .await;
        self.customer_says(3, "phoneNumber", &json!("+49 30 1")).await;
    }

    async fn a_push_is_believed_only_with_its_secret(&self) {
        let (id, _) = self.account(4);
        self.edit_account(4, &json!({ "name": "Pushed" }));
        assert_eq!(self.push(&id, HOOK).await, 200, "{}", self.place.log_end());
        self.customer_says(4, "displayName", &json!("Pushed")).await;
        assert_eq!(self.push(&id, "guessed").await, 401);
    }

    /// Service protection, an edit in between, and a database that is busy.
    async fn what_is_refused_for_a_while_arrives(&self) {
        let protected =
            json!({ "error": { "code": "0x80072322", "message": "Number of requests exceeded the limit of 6000" } });
        let changed = json!({ "error": { "code": "Request_EntityChanged", "message": "Another user has already changed the record." } });
        self.dataverse.weather.next(
            "PATCH",
            "/accounts(",
            Mishap::Refused(Reply::json(429, &protected).with("retry-after", "1")),
        );
        self.bc
            .weather
            .next("PATCH", "/customers(", Mishap::Refused(Reply::json(409, &changed)));
        self.edit_customer(5, &json!({ "displayName": "After a while" }));
        self.edit_account(6, &json!({ "name": "After a while too" }));
        self.account_says(5, "name", &json!("After a while")).await;
        self.customer_says(6, "displayName", &json!("After a while too")).await;
        assert_eq!((self.dataverse.weather.left(), self.bc.weather.left()), (0, 0));
    }

    async fn lost_answers_double_nothing(&self) {
        self.dataverse.weather.next("POST", "/accounts", Mishap::AnswerLost);
        self.dataverse.weather.next("PATCH", "/accounts(", Mishap::AnswerLost);
        let customer = json!({ "number": "ONCE", "displayName": "Made once", "type": "Company", "blocked": "_x0020_" });
        self.bc.make("customers", &customer);
        self.edit_customer(7, &json!({ "displayName": "Written once" }));
        self.account_says(7, "name", &json!("Written once")).await;
        let made = || self.dataverse.by("accounts", "accountnumber", "ONCE");
        self.place
            .until("an account whose answer was lost", || made().is_some())
            .await;
        let (id, _) = made().unwrap();
        let is_linked = || {
            self.place
                .ask(&["links", "--mapping", CUSTOMER])
                .iter()
                .any(|link| link["right_id"] == json!(id))
        };
        self.place
            .until("a link to the account whose answer was lost", is_linked)
            .await;
        assert_eq!(self.dataverse.all("accounts").len(), CUSTOMERS + 1);
        assert_eq!(self.dataverse.weather.left(), 0);
    }

    async fn a_payment_arrives(&self) {
        let (id, _) = self.bc.by("salesInvoices", "number", "S-INV1").unwrap();
        self.bc
            .edit("salesInvoices", &id, &json!({ "status": "Paid", "remainingAmount": 0 }));
        let is_paid = || self.dataverse.by("invoices", "invoicenumber", "S-INV1").unwrap().1["statecode"] == 2;
        self.place.until("a payment", is_paid).await;
    }

    fn a_deleted_account_is_told_and_not_copied(&self) {
        let (id, _) = self.account(8);
        self.dataverse.delete("accounts", &id);
        reconciled(&self.place);
        let deletes = self.place.ask(&["deletes", "--mapping", CUSTOMER]);
        let told: Vec<&str> = deletes.iter().filter_map(|pair| pair["right_id"].as_str()).collect();
        assert_eq!(told, [id.as_str()]);
        self.customer(8);
    }
}
