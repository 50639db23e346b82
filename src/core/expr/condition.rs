//! The conditions of an expression: what stands between `if` and `else`.

use std::ops::Range;

/// Where they stand, in the order of their beginnings. The expression is known to be right.
pub(super) fn conditions(source: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    // The depth at which each open `if` stands, and where its condition begins.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut depth = 0_usize;
    let mut quote = None;
    let mut word: Option<usize> = None;
    let mut is_escaped = false;
    for (at, c) in source.char_indices().chain([(source.len(), ' ')]) {
        if let Some(mark) = quote {
            if !is_escaped && c == mark {
                quote = None;
            }
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        if c.is_alphanumeric() || matches!(c, '_' | '.') {
            word.get_or_insert(at);
            continue;
        }
        if let Some(start) = word.take() {
            match source.get(start..at) {
                Some("if") => open.push((depth, at)),
                Some("else") => found.extend(closed(&mut open, depth, start)),
                _ => {}
            }
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            // Without an `else` the condition ends with what it stands in, or at the next item of it.
            ',' | ':' => found.extend(closed(&mut open, depth, at)),
            ')' | ']' | '}' => {
                found.extend(closed(&mut open, depth, at));
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
    }
    while let Some((_, start)) = open.pop() {
        found.push(start..source.len());
    }
    found.sort_by_key(|range| range.start);
    found
}

/// The condition that ends here, where one is open at this depth.
fn closed(open: &mut Vec<(usize, usize)>, depth: usize, end: usize) -> Option<Range<usize>> {
    let (_, start) = open.pop_if(|(own, _)| *own == depth)?;
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(source: &str) -> Vec<&str> {
        conditions(source).into_iter().map(|at| source[at].trim()).collect()
    }

    #[test]
    fn conditions_are_what_stands_between_if_and_else() {
        assert_eq!(told("a if b else c"), ["b"]);
        assert_eq!(
            told("'A' if x == 'if' and (y or z) else ('B' if not w else 'C')"),
            ["x == 'if' and (y or z)", "not w"]
        );
        assert_eq!(
            told("none if (erp.x | default(none)) is none else 'U' ~ erp.x"),
            ["(erp.x | default(none)) is none"]
        );
        assert_eq!(told("[1 if a.else_ , (2 if b)]"), ["a.else_", "b"]);
        assert_eq!(told("a if b else c if d else e"), ["b", "d"]);
        assert!(told("notify.if ~ 'x if y else z'").is_empty());
    }
}
