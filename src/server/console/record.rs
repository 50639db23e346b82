//! One record: finding it, its story, and what would be done about it.

use askama::Template;
use axum::{
    Json,
    http::StatusCode,
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
    report::story::{Entry, Kind, Story},
    server::{
        api::{self, record::View, search},
        error::Result,
        extract::{Asked, Body, State, Within},
        state::App,
    },
};

#[derive(Template)]
#[template(path = "record_search.html")]
struct Search {
    f: Frame,
    text: String,
    found: search::View,
    is_asked: bool,
}

/// `GET /record`: by the id on either side, by a value that the last report shows of it, or by one that both systems are asked for.
/// One that is found is shown at once.
pub async fn search(State(app): State<App>, f: Frame) -> Result<Response> {
    // The systems are not asked again and again while somebody reads.
    let f = f.still();
    let Json(found) = search::list(State(app), f.caller()?, Asked(f.read(&[])?)).await?;
    if let ([only], true) = (found.items.as_slice(), found.unasked.is_empty()) {
        let (mapping, side, id) = (encoded(&only.mapping), only.side, encoded(&only.record_id));
        return Ok(frame::to(
            &format!("{}/records/{mapping}/{side}/{id}", super::MOUNT),
            None,
        ));
    }
    Ok(Page(Search {
        text: f.param("q").trim().to_owned(),
        is_asked: f.has("ask", "true"),
        f,
        found,
    })
    .into_response())
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
    let story = match api::record::story(State(app.clone()), f.caller()?, place).await {
        Ok(Json(story)) => story,
        // A record of which nothing is known yet can be looked at all the same.
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => api::record::untold(app, &name, &word, &id)?,
        Err(problem) => return Err(problem),
    };
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
