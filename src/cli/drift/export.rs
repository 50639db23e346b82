//! `syncline drift export`: a report as a file.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::{ReportArg, grouped, items::Filters, report_of, systems};
use crate::{
    cli::{
        Exit,
        context::Context,
        error::{Error, Result},
    },
    core::status::Role,
    report::{Export, Format, Overview, export, overview::Point},
    store::Access,
};

/// How many reports the trend within an export has.
const TREND: u32 = 30;

/// A report as a file: JSON Lines, CSV, a spreadsheet, or a page for mail.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline drift export --format xlsx --out drift.xlsx             the newest report, for a spreadsheet
  syncline drift export customer-account --format html --out drift.html --mask
  syncline drift export 17 --format csv --cause event_failed > failed.csv
  syncline drift export 17 --format jsonl | jq -r .left_id

In CSV a cell that a spreadsheet program would take for a formula has an apostrophe in front: take one leading apostrophe
away to have the very value. Spreadsheets hold such values as plain text.")]
pub(super) struct Args {
    /// The report: the id of its run, or a mapping for its last one
    #[arg(value_name = "REPORT|MAPPING")]
    report: Option<ReportArg>,
    /// jsonl, csv, xlsx or html
    #[arg(long)]
    format: Format,
    /// The file; stdout where none is named
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Without the values of sensitive fields: for people who may not see them
    #[arg(long)]
    mask: bool,
    #[command(flatten)]
    filters: Filters,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result {
    if args.out.is_none() && args.format == Format::Xlsx && io::stdout().is_terminal() {
        return Err(Error::usage("a spreadsheet is no text for a terminal").with_hint("name a file with --out FILE"));
    }
    let settings = context.settings()?;
    let store = context.store(&settings, Access::Read).await?;
    let overview = report_of(&store, args.report.as_ref()).await?;
    let trend = store
        .drift_trend_before(Some(&overview.mapping), overview.run_id.checked_add(1), TREND)
        .await?;
    let request = Export {
        format: args.format,
        systems: systems(context, &settings, &overview.mapping),
        trend: trend
            .into_iter()
            .map(|stored| Point::from(&Overview::from(stored)))
            .collect(),
        overview,
        filter: args.filters.of(&context.clock),
        // Whoever may read the settings and the key of the store may see what is in it.
        role: if args.mask { Role::Viewer } else { Role::Admin },
    };
    let folder = args
        .out
        .as_deref()
        .and_then(Path::parent)
        .filter(|folder| !folder.as_os_str().is_empty());
    // A file that is not whole never stands under its name.
    let scratch = match (&args.out, folder) {
        (Some(_), Some(folder)) => tempfile::NamedTempFile::new_in(folder)?,
        (Some(_), None) => tempfile::NamedTempFile::new_in(".")?,
        (None, _) => tempfile::NamedTempFile::new()?,
    };
    let count = export(&store, request, scratch.reopen()?).await?;
    if let Some(path) = &args.out {
        readable(scratch.as_file())?;
        scratch.persist(path).map_err(|error| error.error)?;
        let what = format!("{}: {} differences", path.display(), grouped(count));
        context.output.talk(what);
    } else {
        let mut file = scratch.into_file();
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut file, &mut io::stdout().lock())?;
    }
    Ok(Exit::Done)
}

/// Scratch files are for their owner alone; a report is as other files of this person are, with nobody else writing it.
fn readable(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(std::fs::Permissions::from_mode(0o640))?;
    }
    file.sync_all()
}
