//! Finding a record: by its id in either system, by a value that the last report shows of it, or by a value that records are
//! matched by, which the systems themselves are asked for.

use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    client::Road,
    core::{
        mapping::{Field, Mapping},
        matching::Rule,
        status::{Role, Side},
        value::Value,
    },
    report::story,
    server::{
        auth::Caller,
        error::{Problem, Result},
        extract::{Asked, State},
        state::App,
    },
    sync::record::{self, Error, Rules},
};

/// The longest text that is searched for.
pub const TEXT_BYTES_MAX: usize = 200;
/// The most records that are listed.
const FOUND_MAX: usize = 100;

/// A record that may be meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "FoundRecord")]
pub struct Found {
    /// The mapping.
    pub mapping: String,
    /// Its side.
    pub side: Side,
    /// The system that has it.
    pub system: String,
    /// Its id there.
    pub record_id: String,
}

/// A system that could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unasked {
    /// The system.
    pub system: String,
    /// Why, with the code of the fault.
    pub reason: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "FoundRecords")]
pub struct View {
    /// Records that may be meant; at most 100.
    pub items: Vec<Found>,
    /// Systems that could not be asked.
    pub unasked: Vec<Unasked>,
}

/// What is searched for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    /// An id or a value.
    q: String,
    /// Whether the systems are asked for records with this value, too.
    ask: bool,
}

/// `GET /records`
pub(in crate::server) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<Query>,
) -> Result<Json<View>> {
    let text = query.q.trim();
    if text.len() > TEXT_BYTES_MAX {
        return Err(Problem::invalid(format!(
            "at most {TEXT_BYTES_MAX} bytes are searched for"
        )));
    }
    let mut view = View::default();
    for mapping in app.mappings() {
        if text.is_empty() || view.items.len() >= FOUND_MAX {
            break;
        }
        let known = story::find(app.store(), mapping, text).await?.into_iter();
        view.items.extend(known.map(|(side, id)| found(mapping, side, id)));
        if query.ask {
            for side in [Side::Left, Side::Right] {
                ask(&app, &caller, (mapping, side), text, &mut view).await?;
            }
        }
    }
    view.items.truncate(FOUND_MAX);
    Ok(Json(view))
}

fn found(mapping: &Mapping, side: Side, record_id: String) -> Found {
    Found {
        mapping: mapping.name.clone(),
        side,
        system: mapping.end(side).system.clone(),
        record_id,
    }
}

/// Whether a rule is about personal data: whoever does not see that does not find out whose it is, either.
fn is_personal(mapping: &Mapping, rule: &Rule) -> bool {
    let is_of = |field: &Field, side: Side| field.paths.get(side).as_ref() == Some(rule.paths.get(side));
    let mut fields = mapping.fields.iter().filter(|field| field.sensitive);
    fields.any(|field| is_of(field, Side::Left) || is_of(field, Side::Right))
}

/// Asks one system. One that does not answer keeps nobody from the answers of the others.
async fn ask(app: &App, caller: &Caller, (mapping, side): (&Mapping, Side), text: &str, view: &mut View) -> Result<()> {
    let may = |rule: &Rule| caller.sight >= Role::Analyst || !is_personal(mapping, rule);
    let value = Value::from(text);
    match record::with_value(app.engine(), mapping, (side, &value), Road::Manual, (Rules::All, may)).await {
        Ok(ids) => {
            let fresh = ids.into_iter().map(|id| found(mapping, side, id));
            let fresh: Vec<Found> = fresh.filter(|one| !view.items.contains(one)).collect();
            view.items.extend(fresh);
        }
        Err(Error::Fault(fault)) => {
            let one = Unasked {
                system: mapping.end(side).system.clone(),
                reason: fault.to_string(),
            };
            if !view.unasked.contains(&one) {
                view.unasked.push(one);
            }
        }
        Err(Error::Store(error)) => return Err(error.into()),
    }
    Ok(())
}
