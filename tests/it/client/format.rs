//! Bodies and answers that are not JSON: XML as structure (SOAP), XML-RPC, CSV and JSON Lines; and JSON of other habits
//! (GraphQL, OData v2).

use serde_json::{Value as Json, json};
use syncline::{
    client::{Outcome, Road},
    core::{status::FailureClass, value::Value},
};

use super::{Sample, ana, get, list};
use crate::support::loopback::{Loopback, Reply, Seen};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

fn xml(status: u16, body: &str) -> Reply {
    Reply::new(status, "text/xml; charset=utf-8", body)
}

/// An answer in an envelope, with a prefix of the server's own choice.
fn envelope(status: u16, body: &str) -> Reply {
    xml(
        status,
        &format!("<?xml version='1.0'?><e:Envelope xmlns:e='{SOAP}'><e:Body>{body}</e:Body></e:Envelope>"),
    )
}

fn soap() -> Sample {
    let call = |operation: &str, content: Json| json!({ "soap:Envelope": { "soap:Body": { (format!("m:{operation}")): content } } });
    Sample::new().with(json!({
        "format": "xml",
        "xml": { "namespaces": { "soap": SOAP, "m": "urn:crm" } },
        "headers": { "SOAPAction": "\"\"" },
        "errors": [{
            "when": "{{ body['soap:Envelope']['soap:Body']['soap:Fault'] is defined }}", "then": "reject",
            "message": "{{ body['soap:Envelope']['soap:Body']['soap:Fault'].faultstring }}",
        }],
        "objects": { "account": {
            "fields": { "id": "integer", "active": "boolean" },
            "list": {
                "get": null, "post": "/soap", "body": call("List", json!({ "m:z": "1", "m:after": "{{ page.cursor }}" })),
                "records": "soap:Envelope.soap:Body.m:ListResponse.account",
                "page": { "cursor": "soap:Envelope.soap:Body.m:ListResponse.next" },
            },
            "get": {
                "get": null, "post": "/soap", "body": call("Get", json!({ "m:id": "{{ id }}" })),
                "record": "soap:Envelope.soap:Body.m:GetResponse.account",
            },
            "create": {
                "post": "/soap", "id": "soap:Envelope.soap:Body.m:CreateResponse.id",
                "body": call("Create", json!({ "m:zone": { "@kind": "x" }, "m:name": "{{ record.name }}", "m:account": "{{ record }}" })),
            },
        } },
    }))
}

fn operation(seen: &Seen) -> &'static str {
    let body = std::str::from_utf8(&seen.body).unwrap();
    assert!(seen.header("content-type").unwrap().starts_with("text/xml"));
    assert!(body.starts_with("<?xml"), "{body}");
    let known = ["List", "Get", "Create"];
    known
        .into_iter()
        .find(|name| body.contains(&format!("<m:{name}>")))
        .unwrap()
}

#[tokio::test]
async fn soap_is_read_and_written_as_structure() {
    let server = Loopback::start(|seen| {
        let body = String::from_utf8(seen.body.clone()).unwrap();
        match operation(seen) {
            "List" if body.contains("<m:after>2</m:after>") => envelope(
                200,
                "<r:ListResponse xmlns:r='urn:crm'><account><id>3</id><name>Caf&#233;</name></account></r:ListResponse>",
            ),
            "List" => envelope(
                200,
                "<ListResponse xmlns='urn:crm'><account xmlns=''><id>1</id><active>true</active></account>\
                 <account xmlns=''><id>2</id></account><next xmlns=''>2</next></ListResponse>",
            ),
            "Get" => envelope(500, "<e:Fault><faultcode>x</faultcode><faultstring>no such account</faultstring></e:Fault>"),
            _ => envelope(200, "<CreateResponse xmlns='urn:crm'><id xmlns=''>9</id></CreateResponse>"),
        }
    })
    .await;
    let sample = || {
        soap().with(json!({ "objects": { "account": {
            "list": { "records": "soap:Envelope.soap:Body.m:ListResponse.account" },
        } } }))
    };
    let system = sample().at(&server);
    let (records, is_complete) = list(&system).await.unwrap();
    assert!(is_complete);
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"], "a page of one record is a list too");
    assert_eq!(records[0].fields["active"], Value::Bool(true));
    assert_eq!(records[2].fields["name"], Value::from("Café"));
    let fault = get(&system).await.unwrap_err();
    assert_eq!((fault.code, fault.class), ("RQ026", FailureClass::Rejected));
    assert!(fault.to_string().contains("no such account"), "{fault}");
    let written = system.create("account", &ana(), "key", Road::Event).await.unwrap();
    assert_eq!(written.id, "9");
    let sent = String::from_utf8(server.seen().last().unwrap().body.clone()).unwrap();
    assert!(
        sent.contains("<m:Create><m:zone kind=\"x\"></m:zone><m:name>Ana</m:name><m:account><name>Ana</name></m:account></m:Create>"),
        "in the order in which they were written: {sent}"
    );
}

#[tokio::test]
async fn every_broken_answer_in_xml_is_told_by_name() {
    let bomb = format!("<!DOCTYPE a [<!ENTITY b '{}'>]><a>&b;</a>", "x".repeat(1000));
    for (reply, code, class, part) in [
        (xml(200, &bomb), "RQ007", FailureClass::Rejected, "DTD"),
        (xml(200, "<a>&nbsp;</a>"), "RQ007", FailureClass::Rejected, "nbsp"),
        (xml(200, "<a><b>"), "RQ007", FailureClass::Transient, "ends within `b`"),
        (xml(200, &"<a>".repeat(1000)), "RQ007", FailureClass::Rejected, "limits"),
        (
            Reply::new(
                200,
                "text/xml",
                b"<?xml version='1.0' encoding='koi8-r'?><a>\xc1</a>".to_vec(),
            ),
            "RQ007",
            FailureClass::Transient,
            "`koi8-r` is not read",
        ),
        (Reply::html(200), "RQ008", FailureClass::Transient, "HTML"),
        (xml(200, "<a><other/></a>"), "RQ032", FailureClass::Rejected, "no list"),
        (
            Reply::json(200, &json!({ "error": 1 })),
            "RQ032",
            FailureClass::Rejected,
            "no list",
        ),
    ] {
        let server = Loopback::answering([reply]).await;
        let fault = list(&soap().limited(json!({ "timeout": "2s" })).at(&server))
            .await
            .unwrap_err();
        assert_eq!((fault.code, fault.class), (code, class), "{fault}");
        assert!(fault.to_string().contains(part), "{part}: {fault}");
        assert!(fault.hint.is_some());
    }
}

#[tokio::test]
async fn what_xml_cannot_say_is_not_sent() {
    let server = Loopback::answering([Reply::status(500)]).await;
    let fields = FromIterator::from_iter([("bad name".to_owned(), Value::from("x"))]);
    let fault = soap()
        .at(&server)
        .create("account", &fields, "key", Road::Event)
        .await
        .unwrap_err();
    assert_eq!(
        (fault.fault.code, fault.outcome),
        ("RQ003", Outcome::NotWritten),
        "{:?}",
        fault.fault
    );
    assert!(server.seen().is_empty());
}

fn xml_rpc() -> Sample {
    let call = |method: &str, params: Json| json!({ "method": method, "params": params });
    Sample::new().with(json!({
        "format": "xml_rpc",
        "errors": [{ "when": "{{ body.fault.faultCode == 4 }}", "then": "missing" }],
        "objects": { "account": {
            "list": {
                "get": null, "post": "/rpc", "body": call("list", json!(["{{ page.offset }}", 2])), "records": "result",
                "page": { "offset": 0, "size": 2 },
            },
            "get": { "get": null, "post": "/rpc", "body": call("get", json!(["{{ id | integer }}"])), "record": "result" },
        } },
    }))
}

#[tokio::test]
async fn xml_rpc_tells_a_fault_in_a_200_and_never_takes_it_for_an_answer() {
    let fault = |code: u8, text: &str| {
        xml(
            200,
            &format!(
                "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>{code}</int></value></member>\
                 <member><name>faultString</name><value><string>{text}</string></value></member></struct></value></fault></methodResponse>"
            ),
        )
    };
    let server = Loopback::answering([fault(4, "gone")]).await;
    assert_eq!(
        get(&xml_rpc().at(&server)).await.unwrap(),
        None,
        "a rule says what it means"
    );
    let sent = String::from_utf8(server.seen()[0].body.clone()).unwrap();
    assert!(
        sent.contains("<methodName>get</methodName><params><param><value><int>7</int></value></param></params>"),
        "{sent}"
    );
    let server = Loopback::answering([fault(1, "locked")]).await;
    let told = get(&xml_rpc().at(&server)).await.unwrap_err();
    assert_eq!(told.code, "RQ026", "without a rule it is refused");
    assert!(told.to_string().contains("locked"), "{told}");
    for body in [
        "<methodResponse/>",
        "<other/>",
        "<methodResponse><params><param><value><int>x</int></value></param></params></methodResponse>",
    ] {
        let server = Loopback::answering([xml(200, body)]).await;
        let told = list(&xml_rpc().at(&server)).await.unwrap_err();
        assert_eq!((told.code, told.class), ("RQ007", FailureClass::Rejected), "{told}");
    }
}

#[tokio::test]
async fn csv_and_json_lines_are_lists_of_records() {
    let export = |format: &str| {
        Sample::new().with(json!({
            "csv": { "delimiter": ";" },
            "objects": { "account": {
                "fields": { "id": "integer", "credit": "decimal(2)" },
                "list": { "records": null, "format": format },
            } },
        }))
    };
    for (format, body) in [
        ("csv", "id;name;credit\r\n1;\"a;\"\"b\"\"\";1.50\r\n2;;\r\n"),
        (
            "jsonl",
            "{\"id\":1,\"name\":\"a;\\\"b\\\"\",\"credit\":\"1.50\"}\n{\"id\":2,\"name\":\"\"}\n",
        ),
    ] {
        let server = Loopback::answering([Reply::new(200, "text/plain", body)]).await;
        let (records, is_complete) = list(&export(format).at(&server)).await.unwrap();
        assert_eq!((records.len(), is_complete), (2, true), "{format}");
        assert_eq!(records[0].fields["name"], Value::from("a;\"b\""));
        assert_eq!(records[0].fields["credit"].to_text().unwrap(), "1.50");
        assert!(
            !server.seen()[0]
                .header("accept")
                .unwrap()
                .starts_with("application/json")
        );
    }
    for (format, body, class) in [
        ("csv", b"id;name\n1".to_vec(), FailureClass::Transient),
        ("csv", b"id;id\n1;2\n".to_vec(), FailureClass::Rejected),
        ("csv", b"id;name\n1;\xe9\n".to_vec(), FailureClass::Transient),
        ("jsonl", b"{\"id\":1}\n{\"id\":".to_vec(), FailureClass::Transient),
        ("jsonl", b"not json".to_vec(), FailureClass::Transient),
    ] {
        let server = Loopback::answering([Reply::new(200, "text/plain", body.clone())]).await;
        let fault = list(&export(format).at(&server)).await.unwrap_err();
        assert_eq!(
            (fault.code, fault.class),
            ("RQ007", class),
            "{format} {body:?}: {fault}"
        );
    }
    let server = Loopback::answering([Reply::json(422, &json!({ "message": "no export" }))]).await;
    let fault = list(&export("csv").at(&server)).await.unwrap_err();
    assert!(fault.to_string().contains("no export"), "{fault}");
}

#[tokio::test]
async fn graphql_pages_by_cursor_and_its_errors_in_a_200_are_told() {
    let sample = || {
        Sample::new().with(json!({
            "errors": [
                { "when": "{{ body.errors[0].extensions.code == 'THROTTLED' }}", "then": "throttle" },
                { "when": "{{ body.errors | length > 0 }}", "then": "reject", "message": "{{ body.errors[0].extensions.code }}" },
            ],
            "objects": { "account": {
                "list": {
                    "get": null, "post": "/graphql", "records": "data.accounts.nodes",
                    "body": {
                        "query": "query ($after: String, $first: Int!) { accounts(after: $after, first: $first) { nodes { id } pageInfo { hasNextPage endCursor } } }",
                        "variables": { "first": "{{ page.size }}", "after": "{{ page.cursor }}" },
                    },
                    "page": { "cursor": "data.accounts.pageInfo.endCursor", "more": "data.accounts.pageInfo.hasNextPage", "size": 2 },
                },
                "get": {
                    "get": null, "post": "/graphql", "record": "data.account",
                    "body": { "query": "query ($id: ID!) { account(id: $id) { id name } }", "variables": { "id": "{{ id }}" } },
                },
            } },
        }))
    };
    let server = Loopback::start(|seen| {
        let variables = seen.json()["variables"].clone();
        if variables.get("id").is_some() {
            return Reply::json(
                200,
                &json!({ "data": null, "errors": [{ "message": "x", "extensions": { "code": "FORBIDDEN" } }] }),
            );
        }
        assert_eq!(variables["first"], 2);
        let (ids, next, more) = match variables.get("after").and_then(Json::as_str) {
            None => ([1, 2], "c2", true),
            Some("c2") => ([3, 4], "c4", false),
            Some(other) => panic!("{other}"),
        };
        let nodes: Vec<Json> = ids.iter().map(|id| json!({ "id": id })).collect();
        let page = json!({ "hasNextPage": more, "endCursor": next });
        Reply::json(
            200,
            &json!({ "data": { "accounts": { "nodes": nodes, "pageInfo": page } } }),
        )
    })
    .await;
    let system = sample().at(&server);
    let (records, is_complete) = list(&system).await.unwrap();
    assert_eq!(
        (records.len(), is_complete, server.seen().len()),
        (4, true, 2),
        "the last cursor is not asked for"
    );
    let fault = get(&system).await.unwrap_err();
    assert!(
        fault.code == "RQ026" && fault.to_string().contains("FORBIDDEN"),
        "{fault}"
    );
}

#[tokio::test]
async fn odata_v2_wraps_its_results_and_spells_dates_in_its_own_way() {
    let sample = Sample::new().with(json!({
        "types": {
            "datetime": { "format": "epoch_millis", "read": "{{ raw | replace('/Date(', '') | replace(')/', '') | replace('+0000', '') | integer }}", "write": "/Date({{ value }})/" },
            "decimal": { "format": "text" },
        },
        "objects": { "account": {
            "version": "__metadata.etag",
            "updated_at": "Changed",
            "fields": { "Changed": "datetime", "Credit": "decimal(2)" },
            "list": { "records": "d.results", "page": { "next_url": "d.__next" } },
            "get": { "record": "d" },
            "create": { "id": "d.id" },
        } },
    }));
    let server = Loopback::start(|seen| {
        let url = format!("http://{}/api/accounts?$skiptoken=2", seen.header("host").unwrap());
        let record = |id: u8| json!({ "__metadata": { "etag": "W/\"1\"" }, "id": id, "Changed": "/Date(1772442000000+0000)/", "Credit": "1.50" });
        match (seen.method.as_str(), seen.query()) {
            ("POST", _) => Reply::json(201, &json!({ "d": { "id": "9" } })),
            (_, "") => Reply::json(200, &json!({ "d": { "results": [record(1), record(2)], "__next": url } })),
            _ => Reply::json(200, &json!({ "d": { "results": [record(3)] } })),
        }
    })
    .await;
    let clock = sample.clock.clone();
    let system = sample.at(&server);
    let (records, is_complete) = list(&system).await.unwrap();
    assert_eq!((records.len(), is_complete), (3, true));
    assert_eq!(records[0].updated_at, Some(clock.now()));
    assert_eq!(records[0].version.as_deref(), Some("W/\"1\""));
    let fields = FromIterator::from_iter([("Changed".to_owned(), Value::DateTime(clock.now().fixed_offset()))]);
    system.create("account", &fields, "key", Road::Event).await.unwrap();
    assert_eq!(server.seen().last().unwrap().json()["Changed"], "/Date(1772442000000)/");
}
