//! The `Link` header (RFC 8288), as far as paging needs it.

/// The most of a header value that is looked at.
const BYTES_MAX: usize = 16 << 10;

/// The target of the first link in `header` with the relation `relation` (compared without case), as it stands there.
///
/// A malformed link ends the search: what follows it cannot be trusted to be what it seems.
#[must_use]
pub fn target<'a>(header: &'a str, relation: &str) -> Option<&'a str> {
    let mut rest = header.get(..BYTES_MAX).unwrap_or(header);
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (target, after) = rest.strip_prefix('<')?.split_once('>')?;
        let (is_wanted, after) = parameters(after, relation)?;
        if is_wanted {
            return Some(target.trim());
        }
        rest = after;
    }
}

/// Reads `;name=value` pairs up to the next link; tells whether the first `rel` names `relation`, and what follows.
fn parameters<'a>(mut rest: &'a str, relation: &str) -> Option<(bool, &'a str)> {
    // Only the first `rel` of a link counts (RFC 8288, section 3.3).
    let mut wanted: Option<bool> = None;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with(',') {
            return Some((wanted.unwrap_or(false), rest));
        }
        rest = rest.strip_prefix(';')?.trim_start();
        let end = rest.find(['=', ';', ',']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        if let Some(after) = rest.strip_prefix('=') {
            let (value, after) = value(after.trim_start())?;
            rest = after;
            if name.trim().eq_ignore_ascii_case("rel") && wanted.is_none() {
                wanted = Some(
                    value
                        .split_ascii_whitespace()
                        .any(|one| one.eq_ignore_ascii_case(relation)),
                );
            }
        }
    }
}

/// A token or a quoted string, and what follows it. Escapes stay as they are: no relation needs one.
fn value(text: &str) -> Option<(&str, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        let (token, after) = text.split_at(end);
        return Some((token.trim_end(), after));
    };
    let mut is_escaped = false;
    let end = quoted.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })?;
    Some((quoted.get(..end)?, quoted.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_wanted_relation_is_found_in_every_legal_form() {
        for (header, expected) in [
            (
                r#"<https://a.example/?page=2>; rel="next""#,
                Some("https://a.example/?page=2"),
            ),
            (
                r#"<https://a.example/?page=1>; rel="prev", </x?b=1,2>; rel="next"; title="a,b""#,
                Some("/x?b=1,2"),
            ),
            ("</p2>;rel=next", Some("/p2")),
            (r#"</p2>; REL="last NEXT""#, Some("/p2")),
            (
                r#"</p1>; title="; rel=next"; rel="first", </p2>; rel=next"#,
                Some("/p2"),
            ),
            (r#"</p1>; rel="first"; rel="next""#, None),
            (r#"</p1>; anchor="\"quoted\""; rel=next"#, Some("/p1")),
            ("</p1>; crossorigin; rel=next", Some("/p1")),
            (r#"</p1>; rel="nextish""#, None),
            (r#"</p1>; rel="next"#, None),
            ("p1; rel=next", None),
            ("<p1", None),
            ("", None),
            (",,,", None),
        ] {
            assert_eq!(target(header, "next"), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header in ".{0,200}") {
            let _ = target(&header, "next");
        }
    }
}
