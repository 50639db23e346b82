//! OData v4 and v2: the entity sets of `$metadata` become objects.

mod entity;
mod model;

use url::Url;

use self::model::{Model, Set};
use super::{Described, Draft, Error, OBJECTS_MAX, Wanted, name, openapi};

/// A draft from a `$metadata` document.
pub fn draft(bytes: &[u8], wanted: &Wanted<'_>) -> Result<Draft, Error> {
    let model = Model::read(bytes)?;
    let mut draft = Draft::new(wanted.name);
    head(&mut draft, &model, wanted.address);
    for set in choose(&model, wanted)? {
        entity::add(&mut draft, &model, set);
    }
    draft.settle()
}

/// The fields of an entity set; `None` where there is no set of this name.
pub fn fields(bytes: &[u8], set: &str) -> Result<Option<Vec<Described>>, Error> {
    let model = Model::read(bytes)?;
    let set = model.sets.iter().find(|known| known.name == set);
    Ok(set.map(|set| entity::fields(&model, set)))
}

fn head(draft: &mut Draft, model: &Model, address: Option<&str>) {
    let url = address
        .and_then(|address| Url::parse(address).ok())
        .filter(|url| url.username().is_empty() && url.password().is_none());
    let origin = url.as_ref().map(|url| url.origin().ascii_serialization());
    let root = url.as_ref().map(|url| {
        url.path()
            .trim_end_matches("$metadata")
            .trim_end_matches('/')
            .to_owned()
    });
    openapi::set_base(
        draft,
        origin.as_deref(),
        root.as_deref()
            .filter(|root| !root.contains(['{', '}']))
            .unwrap_or_default(),
    );
    if url.is_none() {
        draft.check(
            "/base_url",
            "where the service root is, is not in the file: put its path behind `{{ settings.base_url }}`",
        );
    }
    draft.check("/auth", "how to sign in is not described: `auth:` is missing");
    draft.check(
        "/limits",
        "how much the system allows is not described: `limits: { concurrency: 4, rate: 5/s }` after its documentation",
    );
    draft.check(
        "/webhooks",
        "OData pushes nothing by itself: say `poll:` in the mapping",
    );
    draft
        .form
        .headers
        .insert("Accept".to_owned(), "application/json".to_owned());
    draft.form.types = entity::types(model);
    if model.is_v2() {
        draft.check("/auth", "SAP's gateways take writes with an `X-CSRF-Token` only: connectors/sap-s4hana.yaml fetches one by `session:`");
    }
    let version = if model.is_v2() { "v2" } else { "v4" };
    draft.remark("", format!("Drafted from OData {version} metadata. What is marked CHECK could not be known from it: settle it, and remove the comment."));
}

fn choose<'m>(model: &'m Model, wanted: &Wanted<'_>) -> Result<Vec<&'m Set>, Error> {
    let readable: Vec<&Set> = model
        .sets
        .iter()
        .filter(|set| model.entity(set).is_some_and(|entity| !entity.keys.is_empty()))
        .collect();
    let names = || -> Vec<String> { readable.iter().map(|set| set.name.clone()).collect() };
    if readable.is_empty() {
        return Err(Error::Nothing(" (no entity set with a key)".to_owned()));
    }
    if wanted.objects.is_empty() {
        return if readable.len() > OBJECTS_MAX {
            Err(Error::TooMany(names()))
        } else {
            Ok(readable)
        };
    }
    let mut chosen: Vec<&Set> = Vec::new();
    for asked in wanted.objects {
        let is_it = |set: &&&Set| {
            let folded = name::folded(asked);
            name::folded(&set.name) == folded || name::folded(&name::object(&set.name)) == folded
        };
        let Some(set) = readable.iter().find(is_it) else {
            return Err(Error::Unknown {
                name: asked.clone(),
                known: names(),
            });
        };
        if chosen.iter().all(|known| known.name != set.name) {
            chosen.push(set);
        }
    }
    Ok(chosen)
}
