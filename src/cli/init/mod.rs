//! `syncline init`: the files of a first project, for the two sandbox systems, or for a database and one of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::ValueEnum;

use super::{
    Exit,
    context::Context,
    error::{Error, Result},
};

/// The files of a first project, for the two systems of `syncline sandbox`: to run, to change, to learn from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline init my-sync                    settings, two connectors, two mappings with their cases
  syncline init my-sync --example sql      a database and the CRM of the sandbox, with an overlay

Nothing that is there already is overwritten.")]
pub struct Args {
    /// Where to; it is made if it is not there
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// What the first system is
    #[arg(long, value_enum, default_value_t = Example::Sandbox)]
    example: Example,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Example {
    /// The ERP of `syncline sandbox`
    Sandbox,
    /// A database: PostgreSQL, with the statements that make its table
    Sql,
}

/// A file of a project and what it says.
type File = (&'static str, &'static str);

impl Example {
    /// What is laid out.
    const fn files(self) -> &'static [File] {
        match self {
            Self::Sandbox => SANDBOX,
            Self::Sql => SQL,
        }
    }

    /// What to do next.
    const fn steps(self) -> &'static str {
        match self {
            Self::Sandbox => {
                "  syncline check                          nothing is wrong with it\n  \
                 syncline sandbox                        the two systems; leave it running, and in another terminal:\n  \
                 syncline plan customer-account          what would be done, and why\n  \
                 syncline reconcile --all                do it\n  \
                 syncline run                            keep them in agreement from now on"
            }
            Self::Sql => {
                "  export HOUSE_DB_URL=postgres://…        an empty database, and a user who may make a table in it\n  \
                 psql \"$HOUSE_DB_URL\" -f house.sql      the table\n  \
                 syncline check                          nothing is wrong with it\n  \
                 syncline sandbox crm --port 8322        the CRM; leave it running, and in another terminal:\n  \
                 syncline preview customer-account erp:1 one row, both ways\n  \
                 syncline reconcile --all                make them agree\n  \
                 syncline run                            keep them in agreement from now on"
            }
        }
    }
}

/// A database and the CRM of the sandbox.
const SQL: &[File] = &[
    ("config/dev.toml", include_str!("sql/dev.toml")),
    (
        "connectors/generic-sql.yaml",
        include_str!("../../../connectors/generic-sql.yaml"),
    ),
    (
        "connectors/generic-sql.test.yaml",
        include_str!("../../../connectors/generic-sql.test.yaml"),
    ),
    (
        "connectors/generic-sql.overlay.yaml",
        include_str!("sql/generic-sql.overlay.yaml"),
    ),
    (
        "connectors/sandbox-crm.yaml",
        include_str!("../../../connectors/sandbox-crm.yaml"),
    ),
    (
        "mappings/customer-account.yaml",
        include_str!("sql/customer-account.yaml"),
    ),
    (
        "mappings/customer-account.test.yaml",
        include_str!("sql/customer-account.test.yaml"),
    ),
    ("house.sql", include_str!("sql/house.sql")),
];

/// The two systems of the sandbox.
const SANDBOX: &[File] = &[
    ("config/dev.toml", include_str!("../../../config/dev.toml")),
    (
        "connectors/sandbox-erp.yaml",
        include_str!("../../../connectors/sandbox-erp.yaml"),
    ),
    (
        "connectors/sandbox-crm.yaml",
        include_str!("../../../connectors/sandbox-crm.yaml"),
    ),
    (
        "mappings/customer-account.yaml",
        include_str!("../../../mappings/customer-account.yaml"),
    ),
    (
        "mappings/customer-account.test.yaml",
        include_str!("../../../mappings/customer-account.test.yaml"),
    ),
    ("mappings/contact.yaml", include_str!("../../../mappings/contact.yaml")),
    (
        "mappings/contact.test.yaml",
        include_str!("../../../mappings/contact.test.yaml"),
    ),
];

pub(super) fn run(context: &Context, args: &Args) -> Result {
    let folder = &args.folder;
    let files = args.example.files();
    let mut names = files.iter().map(|(name, _)| *name);
    if let Some(first) = names.find(|name| folder.join(name).exists()) {
        return Err(
            Error::failed(format!("{} is there already", folder.join(first).display()))
                .with_hint("name a folder without a project: `syncline init FOLDER`"),
        );
    }
    for (name, text) in files {
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
    context.output.talk(format!("\nnext:\n{enter}{}", args.example.steps()));
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
