//! What lists have in common: how many rows, and how times and nothing are shown.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    context::Context,
    error::{Error, Result},
    project::{folders, unknown},
};
use crate::{
    catalog::overlay,
    core::tenant::{Reach, Tenant},
    server::settling::Decided,
    settings::Settings,
    store::{Access, Page, Store},
};

/// How many rows, and from where on.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Rows {
    /// The most rows
    #[arg(long, default_value_t = 50, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only rows with a smaller id: the last one of the page before
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
}

impl Rows {
    pub(super) const fn page(self) -> Page {
        Page {
            before: self.before,
            limit: self.limit,
        }
    }
}

/// A time to the second, in UTC.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A time, or nothing.
pub(super) fn maybe_time(at: Option<DateTime<Utc>>) -> String {
    at.map(time).unwrap_or_default()
}

/// Anything that can be shown, or nothing.
pub(super) fn maybe<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Opens the store for a look, beside a daemon that may be running.
pub(super) async fn look(context: &Context) -> Result<Store> {
    let settings = context.settings()?;
    context.store(&settings, Access::Read).await
}

/// Ends a command that found nothing of a mapping which is not there: an empty list would say that all is well. What is kept
/// about a mapping that was taken away since is still shown.
pub(super) fn check_mapping(context: &Context, mapping: Option<&str>, is_empty: bool) -> Result<()> {
    let Some(name) = mapping.filter(|_| is_empty) else {
        return Ok(());
    };
    let known = overlay::definitions(&folders(context).mappings);
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(unknown("mapping", name, known.iter().map(String::as_str)))
}

/// Opens the store for a decision, beside a daemon that may be running.
pub(super) async fn decide(context: &Context) -> Result<(Store, Settings)> {
    let settings = context.settings()?;
    let store = context.store(&settings, Access::Shared).await?;
    Ok((store, settings))
}

/// How far somebody is to see: limited to these tenants, or not at all. A tenant that nothing belongs to is a mistake.
pub(super) fn reach(settings: &Settings, tenants: &[Tenant]) -> Result<Reach> {
    let known: BTreeSet<&str> = settings
        .systems
        .values()
        .filter_map(|system| system.tenant.as_ref())
        .map(Tenant::as_str)
        .collect();
    match tenants.iter().find(|tenant| !known.contains(tenant.as_str())) {
        Some(_) if known.is_empty() => {
            let error = Error::usage("no system of the settings has a tenant");
            Err(error.with_hint("give each system its own: `[systems.<name>]`, `tenant = \"acme\"`"))
        }
        Some(stranger) => Err(unknown("tenant", stranger.as_str(), known.iter().copied())),
        None => Ok(Reach::said(tenants)),
    }
}

/// Says what became of a decision about `what`.
pub(super) fn decided(context: &Context, outcome: impl Into<Decided>, what: &str, done: &str) -> Result {
    match outcome.into() {
        Decided::Made => {
            context.output.talk(format!("{what}: {done}"));
            Ok(super::Exit::Done)
        }
        Decided::Unknown => Err(Error::failed(format!("there is no {what}"))),
        Decided::Settled => Err(Error::failed(format!("{what} is settled already"))),
        Decided::Changed => Err(Error::failed(format!("{what} has changed since you looked")).with_hint("look again")),
        Decided::Refused(why) => Err(Error::failed(why)),
    }
}

/// A thing that was asked for by its id.
pub(super) fn found<T>(thing: Option<T>, what: &str) -> Result<T> {
    thing.ok_or_else(|| Error::failed(format!("there is no {what}")))
}
