//! `syncline connector new`: a first draft, from what somebody wrote about a system or what it answered.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::place;
use crate::{
    cli::{
        context::{Context, block_on},
        error::{Error, Result},
    },
    client::{DocumentError, document},
    draft::{self, Draft, Wanted, sample::Sample, source},
};

/// A first draft of a connector: what a description or an answer says, and a list of what it does not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline connector new acme --openapi https://api.acme.example/openapi.json
  syncline connector new acme --openapi acme.yaml --object customer --object invoice
  syncline connector new acme --odata metadata.xml                  saved from …/$metadata
  syncline connector new acme --sample customers.json               an answer, saved with curl
  syncline connector new acme --sample a.json --object customer --sample b.json --object invoice

The file loads as it is. What could not be known is marked CHECK in it and listed here: read it through before it runs. An
address is read without credentials; where a description is behind a login, save it and name the file.")]
#[command(group(clap::ArgGroup::new("from").required(true).args(["openapi", "odata", "sample"])))]
pub struct Args {
    /// The connector's name, which is its file's name too
    name: String,
    /// An OpenAPI (3.0, 3.1) or Swagger 2.0 description, as JSON or YAML
    #[arg(long, value_name = "FILE|URL")]
    openapi: Option<String>,
    /// An OData description ($metadata; v4 or v2)
    #[arg(long, value_name = "FILE|URL")]
    odata: Option<String>,
    /// An answer of the system: a list of records, or one record
    #[arg(long, value_name = "FILE")]
    sample: Vec<PathBuf>,
    /// Only this object; with --sample, what the answers hold
    #[arg(long, value_name = "NAME")]
    object: Vec<String>,
    #[command(flatten)]
    target: place::Target,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    place::check_name(&args.name)?;
    let draft = drafted(args)?;
    place::write(context, &draft, &args.target)
}

fn drafted(args: &Args) -> Result<Draft> {
    let wanted = |address| Wanted {
        name: &args.name,
        objects: &args.object,
        address,
    };
    if let Some(from) = args.openapi.as_deref().or(args.odata.as_deref()) {
        let (bytes, address) = description(from)?;
        let wanted = wanted(address);
        let made = if args.openapi.is_some() {
            source::read(&bytes).and_then(|root| draft::openapi::draft(&root, &wanted))
        } else {
            draft::odata::draft(&bytes, &wanted)
        };
        return made.map_err(|error| place::refused(&error, from));
    }
    if args.object.len() > args.sample.len() {
        return Err(Error::usage("there are more names than samples")
            .with_hint("give one --object for each --sample, in the same order"));
    }
    let mut samples = Vec::new();
    for path in &args.sample {
        let shown = path.display().to_string();
        let body = source::read(&file(path)?).map_err(|error| place::refused(&error, &shown))?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("record");
        samples.push(Sample {
            stem: stem.to_owned(),
            body,
        });
    }
    draft::sample::draft(&samples, &wanted(None)).map_err(|error| place::refused(&error, "the sample"))
}

/// A description, and the address that it came from where it was one.
fn description(from: &str) -> Result<(Vec<u8>, Option<&str>)> {
    if !from.starts_with("http://") && !from.starts_with("https://") {
        return Ok((file(Path::new(from))?, None));
    }
    let max = u64::try_from(source::BYTES_MAX).unwrap_or(u64::MAX);
    let fetched = block_on(async { Ok(document(from, max).await) })?;
    let bytes = fetched.map_err(|error| {
        let hint = match &error {
            DocumentError::Status(401 | 403) => {
                "it is behind a login: save it with your browser or curl, and name the file"
            }
            DocumentError::Status(300..=399) => "it has moved: name the address where it is now",
            _ => "save it with your browser or curl, and name the file",
        };
        Error::failed(format!("{from}: {error}")).with_hint(hint)
    })?;
    Ok((bytes, Some(from)))
}

/// A file, or as much of it as tells that it is too large.
pub(super) fn file(path: &Path) -> Result<Vec<u8>> {
    let limit = u64::try_from(source::BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map_err(|error| Error::failed(format!("{} cannot be read: {error}", path.display())))?;
    Ok(bytes)
}
