//! `syncline schema`: the JSON Schemas that editors complete and check files with.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value as Json;

use super::{
    Exit,
    context::Context,
    error::{Error, Result},
};
use crate::settings::Settings;

/// The JSON Schemas of settings, connectors and mappings.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline schema mapping                  print one
  syncline schema --write schemas          write all of them
  syncline schema --compare schemas        exit code 1 if a written one is out of date")]
pub struct Args {
    /// Which one to print
    #[arg(value_enum, required_unless_present_any = ["write", "compare"])]
    kind: Option<Kind>,
    /// Write all of them into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "kind")]
    write: Option<PathBuf>,
    /// Compare all of them with those in this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["kind", "write"])]
    compare: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// `config/*.toml`
    Config,
}

impl Kind {
    fn file(self) -> &'static str {
        match self {
            Self::Config => "config.schema.json",
        }
    }

    fn schema(self) -> Json {
        match self {
            Self::Config => Settings::schema(),
        }
    }

    fn text(self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&self.schema())? + "\n")
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    if let Some(folder) = &args.write {
        std::fs::create_dir_all(folder)?;
        for kind in Kind::value_variants() {
            std::fs::write(folder.join(kind.file()), kind.text()?)?;
            context
                .output
                .talk(format!("wrote {}", folder.join(kind.file()).display()));
        }
        return Ok(Exit::Done);
    }
    if let Some(folder) = &args.compare {
        return compare(context, folder);
    }
    let kind = args.kind.ok_or_else(|| Error::usage("no schema was named"))?;
    context.output.raw(kind.text()?.trim_end())?;
    Ok(Exit::Done)
}

fn compare(context: &Context, folder: &std::path::Path) -> Result {
    let mut exit = Exit::Done;
    for kind in Kind::value_variants() {
        let path = folder.join(kind.file());
        if std::fs::read_to_string(&path).ok() != Some(kind.text()?) {
            context.output.raw(format!("{} is out of date", path.display()))?;
            exit = Exit::Found;
        }
    }
    if exit == Exit::Found {
        context
            .output
            .talk(format!("hint: syncline schema --write {}", folder.display()));
    }
    Ok(exit)
}
