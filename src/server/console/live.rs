//! How far a run is, told while it runs (server-sent events). A page without it says the same when it is loaded again.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{StreamExt as _, stream};
use tokio::time::{Interval, MissedTickBehavior};

use super::{frame::Frame, markup};
use crate::{
    core::status::RunStatus,
    server::{
        api::run::View,
        error::{Problem, Result},
        extract::{Id, State},
        state::App,
    },
};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// After how many looks a browser has to ask again, so that a session that ended does not go on here.
const LOOKS_MAX: u32 = 300;

/// What one stream knows.
struct Watch {
    app: App,
    f: Frame,
    run_id: i64,
    /// How the run stands on the page that asks.
    shown: RunStatus,
    ticks: Interval,
    looks: u32,
    is_over: bool,
}

/// `GET /runs/{id}/progress`: until the run stands otherwise than `status` says, as the page shows it; then that is loaded again.
pub async fn progress(State(app): State<App>, f: Frame, Id(run_id): Id) -> Result<Response> {
    if app.store().run(run_id).await?.is_none() {
        return Err(Problem::not_found(format!("there is no run {run_id}")));
    }
    let shown = f.param("status").parse().unwrap_or(RunStatus::Running);
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let shutdown = app.shutdown().clone();
    let watch = Watch {
        app,
        f,
        run_id,
        shown,
        ticks,
        looks: 0,
        is_over: false,
    };
    let news = stream::unfold(watch, next).take_until(async move { shutdown.cancelled().await });
    Ok(Sse::new(news).keep_alive(KeepAlive::default()).into_response())
}

async fn next(mut watch: Watch) -> Option<(std::result::Result<Event, Infallible>, Watch)> {
    if watch.is_over || watch.looks >= LOOKS_MAX {
        return None;
    }
    watch.ticks.tick().await;
    watch.looks += 1;
    // A store that cannot be read ends the stream; the browser asks again.
    let run = View::from(watch.app.store().run(watch.run_id).await.ok()??);
    watch.is_over = run.status != watch.shown;
    let name = if watch.is_over { "end" } else { "progress" };
    let event = Event::default().event(name).data(news(&watch.f, &run).to_string());
    Some((Ok(event), watch))
}

fn news(f: &Frame, run: &View) -> serde_json::Value {
    let progress = run.progress.unwrap_or_default();
    let number = |count| markup::number(count, f.language);
    serde_json::json!({
        "phase": f.word(phase(run)),
        "left_read": number(progress.left_read),
        "right_read": number(progress.right_read),
        "compared": number(progress.compared),
        "planned": number(progress.planned),
        "repaired_shown": number(progress.repaired),
        "repaired": progress.repaired,
        "total": progress.planned,
    })
}

/// What a run is at, by its name.
pub fn phase(run: &View) -> &'static str {
    use crate::store::run::Phase;
    match run.progress.unwrap_or_default().phase {
        Phase::Links => "links",
        Phase::Listing => "listing",
        Phase::Comparing => "comparing",
        Phase::Repairing => "repairing",
        Phase::ReadingBack => "reading_back",
    }
}
