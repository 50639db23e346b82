//! Drift reports as files, read back by parsers that did not write them; and the story of a record.

mod export;
mod story;
