//! Daily quotas counted in our own store: by all nodes together, and across restarts.

use std::time::Duration;

use crate::{
    client::{Grant, Pending, QuotaError, QuotaStore},
    store::Store,
    sync::Engine,
};

/// The count of every system's daily quota in our own store.
#[derive(Debug, Clone)]
pub struct SharedQuota(Store);

impl SharedQuota {
    /// Counts in `store`.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self(store)
    }
}

impl QuotaStore for SharedQuota {
    fn take<'a>(&'a self, system: &'a str, wanted: u64, max: u64) -> Pending<'a, Result<Grant, QuotaError>> {
        Box::pin(async move {
            let taken = self.0.take_quota(system, wanted, max).await;
            let taken = taken.map_err(|error| QuotaError(error.to_string()))?;
            Ok(Grant {
                granted: taken.granted,
                spent: taken.spent,
                hour: taken.hour,
                frees_in: Duration::from_millis(taken.frees_in_ms),
            })
        })
    }

    fn give_back<'a>(&'a self, system: &'a str, hour: i64, unused: u64) -> Pending<'a, ()> {
        Box::pin(async move {
            if let Err(error) = self.0.give_back_quota(system, hour, unused).await {
                tracing::warn!(%error, system, unused, "requests that were not sent stay counted");
            }
        })
    }
}

/// Gives back what all systems have taken of their quotas and not sent: for a process that ends.
pub async fn give_back(engine: &Engine) {
    for (_, system) in engine.systems() {
        system.give_back_quota().await;
    }
}
