//! Incremental reading of a manifest as `since`.

use serde_json::Value as Json;

use super::{
    Import,
    page::{Target, option, put},
    text::seconds,
};
use crate::{
    core::{
        connector::form::{ListForm, ObjectForm},
        period::Period,
    },
    draft::at,
};

impl Import<'_> {
    /// Sets the time of the last change, and how changes are asked for.
    pub(super) fn incremental(&mut self, object: &str, node: &Json, form: &mut ObjectForm, list: &mut ListForm) {
        if node.is_null() {
            return;
        }
        let text = |key: &str| node.get(key).and_then(Json::as_str);
        let kind = text("type").unwrap_or_default();
        if kind != "DatetimeBasedCursor" {
            self.lost(at(object, "list"), format!("reading changes by `{kind}`"));
            return;
        }
        let Some(field) = text("cursor_field").filter(|field| !field.contains("{{")) else {
            self.lost(at(object, "updated_at"), "the field of the time of change");
            return;
        };
        form.updated_at = Some(crate::core::path::Path::of_key(field).to_string());
        let format = text("datetime_format").unwrap_or("%Y-%m-%dT%H:%M:%SZ");
        if let Some(since) = node.get("start_time_option") {
            match option(since) {
                Some((Target::Query, name)) => drop(list.query.insert(name, "{{ since }}".into())),
                Some((Target::Header, name)) => drop(list.headers.insert(name, "{{ since }}".to_owned())),
                Some((Target::Body, name)) => put(&mut list.body, &name, "{{ since if since else absent }}"),
                Some((Target::Form, name)) => put(&mut list.form, &name, "{{ since }}"),
                None => self.lost(at(object, "list"), "where the time goes that changes are asked from"),
            }
        }
        list.since_format = since_format(format);
        if list.since_format.is_none() {
            self.lost(
                at(object, "list"),
                format!("the form of the time (`{format}`): say `since_format:`"),
            );
        }
        list.overlap = text("lookback_window").and_then(seconds).map(Period::from_secs);
        if node.get("end_time_option").is_some() {
            self.lost(
                at(object, "list"),
                "the end of the span of time (`end_time_option`): everything up to now is read",
            );
        }
        let is_sent = list
            .query
            .values()
            .chain(list.body.as_ref())
            .chain(list.form.as_ref())
            .any(|value| value.to_string().contains("since"))
            || list.headers.values().any(|value| value.contains("since"));
        if !is_sent {
            list.since_format = None;
            self.draft.check(
                at(object, "list"),
                "changes are not asked for, but sorted out of everything: a poll reads everything",
            );
        }
        if node.get("step").is_some() {
            self.draft.remark(
                at(object, "list"),
                "the manifest reads in steps of time; here all pages are read",
            );
        }
    }
}

/// The form of a time in our words.
fn since_format(format: &str) -> Option<String> {
    let known = match format {
        "%s" | "%s_as_float" => "epoch_seconds",
        "%ms" | "%_ms" => "epoch_millis",
        "%Y-%m-%dT%H:%M:%S%z" | "%Y-%m-%dT%H:%M:%SZ" | "%Y-%m-%dT%H:%M:%S.%fZ" | "%Y-%m-%dT%H:%M:%S.%f%z" => "rfc3339",
        "%Y-%m-%dT%H:%M:%S.%_msZ" | "%Y-%m-%dT%H:%M:%S.%_ms%z" => "rfc3339(ms)",
        other if other.contains("ms") || other.contains("%epoch") || !other.contains('%') => return None,
        other => return Some(other.replace("%f", "%6f")),
    };
    Some(known.to_owned())
}
