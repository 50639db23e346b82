//! What the codes of failures mean and what to do about them, as `docs/errors` says it.

use std::{collections::BTreeMap, sync::LazyLock};

/// The pages whose codes a failure of a record may have.
const PAGES: [&str; 3] = [
    include_str!("../../docs/errors/client.md"),
    include_str!("../../docs/errors/sync.md"),
    include_str!("../../docs/errors/mapping.md"),
];

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// What happened.
    pub means: &'static str,
    /// What to do next.
    pub next: &'static str,
}

static CODES: LazyLock<BTreeMap<&'static str, Meaning>> = LazyLock::new(|| {
    let lines = PAGES.iter().flat_map(|page| page.lines());
    lines.filter_map(row).collect()
});

/// A row of a table: the code stands first, what it means and what to do last.
fn row(line: &'static str) -> Option<(&'static str, Meaning)> {
    let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let (code, rest) = line.split_once(" | ")?;
    let is_code = code.len() == 5 && code.bytes().skip(2).all(|byte| byte.is_ascii_digit());
    let (rest, next) = rest.rsplit_once(" | ").filter(|_| is_code)?;
    let means = rest.rsplit_once(" | ").map_or(rest, |(_, means)| means);
    Some((code, Meaning { means, next }))
}

/// What a code means; none where it is not one of ours.
#[must_use]
pub fn meaning(code: &str) -> Option<Meaning> {
    CODES.get(code).copied()
}

/// Every code that a failure may have.
#[cfg(test)]
pub fn all() -> impl Iterator<Item = &'static str> {
    CODES.keys().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_told_as_its_page_tells_it() {
        let refused = meaning("RQ026").unwrap();
        assert_eq!(refused.means, "the system says no; its own words follow");
        assert_eq!(refused.next, "correct the record or the mapping, then reprocess");
        let ambiguous = meaning("PL001").unwrap();
        assert_eq!(ambiguous.means, "several records of the other system match this one");
        assert!(all().count() > 80, "{}", all().count());
        for none in ["", "code", "XX000", "RQ999"] {
            assert_eq!(meaning(none), None, "{none}");
        }
    }
}
