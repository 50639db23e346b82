//! Whether the fields that the mapping reads are what they were at the last reconciliation, and which ones nobody has seen before.

use super::{Reconciliation, TREND};
use crate::{
    core::{
        drift::Summary,
        newcomer::{self, Known, Named, NewFields},
        shape::{self, Shape},
        status::{RunKind, Side, Sides},
    },
    store::scan::Listed,
    sync::Error,
};

impl Reconciliation {
    /// Why the mapping is stopped before anything is planned; none where every field is what it was. Whoever asks for a full look
    /// means it: fields are taken as they are then. New fields are taken note of, and stop nothing.
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
            let mut known = past.iter().map(|summary| summary.known(side));
            let known = known.find(|known| !known.is_empty()).cloned().unwrap_or_default();
            // A listing that did not come to its end proves nothing about what is missing, nor that something was missing before.
            let (kept, known) = if *complete.get(side) {
                let now = context.scan.listed(side).await?;
                if context.request.kind != RunKind::Full {
                    *found.get_mut(side) = shape::changes(earlier, &now.shape);
                }
                let kept = shape::remembered(earlier, &now.shape, found.get(side));
                (kept, self.newcomers(side, &known, &now)?)
            } else {
                (earlier.clone(), known)
            };
            let summary = &mut self.tally.summary;
            match side {
                Side::Left => (summary.left_shape, summary.left_known) = (kept, known),
                Side::Right => (summary.right_shape, summary.right_known) = (kept, known),
            }
        }
        let reason = shape::reason(&context.mapping, &found);
        self.tally.summary.stopped.clone_from(&reason);
        Ok(reason)
    }

    /// Takes note of the fields of a side that are new; what is known behind that.
    fn newcomers(&mut self, side: Side, earlier: &Known, now: &Listed) -> Result<Known, Error> {
        let mapping = &self.context.mapping;
        let end = mapping.end(side);
        let system = self.context.engine.end(mapping, side)?;
        let named = Named::of(mapping, side, system.connector().objects.get(&end.object));
        let (known, fields, more) = newcomer::judge(earlier, &now.names, &named);
        if !fields.is_empty() {
            tracing::info!(
                mapping = mapping.name,
                system = end.system,
                object = end.object,
                ?fields,
                more,
                "new fields"
            );
            self.tally.summary.new_fields.push(NewFields {
                side,
                system: end.system.clone(),
                object: end.object.clone(),
                fields,
                more,
            });
        }
        Ok(known)
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
