//! A stream of a manifest as an object.

use serde_json::Value as Json;

use super::Import;
use crate::{
    core::{
        connector::form::{ListForm, ObjectForm},
        path::Path,
    },
    draft::{at, field, guess, name, one_line, schema::Schemas},
};

impl Import<'_> {
    pub(super) fn stream(&mut self, stream: &Json) {
        let kind = stream.get("type").and_then(Json::as_str).unwrap_or_default();
        let own = stream.get("name").and_then(Json::as_str).unwrap_or("stream").to_owned();
        if kind != "DeclarativeStream" {
            self.lost("/objects", format!("the stream `{}` (`{kind}`)", one_line(&own)));
            return;
        }
        let object = name::free(&name::object(&own), |name| !self.draft.form.objects.contains_key(name));
        let retriever = stream.get("retriever").unwrap_or(&Json::Null);
        if let Err(why) = readable(retriever) {
            self.lost("/objects", format!("the stream `{}`: {why}", one_line(&own)));
            return;
        }
        let requester = retriever.get("requester").unwrap_or(&Json::Null);
        self.authenticator(requester.get("authenticator").unwrap_or(&Json::Null));
        let path = match self.path(requester) {
            Ok(path) => path,
            Err(why) => {
                self.lost("/objects", format!("the stream `{}`: {why}", one_line(&own)));
                return;
            }
        };
        let mut form = ObjectForm {
            title: Some(name::title(&own)),
            ..ObjectForm::default()
        };
        let mut list = ListForm::default();
        match requester.get("http_method").and_then(Json::as_str).unwrap_or("GET") {
            "POST" => list.post = Some(path),
            _ => list.get = Some(path),
        }
        self.request(&object, requester, &mut list);
        self.selector(
            &object,
            retriever.get("record_selector").unwrap_or(&Json::Null),
            &mut list,
        );
        self.paginator(&object, retriever.get("paginator").unwrap_or(&Json::Null), &mut list);
        self.incremental(
            &object,
            stream.get("incremental_sync").unwrap_or(&Json::Null),
            &mut form,
            &mut list,
        );
        self.error_handler(&object, requester.get("error_handler").unwrap_or(&Json::Null));
        self.fields(&object, stream, &mut form);
        self.id(&object, stream, &mut form);
        if stream
            .get("transformations")
            .and_then(Json::as_array)
            .is_some_and(|steps| !steps.is_empty())
        {
            let kinds = stream
                .get("transformations")
                .and_then(Json::as_array)
                .into_iter()
                .flatten()
                .filter_map(|step| step.get("type")?.as_str());
            let kinds: Vec<&str> = kinds.take(5).collect();
            self.lost(
                at(&object, "fields"),
                format!(
                    "what is made of the fields ({}): say it in the mapping's conversions",
                    kinds.join(", ")
                ),
            );
        }
        form.list = Some(list);
        self.draft.form.objects.insert(object, form);
    }

    fn selector(&mut self, object: &str, selector: &Json, list: &mut ListForm) {
        let extractor = selector.get("extractor").unwrap_or(&Json::Null);
        match extractor.get("type").and_then(Json::as_str) {
            None => {}
            Some("DpathExtractor") => self.field_path(object, extractor.get("field_path").unwrap_or(&Json::Null), list),
            Some(other) => self.lost(
                at(object, "list"),
                format!("where the records are (`{}`): say `records:`", one_line(other)),
            ),
        }
        if let Some(filter) = selector.get("record_filter").filter(|filter| !filter.is_null()) {
            let condition = filter
                .get("condition")
                .and_then(Json::as_str)
                .unwrap_or("by code of its own");
            self.lost(
                at(object, "list"),
                format!(
                    "a filter of records (`{}`): say it as the mapping's `filter:`",
                    one_line(condition)
                ),
            );
        }
        if selector.get("transform_before_filtering").is_some()
            || selector
                .get("schema_normalization")
                .and_then(Json::as_str)
                .is_some_and(|way| way != "None" && way != "Default")
        {
            self.lost(
                at(object, "fields"),
                "how values are brought into the form of the schema",
            );
        }
    }

    fn field_path(&mut self, object: &str, steps: &Json, list: &mut ListForm) {
        let steps: Vec<&str> = steps
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let joined = |steps: &[&str]| {
            let steps: Vec<String> = steps.iter().map(|step| (*step).to_owned()).collect();
            if steps.is_empty() {
                None
            } else {
                super::text::path(&steps)
            }
        };
        if steps.iter().any(|step| step.contains("{{")) {
            self.lost(
                at(object, "list"),
                "where the records are, which depends on settings: say `records:`",
            );
            return;
        }
        match steps.iter().position(|step| *step == "*" || *step == "**") {
            None => list.records = joined(&steps),
            Some(star) => {
                let (before, after) = steps.split_at(star);
                list.records = joined(before);
                list.record = joined(after.get(1..).unwrap_or_default());
                self.draft.check(
                    at(object, "list"),
                    "the records are below a `*`: look whether `records:` and `record:` lead to them",
                );
            }
        }
    }

    fn fields(&mut self, object: &str, stream: &Json, form: &mut ObjectForm) {
        let loader = stream.get("schema_loader").unwrap_or(&Json::Null);
        // Several may stand there; the first that is written out counts.
        let loaders: Vec<&Json> = loader
            .as_array()
            .map_or_else(|| vec![loader], |loaders| loaders.iter().collect());
        let inline = loaders
            .iter()
            .find_map(|loader| loader.get("schema").filter(|schema| schema.is_object()));
        let Some(schema) = inline else {
            self.lost(at(object, "fields"), "the fields, which stand in another file or are asked of the system: `syncline connector discover` shows them");
            return;
        };
        let schemas = Schemas::new(schema);
        let fields = field::read(&schemas, schema, None, None);
        field::put(&mut self.draft, object, form, &fields);
    }

    fn id(&mut self, object: &str, stream: &Json, form: &mut ObjectForm) {
        let one = |key: &Json| match key {
            Json::String(key) => Some(Path::of_key(key).to_string()),
            Json::Array(steps) => super::text::path(
                &steps
                    .iter()
                    .filter_map(Json::as_str)
                    .map(str::to_owned)
                    .collect::<Vec<_>>(),
            ),
            _ => None,
        };
        let keys: Option<Vec<String>> = match stream.get("primary_key") {
            Some(Json::String(key)) if !key.is_empty() && !key.contains("{{") => {
                Some(vec![Path::of_key(key).to_string()])
            }
            Some(Json::Array(keys)) if !keys.is_empty() => keys.iter().map(one).collect(),
            _ => None,
        };
        if let Some(keys) = keys {
            form.id = keys.join(", ");
            return;
        }
        let names: Vec<&str> = form.fields.keys().map(String::as_str).collect();
        let guessed = guess::id(object, None, &names).unwrap_or("id").to_owned();
        self.draft.check(
            at(object, "id"),
            format!("the manifest names no key: `{guessed}` is a guess"),
        );
        form.id = guessed;
    }
}

/// Why a stream cannot be read by one listing.
fn readable(retriever: &Json) -> Result<(), String> {
    let kind = retriever.get("type").and_then(Json::as_str).unwrap_or_default();
    if kind != "SimpleRetriever" {
        return Err(format!("it is read by `{kind}`"));
    }
    let routers = match retriever.get("partition_router") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(routers)) => routers.iter().collect(),
        Some(router) => vec![router],
    };
    if let Some(router) = routers.first() {
        let text = |pointer: &str| router.pointer(pointer).and_then(Json::as_str);
        return Err(match text("/type") {
            Some("SubstreamPartitionRouter") => {
                let parent = text("/parent_stream_configs/0/stream/name").unwrap_or("another stream");
                format!("it is read for each record of `{}`", one_line(parent))
            }
            Some("ListPartitionRouter") => {
                "it is read once for each value of a list: write one object for each value".to_owned()
            }
            other => format!("it is read in parts (`{}`)", other.unwrap_or_default()),
        });
    }
    let requester = retriever.get("requester").unwrap_or(&Json::Null);
    match requester.get("type").and_then(Json::as_str) {
        Some("HttpRequester") => Ok(()),
        other => Err(format!(
            "its requests are made by `{}`",
            one_line(other.unwrap_or_default())
        )),
    }
}
