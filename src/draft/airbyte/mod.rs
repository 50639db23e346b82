//! Manifests of Airbyte's low-code connectors: what reads and signs in is carried over, and everything that is not is said.
//!
//! A manifest only reads whole lists. Single records, writes and pushes have to be added by hand; the draft says so once.

mod auth;
mod base;
mod budget;
mod expand;
mod page;
mod rules;
mod since;
mod stream;
mod text;

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Draft, Error, OBJECTS_MAX, Wanted, name, one_line};

/// One manifest on its way to a draft.
struct Import<'a> {
    draft: Draft,
    /// What a person gives the connector (`connection_specification`), by name.
    spec: &'a Json,
    /// The names of what is asked for and secret.
    secrets: BTreeSet<String>,
    /// The address that was found first, as the manifest has it: other streams are behind the same or are left out.
    base: Option<String>,
}

/// A draft from a manifest.
pub fn draft(root: &Json, wanted: &Wanted<'_>) -> Result<Draft, Error> {
    let is_manifest = root.get("type").and_then(Json::as_str) == Some("DeclarativeSource")
        || (root.get("streams").is_some() && root.get("check").is_some());
    if !is_manifest {
        return Err(Error::Another {
            expected: "low-code manifest of Airbyte (`type: DeclarativeSource` with `streams:` at its top)",
        });
    }
    let spec = root.pointer("/spec/connection_specification").unwrap_or(&Json::Null);
    let mut import = Import {
        draft: Draft::new(wanted.name),
        spec,
        secrets: text::secrets(spec),
        base: None,
    };
    import.head(root);
    let streams = streams(root, wanted)?;
    for stream in &streams {
        import.stream(stream);
    }
    import.budget(root);
    import.unused(root);
    if import.draft.form.objects.is_empty() {
        let why = import
            .draft
            .notes
            .iter()
            .find(|note| note.text.starts_with("not carried over: the stream"))
            .map(|note| format!(": {}", note.text));
        return Err(Error::Nothing(why.unwrap_or_default()));
    }
    import.draft.settle()
}

impl Import<'_> {
    fn head(&mut self, root: &Json) {
        let title = root
            .pointer("/spec/connection_specification/title")
            .and_then(Json::as_str)
            .map(|title| one_line(title.trim_end_matches("Spec").trim()));
        self.draft.form.title = title.filter(|title| !title.is_empty() && !title.contains("{{"));
        let docs = root
            .pointer("/spec/documentation_url")
            .and_then(Json::as_str)
            .map(one_line);
        self.draft.form.docs = docs.filter(|docs| docs.starts_with("http"));
        self.draft.remark("", "Imported from a low-code manifest of Airbyte, which only reads lists: `get:` and the writes are to be added. What is marked CHECK was not carried over or could not be known: settle it, and remove the comment.");
        self.draft.check(
            "/webhooks",
            "a manifest knows no pushes: write `webhooks:` by docs/webhook-recipes.md, or say `poll:` in the mapping",
        );
        self.draft.check("/objects", "a manifest reads no single record and writes nothing: add `get:`, `find:`, `create:`, `update:` to the objects that are mapped");
    }

    /// Something that a stream has and a connector cannot say.
    fn lost(&mut self, place: impl Into<String>, what: impl Into<String>) {
        let text = format!("not carried over: {}", what.into());
        self.draft.check(place, text);
    }

    /// Parts of the manifest that are about other things than reading.
    fn unused(&mut self, root: &Json) {
        if root
            .get("dynamic_streams")
            .and_then(Json::as_array)
            .is_some_and(|streams| !streams.is_empty())
        {
            self.lost("/objects", "streams that are made while it runs (`dynamic_streams`)");
        }
        if root.pointer("/spec/advanced_auth").is_some() && self.draft.form.auth.oauth2.is_some() {
            self.lost("/auth", "how a person signs in (`advanced_auth`): say `grant: authorization_code` with `authorize_url`, then `syncline auth login`");
        }
    }
}

/// The streams that are asked for, with references and parameters in their places.
fn streams(root: &Json, wanted: &Wanted<'_>) -> Result<Vec<Json>, Error> {
    let listed = root
        .get("streams")
        .and_then(Json::as_array)
        .ok_or_else(|| Error::Nothing(String::new()))?;
    let mut expander = expand::Expander::new(root);
    let mut streams = Vec::new();
    for stream in listed.iter().take(500) {
        streams.push(expander.expand(stream)?);
    }
    let named = |stream: &Json| stream.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
    let names: Vec<String> = streams.iter().map(named).collect();
    if wanted.objects.is_empty() {
        return if streams.len() > OBJECTS_MAX {
            Err(Error::TooMany(names))
        } else {
            Ok(streams)
        };
    }
    let mut chosen = Vec::new();
    for asked in wanted.objects {
        let folded = name::folded(asked);
        let is_it = |stream: &&Json| {
            let own = named(stream);
            name::folded(&own) == folded || name::folded(&name::object(&own)) == folded
        };
        let Some(stream) = streams.iter().find(is_it) else {
            return Err(Error::Unknown {
                name: asked.clone(),
                known: names,
            });
        };
        chosen.push(stream.clone());
    }
    Ok(chosen)
}
