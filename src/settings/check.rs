//! What types cannot say about settings: bounds, secrets in clear text, dates.

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::{
    ReadError, Reference, Settings, System, bounds,
    layer::Layers,
    notify, oidc,
    problem::{Origin, Problem},
    secret::is_open_to_others,
};
use secrecy::ExposeSecret;

/// How long before a secret is to be replaced the warnings begin.
const ROTATION_NOTICE: TimeDelta = TimeDelta::days(30);

/// Credentials that name somebody and prove nothing.
const NAMES: &[&str] = &[
    "client_id",
    "user",
    "username",
    "login",
    "email",
    "database",
    "tenant",
    "account",
];

/// Checks everything that types leave open.
pub(super) fn all(settings: &Settings, layers: &Layers, now: DateTime<Utc>, problems: &mut Vec<Problem>) {
    bounds::all(settings, layers, problems);
    database(settings, layers, problems);
    clear_text(settings, layers, problems);
    open_files(settings, layers, problems);
    notify::check(settings, layers, problems);
    oidc::check(settings, layers, problems);
    for (name, system) in &settings.systems {
        rotation(name, system, layers, now, problems);
    }
}

/// An address of the database that is none. One that a variable or a file holds is told when the database is opened.
fn database(settings: &Settings, layers: &Layers, problems: &mut Vec<Problem>) {
    const KEY: &str = "store.url";
    let Reference::Text(url) = &settings.store.url else {
        return;
    };
    let is_known = |scheme: &&str| url.expose_secret().starts_with(*scheme);
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(is_known) {
        let message = "the address of the database begins with neither `sqlite://` nor `postgres://`";
        let problem = Problem::error("CF004", KEY, layers.origin(&path(KEY)), message);
        problems.push(problem.with_hint("write `sqlite://path/to/file.db` or `postgres://user@host/name`"));
    }
}

/// Every secret that cannot be read.
pub(super) fn missing_secrets(settings: &Settings) -> Vec<Problem> {
    let problem = |key: String, reference: &Reference, owner: Option<&String>| {
        let error = reference.read(&settings.variables).err()?;
        let what = match key.strip_prefix("systems.").and_then(|rest| rest.split_once('.')) {
            Some((system, rest)) => format!("the secret `{rest}` of system `{system}` is missing: {}", chain(&error)),
            None => format!("the secret `{key}` is missing: {}", chain(&error)),
        };
        let origin = match reference {
            Reference::Env(name) => Origin::Variable(name.clone()),
            _ => Origin::File(
                reference
                    .path(&settings.variables)
                    .unwrap_or_default()
                    .display()
                    .to_string(),
            ),
        };
        let ask = owner.map_or(String::new(), |owner| format!("; {owner} answers for it"));
        let hint = match reference {
            Reference::Env(name) => format!("set the variable {name}{ask}"),
            Reference::Credential(name) => format!("give the unit `LoadCredential={name}:/path`{ask}"),
            _ => format!("put the secret into the file, readable by its owner alone{ask}"),
        };
        Some(Problem::error("CF007", key, origin, what).with_hint(hint))
    };
    references(settings)
        .filter(|(key, _, _)| key != "keys.data")
        .filter_map(|(key, reference, owner)| problem(key, reference, owner))
        .collect()
}

/// An error with its causes.
fn chain(error: &ReadError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Every reference of the settings with its key and the person who answers for it.
fn references(settings: &Settings) -> impl Iterator<Item = (String, &Reference, Option<&String>)> {
    let own = [("store.url", &settings.store.url), ("keys.data", &settings.keys.data)];
    let own = own
        .into_iter()
        .map(|(key, reference)| (key.to_owned(), reference, None));
    let systems = settings.systems.iter().flat_map(|(name, system)| {
        let owner = system.secret_owner.as_ref();
        let credentials = system.credentials.iter();
        let credentials =
            credentials.map(move |(key, reference)| (format!("systems.{name}.credentials.{key}"), reference, owner));
        let hooks = system.webhook_secrets.iter().enumerate();
        let hooks =
            hooks.map(move |(index, hook)| (format!("systems.{name}.webhook_secrets.{index}"), &hook.secret, owner));
        credentials.chain(hooks)
    });
    let notify = settings
        .notify
        .references()
        .map(|(key, reference)| (key, reference, None));
    let oidc = settings.console.oidc.as_ref();
    let oidc = oidc.and_then(|oidc| oidc.client_secret.as_ref());
    let oidc = oidc.map(|secret| ("console.oidc.client_secret".to_owned(), secret, None));
    own.chain(systems).chain(notify).chain(oidc)
}

fn clear_text(settings: &Settings, layers: &Layers, problems: &mut Vec<Problem>) {
    if settings.is_dev() {
        return;
    }
    for (key, reference, _) in references(settings) {
        let Reference::Text(text) = reference else {
            continue;
        };
        let is_harmless = match key.as_str() {
            "store.url" => !holds_password(text.expose_secret()),
            key if key.starts_with("notify.mails.") => !holds_password(text.expose_secret()),
            key if key.starts_with("notify.webhooks.") && key.rsplit('.').next() == Some("url") => {
                !holds_user_or_query(text.expose_secret())
            }
            _ => key.rsplit('.').next().is_some_and(is_name),
        };
        if is_harmless {
            continue;
        }
        let message = format!("the secret `{key}` stands here in clear text");
        let hint = "write `{ env = \"NAME\" }`, `{ file = \"path\" }` or `{ credential = \"name\" }`, and replace the secret: it is known now";
        problems.push(Problem::error("CF006", &key, layers.origin(&path(&key)), message).with_hint(hint));
    }
}

/// Whether the credential of this name names somebody and proves nothing.
pub(super) fn is_name(credential: &str) -> bool {
    NAMES.contains(&credential)
}

/// Whether the address of a database holds a password.
pub(super) fn holds_password(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password"))
}

/// Whether the address of a webhook holds what may be a secret: a user, or a query.
pub(super) fn holds_user_or_query(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| !url.username().is_empty() || url.password().is_some() || url.query().is_some())
}

fn open_files(settings: &Settings, layers: &Layers, problems: &mut Vec<Problem>) {
    for (key, reference, _) in references(settings) {
        let Some(file) = reference
            .path(&settings.variables)
            .filter(|file| is_open_to_others(file))
        else {
            continue;
        };
        let message = format!(
            "{} holds a secret and is open to everybody on this machine",
            file.display()
        );
        let problem = Problem::error("CF008", &key, layers.origin(&path(&key)), message)
            .with_hint(format!("chmod 600 {}", file.display()));
        problems.push(problem.into_warning());
    }
}

fn rotation(name: &str, system: &System, layers: &Layers, now: DateTime<Utc>, problems: &mut Vec<Problem>) {
    let Some(date) = system.secret_rotate_by else {
        return;
    };
    let today = now.date_naive();
    let key = format!("systems.{name}.secret_rotate_by");
    let message = if date < today {
        format!("the secrets of system `{name}` were to be replaced by {date}")
    } else if date - today <= ROTATION_NOTICE {
        format!("the secrets of system `{name}` are to be replaced by {date}")
    } else {
        return;
    };
    let hint = match &system.secret_owner {
        Some(owner) => {
            format!("{owner} answers for them; give the new secret beside the old one, then drop the old one")
        }
        None => {
            "give the new secret beside the old one, then drop the old one; `secret_owner` says whom to ask".to_owned()
        }
    };
    let origin = layers.origin(&path(&key));
    problems.push(
        Problem::error("CF009", key, origin, message)
            .with_hint(hint)
            .into_warning(),
    );
}

pub(super) fn path(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}
