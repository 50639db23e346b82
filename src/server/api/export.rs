//! Drift reports as files to take along.

use std::io;

use axum::{
    Extension,
    body::Body,
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    sync::Semaphore,
};

use crate::{
    core::status::{Cause, DriftOutcome, Side, Sides, Situation},
    report::{self, Export, Format, Overview, overview::Point},
    server::{
        auth::Caller,
        error::{Problem, Result},
        extract::{Asked, Id, State},
        state::App,
    },
    store::drift::DriftFilter,
};

/// Exports that are made at once; more wait for their turn, so that they never take the place of live work.
static AT_ONCE: Semaphore = Semaphore::const_new(2);
/// How many reports the trend within an export has.
const TREND: u32 = 30;
/// How much of a file is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Query {
    format: String,
    situation: Option<Situation>,
    cause: Option<Cause>,
    field: Option<String>,
    outcome: Option<DriftOutcome>,
    record_id: Option<String>,
    side: Option<Side>,
    first_seen_until: Option<DateTime<Utc>>,
}

/// `GET /drift/{run_id}/export`: the file is made whole before the answer begins, so that what arrives is never cut short
/// without an error.
pub(in crate::server) async fn get(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Asked(query): Asked<Query>,
) -> Result<Response> {
    let format: Format = query
        .format
        .parse()
        .map_err(|error: report::export::UnknownFormat| Problem::invalid(error.to_string()))?;
    let stored = app.store().drift_summary(id).await?;
    let overview: Overview = stored
        .ok_or_else(|| Problem::not_found(format!("run {id} has no drift report")))?
        .into();
    let trend = app
        .store()
        .drift_trend_before(Some(&overview.mapping), id.checked_add(1), TREND)
        .await?;
    let name = |side: Side| {
        let mapping = app.mapping(&overview.mapping);
        mapping.map_or_else(|| side.to_string(), |mapping| mapping.end(side).system.clone())
    };
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", format.file_name(&overview.mapping, id)),
        ),
    ];
    let request = Export {
        format,
        systems: Sides::of(name),
        trend: trend
            .into_iter()
            .map(|stored| Point::from(&Overview::from(stored)))
            .collect(),
        overview,
        filter: DriftFilter {
            situation: query.situation,
            cause: query.cause,
            field: query.field,
            outcome: query.outcome,
            record_id: query.record_id,
            side: query.side,
            first_seen_by: query.first_seen_until,
        },
        role: caller.sight,
    };
    let (file, bytes) = made(&app, request).await?;
    let length: (HeaderName, String) = (header::CONTENT_LENGTH, bytes.to_string());
    Ok((headers, [length], body(file)).into_response())
}

/// Makes the file, which has no name and is gone once it was read.
async fn made(app: &App, request: Export) -> Result<(File, u64)> {
    let _turn = AT_ONCE
        .acquire()
        .await
        .map_err(|_| Problem::internal("the export was cut off"))?;
    let scratch = tempfile::tempfile().map_err(|error| failed(&error.into()))?;
    let writing = scratch.try_clone().map_err(|error| failed(&error.into()))?;
    match report::export(app.store(), request, writing).await {
        Ok(_) => {}
        Err(report::export::Error::Store(error)) => return Err(error.into()),
        Err(error) => return Err(failed(&error)),
    }
    let mut file = File::from_std(scratch);
    let bytes = file
        .seek(io::SeekFrom::End(0))
        .await
        .map_err(|error| failed(&error.into()))?;
    file.rewind().await.map_err(|error| failed(&error.into()))?;
    Ok((file, bytes))
}

fn failed(error: &report::export::Error) -> Problem {
    tracing::error!(%error, "an export was not made");
    Problem::internal("the export could not be made")
}

fn body(file: File) -> Body {
    Body::from_stream(stream::try_unfold(file, |mut file| async move {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        let read = (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await?;
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(chunk), file)))
    }))
}
