//! YAML text to a tree of nodes that know their place.
//!
//! The core schema of YAML 1.2, less what makes a file hard to read or slow to load: one document, no tags beyond the core
//! ones, no merge keys, no directives, no includes, keys are texts and differ. Size, depth, nodes and aliases are bounded, and
//! reading stops at the first bound that is passed, so that no file takes long.

mod reader;
mod scalar;
mod tree;
pub mod write;

use std::ops::Range;

use crate::core::problem::Problem;

pub use scalar::Scalar;
pub use tree::{Branch, Content, Grown, Key, Layer, Node, NodeId, Position, Reach, Source, Tree};

/// The largest file, in bytes.
pub const BYTES_MAX: usize = 1024 * 1024;
/// How deep maps and lists may stand in each other.
pub const DEPTH_MAX: usize = 32;
/// How many keys and values a document may have, copies made by aliases included.
pub const NODES_MAX: usize = 20_000;
/// How many aliases a document may have.
pub const ALIASES_MAX: usize = 100;

/// How much a document may hold.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of the whole document.
    pub bytes: usize,
    /// Maps and lists in each other.
    pub depth: usize,
    /// Keys and values, copies made by aliases included.
    pub nodes: usize,
}

impl Bounds {
    /// Those of the files that people write for Syncline.
    pub const DEFINITION: Self = Self {
        bytes: BYTES_MAX,
        depth: DEPTH_MAX,
        nodes: NODES_MAX,
    };
}

/// A document that was read, as far as it could be.
#[derive(Debug)]
pub struct Document {
    /// What it says; the bare text where it cannot be read at all.
    pub body: Result<Tree, Source>,
    /// What is wrong with the YAML itself.
    pub flaws: Vec<Flaw>,
    /// How many parser events were looked at: the measure of the work done.
    pub events: usize,
}

/// Something wrong with the YAML itself, found before there is a tree that a pointer could lead into.
#[derive(Debug)]
pub struct Flaw {
    /// What is wrong.
    pub problem: Problem,
    /// Where, in bytes of the source.
    pub span: Range<usize>,
}

impl Document {
    /// Reads a document.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        Self::read_within(bytes, Bounds::DEFINITION)
    }

    /// Reads a document that somebody else wrote, and that may be larger or must be smaller.
    #[must_use]
    pub fn read_within(bytes: &[u8], bounds: Bounds) -> Self {
        match text(bytes, bounds.bytes) {
            Ok(text) => reader::read(Source::new(text.to_owned()), bounds),
            Err(Unreadable { problem, before }) => Self {
                flaws: vec![Flaw {
                    problem: *problem,
                    span: before.len()..before.len(),
                }],
                body: Err(Source::new(before.to_owned())),
                events: 0,
            },
        }
    }
}

/// Bytes that are no text.
struct Unreadable<'b> {
    problem: Box<Problem>,
    /// What can be read before it goes wrong.
    before: &'b str,
}

fn text(bytes: &[u8], max: usize) -> Result<&str, Unreadable<'_>> {
    let unreadable = |problem, before| Unreadable {
        problem: Box::new(problem),
        before,
    };
    if bytes.len() > max {
        let message = format!("the file has {} bytes, more than the {max} allowed", bytes.len());
        return Err(unreadable(Problem::error("YM001", "", message), ""));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let problem = Problem::error("YM002", "", "the file is not UTF-8 from here on")
            .with_hint("save it with the encoding UTF-8");
        unreadable(problem, str::from_utf8(before).unwrap_or_default())
    })?;
    match text.split_once('\0') {
        None => Ok(text),
        Some((before, _)) => {
            let problem = Problem::error("YM003", "", "the file has a NUL byte here and is no text");
            Err(unreadable(problem, before))
        }
    }
}

#[cfg(test)]
mod tests;
