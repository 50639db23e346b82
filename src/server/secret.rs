//! The secrets that pushes of a system are verified with: those of the settings, and those that the system made for the
//! subscriptions of ours. These come and go while we run, on whatever node makes them: they are looked up from time to time, and
//! again when a push is signed with none that is known, but not for every stranger who tries.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    core::webhook::{Recipe, Secret},
    store::{self, Store},
};

/// How long a secret may count that its subscription has outlived.
const STALE: TimeDelta = TimeDelta::seconds(60);
/// The least time between two looks that strangers can make us take.
const PATIENCE: TimeDelta = TimeDelta::seconds(1);

/// Why the secrets are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A push has come.
    Usual,
    /// It is signed with none of those that are known.
    Unknown,
}

/// The secrets of one system.
#[derive(Debug)]
pub(super) struct Secrets {
    given: Vec<Secret>,
    makes: bool,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    all: Arc<[Secret]>,
    looked_at: Option<DateTime<Utc>>,
}

impl Secrets {
    pub(super) fn new(given: Vec<Secret>) -> Self {
        Self {
            known: Mutex::new(Known {
                all: given.iter().cloned().collect(),
                looked_at: None,
            }),
            given,
            makes: false,
        }
    }

    /// The system makes a secret for each subscription.
    pub(super) const fn with_made(mut self) -> Self {
        self.makes = true;
        self
    }

    pub(super) const fn has_made(&self) -> bool {
        self.makes
    }

    /// Those that are known without a look.
    pub(super) fn known(&self) -> Arc<[Secret]> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known.all)
    }

    /// Looks them up where it is time to; whether it was.
    pub(super) async fn look(
        &self,
        store: &Store,
        (system, recipe): (&str, &Recipe),
        why: Look,
        now: DateTime<Utc>,
    ) -> Result<bool, store::Error> {
        if !self.makes || !self.is_time(why, now) {
            return Ok(false);
        }
        let mut all = self.given.clone();
        for kept in store.subscriptions(system).await? {
            let Some(secret) = kept.secret else { continue };
            match Secret::parse(recipe, secret.text()) {
                Ok(secret) => all.push(secret.of(&kept.remote_id)),
                Err(error) => {
                    tracing::warn!(system, topic = %kept.topic, %error, "the secret of a subscription is none");
                }
            }
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Known {
            all: all.into(),
            looked_at: Some(now),
        };
        Ok(true)
    }

    fn is_time(&self, why: Look, now: DateTime<Utc>) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = match why {
            Look::Usual => STALE,
            Look::Unknown => PATIENCE,
        };
        known
            .looked_at
            .is_none_or(|at| now.signed_duration_since(at).abs() >= patience)
    }
}
