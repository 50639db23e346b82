//! `syncline events`: what other systems pushed, and what became of it.

use super::{
    Exit,
    context::{Context, block_on},
    error::Result,
    list::{Rows, look, maybe, maybe_time, time},
};
use crate::{core::status::EventStatus, server::api::event::View, store::event::EventFilter};

/// Events: what other systems pushed, and what became of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline events                              the last ones
  syncline events --status failed
  syncline events --system crm --record ACC-000123")]
pub struct Args {
    /// From this system
    #[arg(long)]
    system: Option<String>,
    /// About this object
    #[arg(long)]
    object: Option<String>,
    /// About this record
    #[arg(long)]
    record: Option<String>,
    /// That stand so
    #[arg(long)]
    status: Option<EventStatus>,
    #[command(flatten)]
    rows: Rows,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        let filter = EventFilter {
            system: args.system.clone(),
            object: args.object.clone(),
            record_id: args.record.clone(),
            status: args.status,
            since: None,
        };
        let events = look(context).await?.events(&filter, args.rows.page()).await?;
        let views: Vec<View> = events.into_iter().map(View::from).collect();
        let head = [
            "id",
            "system",
            "object",
            "record",
            "kind",
            "status",
            "received",
            "processed",
            "ms",
            "tries",
            "error",
        ];
        context.output.rows(&head, &views, |event| {
            vec![
                event.event_id.to_string(),
                event.system.clone(),
                event.object.clone(),
                maybe(event.record_id.as_ref()),
                event.kind.to_string(),
                event.status.to_string(),
                time(event.received_at),
                maybe_time(event.processed_at),
                maybe(event.processing_ms),
                event.attempts.to_string(),
                maybe(event.last_error.as_ref()),
            ]
        })?;
        Ok(Exit::Done)
    })
}
