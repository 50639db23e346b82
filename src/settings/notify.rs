//! What people and programs are told of (`[notify]`), and how.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use super::{
    Settings,
    check::path,
    form::networks,
    layer::Layers,
    problem::Problem,
    secret::{Reference, WebhookSecret},
};
use crate::core::{
    notice::Filter,
    period::{Period, Share},
};

/// What is told, and to whom.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Drift is told above this: a share of the records, or a count.
    pub drift_above: Share,
    /// How long a mapping has to be paused, or a system not to answer, before it is told; and to be well again.
    pub after: Period,
    /// How long after its time a daily reconciliation is told to be missing.
    pub overdue_after: Period,
    /// How long before their date secrets are told to be due.
    pub secret_due: Period,
    /// How long a notice is tried before it is given up.
    pub retry_for: Period,
    /// How long one request, or one letter, may take.
    pub timeout: Period,
    /// What is different for a mapping, by name.
    #[serde(default)]
    pub mappings: BTreeMap<String, Of>,
    /// Programs that are told, by name.
    #[serde(default)]
    pub webhooks: BTreeMap<String, Webhook>,
    /// People that are told, by name.
    #[serde(default)]
    pub mails: BTreeMap<String, Mail>,
}

/// What is different for one mapping.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Of {
    /// Drift is told above this.
    #[serde(default)]
    pub drift_above: Option<Share>,
    /// How long after its time a reconciliation is told to be missing.
    #[serde(default)]
    pub overdue_after: Option<Period>,
}

/// A program that is told, by Standard Webhooks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Its address; a reference where the address itself is a secret.
    pub url: Reference,
    /// What is signed with: `whsec_` and base64; several while one is being replaced.
    pub secrets: Vec<WebhookSecret>,
    /// Which notices it gets; all where nothing is said.
    #[serde(default, deserialize_with = "filters")]
    #[schemars(with = "Vec<String>")]
    pub events: Vec<Filter>,
    /// More headers.
    #[serde(default)]
    pub headers: BTreeMap<String, Reference>,
    /// Private networks that its address may be in.
    #[serde(default, deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub allow_networks: Vec<IpNet>,
}

/// People that are told by e-mail.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The mail server: `smtps://user:password@host` (TLS), `smtp://host` (STARTTLS), `smtp://host?tls=none`.
    pub smtp: Reference,
    /// The sender's address.
    #[serde(deserialize_with = "mailbox")]
    #[schemars(with = "String")]
    pub from: String,
    /// The receivers' addresses.
    #[serde(deserialize_with = "mailboxes")]
    pub to: Vec<String>,
    /// Which notices they get; all where nothing is said.
    #[serde(default, deserialize_with = "filters")]
    #[schemars(with = "Vec<String>")]
    pub events: Vec<Filter>,
}

impl Notify {
    /// The drift of a mapping above which it is told.
    #[must_use]
    pub fn drift_above(&self, mapping: &str) -> Share {
        let of = self.mappings.get(mapping).and_then(|of| of.drift_above);
        of.unwrap_or(self.drift_above)
    }

    /// How long after its time a mapping's reconciliation is told to be missing.
    #[must_use]
    pub fn overdue_after(&self, mapping: &str) -> Period {
        let of = self.mappings.get(mapping).and_then(|of| of.overdue_after);
        of.unwrap_or(self.overdue_after)
    }

    /// Every reference with its key.
    pub(super) fn references(&self) -> impl Iterator<Item = (String, &Reference)> {
        let webhooks = self.webhooks.iter().flat_map(|(name, webhook)| {
            let key = format!("notify.webhooks.{name}");
            let secrets = webhook.secrets.iter().enumerate();
            let secrets: Vec<_> = secrets
                .map(|(index, secret)| (format!("{key}.secrets.{index}"), &secret.secret))
                .collect();
            let headers: Vec<_> = webhook
                .headers
                .iter()
                .map(|(header, value)| (format!("{key}.headers.{header}"), value))
                .collect();
            std::iter::once((format!("{key}.url"), &webhook.url))
                .chain(secrets)
                .chain(headers)
        });
        let mails = self.mails.iter();
        webhooks.chain(mails.map(|(name, mail)| (format!("notify.mails.{name}.smtp"), &mail.smtp)))
    }
}

/// What types leave open.
pub(super) fn check(settings: &Settings, layers: &Layers, problems: &mut Vec<Problem>) {
    let notify = &settings.notify;
    let mut wrong = |key: String, message: String, hint: &str| {
        let origin = layers.origin(&path(&key));
        problems.push(Problem::error("CF004", key, origin, message).with_hint(hint));
    };
    let names: BTreeSet<&String> = notify.webhooks.keys().collect();
    for name in notify.mails.keys().filter(|name| names.contains(name)) {
        let message = format!("there is a webhook of the name `{name}` too");
        wrong(
            format!("notify.mails.{name}"),
            message,
            "give each target a name of its own",
        );
    }
    for (name, webhook) in &notify.webhooks {
        if webhook.secrets.is_empty() {
            let hint =
                "give at least one: `whsec_` and 24 to 64 random bytes in base64; docs/notifications.md says how";
            let message = format!("the webhook `{name}` has no secret to sign with");
            wrong(format!("notify.webhooks.{name}.secrets"), message, hint);
        }
        if let Reference::Text(url) = &webhook.url
            && !is_address(url.expose_secret(), &["https", "http"])
        {
            let message = format!("the address of the webhook `{name}` is none");
            wrong(
                format!("notify.webhooks.{name}.url"),
                message,
                "`https://ops.example.com/hooks/syncline`",
            );
        }
    }
    for (name, mail) in &notify.mails {
        if let Reference::Text(url) = &mail.smtp
            && !is_address(url.expose_secret(), &["smtps", "smtp"])
        {
            let message = format!("the mail server of `{name}` is no address");
            let hint = "`smtps://mail.example.com` (TLS), `smtp://mail.example.com` (STARTTLS)";
            wrong(format!("notify.mails.{name}.smtp"), message, hint);
        }
    }
}

fn is_address(text: &str, schemes: &[&str]) -> bool {
    Url::parse(text)
        .is_ok_and(|url| schemes.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty()))
}

fn filters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Filter>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts
        .iter()
        .map(|text| text.parse().map_err(D::Error::custom))
        .collect()
}

fn mailbox<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(String::deserialize(deserializer)?)
}

fn mailboxes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    if texts.is_empty() {
        return Err(D::Error::custom("nobody is named"));
    }
    texts.into_iter().map(checked).collect()
}

/// A bare address: one `@`, and nothing that ends a header or begins another address.
fn checked<E: serde::de::Error>(text: String) -> Result<String, E> {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>(),;:\"\\".contains(c);
    let halves = text.split_once('@');
    let is_address = halves.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    if is_address && text.len() <= 254 && text.chars().all(is_plain) {
        return Ok(text);
    }
    Err(E::custom(format!("`{text}` is no address such as `ops@example.com`")))
}
