//! Where a setting stands in its file: the line and the characters of a key, for problems that only know its path.
//!
//! The settings reader tells keys, not places. This looks for a key as people write it (a section, a dotted key, an entry of
//! an inline table); where that finds nothing, the nearest section above stands for it.

use std::ops::Range;

use crate::catalog::{
    diagnostic::{Diagnostic, Place},
    yaml::Source,
};

/// Lines with one of these words may hold a secret and are named, never shown.
const HIDDEN: [&str; 7] = ["credential", "secret", "password", "token", "key", "://", "[store"];

/// Fills in the place of a problem in a TOML file, as far as it can be found.
pub(super) fn locate(mut diagnostic: Diagnostic) -> Diagnostic {
    let is_toml = std::path::Path::new(&diagnostic.file)
        .extension()
        .is_some_and(|end| end == "toml");
    if diagnostic.place.is_some() || diagnostic.pointer.is_empty() || !is_toml {
        return diagnostic;
    }
    let Ok(text) = std::fs::read_to_string(&diagnostic.file) else {
        return diagnostic;
    };
    let path: Vec<String> = diagnostic.pointer.split('/').skip(1).map(str::to_owned).collect();
    let source = Source::new(text);
    if let Some(span) = find(source.text(), &path) {
        diagnostic.place = Some(place(&source, span, &path));
    }
    diagnostic
}

fn place(source: &Source, span: Range<usize>, path: &[String]) -> Place {
    let start = source.position(span.start);
    let line = source.text().get(source.line(start.line)).unwrap_or_default();
    let folded = line.to_lowercase();
    let is_hidden = path
        .iter()
        .any(|step| matches!(step.as_str(), "credentials" | "webhook_secrets" | "keys" | "store"))
        || HIDDEN.iter().any(|word| folded.contains(word));
    Place {
        line: start.line,
        column: start.column,
        end: source.position(span.end),
        source: (!is_hidden).then(|| line.to_owned()),
    }
}

/// The bytes of the key that comes closest to `path`; the deepest one that is there.
fn find(text: &str, path: &[String]) -> Option<Range<usize>> {
    let mut section: Vec<String> = Vec::new();
    let mut best: Option<(usize, Range<usize>)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let indent = line.len() - line.trim_start().len();
        let trimmed = line.trim();
        if let Some(head) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let head = head.trim_start_matches('[');
            section = steps(head);
            let span = start + indent..start + indent + trimmed.split('#').next().unwrap_or(trimmed).trim_end().len();
            keep(&mut best, matched(&section, path), span);
        } else if let Some((key, value)) = trimmed.split_once('=').filter(|_| !trimmed.starts_with('#')) {
            let full: Vec<String> = section.iter().cloned().chain(steps(key)).collect();
            let depth = matched(&full, path);
            let key_span = start + indent..start + indent + key.trim_end().len();
            let inner = path.get(depth).filter(|_| depth > 0).and_then(|step| {
                let value_at = start + indent + key.len() + 1;
                value
                    .find(step.as_str())
                    .map(|found| value_at + found..value_at + found + step.len())
            });
            match inner {
                Some(span) => keep(&mut best, depth + 1, span),
                None => keep(&mut best, depth, key_span),
            }
        }
    }
    best.map(|(_, span)| span)
}

/// How many steps of `path` a written key names; none where it names something else.
fn matched(written: &[String], path: &[String]) -> usize {
    if path.starts_with(written) { written.len() } else { 0 }
}

fn keep(best: &mut Option<(usize, Range<usize>)>, depth: usize, span: Range<usize>) {
    if depth > best.as_ref().map_or(0, |(depth, _)| *depth) {
        *best = Some((depth, span));
    }
}

fn steps(key: &str) -> Vec<String> {
    key.split('.')
        .map(|step| step.trim().trim_matches(['"', '\'']).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a comment = 1
[server]
bnid = \"x\"
[systems.crm]   # the CRM
connector = \"acme\"
settings = { base_url = \"x\", page = 5 }
webhook_secrets.0 = \"y\"
";

    fn at(path: &str) -> Option<&'static str> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        find(TEXT, &path).and_then(|span| TEXT.get(span))
    }

    #[test]
    fn keys_sections_and_entries_of_inline_tables_are_found() {
        assert_eq!(at("server.bnid"), Some("bnid"));
        assert_eq!(at("systems.crm.connector"), Some("connector"));
        assert_eq!(at("systems.crm.settings.page"), Some("page"));
    }

    #[test]
    fn what_is_missing_is_told_at_the_section_it_belongs_to() {
        assert_eq!(at("systems.crm.credentials"), Some("[systems.crm]"));
        assert_eq!(at("limits.lease"), None);
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_named_and_not_shown() {
        let source = Source::new("[systems.crm]\ncredentials = { client_secret = \"s3cr3t\" }\n".to_owned());
        let path: Vec<String> = ["systems", "crm", "conector"].map(str::to_owned).to_vec();
        let shown = place(&source, 14..25, &path);
        assert_eq!((shown.line, shown.source), (2, None));
    }
}
