//! `syncline notices`: what people and programs were told, what waits, and what was given up.

use clap::Subcommand;
use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::{Rows, decide, found, look, maybe, maybe_time, time},
    project::unknown,
};
use crate::{
    core::status::{DeliveryStatus, NoticeCondition},
    server::{
        api::notice::{DeliveryView, View},
        decision,
    },
    store::notice::NoticeFilter,
    worker::notify::Targets,
};

/// Notices: what people and programs were told, what waits, and what was given up.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  syncline notices                             the last ones
  syncline notices --status dead               those that a target did not get
  syncline notices show 12                     one, with every target
  syncline notices test                        a message to every target, and what became of it
  syncline notices resend 12                   to the targets that did not get it
  syncline notices resend --all --target ops   everything that this target did not get

Who is told of what stands under `[notify]` in the settings."
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Of this condition
    #[arg(long)]
    condition: Option<NoticeCondition>,
    /// About this mapping or system
    #[arg(long)]
    subject: Option<String>,
    /// With a delivery that stands so
    #[arg(long)]
    status: Option<DeliveryStatus>,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// One notice with every target it goes to
    Show {
        /// Its id
        id: i64,
    },
    /// Send again what was given up
    Resend {
        /// The notice
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<i64>,
        /// Every notice that was given up
        #[arg(long)]
        all: bool,
        /// To this target only
        #[arg(long)]
        target: Option<String>,
    },
    /// Send a test message to every target now, and say what became of it
    Test {
        /// To this target only
        target: Option<String>,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            None => list(context, args).await,
            Some(Action::Show { id }) => show(context, *id).await,
            Some(Action::Resend { id, target, .. }) => resend(context, *id, target.as_deref()).await,
            Some(Action::Test { target }) => test(context, target.as_deref()).await,
        }
    })
}

async fn list(context: &Context, args: &Args) -> Result {
    let filter = NoticeFilter {
        condition: args.condition,
        subject: args.subject.clone(),
        delivery: args.status,
    };
    let store = look(context).await?;
    let mut views = Vec::new();
    for notice in store.notices(&filter, args.rows.page()).await? {
        let deliveries = store.notice_deliveries(notice.notice_id).await?;
        views.push(View::of(notice, deliveries));
    }
    let head = ["id", "when", "type", "about", "sent", "waiting", "dead", "title"];
    context.output.rows(&head, &views, |notice| {
        let count = |status| {
            let of = notice.deliveries.iter().filter(|delivery| delivery.status == status);
            of.count().to_string()
        };
        vec![
            notice.notice_id.to_string(),
            time(notice.occurred_at),
            notice.kind.clone(),
            notice.subject.clone(),
            count(DeliveryStatus::Sent),
            count(DeliveryStatus::Pending),
            count(DeliveryStatus::Dead),
            notice.title.clone(),
        ]
    })?;
    Ok(Exit::Done)
}

async fn show(context: &Context, id: i64) -> Result {
    let store = look(context).await?;
    let notice = found(store.notice(id).await?, &format!("notice {id}"))?;
    let view = View::of(notice, store.notice_deliveries(id).await?);
    let mut fields = vec![
        ("notice", view.notice_id.to_string()),
        ("event id", view.event_id.clone()),
        ("type", view.kind.clone()),
        ("about", view.subject.clone()),
        ("when", time(view.occurred_at)),
        ("title", view.title.clone()),
        ("what to do", view.next.clone()),
    ];
    fields.extend(view.deliveries.iter().map(|delivery| ("target", line(delivery))));
    context.output.fields(&view, &fields)?;
    Ok(Exit::Done)
}

/// How a notice stands with one target.
fn line(delivery: &DeliveryView) -> String {
    let DeliveryView {
        target,
        status,
        attempts,
        ..
    } = delivery;
    let when = match status {
        DeliveryStatus::Pending => format!("next {}", maybe_time(delivery.next_attempt_at)),
        DeliveryStatus::Sent | DeliveryStatus::Dead => maybe_time(delivery.ended_at),
    };
    let error = maybe(delivery.last_error.as_ref());
    format!("{target}: {status}, {attempts} tries, {when} {error}")
        .trim_end()
        .to_owned()
}

async fn resend(context: &Context, id: Option<i64>, target: Option<&str>) -> Result {
    let (store, settings) = decide(context).await?;
    if let Some(id) = id {
        found(store.notice(id).await?, &format!("notice {id}"))?;
    }
    let kept = settings.notify.retry_for.duration();
    let count = decision::resend_notices(&store, id, target, kept, &context.actor()).await?;
    if count == 0 {
        return Err(
            Error::failed("nothing of this was given up").with_hint("`syncline notices --status dead` lists what was")
        );
    }
    context.output.talk(format!("{count} to be sent again by the daemon"));
    Ok(Exit::Done)
}

/// What became of a test message.
#[derive(Debug, Serialize)]
struct Tried {
    target: String,
    is_sent: bool,
    error: Option<String>,
}

async fn test(context: &Context, only: Option<&str>) -> Result {
    let settings = context.settings()?;
    let targets = Targets::new(&settings)?;
    let names: Vec<&str> = match only {
        Some(name) if !targets.names().any(|known| known == name) => {
            return Err(unknown("target", name, targets.names()));
        }
        Some(name) => vec![name],
        None => targets.names().collect(),
    };
    if names.is_empty() {
        return Err(Error::failed("nobody is told anything yet").with_hint(
            "name targets under `[notify.webhooks.<name>]` or `[notify.mails.<name>]`: docs/notifications.md",
        ));
    }
    let mut tried = Vec::new();
    for name in names {
        let sent = targets.test(name, &settings.environment, context.clock.now()).await;
        let error = sent.and_then(std::result::Result::err).map(|refusal| refusal.reason);
        tried.push(Tried {
            target: name.to_owned(),
            is_sent: error.is_none(),
            error,
        });
    }
    context.output.rows(&["target", "sent", "error"], &tried, |tried| {
        let sent = if tried.is_sent { "yes" } else { "no" };
        vec![tried.target.clone(), sent.to_owned(), maybe(tried.error.as_ref())]
    })?;
    let is_well = tried.iter().all(|tried| tried.is_sent);
    Ok(if is_well { Exit::Done } else { Exit::Found })
}
