//! `syncline subscriptions`: what other systems push to us, and putting that in order.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::maybe_time,
    output::count,
    project::unknown,
    work::Work,
};
use crate::{
    client::{Callback, System},
    core::connector::subscription::Step,
    settings::Settings,
    store::{Op, audit::NewAudit},
    worker::subscription::{self, Tended},
};

/// Subscriptions: what other systems push to us. The daemon renews them before they end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline subscriptions list            every system: what is registered, and until when
  syncline subscriptions list crm        of one system
  syncline subscriptions sync crm        each topic of a mapped object once: missing ones are made, doubles and dead ones taken back
  syncline subscriptions remove crm      takes all of ours back, for a system that is given up

Only those that push to our own address (server.public_url) are touched.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// What is registered
    List {
        /// Of this system alone
        system: Option<String>,
    },
    /// Put them in order now
    Sync {
        /// The system
        system: String,
    },
    /// Take all of ours back
    Remove {
        /// The system
        system: String,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        let settings = context.settings()?;
        let work = Work::open(context).await?;
        let exit = match &args.action {
            Action::List { system } => list(context, &settings, &work, system.as_deref()).await,
            Action::Sync { system } => sync(context, &settings, &work, system, true).await,
            Action::Remove { system } => sync(context, &settings, &work, system, false).await,
        };
        work.close().await;
        exit
    })
}

#[derive(Serialize)]
struct View {
    system: String,
    topic: String,
    id: String,
    state: &'static str,
    expires_at: Option<DateTime<Utc>>,
}

async fn list(context: &Context, settings: &Settings, work: &Work, only: Option<&str>) -> Result {
    if let Some(name) = only {
        named(work, name)?;
    }
    let mut views = Vec::new();
    let mut is_found = false;
    for (name, system) in work.engine.systems() {
        let Some(subscriptions) = system.subscriptions().filter(|_| only.is_none_or(|only| only == name)) else {
            continue;
        };
        let callback = subscription::callback(settings, name)?;
        let registered = subscription::look(work.engine.store(), system, &callback).await?;
        let now = context.clock.now();
        let wanted = subscriptions.wanted(|object| subscription::is_used(&work.engine, name, object));
        let steps = subscriptions.plan(&wanted, &registered.ours, now);
        for one in &registered.ours {
            let state = steps.iter().find_map(|step| match step {
                Step::Delete(other, reason) if other.id == one.id => Some(reason.as_str()),
                Step::Renew(other) if other.id == one.id => Some("ending"),
                _ => None,
            });
            views.push(View {
                system: name.to_owned(),
                topic: one.topic.clone(),
                id: one.id.clone(),
                state: state.unwrap_or("alive"),
                expires_at: one.expires_at,
            });
        }
        for step in &steps {
            if let Step::Create(topic) = step
                && !registered.ours.iter().any(|one| one.topic == *topic)
            {
                views.push(View {
                    system: name.to_owned(),
                    topic: topic.clone(),
                    id: String::new(),
                    state: "missing",
                    expires_at: None,
                });
            }
        }
        if !steps.is_empty() {
            is_found = true;
            context.output.talk(format!(
                "{name}: `syncline subscriptions sync {name}` puts them in order"
            ));
        }
        if registered.others > 0 {
            let others = count(registered.others, "subscription");
            context
                .output
                .talk(format!("{name}: {others} more pushes elsewhere, and is left alone"));
        }
    }
    context
        .output
        .rows(&["system", "topic", "id", "state", "ends"], &views, |view| {
            vec![
                view.system.clone(),
                view.topic.clone(),
                view.id.clone(),
                view.state.to_owned(),
                maybe_time(view.expires_at),
            ]
        })?;
    Ok(if is_found { Exit::Found } else { Exit::Done })
}

async fn sync(context: &Context, settings: &Settings, work: &Work, name: &str, is_wanted: bool) -> Result {
    let system = named(work, name)?;
    let callback: Callback = subscription::callback(settings, name)?;
    let is_used = |object: &str| is_wanted && subscription::is_used(&work.engine, name, object);
    let tended = subscription::tend(work.engine.store(), system, &callback, is_used).await?;
    audit(context, work, name, is_wanted, &tended).await?;
    let mut refused = 0;
    for (step, done) in &tended.done {
        let what = match step {
            Step::Delete(one, reason) => format!("{}: taken back ({}, {})", one.topic, one.id, reason.as_str()),
            Step::Create(topic) => format!("{topic}: made"),
            Step::Renew(one) => format!("{}: renewed ({})", one.topic, one.id),
        };
        match done {
            Ok(()) => context.output.line(what)?,
            Err(fault) => {
                refused += 1;
                context.output.line(format!("{what}: refused: {fault}"))?;
            }
        }
    }
    if tended.done.is_empty() {
        context.output.talk(format!("{name}: nothing to do"));
    }
    if refused > 0 {
        return Err(Error::found(format!("{} refused by {name}", count(refused, "step")))
            .with_hint("correct what the system says, then call it again: what is done already is not done twice"));
    }
    Ok(Exit::Done)
}

fn named<'a>(work: &'a Work, name: &str) -> Result<&'a System> {
    let mut systems = work.engine.systems();
    let found = systems.find(|(known, _)| *known == name).map(|(_, system)| &**system);
    let known = || work.engine.systems().map(|(known, _)| known).collect::<Vec<_>>();
    let system = found.ok_or_else(|| unknown("system", name, known().into_iter()))?;
    if system.subscriptions().is_none() {
        let connector = &system.connector().name;
        return Err(
            Error::failed(format!("connector `{connector}` says nothing of subscriptions")).with_hint(
                "register the address `/webhooks/…` by hand in the system, or add `webhooks: subscriptions:` to the connector",
            ),
        );
    }
    Ok(system)
}

async fn audit(context: &Context, work: &Work, system: &str, is_wanted: bool, tended: &Tended) -> Result<()> {
    let action = if is_wanted {
        "subscriptions.sync"
    } else {
        "subscriptions.remove"
    };
    let entry = NewAudit {
        actor: context.actor(),
        action: action.to_owned(),
        subject: format!("system/{system}"),
        detail: Some(count(tended.done.len(), "step")),
    };
    Ok(work.engine.store().commit(vec![Op::Audit(entry)]).await?)
}
