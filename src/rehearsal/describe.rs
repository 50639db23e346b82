//! What a system says that an object has, from whatever it answers: for `syncline connector discover`, and for cases of it.

use std::collections::BTreeMap;

use super::{Misses, Stage, ask, expect, request, scripted};
use crate::{
    client::{Found, System},
    core::connector::{Object, case::CaseForm, discover::Described},
    draft,
};

/// The fields in a description; `None` where the object is not in it.
pub fn described(system: &System, object: &Object, found: Found) -> Result<Option<Vec<Described>>, draft::Error> {
    let path = system.path_of(&object.name).unwrap_or_default();
    match found {
        Found::Fields(fields) => Ok(Some(fields)),
        Found::OpenApi(bytes) => draft::source::read(&bytes).and_then(|root| draft::openapi::fields(&root, &path)),
        Found::OData(bytes) => {
            let names = system.connector().discover.as_ref().map(|discover| &discover.names);
            let set = names.and_then(|names| names.get(&object.name)).map(String::as_str);
            let last = path.rsplit('/').next().unwrap_or_default();
            draft::odata::fields(&bytes, set.unwrap_or(last))
        }
    }
}

impl Stage<'_> {
    /// Asks what an object has, and compares it with what the case expects.
    pub(super) async fn describe(&self, case: &CaseForm, object: &Object, misses: &mut Misses) {
        let answers = case.answer.as_ref().map(scripted).into_iter().collect();
        let (system, script) = match self.system(answers, None) {
            Ok(made) => made,
            Err(error) => return misses.refuse("", error.to_string(), "correct `settings:`"),
        };
        let found = Box::pin(system.describe(&object.name)).await;
        if let (Some(expected), Some(call)) = (&case.request, script.sent().first()) {
            request::compare("/request", "request", expected, call, system.base(), misses);
        }
        if case.answer.is_none() {
            return;
        }
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => {
                let hint = "write `discover:` into the connector, or drop the case";
                return misses.refuse(
                    "/discover",
                    "the connector does not say how its system describes itself",
                    hint,
                );
            }
            Err(fault) => return expect::outcome(case, &ask::failed(&fault), misses),
        };
        expect::outcome(case, &ask::Heard::default(), misses);
        match described(&system, object, found) {
            Ok(fields) => compare(case, &fields.unwrap_or_default(), misses),
            Err(error) => misses.miss("", "description", Some("one".to_owned()), Some(error.to_string())),
        }
    }
}

fn compare(case: &CaseForm, fields: &[Described], misses: &mut Misses) {
    let by_path: BTreeMap<&str, &str> = fields
        .iter()
        .map(|field| (field.path.as_str(), field.kind.as_str()))
        .collect();
    for (path, wanted) in &case.expect.described {
        let found = by_path.get(path.as_str()).copied();
        if found != wanted.as_deref() {
            let place = format!("/expect/described/{path}");
            let what = format!("type of `{path}`");
            misses.miss(&place, &what, wanted.clone(), found.map(str::to_owned));
        }
    }
}
