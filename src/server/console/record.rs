//! One record: finding it, its story, and what would be done about it.

use askama::Template;
use axum::{
    Json,
    response::{IntoResponse, Response},
};

use super::{
    drift,
    form::Form,
    frame::{self, Done, Frame, Page},
    shown::encoded,
};
use crate::{
    core::status::{Side, Sides},
    report::story::{self, Entry, Kind, Story},
    server::{
        api::{self, record::View},
        error::{Problem, Result},
        extract::{Body, State, Within},
        state::App,
    },
};

/// The longest text that is searched for.
const SEARCH_BYTES_MAX: usize = 200;
/// The most records that are listed.
const FOUND_MAX: usize = 100;

#[derive(Template)]
#[template(path = "record_search.html")]
struct Search {
    f: Frame,
    text: String,
    found: Vec<Found>,
}

/// One record that may be meant.
struct Found {
    mapping: String,
    side: Side,
    system: String,
    id: String,
}

/// `GET /record`: by the id on either side, or by a value that a report shows of it. One that is found is shown at once.
pub async fn search(State(app): State<App>, f: Frame) -> Result<Response> {
    let text = f.param("q").trim().to_owned();
    if text.len() > SEARCH_BYTES_MAX {
        return Err(Problem::invalid(format!(
            "at most {SEARCH_BYTES_MAX} bytes are searched for"
        )));
    }
    let mut found = Vec::new();
    for mapping in app.mappings() {
        if text.is_empty() || found.len() >= FOUND_MAX {
            break;
        }
        for (side, id) in story::find(app.store(), mapping, &text).await? {
            let (mapping, system) = (mapping.name.clone(), mapping.end(side).system.clone());
            found.push(Found {
                mapping,
                side,
                system,
                id,
            });
        }
    }
    found.truncate(FOUND_MAX);
    if let [only] = found.as_slice() {
        let Found { mapping, side, id, .. } = only;
        let address = format!("{}/records/{}/{side}/{}", super::MOUNT, encoded(mapping), encoded(id));
        return Ok(frame::to(&address, None));
    }
    Ok(Page(Search { f, text, found }).into_response())
}

#[derive(Template)]
#[template(path = "record.html")]
pub struct One {
    f: Frame,
    story: Story,
    side: Side,
    id: String,
    address: String,
    plan: Option<View>,
    systems: Sides<String>,
}

impl One {
    /// Where more is told of what an entry tells of.
    fn entry_url(entry: &Entry) -> Option<String> {
        let page = match entry.kind {
            Kind::Event => "events",
            Kind::Run => "runs",
            Kind::Failure => "failures",
            Kind::Conflict => "conflicts",
            Kind::Drift => return Some(format!("{}/drift/{}", super::MOUNT, entry.run_id?)),
            Kind::Link | Kind::Write => return None,
        };
        Some(format!("{}/{page}/{}", super::MOUNT, entry.id))
    }
}

/// Where a record is, as its address says.
type Place = Within<(String, String, String)>;

/// `GET /records/{mapping}/{side}/{id}`
pub async fn get(State(app): State<App>, f: Frame, place: Place) -> Result<Page<One>> {
    one(&app, f, place, None).await
}

/// `POST /records/{mapping}/{side}/{id}/plan`: both systems are read, and the page says what would be done.
pub async fn plan(State(app): State<App>, f: Frame, Within(place): Place) -> Result<Page<One>> {
    let Json(plan) = api::record::plan(State(app.clone()), f.caller()?, Within(place.clone())).await?;
    one(&app, f, Within(place), Some(plan)).await
}

async fn one(app: &App, f: Frame, Within((name, word, id)): Place, plan: Option<View>) -> Result<Page<One>> {
    let place = Within((name.clone(), word.clone(), id.clone()));
    let Json(story) = api::record::story(State(app.clone()), f.caller()?, place).await?;
    shown(app, f, (name, word, id), story, plan)
}

fn shown(
    app: &App,
    f: Frame,
    (name, word, id): (String, String, String),
    story: Story,
    plan: Option<View>,
) -> Result<Page<One>> {
    let mapping = api::mapping::named(app, &name)?;
    let side = mapping.side_named(&word).unwrap_or(Side::Left);
    Ok(Page(One {
        address: format!("{}/records/{}/{side}/{}", super::MOUNT, encoded(&name), encoded(&id)),
        systems: drift::systems(app, &name),
        f,
        story,
        side,
        id,
        plan,
    }))
}

/// `POST /records/{mapping}/{side}/{id}/show`: with personal data, for a reason.
pub async fn show(State(app): State<App>, f: Frame, Within(place): Place, sent: Form) -> Result<Page<One>> {
    let reason = api::record::Reason {
        reason: sent.text("reason").to_owned(),
    };
    let (state, place_of) = (State(app.clone()), Within(place.clone()));
    let Json(story) = api::record::show(state, f.caller()?, place_of, Body(reason)).await?;
    shown(&app, f, place, story, None)
}

/// `POST /records/{mapping}/{side}/{id}/sync`
pub async fn sync(State(app): State<App>, f: Frame, place: Place, sent: Form) -> Result<Response> {
    let _ = api::record::sync(State(app), f.caller()?, place).await?;
    Ok(frame::back(&sent, Done::Reprocess))
}
