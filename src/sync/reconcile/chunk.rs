//! Work in chunks: a bounded number at once, what has come of each added up, and saved where it is not to be done again.

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::Context;
use crate::{
    core::{drift::Summary, status::Sides},
    store::{run::Counters, scan::Done},
    sync::Error,
};

/// Numbers of a run, or of a part of it.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) summary: Summary,
    pub(super) counters: Counters,
    /// Sides whose listing left out a record that is there.
    pub(super) short: Sides<bool>,
    /// What is done, and need not be done again by whoever goes on with it.
    pub(super) done: Done,
}

/// What a reconciliation has come to, as it is saved.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) summary: Summary,
    pub(super) counters: Counters,
    /// Whether both listings came to their end, with nothing missing from them: left, right.
    pub(super) complete: (bool, bool),
}

impl Saved {
    pub(super) fn of(tally: &Tally, complete: Sides<bool>) -> Self {
        Self {
            summary: tally.summary.clone(),
            counters: tally.counters,
            complete: (complete.left, complete.right),
        }
    }
}

impl Tally {
    /// Believes no listing any longer that was found to be short.
    pub(super) fn believe(&self, complete: &mut Sides<bool>) {
        complete.left &= !self.short.left;
        complete.right &= !self.short.right;
    }

    pub(super) fn absorb(&mut self, part: Self) {
        self.summary.absorb(part.summary);
        self.counters.add(&part.counters);
        self.short.left |= part.short.left;
        self.short.right |= part.short.right;
        self.done.todos.extend(part.done.todos);
        self.done.records.extend(part.done.records);
        self.done.pairs.extend(part.done.pairs);
    }
}

/// Chunks at work, a bounded number at once; the first error stops the rest from being begun.
pub(super) struct Chunks {
    context: Context,
    running: JoinSet<Result<Tally, Error>>,
    limit: usize,
    /// Under which name what has come of finished ones is saved, and with what.
    saved: Option<(&'static str, Sides<bool>)>,
}

impl Chunks {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            running: JoinSet::new(),
            limit: context.engine.limits().chunks_in_flight.max(1),
            saved: None,
        }
    }

    /// The same, of work that is not to be done again once it is done.
    pub(super) fn saving(context: &Context, name: &'static str, complete: Sides<bool>) -> Self {
        Self {
            saved: Some((name, complete)),
            ..Self::new(context)
        }
    }

    /// Begins one more chunk, after waiting for a place.
    pub(super) async fn begin(
        &mut self,
        context: &Context,
        tally: &mut Tally,
        work: impl Future<Output = Result<Tally, Error>> + Send + 'static,
    ) -> Result<(), Error> {
        while self.running.len() >= self.limit {
            self.one(tally).await?;
        }
        self.running.spawn(context.task(work));
        Ok(())
    }

    /// Waits for all that were begun, before more is begun.
    pub(super) async fn drain(&mut self, tally: &mut Tally) -> Result<(), Error> {
        while !self.running.is_empty() {
            self.one(tally).await?;
        }
        Ok(())
    }

    /// Waits for all that were begun, also where one has failed: a request under way is not to be cut off.
    pub(super) async fn end(mut self, tally: &mut Tally, so_far: Result<(), Error>) -> Result<(), Error> {
        let mut result = so_far;
        while !self.running.is_empty() {
            result = result.and(self.one(tally).await);
        }
        result
    }

    async fn one(&mut self, tally: &mut Tally) -> Result<(), Error> {
        match self.running.join_next().await {
            Some(Ok(part)) => {
                tally.absorb(part?);
                let done = std::mem::take(&mut tally.done);
                if let (Some((name, complete)), false) = (self.saved, done.is_empty()) {
                    let count = (done.todos.len() + done.records.len() + done.pairs.len()) as u64;
                    self.context.progress.note(|progress| progress.repaired += count);
                    let complete = Sides::of(|side| *complete.get(side) && !*tally.short.get(side));
                    self.context.scan.settle(done, name, Saved::of(tally, complete)).await?;
                }
            }
            Some(Err(broken)) => {
                tracing::error!(%broken, "a part of a reconciliation broke off");
                return Err(Error::Broken);
            }
            None => {}
        }
        Ok(())
    }
}
