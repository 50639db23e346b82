//! One JSON object a line: the items of the API.

use std::io::Write;

use super::{Error, Sink};
use crate::report::item::View;

pub(super) struct Lines<W: Write>(W);

impl<W: Write> Lines<W> {
    pub(super) const fn new(file: W) -> Self {
        Self(file)
    }
}

impl<W: Write> Sink for Lines<W> {
    fn item(&mut self, item: &View) -> Result<(), Error> {
        serde_json::to_writer(&mut self.0, item).map_err(std::io::Error::from)?;
        Ok(self.0.write_all(b"\n")?)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        Ok(self.0.flush()?)
    }
}
