//! A definition as it is used, written out: the file with what is laid over it.

use super::{
    Exit,
    context::Context,
    error::{Error, Result},
    output,
    project::{Folders, folders, unknown},
};
use crate::{
    catalog::{
        load::merged,
        overlay::{self, Kind},
        yaml::write::{Line, lines},
    },
    telemetry::harmless,
};

/// Shows the definition of this name. What is wrong with it is told too; `syncline check` says all of it.
pub(super) fn show(context: &Context, kind: Kind, name: &str) -> Result {
    context.in_project()?;
    let Folders { connectors, mappings } = folders(context);
    let folder = match kind {
        Kind::Connector => connectors,
        Kind::Mapping => mappings,
    };
    let Some(found) = merged(&folder, name, kind) else {
        let known = overlay::definitions(&folder);
        return Err(unknown(kind.word(), name, known.iter().map(String::as_str)));
    };
    let head = match &found.overlay {
        Some(overlay) => format!("# {}, with {overlay} laid over it", found.file),
        None => format!("# {}", found.file),
    };
    let out = context.output;
    out.line(harmless(&head))?;
    let lines = found.tree.as_ref().map(lines).unwrap_or_default();
    for line in &lines {
        out.json(line)?;
        out.line(shown(line))?;
    }
    let errors = found.diagnostics.iter().filter(|problem| problem.is_error());
    if errors.clone().next().is_none() {
        return Ok(Exit::Done);
    }
    let style = output::style(&std::io::stderr());
    for problem in errors {
        output::complain(problem.render(style));
    }
    Err(
        Error::found(format!("{} `{name}` cannot be used as it is", kind.word()))
            .with_hint("`syncline check` shows everything that is wrong"),
    )
}

/// A line, and where it stands if it comes from the overlay.
fn shown(line: &Line) -> String {
    let text = harmless(&line.text);
    match &line.overlay {
        Some(file) => format!("{text}  # {}:{}", harmless(file), line.line),
        None => text,
    }
}
