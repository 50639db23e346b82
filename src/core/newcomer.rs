//! Fields that a system newly answers: told once, by their names alone. They never stop anything.
//!
//! Names come from another system, and may be anything: what does not look like a field's name is none, and so many are known of
//! one object and no more, by four bytes each. A record whose members are named by its data can neither fill a report nor put
//! that data into one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    connector::{Object, Source},
    mapping::Mapping,
    path::{Path, Segment},
    status::Side,
    value::projection::Projection,
};

/// So many names are known of one object; what comes beyond is not told.
const KNOWN_MAX: usize = 1_000;
/// A longer name is none, in characters.
const NAME_CHARS_MAX: usize = 80;
/// So many new names are told at once; of others, how many they are.
const TOLD_MAX: usize = 20;

/// Names of fields that records have: paths, as a mapping would spell them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// Takes note of a field, by the names that lead to it.
    pub fn add(&mut self, steps: &[String]) {
        if self.0.len() >= KNOWN_MAX || !steps.iter().all(|step| is_name(step)) {
            return;
        }
        let keys = steps.iter().map(|step| Segment::Key(step.as_str().into()));
        self.0.insert(Path::of(keys.collect()).to_string());
    }

    /// Takes note of the fields of further records.
    pub fn extend(&mut self, names: Self) {
        for name in names.0 {
            if self.0.len() >= KNOWN_MAX {
                return;
            }
            self.0.insert(name);
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a text looks like the name of a field: no address, number or sentence, and no remark about another field
/// (`Name@odata.type`).
fn is_name(text: &str) -> bool {
    let bare = text.strip_prefix(['@', '$', '_']).unwrap_or(text);
    let is_plain = |found: char| found.is_alphanumeric() || "_-:./ ".contains(found);
    text.chars().count() <= NAME_CHARS_MAX
        && bare.starts_with(|found: char| found.is_alphabetic() || found == '_')
        && bare.chars().all(is_plain)
        && !(text.starts_with('@') && bare.contains('.'))
        && !is_of_a_machine(bare)
}

/// Whether a text is an id rather than a name: hexadecimal digits and dashes, many of them.
fn is_of_a_machine(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    text.len() >= 16 && digits >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The names that were seen of one object so far, four bytes of a hash each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
#[schemars(rename = "KnownFields")]
pub struct Known(BTreeSet<u32>);

impl Known {
    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn print(name: &str) -> u32 {
    let hash = blake3::hash(name.as_bytes());
    u32::from_be_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

/// Fields that one system newly answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NewFields {
    /// The side of the mapping.
    pub side: Side,
    /// The system.
    pub system: String,
    /// The object, as the connector names it.
    pub object: String,
    /// Their paths in a record, the first ones.
    pub fields: Vec<String>,
    /// How many more there are.
    #[serde(default)]
    pub more: u64,
}

impl NewFields {
    /// What shows more of them.
    #[must_use]
    pub fn next_step(&self) -> String {
        format!("syncline connector discover {} {}", self.system, self.object)
    }

    /// Their names in one line.
    #[must_use]
    pub fn told(&self) -> String {
        let names = self.fields.join(", ");
        if self.more == 0 {
            return names;
        }
        format!("{names} and {} more", self.more)
    }
}

/// The fields of one side that connector and mapping name.
#[derive(Debug)]
pub struct Named {
    /// By the connector, or as a mapping's own field.
    own: Projection,
    /// By a template of the mapping; nothing where one of them reads whole records.
    read: Option<Projection>,
}

impl Named {
    /// What is named of one side of a mapping.
    #[must_use]
    pub fn of(mapping: &Mapping, side: Side, object: Option<&Object>) -> Self {
        let mut own = Projection::default();
        for field in &mapping.fields {
            field.paths.get(side).iter().for_each(|path| own.add(path));
        }
        if let Some(object) = object {
            let version = match &object.version {
                Some(Source::Path(path)) => Some(path),
                Some(Source::Header(_)) | None => None,
            };
            let described = object.fields.iter().map(|field| &field.path);
            described
                .chain(&object.id)
                .chain(version)
                .for_each(|path| own.add(path));
            object.updated_at.paths().iter().for_each(|path| own.add(path));
        }
        let read = Some(mapping.wanted(side)).filter(|wanted| !wanted.is_whole());
        Self { own, read }
    }

    /// The members whose own members are fields: something names one of these.
    #[must_use]
    pub const fn own(&self) -> &Projection {
        &self.own
    }

    fn is_named(&self, name: &str) -> bool {
        let Ok(path) = Path::parse(name) else { return true };
        self.own.touches(&path) || self.read.as_ref().is_some_and(|read| read.touches(&path))
    }
}

/// What a complete listing adds to what is known: what is known behind it, and the fields that are to be told, with how many more
/// there are. Nothing is new where nothing was known.
#[must_use]
pub fn judge(earlier: &Known, now: &Names, named: &Named) -> (Known, Vec<String>, u64) {
    let mut known = earlier.clone();
    let mut new = Vec::new();
    let mut more = 0;
    for name in &now.0 {
        if known.0.len() >= KNOWN_MAX || !known.0.insert(print(name)) || earlier.is_empty() || named.is_named(name) {
            continue;
        }
        if new.len() < TOLD_MAX {
            new.push(name.clone());
        } else {
            more += 1;
        }
    }
    (known, new, more)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(of: &[&str]) -> Names {
        let mut names = Names::default();
        for name in of {
            names.add(&[(*name).to_owned()]);
        }
        names
    }

    fn named(of: &[&str]) -> Named {
        let paths: Vec<Path> = of.iter().map(|path| Path::parse(path).unwrap()).collect();
        Named {
            own: Projection::of(&paths),
            read: None,
        }
    }

    #[test]
    fn a_field_is_told_when_it_comes_and_not_again() {
        let mine = named(&["name"]);
        let (known, new, _) = judge(&Known::default(), &names(&["id", "name"]), &mine);
        assert!(new.is_empty(), "at the first look everything is");
        let (known, new, more) = judge(&known, &names(&["id", "name", "region"]), &mine);
        assert_eq!((new, more), (vec!["region".to_owned()], 0));
        let (known, new, _) = judge(&known, &names(&["id", "name"]), &mine);
        assert!(new.is_empty());
        let (_, new, _) = judge(&known, &names(&["id", "name", "region"]), &mine);
        assert!(new.is_empty(), "it was there before");
    }

    #[test]
    fn what_connector_or_mapping_names_is_no_news() {
        let (known, ..) = judge(&Known::default(), &names(&["id"]), &named(&[]));
        let (_, new, _) = judge(
            &known,
            &names(&["id", "name", "address"]),
            &named(&["name", "address.city"]),
        );
        assert!(new.is_empty());
    }

    #[test]
    fn what_looks_like_data_is_no_name() {
        let odd = [
            "ana@example.com",
            "4711",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "Name@odata.type",
            "@odata.etag",
            "",
            "a\u{202e}b",
            "a\nb",
            "<b>",
            "2026-01-02",
        ];
        assert_eq!(names(&odd), Names::default());
        let fine = [
            "Region__c",
            "custom field",
            "_links",
            "@id",
            "größe",
            "soap:id",
            "x-1",
            "$ref",
        ];
        assert_eq!(names(&fine).0.len(), fine.len());
        let long = "x".repeat(NAME_CHARS_MAX + 1);
        assert!(names(&[&long]).is_empty());
    }

    #[test]
    fn neither_what_is_known_nor_what_is_told_grows_without_end() {
        let many: Vec<String> = (0..5_000).map(|number| format!("f{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (known, ..) = judge(&Known::default(), &names(&["id"]), &named(&[]));
        let (known, new, more) = judge(&known, &names(&many), &named(&[]));
        assert_eq!((new.len(), known.0.len()), (TOLD_MAX, KNOWN_MAX));
        assert_eq!(new.len() as u64 + more, KNOWN_MAX as u64 - 1);
        let (again, new, _) = judge(&known, &names(&["another"]), &named(&[]));
        assert!(new.is_empty() && again == known);
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_can_be_said_in_a_file(text in "\\PC{0,90}") {
            let mut names = Names::default();
            names.add(std::slice::from_ref(&text));
            for name in &names.0 {
                prop_assert_eq!(Path::parse(name).ok(), Some(Path::of_key(&text)));
            }
        }
    }
}
