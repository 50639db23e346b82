//! Whether the fields that the mapping reads are what they were at the last reconciliation.

use super::{Reconciliation, TREND};
use crate::{
    core::{
        drift::Summary,
        shape::{self, Shape},
        status::{RunKind, Side, Sides},
    },
    sync::Error,
};

impl Reconciliation {
    /// Why the mapping is stopped before anything is planned; none where every field is what it was. Whoever asks for a full look
    /// means it: fields are taken as they are then.
    pub(super) async fn reshaped(&mut self, complete: Sides<bool>) -> Result<Option<String>, Error> {
        let context = self.context.clone();
        let past = self.past().await?;
        let mut found = Sides::of(|_| Vec::new());
        for side in [Side::Left, Side::Right] {
            let nothing = Shape::new();
            let earlier = past
                .iter()
                .map(|summary| summary.shape(side))
                .find(|shape| !shape.is_empty());
            let earlier = earlier.unwrap_or(&nothing);
            // A listing that did not come to its end proves nothing about what is missing.
            let kept = if *complete.get(side) {
                let now = context.scan.listed(side).await?.shape;
                if context.request.kind != RunKind::Full {
                    *found.get_mut(side) = shape::changes(earlier, &now);
                }
                shape::remembered(earlier, &now, found.get(side))
            } else {
                earlier.clone()
            };
            let summary = &mut self.tally.summary;
            match side {
                Side::Left => summary.left_shape = kept,
                Side::Right => summary.right_shape = kept,
            }
        }
        let reason = shape::reason(&context.mapping, &found);
        self.tally.summary.stopped.clone_from(&reason);
        Ok(reason)
    }

    /// Why the mapping is stopped since an earlier look at everything, which a look at what changed cannot know better.
    pub(super) async fn still_stopped(&mut self) -> Result<Option<String>, Error> {
        let last = self.past().await?.into_iter().next();
        let reason = last.and_then(|last| last.stopped);
        self.tally.summary.stopped.clone_from(&reason);
        Ok(reason)
    }

    /// The reports before this one, the newest first.
    async fn past(&self) -> Result<Vec<Summary>, Error> {
        let context = &self.context;
        let store = context.engine.store();
        let past = store
            .drift_trend_before(Some(&context.mapping.name), Some(context.run_id), TREND)
            .await?;
        let read = past.iter().filter_map(|one| serde_json::from_str(&one.summary).ok());
        Ok(read.collect())
    }
}
