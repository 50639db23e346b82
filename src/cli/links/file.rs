//! `syncline links export` and `import`: links as files, for a look, a correction, or another environment.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::mapping;
use crate::{
    cli::{
        Exit,
        context::Context,
        error::{Error, Result},
        list::{decide, look, maybe_time, time},
        output::count,
    },
    core::{
        mapping::Mapping,
        status::{LinkStatus, Side},
    },
    report::export::cell,
    server::linking::{Import as Taking, Pair, Verdict},
    store::{PAGE_MAX, link::StoredLink},
};

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The mapping
    mapping: String,
    /// The file, CSV or with the ending .jsonl JSON Lines; CSV to stdout where none is named
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The mapping
    mapping: String,
    /// The file: CSV with the columns left_id and right_id (or named as the systems), or with the ending .jsonl JSON Lines
    file: PathBuf,
    /// Store nothing; say what would become of each line
    #[arg(long)]
    dry_run: bool,
}

/// A line of a file of links.
#[derive(Debug, Serialize)]
struct Line {
    left_id: String,
    right_id: String,
    status: LinkStatus,
    last_synced_at: String,
    created_at: String,
}

impl From<StoredLink> for Line {
    fn from(stored: StoredLink) -> Self {
        Self {
            left_id: stored.link.left_id,
            right_id: stored.link.right_id,
            status: stored.link.status,
            last_synced_at: maybe_time(stored.last_synced_at),
            created_at: time(stored.created_at),
        }
    }
}

fn is_lines(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending == "jsonl" || ending == "ndjson")
}

pub(super) async fn export(context: &Context, args: &Export) -> Result {
    let store = look(context).await?;
    let as_lines = context.output.is_json() || args.out.as_deref().is_some_and(is_lines);
    let file: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(io::BufWriter::new(File::create(path)?)),
        None => Box::new(io::stdout().lock()),
    };
    let mut writer = Writer::begin(file, as_lines)?;
    let (mut after, mut written) = (0, 0);
    loop {
        let links = store.links_after(&args.mapping, after, PAGE_MAX).await?;
        let Some(last) = links.last() else { break };
        after = last.link.link_id;
        written += links.len();
        for stored in links {
            writer.line(&stored.into())?;
        }
    }
    writer.end()?;
    if let Some(path) = &args.out {
        context
            .output
            .talk(format!("{}: {}", path.display(), count(written, "link")));
    }
    Ok(Exit::Done)
}

enum Writer {
    Lines(Box<dyn Write>),
    Csv(Box<csv::Writer<Box<dyn Write>>>),
}

impl Writer {
    fn begin(file: Box<dyn Write>, as_lines: bool) -> io::Result<Self> {
        if as_lines {
            return Ok(Self::Lines(file));
        }
        let mut table = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(file);
        table.write_record(["left_id", "right_id", "status", "last_synced_at", "created_at"])?;
        Ok(Self::Csv(Box::new(table)))
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        match self {
            Self::Lines(file) => {
                serde_json::to_writer(&mut *file, line)?;
                file.write_all(b"\n")
            }
            Self::Csv(table) => Ok(table.write_record([
                cell::guarded(&line.left_id).as_ref(),
                cell::guarded(&line.right_id).as_ref(),
                line.status.as_str(),
                &line.last_synced_at,
                &line.created_at,
            ])?),
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Lines(mut file) => file.flush(),
            Self::Csv(mut table) => table.flush(),
        }
    }
}

/// What became of a line.
#[derive(Debug, Serialize)]
struct Told {
    line: u64,
    left_id: String,
    right_id: String,
    /// `linked`, `known` or `refused`.
    result: &'static str,
    why: Option<String>,
}

/// Lines that are looked at together.
const PORTION: usize = 500;

pub(super) async fn import(context: &Context, args: &Import) -> Result {
    let (store, settings) = decide(context).await?;
    let mapping = mapping(context, &settings, &args.mapping)?;
    let shown = args.file.display();
    let file = File::open(&args.file).map_err(|error| Error::failed(format!("{shown}: {error}")))?;
    let mut reader = Reader::begin(file, &args.file, &mapping)?;
    let actor = context.actor();
    let mut taking = Taking::new(&store, &mapping.name, &actor, args.dry_run);
    let (mut linked, mut known, mut refused) = (0, 0, 0);
    loop {
        let portion = reader.portion()?;
        if portion.is_empty() {
            break;
        }
        let good: Vec<Pair> = portion
            .iter()
            .filter_map(|(_, pair)| pair.as_ref().ok().cloned())
            .collect();
        let mut verdicts = taking.take(&good).await?.into_iter();
        for (line, pair) in portion {
            let (pair, verdict) = match pair {
                Ok(pair) => (Some(pair), verdicts.next()),
                Err(why) => (None, Some(Verdict::Refused(why))),
            };
            let Some(verdict) = verdict else { continue };
            match &verdict {
                Verdict::Linked => linked += 1,
                Verdict::Known => known += 1,
                Verdict::Refused(_) => refused += 1,
            }
            tell(context, line, pair, verdict)?;
        }
    }
    let would = if args.dry_run { "would be " } else { "" };
    context.output.talk(format!(
        "{} {would}linked, {known} linked before, {refused} refused",
        count(linked, "pair")
    ));
    if linked > 0 && !args.dry_run {
        context.output.talk(format!(
            "next:\n  syncline plan {}    what the next reconciliation will do with them",
            mapping.name
        ));
    }
    Ok(if refused > 0 { Exit::Found } else { Exit::Done })
}

/// For programs every line, for people those that were refused.
fn tell(context: &Context, line: u64, pair: Option<Pair>, verdict: Verdict) -> io::Result<()> {
    let (result, why) = match verdict {
        Verdict::Linked => ("linked", None),
        Verdict::Known => ("known", None),
        Verdict::Refused(why) => ("refused", Some(why)),
    };
    if let Some(why) = &why {
        context
            .output
            .line(format!("line {line}: {}", crate::telemetry::harmless(why)))?;
    }
    let (left_id, right_id) = pair.map(|pair| (pair.left_id, pair.right_id)).unwrap_or_default();
    context.output.json(&Told {
        line,
        left_id,
        right_id,
        result,
        why,
    })
}

/// Pairs as they come from a file, each with its line; or why a line is none.
type Portion = Vec<(u64, std::result::Result<Pair, String>)>;

enum Reader {
    Lines {
        file: io::Lines<BufReader<File>>,
        line: u64,
    },
    Csv {
        table: Box<csv::Reader<File>>,
        left: usize,
        right: usize,
    },
}

#[derive(Deserialize)]
struct Given {
    left_id: String,
    right_id: String,
}

impl Reader {
    fn begin(file: File, path: &Path, mapping: &Mapping) -> Result<Self> {
        if is_lines(path) {
            return Ok(Self::Lines {
                file: BufReader::new(file).lines(),
                line: 0,
            });
        }
        // Lines end at their `\n`, so that the reader counts them as an editor does; a `\r` before it is taken away below.
        let mut table = csv::ReaderBuilder::new()
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(file);
        let head = table
            .headers()
            .map_err(|error| Error::failed(format!("{}: {error}", path.display())))?;
        let at = |side: Side| {
            let names = [format!("{side}_id"), mapping.end(side).system.clone()];
            let is_named = |column: &str| {
                names
                    .iter()
                    .any(|name| name == column.trim_start_matches('\u{feff}').trim())
            };
            head.iter().position(is_named).ok_or_else(|| {
                Error::failed(format!(
                    "{}: there is no column `{}` or `{}`",
                    path.display(),
                    names[0],
                    names[1]
                ))
                .with_hint("the first line names the columns: left_id,right_id")
            })
        };
        let (left, right) = (at(Side::Left)?, at(Side::Right)?);
        Ok(Self::Csv {
            table: Box::new(table),
            left,
            right,
        })
    }

    fn portion(&mut self) -> Result<Portion> {
        match self {
            Self::Lines { file, line } => {
                let mut portion = Portion::new();
                while portion.len() < PORTION {
                    let Some(text) = file.next() else { break };
                    *line += 1;
                    let text = text?;
                    if text.trim().is_empty() {
                        continue;
                    }
                    let given = serde_json::from_str::<Given>(&text);
                    let pair = given.map_err(|error| error.to_string()).map(|given| Pair {
                        left_id: given.left_id,
                        right_id: given.right_id,
                    });
                    portion.push((*line, pair));
                }
                Ok(portion)
            }
            Self::Csv { table, left, right } => rows(table, *left, *right),
        }
    }
}

fn rows<R: Read>(table: &mut csv::Reader<R>, left: usize, right: usize) -> Result<Portion> {
    let mut portion = Portion::new();
    let mut row = csv::StringRecord::new();
    while portion.len() < PORTION {
        let line = table.position().line();
        match table.read_record(&mut row) {
            Ok(false) => break,
            Ok(true) => {
                let line = row.position().map_or(line, csv::Position::line);
                let id = |at: usize| {
                    row.get(at)
                        .map(|cell| cell::unguarded(cell.trim_end_matches('\r')).to_owned())
                };
                let pair = id(left)
                    .zip(id(right))
                    .map(|(left_id, right_id)| Pair { left_id, right_id });
                portion.push((line, pair.ok_or_else(|| "it has too few columns".to_owned())));
            }
            Err(error) if error.is_io_error() => return Err(error.into()),
            Err(error) => portion.push((line, Err(error.to_string()))),
        }
    }
    Ok(portion)
}
