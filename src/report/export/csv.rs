//! Comma-separated values by RFC 4180, with a header, in UTF-8 without a mark of byte order.

use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

use super::{Error, Sink, cell, column::COLUMNS};
use crate::report::item::View;

pub(super) struct Table<W: Write>(Writer<W>);

impl<W: Write> Table<W> {
    pub(super) fn begin(file: W) -> Result<Self, Error> {
        let mut table = WriterBuilder::new()
            .terminator(Terminator::CRLF)
            .quote_style(QuoteStyle::Necessary)
            .from_writer(file);
        table
            .write_record(COLUMNS.map(|(name, ..)| name))
            .map_err(io::Error::from)?;
        Ok(Self(table))
    }
}

impl<W: Write> Sink for Table<W> {
    fn item(&mut self, item: &View) -> Result<(), Error> {
        for (.., value) in COLUMNS {
            let value = value(item);
            self.0
                .write_field(cell::guarded(&value.text()).as_bytes())
                .map_err(io::Error::from)?;
        }
        self.0.write_record(None::<&[u8]>).map_err(io::Error::from)?;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        Ok(self.0.flush()?)
    }
}
