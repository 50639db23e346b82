//! Targets: who is told, and how one message is sent to one of them.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::{
    client::{self, ConfigError, MailError, Mailer, PostError, Poster, guard},
    core::{
        notice::{
            self, Payload,
            signature::{Key, NoKey, headers},
        },
        status::{NoticeCondition, NoticeState},
    },
    settings::{self, ReadError, Settings, Variables},
};

/// Everybody who is told, by name.
#[derive(Debug)]
pub struct Targets {
    by_name: BTreeMap<String, Target>,
    variables: Variables,
}

#[derive(Debug)]
enum Target {
    Webhook(settings::Webhook, Poster),
    Mail(settings::Mail, Mailer),
}

/// Why a target cannot be told anything.
#[derive(Debug, thiserror::Error)]
#[error("notify.webhooks.{target}: {source}")]
pub struct Unbuildable {
    target: String,
    source: ConfigError,
}

/// Why one try did not go well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What happened, with its code; no secret and no address.
    pub reason: String,
    /// Whether there is no use in trying again.
    pub is_final: bool,
    /// How long the target asks us to wait.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    fn of(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            is_final: false,
            retry_after: None,
        }
    }
}

impl From<PostError> for Refusal {
    fn from(error: PostError) -> Self {
        Self::of(error.to_string())
    }
}

impl From<MailError> for Refusal {
    fn from(error: MailError) -> Self {
        Self::of(error.to_string())
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::of(format!("[NT005] {error}"))
    }
}

impl From<NoKey> for Refusal {
    fn from(error: NoKey) -> Self {
        Self::of(format!("[NT005] {error}"))
    }
}

/// What is sent to one target.
pub(super) struct Message<'a> {
    /// The same in every try.
    pub(super) event_id: &'a str,
    /// The document.
    pub(super) payload: &'a str,
    /// The same for people.
    pub(super) letter: &'a notice::Letter,
    /// When the change was seen.
    pub(super) occurred_at: DateTime<Utc>,
}

impl Targets {
    /// The targets of these settings; nothing is sent yet.
    pub fn new(settings: &Settings) -> Result<Self, Unbuildable> {
        let notify = &settings.notify;
        let timeout = notify.timeout.duration();
        let mut by_name = BTreeMap::new();
        for (name, webhook) in &notify.webhooks {
            let network = guard::Policy {
                allow: webhook.allow_networks.clone(),
                proxy: None,
            };
            let poster = Poster::new(network, timeout).map_err(|source| Unbuildable {
                target: name.clone(),
                source,
            })?;
            by_name.insert(name.clone(), Target::Webhook(webhook.clone(), poster));
        }
        for (name, mail) in &notify.mails {
            by_name.insert(name.clone(), Target::Mail(mail.clone(), Mailer { timeout }));
        }
        Ok(Self {
            by_name,
            variables: settings.variables.clone(),
        })
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.by_name.keys().map(String::as_str)
    }

    /// Those that get notices of this type.
    #[must_use]
    pub fn of(&self, condition: NoticeCondition, state: NoticeState) -> Vec<String> {
        let gets = |target: &Target| {
            let events = match target {
                Target::Webhook(webhook, _) => &webhook.events,
                Target::Mail(mail, _) => &mail.events,
            };
            events.is_empty() || events.iter().any(|filter| filter.fits(condition, state))
        };
        let all = self.by_name.iter();
        all.filter(|(_, target)| gets(target))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Sends a message to a target that a person can recognize as a test. None where there is no such target.
    pub async fn test(&self, target: &str, environment: &str, now: DateTime<Utc>) -> Option<Result<(), Refusal>> {
        let payload = Payload::test(super::event_id(now), environment.to_owned(), now, target);
        let message = Message {
            event_id: &payload.event_id,
            payload: &payload.to_json(),
            letter: &payload.letter(),
            occurred_at: now,
        };
        self.send(target, &message, now).await
    }

    /// Sends one message to one target; none where it is not in the settings.
    pub(super) async fn send(
        &self,
        target: &str,
        message: &Message<'_>,
        now: DateTime<Utc>,
    ) -> Option<Result<(), Refusal>> {
        Some(match self.by_name.get(target)? {
            Target::Webhook(webhook, poster) => self.post(webhook, poster, message, now).await,
            Target::Mail(mail, mailer) => self.write(mail, *mailer, message).await,
        })
    }

    async fn post(
        &self,
        webhook: &settings::Webhook,
        poster: &Poster,
        message: &Message<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let body = message.payload.as_bytes();
        let keys = self.keys(webhook, now)?;
        let url = webhook.url.read(&self.variables)?;
        let mut sent = Vec::new();
        for (name, value) in &webhook.headers {
            sent.push((name.clone(), value.read(&self.variables)?));
        }
        let signed = headers(&keys, message.event_id, now, body);
        sent.extend(signed.map(|(name, value)| (name.to_owned(), SecretString::from(value))));
        let took = poster.post(&url, sent, body.to_vec(), now).await?;
        match took.status {
            200..=299 => Ok(()),
            410 => Err(Refusal {
                is_final: true,
                ..Refusal::of("[NT008] answered 410: it is not there any more; take it out of the settings")
            }),
            status => Err(Refusal {
                retry_after: took.retry_after,
                ..Refusal::of(format!("[NT004] answered {status}"))
            }),
        }
    }

    /// The secrets that are still in time, read anew for every try: a file that was replaced counts at once.
    fn keys(&self, webhook: &settings::Webhook, now: DateTime<Utc>) -> Result<Vec<Key>, Refusal> {
        let in_time = webhook
            .secrets
            .iter()
            .filter(|secret| secret.not_after.is_none_or(|end| now < end));
        let mut keys = Vec::new();
        for secret in in_time {
            keys.push(Key::parse(&secret.secret.read(&self.variables)?)?);
        }
        if keys.is_empty() {
            return Err(Refusal::of("[NT005] the time of every secret is over: give a new one"));
        }
        Ok(keys)
    }

    async fn write(&self, mail: &settings::Mail, mailer: Mailer, message: &Message<'_>) -> Result<(), Refusal> {
        let smtp = mail.smtp.read(&self.variables)?;
        let letter = client::Letter {
            from: &mail.from,
            to: &mail.to,
            subject: &message.letter.subject,
            body: &message.letter.body,
            id: message.event_id,
            at: message.occurred_at,
        };
        Ok(mailer.send(&smtp, &letter).await?)
    }
}
