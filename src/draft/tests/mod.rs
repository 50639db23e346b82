mod airbyte;
mod hostile;
mod odata;
mod openapi;
mod sample;

use serde_json::Value as Json;

use super::{Draft, Wanted, source};
use crate::{
    catalog::{decode, yaml::Document},
    core::{
        connector::{Connector, form::ConnectorForm},
        problem::Problems,
    },
};

/// What is asked for in most tests.
fn wanted() -> Wanted<'static> {
    Wanted {
        name: "acme",
        objects: &[],
        address: None,
    }
}

/// The form that the written file is read into: it must load as every connector does.
fn loaded(draft: &Draft) -> ConnectorForm {
    let text = draft.yaml().unwrap();
    let document = Document::read(text.as_bytes());
    assert!(document.flaws.is_empty(), "{:?}\n{text}", document.flaws);
    let mut problems = Problems::new();
    let form: Option<ConnectorForm> = decode::decode(&document.body.unwrap(), &mut problems);
    let form = form.unwrap_or_else(|| panic!("{:?}\n{text}", problems.into_vec()));
    let mut problems = Problems::new();
    let compiled = Connector::compile(&form, &mut problems);
    assert!(compiled.is_some(), "{:?}\n{text}", problems.into_vec());
    form
}

fn openapi(text: &str) -> Draft {
    super::openapi::draft(&source::read(text.as_bytes()).unwrap(), &wanted()).unwrap()
}

/// Whether something is marked to be looked at.
fn has_check(draft: &Draft, place: &str, part: &str) -> bool {
    draft
        .open()
        .iter()
        .any(|note| note.place == place && note.text.contains(part))
}

fn json(value: impl serde::Serialize) -> Json {
    serde_json::to_value(value).unwrap()
}
