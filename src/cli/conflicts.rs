//! `syncline conflicts`: fields that both sides changed, where a person decides.

use clap::Subcommand;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::{Rows, check_mapping, decide, found, look, maybe, time, told},
};
use crate::{
    core::status::{ConflictStatus, Role, Side},
    server::{api::conflict::View, decision},
    settings::Settings,
    store::{Store, conflict::ConflictFilter},
};

/// Conflicts: fields that both sides changed, where a person decides.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  syncline conflicts                       open ones, both values side by side
  syncline conflicts resolve 5 erp         the value in erp counts; written at once by the daemon
  syncline conflicts ignore 5              both stay as they are until a side changes again"
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Of this mapping
    #[arg(long)]
    mapping: Option<String>,
    /// That stand so
    #[arg(long, default_value = "open")]
    status: ConflictStatus,
    /// Of this record, on either side
    #[arg(long)]
    record: Option<String>,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Decide for one side
    Resolve {
        /// Its id
        id: i64,
        /// The side whose value counts: the name of its system, or left or right
        winner: String,
    },
    /// Leave both as they are until a side changes again
    Ignore {
        /// Its id
        id: i64,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            None => list(context, args).await,
            Some(Action::Resolve { id, winner }) => {
                let (store, settings) = decide(context).await?;
                let side = side(context, &settings, &store, *id, winner).await?;
                let outcome = decision::resolve_conflict(&store, *id, side, &context.actor()).await?;
                told(
                    context,
                    outcome,
                    &format!("conflict {id}"),
                    &format!("decided for {winner}"),
                )
            }
            Some(Action::Ignore { id }) => {
                let (store, _) = decide(context).await?;
                let outcome = decision::ignore_conflict(&store, *id, &context.actor()).await?;
                told(context, outcome, &format!("conflict {id}"), "ignored")
            }
        }
    })
}

/// The side that is meant by `left`, `right` or the name of a system.
async fn side(context: &Context, settings: &Settings, store: &Store, id: i64, winner: &str) -> Result<Side> {
    if let Ok(side) = winner.parse() {
        return Ok(side);
    }
    let conflict = found(store.conflict(id).await?, &format!("conflict {id}"))?;
    let loaded = context.loaded(settings);
    let Some(mapping) = loaded.catalog.mappings.get(&*conflict.mapping) else {
        return Err(Error::usage(format!("`{winner}` is neither `left` nor `right`")));
    };
    let system = |side: Side| mapping.end(side).system.as_str();
    let named = [Side::Left, Side::Right]
        .into_iter()
        .find(|side| system(*side) == winner);
    named.ok_or_else(|| {
        Error::usage(format!("mapping `{}` has no system `{winner}`", mapping.name)).with_hint(format!(
            "it is between `{}` (left) and `{}` (right)",
            system(Side::Left),
            system(Side::Right)
        ))
    })
}

async fn list(context: &Context, args: &Args) -> Result {
    let filter = ConflictFilter {
        mapping: args.mapping.clone(),
        status: Some(args.status),
        record_id: args.record.clone(),
    };
    let conflicts = look(context).await?.conflicts(&filter, args.rows.page()).await?;
    check_mapping(context, args.mapping.as_deref(), conflicts.is_empty())?;
    // Whoever may read the settings and the key of the store may see what is in it.
    let views: Vec<View> = conflicts
        .into_iter()
        .map(|conflict| View::of(conflict, Role::Admin))
        .collect();
    let head = [
        "id",
        "mapping",
        "left",
        "right",
        "field",
        "left value",
        "right value",
        "status",
        "found",
    ];
    context.output.rows(&head, &views, |conflict| {
        vec![
            conflict.conflict_id.to_string(),
            conflict.mapping.clone(),
            conflict.left_id.clone(),
            conflict.right_id.clone(),
            conflict.field.clone(),
            maybe(conflict.left_value.as_ref()),
            maybe(conflict.right_value.as_ref()),
            conflict.status.to_string(),
            time(conflict.created_at),
        ]
    })?;
    Ok(Exit::Done)
}
