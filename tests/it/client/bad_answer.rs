//! Whatever a system answers with in place of records, whatever it speaks: each has a name of its own, and says what to do.
//!
//! What a database answers with has its own names (`sql::refusal`); certificates that have ended are in `tls`, and tokens that come
//! back without a refresh token in `refresh` and `login`.

use serde_json::{Value as Json, json};
use syncline::core::fault::Fault;

use super::{Sample, list};
use crate::support::loopback::{Loopback, Reply};

/// A way to say things.
struct Protocol {
    name: &'static str,
    /// What the connector says of it.
    connector: fn() -> Json,
    /// A page of two records that leads on, by the same way to the same page for ever.
    page: &'static str,
    /// A refusal in a 200.
    refusal: &'static str,
    /// Something else where the records should be.
    odd: &'static str,
}

const PROTOCOLS: [Protocol; 10] = [
    Protocol {
        name: "REST",
        connector: || json!({ "objects": { "account": { "list": { "page": { "cursor": "next", "send": { "query": "cursor" } } } } } }),
        page: r#"{"items":[{"id":1,"name":"Ana"},{"id":2,"name":"Bea"}],"next":"c2"}"#,
        refusal: r#"{"error":{"code":"E42"}}"#,
        odd: r#"{"items":{"id":1},"next":null}"#,
    },
    Protocol {
        name: "a form",
        connector: || {
            let list = json!({ "get": null, "post": "/accounts", "form": { "from": "{{ page.offset }}" }, "page": { "offset": 0 } });
            json!({ "objects": { "account": { "list": list } } })
        },
        page: r#"{"items":[{"id":1,"name":"Ana"},{"id":2,"name":"Bea"}]}"#,
        refusal: r#"{"error":{"code":"E42"}}"#,
        odd: r#"{"items":"none"}"#,
    },
    Protocol {
        name: "OData v4",
        connector: || json!({ "objects": { "account": { "list": { "records": "value", "page": { "next_url": "@odata.nextLink" } } } } }),
        page: r#"{"value":[{"id":1,"name":"Ana"},{"id":2,"name":"Bea"}],"@odata.nextLink":"accounts?$skiptoken=2"}"#,
        refusal: r#"{"error":{"code":"E42","message":"no"}}"#,
        odd: r#"{"value":7}"#,
    },
    Protocol {
        name: "OData v2",
        connector: || json!({ "objects": { "account": { "list": { "records": "d.results", "page": { "next_url": "d.__next" } } } } }),
        page: r#"{"d":{"results":[{"id":1,"name":"Ana"},{"id":2,"name":"Bea"}],"__next":"accounts?$skiptoken=2"}}"#,
        refusal: r#"{"error":{"code":"E42","message":{"lang":"en","value":"no"}}}"#,
        odd: r#"{"d":{"results":{"__deferred":{"uri":"accounts"}}}}"#,
    },
    Protocol {
        name: "JSON-RPC",
        connector: || {
            let body = json!({ "method": "list", "params": ["{{ page.offset }}"] });
            json!({ "objects": { "account": { "list": { "get": null, "post": "/rpc", "body": body, "records": "result", "page": { "offset": 0 } } } } })
        },
        page: r#"{"result":[{"id":1,"name":"Ana"},{"id":2,"name":"Bea"}]}"#,
        refusal: r#"{"result":null,"error":{"code":"E42"}}"#,
        odd: r#"{"result":true}"#,
    },
    Protocol {
        name: "XML-RPC",
        connector: || {
            let body = json!({ "method": "list", "params": ["{{ page.offset }}"] });
            let list =
                json!({ "get": null, "post": "/rpc", "body": body, "records": "result", "page": { "offset": 0 } });
            json!({ "format": "xml_rpc", "objects": { "account": { "list": list } } })
        },
        page: "<methodResponse><params><param><value><array><data><value><struct><member><name>id</name><value><int>1</int></value></member>\
               <member><name>name</name><value><string>Ana</string></value></member></struct></value></data></array></value></param></params></methodResponse>",
        refusal: "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>42</int></value></member><member>\
                  <name>faultString</name><value><string>E42</string></value></member></struct></value></fault></methodResponse>",
        odd: "<methodResponse><params><param><value><boolean>0</boolean></value></param></params></methodResponse>",
    },
    Protocol {
        name: "SOAP",
        connector: || {
            let rule = json!({ "when": "{{ body['s:Envelope']['s:Body']['s:Fault'] is defined }}", "then": "reject",
                "message": "{{ body['s:Envelope']['s:Body']['s:Fault'].faultcode }}" });
            let list = json!({ "get": null, "post": "/soap", "records": "s:Envelope.s:Body.list.account", "page": { "offset": 0 },
                "body": { "s:Envelope": { "s:Body": { "from": "{{ page.offset }}" } } } });
            json!({
                "format": "xml", "xml": { "namespaces": { "s": "http://schemas.xmlsoap.org/soap/envelope/" } }, "errors": [rule],
                "objects": { "account": { "list": list } },
            })
        },
        page: "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><list><account><id>1</id><name>Ana</name></account>\
               </list></e:Body></e:Envelope>",
        refusal: "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><e:Fault><faultcode>E42</faultcode></e:Fault></e:Body>\
                  </e:Envelope>",
        odd: "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><list>none</list></e:Body></e:Envelope>",
    },
    Protocol {
        name: "GraphQL",
        connector: || {
            let body = json!({ "query": "query ($after: String) { accounts(after: $after) { nodes { id name } pageInfo { hasNextPage endCursor } } }",
                "variables": { "after": "{{ page.cursor }}" } });
            let page =
                json!({ "cursor": "data.accounts.pageInfo.endCursor", "more": "data.accounts.pageInfo.hasNextPage" });
            json!({
                "errors": [{ "when": "{{ body.errors | length > 0 }}", "then": "reject", "message": "{{ body.errors[0].extensions.code }}" }],
                "objects": { "account": { "list": { "get": null, "post": "/graphql", "body": body, "records": "data.accounts.nodes", "page": page } } },
            })
        },
        page: r#"{"data":{"accounts":{"nodes":[{"id":1,"name":"Ana"}],"pageInfo":{"hasNextPage":true,"endCursor":"c1"}}}}"#,
        refusal: r#"{"data":null,"errors":[{"message":"no","extensions":{"code":"E42"}}]}"#,
        odd: r#"{"data":{"accounts":{"nodes":{"id":1}}}}"#,
    },
    Protocol {
        name: "CSV",
        connector: || {
            let list = json!({ "records": null, "format": "csv", "query": { "from": "{{ page.offset }}" }, "page": { "offset": 0 } });
            json!({ "objects": { "account": { "list": list } } })
        },
        page: "id,name\r\n1,Ana\r\n2,Bea\r\n3,Cher\r\n",
        refusal: r#"{"error":{"code":"E42"}}"#,
        odd: "The export is not available at the moment",
    },
    Protocol {
        name: "JSON Lines",
        connector: || {
            let list = json!({ "records": null, "format": "jsonl", "query": { "from": "{{ page.offset }}" }, "page": { "offset": 0 } });
            json!({ "objects": { "account": { "list": list } } })
        },
        page: "{\"id\":1,\"name\":\"Ana\"}\n{\"id\":2,\"name\":\"Bea\"}\n",
        refusal: r#"{"error":{"code":"E42"}}"#,
        odd: "7\n",
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bad {
    RefusedInA200,
    PageForPeople,
    BrokenOff,
    CutShort,
    OtherCharacters,
    OtherType,
    SamePageAgain,
}

const EVERY: [Bad; 7] = [
    Bad::RefusedInA200,
    Bad::PageForPeople,
    Bad::BrokenOff,
    Bad::CutShort,
    Bad::OtherCharacters,
    Bad::OtherType,
    Bad::SamePageAgain,
];

/// The code and a part of what is said.
fn expected(protocol: &Protocol, bad: Bad) -> (&'static str, &'static str) {
    match (bad, protocol.name) {
        // A line of JSON is a record, whatever it says: one without an id.
        (Bad::RefusedInA200, "JSON Lines") => ("RQ032", "`id`"),
        (Bad::RefusedInA200, _) => ("RQ026", "E42"),
        (Bad::PageForPeople, _) => ("RQ008", "HTML"),
        (Bad::BrokenOff, _) => ("RQ006", "broke"),
        (Bad::OtherCharacters, _) => ("RQ007", "invalid UTF-8"),
        (Bad::CutShort, _) => ("RQ007", "broken "),
        (Bad::OtherType, "CSV") => ("RQ007", "no column `id`"),
        (Bad::OtherType, "JSON Lines") => ("RQ007", "line 1"),
        (Bad::OtherType, _) => ("RQ032", "no list at"),
        (Bad::SamePageAgain, _) => ("RQ032", "page"),
    }
}

fn answer(protocol: &Protocol, bad: Bad) -> Reply {
    let reply = |body: Vec<u8>| Reply::new(200, "application/octet-stream", body);
    let page = protocol.page.as_bytes();
    match bad {
        Bad::RefusedInA200 => reply(protocol.refusal.into()),
        Bad::PageForPeople => Reply::html(200),
        Bad::BrokenOff => reply(page.to_vec()).cut(),
        // A table that ends within a row; one that ends within the last cell of a row nobody could tell from a whole one.
        Bad::CutShort if protocol.name == "CSV" => reply(page[..protocol.page.find(",Ana").unwrap()].to_vec()),
        // Within the name of a record.
        Bad::CutShort => reply(page[..=protocol.page.find("Ana").unwrap()].to_vec()),
        Bad::OtherCharacters => {
            let at = protocol.page.find("Ana").unwrap();
            reply([&page[..at], b"\xc4\xd6", &page[at..]].concat())
        }
        Bad::OtherType => reply(protocol.odd.into()),
        Bad::SamePageAgain => reply(page.to_vec()),
    }
}

async fn fault(protocol: &Protocol, bad: Bad) -> Option<Fault> {
    let server = Loopback::answering([answer(protocol, bad)]).await;
    let rule = json!({ "errors": [{ "when": "{{ body.error.code is defined }}", "then": "reject", "message": "{{ body.error.code }}" }] });
    let sample = Sample::new()
        .with(rule)
        .with((protocol.connector)())
        .limited(json!({ "timeout": "5s" }));
    list(&sample.at(&server)).await.err()
}

#[tokio::test]
async fn every_bad_answer_in_every_protocol_has_its_name_and_says_what_to_do() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors/client.md")).unwrap();
    let mut wrong = Vec::new();
    for protocol in &PROTOCOLS {
        for bad in EVERY {
            let (code, part) = expected(protocol, bad);
            let told = fault(protocol, bad).await;
            let is_told = told.as_ref().is_some_and(|fault| {
                fault.code == code
                    && fault.to_string().contains(part)
                    && fault.hint.is_some()
                    && page.contains(&format!("| {code} |"))
            });
            if !is_told {
                wrong.push(format!(
                    "{}, {bad:?}: {code} with `{part}` was expected, not {told:?}",
                    protocol.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
