//! Notices: looks at everything that is watched, and sends what there is to tell.
//!
//! Every node looks and every node sends; the store lets one of them turn a condition, and one at a time try a delivery. What a
//! node alone can see (a pause, a circuit) it writes down as a sign, so that nodes that see different things do not tell
//! each other's contrary.

mod deliver;
mod target;
mod watch;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use target::{Refusal, Targets, Unbuildable};

use super::Signs;
use crate::{core::status::NoticeCondition, seam, settings::Settings, store, sync::Engine};

/// How often everything is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Watches and tells.
#[derive(Debug)]
pub struct Notifier {
    engine: Engine,
    settings: Arc<Settings>,
    signs: Signs,
    targets: Targets,
    own: Mutex<Own>,
    told: Notify,
}

/// What this node alone sees.
#[derive(Debug, Default)]
struct Own {
    /// Since when.
    since: HashMap<(NoticeCondition, String), DateTime<Utc>>,
    /// When it was last written down.
    put_at: Option<DateTime<Utc>>,
    /// How many signs were written then.
    put: usize,
}

impl Notifier {
    /// Watches the mappings and systems of `engine`; nothing is sent yet.
    pub fn new(engine: Engine, settings: Arc<Settings>, signs: Signs) -> Result<Self, Unbuildable> {
        Ok(Self {
            targets: Targets::new(&settings)?,
            engine,
            settings,
            signs,
            own: Mutex::default(),
            told: Notify::new(),
        })
    }

    /// Watches and sends until `shutdown`. What is being sent then is cut off and sent once more later.
    pub async fn run(self, shutdown: CancellationToken) {
        let both = async { tokio::join!(self.keep_watching(), self.keep_sending()) };
        shutdown.run_until_cancelled(Box::pin(both)).await;
        // Another start sees for itself.
        if let Err(error) = self.engine.store().put_notice_signs(&[]).await {
            tracing::warn!(%error, "what this node saw stays written down for a minute");
        }
    }

    async fn keep_watching(&self) {
        loop {
            if let Err(error) = self.watch().await {
                tracing::error!(%error, "cannot look at what is to be told");
            }
            if let Err(error) = self.measure().await {
                tracing::warn!(%error, "cannot count the notices that wait");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn keep_sending(&self) {
        loop {
            match self.deliver().await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => tracing::error!(%error, "cannot send notices"),
            }
            tokio::select! {
                () = self.told.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Says how many notices wait and how many were given up.
    async fn measure(&self) -> Result<(), store::Error> {
        let stats = self.engine.store().notice_targets().await?;
        for name in self.targets.names() {
            let of = stats.iter().find(|stats| stats.target == name);
            let (pending, dead) = of.map_or((0, 0), |stats| (stats.pending, stats.dead));
            self.signs.metrics.set_notices(name, pending, dead);
        }
        Ok(())
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name for a notice that no other has.
pub fn event_id(now: DateTime<Utc>) -> String {
    let mut chance = [0; 10];
    let drawn = seam::number()
        .to_be_bytes()
        .into_iter()
        .chain(seam::number().to_be_bytes());
    for (byte, drawn) in chance.iter_mut().zip(drawn) {
        *byte = drawn;
    }
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &chance)
        .into_uuid()
        .to_string()
}
