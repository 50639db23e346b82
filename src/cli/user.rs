//! `syncline user`: who may sign in at the console.

use std::io::{self, Read as _};

use chrono::{DateTime, Utc};
use clap::Subcommand;
use secrecy::SecretString;
use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::{decide, look, maybe_time, reach, time},
    output::print,
};
use crate::{
    core::{
        status::Role,
        tenant::{Reach, Tenant},
    },
    server::console::user::{self, Link},
    store::user::User,
};

/// The most of a password that is read.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// People who sign in at the console.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline user add ana --role analyst         prints a link by which she sets her password
  syncline user add bia --tenant acme          she sees what belongs to this tenant, and nothing else
  syncline user limit ana --tenant acme --tenant umbra
  syncline user limit ana --house              she sees everything again
  syncline user link ana                       another link, where the first was not used or she forgot the password
  syncline user password ana < password.txt
  syncline user list
  syncline user remove ana

Everything somebody does at the console stands in the audit under their name.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a person, and print a link by which they set their password
    Add {
        /// The name they sign in with: lower-case letters, digits, `.`, `_`, `-` and `@`
        name: String,
        /// What they may do: viewer looks, analyst also sees personal data, operator starts runs and decides, admin
        /// reprocesses and releases
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// A tenant that they are limited to; may be given several times. Without it they see the whole house
        #[arg(long = "tenant", value_name = "TENANT")]
        tenants: Vec<Tenant>,
    },
    /// Change which tenants a person is limited to; what they have open follows at once
    #[command(group(clap::ArgGroup::new("reach").required(true)))]
    Limit {
        /// Whose
        name: String,
        /// A tenant that they may see; may be given several times
        #[arg(long = "tenant", value_name = "TENANT", group = "reach")]
        tenants: Vec<Tenant>,
        /// They see the whole house
        #[arg(long, group = "reach")]
        house: bool,
    },
    /// Everybody who may sign in
    List,
    /// Print a link by which a person sets a new password; it works once
    Link {
        /// Whose
        name: String,
    },
    /// Set a password, read from the standard input up to the end of its first line
    Password {
        /// Whose
        name: String,
    },
    /// Remove a person; whatever they have open ends at once
    Remove {
        /// Whom
        name: String,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            Action::Add { name, role, tenants } => add(context, name, *role, tenants).await,
            Action::Limit { name, tenants, .. } => limit(context, name, tenants).await,
            Action::List => list(context).await,
            Action::Link { name } => link(context, name).await,
            Action::Password { name } => password(context, name).await,
            Action::Remove { name } => remove(context, name).await,
        }
    })
}

async fn add(context: &Context, name: &str, role: Role, tenants: &[Tenant]) -> Result {
    let (store, settings) = decide(context).await?;
    let reach = reach(&settings, tenants)?;
    user::add_within(&store, name, (role, &reach), &context.actor()).await?;
    let link = user::link(&store, &settings, name, &context.actor()).await?;
    tell(context, name, &link)
}

async fn limit(context: &Context, name: &str, tenants: &[Tenant]) -> Result {
    let (store, settings) = decide(context).await?;
    let reach = reach(&settings, tenants)?;
    user::limit(&store, name, &reach, &context.actor()).await?;
    let now = match reach.text() {
        Some(tenants) => format!("limited to {tenants}"),
        None => "sees the whole house".to_owned(),
    };
    context.output.talk(format!("user {name}: {now}"));
    Ok(Exit::Done)
}

async fn link(context: &Context, name: &str) -> Result {
    let (store, settings) = decide(context).await?;
    let link = user::link(&store, &settings, name, &context.actor()).await?;
    tell(context, name, &link)
}

fn tell(context: &Context, name: &str, link: &Link) -> Result {
    if context.output.is_json() {
        let view = serde_json::json!({ "name": name, "link": link.url, "until": link.until });
        context.output.json(&view)?;
    } else {
        print(&link.url)?;
    }
    let until = time(link.until);
    context.output.talk(format!(
        "give this link to {name}: it sets their password, works once and until {until}, and is not shown again"
    ));
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct View {
    name: String,
    role: Role,
    tenants: Reach,
    has_password: bool,
    created_at: DateTime<Utc>,
    signed_in_at: Option<DateTime<Utc>>,
    link_until: Option<DateTime<Utc>>,
}

impl From<User> for View {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            role: user.role,
            tenants: user.reach,
            has_password: user.has_password,
            created_at: user.created_at,
            signed_in_at: user.signed_in_at,
            link_until: user.link_until,
        }
    }
}

async fn list(context: &Context) -> Result {
    let users = look(context).await?.users().await?;
    let views: Vec<View> = users.into_iter().map(View::from).collect();
    let head = [
        "name",
        "role",
        "tenants",
        "password",
        "added",
        "signed in",
        "link until",
    ];
    context.output.rows(&head, &views, |user| {
        let password = if user.has_password { "set" } else { "none yet" };
        vec![
            user.name.clone(),
            user.role.to_string(),
            user.tenants.text().unwrap_or_else(|| "all".to_owned()),
            password.to_owned(),
            time(user.created_at),
            maybe_time(user.signed_in_at),
            maybe_time(user.link_until),
        ]
    })?;
    Ok(Exit::Done)
}

async fn password(context: &Context, name: &str) -> Result {
    let (store, _) = decide(context).await?;
    let password = read_password()?;
    user::set_password(&store, name, password, &context.actor()).await?;
    context.output.talk(format!(
        "user {name}: the password is set, and their sessions have ended"
    ));
    Ok(Exit::Done)
}

/// The first line of the standard input.
fn read_password() -> Result<SecretString> {
    let mut text = String::new();
    let read = io::stdin().take(PASSWORD_BYTES_MAX).read_to_string(&mut text);
    if read.is_err() {
        return Err(
            Error::failed("the standard input is no text").with_hint("syncline user password ana < password.txt")
        );
    }
    Ok(text.lines().next().unwrap_or_default().into())
}

async fn remove(context: &Context, name: &str) -> Result {
    let (store, _) = decide(context).await?;
    user::remove(&store, name, &context.actor()).await?;
    context.output.talk(format!("user {name}: removed"));
    Ok(Exit::Done)
}
