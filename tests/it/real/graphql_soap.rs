//! A CRM by GraphQL and an ERP by SOAP, each written with a library that many have, kept in step both ways by YAML alone.

use std::{collections::BTreeMap, time::Instant};

use reqwest::header;
use serde_json::{Value as Json, json};

use super::system::{Server, body, http};
use crate::support::place::Place;

const CRM: &str = r#"
connector: graphql-crm
settings: { base_url: { type: url } }
base_url: "{{ settings.base_url }}"
errors:
  - { when: "{{ body.errors[0].extensions.code == 'NOT_FOUND' }}", then: missing }
  - { when: "{{ body.errors[0].extensions.code == 'STALE' }}", then: stale }
  - { when: "{{ body.errors[0].extensions.code == 'VAT_TAKEN' and operation == 'create' }}", then: exists }
  - { when: "{{ body.errors | length > 0 }}", then: reject, message: "{{ body.errors[0].extensions.code }}" }
objects:
  account:
    id: id
    updated_at: updatedAt
    version: version
    fields:
      id: { type: text, access: read_only }
      name: text
      vatNumber: text
      creditLimit: decimal(2)
      isActive: boolean
      city: text
      updatedAt: { type: datetime, access: read_only }
      version: { type: integer, access: read_only }
    list:
      post: /graphql
      body:
        query: "query ($first: Int!, $after: String, $since: String) { accounts(first: $first, after: $after, changedSince: $since) { nodes { id name vatNumber creditLimit isActive city updatedAt version } totalCount pageInfo { hasNextPage endCursor } } }"
        variables: { first: "{{ page.size }}", after: "{{ page.cursor }}", since: "{{ since }}" }
      records: data.accounts.nodes
      page: { cursor: data.accounts.pageInfo.endCursor, more: data.accounts.pageInfo.hasNextPage, total: data.accounts.totalCount, size: 20 }
    find:
      post: /graphql
      body: { query: "query ($vat: String!) { accountsByVatNumber(vatNumber: $vat) { id name vatNumber creditLimit isActive city updatedAt version } }", variables: { vat: "{{ value }}" } }
      fields: [vatNumber]
      records: data.accountsByVatNumber
    get:
      post: /graphql
      body: { query: "query ($id: ID!) { account(id: $id) { id name vatNumber creditLimit isActive city updatedAt version } }", variables: { id: "{{ id }}" } }
      record: data.account
    create:
      post: /graphql
      body: { query: "mutation ($input: AccountInput!) { createAccount(input: $input) { id name vatNumber creditLimit isActive city updatedAt version } }", variables: { input: "{{ record }}" } }
      record: data.createAccount
    update:
      post: /graphql
      body:
        query: "mutation ($id: ID!, $version: Int, $input: AccountInput!) { updateAccount(id: $id, version: $version, input: $input) { id name vatNumber creditLimit isActive city updatedAt version } }"
        variables: { id: "{{ id }}", version: "{{ version | integer if version }}", input: "{{ changes }}" }
      record: data.updateAccount
"#;

pub const ERP: &str = r#"
connector: soap-erp
settings: { base_url: { type: url } }
base_url: "{{ settings.base_url }}"
format: xml
xml: { namespaces: { soap: "http://schemas.xmlsoap.org/soap/envelope/", default: "urn:erp" } }
headers: { SOAPAction: '""' }
errors:
  - { when: "{{ body['soap:Envelope']['soap:Body']['soap:Fault'].faultcode == 'erp:Missing' }}", then: missing }
  - { when: "{{ body['soap:Envelope']['soap:Body']['soap:Fault'].faultcode == 'erp:Stale' }}", then: stale }
  - when: "{{ body['soap:Envelope']['soap:Body']['soap:Fault'] is defined }}"
    then: reject
    message: "{{ body['soap:Envelope']['soap:Body']['soap:Fault'].faultcode }}"
types:
  empty: [""]
objects:
  customer:
    id: id
    updated_at: updatedAt
    version: version
    fields:
      id: { type: text, access: read_only }
      name: text
      taxId: text
      creditLimit: decimal(2)
      isActive: boolean
      city: text
      updatedAt: { type: datetime, access: read_only }
      version: { type: integer, access: read_only }
    list:
      post: /erp
      body: { "soap:Envelope": { "soap:Body": { ListCustomers: { after: "{{ page.last.id | default(0) }}", size: "{{ page.size }}", changedSince: "{{ since if since else absent }}" } } } }
      records: soap:Envelope.soap:Body.ListCustomersResponse.customer
      page: { keyset: id, size: 20 }
    find:
      post: /erp
      body: { "soap:Envelope": { "soap:Body": { ListCustomers: { taxId: "{{ value }}" } } } }
      fields: [taxId]
      records: soap:Envelope.soap:Body.ListCustomersResponse.customer
    get:
      post: /erp
      body: { "soap:Envelope": { "soap:Body": { GetCustomer: { id: "{{ id }}" } } } }
      record: soap:Envelope.soap:Body.GetCustomerResponse.customer
    create:
      post: /erp
      body: { "soap:Envelope": { "soap:Body": { SaveCustomer: { customer: "{{ record }}" } } } }
      record: soap:Envelope.soap:Body.SaveCustomerResponse.customer
    update:
      post: /erp
      body: { "soap:Envelope": { "soap:Body": { SaveCustomer: { expected: "{{ version }}", customer: "{{ changes | merge({'id': id}) }}" } } } }
      record: soap:Envelope.soap:Body.SaveCustomerResponse.customer
"#;

const MAPPING: &str = r#"
mapping: customer-account
between: { erp: customer, crm: account }
match:
  - { erp: taxId, crm: vatNumber, compare: alphanumeric }
fields:
  - { erp: name, crm: name }
  - { erp: taxId, crm: vatNumber }
  - { erp: creditLimit, crm: creditLimit, type: decimal(2) }
  - { erp: isActive, crm: isActive }
  - { erp: city, crm: city, empty: clear }
prefer: erp
conflict: newest
create: { erp: yes, crm: yes }
poll: { erp: 1s, crm: 1s }
reconcile: { at: "02:00", timezone: UTC }
"#;

/// So many customers, each of which the CRM has too but for the last ten.
const CUSTOMERS: usize = 50;

struct Scene {
    crm: Server,
    erp: Server,
    place: Place,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Both servers; none where they are not installed.
    async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();
        let started = tokio::task::spawn_blocking(move || {
            Some((Server::start("graphql", &path)?, Server::start("soap", &path)?))
        });
        let (crm, erp) = started.await.unwrap()?;
        let systems = format!(
            r#"
            [systems.crm]
            connector = "graphql-crm"
            settings = {{ base_url = "{}" }}
            allow_networks = ["127.0.0.0/8"]
            [systems.erp]
            connector = "soap-erp"
            settings = {{ base_url = "{}" }}
            allow_networks = ["127.0.0.0/8"]
            "#,
            crm.url, erp.url,
        );
        let files = [
            ("connectors/graphql-crm.yaml", CRM.to_owned()),
            ("connectors/soap-erp.yaml", ERP.to_owned()),
            ("mappings/customer-account.yaml", MAPPING.to_owned()),
        ];
        let place = Place::lay_out(&files, &systems);
        Some(Self {
            crm,
            erp,
            place,
            _folder: folder,
        })
    }

    /// Asks the CRM as its own users do.
    async fn graphql(&self, query: &str, variables: Json) -> Json {
        let asked = json!({ "query": query, "variables": variables }).to_string();
        let request = http().post(format!("{}/graphql", self.crm.url));
        let request = request
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json");
        let answer = request.body(asked).send().await.unwrap();
        let mut answer: Json = serde_json::from_slice(&body(answer).await).unwrap();
        assert_eq!(answer["errors"], Json::Null, "{answer}");
        answer["data"].take()
    }

    /// Writes a customer as the ERP's own users do.
    async fn save_customer(&self, fields: &[(&str, &str)]) {
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("<{name}>{value}</{name}>"))
            .collect();
        let fields = fields.concat();
        let envelope = format!(
            "<?xml version='1.0'?><s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><SaveCustomer xmlns='urn:erp'>\
             <customer>{fields}</customer></SaveCustomer></s:Body></s:Envelope>"
        );
        let request = http()
            .post(format!("{}/erp", self.erp.url))
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8");
        let answer = request
            .header("SOAPAction", "\"\"")
            .body(envelope)
            .send()
            .await
            .unwrap();
        let said = String::from_utf8(body(answer).await).unwrap();
        assert!(said.contains("SaveCustomerResponse"), "{said}");
    }

    /// Changes one field of a customer.
    async fn edit_customer(&self, id: &str, name: &str, value: &str) {
        self.save_customer(&[("id", id), (name, value)]).await;
    }

    /// Every customer of the ERP by its id: its fields as they stand in XML.
    async fn customers(&self) -> BTreeMap<String, String> {
        let envelope = "<?xml version='1.0'?><s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>\
                        <ListCustomers xmlns='urn:erp'><after>0</after></ListCustomers></s:Body></s:Envelope>";
        let request = http()
            .post(format!("{}/erp", self.erp.url))
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8");
        let answer = request
            .header("SOAPAction", "\"\"")
            .body(envelope)
            .send()
            .await
            .unwrap();
        let said = String::from_utf8(body(answer).await).unwrap();
        let customers = said
            .split("<erp:customer>")
            .skip(1)
            .map(|text| text.split("</erp:customer>").next().unwrap());
        customers
            .map(|text| (element(text, "id").unwrap(), text.to_owned()))
            .collect()
    }

    /// Every account of the CRM by its VAT number, or its name where it has none.
    async fn accounts(&self) -> BTreeMap<String, Json> {
        let query = "{ accounts(first: 1000) { nodes { id name vatNumber creditLimit isActive city } } }";
        let found = self.graphql(query, json!({})).await;
        let accounts = found["accounts"]["nodes"].as_array().unwrap();
        let key = |account: &Json| {
            account["vatNumber"]
                .as_str()
                .or(account["name"].as_str())
                .unwrap()
                .to_owned()
        };
        accounts.iter().map(|account| (key(account), account.clone())).collect()
    }

    /// Waits until an account has this value in a field.
    async fn account_says(&self, vat_number: &str, field: &str, value: &Json) {
        let since = Instant::now();
        loop {
            let accounts = self.accounts().await;
            if accounts.get(vat_number).is_some_and(|account| account[field] == *value) {
                return;
            }
            self.place
                .pause(since, &format!("{vat_number}: {value} in {field} of {accounts:?}"))
                .await;
        }
    }

    /// Waits until a customer has this text in an element.
    async fn customer_says(&self, tax_id: &str, name: &str, value: Option<&str>) {
        let since = Instant::now();
        loop {
            let customers = self.customers().await;
            let found = customers
                .values()
                .find(|text| element(text, "taxId").as_deref() == Some(tax_id));
            if found.is_some_and(|text| element(text, name).as_deref() == value) {
                return;
            }
            self.place
                .pause(since, &format!("{tax_id}: {value:?} in {name} of {found:?}"))
                .await;
        }
    }

    async fn fill(&self) {
        for number in 0..CUSTOMERS {
            let (name, tax_id) = (format!("Customer {number} &amp; Söhne"), format!("DE{number:09}"));
            self.save_customer(&[
                ("name", name.as_str()),
                ("taxId", tax_id.as_str()),
                ("creditLimit", "1200.50"),
                ("isActive", "true"),
            ])
            .await;
        }
        let create = "mutation ($input: AccountInput!) { createAccount(input: $input) { id } }";
        for number in 0..CUSTOMERS - 10 {
            let account = json!({ "name": format!("Account {number}"), "vatNumber": format!("DE {number:09}"), "city": "Berlin" });
            self.graphql(create, json!({ "input": account })).await;
        }
        self.graphql(
            create,
            json!({ "input": { "name": "Of the CRM alone", "vatNumber": "FR1" } }),
        )
        .await;
    }

    /// The id of an account.
    async fn id_of(&self, vat_number: &str) -> String {
        self.accounts().await[vat_number]["id"].as_str().unwrap().to_owned()
    }

    async fn edit_account(&self, vat_number: &str, input: Json) {
        let update = "mutation ($id: ID!, $input: AccountInput!) { updateAccount(id: $id, input: $input) { id } }";
        let id = self.id_of(vat_number).await;
        self.graphql(update, json!({ "id": id, "input": input })).await;
    }
}

/// The text of an element of the ERP.
fn element(text: &str, name: &str) -> Option<String> {
    let rest = text.split(&format!("<erp:{name}>")).nth(1)?;
    Some(rest.split(&format!("</erp:{name}>")).next()?.to_owned())
}

fn vat(number: usize) -> String {
    format!("DE{number:09}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crm_by_graphql_and_an_erp_by_soap_stay_in_step_both_ways_by_yaml_alone() {
    let Some(scene) = Scene::start().await else { return };
    scene.fill().await;
    scene.place.ask(&["migrate"]);
    let reports = scene.place.ask(&["reconcile", "--all"]);
    assert_eq!(reports[0]["status"], "succeeded", "{reports:#?}");
    let (accounts, customers) = (scene.accounts().await, scene.customers().await);
    assert_eq!((accounts.len(), customers.len()), (CUSTOMERS + 1, CUSTOMERS + 1));
    assert_eq!(
        accounts[&vat(3)]["name"],
        "Customer 3 & Söhne",
        "the ERP is preferred at first"
    );
    assert_eq!(accounts[&vat(49)]["creditLimit"], json!(1200.5));
    let daemon = scene.place.start();
    scene.place.ready().await;
    scene.edit_customer("1", "name", "Renamed &lt;in&gt; the ERP").await;
    scene.edit_customer("2", "isActive", "false").await;
    scene.edit_customer("3", "creditLimit", "0.10").await;
    scene
        .edit_account(&vat(3), json!({ "name": "Renamed <in> the CRM & Söhne" }))
        .await;
    scene.edit_account(&vat(4), json!({ "city": null })).await;
    scene
        .account_says(&vat(0), "name", &json!("Renamed <in> the ERP"))
        .await;
    scene.account_says(&vat(1), "isActive", &json!(false)).await;
    scene.account_says(&vat(2), "creditLimit", &json!(0.1)).await;
    scene
        .customer_says(&vat(3), "name", Some("Renamed &lt;in&gt; the CRM &amp; Söhne"))
        .await;
    scene.customer_says(&vat(4), "city", None).await;
    // New records on either side.
    scene
        .save_customer(&[("name", "New in the ERP"), ("taxId", "PT1")])
        .await;
    let create = "mutation ($input: AccountInput!) { createAccount(input: $input) { id } }";
    scene
        .graphql(
            create,
            json!({ "input": { "name": "New in the CRM", "vatNumber": "PT2" } }),
        )
        .await;
    scene.account_says("PT1", "name", &json!("New in the ERP")).await;
    scene.customer_says("PT2", "name", Some("New in the CRM")).await;
    // A refusal inside of a 200 waits for a person, by its name.
    scene.edit_customer("6", "taxId", "PT2").await;
    let since = Instant::now();
    loop {
        let failures = scene.place.ask(&["failures"]);
        if failures.iter().any(|failure| {
            failure["message"]
                .as_str()
                .is_some_and(|message| message.contains("VAT_TAKEN"))
        }) {
            break;
        }
        scene.place.pause(since, &format!("a refusal among {failures:?}")).await;
    }
    daemon.stop();
}
