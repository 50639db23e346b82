//! Retention: once a day, in small portions.

use std::sync::Arc;

use super::{State, lease::while_held};
use crate::store;

const JOB: &str = "prune";

impl State {
    /// Clears away what has been kept long enough, once a day.
    pub(super) async fn prune_daily(self: &Arc<Self>) -> Result<(), store::Error> {
        let now = self.engine.clock().now();
        let (store, today) = (self.engine.store(), now.date_naive());
        let last = store.last_job(JOB).await?;
        if self.is_running(JOB) || last.is_some_and(|last| last.is_ended && last.date >= today) {
            return Ok(());
        }
        if self.is_clock_moved(now) {
            // Whatever the true time is: what is cleared away does not come back.
            tracing::warn!("the clock was moved since the start: old data is kept until a restart");
            return store.skip_job(JOB, today).await;
        }
        store.claim_job(JOB, today).await?;
        let state = Arc::clone(self);
        self.begin(JOB.to_owned(), async move {
            let store = state.engine.store();
            let work = async {
                let mut count = 0;
                while !state.shutdown.is_cancelled() {
                    let gone = store.prune(&state.options.retention).await?;
                    count += gone;
                    if gone == 0 {
                        store.finish_job(JOB, today).await?;
                        break;
                    }
                }
                Ok::<_, store::Error>(count)
            };
            match while_held(store, "job/prune", state.options.lease, work).await {
                Ok(Some(Ok(rows))) => tracing::info!(rows, "cleared away what had been kept long enough"),
                Ok(None) => {}
                Ok(Some(Err(error))) | Err(error) => tracing::error!(%error, "cannot clear old data away; tried again"),
            }
        });
        Ok(())
    }
}
