//! Links: which records are known to be the same thing.

use axum::{Extension, Json, http::StatusCode};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{audit, decided};
use crate::{
    core::status::{LinkStatus, MissingDecision, Side},
    server::{
        auth::Caller,
        decision,
        error::{Problem, Result},
        extract::{Asked, Body, Id, State},
        linking::{self, Merged, Pair, Relinked, Verdict},
        page::{Page, Wanted},
        state::App,
    },
    store::link::{LinkFilter, StoredLink},
};

/// A link.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Link")]
pub struct View {
    /// Its id.
    pub link_id: i64,
    /// The mapping.
    pub mapping: String,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// How it stands.
    pub status: LinkStatus,
    /// The side whose record is gone, while a decision is pending.
    pub missing_side: Option<Side>,
    /// Since when it is gone.
    pub missing_since: Option<DateTime<Utc>>,
    /// What a person has decided about that.
    pub decision: Option<MissingDecision>,
    /// When both were last in sync.
    pub last_synced_at: Option<DateTime<Utc>>,
    /// When the pair was linked.
    pub created_at: DateTime<Utc>,
}

impl From<StoredLink> for View {
    fn from(stored: StoredLink) -> Self {
        let (missing_side, missing_since) = stored.missing.unzip();
        Self {
            link_id: stored.link.link_id,
            mapping: stored.mapping.to_string(),
            left_id: stored.link.left_id,
            right_id: stored.link.right_id,
            status: stored.link.status,
            missing_side,
            missing_since,
            decision: stored.link.decided.map(|(_, decision)| decision),
            last_synced_at: stored.last_synced_at,
            created_at: stored.created_at,
        }
    }
}

/// Which links are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    mapping: Option<String>,
    status: Option<LinkStatus>,
    side: Option<Side>,
    record_id: Option<String>,
}

/// `GET /links`; with `mapping`, `side` and `record_id`: the living link of that record.
pub(in crate::server) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Page<View>>> {
    if let Some(record_id) = &query.record_id {
        let (Some(mapping), Some(side)) = (&query.mapping, query.side) else {
            return Err(Problem::invalid("`record_id` needs `mapping` and `side` beside it"));
        };
        let found = app.store().link_by(mapping, side, record_id).await?;
        return Ok(Json(Page {
            items: found.into_iter().map(View::from).collect(),
            next: None,
        }));
    }
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let filter = LinkFilter {
        mapping: query.mapping,
        status: query.status,
        ..LinkFilter::default()
    };
    let found = app.store().links(&filter, wanted.page()).await?;
    Ok(Json(wanted.of_items(found, |link| link.link.link_id, View::from)))
}

/// `GET /links/{id}`
pub(in crate::server) async fn get(State(app): State<App>, Id(id): Id) -> Result<Json<View>> {
    let link = app.store().link(id).await?;
    link.map(|link| Json(link.into())).ok_or_else(|| unknown(id))
}

/// `DELETE /links/{id}`: the pair is no longer known to be the same thing; both records stay as they are.
pub(in crate::server) async fn end(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    let outcome = decision::end_link(app.store(), id, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::NO_CONTENT, &format!("link {id}"))
}

/// Pairs to be linked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Import {
    mapping: String,
    pairs: Vec<PairForm>,
    #[serde(default)]
    dry_run: bool,
}

/// A pair as it is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct PairForm {
    left_id: String,
    right_id: String,
}

/// What became of one pair.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImportedPair")]
pub(in crate::server) struct Told {
    /// Id of the left record.
    left_id: String,
    /// Id of the right record.
    right_id: String,
    /// `linked`, `known` or `refused`.
    result: &'static str,
    /// Why it was refused.
    why: Option<String>,
}

/// The most pairs of one request.
const PAIRS_MAX: usize = 1_000;

/// `POST /links/import`: what became of each pair, in their order.
pub(in crate::server) async fn import(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Body(wish): Body<Import>,
) -> Result<Json<Vec<Told>>> {
    let mapping = known(&app, &wish.mapping)?;
    if wish.pairs.len() > PAIRS_MAX {
        return Err(Problem::invalid(format!("at most {PAIRS_MAX} pairs at once")));
    }
    let pairs: Vec<Pair> = wish.pairs.into_iter().map(Pair::from).collect();
    let actor = audit::actor(&caller);
    let mut taking = linking::Import::new(app.store(), &mapping, &actor, wish.dry_run);
    let verdicts = taking.take(&pairs).await?;
    let told = pairs.into_iter().zip(verdicts).map(|(pair, verdict)| {
        let (result, why) = match verdict {
            Verdict::Linked => ("linked", None),
            Verdict::Known => ("known", None),
            Verdict::Refused(why) => ("refused", Some(why)),
        };
        Told {
            left_id: pair.left_id,
            right_id: pair.right_id,
            result,
            why,
        }
    });
    Ok(Json(told.collect()))
}

impl From<PairForm> for Pair {
    fn from(form: PairForm) -> Self {
        Self {
            left_id: form.left_id,
            right_id: form.right_id,
        }
    }
}

/// A pair to be linked, whatever its records were linked to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Relink {
    mapping: String,
    left_id: String,
    right_id: String,
}

/// What became of a pair that is to be linked whatever its records were linked to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Relinked")]
pub(in crate::server) struct RelinkedView {
    /// `linked`, or `known`: the very pair was linked before.
    result: &'static str,
    /// The link of a pair that was linked before.
    #[serde(skip_serializing_if = "Option::is_none")]
    link_id: Option<i64>,
    /// The links that ended for it.
    ended: Vec<i64>,
}

/// `POST /links/relink`: the links that ended for it; the link itself is the living one of its records.
pub(in crate::server) async fn relink(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Body(wish): Body<Relink>,
) -> Result<Json<RelinkedView>> {
    let mapping = known(&app, &wish.mapping)?;
    let pair = Pair {
        left_id: wish.left_id,
        right_id: wish.right_id,
    };
    let relinked = linking::relink(app.store(), &mapping, &pair, &audit::actor(&caller)).await?;
    let (result, link_id, ended) = match relinked {
        Relinked::Made(ended) => ("linked", None, ended),
        Relinked::Known(link_id) => ("known", Some(link_id), Vec::new()),
    };
    Ok(Json(RelinkedView { result, link_id, ended }))
}

/// A record that became another one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Merge {
    mapping: String,
    /// `left`, `right` or the name of their system.
    side: String,
    from: String,
    into: String,
}

/// `POST /links/merge`: the link of the record that is gone moves to the one that it lives on as.
pub(in crate::server) async fn merge(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Body(wish): Body<Merge>,
) -> Result<Json<View>> {
    let mapping = known(&app, &wish.mapping)?;
    let side = app.mapping(&mapping).and_then(|mapping| mapping.side_named(&wish.side));
    let side = side.ok_or_else(|| Problem::invalid(format!("`{}` is no side of mapping `{mapping}`", wish.side)))?;
    let ids = (wish.from.as_str(), wish.into.as_str());
    match linking::merge(app.store(), &mapping, side, ids, &audit::actor(&caller)).await? {
        Merged::Moved(link_id) => {
            let link = app.store().link(link_id).await?;
            link.map(|link| Json(link.into())).ok_or_else(|| unknown(link_id))
        }
        Merged::Unlinked => Err(Problem::conflict(format!("{} is in no link", wish.from))),
        Merged::Elsewhere { link_id, partner } => Err(Problem::conflict(format!(
            "{} is linked to {partner} already (link {link_id}): end the link that is wrong first",
            wish.into
        ))),
    }
}

/// The name of a mapping that is there.
fn known(app: &App, name: &str) -> Result<String> {
    let mapping = app.mapping(name).map(|mapping| mapping.name.clone());
    mapping.ok_or_else(|| Problem::invalid(format!("there is no mapping `{name}`")))
}

fn unknown(id: i64) -> Problem {
    Problem::not_found(format!("there is no link {id}"))
}
