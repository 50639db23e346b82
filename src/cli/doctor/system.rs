//! One other system, tried for real: its secrets, its address, its sign-in, one page of each mapped object, its webhooks.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::Finding;
use crate::{
    catalog::load::Catalog,
    cli::{context::Context, error::Result, output::count},
    client::{Listing, Road, System},
    core::{
        status::{FailureClass, Side},
        webhook::Secret,
    },
    settings::{self, Settings},
    store::{Keys, Options, Store},
    worker::assembly,
};

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A database for the time of the examination: systems are signed in to anew, and what the daemon keeps stays untouched.
pub(super) struct Scratch {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Scratch {
    pub(super) async fn open(context: &Context) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("syncline-doctor-").tempdir()?;
        let url = format!("sqlite://{}", folder.path().join("scratch.db").display());
        let options = Options {
            clock: context.clock.clone(),
            ..Options::new(url, Keys::derive(&rand::random()))
        };
        let store = Store::open(&options).await?;
        Ok(Self { store, _folder: folder })
    }

    pub(super) async fn close(self) {
        self.store.close().await;
    }
}

pub(super) async fn examine(
    context: &Context,
    settings: &Settings,
    catalog: &Catalog,
    scratch: &Scratch,
    name: &str,
    given: &settings::System,
) -> Vec<Finding> {
    let part = format!("system {name}");
    let mut findings = secrets(settings, &part, name);
    findings.extend(rotation(&part, given));
    let has_secrets = findings.iter().all(|finding| finding.state != super::State::Wrong);
    if has_secrets {
        match assembly::system(settings, catalog, &scratch.store, &context.clock, name, given) {
            Ok(system) => findings.extend(reach(catalog, &part, name, &system).await),
            Err(error) => {
                let found = Finding::wrong(&part, chain(&error));
                findings.push(found.next("`syncline check` says what the connector needs"));
            }
        }
    }
    findings.extend(webhooks(settings, catalog, &part, name, given));
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
        .map(|problem| Finding::wrong(part, problem.message).next(problem.hint.unwrap_or_default()))
        .collect()
}

/// Dates that are near or past are warnings of the settings already.
fn rotation(part: &str, given: &settings::System) -> Option<Finding> {
    let date = given.secret_rotate_by?;
    let by = given
        .secret_owner
        .as_deref()
        .map_or_else(String::new, |owner| format!(" by {owner}"));
    Some(Finding::good(
        part,
        format!("secrets are to be replaced{by} until {date}"),
    ))
}

/// Reads one page of each object that a mapping is about.
async fn reach(catalog: &Catalog, part: &str, name: &str, system: &System) -> Vec<Finding> {
    let objects: BTreeSet<&str> = catalog
        .mappings
        .values()
        .flat_map(|mapping| [mapping.end(Side::Left), mapping.end(Side::Right)])
        .filter(|end| end.system == name)
        .map(|end| end.object.as_str())
        .collect();
    if objects.is_empty() {
        let found = Finding::notable(part, "no mapping uses it: nothing was tried");
        return vec![found.next("map one of its objects, or remove it from the settings")];
    }
    let mut findings = Vec::new();
    for object in objects {
        let found = page(part, system, object).await;
        let is_wrong = found.state == super::State::Wrong;
        findings.push(found);
        if is_wrong {
            // What one object meets, the others would meet as well.
            break;
        }
    }
    findings
}

async fn page(part: &str, system: &System, object: &str) -> Finding {
    let started = Instant::now();
    let mut lister = system.list(object, Listing::default(), Road::Manual);
    let Ok(answer) = tokio::time::timeout(PATIENCE, lister.next()).await else {
        return Finding::wrong(part, format!("`{object}`: no answer within {} s", PATIENCE.as_secs()))
            .next("look at the system, at the network in between, and at `limits.timeout` of the connector");
    };
    let took = started.elapsed().as_millis();
    match answer {
        Ok(page) => {
            let records = page.map_or(0, |page| page.records.len());
            let found = format!(
                "`{object}`: reached, signed in, {} read in {took} ms",
                count(records, "record")
            );
            if records == 0 {
                return Finding::notable(part, found)
                    .next("if there should be some, look at what these credentials may see");
            }
            Finding::good(part, found)
        }
        Err(fault) => {
            let next = fault.hint.clone().unwrap_or_else(|| by_class(fault.class).to_owned());
            Finding::wrong(part, fault.to_string()).next(next)
        }
    }
}

/// Advice where the fault has none of its own.
const fn by_class(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Auth => "look at the credentials in the settings, and at the rights of that user in the system",
        FailureClass::Transient => "look whether the system runs and can be reached from this machine, then try again",
        _ => "compare `base_url` and the connector with the system's documentation",
    }
}

fn webhooks(
    settings: &Settings,
    catalog: &Catalog,
    part: &str,
    name: &str,
    given: &settings::System,
) -> Option<Finding> {
    let definition = catalog.connector_of(name)?.webhooks.as_ref()?;
    let address = format!("{}webhooks/{name}", settings.server.public_url);
    if definition.recipe().is_unverified() {
        let found = Finding::notable(part, format!("webhooks are taken unverified at {address}"));
        return Some(found.next("anybody who knows the address can send them: use a signature if the sender can sign"));
    }
    if given.webhook_secrets.is_empty() {
        let found = Finding::notable(part, "no webhook secret is given: its pushes are refused");
        return Some(found.next("add `webhook_secrets = [{ env = \"…\" }]`, or let mappings poll it"));
    }
    for secret in &given.webhook_secrets {
        // One that cannot be read was told among the secrets.
        let Ok(text) = secret.secret.read(&settings.variables) else {
            continue;
        };
        if let Err(error) = Secret::parse(definition.recipe(), &text) {
            let found = Finding::wrong(part, format!("a webhook secret is none: {error}"));
            return Some(found.next("copy it anew from the sender"));
        }
    }
    let secrets = count(given.webhook_secrets.len(), "secret");
    Some(Finding::good(
        part,
        format!("webhooks are taken at {address}, {secrets}"),
    ))
}
