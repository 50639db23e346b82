//! Every setting with its value and where that came from, secrets masked, for `syncline config show`.

use config::{Value, ValueKind};
use serde::Serialize;

use super::{
    Source,
    check::{holds_password, holds_user_or_query},
    layer::{Layers, origin_of},
    problem::{Origin, Problem},
};

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Setting")]
pub struct Entry {
    /// The key, `server.bind`.
    pub key: String,
    /// The value; secrets are `***`.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
}

/// Every setting of an environment, by key, and what is wrong with the files themselves.
#[must_use]
pub fn entries(source: &Source) -> (Vec<Entry>, Vec<Problem>) {
    let (layers, problems) = Layers::read(source);
    (of(&layers), problems)
}

/// Every setting of these layers, by key.
pub(super) fn of(layers: &Layers) -> Vec<Entry> {
    let mut entries = Vec::new();
    collect(layers.merged(), &mut Vec::new(), &mut entries);
    entries
}

fn collect(value: &Value, path: &mut Vec<String>, entries: &mut Vec<Entry>) {
    let children: Vec<(String, &Value)> = match &value.kind {
        ValueKind::Table(table) => {
            let mut children: Vec<_> = table.iter().map(|(key, child)| (key.clone(), child)).collect();
            children.sort_by(|left, right| left.0.cmp(&right.0));
            children
        }
        ValueKind::Array(items) => (0_usize..).map(|index| index.to_string()).zip(items).collect(),
        _ => {
            entries.push(Entry {
                key: path.join("."),
                value: masked(path, value.to_string()),
                origin: origin_of(value, path),
            });
            return;
        }
    };
    for (step, child) in children {
        path.push(step);
        collect(child, path, entries);
        path.pop();
    }
}

/// The value, unless it is or may hold a secret. What is not known to be harmless is masked.
fn masked(path: &[String], value: String) -> String {
    let steps: Vec<_> = path.iter().map(String::as_str).collect();
    let is_secret = match steps.as_slice() {
        ["systems", _, "credentials", .., "env" | "file" | "credential"]
        | [
            "systems",
            _,
            "webhook_secrets",
            _,
            "env" | "file" | "credential" | "not_after",
        ]
        | ["keys" | "store", _, "env" | "file" | "credential"]
        | ["notify", "webhooks", _, "url", "env" | "file" | "credential"]
        | ["notify", "mails", _, "smtp", "env" | "file" | "credential"]
        | ["notify", "webhooks", _, "headers", _, "env" | "file" | "credential"]
        | [
            "notify",
            "webhooks",
            _,
            "secrets",
            _,
            "env" | "file" | "credential" | "not_after",
        ]
        | ["notify", "webhooks", _, "events" | "allow_networks", ..]
        | ["notify", "mails", _, "events" | "from" | "to", ..]
        | ["notify", "mappings", _, _]
        | ["notify", _] => false,
        ["systems", _, "credentials", name] => !super::check::is_name(name),
        ["console", "oidc", "client_secret"] => true,
        ["store", "url"] | ["notify", "mails", _, "smtp"] => holds_password(&value),
        ["notify", "webhooks", _, "url"] => holds_user_or_query(&value),
        [
            "systems",
            _,
            "connector" | "tenant" | "settings" | "limits" | "allow_networks" | "secret_owner" | "secret_rotate_by",
            ..,
        ]
        | [
            "node" | "store" | "server" | "console" | "log" | "folders" | "limits" | "requests" | "retention"
            | "schedule",
            ..,
        ] => false,
        _ => true,
    };
    if is_secret { "***".to_owned() } else { value }
}
