//! Failures that may be over: a pair that is as it was agreed is not looked at, so that a failure of it would stay open for ever.

use super::Context;
use crate::{
    core::status::{FailureStatus, Side},
    store::{
        self, PAGE_MAX, Page,
        failure::{Failure, FailureFilter, Standing},
    },
    sync::Error,
};

/// The name under which it is saved that this was done.
const STUCK: &str = "stuck";

/// Adds the pairs that have a failure nobody tries again to what is looked at: where both sides agree by now, it is resolved.
pub(super) async fn add(context: &Context) -> Result<(), Error> {
    if context.scan.saved::<bool>(STUCK).await?.is_some() {
        return Ok(());
    }
    for status in [FailureStatus::Open, FailureStatus::Parked] {
        let filter = FailureFilter {
            mapping: Some(context.mapping.name.clone()),
            standing: Standing::Only(status),
            ..FailureFilter::default()
        };
        let mut page = Page::first(PAGE_MAX);
        loop {
            context.go_on()?;
            let failures = context.engine.store().failures(&filter, page).await?;
            let Some(last) = failures.last() else { break };
            page.before = Some(last.failure_id);
            context.scan.add_suspects(linked(context, &failures).await?).await?;
        }
    }
    Ok(context.scan.save(STUCK, true).await?)
}

/// The links of the records that failed.
async fn linked(context: &Context, failures: &[Failure]) -> Result<Vec<i64>, store::Error> {
    let mut link_ids = Vec::new();
    for side in [Side::Left, Side::Right] {
        let of_side = failures.iter().filter(|failure| failure.key.side == side);
        let ids: Vec<&str> = of_side.map(|failure| failure.key.record_id.as_str()).collect();
        if ids.is_empty() {
            continue;
        }
        let links = context.engine.store().links_by(&context.name, side, &ids).await?;
        link_ids.extend(links.iter().map(|stored| stored.link.link_id));
    }
    Ok(link_ids)
}
