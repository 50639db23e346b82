//! `syncline init`: the files of a first project, for the two sandbox systems.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Exit,
    context::Context,
    error::{Error, Result},
};

/// The files of a first project, for the two systems of `syncline sandbox`: to run, to change, to learn from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  syncline init my-sync        settings, two connectors, two mappings with their cases

Nothing that is there already is overwritten.")]
pub struct Args {
    /// Where to; it is made if it is not there
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

/// What is laid out.
const FILES: &[(&str, &str)] = &[
    ("config/dev.toml", include_str!("../../config/dev.toml")),
    (
        "connectors/sandbox-erp.yaml",
        include_str!("../../connectors/sandbox-erp.yaml"),
    ),
    (
        "connectors/sandbox-crm.yaml",
        include_str!("../../connectors/sandbox-crm.yaml"),
    ),
    (
        "mappings/customer-account.yaml",
        include_str!("../../mappings/customer-account.yaml"),
    ),
    (
        "mappings/customer-account.test.yaml",
        include_str!("../../mappings/customer-account.test.yaml"),
    ),
    ("mappings/contact.yaml", include_str!("../../mappings/contact.yaml")),
    (
        "mappings/contact.test.yaml",
        include_str!("../../mappings/contact.test.yaml"),
    ),
];

pub(super) fn run(context: &Context, args: &Args) -> Result {
    let folder = &args.folder;
    let mut names = FILES.iter().map(|(name, _)| *name);
    if let Some(first) = names.find(|name| folder.join(name).exists()) {
        return Err(
            Error::failed(format!("{} is there already", folder.join(first).display()))
                .with_hint("name a folder without a project: `syncline init FOLDER`"),
        );
    }
    for (name, text) in FILES {
        let path = folder.join(name);
        write(&path, text).map_err(|error| Error::failed(format!("{} cannot be written: {error}", path.display())))?;
        context.output.json(&serde_json::json!({ "file": path }))?;
        context.output.line(path.display().to_string())?;
    }
    super::schema::write_all(&folder.join("schemas"))?;
    let enter = if folder == Path::new(".") {
        String::new()
    } else {
        format!("  cd {}\n", folder.display())
    };
    context.output.talk(format!(
        "\nnext:\n{enter}  syncline check                          nothing is wrong with it\n  \
         syncline sandbox                        the two systems; leave it running, and in another terminal:\n  \
         syncline plan customer-account          what would be done, and why\n  \
         syncline reconcile --all                do it\n  \
         syncline run                            keep them in agreement from now on"
    ));
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
