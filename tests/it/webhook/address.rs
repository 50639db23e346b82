//! HubSpot signs the address that it calls, with twelve escapes decoded: the recipe over HTTP, with every escape there is and
//! with requests that claim to have been sent elsewhere.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::DateTime;
use futures_util::future::join_all;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use syncline::{
    clock::Clock,
    core::{value::Value, webhook::Secret},
    server::Hook,
};

use super::{hostile::raw, vector::definitions};
use crate::support::{
    app::{Setup, TestApp},
    http::Connection,
};

/// Where HubSpot was told to call.
const ORIGIN: &str = "https://sync.example.com";
const TIME: &str = "1700000000000";
/// The characters whose escapes HubSpot decodes before it signs, as its documentation lists them.
const LISTED: &[u8; 12] = b":/?@!$'()*,;";

/// A server that knows the recipe of the page.
async fn start() -> TestApp {
    let definition = Arc::clone(&definitions()["hubspot-v3"]);
    let secret = Secret::parse(definition.recipe(), &"secret".into()).unwrap();
    let settings = Arc::new(Value::Null);
    let hook = Hook::new("hub", definition, vec![secret], settings, &BTreeMap::new());
    let mut setup = Setup::new(&format!("[server]\npublic_url = \"{ORIGIN}\""));
    setup.clock = Clock::manual(DateTime::from_timestamp_millis(TIME.parse().unwrap()).unwrap());
    setup.hooks = BTreeMap::from([("hub".to_owned(), hook)]);
    setup.start().await
}

/// The signature of an event without content that is sent to this address.
fn sign(address: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(format!("POST{address}{{}}{TIME}").as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// The status of an event that is sent to `path` and signed for `signed`.
async fn post(connection: &mut Connection, path: &str, signed: &str) -> u16 {
    let signature = sign(signed);
    let headers = [
        ("X-HubSpot-Signature-v3", signature.as_str()),
        ("X-HubSpot-Request-Timestamp", TIME),
    ];
    connection.post(path, &headers, b"{}").await.unwrap().status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_escapes_of_an_address_are_decoded_before_it_is_signed_and_all_others_are_kept() {
    let app = start().await;
    let decoded = join_all((0..16_u8).map(|high| {
        let app = &app;
        async move {
            let mut connection = Connection::new(&app.address);
            let mut decoded = 0;
            for byte in (0..16).map(|low| high * 16 + low) {
                for escape in [format!("%{byte:02X}"), format!("%{byte:02x}")] {
                    let path = format!("/webhooks/hub?to={escape}&x=1");
                    let kept = format!("{ORIGIN}{path}");
                    // As HubSpot would have it if it decoded this one, too.
                    let plain: Vec<u8> = [format!("{ORIGIN}/webhooks/hub?to=").as_bytes(), &[byte], b"&x=1"].concat();
                    let plain = String::from_utf8(plain).unwrap_or_else(|_| kept.replace(&escape, ""));
                    let is_listed = LISTED.contains(&byte);
                    let (right, wrong) = if is_listed { (&plain, &kept) } else { (&kept, &plain) };
                    assert_eq!(post(&mut connection, &path, right).await, 200, "{escape}");
                    assert_eq!(post(&mut connection, &path, wrong).await, 401, "{escape}");
                    decoded += usize::from(is_listed);
                }
            }
            decoded
        }
    }))
    .await;
    assert_eq!(decoded.iter().sum::<usize>(), 2 * LISTED.len());
}

#[tokio::test]
async fn no_header_and_no_request_line_moves_the_address_that_is_checked() {
    let app = start().await;
    let here = format!("http://{}", app.address);
    let lines = [
        "POST /webhooks/hub HTTP/1.1\r\nhost: evil.example.com",
        "POST /webhooks/hub HTTP/1.1\r\nhost: evil.example.com\r\nx-forwarded-host: evil.example.com\r\nx-forwarded-proto: http",
        "POST /webhooks/hub HTTP/1.1\r\nhost: sync.example.com\r\nforwarded: for=1.2.3.4;host=evil.example.com;proto=http",
        "POST /webhooks/hub HTTP/1.1\r\nhost: sync.example.com\r\nx-forwarded-prefix: /evil\r\nx-forwarded-port: 80",
        "POST http://evil.example.com/webhooks/hub HTTP/1.1\r\nhost: evil.example.com",
        "POST https://sync.example.com:8443/webhooks/hub HTTP/1.1\r\nhost: sync.example.com:8443",
    ];
    for line in lines {
        for (origin, status) in [
            (ORIGIN, 200),
            ("http://evil.example.com", 401),
            ("https://evil.example.com", 401),
            ("http://sync.example.com", 401),
            ("https://sync.example.com:8443", 401),
            ("https://sync.example.com/evil", 401),
            (&*here, 401),
        ] {
            let signature = sign(&format!("{origin}/webhooks/hub"));
            let request = format!(
                "{line}\r\nconnection: close\r\nx-hubspot-signature-v3: {signature}\r\n\
                 x-hubspot-request-timestamp: {TIME}\r\ncontent-length: 2\r\n\r\n{{}}"
            );
            let answer = raw(&app, request.as_bytes()).await;
            let expected = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&expected), "{line}, signed for {origin}: {answer}");
        }
    }
}
