//! Forms: what they send, and whether they come from our own pages.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use url::form_urlencoded;

use crate::server::error::{Problem, Result};

/// The hidden field that carries the form's word.
pub const WORD: &str = "form";

/// What a form has sent.
#[derive(Debug, Clone, Default)]
pub struct Form(Arc<Vec<(String, String)>>);

impl Form {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Self {
        Self(Arc::new(form_urlencoded::parse(body).into_owned().collect()))
    }

    /// The value of a field; none where it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a field, or nothing.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The fields of the page itself, without those of the form.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.filter(|(name, value)| !value.is_empty() && ![WORD, "next"].contains(name))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Form {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let sent = parts.extensions.get::<Self>().cloned();
        sent.ok_or_else(|| Problem::internal("the form was not read"))
    }
}

/// Whether a form was sent by a page of ours, as far as the browser says. Old browsers say nothing: the form's word decides.
pub fn is_from_here(headers: &HeaderMap, public_origin: &str) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &header::HeaderValue| value.to_str().unwrap_or("?"))
    };
    if text(header::HeaderName::from_static("sec-fetch-site"))
        .is_some_and(|site| !matches!(site, "same-origin" | "none"))
    {
        return false;
    }
    let Some(origin) = text(header::ORIGIN) else {
        return true;
    };
    // A proxy may be known by several names; a page elsewhere cannot choose the `Host` of its request to us.
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    origin == public_origin || (authority.is_some() && authority == text(header::HOST))
}

/// The place on our pages that an address names, or the first page: nobody is led elsewhere.
pub fn local(address: &str) -> &str {
    let rest = address.strip_prefix(super::MOUNT);
    let is_ours = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        && !address.contains("//")
        && !address.contains("..")
        && address.len() <= 2_000
        && address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours { address } else { super::MOUNT }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn nobody_is_led_elsewhere() {
        for good in ["/console", "/console/drift/7?cause=deleted", "/console?x=%2F%2Fevil"] {
            assert_eq!(local(good), good);
        }
        for bad in [
            "",
            "/",
            "//evil.example",
            "https://evil.example",
            "/console//evil.example",
            "/consoles",
            "/console/../api",
            "/console\\evil",
            "/console/\r\nSet-Cookie: a=b",
            "javascript:alert(1)",
            "/console.evil.example",
            "/console/é",
        ] {
            assert_eq!(local(bad), "/console", "{bad}");
        }
    }

    #[test]
    fn a_form_of_another_site_is_refused() {
        let is_ours = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_from_here(&headers, "https://sync.example.com")
        };
        assert!(is_ours(&[]));
        assert!(is_ours(&[
            ("origin", "https://sync.example.com"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(is_ours(&[
            ("origin", "http://127.0.0.1:8320"),
            ("host", "127.0.0.1:8320")
        ]));
        for bad in [
            &[("origin", "https://evil.example"), ("host", "sync.example.com")][..],
            &[("origin", "null"), ("host", "sync.example.com")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://sync.example.com")],
            &[
                ("origin", "https://sync.example.com.evil.example"),
                ("host", "sync.example.com"),
            ],
        ] {
            assert!(!is_ours(bad), "{bad:?}");
        }
    }
}
