//! `syncline suggestions`: similar records that no rule couples, where a person says whether they are the same thing.

use clap::Subcommand;

use super::{
    Exit,
    context::{Context, block_on},
    error::Result,
    list::{Rows, check_mapping, decide, decided, look},
};
use crate::{
    core::status::{Role, SuggestionStatus},
    server::{api::suggestion::View, settling},
    store::suggestion::SuggestionFilter,
};

/// Suggestions: similar records that no rule couples, for a person to look at. They never link by themselves.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  syncline suggestions                       what a person has to say something about, the newest first
  syncline suggestions accept 3              they are the same thing: linked, then compared, by the daemon
  syncline suggestions reject 3 4 5          they are not: not asked again until one of them changes

A mapping makes them with `suggest:`, in its reconciliations. While a record has an open one, no partner is made
for it."
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Of this mapping
    #[arg(long)]
    mapping: Option<String>,
    /// That stand so
    #[arg(long, default_value = "open")]
    status: SuggestionStatus,
    /// Of this record, on either side
    #[arg(long)]
    record: Option<String>,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Suggestions, newest first, as without a word
    List(List),
    /// They are the same thing: link them
    Accept {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<i64>,
    },
    /// They are not the same thing
    Reject {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<i64>,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            None => list(context, &args.list).await,
            Some(Action::List(args)) => list(context, args).await,
            Some(Action::Accept { ids }) => {
                let (store, _) = decide(context).await?;
                for id in ids {
                    let outcome = settling::accept_suggestion(&store, *id, &context.actor()).await?;
                    decided(
                        context,
                        outcome,
                        &format!("suggestion {id}"),
                        "accepted; linked at the next look",
                    )?;
                }
                Ok(Exit::Done)
            }
            Some(Action::Reject { ids }) => {
                let (store, _) = decide(context).await?;
                for id in ids {
                    let outcome = settling::reject_suggestion(&store, *id, &context.actor()).await?;
                    decided(context, outcome, &format!("suggestion {id}"), "rejected")?;
                }
                Ok(Exit::Done)
            }
        }
    })
}

async fn list(context: &Context, args: &List) -> Result {
    let filter = SuggestionFilter {
        mapping: args.mapping.clone(),
        status: Some(args.status),
        record_id: args.record.clone(),
    };
    let found = look(context).await?.suggestions(&filter, args.rows.page()).await?;
    check_mapping(context, args.mapping.as_deref(), found.is_empty())?;
    // Whoever may read the settings and the key of the store may see what is in it.
    let views: Vec<View> = found.into_iter().map(|one| View::of(one, Role::Admin)).collect();
    let head = [
        "id",
        "mapping",
        "left",
        "right",
        "score",
        "left values",
        "right values",
        "status",
    ];
    context.output.rows(&head, &views, |one| {
        let values = |side: fn(&crate::server::api::suggestion::Pair) -> Option<&String>| {
            let values = one.compared.iter().filter_map(side).map(String::as_str);
            values.collect::<Vec<_>>().join(", ")
        };
        vec![
            one.suggestion_id.to_string(),
            one.mapping.clone(),
            one.left_id.clone(),
            one.right_id.clone(),
            format!("{:.2}", one.score),
            values(|pair| pair.left.as_ref()),
            values(|pair| pair.right.as_ref()),
            one.status.to_string(),
        ]
    })?;
    Ok(Exit::Done)
}
