//! Leases that are held: by the node that leads, and for the length of one piece of work.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::store::{self, Store};

/// A lease that one node holds as long as it lives, and renews at every look.
pub(super) struct Leadership {
    name: &'static str,
    epoch: Mutex<Option<i64>>,
}

impl Leadership {
    pub(super) fn of(name: &'static str) -> Self {
        Self {
            name,
            epoch: Mutex::default(),
        }
    }

    /// Renews the lease, or takes it if it is free; whether it is ours for the next `ttl`.
    pub(super) async fn hold(&self, store: &Store, ttl: Duration) -> Result<bool, store::Error> {
        let mut epoch = self.epoch.lock().await;
        if let Some(held) = *epoch {
            if store.renew_lease(self.name, held, ttl).await? {
                return Ok(true);
            }
            tracing::warn!(
                lease = self.name,
                "lost: another node was faster, or the clock was moved"
            );
        }
        *epoch = store.acquire_lease(self.name, ttl).await?;
        if epoch.is_some() {
            tracing::info!(lease = self.name, node = store.node(), "this node leads");
        }
        Ok(epoch.is_some())
    }

    /// Lets another node have it at once.
    pub(super) async fn give_back(&self, store: &Store) {
        if let Some(epoch) = self.epoch.lock().await.take()
            && let Err(error) = store.release_lease(self.name, epoch).await
        {
            tracing::warn!(%error, lease = self.name, "cannot give a lease back; it runs out");
        }
    }
}

/// As [`while_held`] for work that writes to other systems: it is not cut off where the lease is lost, but asked by `lost` to come to
/// an end.
pub(super) async fn until_lost<T>(
    store: &Store,
    name: &str,
    ttl: Duration,
    lost: &CancellationToken,
    work: impl Future<Output = T>,
) -> Result<Option<T>, store::Error> {
    let Some(epoch) = store.acquire_lease(name, ttl).await? else {
        return Ok(None);
    };
    tokio::pin!(work);
    let done = tokio::select! {
        done = &mut work => done,
        () = keep(store, name, epoch, ttl) => {
            lost.cancel();
            work.await
        }
    };
    store.release_lease(name, epoch).await?;
    Ok(Some(done))
}

/// Does `work` while holding a lease, which is renewed; none where another has it, or where it was lost on the way.
pub(super) async fn while_held<T>(
    store: &Store,
    name: &str,
    ttl: Duration,
    work: impl Future<Output = T>,
) -> Result<Option<T>, store::Error> {
    let Some(epoch) = store.acquire_lease(name, ttl).await? else {
        return Ok(None);
    };
    let done = tokio::select! {
        done = work => Some(done),
        () = keep(store, name, epoch, ttl) => None,
    };
    store.release_lease(name, epoch).await?;
    Ok(done)
}

/// Renews a lease until it is lost.
async fn keep(store: &Store, name: &str, epoch: i64, ttl: Duration) {
    loop {
        tokio::time::sleep(ttl / 3).await;
        match store.renew_lease(name, epoch, ttl).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(
                    lease = name,
                    "lost while at work: the work is left to whoever has it now"
                );
                return;
            }
            Err(error) => tracing::warn!(%error, lease = name, "cannot be renewed just now"),
        }
    }
}
