//! Laws of the core, tried on many cases, each against something independent of it: a second implementation, another
//! language, a published suite.

mod daily;
mod decimal;
mod json;
mod lens;
mod listing;
mod merge;
mod retry;
mod signature;

use syncline::core::{
    diff::Context,
    mapping::{Mapping, NoReferences, form::MappingForm, known::Known},
    plan::{self, Input, Matched, Plan},
    problem::Problems,
    record::{Link, Record, Seen},
    settled::UNSETTLED,
    value::{Value, fingerprint::Key},
};

/// A compiled mapping; none where the form is refused.
fn compile(form: serde_json::Value) -> Option<Mapping> {
    let form: MappingForm = serde_json::from_value(form).unwrap();
    let mut problems = Problems::new();
    Mapping::compile(&form, &Known::default(), &mut problems)
}

fn record(id: &str, fields: serde_json::Value) -> Record {
    let Value::Map(fields) = Value::from(fields) else {
        panic!("a record is an object")
    };
    Record {
        id: id.to_owned(),
        fields,
        version: None,
        updated_at: None,
    }
}

fn key() -> Key {
    Key::new([7; 32])
}

fn context<'a>(mapping: &'a Mapping, key: &'a Key) -> Context<'a> {
    Context {
        mapping,
        key,
        references: &NoReferences,
        settled: UNSETTLED,
    }
}

fn plan(mapping: &Mapping, left: Seen<'_>, right: Seen<'_>, link: Option<&Link>) -> Plan {
    let input = Input {
        left,
        right,
        link,
        matched: Matched::Settled,
    };
    plan::build(context(mapping, &key()), input)
}
