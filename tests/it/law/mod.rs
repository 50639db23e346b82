//! Laws of the core, tried on many cases, each against something independent of it: a second implementation, another
//! language, a published suite.

mod daily;
mod decimal;
mod echo;
mod json;
mod lens;
mod listing;
mod merge;
mod rest;
mod retry;
mod shipped;
mod signature;
mod zone;

use syncline::core::{
    diff::{self, Context},
    mapping::{Mapping, NoReferences, References, form::MappingForm, known::Known},
    plan::{self, Input, Matched, Plan},
    problem::Problems,
    record::{Link, Record, Seen},
    settled::UNSETTLED,
    status::LinkStatus,
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

/// A mapping with the links of others that its records refer to.
fn context_among<'a>(mapping: &'a Mapping, key: &'a Key, references: &'a dyn References) -> Context<'a> {
    Context {
        mapping,
        key,
        references,
        settled: UNSETTLED,
    }
}

fn plan(mapping: &Mapping, left: Seen<'_>, right: Seen<'_>, link: Option<&Link>) -> Plan {
    plan_among(mapping, &NoReferences, left, right, link)
}

fn plan_among(
    mapping: &Mapping,
    references: &dyn References,
    left: Seen<'_>,
    right: Seen<'_>,
    link: Option<&Link>,
) -> Plan {
    let input = Input {
        left,
        right,
        link,
        matched: Matched::Settled,
    };
    plan::build(context_among(mapping, &key(), references), input)
}

/// The link of two records, with what they agree on.
fn link_among(mapping: &Mapping, references: &dyn References, left: &Record, right: &Record) -> Link {
    let key = key();
    let context = context_among(mapping, &key, references);
    let decisions = diff::compare(context, left, right, None).unwrap();
    Link {
        link_id: 1,
        left_id: left.id.clone(),
        right_id: right.id.clone(),
        base: diff::rebase(context, left, right, &decisions, None),
        status: LinkStatus::Linked,
        decided: None,
    }
}
