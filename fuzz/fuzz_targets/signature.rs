//! No request that was not signed verifies, whatever its headers say.
#![no_main]

use std::sync::LazyLock;

use syncline::core::{
    problem::Problems,
    webhook::{Incoming, Secret, event::{Definition, form::WebhooksForm}, verify},
};

const FORMS: &[&str] = &[
    r#"{"hmac": "sha256", "header": "s", "format": "csv_kv", "tag": "v1", "message": ["timestamp", {"literal": "."}, "body"], "timestamp": {"tag": "t"}}"#,
    r#"{"hmac": "sha256", "header": "s", "format": "space_list", "tag": "v1", "encoding": "base64", "key": "whsec", "message": [{"header": "i"}, {"literal": "."}, "timestamp", {"literal": "."}, "body"], "timestamp": "t"}"#,
    r#"{"hmac": "sha1", "header": "s", "prefix": "sha1="}"#,
    r#"{"hmac": "sha512", "header": "s", "encoding": "base64url", "message": ["method", "url", "body"]}"#,
    r#"{"hmac": "sha256", "header": "s", "format": "named"}"#,
    r#"{"basic": true}"#,
    r#"{"shared_secret": {"header": "t"}}"#,
    r#"{"shared_secret": {"query": "k"}}"#,
    r#"{"shared_secret": {"body_path": "a.b"}}"#,
];

/// A form that is dropped would be tried by nobody: every one has to compile.
static RECIPES: LazyLock<Vec<(Definition, Secret)>> = LazyLock::new(|| {
    let made = FORMS.iter().map(|verify| {
        let text = format!(r#"{{"verify": {verify}, "events": "{{{{ body }}}}", "object": "x"}}"#);
        let form: WebhooksForm = serde_json::from_str(&text).ok()?;
        let mut problems = Problems::new();
        let objects = std::iter::once("x").collect();
        let definition = Definition::compile(&form, "", &objects, &mut problems)?;
        let secrets = ["whsec_c2FuZGJveC1jcm0td2ViaG9vay1zZWNyZXQ=", "user:0123456789abcdef0123456789abcdef"];
        let secret = secrets
            .iter()
            .rev()
            .find_map(|text| Secret::parse(definition.recipe(), &(*text).into()).ok())?;
        Some((definition, secret))
    });
    let recipes: Vec<_> = made.flatten().collect();
    assert_eq!(recipes.len(), FORMS.len(), "a form does not compile");
    recipes
});

libfuzzer_sys::fuzz_target!(|input: (&[u8], &[u8], &[u8], &str)| {
    let (signature, time, body, url) = input;
    let now = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
    for (definition, secret) in RECIPES.iter() {
        let headers = [("s", signature), ("t", time), ("i", b"id".as_slice()), ("authorization", signature)];
        let incoming = Incoming { method: "POST", url, headers: &headers, body };
        assert!(verify(definition.recipe(), std::slice::from_ref(secret), &incoming, now).is_err());
    }
});
