//! `syncline auth`: sign in to other systems where a person has to, and see what ends when.

mod callback;

use chrono::{DateTime, NaiveDate, Utc};
use clap::Subcommand;
use serde::Serialize;
use tokio::net::TcpListener;
use url::Url;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::{maybe, maybe_time},
    output::print,
    project::unknown,
    work::shared,
};
use crate::{
    catalog::load::Catalog,
    client::{LoggedOut, Login, StandingState, System},
    core::{connector::form::Grant, period::Period},
    settings::Settings,
    store::{Op, Store, audit::NewAudit},
    worker::assembly,
};

/// Sign in to other systems, and see what ends when.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline auth status                 every system: how it signs in, what ends when, and whose it is
  syncline auth login crm              prints the address of the page where a person signs in, and waits
  syncline auth login crm --paste      the browser runs elsewhere: paste the address that it ends at
  syncline auth logout crm             takes the token back at the provider, where it can, and forgets it

The redirect address has to be registered with the provider. Most accept any port of http://127.0.0.1; for those that do
not, name the registered one with --redirect.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// A person signs in (connectors with `grant: authorization_code`)
    Login {
        /// The system
        system: String,
        /// The redirect address that is registered with the provider; of this machine, unless with --paste
        #[arg(long, value_name = "URL")]
        redirect: Option<Url>,
        /// Read the address that the browser ends at from stdin, in place of listening for it
        #[arg(long)]
        paste: bool,
        /// How long the person is waited for
        #[arg(long, value_name = "PERIOD", default_value = "10m")]
        wait: Period,
    },
    /// How every system signs in, and what ends when
    Status,
    /// Take the token of a system back at the provider, where it can be, and forget it
    Logout {
        /// The system
        system: String,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            Action::Login {
                system,
                redirect,
                paste,
                wait,
            } => {
                let project = Project::open(context).await?;
                let system = project.system(context, system)?;
                let login = begin(context, &system, redirect.as_ref(), *paste, *wait).await?;
                project.finish(context, &system, login).await
            }
            Action::Status => status(context).await,
            Action::Logout { system } => logout(context, system).await,
        }
    })
}

struct Project {
    store: Store,
    settings: Settings,
    catalog: Catalog,
}

impl Project {
    async fn open(context: &Context) -> Result<Self> {
        let settings = context.settings()?;
        let catalog = context.catalog(&settings)?;
        let store = shared(context, &settings).await?;
        Ok(Self {
            store,
            settings,
            catalog,
        })
    }

    fn system(&self, context: &Context, name: &str) -> Result<System> {
        let Some(given) = self.settings.systems.get(name) else {
            return Err(unknown(
                "system",
                name,
                self.settings.systems.keys().map(String::as_str),
            ));
        };
        let clock = context.clock.clone();
        let system = assembly::system(&self.settings, &self.catalog, &self.store, &clock, name, given);
        system.map_err(|error| {
            Error::from(error).with_hint("`syncline doctor` shows which secrets and settings are missing")
        })
    }

    async fn finish(&self, context: &Context, system: &System, (login, answer): (Login, Url)) -> Result {
        let is_renewable = system.finish_login(login, &answer).await.map_err(told)?;
        self.audit(context, "auth.login", system.name()).await?;
        let name = system.name();
        context
            .output
            .talk(format!("{name}: signed in; a daemon that runs takes it over by itself"));
        if !is_renewable {
            context.output.talk(format!(
                "{name}: the provider gave no refresh token, so that somebody has to sign in again when this one ends; many \
                 give one for the scope `offline_access`, or for `authorize_params: {{ access_type: offline }}`"
            ));
        }
        Ok(Exit::Done)
    }

    async fn audit(&self, context: &Context, action: &str, system: &str) -> Result<()> {
        let entry = NewAudit {
            actor: context.actor(),
            action: action.to_owned(),
            subject: format!("system/{system}"),
            detail: None,
        };
        Ok(self.store.commit(vec![Op::Audit(entry)]).await?)
    }
}

/// Shows the page, and waits for what comes back.
async fn begin(
    context: &Context,
    system: &System,
    redirect: Option<&Url>,
    is_pasted: bool,
    wait: Period,
) -> Result<(Login, Url)> {
    let (redirect, listener) = match (redirect, is_pasted) {
        (Some(redirect), true) => (redirect.clone(), None),
        (None, true) => return Err(Error::usage("--paste needs --redirect, the address that is registered")),
        (redirect, false) => {
            let (redirect, listener) = callback::listen(redirect).await?;
            (redirect, Some(listener))
        }
    };
    let login = system.begin_login(&redirect).await.map_err(told)?;
    context
        .output
        .talk(format!("sign in to {} on this page:", system.name()));
    // Data: whoever scripts it opens it by themselves.
    print(login.address.as_str())?;
    let answer = if let Some(listener) = listener {
        context
            .output
            .talk(format!("waiting for the browser to come back to {redirect}"));
        waited(listener, &login, wait).await?
    } else {
        context.output.talk(format!(
            "the browser ends at {redirect}…, whether that shows a page or not: paste the whole address here"
        ));
        callback::pasted()?
    };
    Ok((login, answer))
}

async fn waited(listener: TcpListener, login: &Login, wait: Period) -> Result<Url> {
    let answer = callback::answer(&listener, |answer| login.is_ours(answer));
    match tokio::time::timeout(wait.duration(), answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::failed("nobody has signed in").with_hint("call it again; --wait gives more time")),
    }
}

fn told(fault: crate::core::fault::Fault) -> Error {
    let error = Error::failed(&fault);
    match fault.hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// How one system signs in.
#[derive(Serialize)]
struct View {
    system: String,
    connector: String,
    way: &'static str,
    grant: Option<Grant>,
    state: &'static str,
    #[serde(skip)]
    is_in_need: bool,
    renews_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    refresh_ends_at: Option<DateTime<Utc>>,
    certificate_ends_at: Option<DateTime<Utc>>,
    secret_rotate_by: Option<NaiveDate>,
    owner: Option<String>,
}

async fn status(context: &Context) -> Result {
    let project = Project::open(context).await?;
    let mut views = Vec::with_capacity(project.settings.systems.len());
    for (name, given) in &project.settings.systems {
        let standing = project.system(context, name)?.standing().await;
        views.push(View {
            system: name.clone(),
            connector: given.connector.clone(),
            way: standing.way,
            grant: standing.grant,
            state: standing.state.as_str(),
            is_in_need: standing.state.is_in_need(),
            renews_at: standing.renews_at,
            ends_at: standing.ends_at,
            refresh_ends_at: standing.refresh_ends_at,
            certificate_ends_at: standing.certificate_ends_at,
            secret_rotate_by: given.secret_rotate_by,
            owner: given.secret_owner.clone(),
        });
    }
    let head = [
        "system",
        "way",
        "state",
        "token ends",
        "refresh ends",
        "certificate ends",
        "secrets until",
        "owner",
    ];
    context.output.rows(&head, &views, |view| {
        vec![
            view.system.clone(),
            view.way.to_owned(),
            view.state.replace('_', " "),
            maybe_time(view.ends_at),
            maybe_time(view.refresh_ends_at),
            maybe_time(view.certificate_ends_at),
            maybe(view.secret_rotate_by),
            view.owner.clone().unwrap_or_default(),
        ]
    })?;
    for view in views.iter().filter(|view| view.is_in_need) {
        let next = if view.state == StandingState::NeedsLogin.as_str() {
            format!("`syncline auth login {}`", view.system)
        } else {
            "give it a new certificate (`credentials` of the system)".to_owned()
        };
        context.output.talk(format!("{}: {next}", view.system));
    }
    let found = views.iter().any(|view| view.is_in_need);
    Ok(if found { Exit::Found } else { Exit::Done })
}

async fn logout(context: &Context, name: &str) -> Result {
    let project = Project::open(context).await?;
    let system = project.system(context, name)?;
    let out = system.log_out().await;
    if matches!(out, LoggedOut::NotForgotten) {
        return Err(Error::failed("our own database does not answer").with_hint("nothing was forgotten; try again"));
    }
    project.audit(context, "auth.logout", name).await?;
    let by_hand = "a daemon that runs may use it until it ends, so take the consent back at the provider too";
    let told = match &out {
        LoggedOut::Nothing => format!("{name}: nobody was signed in"),
        LoggedOut::Revoked => format!("{name}: the provider has taken the token back, and it is forgotten here"),
        LoggedOut::Forgotten | LoggedOut::NotForgotten => format!("{name}: the token is forgotten; {by_hand}"),
        LoggedOut::NotRevoked(fault) => format!("{name}: the token is forgotten, but {fault}; {by_hand}"),
    };
    context.output.talk(told);
    Ok(Exit::Done)
}
