//! Databases that say which rows change: each is looked at at once, instead of at the next poll.
//!
//! Nothing depends on it. What is told while nobody listens is found by the poll, which goes on as before; what several nodes
//! hear is one change in the dirty set.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Hearing, System},
    core::{
        record::RecordKey,
        status::{ChangeOrigin, EventKind},
    },
    store::{self, Op, change::NewChange},
    sync::Engine,
};

/// The first wait for a database that is not heard, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Listens to every database that tells what changes, until `shutdown`.
pub async fn run(engine: Engine, shutdown: CancellationToken) {
    let systems: Vec<(String, Arc<System>)> = engine
        .systems()
        .map(|(name, system)| (name.to_owned(), Arc::clone(system)))
        .collect();
    let each = systems.iter().map(|(name, system)| one(&engine, name, system));
    let _ = shutdown.run_until_cancelled(join_all(each)).await;
    // Where no system tells anything there is nothing to do; a part that ends would end the daemon.
    shutdown.cancelled().await;
}

/// Listens to one system; ends where it tells nothing at all.
async fn one(engine: &Engine, name: &str, system: &System) {
    let mut wait = WAITS.0;
    loop {
        match system.hear().await {
            Ok(None) => return,
            Ok(Some(hearing)) => {
                tracing::info!(system = name, "listening for rows that change");
                let error = heard(engine, name, hearing).await.err();
                let error = error.map_or_else(|| "the connection broke".to_owned(), |error| error.to_string());
                tracing::warn!(system = name, %error, "listening again; polls find what is told meanwhile");
                wait = WAITS.0;
            }
            Err(error) => tracing::warn!(system = name, %error, "rows that change are not heard; polls find them"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAITS.1);
    }
}

/// Brings up every row that is told, until the connection breaks.
async fn heard(engine: &Engine, name: &str, mut hearing: Hearing) -> Result<(), store::Error> {
    while let Some((objects, id)) = hearing.next().await {
        let ends = objects.iter().flat_map(|object| engine.ends_of(name, object));
        let changes = ends.map(|(mapping, side)| {
            let key = RecordKey::new(mapping.name.as_str(), side, id.as_str());
            Op::Enqueue(NewChange::new(key, ChangeOrigin::Poll, EventKind::Updated))
        });
        let changes: Vec<Op> = changes.collect();
        if !changes.is_empty() {
            engine.store().commit(changes).await?;
        }
    }
    Ok(())
}
