//! What commands print: data on stdout, talk on stderr.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::{catalog::diagnostic::Style, telemetry::harmless};

/// Where a command's output goes, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    form: Form,
    is_quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Human,
    Json,
}

/// One line of data, whatever form was asked for.
pub fn print(text: impl AsRef<str>) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", text.as_ref())
}

/// A word that also the quiet have to hear.
pub fn complain(text: impl AsRef<str>) {
    // Nobody to talk to is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

/// How problems are shown on this stream: coloured only on a terminal that wants it (`NO_COLOR`, `TERM=dumb`).
pub fn style<S: anstream::stream::RawStream>(stream: &S) -> Style {
    if anstream::AutoStream::choice(stream) == anstream::ColorChoice::Never {
        Style::Plain
    } else {
        Style::Coloured
    }
}

/// `1 case`, `2 cases`.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

impl Output {
    pub(super) const fn new(is_json: bool, is_quiet: bool) -> Self {
        let form = if is_json { Form::Json } else { Form::Human };
        Self { form, is_quiet }
    }

    /// Whether data is wanted as JSON.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.form == Form::Json
    }

    /// One line of data for people; a program asked for JSON gets none.
    pub fn line(self, text: impl AsRef<str>) -> io::Result<()> {
        match self.form {
            Form::Human => print(text),
            Form::Json => Ok(()),
        }
    }

    /// One JSON value on one line; nothing for people.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> io::Result<()> {
        match self.form {
            Form::Human => Ok(()),
            Form::Json => print(serde_json::to_string(value)?),
        }
    }

    /// Rows: a table for people, one JSON object a line for programs.
    pub fn rows<T: Serialize>(self, head: &[&str], rows: &[T], cells: impl Fn(&T) -> Vec<String>) -> io::Result<()> {
        if self.is_json() {
            return rows.iter().try_for_each(|row| self.json(row));
        }
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_HORIZONTAL_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(head);
        if !io::stdout().is_terminal() {
            // Whoever reads a pipe wants whole values, in columns that tools can cut.
            table
                .load_style(presets::NOTHING)
                .set_content_arrangement(ContentArrangement::Disabled);
        }
        for row in rows {
            table.add_row(cells(row).iter().map(|cell| harmless(cell)));
        }
        self.line(table.trim_fmt())
    }

    /// Aligned columns without a head, for people; cells may have several lines.
    pub fn aligned(self, rows: &[Vec<String>]) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(if io::stdout().is_terminal() {
            ContentArrangement::Dynamic
        } else {
            ContentArrangement::Disabled
        });
        for row in rows {
            let lines = |cell: &String| cell.lines().map(harmless).collect::<Vec<_>>().join("\n");
            table.add_row(row.iter().map(lines));
        }
        self.line(table.trim_fmt())
    }

    /// Pairs of name and value, aligned: one record for people.
    pub fn fields<T: Serialize>(self, record: &T, fields: &[(&str, String)]) -> io::Result<()> {
        if self.is_json() {
            return self.json(record);
        }
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            self.line(format!("{name:width$}  {}", harmless(value)))?;
        }
        Ok(())
    }

    /// Whether there is talk at all, and a person to talk to may be there.
    #[must_use]
    pub const fn talks(self) -> bool {
        !self.is_quiet
    }

    /// A word to the person at the terminal.
    pub fn talk(self, text: impl AsRef<str>) {
        if !self.is_quiet {
            complain(text);
        }
    }
}
