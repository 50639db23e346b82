//! Requests that are signed one by one: a keyed hash over a text of one's own, and OAuth 1.0a (RFC 5849).

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    form::OAuth1Signature,
    request::{BuildError, Call, append_query, build_headers, values},
};
use crate::core::{
    expr::{Fault, Scope, Template},
    value::Value,
    webhook::{
        form::{Digest, Encoding},
        verify::mac,
    },
};

/// A keyed hash of every request.
#[derive(Debug)]
pub struct Signed {
    /// The hash.
    pub digest: Digest,
    /// The key.
    pub key: Template,
    /// How the key is spelled, where it stands for bytes.
    pub key_encoding: Option<Encoding>,
    /// The text that is signed.
    pub text: Template,
    /// How the signature is spelled.
    pub encoding: Encoding,
    /// Headers of the request.
    pub headers: Vec<(String, Template)>,
    /// Query parameters of the request.
    pub query: Vec<(String, Template)>,
}

/// OAuth 1.0a with a token that does not end.
#[derive(Debug)]
pub struct OAuth1 {
    /// Who asks.
    pub consumer_key: Template,
    /// Its secret.
    pub consumer_secret: Template,
    /// For whom.
    pub token: Template,
    /// Its secret.
    pub token_secret: Template,
    /// The realm of the header.
    pub realm: Option<Template>,
    /// The hash.
    pub signature: OAuth1Signature,
}

/// What makes one signature different from the next.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// When it is made.
    pub at: DateTime<Utc>,
    /// A text that is used once.
    pub nonce: &'a str,
}

impl Signed {
    /// Signs a call. `scope` knows credentials and settings.
    pub fn sign(&self, call: &mut Call, scope: &Scope, moment: Moment<'_>) -> Result<(), BuildError> {
        let mut scope = scope.clone();
        for (name, value) in [
            ("request", request(call)),
            ("timestamp", moment.at.timestamp().into()),
            ("timestamp_ms", moment.at.timestamp_millis().into()),
            (
                "date",
                Value::from(moment.at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
            ),
            ("nonce", moment.nonce.into()),
        ] {
            scope = scope.with(name, value);
        }
        let key = text(&self.key, &scope, "key")?;
        let key = match self.key_encoding {
            None => key.into_bytes(),
            Some(encoding) => decoded(encoding, &key).ok_or_else(|| BuildError::Kind {
                place: "auth.signed.key".to_owned(),
                found: "a key that is not spelled as `key_encoding` says",
            })?,
        };
        let signed = text(&self.text, &scope, "text")?;
        let signature = mac(self.digest, &key, &[signed.as_bytes().into()]);
        let scope = scope.with("signature", spelled(self.encoding, &signature));
        for (name, template) in &self.query {
            for value in values(template, &scope, || {
                format!("query parameter `{name}` of `auth.signed`")
            })? {
                append_query(&mut call.url, name, &value);
            }
        }
        call.headers.extend(build_headers(&self.headers, &scope)?);
        Ok(())
    }
}

/// What is known of a call where it is signed.
fn request(call: &Call) -> Value {
    let body = call.body.as_deref().unwrap_or_default();
    let url = &call.url;
    let host = url.host_str().unwrap_or_default();
    let host = url
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let parts = [
        ("method", call.method.key().to_ascii_uppercase()),
        ("url", url.to_string()),
        ("host", host),
        ("path", url.path().to_owned()),
        ("query", url.query().unwrap_or_default().to_owned()),
        ("body", String::from_utf8_lossy(body).into_owned()),
        ("body_sha256", hex::encode(Sha256::digest(body))),
    ];
    let parts = parts
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Value::Text(text)));
    Value::Map(parts.collect())
}

fn spelled(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => BASE64_STANDARD.encode(bytes),
        Encoding::Base64url => BASE64_URL_SAFE_NO_PAD.encode(bytes),
    }
}

fn decoded(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => BASE64_STANDARD.decode(text).ok(),
        Encoding::Base64url => BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok(),
    }
}

fn text(template: &Template, scope: &Scope, place: &str) -> Result<String, BuildError> {
    let failed = |fault: Fault| BuildError::Template {
        place: format!("`{place}` of `auth`"),
        fault,
    };
    Ok(template.text(scope, |text| text).map_err(failed)?.unwrap_or_default())
}

/// RFC 5849, section 3.6: everything but the unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

impl OAuth1 {
    /// Signs a call. `scope` knows credentials and settings.
    pub fn sign(&self, call: &mut Call, scope: &Scope, moment: Moment<'_>) -> Result<(), BuildError> {
        let [consumer_key, consumer_secret, token, token_secret] = [
            (&self.consumer_key, "consumer_key"),
            (&self.consumer_secret, "consumer_secret"),
            (&self.token, "token"),
            (&self.token_secret, "token_secret"),
        ]
        .map(|(template, place)| text(template, scope, place));
        let (digest, method) = match self.signature {
            OAuth1Signature::HmacSha256 => (Digest::Sha256, "HMAC-SHA256"),
            OAuth1Signature::HmacSha1 => (Digest::Sha1, "HMAC-SHA1"),
        };
        let own = [
            ("oauth_consumer_key", consumer_key?),
            ("oauth_nonce", moment.nonce.to_owned()),
            ("oauth_signature_method", method.to_owned()),
            ("oauth_timestamp", moment.at.timestamp().to_string()),
            ("oauth_token", token?),
            ("oauth_version", "1.0".to_owned()),
        ];
        let base = base_string(call, &own);
        let key = format!("{}&{}", encoded(&consumer_secret?), encoded(&token_secret?));
        let signature = BASE64_STANDARD.encode(mac(digest, key.as_bytes(), &[base.as_bytes().into()]));
        let mut parts: Vec<String> = Vec::with_capacity(own.len() + 2);
        if let Some(realm) = &self.realm {
            parts.push(format!("realm=\"{}\"", encoded(&text(realm, scope, "realm")?)));
        }
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain([("oauth_signature", signature.as_str())]) {
            parts.push(format!("{name}=\"{}\"", encoded(value)));
        }
        let header = format!("OAuth {}", parts.join(", "));
        call.headers.push(("authorization".to_owned(), header));
        Ok(())
    }
}

/// The text that is signed (RFC 5849, section 3.4.1): method, address, and every parameter, sorted.
fn base_string(call: &Call, own: &[(&str, String)]) -> String {
    let mut pairs: Vec<(String, String)> = own
        .iter()
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    let in_form = call.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type") && value.starts_with("application/x-www-form-urlencoded")
    });
    let form = call.body.as_deref().filter(|_| in_form).unwrap_or_default();
    let query = call.url.query().unwrap_or_default().as_bytes();
    for source in [query, form] {
        let parsed = url::form_urlencoded::parse(source);
        pairs.extend(parsed.map(|(name, value)| (encoded(&name), encoded(&value))));
    }
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    [
        call.method.key().to_ascii_uppercase(),
        encoded(&base_uri(&call.url)),
        encoded(&pairs.join("&")),
    ]
    .join("&")
}

/// RFC 5849, section 3.4.1.2: without query and fragment; `Url` leaves out the port of the scheme.
fn base_uri(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{
        connector::{form::Method, format::Format},
        expr::Names,
        value::Map,
    };

    const MOMENT: Moment<'static> = Moment {
        at: DateTime::from_timestamp(1_191_242_096, 0).unwrap(),
        nonce: "kllo9940pd9333jh",
    };

    fn template(text: &str) -> Template {
        let names = Names::new(["credentials", "settings", "request", "timestamp", "nonce", "signature"]);
        Template::parse(text, &names).unwrap()
    }

    fn call(method: Method, url: &str, body: Option<&str>) -> Call {
        Call {
            method,
            url: Url::parse(url).unwrap(),
            headers: Vec::new(),
            body: body.map(|body| body.as_bytes().to_vec()),
            is_repeatable: true,
            format: Format::Json,
            list: None,
        }
    }

    fn oauth1(signature: OAuth1Signature) -> OAuth1 {
        OAuth1 {
            consumer_key: template("dpf43f3p2l4k3l03"),
            consumer_secret: template("kd94hf93k423kf44"),
            token: template("nnch734d00sl2jdk"),
            token_secret: template("pfkkdhi9sl3r4s00"),
            realm: Some(template("12345_SB1")),
            signature,
        }
    }

    #[test]
    fn oauth1_signs_the_published_example_as_published() {
        // OAuth Core 1.0, appendix A.5.
        let mut signed = call(
            Method::Get,
            "http://photos.example.net/photos?file=vacation.jpg&size=original",
            None,
        );
        oauth1(OAuth1Signature::HmacSha1)
            .sign(&mut signed, &Scope::new(), MOMENT)
            .unwrap();
        let (name, header) = signed.headers.last().unwrap();
        assert_eq!(name, "authorization");
        assert!(header.starts_with("OAuth realm=\"12345_SB1\", oauth_consumer_key=\"dpf43f3p2l4k3l03\""));
        assert!(
            header.contains("oauth_signature=\"tR3%2BTy81lMeYAr%2FFid0kMTYa%2FWM%3D\""),
            "{header}"
        );
    }

    #[test]
    fn oauth1_sorts_parameters_and_counts_those_of_a_form_and_no_other_body() {
        let url = "https://acc.example/rest?c=a%20b&a=%2B&a=1";
        let own = [("oauth_nonce", "n".to_owned())];
        let mut form = call(Method::Post, url, Some("b=%C3%A9&d="));
        assert_eq!(
            base_string(&form, &own),
            "POST&https%3A%2F%2Facc.example%2Frest&a%3D%252B%26a%3D1%26c%3Da%2520b%26oauth_nonce%3Dn"
        );
        form.headers.push((
            "Content-Type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ));
        assert_eq!(
            base_string(&form, &own),
            "POST&https%3A%2F%2Facc.example%2Frest&a%3D%252B%26a%3D1%26b%3D%25C3%25A9%26c%3Da%2520b%26d%3D%26oauth_nonce%3Dn"
        );
    }

    #[test]
    fn a_text_of_ones_own_is_signed_and_put_where_the_definition_says() {
        let signed = Signed {
            digest: Digest::Sha256,
            key: template("{{ credentials.key }}"),
            key_encoding: Some(Encoding::Hex),
            text: template(
                "{{ request.method }}\n{{ request.path }}?{{ request.query }}\n{{ timestamp }}{{ request.body }}",
            ),
            encoding: Encoding::Base64,
            headers: vec![("X-Signature".to_owned(), template("v1={{ signature }}"))],
            query: vec![("ts".to_owned(), template("{{ timestamp }}"))],
        };
        let credentials = Map::from_iter([("key".to_owned(), Value::from("6b6579"))]);
        let scope = Scope::new().with("credentials", credentials);
        let mut made = call(Method::Post, "https://a.example/x?y=1", Some("{}"));
        signed.sign(&mut made, &scope, MOMENT).unwrap();
        let expected = mac(
            Digest::Sha256,
            b"key",
            &[b"POST\n/x?y=1\n1191242096{}".as_slice().into()],
        );
        let expected = format!("v1={}", BASE64_STANDARD.encode(expected));
        assert_eq!(made.headers, [("X-Signature".to_owned(), expected)]);
        assert_eq!(made.url.as_str(), "https://a.example/x?y=1&ts=1191242096");
    }

    #[test]
    fn a_key_that_is_not_spelled_as_said_is_told_without_its_value() {
        let signed = Signed {
            digest: Digest::Sha256,
            key: template("no-hex"),
            key_encoding: Some(Encoding::Hex),
            text: template("x"),
            encoding: Encoding::Hex,
            headers: Vec::new(),
            query: Vec::new(),
        };
        let error = signed
            .sign(
                &mut call(Method::Get, "https://a.example/", None),
                &Scope::new(),
                MOMENT,
            )
            .unwrap_err();
        assert!(!error.to_string().contains("no-hex"), "{error}");
    }
}
