//! `syncline schema`: the JSON Schemas that editors complete and check files with.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{
    Exit,
    context::Context,
    error::{Error, Result},
    output::print,
};
use crate::{catalog, core::notice, settings::Settings};

/// The JSON Schemas of settings, connectors, mappings and notices.
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
    /// `connectors/*.yaml`
    Connector,
    /// `connectors/*.test.yaml`
    ConnectorTest,
    /// `connectors/*.overlay.yaml`
    ConnectorOverlay,
    /// `mappings/*.yaml`
    Mapping,
    /// `mappings/*.test.yaml`
    MappingTest,
    /// `mappings/*.overlay.yaml`
    MappingOverlay,
    /// What outgoing webhooks carry
    Notice,
}

impl Kind {
    const fn file(self) -> &'static str {
        match self {
            Self::Config => "config.schema.json",
            Self::Connector => "connector.schema.json",
            Self::ConnectorTest => "connector-test.schema.json",
            Self::ConnectorOverlay => "connector-overlay.schema.json",
            Self::Mapping => "mapping.schema.json",
            Self::MappingTest => "mapping-test.schema.json",
            Self::MappingOverlay => "mapping-overlay.schema.json",
            Self::Notice => "notice.schema.json",
        }
    }

    fn text(self) -> Result<String> {
        Ok(match self {
            Self::Config => serde_json::to_string_pretty(&Settings::schema())? + "\n",
            Self::Connector => catalog::schema::connector(),
            Self::ConnectorTest => catalog::schema::connector_test(),
            Self::ConnectorOverlay => catalog::schema::connector_overlay(),
            Self::Mapping => catalog::schema::mapping(),
            Self::MappingTest => catalog::schema::mapping_test(),
            Self::MappingOverlay => catalog::schema::mapping_overlay(),
            Self::Notice => notice::payload::schema(),
        })
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    if let Some(folder) = &args.write {
        return write(context, folder);
    }
    if let Some(folder) = &args.compare {
        return compare(context, folder);
    }
    let kind = args.kind.ok_or_else(|| Error::usage("no schema was named"))?;
    print(kind.text()?.trim_end())?;
    Ok(Exit::Done)
}

fn write(context: &Context, folder: &Path) -> Result {
    for path in write_all(folder)? {
        context.output.talk(format!("wrote {}", path.display()));
    }
    Ok(Exit::Done)
}

/// Writes every schema into `folder`.
pub(super) fn write_all(folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let mut written = Vec::new();
    for kind in Kind::value_variants() {
        let path = folder.join(kind.file());
        std::fs::write(&path, kind.text()?)?;
        written.push(path);
    }
    Ok(written)
}

fn compare(context: &Context, folder: &Path) -> Result {
    let mut exit = Exit::Done;
    for kind in Kind::value_variants() {
        let path = folder.join(kind.file());
        if std::fs::read_to_string(&path).ok() != Some(kind.text()?) {
            print(format!("{} is out of date", path.display()))?;
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
