//! The people of the console, whichever door they are looked after by (command line, first start, their own link).

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{MOUNT, key::Key, password};
use crate::{
    core::{period::Period, status::Role, tenant::Reach},
    server::decision::entry,
    settings::Settings,
    store::{Error, Op, Store, user::User},
};

/// The person who is there at the first start.
pub const FIRST: &str = "admin";
/// The longest name.
const NAME_BYTES_MAX: usize = 64;

/// Why something was not done for a person.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The name cannot be one.
    #[error("`{0}` is no name: lower-case letters, digits, `.`, `_`, `-` and `@`, at most {NAME_BYTES_MAX}")]
    Name(String),
    /// Somebody has that name.
    #[error("there is a user `{0}` already")]
    Taken(String),
    /// There is nobody of that name.
    #[error("there is no user `{0}`")]
    Unknown(String),
    /// The password is too short or too long.
    #[error(
        "a password has from {} characters to {} bytes",
        password::CHARS_MIN,
        password::BYTES_MAX
    )]
    Password,
    /// Nobody signs in by a password.
    #[error(
        "nobody signs in by a password here: set `console.oidc.local_users = true`, or have them sign in at the provider"
    )]
    NoPasswords,
    /// The machine gave no random numbers.
    #[error("the password could not be hashed: the machine gives no random numbers")]
    Random,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A link that lets whoever holds it set a password, once.
#[derive(Debug)]
pub struct Link {
    /// The address; a secret.
    pub url: String,
    /// Until when it may be used.
    pub until: DateTime<Utc>,
}

/// A name as ours are, made of the one that an identity provider gives.
pub(super) fn spelled(given: &str) -> String {
    let letters = given.trim().to_lowercase();
    let letters = letters.chars().map(|letter| match letter {
        'a'..='z' | '0'..='9' | '.' | '_' | '-' | '@' => letter,
        _ => '-',
    });
    letters.take(NAME_BYTES_MAX).collect()
}

/// Adds a person, who can sign in once they have a password, and sees the whole house then.
pub async fn add(store: &Store, name: &str, role: Role, actor: &str) -> Result<(), Refused> {
    add_within(store, name, (role, &Reach::House), actor).await
}

/// Adds a person, who can sign in once they have a password, and sees what is within their reach then.
pub async fn add_within(store: &Store, name: &str, (role, reach): (Role, &Reach), actor: &str) -> Result<(), Refused> {
    let is_name = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-@".contains(&byte));
    if !is_name {
        return Err(Refused::Name(name.chars().take(NAME_BYTES_MAX).collect()));
    }
    let told = noted(actor, "user.add", name, Some(rights(role, reach).to_string()));
    match store.add_user(name, role, reach, told).await {
        Ok(_) => Ok(()),
        Err(Error::Conflict { .. }) => Err(Refused::Taken(name.to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// What somebody may do and see, for the audit.
pub(super) fn rights(role: Role, reach: &Reach) -> serde_json::Value {
    serde_json::json!({ "role": role, "tenants": reach })
}

/// Changes how far a person may see; their sessions go on with it.
pub async fn limit(store: &Store, name: &str, reach: &Reach, actor: &str) -> Result<(), Refused> {
    let user = known(store, name).await?;
    let told = noted(actor, "user.limit", name, Some(rights(user.role, reach).to_string()));
    Ok(store.set_user_reach(user.console_user_id, reach, told).await?)
}

/// Gives a person a link to set their password by, in place of one they had.
pub async fn link(store: &Store, settings: &Settings, name: &str, actor: &str) -> Result<Link, Refused> {
    if !settings.console.has_local_users() {
        return Err(Refused::NoPasswords);
    }
    let user = known(store, name).await?;
    let key = Key::random();
    let until = store.clock().now() + lasts(settings.console.link_lasts);
    let told = noted(actor, "user.link", name, None);
    store
        .set_user_link(user.console_user_id, &key.hash(), until, told)
        .await?;
    let origin = settings.server.public_url.as_str().trim_end_matches('/');
    let url = format!("{origin}{MOUNT}/link/{}", key.word());
    Ok(Link { url, until })
}

/// Sets a person's password and ends their sessions.
pub async fn set_password(store: &Store, name: &str, password: SecretString, actor: &str) -> Result<(), Refused> {
    let user = known(store, name).await?;
    let hash = hashed(password).await?;
    let told = noted(actor, "user.password", name, None);
    Ok(store.set_user_password(user.console_user_id, &hash, told).await?)
}

/// Removes a person; their sessions end.
pub async fn remove(store: &Store, name: &str, actor: &str) -> Result<(), Refused> {
    if !store.remove_user(name, noted(actor, "user.remove", name, None)).await? {
        return Err(Refused::Unknown(name.to_owned()));
    }
    Ok(())
}

/// At the first start: an administrator and their link, or nothing where there is anybody.
pub async fn first(store: &Store, settings: &Settings) -> Result<Option<Link>, Refused> {
    let has_first = settings.console.enabled && settings.console.has_local_users();
    if !has_first || !store.users().await?.is_empty() {
        return Ok(None);
    }
    match add(store, FIRST, Role::Admin, "start").await {
        Ok(()) => Ok(Some(link(store, settings, FIRST, "start").await?)),
        // Another node was first.
        Err(Refused::Taken(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The hash of a good password.
pub(super) async fn hashed(password: SecretString) -> Result<String, Refused> {
    if !password::is_good(secrecy::ExposeSecret::expose_secret(&password)) {
        return Err(Refused::Password);
    }
    password::hash(password).await.ok_or(Refused::Random)
}

/// The entry of the audit that goes with what is done for a person.
pub(super) fn noted(actor: &str, action: &str, name: &str, detail: Option<String>) -> Vec<Op> {
    vec![Op::Audit(entry(actor, action, format!("user/{name}"), detail))]
}

async fn known(store: &Store, name: &str) -> Result<User, Refused> {
    let user = store.user(name).await?;
    user.ok_or_else(|| Refused::Unknown(name.chars().take(NAME_BYTES_MAX).collect()))
}

fn lasts(period: Period) -> TimeDelta {
    TimeDelta::from_std(period.duration()).unwrap_or(TimeDelta::days(1))
}
