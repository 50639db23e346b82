//! One other system, tried for real: its secrets, its address, its sign-in, the first page of each object, its webhooks.

use super::{Finding, reach::Patient};
use crate::{
    catalog::load::{Catalog, Loaded},
    cli::{context::Context, error::Result, output::count, project::broken_connector},
    core::webhook::Secret,
    settings::{self, Settings},
    store::{Keys, Options, Store},
    worker::assembly,
};

/// A database for the time of the examination: systems are signed in to anew, and what the daemon keeps stays untouched.
pub(in crate::cli) struct Scratch {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Scratch {
    pub(in crate::cli) async fn open(context: &Context) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("syncline-doctor-").tempdir()?;
        let url = format!("sqlite://{}", folder.path().join("scratch.db").display());
        let options = Options {
            clock: context.clock.clone(),
            ..Options::new(url, Keys::derive(&rand::random()))
        };
        let store = Store::open(&options).await?;
        Ok(Self { store, _folder: folder })
    }

    pub(in crate::cli) const fn store(&self) -> &Store {
        &self.store
    }

    pub(in crate::cli) async fn close(self) {
        self.store.close().await;
    }
}

pub(super) async fn examine(
    context: &Context,
    settings: &Settings,
    loaded: &Loaded,
    scratch: &Scratch,
    name: &str,
    given: &settings::System,
) -> Vec<Finding> {
    let part = format!("system {name}");
    let catalog = &loaded.catalog;
    let mut findings = secrets(settings, &part, name);
    findings.extend(rotation(&part, given));
    let has_secrets = findings.iter().all(|finding| finding.state != super::State::Wrong);
    if has_secrets {
        match assembly::system(settings, catalog, &scratch.store, &context.clock, name, given) {
            Ok(system) => findings.extend(Patient::new(catalog, &part, &system, given).examine().await),
            Err(assembly::Error::NoConnector { connector, .. }) => {
                let (found, next) = broken_connector(loaded, &connector);
                findings.push(Finding::wrong(&part, found).next(next));
            }
            Err(error) => {
                let found = Finding::wrong(&part, chain(&error));
                findings.push(found.next("`syncline check` says what the connector needs"));
            }
        }
    }
    let webhooks = webhooks(settings, catalog, &part, name, given);
    findings.extend(webhooks.map(|finding| finding.about("webhooks")));
    findings
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = inner.source();
    }
    text
}

fn secrets(settings: &Settings, part: &str, name: &str) -> Vec<Finding> {
    let inside = format!("systems.{name}.");
    let missing = settings
        .missing_secrets()
        .into_iter()
        .filter(|problem| problem.key.starts_with(&inside));
    missing
        .map(|problem| {
            let finding = Finding::wrong(part, problem.message).about("secrets");
            finding.next(problem.hint.unwrap_or_default())
        })
        .collect()
}

/// Dates that are near or past are warnings of the settings already.
fn rotation(part: &str, given: &settings::System) -> Option<Finding> {
    let date = given.secret_rotate_by?;
    let by = given
        .secret_owner
        .as_deref()
        .map_or_else(String::new, |owner| format!(" by {owner}"));
    Some(Finding::good(part, format!("to be replaced{by} until {date}")).about("secrets"))
}

/// How the daily quota stands, as all nodes count it.
pub(super) async fn quota(
    store: &Store,
    catalog: &Catalog,
    settings: &Settings,
    name: &str,
    given: &settings::System,
) -> Option<Finding> {
    let connector = catalog.connector_of(name)?;
    let limits = settings.requests.limits().with(&connector.limits).with(&given.limits);
    let (daily, part) = (limits.daily?, format!("system {name}"));
    let reserve = limits.reserve.of(daily);
    let spent = match store.quota_spent(name).await {
        Ok(spent) => spent,
        Err(error) => return Some(Finding::wrong(part, error.to_string()).about("quota")),
    };
    let found = format!("{spent} of {daily} requests of the last 24 hours used, {reserve} are kept for live events");
    let finding = if spent >= daily.saturating_sub(reserve) {
        Finding::notable(part, found)
            .next("polls and reconciliations wait; poll and reconcile less often, or raise the quota with the vendor")
    } else {
        Finding::good(part, found)
    };
    Some(finding.about("quota"))
}

fn webhooks(
    settings: &Settings,
    catalog: &Catalog,
    part: &str,
    name: &str,
    given: &settings::System,
) -> Option<Finding> {
    let connector = catalog.connector_of(name)?;
    let definition = connector.webhooks.as_ref()?;
    let address = format!("{}webhooks/{name}", settings.server.public_url);
    if definition.recipe().is_unverified() {
        let found = Finding::notable(part, format!("taken unverified at {address}"));
        return Some(found.next("anybody who knows the address can send them: use a signature if the sender can sign"));
    }
    if given.webhook_secrets.is_empty() && connector.makes_secrets() {
        return Some(Finding::good(
            part,
            format!("taken at {address}, with the secrets of its subscriptions"),
        ));
    }
    if given.webhook_secrets.is_empty() {
        let found = Finding::notable(part, "no secret is given: its pushes are refused");
        return Some(found.next("add `webhook_secrets = [{ env = \"…\" }]`, or let mappings poll it"));
    }
    for secret in &given.webhook_secrets {
        // One that cannot be read was told among the secrets.
        let Ok(text) = secret.secret.read(&settings.variables) else {
            continue;
        };
        if let Err(error) = Secret::parse(definition.recipe(), &text) {
            let found = Finding::wrong(part, format!("a secret is none: {error}"));
            return Some(found.next("copy it anew from the sender"));
        }
    }
    let secrets = count(given.webhook_secrets.len(), "secret");
    Some(Finding::good(part, format!("taken at {address}, {secrets}")))
}
