//! `syncline conflicts`: fields that both sides changed, where a person decides.

use std::sync::Arc;

use clap::Subcommand;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::{Rows, check_mapping, decide, decided, found, look, maybe, maybe_time, time},
};
use crate::{
    core::{
        mapping::Mapping,
        status::{ConflictStatus, Role, Side},
    },
    server::{
        api::conflict::View,
        settling::{self, Decided},
    },
    settings::Settings,
    store::{
        Store,
        conflict::{Conflict, ConflictFilter, Resolution},
    },
};

/// Conflicts: fields that both sides changed, where a person decides.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  syncline conflicts                            open ones, both values side by side
  syncline conflicts show 5                     one of them, with what can be done
  syncline conflicts resolve 5 --take erp       the value in erp counts (or left, or right)
  syncline conflicts resolve 5 --set name='Ana Ltda'    this value counts, and is written to both
  syncline conflicts resolve 5 --ignore         both stay as they are until a side changes again

A decision is about the values that `show` shows: with --seen WORD it is refused where one has changed since,
and where a side changes before it takes effect, the conflict is open again. The daemon carries it out at once."
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
    /// One conflict, side by side
    Show {
        /// Its id
        id: i64,
    },
    /// Decide
    #[command(group = clap::ArgGroup::new("decision").required(true).multiple(false))]
    Resolve {
        /// Its id
        id: i64,
        /// The side whose value counts, as after --take
        #[arg(group = "decision")]
        winner: Option<String>,
        /// The side whose value counts: the name of its system, or left or right
        #[arg(long, group = "decision", value_name = "SIDE")]
        take: Option<String>,
        /// The value that counts, in the form of the left side; nothing behind the `=` clears both
        #[arg(long, group = "decision", value_name = "FIELD=VALUE")]
        set: Option<String>,
        /// Leave both as they are until a side changes again
        #[arg(long, group = "decision")]
        ignore: bool,
        /// The word that `show` told for the values: the decision is refused where they are others by now
        #[arg(long, value_name = "WORD")]
        seen: Option<String>,
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
            Some(Action::Show { id }) => show(context, *id).await,
            Some(Action::Resolve {
                id,
                winner,
                take,
                set,
                seen,
                ..
            }) => {
                let wish = match (take.as_ref().or(winner.as_ref()), set) {
                    (Some(side), _) => Wish::Take(side),
                    (None, Some(set)) => Wish::Set(set),
                    (None, None) => Wish::Ignore,
                };
                resolve(context, *id, wish, seen.as_deref()).await
            }
            Some(Action::Ignore { id }) => resolve(context, *id, Wish::Ignore, None).await,
        }
    })
}

/// What is wanted, as it was written.
#[derive(Clone, Copy)]
enum Wish<'a> {
    Take(&'a str),
    Set(&'a str),
    Ignore,
}

async fn resolve(context: &Context, id: i64, wish: Wish<'_>, seen: Option<&str>) -> Result {
    let (store, settings) = decide(context).await?;
    let conflict = found(store.conflict(id).await?, &format!("conflict {id}"))?;
    let mapping = mapping(context, &settings, &conflict);
    let (resolution, done) = match wish {
        Wish::Take(word) => {
            let side = side(mapping.as_deref(), word)?;
            (Resolution::Take(side), format!("decided for {word}"))
        }
        Wish::Set(text) => {
            let value = value(&conflict, text)?;
            (
                Resolution::Set(value.to_owned()),
                "decided for the value given".to_owned(),
            )
        }
        Wish::Ignore => (Resolution::Ignore, "ignored until a side changes".to_owned()),
    };
    let decision = (&resolution, seen);
    let outcome = settling::resolve_conflict(&store, mapping.as_deref(), id, decision, &context.actor()).await?;
    if outcome == Decided::Changed {
        context
            .output
            .talk(format!("conflict {id} has changed since you looked; it is now:"));
        tell(context, &store, mapping.as_deref(), id).await?;
        return Ok(Exit::Found);
    }
    decided(context, outcome, &format!("conflict {id}"), &done)
}

/// The value in `FIELD=VALUE`.
fn value<'t>(conflict: &Conflict, text: &'t str) -> Result<&'t str> {
    match text.split_once('=') {
        Some((field, value)) if field == conflict.field => Ok(value),
        _ => Err(Error::usage(format!("`{text}` is no value of `{}`", conflict.field))
            .with_hint(format!("write `--set {}=VALUE`", conflict.field))),
    }
}

fn mapping(context: &Context, settings: &Settings, conflict: &Conflict) -> Option<Arc<Mapping>> {
    context
        .loaded(settings)
        .catalog
        .mappings
        .get(&*conflict.mapping)
        .cloned()
}

/// The side that is meant by `left`, `right` or the name of a system.
fn side(mapping: Option<&Mapping>, word: &str) -> Result<Side> {
    let Some(mapping) = mapping else {
        let neither = |_| Error::usage(format!("`{word}` is neither `left` nor `right`"));
        return word.parse().map_err(neither);
    };
    let system = |side: Side| mapping.end(side).system.as_str();
    mapping.side_named(word).ok_or_else(|| {
        Error::usage(format!("mapping `{}` has no system `{word}`", mapping.name)).with_hint(format!(
            "it is between `{}` (left) and `{}` (right)",
            system(Side::Left),
            system(Side::Right)
        ))
    })
}

async fn show(context: &Context, id: i64) -> Result {
    let settings = context.settings()?;
    let store = look(context).await?;
    let conflict = found(store.conflict(id).await?, &format!("conflict {id}"))?;
    let mapping = mapping(context, &settings, &conflict);
    tell(context, &store, mapping.as_deref(), id).await?;
    Ok(Exit::Done)
}

/// Both values side by side, and what can be done.
async fn tell(context: &Context, store: &Store, mapping: Option<&Mapping>, id: i64) -> Result<()> {
    let conflict = found(store.conflict(id).await?, &format!("conflict {id}"))?;
    // Whoever may read the settings and the key of the store may see what is in it.
    let view = View::of(conflict, Role::Admin);
    let system = |side: Side| mapping.map_or_else(|| side.to_string(), |mapping| mapping.end(side).system.clone());
    let (left, right) = (system(Side::Left), system(Side::Right));
    let nothing = || "(nothing)".to_owned();
    let side = |id: &str, value: &Option<String>| format!("{}  ({id})", value.clone().unwrap_or_else(nothing));
    context.output.fields(
        &view,
        &[
            ("conflict", format!("{}, {}", view.conflict_id, view.status)),
            ("mapping", view.mapping.clone()),
            ("field", view.field.clone()),
            (left.as_str(), side(&view.left_id, &view.left_value)),
            (right.as_str(), side(&view.right_id, &view.right_value)),
            ("found", time(view.created_at)),
            ("decided", maybe_time(view.resolved_at)),
            ("by", maybe(view.resolved_by.as_ref())),
            ("for", maybe(view.winner.map(system))),
            ("value", maybe(view.decided_value.as_ref())),
            ("in effect", maybe_time(view.applied_at)),
            ("seen", view.seen.clone()),
        ],
    )?;
    if view.status == ConflictStatus::Open {
        let seen = &view.seen;
        context.output.talk(format!(
            "next:\n  syncline conflicts resolve {id} --seen {seen} --take {left}\n  \
             syncline conflicts resolve {id} --seen {seen} --take {right}\n  \
             syncline conflicts resolve {id} --seen {seen} --set {}=VALUE\n  \
             syncline conflicts resolve {id} --seen {seen} --ignore",
            view.field
        ));
    }
    Ok(())
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
