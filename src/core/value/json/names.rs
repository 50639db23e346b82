//! The names of members, without any value: what is passed over is not looked at.

use jiter::{Jiter, JiterError, Peek};

use crate::core::{
    path::{Path, Segment},
    value::projection::Projection,
};

/// Members of members that are told.
const DEPTH_MAX: usize = 2;

/// Which names are wanted of the items of a list.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// So many items are looked at.
    pub items: usize,
    /// Where the record is in an item.
    pub record: &'a Path,
    /// Of members that this leads through, their own members are told.
    pub within: &'a Projection,
}

/// Tells the names of members of the first items of a list, whose text has been read before; `items` are they without the brackets
/// around them.
pub fn names(items: &[u8], look: Look<'_>, tell: &mut dyn FnMut(&[String])) {
    let mut rest = items;
    for _ in 0..look.items {
        let mut tokens = Jiter::new(rest);
        if item(&mut tokens, look, tell).is_err() {
            return;
        }
        let behind = rest.get(tokens.current_index()..).unwrap_or_default();
        let Some(next) = behind.trim_ascii_start().strip_prefix(b",") else {
            return;
        };
        rest = next;
    }
}

fn item(tokens: &mut Jiter<'_>, look: Look<'_>, tell: &mut dyn FnMut(&[String])) -> Result<(), JiterError> {
    reach(tokens, look.record.segments(), look.within, tell)
}

/// Goes to the record in an item.
fn reach(
    tokens: &mut Jiter<'_>,
    path: &[Segment],
    within: &Projection,
    tell: &mut dyn FnMut(&[String]),
) -> Result<(), JiterError> {
    if !matches!(tokens.peek()?, Peek::Object) {
        return tokens.next_skip();
    }
    let (wanted, behind) = match path.split_first() {
        None => return members(tokens, within, &mut Vec::new(), tell),
        Some((Segment::Key(key), behind)) => (key, behind),
        // Through lists nobody is led here.
        Some(_) => return tokens.next_skip(),
    };
    let mut next = tokens.known_object()?.map(|key| *key == **wanted);
    while let Some(is_wanted) = next {
        if is_wanted {
            reach(tokens, behind, within, tell)?;
        } else {
            tokens.next_skip()?;
        }
        next = tokens.next_key()?.map(|key| *key == **wanted);
    }
    Ok(())
}

fn members(
    tokens: &mut Jiter<'_>,
    within: &Projection,
    above: &mut Vec<String>,
    tell: &mut dyn FnMut(&[String]),
) -> Result<(), JiterError> {
    let mut next = tokens.known_object()?.map(str::to_owned);
    while let Some(key) = next {
        let inner = within.member(&key).filter(|inner| !inner.is_whole());
        let is_map = matches!(tokens.peek()?, Peek::Object);
        above.push(key);
        match inner {
            Some(inner) if is_map && above.len() < DEPTH_MAX => members(tokens, inner, above, tell)?,
            _ => {
                tell(above);
                tokens.next_skip()?;
            }
        }
        above.pop();
        next = tokens.next_key()?.map(str::to_owned);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(items: &str, count: usize, record: &str, within: &[&str]) -> Vec<String> {
        let paths: Vec<Path> = within.iter().map(|path| Path::parse(path).unwrap()).collect();
        let within = Projection::of(&paths);
        let record = Path::parse(record).unwrap();
        let look = Look {
            items: count,
            record: &record,
            within: &within,
        };
        let mut told = Vec::new();
        names(items.as_bytes(), look, &mut |name| told.push(name.join("/")));
        told
    }

    #[test]
    fn members_are_told_and_their_own_where_something_leads_there() {
        let item = r#"{"id": 1, "properties": {"email": "a", "age": {"x": 1}}, "other": {"b": 1}, "tags": [{"c": 1}]}"#;
        assert_eq!(
            told(item, 9, "$", &["properties.email"]),
            ["id", "properties/email", "properties/age", "other", "tags"]
        );
    }

    #[test]
    fn so_many_items_are_looked_at_and_no_more() {
        let items = r#"{"a": 1} , {"b": "},{"}, {"c": 3}"#;
        assert_eq!(told(items, 2, "$", &[]), ["a", "b"]);
        assert_eq!(told(items, 9, "$", &[]), ["a", "b", "c"]);
        assert!(told("", 9, "$", &[]).is_empty());
        assert!(told(items, 0, "$", &[]).is_empty());
    }

    #[test]
    fn a_record_inside_of_its_item_is_found() {
        assert_eq!(
            told(r#"{"x": 1, "object": {"payer": {"id": 1}}}"#, 9, "object.payer", &[]),
            ["id"]
        );
        assert!(told(r#"{"object": [1]}, 7"#, 9, "object.payer", &[]).is_empty());
    }

    #[test]
    fn what_is_broken_ends_it() {
        assert_eq!(told(r#"{"a": 1, "b": tru"#, 9, "$", &[]), ["a", "b"]);
    }
}
