//! A call described as data, built from a definition and values.
//!
//! Whatever a value holds, it stays in its place: in a path it is percent-encoded and never makes a segment of dots, in
//! a query it is encoded, in a header control characters are refused. The finished address is compared with the
//! configured one once more.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::{
    form::Method,
    format::{Format, WriteError},
};
use crate::core::{
    expr::{self, Scope, Structure, Template},
    path::Path,
    value::Value,
};

/// A request of a definition, checked.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Appended to the base address.
    pub path: Template,
    /// Query parameters.
    pub query: Vec<(String, Template)>,
    /// Headers.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Body,
    /// What body and answer are in.
    pub format: Format,
}

/// The body of a request.
#[derive(Debug)]
pub enum Body {
    /// None.
    None,
    /// A structure, in the request's format.
    Structure(Structure),
    /// A form (`application/x-www-form-urlencoded`).
    Form(Vec<(String, Template)>),
    /// The same, made of a whole structure: members of members in brackets, and an empty text for null.
    FormOf(Template),
}

/// A call to a system, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The whole address. Its query may hold secrets: never show it.
    pub url: Url,
    /// Headers; a later one of the same name counts.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// Whether sending it twice does no harm.
    pub is_repeatable: bool,
    /// What the answer is in.
    pub format: Format,
    /// Where the answer has a list, whatever is in it: XML does not tell one from none or several.
    pub list: Option<Path>,
}

impl fmt::Debug for Call {
    /// Shows no value: headers, query and body may hold secrets and personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("url", &format_args!("{}{}", origin(&self.url), self.url.path()))
            .field(
                "headers",
                &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            )
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .field("is_repeatable", &self.is_repeatable)
            .finish_non_exhaustive()
    }
}

/// Why a call cannot be built. No value is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A template does not come to a value.
    #[error("{place}: {fault}")]
    Template {
        /// Which part of the request.
        place: String,
        /// Why.
        #[source]
        fault: expr::Fault,
    },
    /// A value is not what the place takes.
    #[error("{place}: {found} cannot be sent here")]
    Kind {
        /// Which part of the request.
        place: String,
        /// What the value is.
        found: &'static str,
    },
    /// A value would change what the request asks for.
    #[error("the path: a value in it would lead to another address")]
    Path,
    /// A header value holds a control character.
    #[error("header `{name}`: the value holds a control character")]
    Header {
        /// The header.
        name: String,
    },
    /// The body cannot be said in the request's format.
    #[error("the body: {0}")]
    Body(WriteError),
    /// The address is none.
    #[error("the address is not a valid http(s) address")]
    NotUrl,
}

/// What may stand as it is in a path segment or a query: the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is encoded in the name of a query parameter: as above, but for the `$` of OData and the brackets of arrays.
const ENCODED_NAME: &AsciiSet = &ENCODED.remove(b'$').remove(b'[').remove(b']').remove(b':').remove(b'@');

impl Request {
    /// The call for these values, at the address `base` (which has no query and no fragment).
    pub fn build(&self, base: &Url, scope: &Scope) -> Result<Call, BuildError> {
        let mut url = self.url(base, scope)?;
        for (name, template) in &self.query {
            for value in values(template, scope, || format!("query parameter `{name}`"))? {
                append_query(&mut url, name, &value);
            }
        }
        let mut headers = build_headers(&self.headers, scope)?;
        let body = self.body(scope)?;
        let content_type = match (&self.body, &body) {
            (_, None) => None,
            (Body::Form(_) | Body::FormOf(_), _) => Some("application/x-www-form-urlencoded"),
            _ => Some(self.format.content_type()),
        };
        let is_given = |wanted: &str, headers: &[(String, String)]| {
            headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        if let Some(content_type) = content_type.filter(|_| !is_given("content-type", &headers)) {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        if self.format != Format::Json && !is_given("accept", &headers) {
            headers.push(("accept".to_owned(), self.format.accepts().to_owned()));
        }
        Ok(Call {
            method: self.method,
            url,
            headers,
            body,
            is_repeatable: self.method.is_idempotent(),
            format: self.format.clone(),
            list: None,
        })
    }

    /// Whether any template of the request names `root`.
    #[must_use]
    pub fn uses(&self, root: &str) -> bool {
        let templates = self.query.iter().chain(&self.headers).map(|(_, template)| template);
        let in_body = match &self.body {
            Body::None => false,
            Body::Structure(structure) => structure.uses(root),
            Body::Form(fields) => fields.iter().any(|(_, template)| template.uses(root)),
            Body::FormOf(template) => template.uses(root),
        };
        in_body || self.path.uses(root) || templates.into_iter().any(|template| template.uses(root))
    }

    fn url(&self, base: &Url, scope: &Scope) -> Result<Url, BuildError> {
        let encode = |value: String| utf8_percent_encode(&value, ENCODED).to_string();
        let path = self.path.text(scope, encode);
        let path = path.map_err(|fault| BuildError::Template {
            place: "the path".to_owned(),
            fault,
        })?;
        let path = path.unwrap_or_default();
        let start = base.path().trim_end_matches('/');
        let full = format!("{start}{path}");
        // Dots alone are no name but a direction (RFC 3986, section 5.2.4), also where they are percent-encoded.
        if full.split('/').any(is_dots) {
            return Err(BuildError::Path);
        }
        let mut url = base.clone();
        url.set_path(&full);
        let is_inside = url.path().starts_with(start) && url.origin() == base.origin();
        if is_inside { Ok(url) } else { Err(BuildError::Path) }
    }

    fn body(&self, scope: &Scope) -> Result<Option<Vec<u8>>, BuildError> {
        match &self.body {
            Body::None => Ok(None),
            Body::Structure(structure) => self.format.write(structure, scope).map_err(|error| match error {
                WriteError::Template(fault) => BuildError::Template {
                    place: "the body".to_owned(),
                    fault,
                },
                error => BuildError::Body(error),
            }),
            Body::Form(fields) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                for (name, template) in fields {
                    for value in values(template, scope, || format!("form field `{name}`"))? {
                        form.append_pair(name, &value);
                    }
                }
                Ok(Some(form.finish().into_bytes()))
            }
            Body::FormOf(template) => {
                let value = template.find(scope).map_err(|fault| BuildError::Template {
                    place: "the form".to_owned(),
                    fault,
                })?;
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                append_members(&mut form, "", &value.unwrap_or_default());
                Ok(Some(form.finish().into_bytes()))
            }
        }
    }
}

/// Adds what a structure holds to a form: `a[b]` for members of members, `a[0]` for items, an empty text for null.
fn append_members(form: &mut url::form_urlencoded::Serializer<'_, String>, name: &str, value: &Value) {
    let inner = |member: &str| {
        if name.is_empty() {
            member.to_owned()
        } else {
            format!("{name}[{member}]")
        }
    };
    match value {
        Value::Map(members) => {
            for (member, value) in members {
                append_members(form, &inner(member), value);
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                append_members(form, &inner(&index.to_string()), item);
            }
        }
        // A form that is no map has nothing that could be named.
        _ if name.is_empty() => {}
        scalar => drop(form.append_pair(name, &scalar.to_text().unwrap_or_default())),
    }
}

/// Adds a query parameter, encoded so that every server reads it the same: a space is `%20` and never `+`.
pub fn append_query(url: &mut Url, name: &str, value: &str) {
    let name = utf8_percent_encode(name, ENCODED_NAME);
    let value = utf8_percent_encode(value, ENCODED);
    let query = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&{name}={value}"),
        _ => format!("{name}={value}"),
    };
    url.set_query(Some(&query));
}

/// Takes every query parameter of this name away; the others stay as they are spelled.
pub fn remove_query(url: &mut Url, name: &str) {
    let Some(query) = url.query() else { return };
    let is_named = |pair: &&str| {
        let mut decoded = url::form_urlencoded::parse(pair.as_bytes());
        decoded.next().is_some_and(|(key, _)| key == name)
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_named(pair)).collect();
    let kept = kept.join("&");
    url.set_query((!kept.is_empty()).then_some(kept.as_str()));
}

/// The values of these headers; one that yields nothing is left out.
pub fn build_headers(headers: &[(String, Template)], scope: &Scope) -> Result<Vec<(String, String)>, BuildError> {
    let mut built = Vec::with_capacity(headers.len() + 1);
    for (name, template) in headers {
        for value in values(template, scope, || format!("header `{name}`"))? {
            built.push((name.clone(), header_value(name, value)?));
        }
    }
    Ok(built)
}

/// A header's value without anything that could end it early.
pub fn header_value(name: &str, value: String) -> Result<String, BuildError> {
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(BuildError::Header { name: name.to_owned() });
    }
    Ok(value)
}

/// The address a system is configured to have: http(s), with a host, and without anything that is not part of it.
pub fn parse_base(text: &str) -> Result<Url, BuildError> {
    let url = Url::parse(text.trim()).map_err(|_| BuildError::NotUrl)?;
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    if is_plain && is_http {
        Ok(url)
    } else {
        Err(BuildError::NotUrl)
    }
}

/// Scheme, host and port: what may be told of an address.
#[must_use]
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The texts a template comes to in a place that takes texts: several for a list, none where it, or an expression inside
/// of it, yields null, nothing or an empty text.
pub(super) fn values(
    template: &Template,
    scope: &Scope,
    place: impl Fn() -> String,
) -> Result<Vec<String>, BuildError> {
    let failed = |fault| BuildError::Template { place: place(), fault };
    let text_of = |value: &Value| {
        value.to_text().ok_or_else(|| BuildError::Kind {
            place: place(),
            found: value.type_name(),
        })
    };
    let value = match template.find(scope) {
        // A text with expressions inside of it says nothing sensible where one of them comes to nothing.
        Ok(None | Some(Value::Null)) | Err(expr::Fault::Absent { .. }) => return Ok(Vec::new()),
        Ok(Some(Value::List(items))) => return items.iter().map(text_of).collect(),
        Ok(Some(value)) => text_of(&value)?,
        Err(fault) => return Err(failed(fault)),
    };
    let is_cut = std::cell::Cell::new(false);
    let note = |inserted: String| {
        is_cut.set(is_cut.get() || inserted.is_empty());
        inserted
    };
    template.text(scope, note).map_err(failed)?;
    Ok(if is_cut.get() { Vec::new() } else { vec![value] })
}

/// `.` or `..`, however they are spelled.
fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    matches!(plain.as_str(), "." | "..")
}
