//! Which paths belong together: a collection, and its single records.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    Language,
    call::{self, Verb},
};
use crate::draft::{
    listing,
    name::{self, folded},
    object::{Call, Resource},
    schema::Schemas,
};

/// How many paths of a description are looked at.
const PATHS_MAX: usize = 5_000;

/// A collection that was found.
pub(super) struct Found<'a> {
    pub(super) resource: Resource<'a>,
    /// The operations as the description has them, for what they say of signing in.
    pub(super) operations: Vec<&'a Json>,
    /// Whether it stands by itself (in no parent) and its records can be read one by one.
    pub(super) is_whole: bool,
}

impl Found<'_> {
    pub(super) fn is_called(&self, asked: &str) -> bool {
        let asked = folded(asked);
        let is_path = |call: &Option<Call<'_>>| call.as_ref().is_some_and(|call| folded(&call.path) == asked);
        [&self.resource.name, &self.resource.collection]
            .into_iter()
            .any(|name| folded(name) == asked)
            || folded(&name::object(&asked)) == folded(&self.resource.name)
            || is_path(&self.resource.list)
    }
}

/// A path without what some systems hang on its end.
pub(super) fn bare(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.strip_suffix(".json").unwrap_or(path)
}

/// The collection and the parameter of a path to one record: `/customers/{id}`, `/Customers({ID})`, `/customers/{id}.json`.
fn single(path: &str) -> Option<(&str, &str)> {
    let path = bare(path);
    if let Some((before, last)) = path.rsplit_once('/')
        && let Some(parameter) = last.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
        && !parameter.contains(['{', '}'])
    {
        return Some((before, parameter));
    }
    let (before, inner) = path.rsplit_once('(')?;
    let parameter = inner
        .strip_suffix(')')?
        .trim_matches('\'')
        .strip_prefix('{')?
        .strip_suffix('}')?;
    (!before.ends_with('/') && !parameter.contains(['{', '}'])).then_some((before, parameter))
}

/// The last step of a path.
fn last(path: &str) -> &str {
    let path = bare(path);
    path.rsplit('/').find(|step| !step.contains('{')).unwrap_or(path)
}

/// Every collection, in the order of the description.
pub(super) fn gather<'a>(root: &'a Json, language: Language, schemas: &Schemas<'a>) -> Vec<Found<'a>> {
    let paths: Vec<(&str, &Json)> = root
        .get("paths")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .take(PATHS_MAX)
        .map(|(path, item)| (path.as_str(), schemas.follow(item)))
        .filter(|(path, _)| path.starts_with('/'))
        .collect();
    let mut singles: BTreeMap<&str, (&str, &str, &Json)> = BTreeMap::new();
    for (path, item) in paths.iter().copied() {
        if let Some((collection, parameter)) = single(path)
            && item
                .get("get")
                .or_else(|| item.get("patch"))
                .or_else(|| item.get("put"))
                .or_else(|| item.get("delete"))
                .is_some()
        {
            singles.entry(collection).or_insert((path, parameter, item));
        }
    }
    let mut found: Vec<Found<'a>> = Vec::new();
    for (path, item) in paths.iter().copied() {
        if single(path).is_some_and(|(collection, _)| singles.contains_key(collection)) {
            continue;
        }
        let one = singles.get(bare(path)).copied();
        if let Some(one) = collection(root, language, schemas, (path, item), one, &found) {
            found.push(one);
        }
    }
    found
}

fn collection<'a>(
    root: &'a Json,
    language: Language,
    schemas: &Schemas<'a>,
    (path, item): (&str, &'a Json),
    one: Option<(&str, &str, &'a Json)>,
    known: &[Found<'a>],
) -> Option<Found<'a>> {
    let read = |path: &str, item: &'a Json, verb: Verb| call::read(root, language, schemas, path, item, verb);
    let of_one = |verb: Verb| one.and_then(|(path, _, item)| read(path, item, verb));
    let list = read(path, item, Verb::Get);
    let is_listed = list.as_ref().is_some_and(|call| {
        call.answer
            .is_some_and(|answer| listing::read(schemas, answer, last(path)).is_some())
            || (one.is_some()
                && call
                    .answer
                    .is_none_or(|answer| schemas.look(answer).properties.is_empty()))
    });
    if !is_listed {
        return None;
    }
    let collection = last(path).to_owned();
    let resource = Resource {
        name: unused(&name::object(&collection), path, known),
        collection,
        key: one.map(|(_, parameter, _)| parameter.to_owned()),
        list,
        get: of_one(Verb::Get),
        create: read(path, item, Verb::Post),
        update: of_one(Verb::Patch)
            .or_else(|| of_one(Verb::Put))
            .or_else(|| of_one(Verb::Post)),
        delete: of_one(Verb::Delete),
    };
    let mut operations: Vec<&'a Json> = [item.get("get"), item.get("post")].into_iter().flatten().collect();
    if let Some((_, _, item)) = one {
        operations.extend(
            ["get", "patch", "put", "delete"]
                .iter()
                .filter_map(|verb| item.get(*verb)),
        );
    }
    let is_whole = !path.contains('{') && (resource.get.is_some() || resource.update.is_some());
    Some(Found {
        resource,
        operations,
        is_whole,
    })
}

/// A name that no other object has: with the steps before it, where several collections have one name.
fn unused(name: &str, path: &str, known: &[Found<'_>]) -> String {
    let is_free = |name: &str| known.iter().all(|found| found.resource.name != name);
    if is_free(name) {
        return name.to_owned();
    }
    let steps: Vec<&str> = bare(path)
        .split('/')
        .filter(|step| !step.is_empty() && !step.contains('{'))
        .collect();
    for count in 2..=steps.len() {
        let tail: Vec<&str> = steps.iter().skip(steps.len() - count).copied().collect();
        let longer = name::object(&tail.join("_"));
        if is_free(&longer) {
            return longer;
        }
    }
    name::free(name, is_free)
}
