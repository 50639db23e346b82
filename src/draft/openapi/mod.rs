//! OpenAPI 3.0 and 3.1, and Swagger 2.0: collections of the paths become objects, security schemes become `auth`.

mod base;
mod call;
mod resource;
pub(super) mod security;

use serde_json::Value as Json;

use super::{Described, Draft, Error, OBJECTS_MAX, Wanted, field, listing, object, one_line, schema::Schemas};

/// Which of the two languages a description is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    /// OpenAPI 3.
    OpenApi,
    /// Swagger 2.
    Swagger,
}

impl Language {
    fn of(root: &Json) -> Result<Self, Error> {
        let version = |key: &str| {
            root.get(key)
                .map(|version| version.as_str().map_or_else(|| version.to_string(), str::to_owned))
        };
        match (version("openapi"), version("swagger")) {
            (Some(version), _) if version.starts_with('3') => Ok(Self::OpenApi),
            (None, Some(version)) if version.starts_with('2') => Ok(Self::Swagger),
            _ => Err(Error::Another {
                expected: "OpenAPI description (`openapi: 3…` or `swagger: 2.0` at its top)",
            }),
        }
    }
}

/// A draft from a description.
pub fn draft(root: &Json, wanted: &Wanted<'_>) -> Result<Draft, Error> {
    let language = Language::of(root)?;
    let schemas = Schemas::new(root);
    let mut draft = Draft::new(wanted.name);
    head(&mut draft, root);
    let found = resource::gather(root, language, &schemas);
    let chosen = choose(found, wanted)?;
    base::put(&mut draft, root, language, wanted.address);
    let used: Vec<&Json> = chosen
        .iter()
        .flat_map(|resource| resource.operations.iter().copied())
        .collect();
    security::put(&mut draft, root, language, &schemas, &used);
    for resource in &chosen {
        object::add(&mut draft, &schemas, &resource.resource);
    }
    afterwards(&mut draft, root, &schemas);
    draft.settle()
}

/// The fields that a description has for the records of a collection, known by the path of its listing; `None` where it has
/// no such collection.
pub fn fields(root: &Json, path: &str) -> Result<Option<Vec<Described>>, Error> {
    let language = Language::of(root)?;
    let schemas = Schemas::new(root);
    let found = resource::gather(root, language, &schemas);
    let bare = |path: &str| resource::bare(path).to_ascii_lowercase();
    let wanted = bare(path);
    let ends = |known: &str| {
        let known = bare(known);
        known == wanted || wanted.ends_with(&known) || known.ends_with(&wanted)
    };
    let list = |one: &resource::Found<'_>| one.resource.list.as_ref().map(|list| list.path.clone());
    let fitting = found
        .into_iter()
        .filter(|one| list(one).is_some_and(|path| ends(&path)));
    let one = fitting.max_by_key(|one| list(one).map(|path| path.len()));
    let Some(one) = one else { return Ok(None) };
    let collection = &one.resource.collection;
    let listed = one
        .resource
        .list
        .as_ref()
        .and_then(|call| listing::read(&schemas, call.answer?, collection));
    let single = one
        .resource
        .get
        .as_ref()
        .and_then(|call| Some(listing::unwrapped(&schemas, call.answer?, collection).0));
    let Some(record) = single.or(listed.map(|listed| listed.item)) else {
        return Ok(None);
    };
    Ok(Some(field::read(&schemas, record, None, None)))
}

/// The address of a system that nothing is known of.
pub(super) fn base(draft: &mut Draft) {
    base::set(draft, None, "");
}

/// The address of a system whose origin and path may be known.
pub(super) fn set_base(draft: &mut Draft, origin: Option<&str>, path: &str) {
    base::set(draft, origin, path);
}

fn head(draft: &mut Draft, root: &Json) {
    let title = root.pointer("/info/title").and_then(Json::as_str).map(one_line);
    draft.form.title = title.filter(|title| !title.is_empty() && !title.contains("{{"));
    let docs = ["/externalDocs/url", "/info/contact/url", "/info/x-docs"];
    let docs = docs
        .iter()
        .find_map(|place| root.pointer(place).and_then(Json::as_str))
        .map(one_line);
    draft.form.docs = docs.filter(|docs| docs.starts_with("http"));
    draft.check(
        "/limits",
        "how much the system allows is not described: `limits: { concurrency: 4, rate: 5/s }` after its documentation",
    );
    draft.check("/errors", "what its refusals look like is not described: statuses speak for themselves, an error inside of a 200 needs a rule");
    if let Some(hooks) = root
        .get("webhooks")
        .or_else(|| root.get("x-webhooks"))
        .and_then(Json::as_object)
    {
        let names: Vec<&str> = hooks.keys().take(12).map(String::as_str).collect();
        draft.check(
            "/webhooks",
            format!(
                "it pushes {}: write `webhooks:` by docs/webhook-recipes.md, or poll",
                names.join(", ")
            ),
        );
    } else {
        draft.check(
            "/webhooks",
            "whether it pushes changes is not described: without `webhooks:`, say `poll:` in the mapping",
        );
    }
}

fn choose<'a>(found: Vec<resource::Found<'a>>, wanted: &Wanted<'_>) -> Result<Vec<resource::Found<'a>>, Error> {
    let name = |one: &resource::Found<'_>| one.resource.name.clone();
    if wanted.objects.is_empty() {
        let whole: Vec<_> = found.into_iter().filter(|one| one.is_whole).collect();
        if whole.is_empty() {
            return Err(Error::Nothing(String::new()));
        }
        if whole.len() > OBJECTS_MAX {
            return Err(Error::TooMany(whole.iter().map(name).collect()));
        }
        return Ok(whole);
    }
    let mut chosen = Vec::new();
    let mut rest = found;
    for asked in wanted.objects {
        let Some(at) = rest.iter().position(|one| one.is_called(asked)) else {
            if chosen.iter().any(|one: &resource::Found<'_>| one.is_called(asked)) {
                continue;
            }
            return Err(Error::Unknown {
                name: asked.clone(),
                known: rest.iter().map(name).collect(),
            });
        };
        chosen.push(rest.remove(at));
    }
    Ok(chosen)
}

fn afterwards(draft: &mut Draft, root: &Json, schemas: &Schemas<'_>) {
    let elsewhere = schemas.elsewhere();
    if !elsewhere.is_empty() {
        let shown: Vec<String> = elsewhere
            .iter()
            .take(5)
            .map(|reference| format!("`{reference}`"))
            .collect();
        draft.check(
            "/objects",
            format!(
                "parts of it stand elsewhere and were not read: {}; bundle it into one file and draft again",
                shown.join(", ")
            ),
        );
    }
    if schemas.is_cut() {
        draft.check(
            "/objects",
            "the description refers to itself so often that not all of it was read: choose with --object",
        );
    }
    let version = root.pointer("/info/version").and_then(Json::as_str).map(one_line);
    let of = version.map_or_else(String::new, |version| format!(", version {version}"));
    draft.remark("", format!("Drafted from an OpenAPI description{of}. What is marked CHECK could not be known from it: settle it, and remove the comment."));
}
