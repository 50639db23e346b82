//! Subscriptions to other systems' pushes are kept in order: each wanted topic has one that is alive, none has two, and what
//! no mapping uses is taken back. One node does it at a time.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Callback, Registered, System},
    core::{
        connector::subscription::{Step, Subscription, Subscriptions},
        fault::Fault,
    },
    settings::{self, Settings},
    store::{self, Store, subscription::KeptSubscription},
    sync::Engine,
};

/// How often the daemon looks: well below what any subscription lasts.
const LOOK: Duration = Duration::from_mins(30);
/// How soon after a start, so that what has to be done at once goes first.
const FIRST: Duration = Duration::from_secs(5);
/// How long one look may take.
const LEASE: Duration = Duration::from_mins(10);

/// What there is at one system, and what was done.
#[derive(Debug)]
pub struct Tended {
    /// What is there now.
    pub ours: Vec<Subscription>,
    /// How many push somewhere else.
    pub others: usize,
    /// What was done, and what came of it.
    pub done: Vec<(Step, Result<(), Fault>)>,
}

/// Why subscriptions were not looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system's connector has none.
    #[error("the connector of system `{0}` says nothing of subscriptions")]
    Without(String),
    /// The system did not answer.
    #[error("{0}")]
    System(Fault),
    /// Some of them cannot be read: nothing is done that could double them.
    #[error("system `{system}`: {count} of its subscriptions push to us and have no id or topic that can be read")]
    Unreadable {
        /// The system.
        system: String,
        /// How many.
        count: usize,
    },
    /// Somebody else does it now.
    #[error("another process puts the subscriptions of system `{0}` in order now")]
    Busy(String),
    /// Our own database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A secret cannot be read.
    #[error("webhook secret of system `{system}`: {source}")]
    Secret {
        /// The system.
        system: String,
        /// Why.
        source: settings::ReadError,
    },
}

/// Where a system pushes to.
pub fn callback(settings: &Settings, system: &str) -> Result<Callback, Error> {
    let origin = settings.server.public_url.as_str().trim_end_matches('/');
    let first = settings
        .systems
        .get(system)
        .and_then(|given| given.webhook_secrets.first());
    let secret: Option<SecretString> = first
        .map(|given| given.secret.read(&settings.variables))
        .transpose()
        .map_err(|source| Error::Secret {
            system: system.to_owned(),
            source,
        })?;
    Ok(Callback {
        url: format!("{origin}/webhooks/{system}"),
        secret,
    })
}

/// What is there, by the system's own word, or by what is kept where it has no list.
pub async fn look(store: &Store, system: &System, callback: &Callback) -> Result<Registered, Error> {
    let registered = system.registered(callback).await.map_err(Error::System)?;
    match registered {
        Some(registered) if registered.unreadable > 0 => Err(Error::Unreadable {
            system: system.name().to_owned(),
            count: registered.unreadable,
        }),
        Some(mut registered) => {
            if system.subscriptions().is_some_and(Subscriptions::makes_secrets) {
                know_secrets(store, system.name(), &mut registered.ours).await?;
            }
            Ok(registered)
        }
        None => {
            let kept = store.subscriptions(system.name()).await?.into_iter();
            Ok(Registered {
                ours: kept
                    .map(|kept| Subscription {
                        id: kept.remote_id,
                        topic: kept.topic,
                        is_active: true,
                        expires_at: kept.expires_at,
                        secret: kept.secret,
                    })
                    .collect(),
                ..Registered::default()
            })
        }
    }
}

/// Most systems tell the secret of a subscription once, when it is made: from then on we know it, where anybody does.
async fn know_secrets(store: &Store, system: &str, ours: &mut [Subscription]) -> Result<(), store::Error> {
    let kept = store.subscriptions(system).await?;
    for one in ours.iter_mut().filter(|one| one.secret.is_none()) {
        let known = kept.iter().find(|kept| kept.remote_id == one.id);
        one.secret = known.and_then(|kept| kept.secret.clone());
    }
    Ok(())
}

/// Puts the subscriptions of a system in order. `is_used` says whether any mapping uses an object of it.
pub async fn tend(
    store: &Store,
    system: &System,
    callback: &Callback,
    is_used: impl Fn(&str) -> bool,
) -> Result<Tended, Error> {
    let name = system.name();
    let subscriptions = system.subscriptions().ok_or_else(|| Error::Without(name.to_owned()))?;
    let lease = format!("subscription/{name}");
    let Some(epoch) = store.acquire_free_lease(&lease, LEASE).await? else {
        return Err(Error::Busy(name.to_owned()));
    };
    let tended = async {
        let registered = look(store, system, callback).await?;
        let now = system.now();
        let steps = subscriptions.plan(&subscriptions.wanted(is_used), &registered.ours, now);
        let mut tended = Tended {
            ours: registered.ours,
            others: registered.others,
            done: Vec::with_capacity(steps.len()),
        };
        for step in steps {
            let done = carry_out(system, callback, &step, &mut tended.ours).await;
            tended.done.push((step, done));
            // At once, since a system without a list knows none but those that are kept.
            keep(store, name, &tended.ours).await?;
        }
        keep(store, name, &tended.ours).await?;
        Ok(tended)
    };
    let tended = tended.await;
    store.release_lease(&lease, epoch).await?;
    tended
}

async fn carry_out(
    system: &System,
    callback: &Callback,
    step: &Step,
    ours: &mut Vec<Subscription>,
) -> Result<(), Fault> {
    match step {
        Step::Delete(one, _) => {
            system.unsubscribe(callback, one).await?;
            ours.retain(|other| other.id != one.id);
        }
        Step::Create(topic) => ours.push(system.subscribe(callback, topic).await?),
        Step::Renew(one) => {
            let renewed = system.renew(callback, one).await?;
            ours.retain(|other| other.id != one.id);
            ours.push(renewed);
        }
    }
    Ok(())
}

async fn keep(store: &Store, system: &str, ours: &[Subscription]) -> Result<(), store::Error> {
    let kept: Vec<KeptSubscription> = ours
        .iter()
        .map(|one| KeptSubscription {
            remote_id: one.id.clone(),
            topic: one.topic.clone(),
            expires_at: one.expires_at,
            secret: one.secret.clone(),
        })
        .collect();
    store.keep_subscriptions(system, &kept).await
}

/// Whether any mapping of the engine uses an object of a system.
pub fn is_used(engine: &Engine, system: &str, object: &str) -> bool {
    engine.mappings().any(|mapping| {
        [&mapping.ends.left, &mapping.ends.right]
            .into_iter()
            .any(|end| &*end.system == system && &*end.object == object)
    })
}

/// Keeps the subscriptions of all systems in order, until `shutdown`.
pub async fn run(engine: Engine, settings: Arc<Settings>, shutdown: CancellationToken) {
    let mut wait = FIRST;
    while shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        wait = LOOK;
        for (name, system) in engine.systems() {
            if system.subscriptions().is_none() {
                continue;
            }
            let tended = async {
                let callback = callback(&settings, name)?;
                tend(engine.store(), system, &callback, |object| {
                    is_used(&engine, name, object)
                })
                .await
            };
            match shutdown.run_until_cancelled(tended).await {
                None => return,
                Some(Ok(tended)) => tell(name, &tended),
                Some(Err(Error::Busy(_))) => {}
                Some(Err(error)) => tracing::warn!(system = name, %error, "subscriptions were not looked at"),
            }
        }
    }
}

fn tell(system: &str, tended: &Tended) {
    for (step, done) in &tended.done {
        let (what, topic) = match step {
            Step::Delete(one, reason) => (format!("taken back, {}", reason.as_str()), one.topic.as_str()),
            Step::Create(topic) => ("made".to_owned(), topic.as_str()),
            Step::Renew(one) => ("renewed".to_owned(), one.topic.as_str()),
        };
        match done {
            Ok(()) => tracing::info!(system, topic, what, "subscription"),
            Err(fault) => tracing::warn!(system, topic, what, %fault, "subscription"),
        }
    }
}
