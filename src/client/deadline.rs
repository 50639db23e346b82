//! By when the work on one record has to be over.
//!
//! Work is not cut off there: a write that is cut off has an intent and no outcome, and what came of it is forgotten. No request
//! begins after the deadline instead, and what is under way comes to its own end.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Option<Deadline>;
}

/// When no more requests begin, and how long the work was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) given: Duration,
}

impl Deadline {
    pub(super) fn is_over(self) -> bool {
        Instant::now() >= self.at
    }

    /// Whether it is over after a wait of so long.
    pub(super) fn is_over_in(self, wait: Duration) -> bool {
        Instant::now() + wait >= self.at
    }
}

/// Carries out `work`, in which no request begins later than `given` from now.
pub async fn within<F: Future>(given: Duration, work: F) -> F::Output {
    let deadline = Deadline {
        at: Instant::now() + given,
        given,
    };
    DEADLINE.scope(Some(deadline), work).await
}

/// The deadline of this task's work, if it has one.
pub(super) fn current() -> Option<Deadline> {
    DEADLINE.try_with(|deadline| *deadline).ok().flatten()
}

/// Work that others wait for as well, and that is not ended by the deadline of one of them.
pub(super) async fn lifted<F: Future>(work: F) -> F::Output {
    DEADLINE.scope(None, work).await
}

/// Work for another task that has to be over when this one has to.
pub(super) fn carry<F: Future + Send>(work: F) -> impl Future<Output = F::Output> + Send {
    DEADLINE.scope(current(), work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_holds_in_its_work_and_in_tasks_of_it_and_nowhere_else() {
        assert!(current().is_none());
        within(Duration::from_secs(5), async {
            let own = current().unwrap();
            assert!(!own.is_over() && !own.is_over_in(Duration::from_secs(4)));
            assert!(own.is_over_in(Duration::from_secs(5)));
            lifted(async { assert!(current().is_none()) }).await;
            tokio::time::advance(Duration::from_secs(5)).await;
            assert!(own.is_over());
            let other = tokio::spawn(carry(async { current().is_some_and(Deadline::is_over) }));
            assert!(other.await.unwrap());
        })
        .await;
        assert!(!tokio::spawn(carry(async { current().is_some() })).await.unwrap());
    }
}
