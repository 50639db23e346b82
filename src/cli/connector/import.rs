//! `syncline connector import`: what another tool says about a system, as a connector.

use std::path::{Path, PathBuf};

use super::{new::file, place};
use crate::{
    cli::{
        context::Context,
        error::{Error, Result},
    },
    draft::{self, Wanted, source},
};

/// A connector from a low-code manifest of Airbyte, and a list of exactly what could not be carried over.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline connector import source-acme/manifest.yaml
  syncline connector import manifest.yaml --name acme --object customers

A manifest reads lists: signing in, paths, paging, where the records are, changes since a time, what errors mean and the budget
are carried over. What has code of its own, is read for each record of another stream, or is computed while it runs is not; it is
marked CHECK in the file and listed here. Single records, writes and pushes are to be added.")]
pub struct Args {
    /// The manifest, as YAML or JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The connector's name (default: that of the file, or of the folder of a manifest.yaml)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only this stream
    #[arg(long, value_name = "NAME")]
    object: Vec<String>,
    #[command(flatten)]
    target: place::Target,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    let Some(name) = args.name.clone().or_else(|| name_of(&args.file)) else {
        return Err(
            Error::usage("the file does not say what the connector is called").with_hint("name it: --name acme")
        );
    };
    place::check_name(&name)?;
    let shown = args.file.display().to_string();
    let wanted = Wanted {
        name: &name,
        objects: &args.object,
        address: None,
    };
    let draft = source::read(&file(&args.file)?).and_then(|root| draft::airbyte::draft(&root, &wanted));
    let draft = draft.map_err(|error| place::refused(&error, &shown))?;
    place::write(context, &draft, &args.target)
}

/// `source-acme/manifest.yaml` is `acme`, and so is `acme.yaml`.
fn name_of(file: &Path) -> Option<String> {
    let stem = file.file_stem()?.to_str()?;
    let name = if stem == "manifest" {
        file.parent()?.file_name()?.to_str()?
    } else {
        stem
    };
    let name = name.strip_prefix("source-").unwrap_or(name).to_ascii_lowercase();
    Some(name).filter(|name| !name.is_empty())
}
