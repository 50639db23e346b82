//! A spreadsheet: the report at a glance, every difference, fields, causes, and the trend.
//!
//! Rows of the long list go to a scratch file as they come. Whatever comes from outside is written as a string cell: this file
//! has no call that writes a formula.

use std::io::Write;

use rust_xlsxwriter::{ExcelDateTime, Format as Style, Workbook, Worksheet, XlsxError};

use super::{
    Error, Export, Sink, cell,
    column::{COLUMNS, Cell, time},
};
use crate::report::{item::View, words};

/// The last row of a sheet; a longer list goes on in another one.
const ROWS_MAX: u32 = 1_048_575;

pub(super) struct Book<W: Write + Send> {
    workbook: Workbook,
    file: W,
    export: Export,
    styles: Styles,
    /// The sheet that is being filled, by its place in the book.
    sheet: usize,
    row: u32,
    parts: u32,
}

struct Styles {
    head: Style,
    time: Style,
    number: Style,
    /// Text that would be a formula if somebody edited its cell.
    quoted: Style,
    percent: Style,
}

impl Styles {
    fn new() -> Self {
        Self {
            head: Style::new().set_bold().set_background_color(0x00DD_E6F0_u32),
            time: Style::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            number: Style::new().set_num_format("0"),
            quoted: Style::new().set_quote_prefix(),
            percent: Style::new().set_num_format("0.00"),
        }
    }
}

impl<W: Write + Send> Book<W> {
    pub(super) fn begin(export: Export, file: W) -> Result<Self, Error> {
        let mut book = Workbook::new();
        let styles = Styles::new();
        summary(book.add_worksheet(), &export, &styles)?;
        let mut this = Self {
            workbook: book,
            file,
            export,
            styles,
            sheet: 0,
            row: 0,
            parts: 0,
        };
        this.next_part()?;
        Ok(this)
    }

    /// Begins a sheet for the list.
    fn next_part(&mut self) -> Result<(), XlsxError> {
        self.parts += 1;
        self.sheet += 1;
        self.row = 0;
        let name = match self.parts {
            1 => "Items".to_owned(),
            part => format!("Items {part}"),
        };
        let sheet = self.workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?;
        sheet.set_freeze_panes(1, 0)?;
        for (column, (name, width, _)) in (0_u16..).zip(COLUMNS) {
            sheet.set_column_width(column, width)?;
            sheet.write_string_with_format(0, column, name, &self.styles.head)?;
        }
        Ok(())
    }

    /// Gives the list that ends here its filter.
    fn end_part(&mut self) -> Result<(), XlsxError> {
        let last = self.row;
        let sheet = self.workbook.worksheet_from_index(self.sheet)?;
        sheet.autofilter(0, 0, last, LAST_COLUMN)?;
        Ok(())
    }
}

/// The last of [`COLUMNS`].
const LAST_COLUMN: u16 = 18;
const _: () = assert!(COLUMNS.len() == LAST_COLUMN as usize + 1);

impl<W: Write + Send> Sink for Book<W> {
    fn item(&mut self, item: &View) -> Result<(), Error> {
        if self.row >= ROWS_MAX {
            self.end_part()?;
            self.next_part()?;
        }
        self.row += 1;
        let sheet = self.workbook.worksheet_from_index(self.sheet)?;
        for (column, (.., value)) in (0_u16..).zip(COLUMNS) {
            put(sheet, self.row, column, &value(item), &self.styles)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.end_part()?;
        fields(self.workbook.add_worksheet(), &self.export, &self.styles)?;
        causes(self.workbook.add_worksheet(), &self.export, &self.styles)?;
        trend(self.workbook.add_worksheet(), &self.export, &self.styles)?;
        self.workbook.save_to_writer(&mut self.file)?;
        Ok(self.file.flush()?)
    }
}

fn put(sheet: &mut Worksheet, row: u32, column: u16, cell: &Cell<'_>, styles: &Styles) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => {}
        Cell::Text(text) => {
            words_in(sheet, row, column, text, styles)?;
        }
        // Ids beyond 2^53 would lose digits as a number.
        Cell::Number(number) => match i32::try_from(*number) {
            Ok(number) => {
                sheet.write_number_with_format(row, column, number, &styles.number)?;
            }
            Err(_) => {
                sheet.write_string(row, column, number.to_string())?;
            }
        },
        Cell::Time(at) => {
            // Spreadsheets have no time before 1900 or after 9999.
            match ExcelDateTime::from_timestamp(at.timestamp()) {
                Ok(at) => sheet.write_datetime_with_format(row, column, &at, &styles.time)?,
                Err(_) => sheet.write_string(row, column, time(*at))?,
            };
        }
    }
    Ok(())
}

fn words_in(sheet: &mut Worksheet, row: u32, column: u16, text: &str, styles: &Styles) -> Result<(), XlsxError> {
    let text = cell::fitting(text);
    if cell::is_risky(&text) {
        sheet.write_string_with_format(row, column, text, &styles.quoted)?;
    } else {
        sheet.write_string(row, column, text)?;
    }
    Ok(())
}

/// A count; beyond 2^53 nobody counts.
#[expect(clippy::cast_precision_loss, reason = "a spreadsheet has no other number")]
fn count(sheet: &mut Worksheet, row: u32, column: u16, count: u64, styles: &Styles) -> Result<(), XlsxError> {
    sheet.write_number_with_format(row, column, count as f64, &styles.number)?;
    Ok(())
}

fn head(sheet: &mut Worksheet, name: &str, columns: &[(&str, u32)], styles: &Styles) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, (name, width)) in (0_u16..).zip(columns) {
        sheet.set_column_width(column, *width)?;
        sheet.write_string_with_format(0, column, *name, &styles.head)?;
    }
    Ok(())
}

fn summary(sheet: &mut Worksheet, export: &Export, styles: &Styles) -> Result<(), XlsxError> {
    head(
        sheet,
        "Summary",
        &[("what", 32), ("value", 24), ("meaning", 70)],
        styles,
    )?;
    let overview = &export.overview;
    let mut row = 0;
    for (what, value, meaning) in [
        ("mapping", overview.mapping.clone(), "what was compared"),
        (
            "left",
            export.systems.left.clone(),
            "the system that stands first in the mapping",
        ),
        ("right", export.systems.right.clone(), "the other system"),
        (
            "reported at",
            time(overview.created_at),
            "when the comparison ended (UTC)",
        ),
    ] {
        row += 1;
        sheet.write_string(row, 0, what)?;
        words_in(sheet, row, 1, &value, styles)?;
        sheet.write_string(row, 2, meaning)?;
    }
    row += 1;
    sheet.write_string(row, 0, "run")?;
    put(sheet, row, 1, &Cell::Number(overview.run_id), styles)?;
    sheet.write_string(row, 2, "the reconciliation that made the report")?;
    row += 1;
    sheet.write_string(row, 0, "match score, %")?;
    sheet.write_number_with_format(row, 1, overview.match_percent, &styles.percent)?;
    sheet.write_string(row, 2, "the share of compared values that agree")?;
    for (what, number, meaning) in overview.lines() {
        row += 1;
        sheet.write_string(row, 0, what)?;
        count(sheet, row, 1, number, styles)?;
        sheet.write_string(row, 2, meaning)?;
    }
    for (situation, records) in overview.situations() {
        row += 1;
        sheet.write_string(row, 0, format!("situation {situation}"))?;
        count(sheet, row, 1, records, styles)?;
        sheet.write_string(row, 2, words::situation(situation))?;
    }
    for (value, times) in overview.unmapped() {
        row += 1;
        sheet.write_string(row, 0, "value without a partner")?;
        count(sheet, row, 1, times, styles)?;
        words_in(sheet, row, 2, &value, styles)?;
    }
    new_fields(sheet, row, export, styles)
}

fn new_fields(sheet: &mut Worksheet, behind: u32, export: &Export, styles: &Styles) -> Result<(), XlsxError> {
    for (row, new) in (behind + 1..).zip(export.overview.new_fields()) {
        sheet.write_string(row, 0, "new fields")?;
        words_in(sheet, row, 1, &format!("{} {}", new.system, new.object), styles)?;
        words_in(sheet, row, 2, &format!("{}: `{}`", new.told(), new.next_step()), styles)?;
    }
    Ok(())
}

fn fields(sheet: &mut Worksheet, export: &Export, styles: &Styles) -> Result<(), XlsxError> {
    head(
        sheet,
        "Fields",
        &[
            ("field", 24),
            ("differences", 12),
            ("main cause", 22),
            ("what it means", 50),
        ],
        styles,
    )?;
    let worst = export.overview.report.iter().flat_map(|report| &report.fields);
    let mut last = 0;
    for (row, (field, differences)) in (1_u32..).zip(export.overview.fields()) {
        words_in(sheet, row, 0, &field, styles)?;
        count(sheet, row, 1, differences, styles)?;
        if let Some(known) = worst.clone().find(|one| one.field == field) {
            sheet.write_string(row, 2, known.main_cause.as_str())?;
            sheet.write_string(row, 3, words::cause(known.main_cause))?;
        }
        last = row;
    }
    sheet.autofilter(0, 0, last, 3)?;
    Ok(())
}

fn causes(sheet: &mut Worksheet, export: &Export, styles: &Styles) -> Result<(), XlsxError> {
    let columns = [
        ("cause", 22),
        ("differences", 12),
        ("what it means", 55),
        ("what to do", 90),
    ];
    head(sheet, "Causes", &columns, styles)?;
    let mut last = 0;
    for (row, (cause, differences)) in (1_u32..).zip(export.overview.causes()) {
        sheet.write_string(row, 0, cause.as_str())?;
        count(sheet, row, 1, differences, styles)?;
        sheet.write_string(row, 2, words::cause(cause))?;
        sheet.write_string(row, 3, words::next_step(cause))?;
        last = row;
    }
    sheet.autofilter(0, 0, last, 3)?;
    Ok(())
}

fn trend(sheet: &mut Worksheet, export: &Export, styles: &Styles) -> Result<(), XlsxError> {
    let columns = [
        ("run", 8),
        ("reported at", 20),
        ("match score, %", 15),
        ("compared", 12),
        ("drifted", 12),
        ("new", 10),
        ("gone", 10),
        ("repaired", 10),
    ];
    head(sheet, "Trend", &columns, styles)?;
    let mut last = 0;
    for (row, point) in (1_u32..).zip(&export.trend) {
        put(sheet, row, 0, &Cell::Number(point.run_id), styles)?;
        put(sheet, row, 1, &Cell::Time(point.created_at), styles)?;
        sheet.write_number_with_format(row, 2, point.match_percent, &styles.percent)?;
        for (column, number) in (3_u16..).zip([
            Some(point.compared),
            Some(point.drifted),
            point.new,
            point.gone,
            Some(point.repaired),
        ]) {
            if let Some(number) = number {
                count(sheet, row, column, number, styles)?;
            }
        }
        last = row;
    }
    sheet.autofilter(0, 0, last, 7)?;
    Ok(())
}
