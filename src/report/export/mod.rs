//! Drift reports as files: JSON Lines, CSV, spreadsheets, and a page for mail.
//!
//! The list is read a page at a time and written on a thread of its own, so that memory does not grow with it and nobody waits
//! for a disk or a compressor. What comes from outside is data in every form: no cell of a spreadsheet is a formula, no text of
//! a page is markup.

pub mod cell;

mod chart;
mod column;
mod csv;
mod html;
mod jsonl;
mod xlsx;

use std::{fmt, io, io::Write, str::FromStr};

use tokio::sync::mpsc;

use super::{item::View, overview::Overview, overview::Point};
use crate::{
    core::status::{Role, Sides},
    store::{self, PAGE_MAX, Store, drift::DriftFilter},
};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values, RFC 4180.
    Csv,
    /// A spreadsheet with several sheets.
    Xlsx,
    /// One page without script, for mail.
    Html,
}

impl Format {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Jsonl, Self::Csv, Self::Xlsx, Self::Html];

    /// Its name, which is the ending of its files too.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Html => "html",
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Html => "text/html; charset=utf-8",
        }
    }

    /// A file name for the report of a run that every system takes: of `mapping` only letters, digits and `-` are kept.
    #[must_use]
    pub fn file_name(self, mapping: &str, run_id: i64) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let plain: String = mapping.chars().filter(|c| is_plain(*c)).take(64).collect();
        let plain = if plain.is_empty() { "mapping" } else { &plain };
        format!("drift-{plain}-{run_id}.{}", self.as_str())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that no form has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such form: it is jsonl, csv, xlsx or html")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or(UnknownFormat)
    }
}

/// Why a report could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Our own store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The file cannot be written.
    #[error("the export cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The spreadsheet cannot be made.
    #[error("the spreadsheet cannot be made: {0}")]
    Sheet(#[from] rust_xlsxwriter::XlsxError),
    /// The work was cut off.
    #[error("the export was cut off")]
    CutOff,
}

/// What is exported, and for whom.
#[derive(Debug, Clone)]
pub struct Export {
    /// The form.
    pub format: Format,
    /// The report.
    pub overview: Overview,
    /// Reports of the same mapping up to this one, newest first.
    pub trend: Vec<Point>,
    /// What people call both sides.
    pub systems: Sides<String>,
    /// Which differences.
    pub filter: DriftFilter,
    /// Who may see it: values of sensitive fields are masked for viewers.
    pub role: Role,
}

/// Writes a report to `file`; how many differences are in it.
pub async fn export<W: Write + Send + 'static>(store: &Store, export: Export, file: W) -> Result<u64, Error> {
    let (run_id, filter, role) = (export.overview.run_id, export.filter.clone(), export.role);
    let (pages, inbox) = mpsc::channel(2);
    let writing = tokio::task::spawn_blocking(move || write(&export, inbox, file));
    let read = feed(store, run_id, &filter, role, &pages).await;
    drop(pages);
    let written = writing.await.map_err(|_| Error::CutOff)?;
    read?;
    written
}

/// Sends the list of differences to whoever writes it.
async fn feed(
    store: &Store,
    run_id: i64,
    filter: &DriftFilter,
    role: Role,
    pages: &mpsc::Sender<Vec<View>>,
) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let found = store.drift_after(run_id, filter, after, PAGE_MAX).await?;
        let Some(last) = found.last() else { return Ok(()) };
        after = last.drift_id;
        let views = found.into_iter().map(|item| View::of(item, role)).collect();
        if pages.send(views).await.is_err() {
            // The writer has ended early, and its own result says why.
            return Ok(());
        }
    }
}

/// What a form does with a report: it begins it, takes differences, and ends it.
trait Sink {
    fn item(&mut self, item: &View) -> Result<(), Error>;

    fn finish(self: Box<Self>) -> Result<(), Error>;
}

fn write<W: Write + Send + 'static>(
    export: &Export,
    mut inbox: mpsc::Receiver<Vec<View>>,
    file: W,
) -> Result<u64, Error> {
    let file = io::BufWriter::with_capacity(64 * 1024, file);
    let mut sink: Box<dyn Sink> = match export.format {
        Format::Jsonl => Box::new(jsonl::Lines::new(file)),
        Format::Csv => Box::new(csv::Table::begin(file)?),
        Format::Xlsx => Box::new(xlsx::Book::begin(export.clone(), file)?),
        Format::Html => Box::new(html::Page::begin(export, file)?),
    };
    let mut count = 0;
    while let Some(items) = inbox.blocking_recv() {
        for item in &items {
            sink.item(item)?;
        }
        count += items.len() as u64;
    }
    sink.finish()?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_harmless_whatever_the_mapping_is_called() {
        assert_eq!(
            Format::Csv.file_name("customer-account", 17),
            "drift-customer-account-17.csv"
        );
        assert_eq!(Format::Xlsx.file_name("../\"a\r\nb", 1), "drift-ab-1.xlsx");
        assert_eq!(Format::Html.file_name("客户", 2), "drift-mapping-2.html");
    }

    #[test]
    fn a_form_is_read_by_its_name() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("pdf".parse::<Format>(), Err(UnknownFormat));
    }
}
