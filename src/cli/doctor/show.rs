//! How findings are laid out: one block for each thing that was tried, advice under what it is about.

use super::{Finding, State};
use crate::cli::{
    Exit,
    error::Result,
    output::{Output, count},
};

/// Shows everything, with a verdict at the end.
pub(super) fn all(out: Output, findings: &[Finding]) -> Result {
    if out.is_json() {
        findings.iter().try_for_each(|finding| out.json(finding))?;
    } else {
        let width = findings.iter().map(|finding| about(finding).chars().count()).max();
        for block in findings.chunk_by(|left, right| left.part == right.part) {
            out.line(block.first().map_or("", |finding| &finding.part))?;
            let rows: Vec<_> = block
                .iter()
                .map(|finding| row(finding, width.unwrap_or_default()))
                .collect();
            out.aligned(&rows)?;
        }
    }
    let of = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    let (wrong, notable) = (of(State::Wrong), of(State::Notable));
    let verdict = match (wrong, notable) {
        (0, 0) => "everything is well".to_owned(),
        (0, notable) => format!("nothing is wrong, {} to look at", count(notable, "thing")),
        (wrong, _) => format!("{} wrong", count(wrong, "thing")),
    };
    out.line(format!("\n{verdict}"))?;
    Ok(if wrong == 0 { Exit::Done } else { Exit::Found })
}

fn about(finding: &Finding) -> &str {
    finding.about.as_deref().unwrap_or_default()
}

/// The columns of all blocks are as wide as each other.
fn row(finding: &Finding, width: usize) -> Vec<String> {
    let mut text = one_line(&finding.found);
    if let Some(next) = finding.next.as_deref().filter(|next| !next.is_empty()) {
        text = format!("{text}\n→ {}", one_line(next));
    }
    let mut cells = vec![finding.mark().to_owned(), text];
    if width > 0 {
        cells.insert(1, format!("{:width$}", about(finding)));
    }
    cells
}

/// What another system said must not look like advice of ours.
fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ")
}
