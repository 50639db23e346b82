//! Outbound messages of Salesforce: SOAP, by the recipe of `docs/webhook-recipes.md`.

use std::{collections::BTreeMap, fmt::Write as _, time::Instant};

use serde_json::Value as Json;
use syncline::{
    core::{
        problem::Problems,
        webhook::event::{Definition, form::WebhooksForm},
    },
    store::{Op, Page, change::NewChange, event::EventFilter},
};

use super::{ChangeOrigin, EventKind, RecordKey, Secret, Side, hook, vector::read};
use crate::support::{
    app::{Setup, TestApp},
    http::{self, Answer},
    rig::report,
};

/// The secret of the tests' hook stands where the id of the org would.
const ORG: &str = "canary-hook-secret";

fn definition() -> Definition {
    let page = read("docs/webhook-recipes.md");
    let (_, section) = page.split_once("\n# Outbound messages of Salesforce\n").unwrap();
    let yaml = section.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let mut block: Json = serde_saphyr::from_str(yaml).unwrap();
    let form: WebhooksForm = serde_json::from_value(block["webhooks"].take()).unwrap();
    let mut problems = Problems::new();
    let objects = ["account", "contact"].into();
    let definition = Definition::compile(&form, "/webhooks", &objects, &mut problems);
    definition.unwrap_or_else(|| panic!("{:?}", problems.into_vec()))
}

async fn start(settings: &str) -> TestApp {
    let mut setup = Setup::new(settings);
    setup
        .hooks
        .insert("crm".to_owned(), hook(definition(), &BTreeMap::new()));
    setup.start().await
}

/// A message as Salesforce sends it, with so many notifications and `more` before them.
fn message(org: &str, notifications: usize, more: &str) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">
 <soapenv:Body>
  <notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\">
   <OrganizationId>{org}</OrganizationId>
   <ActionId>04k3i000000CaZrAAK</ActionId>
   <SessionId xsi:nil=\"true\"/>
   <EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/66.0/00D</EnterpriseUrl>
   <PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/66.0/00D</PartnerUrl>{more}"
    );
    for number in 0..notifications {
        write!(
            text,
            "
   <Notification>
    <Id>04l3i00000{number:05}AAC</Id>
    <sObject xsi:type=\"sf:Account\" xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\">
     <sf:Id>0013i00000{number:05}AAQ</sf:Id>
     <sf:Name>A &amp; B &lt;{number}&gt;</sf:Name>
    </sObject>
   </Notification>"
        )
        .unwrap();
    }
    text + "\n  </notifications>\n </soapenv:Body>\n</soapenv:Envelope>"
}

async fn send(app: &TestApp, body: &str) -> Answer {
    let headers = [("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", "\"\"")];
    http::send(&app.address, "POST", "/webhooks/crm", &headers, body.as_bytes()).await
}

async fn stored(app: &TestApp) -> usize {
    let events = app
        .store
        .events(&EventFilter::default(), Page::first(500))
        .await
        .unwrap();
    for event in &events {
        assert_eq!((event.object.as_str(), event.kind), ("account", EventKind::Updated));
        let id = event.record_id.as_deref().unwrap();
        assert_eq!(event.external_id.replace("04l", "001").replace("AAC", "AAQ"), id);
    }
    events.len()
}

fn is_ack(answer: &Answer) -> bool {
    answer.text().contains("<Ack>true</Ack>")
}

#[tokio::test]
async fn a_message_of_a_hundred_is_acknowledged_once_all_of_it_is_stored_and_again_when_it_comes_twice() {
    let app = start("").await;
    let body = message(ORG, 100, "");
    let answer = send(&app, &body).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("text/xml; charset=utf-8"))
    );
    assert!(is_ack(&answer), "{}", answer.text());
    assert_eq!(stored(&app).await, 100);
    let again = send(&app, &body).await;
    assert!(again.status == 200 && is_ack(&again), "{}", again.text());
    assert_eq!(stored(&app).await, 100);
    // One alone is no list in XML.
    let one = send(&app, &message(ORG, 1, "")).await;
    assert!(is_ack(&one) && stored(&app).await == 100, "{}", one.text());
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_acknowledged() {
    let app = start("[limits]\nqueue_max = 1").await;
    let key = RecordKey::new("customer-account", Side::Left, "7");
    let change = NewChange::new(key, ChangeOrigin::Manual, EventKind::Updated);
    app.store.commit(vec![Op::Enqueue(change)]).await.unwrap();
    app.app.observe().await;
    let answer = send(&app, &message(ORG, 100, "")).await;
    assert!(answer.status == 503 && !is_ack(&answer), "{}", answer.text());
    assert_eq!(stored(&app).await, 0);
}

#[tokio::test]
async fn a_message_of_another_org_or_of_two_or_none_is_a_strangers() {
    let app = start("").await;
    let mine = format!("<OrganizationId>{ORG}</OrganizationId>");
    let body = message(ORG, 1, "");
    for body in [
        message("00D000000000000EAA", 1, ""),
        message("", 1, ""),
        message(&format!("{ORG}<x/>"), 1, ""),
        message(ORG, 1, &mine),
        message("00D000000000000EAA", 1, &format!("<x>{mine}</x>")),
        message("00D000000000000EAA", 1, "").replace("<soapenv:Body>", &format!("{mine}<soapenv:Body>")),
        body.replace("OrganizationId", "OrgId"),
        body.trim_end_matches("</soapenv:Envelope>").to_owned(),
        body.replace("soapenv:", "other:"),
        format!("{body}{body}"),
        "{}".to_owned(),
        String::new(),
    ] {
        let answer = send(&app, &body).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (401, "not verified\n"),
            "{body}"
        );
    }
    assert_eq!(stored(&app).await, 0);
}

#[tokio::test]
async fn bombs_are_refused_whoever_they_are_from_and_cost_nothing_worth_telling() {
    let app = start("").await;
    let (head, rest) = ("<soapenv:Envelope", message(ORG, 1, ""));
    let declared = |entities: &str| rest.replacen(head, &format!("<!DOCTYPE a [{entities}]>{head}"), 1);
    let mut laughs = "<!ENTITY a0 'ha'>".to_owned();
    for level in 1..30 {
        let inner = format!("&a{};", level - 1).repeat(10);
        write!(laughs, "<!ENTITY a{level} '{inner}'>").unwrap();
    }
    let attributes = (0..60_000).fold(String::new(), |mut text, number| {
        write!(text, " a{number}=''").unwrap();
        text
    });
    let namespaces = (0..20_000).fold(String::new(), |mut text, number| {
        write!(text, " xmlns:a{number}='urn:{number}'").unwrap();
        text
    });
    let bombs = [
        ("entities in one another", declared(&laughs)),
        (
            "a large entity",
            declared(&format!("<!ENTITY a '{}'>", "x".repeat(100_000))),
        ),
        ("a file", declared("<!ENTITY a SYSTEM 'file:///etc/passwd'>")),
        ("an entity", message(ORG, 1, "<a>&nbsp;</a>")),
        ("depth", message(ORG, 1, &"<a>".repeat(100_000))),
        ("attributes", message(ORG, 1, &format!("<a{attributes}/>"))),
        ("elements", message(ORG, 1, &"<a/>".repeat(200_000))),
        ("namespaces", message(ORG, 1, &format!("<a{namespaces}/>"))),
        ("attributes of a stranger", message("", 1, &format!("<a{attributes}/>"))),
        ("elements of a stranger", message("", 1, &"<a/>".repeat(200_000))),
        ("namespaces of a stranger", message("", 1, &format!("<a{namespaces}/>"))),
    ];
    let mut told = Vec::new();
    for (name, body) in bombs {
        assert!(body.len() < 1 << 20, "{name} is larger than any body");
        let before = Instant::now();
        let answer = send(&app, &body).await;
        told.push(format!("{name} {:.0?}", before.elapsed()));
        // What does not grow is as large as it is: from the org itself it may be read, as far as the limits go.
        let expected: &[u16] = match name {
            "attributes" | "elements" => &[200, 400],
            _ => &[400, 401],
        };
        assert!(
            expected.contains(&answer.status),
            "{name}: {} {}",
            answer.status,
            answer.text()
        );
    }
    report(&format!("bombs in XML: {}", told.join(", ")));
    let answer = send(&app, &message(ORG, 100, "")).await;
    assert!(is_ack(&answer), "it goes on");
}

#[test]
fn the_secret_may_have_any_form() {
    assert!(Secret::parse(definition().recipe(), &"00D3i000000CaZrEAK".into()).is_ok());
}
