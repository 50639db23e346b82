//! The rules of verifying, one by one.

use std::sync::LazyLock;

use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;

use super::{
    super::message, Flaw, Kind, NOW, PAGE, Place, Recipe, Rejection, Request, Secret, Staleness, at, base64,
    hmac_sha256, recipe, secret, signed,
};

#[test]
fn senders_without_published_vectors_verify_what_they_sign() {
    let body = br#"{"token":"s3cret","n":1}"#;
    let b64 = base64(&hmac_sha256(b"key", body));
    let zoho = hex::encode(hmac_sha256(b"key", &[b"1700000000000.".as_slice(), body].concat()));
    let mut query = Request::new(body);
    query.url.push_str("?a=1&token=s3cret#end");
    for (id, secret_text, request) in [
        ("xero", "key", Request::new(body).with("X-Xero-Signature", &b64)),
        ("quickbooks", "key", Request::new(body).with("intuit-signature", &b64)),
        (
            "zoho-payments",
            "key",
            Request::new(body).with("X-Zoho-Webhook-Signature", format!("t=1700000000000, v={zoho}")),
        ),
        ("zoho-crm", "s3cret", Request::new(body)),
        (
            "shared-secret-header",
            "s3cret",
            Request::new(body).with("x-webhook-token", "s3cret"),
        ),
        ("shared-secret-query", "s3cret", query),
        ("short", "key", signed("key", "1700000000", body)),
    ] {
        let recipe = &PAGE[id];
        let verdict = request.verify(recipe, &[secret(recipe, secret_text)], at(NOW));
        assert!(verdict.is_ok(), "{id}: {verdict:?}");
        assert!(
            request.verify(recipe, &[secret(recipe, "other")], at(NOW)).is_err(),
            "{id}"
        );
    }
}

#[test]
fn the_time_of_sending_may_be_off_by_exactly_the_tolerance() {
    let recipe = recipe(
        "{hmac: sha256, header: x-acme-signature, prefix: 'sha256=', timestamp: x-acme-time, tolerance: {past: 300s, future: 60s}}",
    );
    let secrets = [secret(&recipe, "key")];
    for (sent_at, expected) in [
        (NOW - 301, Some(Staleness::Old)),
        (NOW - 300, None),
        (NOW, None),
        (NOW + 60, None),
        (NOW + 61, Some(Staleness::Future)),
    ] {
        let verdict = signed("key", &sent_at.to_string(), b"{}").verify(&recipe, &secrets, at(NOW));
        match expected {
            None => assert_eq!(verdict.unwrap().timestamp, Some(at(sent_at))),
            Some(staleness) => assert_eq!(verdict, Err(Rejection::Timestamp(staleness)), "{sent_at}"),
        }
    }
}

#[test]
fn a_time_of_sending_that_is_no_plain_number_is_rejected() {
    let recipe = &PAGE["short"];
    let secrets = [secret(recipe, "key")];
    for text in [
        "hello",
        "+1700000000",
        "-1700000000",
        "1700000000.0",
        "0x6553f100",
        "1_700_000_000",
        "Infinity",
        "NaN",
        "9223372036854775807",
        "9223372036854775808",
        "99999999999999999999999",
        "1700000000000",
        "2023-11-14T22:13:20Z",
    ] {
        let kind = signed("key", text, b"{}")
            .verify(recipe, &secrets, at(NOW))
            .unwrap_err()
            .kind();
        assert_eq!(kind, Kind::Timestamp, "{text}");
    }
    // Full-width digits are digits to some parsers; spaces in front are trimmed, inside they are not.
    for text in ["１７００００００００", "1700 000000"] {
        let kind = signed("key", text, b"{}")
            .verify(recipe, &secrets, at(NOW))
            .unwrap_err()
            .kind();
        assert_eq!(kind, Kind::Timestamp, "{text}");
    }
}

#[test]
fn a_request_that_is_sent_again_later_is_rejected() {
    let recipe = &PAGE["short"];
    let secrets = [secret(recipe, "key")];
    let request = signed("key", "1700000000", b"{}");
    assert!(request.verify(recipe, &secrets, at(NOW)).is_ok());
    let later = request.verify(recipe, &secrets, at(NOW + 3_600));
    assert_eq!(later, Err(Rejection::Timestamp(Staleness::Old)));
    let mut fresh = request;
    fresh.headers[0].1 = b"1700003600".to_vec();
    assert_eq!(
        fresh.verify(recipe, &secrets, at(NOW + 3_600)),
        Err(Rejection::Signature)
    );
}

#[test]
fn during_a_rotation_both_secrets_count_until_the_old_one_ends() {
    let recipe = &PAGE["short"];
    let end = at(NOW + 10);
    let secrets = [secret(recipe, "new"), secret(recipe, "old").until(Some(end))];
    let sent = |key, now: i64| signed(key, &now.to_string(), b"{}").verify(recipe, &secrets, at(now));
    assert_eq!(sent("new", NOW).unwrap().secret_index, Some(0));
    assert_eq!(sent("old", NOW).unwrap().secret_index, Some(1));
    assert_eq!(sent("old", NOW + 10).unwrap().secret_index, Some(1));
    assert_eq!(sent("old", NOW + 11), Err(Rejection::Signature));
    assert_eq!(sent("new", NOW + 11).unwrap().secret_index, Some(0));
}

#[test]
fn without_a_live_secret_nothing_is_accepted() {
    for (id, recipe) in PAGE.iter() {
        let request = Request::new(b"{}");
        assert_eq!(request.verify(recipe, &[], at(NOW)), Err(Rejection::Secret), "{id}");
    }
    let recipe = &PAGE["short"];
    let ended = [secret(recipe, "key").until(Some(at(NOW - 1)))];
    let request = signed("key", "1700000000", b"{}");
    assert_eq!(request.verify(recipe, &ended, at(NOW)), Err(Rejection::Secret));
}

type Headers = Vec<(String, Vec<u8>)>;

#[test]
fn a_missing_empty_repeated_or_foreign_header_is_named_in_the_rejection() {
    let recipe = &PAGE["short"];
    let secrets = [secret(recipe, "key")];
    let good = signed("key", "1700000000", b"{}");
    let flaw = |bend: &dyn Fn(&mut Headers)| {
        let mut request = good.clone();
        bend(&mut request.headers);
        match request.verify(recipe, &secrets, at(NOW)) {
            Err(Rejection::Input {
                place: Place::Header(name),
                flaw,
            }) => (name, flaw),
            verdict => panic!("{verdict:?}"),
        }
    };
    let signature = "X-Acme-Signature".to_owned();
    let time = "X-Acme-Time".to_owned();
    assert_eq!(flaw(&|headers| drop(headers.pop())), (signature.clone(), Flaw::Missing));
    assert_eq!(flaw(&|headers| drop(headers.remove(0))), (time.clone(), Flaw::Missing));
    assert_eq!(flaw(&|headers| headers[1].1.clear()), (signature.clone(), Flaw::Empty));
    assert_eq!(
        flaw(&|headers| headers[0].1 = b" \t".to_vec()),
        (time.clone(), Flaw::Empty)
    );
    assert_eq!(
        flaw(&|headers| headers.push(headers[1].clone())),
        (signature.clone(), Flaw::Repeated)
    );
    assert_eq!(
        flaw(&|headers| headers.push(headers[0].clone())),
        (time, Flaw::Repeated)
    );
    // Without its prefix, and with bytes that no signature has.
    assert_eq!(
        flaw(&|headers| drop(headers[1].1.drain(..7))),
        (signature.clone(), Flaw::Malformed)
    );
    for bytes in [
        b"sha256=\r\nX: y".as_slice(),
        b"sha256=\0",
        b"sha256=\xff\xfe",
        "sha256=é".as_bytes(),
    ] {
        assert_eq!(
            flaw(&|headers| headers[1].1 = bytes.to_vec()),
            (signature.clone(), Flaw::Malformed)
        );
    }
}

#[test]
fn a_password_may_hold_colons_and_no_other_password_passes() {
    let recipe = &PAGE["http-basic"];
    let secrets = [secret(recipe, "syncline:a:b:ç")];
    let login = |text: &str| {
        let request = Request::new(b"{}").with("Authorization", format!("basic {}", base64(text.as_bytes())));
        request.verify(recipe, &secrets, at(NOW))
    };
    assert!(login("syncline:a:b:ç").is_ok());
    for wrong in [
        "syncline:a:b",
        "syncline:a:b:ç:",
        "syncline",
        "",
        ":",
        "syncline:",
        "Syncline:a:b:ç",
    ] {
        assert!(login(wrong).is_err(), "{wrong}");
    }
    for value in ["Bearer abc", "Basic", "Basic ", "Basic %%%", "Basicc3luY2xpbmU6eA=="] {
        let request = Request::new(b"{}").with("Authorization", value);
        assert_eq!(
            request.verify(recipe, &secrets, at(NOW)).unwrap_err().kind(),
            Kind::Header,
            "{value}"
        );
    }
}

#[test]
fn a_secret_in_the_body_has_to_stand_exactly_once_at_its_place() {
    let recipe = recipe("{shared_secret: {body_path: auth.token}}");
    let secrets = [secret(&recipe, "s3cret")];
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, expected) in [
        (r#"{"x":[1,{"token":"no"}],"auth":{"token":"s3cret"},"y":null}"#, None),
        (r#"{"auth":{"token":"s3cre"}}"#, Some(Kind::Credentials)),
        (r#"{"auth":{}}"#, Some(Kind::Header)),
        (r#"{"token":"s3cret"}"#, Some(Kind::Header)),
        (
            r#"{"auth":{"token":"no"},"auth":{"token":"s3cret"}}"#,
            Some(Kind::Header),
        ),
        (r#"{"auth":{"token":"no","token":"s3cret"}}"#, Some(Kind::Header)),
        (r#"{"auth":{"token":["s3cret"]}}"#, Some(Kind::Header)),
        (r#"{"auth":{"token":"s3cret"}} more"#, Some(Kind::Header)),
        (r#"{"auth":{"token":"s3cret"}"#, Some(Kind::Header)),
        ("", Some(Kind::Header)),
        ("auth=token", Some(Kind::Header)),
        (&deep, Some(Kind::Header)),
        (
            &format!(r#"{{"x":{deep},"auth":{{"token":"no"}}}}"#),
            Some(Kind::Credentials),
        ),
    ] {
        let verdict = Request::new(body.as_bytes()).verify(&recipe, &secrets, at(NOW));
        let shown: String = body.chars().take(80).collect();
        assert_eq!(verdict.err().map(|rejection| rejection.kind()), expected, "{shown}");
    }
}

#[test]
fn a_repeated_query_parameter_is_refused() {
    let recipe = &PAGE["shared-secret-query"];
    let mut request = Request::new(b"");
    request.url.push_str("?token=s3cret&token=other");
    let verdict = request.verify(recipe, &[secret(recipe, "s3cret")], at(NOW));
    assert_eq!(verdict.unwrap_err().to_string(), "query parameter `token` is repeated");
}

#[test]
fn of_a_hubspot_address_exactly_the_listed_escapes_are_decoded() {
    let listed = ":/?@!$'()*,;";
    for byte in 0..=255_u8 {
        let escape = format!("%{byte:02X}");
        let url = format!("https://a.example/p{escape}?q={escape}");
        let decoded = message::decode(&url, listed.as_bytes());
        let expected = if listed.as_bytes().contains(&byte) {
            let plain = char::from(byte);
            format!("https://a.example/p{plain}?q={plain}")
        } else {
            url
        };
        assert_eq!(decoded, expected.into_bytes(), "{escape}");
    }
    for (url, expected) in [
        ("%3a%2F", ":/"),
        ("%", "%"),
        ("%3", "%3"),
        ("%%3A", "%:"),
        ("%253A", "%253A"),
        ("%+A", "%+A"),
    ] {
        assert_eq!(message::decode(url, listed.as_bytes()), expected.as_bytes(), "{url}");
    }
}

#[test]
fn method_address_path_query_and_headers_can_be_signed() {
    let recipe = recipe(
        "{hmac: sha512, header: sig, encoding: base64url, key: hex,
          message: [method, url, url_path, {query: q}, {header: x-id}, {literal: '|'}, body]}",
    );
    let mut request = Request::new(b"body").with("X-Id", "7");
    request.url = "https://h.example:8443/a/b?q=x%20y&z=1".to_owned();
    let message = "POSThttps://h.example:8443/a/b?q=x%20y&z=1/a/bx y7|body";
    let mut mac = Hmac::<sha2::Sha512>::new_from_slice(&[0xab, 0xcd]).unwrap();
    mac.update(message.as_bytes());
    let signature = {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    };
    let verdict = request
        .with("SIG", signature)
        .verify(&recipe, &[secret(&recipe, "abcd")], at(NOW));
    assert!(verdict.is_ok(), "{verdict:?}");
}

/// Every recipe of the page with a secret that nobody guesses.
static GUARDED: LazyLock<Vec<(&Recipe, [Secret; 1])>> = LazyLock::new(|| {
    let text = |id| match id {
        "standard-webhooks-v1a" => "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
        "http-basic" => "user:password that nobody guesses",
        _ => "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    };
    PAGE.iter()
        .map(|(id, recipe)| (recipe, [secret(recipe, text(id.as_str()))]))
        .collect()
});

proptest! {
    #[test]
    fn what_was_signed_verifies_and_any_changed_bit_does_not(
        key in "[!-~]{1,80}",
        body in prop::collection::vec(any::<u8>(), 0..300),
        bit in any::<prop::sample::Index>(),
    ) {
        let recipe = &PAGE["short"];
        let secrets = [secret(recipe, &key)];
        let request = signed(&key, "1700000000", &body);
        prop_assert!(request.verify(recipe, &secrets, at(NOW)).is_ok());
        let signature_hex = request.headers[1].1.len() - "sha256=".len();
        let bit = bit.index((body.len() + signature_hex / 2) * 8);
        let mut changed = request.clone();
        if bit / 8 < body.len() {
            changed.body[bit / 8] ^= 1 << (bit % 8);
        } else {
            let mut signature = hex::decode(&request.headers[1].1["sha256=".len()..]).unwrap();
            signature[bit / 8 - body.len()] ^= 1 << (bit % 8);
            changed.headers[1].1 = format!("sha256={}", hex::encode(signature)).into_bytes();
        }
        prop_assert_eq!(changed.verify(recipe, &secrets, at(NOW)), Err(Rejection::Signature));
    }

    #[test]
    fn no_request_makes_verifying_panic_or_pass(
        names in prop::collection::vec(0_usize..8, 0..6),
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 6),
        list in "[a-z0-9=, \t]{0,200}",
        url in "\\PC{0,60}",
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        const NAMES: [&str; 8] = [
            "stripe-signature", "webhook-signature", "webhook-id", "webhook-timestamp", "authorization",
            "x-acme-signature", "x-acme-time", "x-hubspot-signature-v3",
        ];
        let mut request = Request { method: "POST".into(), url, headers: Vec::new(), body };
        for (name, value) in names.iter().zip(&values) {
            request = request.with(NAMES[*name], value);
        }
        request = request.with("X-Zoho-Webhook-Signature", list.as_bytes());
        for (recipe, secrets) in GUARDED.iter() {
            prop_assert!(request.verify(recipe, secrets, at(NOW)).is_err());
        }
    }
}

/// As the source of EspoCRM signs: the id of the webhook, a colon, and the bytes of the HMAC, all in base64.
fn named(subscription: &str, key: &str, body: &[u8]) -> Request {
    let whole = [subscription.as_bytes(), b":", &hmac_sha256(key.as_bytes(), body)].concat();
    Request::new(body).with("X-Signature", base64(&whole))
}

#[test]
fn a_push_is_verified_with_the_secret_of_its_own_subscription() {
    let recipe = &PAGE["espocrm"];
    let secrets = [
        secret(recipe, "first key").of("w1"),
        secret(recipe, "second key").of("w2"),
        secret(recipe, "by hand"),
    ];
    let index = |request: Request| {
        let verified = request.verify(recipe, &secrets, at(NOW));
        verified.map(|verified| verified.secret_index)
    };
    assert_eq!(index(named("w1", "first key", b"[]")), Ok(Some(0)));
    assert_eq!(index(named("w2", "second key", b"[]")), Ok(Some(1)));
    assert_eq!(
        index(named("w3", "by hand", b"[]")),
        Ok(Some(2)),
        "one that a person made"
    );
    for (subscription, key) in [("w2", "first key"), ("w3", "first key"), ("w1", "another key")] {
        let refused = index(named(subscription, key, b"[]")).unwrap_err();
        assert_eq!(refused, Rejection::Signature, "{subscription}, {key}");
    }
}

#[test]
fn a_named_signature_that_is_laid_out_otherwise_is_refused() {
    let recipe = &PAGE["espocrm"];
    let secrets = [secret(recipe, "key").of("w1")];
    let code = hmac_sha256(b"key", b"[]");
    let cut = [b"w1:".as_slice(), &code[1..]].concat();
    let long = [b"w1:".as_slice(), &code, b"x"].concat();
    let text = [b"w1:".as_slice(), hex::encode(&code).as_bytes()].concat();
    let nobody = [b":".as_slice(), &code].concat();
    let odd = [b"\xff:".as_slice(), &code].concat();
    for (value, kind) in [
        (base64(&cut), Kind::Signature),
        (base64(&long), Kind::Signature),
        (base64(&text), Kind::Signature),
        (base64(&nobody), Kind::Header),
        (base64(&odd), Kind::Header),
        (base64(&code[..4]), Kind::Header),
        (String::from("w1:no base64"), Kind::Header),
        (String::new(), Kind::Header),
    ] {
        let request = Request::new(b"[]").with("X-Signature", &value);
        let refused = request.verify(recipe, &secrets, at(NOW)).unwrap_err();
        assert_eq!(refused.kind(), kind, "{value}");
    }
    let hex_of_it = super::recipe("{hmac: sha256, header: Signature, format: named, encoding: hex}");
    let request = Request::new(b"[]").with("Signature", base64(&text));
    let secrets = [secret(&hex_of_it, "key").of("w1")];
    assert!(request.verify(&hex_of_it, &secrets, at(NOW)).is_ok());
}
