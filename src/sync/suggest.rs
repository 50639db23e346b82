//! Suggestions: unlinked records of both systems that no rule couples and that are similar. A person says whether they are
//! the same thing; nothing here links anything.

use std::sync::Arc;

use super::{Engine, Error};
use crate::{
    core::{
        mapping::Mapping,
        matching::{Index, Likely, RECORDS_MAX, Suggest, compared},
        status::{Side, Sides},
    },
    store::{
        scan::{Candidates, Scan},
        suggestion::{Compared, NewSuggestion},
    },
};

/// Records that are read at once.
const CHUNK: u32 = 500;
/// The most suggestions of one run: nobody looks at more.
const SUGGESTIONS_MAX: usize = 2_000;

/// Looks for similar records among those that both complete listings have and that have no partner, and puts what is found
/// before people.
pub(super) async fn find(engine: &Engine, mapping: &Mapping, run_id: i64, scan: &Scan) -> Result<(), Error> {
    let Some(suggest) = &mapping.suggest else { return Ok(()) };
    let mut index = Index::default();
    let mut is_whole = true;
    each(scan, suggest, Side::Right, |record| {
        is_whole = index.add(record);
        is_whole
    })
    .await?;
    let mut found: Vec<NewSuggestion> = Vec::new();
    let mut count = 0;
    if !index.is_empty() {
        each(scan, suggest, Side::Left, |left| {
            for similar in index.similar(suggest, &left) {
                let pair = (&left, similar.other);
                found.push(suggestion(engine, mapping, suggest, run_id, pair, similar.score));
            }
            count += 1;
            count < RECORDS_MAX && found.len() < SUGGESTIONS_MAX
        })
        .await?;
    }
    if !is_whole || count >= RECORDS_MAX || found.len() >= SUGGESTIONS_MAX {
        tracing::warn!(
            mapping = mapping.name,
            records_max = RECORDS_MAX,
            suggestions = found.len(),
            "so many records have no partner that not all of them were compared for suggestions"
        );
    }
    Ok(engine.store().put_suggestions(&mapping.name, run_id, &found).await?)
}

/// Takes the records of one side that have no partner, one by one, for as long as they are wanted.
async fn each(scan: &Scan, suggest: &Suggest, side: Side, mut take: impl FnMut(Likely) -> bool) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let page = scan.unlinked(side, &after, CHUNK).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.id);
        for one in page.into_iter().filter(|one| one.candidates == Candidates::None) {
            let likely = one
                .record
                .and_then(|record| Likely::of(suggest, side, &record.id, &record.fields));
            if likely.is_some_and(|likely| !take(likely)) {
                return Ok(());
            }
        }
    }
}

fn suggestion(
    engine: &Engine,
    mapping: &Mapping,
    suggest: &Suggest,
    run_id: i64,
    (left, right): (&Likely, &Likely),
    score: u16,
) -> NewSuggestion {
    let values = compared(suggest, Sides { left, right });
    NewSuggestion {
        mapping: Arc::from(mapping.name.as_str()),
        left_id: left.record_id.clone(),
        right_id: right.record_id.clone(),
        score,
        compared: values
            .into_iter()
            .map(|(field, Sides { left, right })| Compared { field, left, right })
            .collect(),
        sensitive: suggest.fields.iter().any(|field| field.sensitive),
        hashes: Sides {
            left: left.hash(engine.key()),
            right: right.hash(engine.key()),
        },
        run_id,
    }
}
