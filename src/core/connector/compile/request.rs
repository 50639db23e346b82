//! Requests and how their listings go on.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value as Json;

use super::Compiler;
use crate::core::{
    connector::{
        Place,
        form::{self, ConnectorForm, FormatForm, Method, PREFIX_HINT, PageForm, SendForm},
        format::Format,
        page::{Paging, Style},
        request::{Body, Request},
    },
    expr::Template,
    problem::pointer,
    value::{Value, xml::Namespaces},
};

/// Headers that belong to the transport and not to a definition.
const RESERVED: [&str; 7] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "accept-encoding",
];

/// More pages at once are no faster: a system's concurrency is smaller.
const PARALLEL_MAX: u32 = 16;

impl Compiler<'_> {
    pub(super) fn request(&mut self, form: &form::Request<'_>, place: &str, names: &[&str]) -> Request {
        let (method, path) = self.target(form, place, names);
        let query = form.query.iter().map(|(name, value)| {
            let place = pointer(&pointer(place, "query"), name);
            (name.clone(), self.query_value(value, &place, names))
        });
        let query = query.collect();
        Request {
            method,
            path,
            query,
            headers: self.headers(form.headers, &pointer(place, "headers"), names),
            body: self.body(form, method, place, names),
            format: form
                .format
                .map_or_else(|| self.format.clone(), |format| self.format_of(format)),
        }
    }

    /// What bodies are in.
    pub(super) fn format_of(&self, form: FormatForm) -> Format {
        match form {
            FormatForm::Json => Format::Json,
            FormatForm::Xml => Format::Xml(Arc::clone(&self.namespaces)),
            FormatForm::XmlRpc => Format::XmlRpc,
            FormatForm::Csv => Format::Csv(self.delimiter),
            FormatForm::Jsonl => Format::JsonLines,
        }
    }

    /// Checks what the formats are told, before any request is.
    pub(super) fn formats(&mut self, form: &ConnectorForm) {
        for prefix in form.xml.wrong_prefixes() {
            let place = pointer("/xml/namespaces", prefix);
            self.error(
                "CN027",
                &place,
                &format!("`{prefix}` stands for no namespace"),
                PREFIX_HINT,
            );
        }
        self.namespaces = Arc::new(Namespaces(form.xml.namespaces.clone()));
        if let Some(delimiter) = &form.csv.delimiter {
            match delimiter.as_bytes() {
                [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => self.delimiter = *byte,
                _ => self.error(
                    "CN027",
                    "/csv/delimiter",
                    "a delimiter is one plain character",
                    "such as `;`, or `\"\\t\"` for a tab",
                ),
            }
        }
        if let Some(format) = form.format {
            self.format = self.format_of(format);
        }
    }

    fn target(&mut self, form: &form::Request<'_>, place: &str, names: &[&str]) -> (Method, Template) {
        let [(method, path)] = form.targets.as_slice() else {
            let message = if form.targets.is_empty() {
                "no method is given"
            } else {
                "several methods are given"
            };
            self.error(
                "CN003",
                place,
                message,
                "give exactly one of `get:`, `post:`, `put:`, `patch:` and `delete:`, with the path",
            );
            return (Method::Get, Template::literal(Value::Null));
        };
        let place = pointer(place, method.key());
        let literal_start = path.split("{{").next().unwrap_or_default();
        if !path.is_empty() && !literal_start.starts_with('/') {
            self.error(
                "CN004",
                &place,
                &format!("the path `{path}` does not begin with `/`"),
                "paths are appended to `base_url`",
            );
        }
        if outside_braces(path).any(|text| text.contains(['?', '#'])) {
            self.error(
                "CN004",
                &place,
                &format!("the path `{path}` has a `?` or `#`"),
                "parameters stand under `query:`",
            );
        }
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            self.error(
                "CN004",
                &place,
                &format!("the path `{path}` leads upwards"),
                "change `base_url` instead",
            );
        }
        (*method, self.template(path, &place, names))
    }

    fn query_value(&mut self, value: &Json, place: &str, names: &[&str]) -> Template {
        match value {
            Json::String(text) => self.template(text, place, names),
            Json::Object(_) => {
                self.error(
                    "CN001",
                    place,
                    "a map cannot be a query parameter",
                    "write a text or a template",
                );
                Template::literal(Value::Null)
            }
            plain => Template::literal(Value::from(plain)),
        }
    }

    fn body(&mut self, form: &form::Request<'_>, method: Method, place: &str, names: &[&str]) -> Body {
        let has_form = form.form.is_some();
        if form.body.is_some() && has_form {
            self.error("CN020", place, "`body` and `form` are both given", "keep one of them");
        }
        if method == Method::Get && (form.body.is_some() || has_form) {
            self.error("CN020", place, "a GET request has no body", "use `query:`, or `post:`");
        }
        match form.body {
            Some(body) => Body::Structure(self.structure(body, &pointer(place, "body"), names)),
            None => match form.form {
                Some(form) => self.form_body(form, &pointer(place, "form"), names),
                None => Body::None,
            },
        }
    }

    fn form_body(&mut self, form: &Json, place: &str, names: &[&str]) -> Body {
        match form {
            Json::String(text) => Body::FormOf(self.template(text, place, names)),
            Json::Object(fields) => Body::Form(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), self.form_value(value, &pointer(place, name), names)))
                    .collect(),
            ),
            _ => {
                self.error(
                    "CN020",
                    place,
                    "a form has fields",
                    "write `{ name: template }`, or one template that comes to a map",
                );
                Body::None
            }
        }
    }

    fn form_value(&mut self, value: &Json, place: &str, names: &[&str]) -> Template {
        match value {
            Json::String(text) => self.template(text, place, names),
            Json::Object(_) | Json::Array(_) => {
                self.error(
                    "CN020",
                    place,
                    "a field of a form is a text",
                    "name it as the system does (`address[city]`), or write one template for the whole form",
                );
                Template::literal(Value::Null)
            }
            plain => Template::literal(Value::from(plain)),
        }
    }

    pub(super) fn headers(
        &mut self,
        form: &BTreeMap<String, String>,
        place: &str,
        names: &[&str],
    ) -> Vec<(String, Template)> {
        form.iter()
            .map(|(name, text)| {
                let place = pointer(place, name);
                self.header_name(name, &place);
                (name.clone(), self.template(text, &place, names))
            })
            .collect()
    }

    /// Checks that a header can have this name (RFC 9110, section 5.6.2), and that it is ours to set.
    pub(super) fn header_name(&mut self, name: &str, place: &str) {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(is_token) {
            self.error(
                "CN007",
                place,
                &format!("`{name}` is no name of a header"),
                "use letters, digits and `-`",
            );
        } else if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            self.error(
                "CN007",
                place,
                &format!("header `{name}` belongs to the connection"),
                "leave it out",
            );
        }
    }

    /// `header:Name` or `query:name`, the places that a single value can be in.
    pub(super) fn single_place(&mut self, text: &str, place: &str) -> Option<Place> {
        if let Some(name) = text.strip_prefix("header:").map(str::trim) {
            self.header_name(name, place);
            return Some(Place::Header(name.to_owned()));
        }
        let name = text
            .strip_prefix("query:")
            .map(str::trim)
            .filter(|name| !name.is_empty());
        if name.is_none() {
            self.error(
                "CN016",
                place,
                &format!("`{text}` is no place for it"),
                "write `header:` and the header's name, or `query:` and the parameter's",
            );
        }
        name.map(|name| Place::Query(name.to_owned()))
    }

    /// How a listing goes on; the second is the number of records asked for in one page.
    pub(super) fn paging(&mut self, form: &PageForm, place: &str, request: &Request) -> (Paging, Option<Template>) {
        let styles = self.styles(form, place);
        let style = match <[Style; 1]>::try_from(styles) {
            Ok([style]) => style,
            Err(styles) => {
                let message = if styles.is_empty() {
                    "no way to the next page is given"
                } else {
                    "several ways to the next page are given"
                };
                let hint =
                    "give exactly one of `cursor:`, `next_url:`, `link_header:`, `offset:`, `number:` and `keyset:`";
                self.error("CN009", place, message, hint);
                Style::Single
            }
        };
        let send = self.send(&form.send, place);
        self.check_send(&style, send.as_ref(), request, place);
        let size = form
            .size
            .as_ref()
            .map(|size| self.page_size(size, &pointer(place, "size")));
        let paging = Paging {
            style,
            send,
            total: form
                .total
                .as_ref()
                .map(|total| self.source(total, &pointer(place, "total"))),
            more: form
                .more
                .as_ref()
                .map(|more| self.source(more, &pointer(place, "more"))),
            parallel: form.parallel.unwrap_or(1),
        };
        self.check_parallel(&paging, place);
        (paging, size)
    }

    fn check_parallel(&mut self, paging: &Paging, place: &str) {
        let place = pointer(place, "parallel");
        if !(1..=PARALLEL_MAX).contains(&paging.parallel) {
            let message = format!("{} pages at once", paging.parallel);
            let hint = format!("give a number from 2 to {PARALLEL_MAX}, or leave it out");
            self.error("CN009", &place, &message, &hint);
        }
        let is_placed = matches!(paging.style, Style::Offset(_) | Style::Number(_)) && paging.total.is_some();
        if paging.parallel > 1 && !is_placed {
            let hint = "only with `offset:` or `number:` and a `total:` it is known where each page stands and when the listing \
                        has changed meanwhile: add `total:`, or leave `parallel:` out";
            self.error("CN009", &place, "the pages cannot be asked for at once", hint);
        }
    }

    fn styles(&mut self, form: &PageForm, place: &str) -> Vec<Style> {
        let cursor = form
            .cursor
            .as_ref()
            .map(|cursor| Style::Cursor(self.source(cursor, &pointer(place, "cursor"))));
        let next = form.next_url.as_ref();
        let next = next.map(|next| Style::NextUrl(self.source(next, &pointer(place, "next_url"))));
        let keyset = form.keyset.as_ref();
        let keyset = keyset.map(|paths| Style::Keyset(self.paths(paths, &pointer(place, "keyset"))));
        let link = form.link_header.clone().map(Style::LinkHeader);
        let (offset, number) = (form.offset.map(Style::Offset), form.number.map(Style::Number));
        [cursor, next, link, offset, number, keyset]
            .into_iter()
            .flatten()
            .collect()
    }

    fn send(&mut self, form: &SendForm, place: &str) -> Option<Place> {
        match (&form.query, &form.header) {
            (None, None) => None,
            (Some(name), None) => Some(Place::Query(name.clone())),
            (None, Some(name)) => {
                self.header_name(name, &pointer(&pointer(place, "send"), "header"));
                Some(Place::Header(name.clone()))
            }
            (Some(_), Some(_)) => {
                self.error(
                    "CN010",
                    &pointer(place, "send"),
                    "the value goes into one place",
                    "keep `query:` or `header:`",
                );
                None
            }
        }
    }

    /// Without these, the next request would be the same as the one before.
    fn check_send(&mut self, style: &Style, send: Option<&Place>, request: &Request, place: &str) {
        let uses_page = request.uses("page");
        match style {
            Style::Cursor(_) | Style::Offset(_) | Style::Number(_) if send.is_none() && !uses_page => self.error(
                "CN010",
                place,
                "no request says where the listing goes on",
                "add `send: { query: … }`, or use `page.…` in the request",
            ),
            Style::Keyset(_) if send.is_some() => {
                self.error(
                    "CN010",
                    place,
                    "`send` does not go with `keyset`",
                    "use `page.last.…` in the request",
                );
            }
            Style::Keyset(_) if !uses_page => self.error(
                "CN010",
                place,
                "no request says where the listing goes on",
                "use `page.last.…` in the request",
            ),
            Style::NextUrl(_) | Style::LinkHeader(_) | Style::Single if send.is_some() => self.error(
                "CN010",
                place,
                "`send` does not go with the address of the next page",
                "leave it out: the address is requested as it is",
            ),
            _ => {}
        }
    }

    fn page_size(&mut self, size: &Json, place: &str) -> Template {
        match size {
            Json::String(text) => self.template(text, place, &["settings"]),
            Json::Number(number) if number.as_u64().is_some_and(|size| size > 0) => {
                Template::literal(Value::from(size))
            }
            _ => {
                self.error(
                    "CN009",
                    place,
                    "`size` is a whole number above 0, or a template of one",
                    "",
                );
                Template::literal(Value::Null)
            }
        }
    }
}

/// The parts of a template's text that are no expressions.
fn outside_braces(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{")
        .enumerate()
        .map(|(index, part)| match part.split_once("}}") {
            Some((_, after)) if index > 0 => after,
            _ if index > 0 => "",
            _ => part,
        })
}
