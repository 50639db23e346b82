//! Paginators of a manifest as `page`.

use serde_json::{Map, Value as Json};

use super::{
    Import,
    text::{Chain, Root, Spot, chain, path, pieces},
};
use crate::{
    core::connector::form::{ListForm, PageForm},
    draft::at,
};

impl Import<'_> {
    /// Sets how a listing goes on.
    pub(super) fn paginator(&mut self, object: &str, node: &Json, list: &mut ListForm) {
        let kind = node.get("type").and_then(Json::as_str).unwrap_or_default();
        if node.is_null() || kind == "NoPagination" {
            return;
        }
        let strategy = node.get("pagination_strategy").unwrap_or(&Json::Null);
        let token = node.get("page_token_option");
        let page = match strategy.get("type").and_then(Json::as_str).unwrap_or_default() {
            "OffsetIncrement" => self.placed(object, token, list, |page| page.offset = Some(0)),
            "PageIncrement" => {
                let start = strategy.get("start_from_page").and_then(Json::as_u64).unwrap_or(0);
                self.placed(object, token, list, |page| page.number = Some(start))
            }
            "CursorPagination" => cursor(strategy, token, list),
            other => Err(format!("paging by `{other}`")),
        };
        let page = match page {
            Ok(page) => page,
            Err(what) => {
                self.lost(
                    at(object, "list"),
                    format!("{what}: only the first page is read until `page:` is written"),
                );
                return;
            }
        };
        list.page = Some(page);
        self.size(object, strategy, node.get("page_size_option"), list);
        self.stop(object, strategy, list);
        let is_alone = list.page.as_ref().is_some_and(|page| {
            (page.cursor.is_some() || page.next_url.is_some()) && page.more.is_none() && page.total.is_none()
        });
        if is_alone {
            self.draft.check(at(object, "list"), "nothing in the answer is known to say how many records there are or whether more follow (`total:`, `more:`): a wrong path of the next page would read the first one only");
        }
    }

    /// An offset or a number, and where it goes.
    fn placed(
        &mut self,
        object: &str,
        token: Option<&Json>,
        list: &mut ListForm,
        set: impl FnOnce(&mut PageForm),
    ) -> Result<PageForm, String> {
        let mut page = PageForm::default();
        let is_offset = |page: &PageForm| page.offset.is_some();
        set(&mut page);
        let value = if is_offset(&page) {
            "{{ page.offset }}"
        } else {
            "{{ page.number }}"
        };
        match token.map(option) {
            Some(Some((Target::Query, name))) => page.send.query = Some(name),
            Some(Some((Target::Header, name))) => page.send.header = Some(name),
            Some(Some((Target::Body, name))) => put(&mut list.body, &name, value),
            Some(Some((Target::Form, name))) => put(&mut list.form, &name, value),
            _ => {
                self.lost(at(object, "list"), "where the number of the page goes");
                return Err("paging by numbers that go nowhere".to_owned());
            }
        }
        Ok(page)
    }

    fn size(&mut self, object: &str, strategy: &Json, size_option: Option<&Json>, list: &mut ListForm) {
        let size = match strategy.get("page_size") {
            Some(Json::Number(number)) => number.as_u64(),
            Some(Json::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let Some((place, name)) = size_option.and_then(option) else {
            return;
        };
        let Some(size) = size.filter(|size| *size > 0) else {
            self.lost(at(object, "list"), format!("the size of a page (`{name}`)"));
            return;
        };
        self.draft.page_size(size);
        let value = "{{ page.size }}";
        match place {
            Target::Query => drop(list.query.insert(name, value.into())),
            Target::Header => drop(list.headers.insert(name, value.to_owned())),
            Target::Body => put(&mut list.body, &name, value),
            Target::Form => put(&mut list.form, &name, value),
        }
        if let Some(page) = &mut list.page {
            page.size = Some("{{ settings.page_size }}".into());
        }
    }

    /// When a listing ends: `{{ not response.has_more }}` is what `more:` says.
    fn stop(&mut self, object: &str, strategy: &Json, list: &mut ListForm) {
        let Some(text) = strategy.get("stop_condition").and_then(Json::as_str) else {
            return;
        };
        let Some(page) = &mut list.page else { return };
        let expression = match pieces(text).as_slice() {
            [("", Some(expression)), ("", None)] => (*expression).to_owned(),
            _ => text.to_owned(),
        };
        let more = expression
            .strip_prefix("not ")
            .or_else(|| expression.strip_suffix(" is false"))
            .or_else(|| expression.strip_suffix(" == false"))
            .or_else(|| expression.strip_suffix(" is not true"));
        let chained = more
            .and_then(chain)
            .filter(|chain| chain.root == Root::Response)
            .and_then(|chain| path(&chain.steps));
        // That there is no next cursor or address ends a listing by itself.
        let own = [&page.cursor, &page.next_url]
            .into_iter()
            .flatten()
            .any(|own| chained.as_ref() == Some(own));
        let says_absent = expression.contains("is none")
            || expression.contains("is None")
            || expression.contains("== None")
            || expression.ends_with("== ''")
            || expression.contains("not in response")
            || expression.contains("is not defined")
            || expression.contains("is undefined");
        match chained {
            Some(_) if own => {}
            Some(path) => page.more = Some(path),
            None if says_absent => {}
            None if page.link_header.is_some() => {}
            None => self.lost(
                at(object, "list"),
                format!(
                    "when it ends (`{}`): see `more:` and `total:`",
                    crate::draft::one_line(&expression)
                ),
            ),
        }
    }
}

fn cursor(strategy: &Json, token: Option<&Json>, list: &mut ListForm) -> Result<PageForm, String> {
    let value = strategy.get("cursor_value").and_then(Json::as_str).unwrap_or_default();
    let unknown = || format!("paging by `{}`", crate::draft::one_line(value));
    let single = match pieces(value).as_slice() {
        [("", Some(expression)), ("", None)] => chain(expression),
        _ => None,
    };
    let Some(Chain { root, steps }) = single else {
        return Err(unknown());
    };
    let is_address = token.and_then(|token| token.get("type")).and_then(Json::as_str) == Some("RequestPath");
    let mut page = PageForm::default();
    match (root, is_address) {
        (Root::Headers, true) if steps.first().is_some_and(|step| step.eq_ignore_ascii_case("link")) => {
            page.link_header = Some(steps.get(1).cloned().unwrap_or_else(|| "next".to_owned()));
            return Ok(page);
        }
        (Root::Response, true) => {
            page.next_url = Some(path(&steps).ok_or_else(unknown)?);
            return Ok(page);
        }
        (Root::Headers, true) => {
            page.next_url = Some(format!("header:{}", steps.first().ok_or_else(unknown)?));
            return Ok(page);
        }
        (Root::Response, false) => page.cursor = Some(path(&steps).ok_or_else(unknown)?),
        (Root::Headers, false) => page.cursor = Some(format!("header:{}", steps.first().ok_or_else(unknown)?)),
        (Root::LastRecord, false) => {
            let last = path(&steps).ok_or_else(unknown)?;
            let template = format!("{{{{ page.last.{last} if page.last else none }}}}");
            match token.and_then(option) {
                Some((Target::Query, name)) => drop(list.query.insert(name, template.into())),
                Some((Target::Header, name)) => drop(list.headers.insert(name, template)),
                Some((Target::Body, name)) => put(&mut list.body, &name, &template),
                Some((Target::Form, name)) => put(&mut list.form, &name, &template),
                None => return Err(unknown()),
            }
            page.keyset = Some(last);
            return Ok(page);
        }
        _ => return Err(unknown()),
    }
    match token.and_then(option) {
        Some((Target::Query, name)) => page.send.query = Some(name),
        Some((Target::Header, name)) => page.send.header = Some(name),
        Some((Target::Body, name)) => put(&mut list.body, &name, "{{ page.cursor if page.cursor else absent }}"),
        Some((Target::Form, name)) => put(&mut list.form, &name, "{{ page.cursor }}"),
        None => return Err("paging by a cursor that goes nowhere".to_owned()),
    }
    Ok(page)
}

/// Where an option of a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Query,
    Header,
    Body,
    Form,
}

/// Place and name of an option; none where it has none that can be said.
pub(super) fn option(node: &Json) -> Option<(Target, String)> {
    let name = match (
        node.get("field_name").and_then(Json::as_str),
        node.get("field_path").and_then(Json::as_array),
    ) {
        (Some(name), _) => name.to_owned(),
        (None, Some(path)) => path.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("."),
        _ => return None,
    };
    if name.contains("{{") {
        return None;
    }
    let place = match node.get("inject_into").and_then(Json::as_str)? {
        "request_parameter" => Target::Query,
        "header" => Target::Header,
        "body_json" => Target::Body,
        "body_data" => Target::Form,
        _ => return None,
    };
    Some((place, name))
}

/// Puts a value into a body, at a name with dots.
pub(super) fn put(body: &mut Option<Json>, name: &str, value: &str) {
    let mut place = body.get_or_insert_with(|| Json::Object(Map::new()));
    for step in name.split('.') {
        if !place.is_object() {
            *place = Json::Object(Map::new());
        }
        let Json::Object(members) = place else { return };
        place = members.entry(step).or_insert(Json::Null);
    }
    *place = value.into();
}

impl Import<'_> {
    /// Puts the request's own parameters, headers and body into a listing.
    pub(super) fn request(&mut self, object: &str, requester: &Json, list: &mut ListForm) {
        let place = at(object, "list");
        for (name, value) in requester
            .get("request_parameters")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
        {
            if value.as_str().is_some_and(|text| self.key(false, name, text)) {
                continue;
            }
            match self.structure(value, Spot::Request) {
                Ok(Json::Object(_)) => {
                    self.lost(place.clone(), format!("the parameter `{name}`, which is a structure"));
                }
                Ok(value) => drop(list.query.insert(name.clone(), value)),
                Err(expression) => self.lost(place.clone(), format!("the parameter `{name}` (`{expression}`)")),
            }
        }
        if requester.get("request_parameters").is_some_and(Json::is_string) {
            self.lost(place.clone(), "parameters that are one text");
        }
        for (name, value) in requester
            .get("request_headers")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
        {
            let text = match value {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            if self.key(true, name, &text) {
                continue;
            }
            match self.translate(&text, Spot::Request) {
                Ok(value) => drop(list.headers.insert(name.clone(), value)),
                Err(expression) => self.lost(place.clone(), format!("the header `{name}` (`{expression}`)")),
            }
        }
        for (key, is_form) in [("request_body_json", false), ("request_body_data", true)] {
            let Some(body) = requester.get(key).filter(|body| !body.is_null()) else {
                continue;
            };
            match self.structure(body, Spot::Request) {
                Ok(body) if body.is_object() && is_form => list.form = Some(body),
                Ok(body) if body.is_object() => list.body = Some(body),
                Ok(_) => self.lost(place.clone(), format!("`{key}`, which is a text")),
                Err(expression) => self.lost(place.clone(), format!("`{key}` (`{expression}`)")),
            }
        }
    }
}
