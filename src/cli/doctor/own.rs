//! What is on this machine: settings, files, the database with its key, the schedule.

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::Finding;
use crate::{
    catalog::load::{Catalog, Loaded},
    cli::{context::Context, output::count, project::run_cases},
    core::status::{RunStatus, Side},
    settings::{Problem, Settings},
    store::{self, Access, Page, Store, failure::FailureFilter, notice::TargetStats, run::RunFilter},
};

/// Less free space than this is told, in bytes.
const SPACE_MIN: u64 = 1 << 30;
/// The address that settings have unless a person sets another.
const HERE: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

pub(super) fn settings(context: &Context, settings: &Settings, warnings: &[Problem]) -> Vec<Finding> {
    let environment = &settings.environment;
    let mut findings = vec![Finding::good(
        "settings",
        format!(
            "environment `{environment}` of {}, {}",
            context.source.folder.display(),
            count(settings.systems.len(), "system")
        ),
    )];
    if settings.systems.is_empty() {
        let none = Finding::notable("settings", "no system is declared");
        findings.push(none.next("declare them under `[systems.<name>]`; `syncline init FOLDER` lays out an example"));
    }
    findings.extend(warnings.iter().map(|problem| {
        let found = Finding::notable("settings", format!("[{}] {}", problem.code, problem.message));
        match &problem.hint {
            Some(hint) => found.next(hint),
            None => found,
        }
    }));
    let own = settings
        .missing_secrets()
        .into_iter()
        .filter(|problem| !problem.key.starts_with("systems."));
    findings
        .extend(own.map(|problem| Finding::wrong("settings", problem.message).next(problem.hint.unwrap_or_default())));
    findings
}

pub(super) fn wrong_settings(context: &Context, problems: &[Problem]) -> Finding {
    let errors: Vec<&Problem> = problems.iter().filter(|problem| !problem.is_warning()).collect();
    let first = errors
        .first()
        .map_or_else(String::new, |problem| format!(": {}", problem.message));
    let environment = &context.source.environment;
    let found = format!(
        "{} in the settings of `{environment}`{first}",
        count(errors.len(), "problem")
    );
    Finding::wrong("settings", found)
        .next("`syncline check` shows all of them with their lines; nothing else can be tried before")
}

pub(super) async fn catalog(loaded: &Loaded) -> Finding {
    let errors = loaded.diagnostics.iter().filter(|problem| problem.is_error()).count();
    if errors > 0 {
        return Finding::wrong(
            "files",
            format!("{} in connectors and mappings", count(errors, "problem")),
        )
        .next("`syncline check` shows each with its line");
    }
    let reports = run_cases(&loaded.catalog, None).await;
    let failing = reports.iter().filter(|(_, report)| !report.is_ok()).count();
    if failing > 0 {
        return Finding::wrong("files", format!("cases of {} fail", count(failing, "definition")))
            .next("syncline test");
    }
    let (connectors, mappings) = (loaded.catalog.connectors.len(), loaded.catalog.mappings.len());
    let found = format!(
        "{}, {} in use",
        count(connectors, "connector"),
        count(mappings, "mapping")
    );
    if mappings == 0 {
        return Finding::notable("files", found)
            .next("write a mapping: docs/mappings.md, or `syncline init FOLDER` for an example");
    }
    Finding::good("files", found)
}

/// The database's file, where it is one.
fn file_of(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    Some(Path::new(path.split('?').next().unwrap_or(path)))
}

/// What keeps the first start from making the database: the folder that is there of its path takes no file from us.
fn unwritable(settings: &Settings) -> Option<Finding> {
    let url = settings.store.url.read(&settings.variables).ok()?;
    let file = file_of(url.expose_secret())?;
    let above = file.ancestors().skip(1);
    // What is above a bare name is this folder.
    let mut above = above.map(|path| {
        if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        }
    });
    let folder = above.find(|path| path.exists())?;
    let why = if folder.is_dir() {
        let wanted = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(folder, wanted).err()?.to_string()
    } else {
        "it is no folder".to_owned()
    };
    let found = format!(
        "there is none, and {} cannot be made: {}: {why}",
        file.display(),
        folder.display()
    );
    Some(
        Finding::wrong("database", found)
            .next("give this folder to Syncline's user, or name another place under `[store]`: `url = \"sqlite://…\"`"),
    )
}

pub(super) async fn database(context: &Context, settings: &Settings) -> Vec<Finding> {
    let store = match context.store(settings, Access::Shared).await {
        Ok(store) => store,
        Err(error) => {
            let is_absent = matches!(error.cause::<store::Error>(), Some(store::Error::Absent { .. }));
            if is_absent && let Some(finding) = unwritable(settings) {
                return vec![finding];
            }
            if is_absent && settings.is_dev() {
                let found = Finding::notable("database", "there is none yet");
                return vec![found.next("the first `syncline run`, `reconcile` or `migrate` makes it")];
            }
            let found = Finding::wrong("database", error.to_string());
            return vec![match error.hint() {
                Some(hint) => found.next(hint),
                None => found,
            }];
        }
    };
    let mut findings = Vec::new();
    findings.push(match store.ping().await {
        Ok(()) => Finding::good(
            "database",
            format!(
                "{}, version {}, can be written, the data key fits",
                store.kind(),
                store::migrate::newest()
            ),
        ),
        Err(error) => Finding::wrong("database", error.to_string()),
    });
    let url = settings.store.url.read(&settings.variables);
    if let Ok(url) = &url {
        findings.extend(space(url.expose_secret()));
        findings.extend(daemon(&store, url.expose_secret()).await);
    }
    findings.extend(work(&store).await);
    store.close().await;
    findings
}

/// The space that is left beside a database file.
fn space(url: &str) -> Option<Finding> {
    let path = file_of(url)?;
    let stat = rustix::fs::statvfs(path).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let shown = format!("{:.1} GiB free beside {}", gib(free), path.display());
    Some(if free < SPACE_MIN {
        Finding::notable("disk", shown)
            .next("free some, or shorten `[retention]`: without space webhooks are answered 503")
    } else {
        Finding::good("disk", shown)
    })
}

/// Gibibytes, for people.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn gib(bytes: u64) -> f64 {
    (bytes / (1 << 20)) as f64 / 1024.0
}

async fn daemon(store: &Store, url: &str) -> Option<Finding> {
    Some(match store.has_daemon(url).await {
        Ok(true) => Finding::good("daemon", "runs on this database"),
        Ok(false) => {
            Finding::notable("daemon", "none runs on this database").next("start it: `syncline run`, or its unit")
        }
        Err(error) => Finding::wrong("daemon", error.to_string()),
    })
}

/// What waits for a person.
async fn work(store: &Store) -> Vec<Finding> {
    let held = RunFilter {
        status: Some(RunStatus::Held),
        ..RunFilter::default()
    };
    let looked = async {
        let failures = store.failure_count(&FailureFilter::default()).await?;
        let held = store.runs(&held, Page::first(100)).await?.len();
        Ok::<_, store::Error>((failures, held))
    };
    let (failures, held) = match looked.await {
        Ok(counts) => counts,
        Err(error) => return vec![Finding::wrong("work", error.to_string())],
    };
    let mut findings = Vec::new();
    if failures > 0 {
        let shown = count(usize::try_from(failures).unwrap_or(usize::MAX), "failure");
        findings.push(Finding::notable("work", format!("{shown} not settled")).next("syncline failures"));
    }
    if held > 0 {
        let found = format!("{} held by a guard rail", count(held, "run"));
        findings.push(Finding::notable("work", found).next("syncline runs --status held"));
    }
    if findings.is_empty() {
        findings.push(Finding::good("work", "no failures, no held runs"));
    }
    findings
}

/// Whether those who are to be told get what they are sent.
pub(super) async fn notices(context: &Context, settings: &Settings) -> Vec<Finding> {
    const PART: &str = "notices";
    let notify = &settings.notify;
    let targets = notify.webhooks.len() + notify.mails.len();
    if targets == 0 {
        let none = Finding::notable(PART, "nobody is told of drift, pauses and held runs");
        return vec![
            none.next(
                "name targets under `[notify.webhooks.<name>]` or `[notify.mails.<name>]`: docs/notifications.md",
            ),
        ];
    }
    // Where there is no database yet, that was told already.
    let Ok(store) = context.store(settings, Access::Read).await else {
        return Vec::new();
    };
    let looked = store.notice_targets().await;
    store.close().await;
    let failing: Vec<Finding> = match looked {
        Ok(stats) => stats.iter().filter_map(failing).collect(),
        Err(error) => return vec![Finding::wrong(PART, error.to_string())],
    };
    if failing.is_empty() {
        return vec![Finding::good(
            PART,
            format!("{}, none of them failing", count(targets, "target")),
        )];
    }
    failing
}

/// A target that does not get what it is sent.
fn failing(stats: &TargetStats) -> Option<Finding> {
    let TargetStats {
        target, failing, dead, ..
    } = stats;
    if *failing == 0 && *dead == 0 {
        return None;
    }
    let error = stats.last_error.as_deref().unwrap_or("no reason on record");
    let found = format!("target `{target}`: {failing} tried in vain, {dead} given up; last: {error}");
    let next = format!(
        "mend it, try it with `syncline notices test {target}`, then `syncline notices resend --all --target {target}`"
    );
    Some(Finding::notable("notices", found).next(next))
}

pub(super) fn schedule(settings: &Settings, catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !settings.schedule.enabled {
        let found = Finding::notable(
            "schedule",
            "this node runs nothing by itself (schedule.enabled = false)",
        );
        findings.push(found.next("make sure that another node does"));
    }
    for mapping in catalog.in_order() {
        let name = &mapping.name;
        findings.push(match mapping.reconcile.at {
            Some(at) => Finding::good(
                "schedule",
                format!(
                    "`{name}` is reconciled daily at {} {}",
                    at.format("%H:%M"),
                    mapping.reconcile.timezone
                ),
            ),
            None => Finding::notable("schedule", format!("`{name}` is reconciled only when asked"))
                .next("`reconcile: { at: \"02:00\" }` in the mapping finds lost webhooks every day"),
        });
        for side in [Side::Left, Side::Right] {
            let system = &mapping.end(side).system;
            let pushes = catalog
                .connector_of(system)
                .is_some_and(|connector| connector.webhooks.is_some());
            if !pushes && mapping.poll.get(side).is_none() {
                let found = format!("`{name}`: {system} sends no webhooks and is not polled");
                findings.push(
                    Finding::notable("schedule", found).next(format!("`poll: {{ {system}: 5m }}` in the mapping")),
                );
            }
        }
    }
    findings
}

pub(super) fn webhooks(settings: &Settings) -> Option<Finding> {
    let url = &settings.server.public_url;
    if let Some(finding) = no_way_in(settings) {
        return Some(finding);
    }
    if settings.is_dev() {
        return None;
    }
    let host = url.host_str().unwrap_or_default();
    Some(if HERE.contains(&host) {
        Finding::wrong(
            "webhooks",
            format!("server.public_url is {url}: no other machine reaches it"),
        )
        .next("set `server.public_url` to the address that other systems were given")
    } else if url.scheme() != "https" {
        Finding::notable(
            "webhooks",
            format!("server.public_url is {url}: pushes travel in clear text"),
        )
        .next("put a reverse proxy with TLS in front")
    } else {
        Finding::good("webhooks", format!("expected at {url}webhooks/<system>"))
    })
}

/// An address given to others that cannot lead to where the server listens, with nothing in between.
fn no_way_in(settings: &Settings) -> Option<Finding> {
    let (url, bind) = (&settings.server.public_url, settings.server.bind);
    if url.scheme() != "http" || bind.port() == 0 {
        return None;
    }
    let is_here = HERE.contains(&url.host_str().unwrap_or_default());
    let is_same_port = url.port_or_known_default() == Some(bind.port());
    let next = match (is_here, is_same_port) {
        (true, false) => "give both the same port, unless a proxy stands in between",
        (false, true) if bind.ip().is_loopback() => {
            "listen where others reach it (`server.bind = \"0.0.0.0:…\"`), unless a proxy stands in between"
        }
        _ => return None,
    };
    let found =
        format!("server.public_url is {url}, and the server listens on {bind}: the one does not lead to the other");
    Some(Finding::notable("webhooks", found).next(next))
}
