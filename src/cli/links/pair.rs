//! `syncline links relink` and `merge`: single pairs.

use super::{mapping, refused};
use crate::{
    cli::{
        Exit,
        context::Context,
        error::{Error, Result},
        list::decide,
        work::RecordArg,
    },
    core::status::Side,
    server::linking::{self, Merged, Pair, Relinked},
};

#[derive(Debug, clap::Args)]
pub(super) struct Relink {
    /// The mapping
    mapping: String,
    /// One record
    #[arg(value_name = "SYSTEM:ID")]
    one: RecordArg,
    /// The other
    #[arg(value_name = "SYSTEM:ID")]
    other: RecordArg,
}

#[derive(Debug, clap::Args)]
pub(super) struct Merge {
    /// The mapping
    mapping: String,
    /// The record that is gone
    #[arg(value_name = "SYSTEM:ID")]
    from: RecordArg,
    /// The record that it lives on as, in the same system
    #[arg(value_name = "SYSTEM:ID")]
    into: RecordArg,
}

pub(super) async fn relink(context: &Context, args: &Relink) -> Result {
    let (store, settings) = decide(context).await?;
    let mapping = mapping(context, &settings, &args.mapping)?;
    let (one, other) = (args.one.of(&mapping)?, args.other.of(&mapping)?);
    let (left, right) = match (one.0, other.0) {
        (Side::Left, Side::Right) => (one.1, other.1),
        (Side::Right, Side::Left) => (other.1, one.1),
        _ => return Err(Error::usage("both records are in the same system").with_hint("a link has one of each")),
    };
    let pair = Pair {
        left_id: left.to_owned(),
        right_id: right.to_owned(),
    };
    match linking::relink(&store, &mapping.name, &pair, &context.actor()).await? {
        Relinked::Known(link_id) => context.output.talk(format!("link {link_id} links them already")),
        Relinked::Made(ended) => {
            for link_id in ended {
                context.output.talk(format!("link {link_id}: ended"));
            }
            context.output.talk(format!("{left} ↔ {right}: linked"));
            let name = &mapping.name;
            let system = &mapping.end(Side::Left).system;
            context.output.talk(format!(
                "next:\n  syncline plan {name} --record {system}:{left}    what the next look will do"
            ));
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn merge(context: &Context, args: &Merge) -> Result {
    let (store, settings) = decide(context).await?;
    let mapping = mapping(context, &settings, &args.mapping)?;
    let ((side, from), (other, into)) = (args.from.of(&mapping)?, args.into.of(&mapping)?);
    if side != other {
        return Err(Error::usage("the two records are in different systems")
            .with_hint("a record lives on in its own system; `syncline links relink` links records of both"));
    }
    match linking::merge(&store, &mapping.name, side, (from, into), &context.actor()).await? {
        Merged::Moved(link_id) => {
            context
                .output
                .talk(format!("link {link_id}: moved from {from} to {into}"));
            Ok(Exit::Done)
        }
        Merged::Unlinked => Err(refused(
            format!("{from} is in no link"),
            format!("`syncline links --mapping {}` lists them", mapping.name),
        )),
        Merged::Elsewhere { link_id, partner } => Err(refused(
            format!("{into} is linked to {partner} already (link {link_id})"),
            format!("end the link that is wrong with `syncline links unlink`, for instance {link_id}"),
        )),
    }
}
