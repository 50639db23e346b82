//! Whether the silence of a listing may be believed. A listing can say that it is whole and lack records all the same: after a
//! filter was changed or a right was taken away, or from an index that lags behind. Whoever believes it makes everything twice
//! that it lacks. So of the records that a listing shows no partner for, some are searched before the others are believed to have
//! none; one that is found, and the listing is taken for short.

use std::collections::HashSet;

use super::{
    Context,
    repair::{Hidden, Unshown},
};
use crate::{
    core::{
        record::RecordKey,
        status::{Side, Sides},
    },
    store::scan::Candidates,
    sync::{Error, fetch::Look},
};

/// So many are searched before any is believed: where one in twenty has a partner that was not listed, one is found in more
/// than 99 of 100 runs. After them, one of each chunk is.
const FIRST: usize = 100;

/// The test of one listing, by records of the other side.
pub(super) struct Silence {
    side: Side,
    is_searchable: bool,
    first: HashSet<String>,
}

impl Silence {
    /// The test of the listing that the records of `side` have no partner in.
    pub(super) fn of(context: &Context, side: Side) -> Self {
        Self {
            side,
            is_searchable: is_searchable(context, side.other()),
            first: HashSet::new(),
        }
    }

    /// What is searched for before anything is believed: records by chance, each as one to be read.
    pub(super) async fn first(&mut self, context: &Context, complete: Sides<bool>) -> Result<Vec<Look>, Error> {
        let may_believe = *complete.get(self.side.other()) && context.progress.now().continued == 0;
        if !self.is_searchable || !may_believe {
            return Ok(Vec::new());
        }
        let ids = context.scan.silent(self.side, FIRST).await?;
        self.first = ids.iter().cloned().collect();
        let key = |id: String| RecordKey::new(context.name.clone(), self.side, id);
        Ok(ids.into_iter().map(|id| Look::at(key(id))).collect())
    }

    /// Whether a record was among the first.
    pub(super) fn was_first(&self, id: &str) -> bool {
        self.first.contains(id)
    }

    /// Has one of a chunk searched for; which.
    pub(super) fn test(&self, looks: &mut [Look]) -> Unshown {
        let is_silent = |look: &&mut Look| {
            let listed = look.listed.as_ref();
            listed.is_some_and(|listed| listed.is_proof && listed.candidates == Candidates::None)
        };
        let one = looks.iter_mut().find(is_silent).filter(|_| self.is_searchable);
        let tested = one.map(|look| {
            look.listed = None;
            unshown(look)
        });
        tested.into_iter().collect()
    }
}

/// That a listing shows no partner of a record. One that a search finds may have been made since; then too much is searched for,
/// which harms nothing, while the clocks of two systems could not tell.
pub(super) fn unshown(look: &Look) -> (RecordKey, Hidden) {
    let other = look.key.side.other();
    let hidden = Hidden {
        sides: Sides::of(|side| side == other),
        is_linked: false,
    };
    (look.key.clone(), hidden)
}

fn is_searchable(context: &Context, side: Side) -> bool {
    let mapping = &context.mapping;
    let Ok(system) = context.engine.end(mapping, side) else {
        return false;
    };
    let object = &mapping.end(side).object;
    let mut rules = mapping.rules.iter();
    rules.any(|rule| system.can_find(object, &rule.paths.get(side).to_string()))
}
