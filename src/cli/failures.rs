//! `syncline failures`: records that could not be synchronized, and what to do about them.

use clap::{Subcommand, ValueEnum};

use super::{
    Exit,
    context::{Context, block_on},
    error::Result,
    list::{Rows, check_mapping, decide, decided, found, look, maybe, maybe_time, time},
};
use crate::{
    core::status::{FailureClass, FailureStatus, Stage},
    server::{
        api::failure::{Group, Selection, View},
        decision,
    },
    store::failure::FailureGroup,
};

/// Failures: records that could not be synchronized, why, and what to do next.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  syncline failures                            those that are not settled
  syncline failures --class rejected --code RQ004
  syncline failures groups --by code           how many of which kind
  syncline failures show 12                    one, with the advice
  syncline failures ignore 12                  it is none

`syncline reprocess` tries them again."
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    rows: Rows,
}

/// Which failures are meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Filter {
    /// Of this run
    #[arg(long)]
    run: Option<i64>,
    /// Of this mapping
    #[arg(long)]
    mapping: Option<String>,
    /// Of this record
    #[arg(long)]
    record: Option<String>,
    /// Of this class
    #[arg(long)]
    class: Option<FailureClass>,
    /// At this stage
    #[arg(long)]
    stage: Option<Stage>,
    /// With this code
    #[arg(long)]
    code: Option<String>,
    /// With this status, instead of those that are not settled
    #[arg(long)]
    status: Option<FailureStatus>,
}

impl Filter {
    /// Whether it lets everything through.
    pub(super) const fn is_empty(&self) -> bool {
        self.run.is_none()
            && self.mapping.is_none()
            && self.record.is_none()
            && self.class.is_none()
            && self.stage.is_none()
            && self.code.is_none()
            && self.status.is_none()
    }

    pub(super) fn selection(&self) -> Selection {
        Selection {
            run_id: self.run,
            mapping: self.mapping.clone(),
            record_id: self.record.clone(),
            class: self.class,
            stage: self.stage,
            code: self.code.clone(),
            status: self.status,
            since: None,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// One failure with everything that is known
    Show {
        /// Its id
        id: i64,
    },
    /// How many failures of which kind there are
    Groups {
        /// By what they are counted
        #[arg(long, value_enum, default_value_t = By::Class)]
        by: By,
        #[command(flatten)]
        filter: Filter,
    },
    /// Take a failure for none
    Ignore {
        /// Its id
        id: i64,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Mapping,
    Class,
    Stage,
    Code,
    Status,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            None => list(context, args).await,
            Some(Action::Show { id }) => show(context, *id).await,
            Some(Action::Groups { by, filter }) => groups(context, *by, filter).await,
            Some(Action::Ignore { id }) => {
                let (store, _) = decide(context).await?;
                let outcome = decision::ignore_failure(&store, *id, &context.actor()).await?;
                decided(context, outcome, &format!("failure {id}"), "ignored")
            }
        }
    })
}

async fn list(context: &Context, args: &Args) -> Result {
    let filter = args.filter.selection().filter();
    let failures = look(context).await?.failures(&filter, args.rows.page()).await?;
    check_mapping(context, filter.mapping.as_deref(), failures.is_empty())?;
    let views: Vec<View> = failures.into_iter().map(View::from).collect();
    let head = [
        "id", "mapping", "record", "class", "stage", "status", "tries", "last", "next try", "code", "message",
    ];
    context.output.rows(&head, &views, |failure| {
        vec![
            failure.failure_id.to_string(),
            failure.mapping.clone(),
            format!("{}/{}", failure.side, failure.record_id),
            failure.class.to_string(),
            failure.stage.to_string(),
            failure.status.to_string(),
            failure.attempts.to_string(),
            time(failure.last_at),
            maybe_time(failure.next_attempt_at),
            failure.code.clone(),
            failure.message.clone(),
        ]
    })?;
    Ok(Exit::Done)
}

async fn show(context: &Context, id: i64) -> Result {
    let failure = look(context).await?.failure(id).await?;
    let view = View::from(found(failure, &format!("failure {id}"))?);
    let fields = [
        ("failure", view.failure_id.to_string()),
        ("mapping", view.mapping.clone()),
        ("record", format!("{}/{}", view.side, view.record_id)),
        ("left", maybe(view.left_id.as_ref())),
        ("right", maybe(view.right_id.as_ref())),
        ("class", view.class.to_string()),
        ("stage", view.stage.to_string()),
        ("status", view.status.to_string()),
        ("code", view.code.clone()),
        ("message", view.message.clone()),
        ("HTTP status", maybe(view.http_status)),
        ("field", maybe(view.field.as_ref())),
        ("tries", view.attempts.to_string()),
        ("first", time(view.first_at)),
        ("last", time(view.last_at)),
        ("next try", maybe_time(view.next_attempt_at)),
        ("settled", maybe_time(view.resolved_at)),
        ("run", maybe(view.run_id)),
        ("event", maybe(view.event_id)),
        ("what to do", maybe(view.hint.as_ref())),
    ];
    context.output.fields(&view, &fields)?;
    Ok(Exit::Done)
}

async fn groups(context: &Context, by: By, filter: &Filter) -> Result {
    let group = match by {
        By::Mapping => FailureGroup::Mapping,
        By::Class => FailureGroup::Class,
        By::Stage => FailureGroup::Stage,
        By::Code => FailureGroup::Code,
        By::Status => FailureGroup::Status,
    };
    let groups = look(context)
        .await?
        .failure_groups(&filter.selection().filter(), group)
        .await?;
    let groups: Vec<Group> = groups.into_iter().map(Group::from).collect();
    context
        .output
        .rows(&["kind", "failures", "what to do"], &groups, |group| {
            vec![
                group.name.clone(),
                group.count.to_string(),
                group.next.unwrap_or_default().to_owned(),
            ]
        })?;
    Ok(Exit::Done)
}
