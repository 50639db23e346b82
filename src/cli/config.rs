//! `syncline config`: what the settings are and where they come from.

use clap::Subcommand;
use zeroize::Zeroizing;

use super::{
    Exit,
    context::Context,
    error::{Error, Result},
    output::{complain, print},
    project::{Folders, folders},
};
use crate::{catalog::overlay, core::problem::nearest, settings};

/// Settings: show them, or make a data key.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline --env prod config show                   every setting with the file or variable it comes from
  syncline config key > /etc/syncline/data.key      a new data key (keep a copy outside this machine)")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every setting with its value and where it comes from; secrets are masked
    Show {
        /// Only keys that start with this
        #[arg(value_name = "KEY", default_value = "")]
        prefix: String,
    },
    /// A new data key (`keys.data`)
    Key,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    match &args.action {
        Action::Show { prefix } => show(context, prefix),
        Action::Key => {
            let key = Zeroizing::new(rand::random::<[u8; 32]>());
            print(Zeroizing::new(hex::encode(*key)).as_str())?;
            Ok(Exit::Done)
        }
    }
}

fn show(context: &Context, prefix: &str) -> Result {
    let (mut entries, problems) = settings::entries(&context.source);
    let near = nearest(prefix, entries.iter().map(|entry| entry.key.as_str())).map(ToOwned::to_owned);
    entries.retain(|entry| entry.key.starts_with(prefix));
    if entries.is_empty() && !prefix.is_empty() {
        let error = Error::usage(format!("no setting begins with `{prefix}`"));
        return Err(match near {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error.with_hint("`syncline config show` lists every setting"),
        });
    }
    context.output.rows(&["key", "value", "from"], &entries, |entry| {
        vec![entry.key.clone(), entry.value.clone(), entry.origin.to_string()]
    })?;
    if "folders".starts_with(prefix) || prefix.starts_with("folders") {
        let Folders { connectors, mappings } = folders(context);
        for (overlay, definition) in [connectors, mappings].iter().flat_map(|folder| overlay::files(folder)) {
            context
                .output
                .talk(format!("{} is laid over {}", overlay.display(), definition.display()));
        }
    }
    for problem in &problems {
        complain(problem.to_string());
    }
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Found })
}
