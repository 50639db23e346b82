//! Suggestions by similarity: records that may be the same thing and that no rule couples. They never link by themselves.
//!
//! Everything is bounded. Of the records of one side an [`Index`] keeps the first [`RECORDS_MAX`]; a record of the other side
//! meets only those that share rare groups of three letters with it, and of these only the nearest few are compared.

use std::collections::{HashMap, HashSet};

use super::Rule;
use crate::core::{
    status::{Side, Sides},
    value::{Map, Value, fingerprint::Key},
};

/// What is compared, and how similar it has to be.
#[derive(Debug, Clone)]
pub struct Suggest {
    /// The fields; the first one decides which records are compared at all.
    pub fields: Vec<Likeness>,
    /// The least score of a suggestion, in thousandths.
    pub at_least: u16,
}

/// A pair of fields that are alike in records that are the same thing.
#[derive(Debug, Clone)]
pub struct Likeness {
    /// What of both counts.
    pub rule: Rule,
    /// Whether the values are personal data.
    pub sensitive: bool,
}

/// The most records of one side that are compared in one reconciliation.
pub const RECORDS_MAX: usize = 20_000;
/// The most suggestions for one record.
pub const PER_RECORD_MAX: usize = 3;
/// Records that are compared with one record.
const COMPARED_MAX: usize = 20;
/// A group of letters that more records have says nothing.
const COMMON: usize = 400;
/// Letters of a text that are compared.
const LETTERS_MAX: usize = 120;

/// What a record has for each field, as it is compared; and as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likely {
    /// The record.
    pub record_id: String,
    /// What of the values counts; an empty text where there is none.
    counted: Vec<String>,
    /// The values as they are shown; empty where there is none.
    pub shown: Vec<String>,
}

impl Likely {
    /// What a record of `side` has; none where it has nothing for the first field.
    #[must_use]
    pub fn of(suggest: &Suggest, side: Side, record_id: &str, fields: &Map) -> Option<Self> {
        let value = |field: &Likeness| {
            field
                .rule
                .value(side, fields)
                .and_then(Value::to_text)
                .unwrap_or_default()
        };
        let shown: Vec<String> = suggest.fields.iter().map(value).collect();
        let count = |(field, text): (&Likeness, &String)| {
            let counted = field.rule.counts.text(text);
            counted.chars().take(LETTERS_MAX).collect::<String>()
        };
        let counted: Vec<String> = suggest.fields.iter().zip(&shown).map(count).collect();
        counted.first().is_some_and(|first| !first.is_empty()).then(|| Self {
            record_id: record_id.to_owned(),
            counted,
            shown,
        })
    }

    /// A hash of what of the values counts: a decision is about these values.
    #[must_use]
    pub fn hash(&self, key: &Key) -> u64 {
        let values = self.counted.iter().map(|text| Value::Text(text.clone()));
        key.field("suggest", Some(&Value::List(values.collect())))
    }
}

/// Two records that may be the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Similar<'i> {
    /// The record in the index.
    pub other: &'i Likely,
    /// How similar they are, in thousandths.
    pub score: u16,
}

/// The records of one side, found by what they have in common with another.
#[derive(Debug, Default)]
pub struct Index {
    records: Vec<Likely>,
    groups: HashMap<[char; 3], Vec<u32>>,
}

impl Index {
    /// Adds a record; whether there was room for it.
    pub fn add(&mut self, record: Likely) -> bool {
        if self.records.len() >= RECORDS_MAX {
            return false;
        }
        let Ok(place) = u32::try_from(self.records.len()) else {
            return false;
        };
        for group in groups(&record) {
            let places = self.groups.entry(group).or_default();
            // One more than counts, so that a common group is known for one.
            if places.len() <= COMMON {
                places.push(place);
            }
        }
        self.records.push(record);
        true
    }

    /// Whether there is nothing to be found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records most similar to `record`, the best first.
    #[must_use]
    pub fn similar(&self, suggest: &Suggest, record: &Likely) -> Vec<Similar<'_>> {
        let mut shared: HashMap<u32, u32> = HashMap::new();
        for group in groups(record) {
            for place in self
                .groups
                .get(&group)
                .filter(|places| places.len() <= COMMON)
                .into_iter()
                .flatten()
            {
                *shared.entry(*place).or_default() += 1;
            }
        }
        let mut nearest: Vec<(u32, u32)> = shared.into_iter().collect();
        nearest.sort_unstable_by_key(|(place, count)| (std::cmp::Reverse(*count), *place));
        let compared = nearest.iter().take(COMPARED_MAX);
        let mut similar: Vec<Similar<'_>> = compared
            .filter_map(|(place, _)| self.records.get(usize::try_from(*place).ok()?))
            .map(|other| Similar {
                other,
                score: score(record, other),
            })
            .filter(|similar| similar.score >= suggest.at_least)
            .collect();
        similar.sort_by(|one, other| {
            other
                .score
                .cmp(&one.score)
                .then_with(|| one.other.record_id.cmp(&other.other.record_id))
        });
        similar.truncate(PER_RECORD_MAX);
        similar
    }
}

/// Groups of three letters of the first field, with the beginning and the end of the text.
fn groups(record: &Likely) -> HashSet<[char; 3]> {
    let Some(text) = record.counted.first() else {
        return HashSet::new();
    };
    let letters: Vec<char> = [' ', ' '].into_iter().chain(text.chars()).chain([' ']).collect();
    letters
        .windows(3)
        .filter_map(|window| <[char; 3]>::try_from(window).ok())
        .collect()
}

/// The mean of the fields that both records have, in thousandths.
fn score(one: &Likely, other: &Likely) -> u16 {
    let pairs = one.counted.iter().zip(&other.counted);
    let alike: Vec<f64> = pairs
        .filter(|(one, other)| !one.is_empty() && !other.is_empty())
        .map(|(one, other)| alike(one, other))
        .collect();
    if alike.is_empty() {
        return 0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of fields")]
    let mean = alike.iter().sum::<f64>() / alike.len() as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000"
    )]
    let thousandths = (mean.clamp(0.0, 1.0) * 1_000.0).round() as u16;
    // Only what is equal is 1: rounding must not make it so.
    if thousandths == 1_000 && one.counted != other.counted {
        999
    } else {
        thousandths
    }
}

/// How alike two texts are, whatever the order of their words: 0 to 1 (Jaro-Winkler).
fn alike(one: &str, other: &str) -> f64 {
    let sorted = |text: &str| {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        words.sort_unstable();
        words.join(" ")
    };
    let as_written = strsim::jaro_winkler(one, other);
    as_written.max(strsim::jaro_winkler(&sorted(one), &sorted(other)))
}

/// The values that two records were compared by, side by side.
#[must_use]
pub fn compared(suggest: &Suggest, records: Sides<&Likely>) -> Vec<(String, Sides<String>)> {
    let values = records.left.shown.iter().zip(&records.right.shown);
    let pair = |(field, (left, right)): (&Likeness, (&String, &String))| {
        let cut = |text: &String| text.chars().take(LETTERS_MAX).collect::<String>();
        let values = Sides {
            left: cut(left),
            right: cut(right),
        };
        (field.rule.paths.left.to_string(), values)
    };
    suggest.fields.iter().zip(values).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{
        matching::{Counts, Normalizer},
        path::Path,
        value::kind::Kind,
    };

    fn suggest(fields: &[&str], at_least: u16) -> Suggest {
        let likeness = |name: &&str| {
            let path = Path::parse(name).unwrap();
            Likeness {
                rule: Rule {
                    paths: Sides {
                        left: path.clone(),
                        right: path,
                    },
                    kind: Kind::Any,
                    counts: Counts::normalized(
                        vec![Normalizer::LegalForm, Normalizer::Accents, Normalizer::Case],
                        None,
                    ),
                },
                sensitive: false,
            }
        };
        Suggest {
            fields: fields.iter().map(likeness).collect(),
            at_least,
        }
    }

    fn record(suggest: &Suggest, id: &str, name: &str, city: &str) -> Likely {
        let mut fields = Map::from([("name".to_owned(), Value::from(name))]);
        if !city.is_empty() {
            fields.insert("city".to_owned(), Value::from(city));
        }
        Likely::of(suggest, Side::Left, id, &fields).unwrap()
    }

    fn found(suggest: &Suggest, known: &[(&str, &str, &str)], name: &str, city: &str) -> Vec<(String, u16)> {
        let mut index = Index::default();
        for (id, name, city) in known {
            assert!(index.add(record(suggest, id, name, city)));
        }
        let similar = index.similar(suggest, &record(suggest, "own", name, city));
        similar
            .into_iter()
            .map(|one| (one.other.record_id.clone(), one.score))
            .collect()
    }

    #[test]
    fn similar_names_are_found_best_first_and_others_are_not() {
        let suggest = suggest(&["name"], 850);
        let known = [
            ("1", "Zeder Druck GmbH", ""),
            ("2", "Zéder Drück", ""),
            ("3", "Druckerei Zeder AG", ""),
            ("4", "Comércio Ana Ltda", ""),
        ];
        let alike = found(&suggest, &known, "ZEDER DRUCK", "");
        assert_eq!(alike[..2], [("1".to_owned(), 1_000), ("2".to_owned(), 1_000)]);
        assert!(
            alike.iter().skip(2).all(|(id, score)| id == "3" && *score < 1_000),
            "{alike:?}"
        );
        let typed = found(&suggest, &known, "Zeder Durck", "");
        assert!(typed.len() >= 2 && typed.iter().all(|(id, _)| id != "4"), "{typed:?}");
        assert!(typed.iter().all(|(_, score)| (850..1_000).contains(score)), "{typed:?}");
        assert_eq!(
            found(&suggest, &known, "Ana Comercio", "")[0].0,
            "4",
            "whatever the order of words"
        );
        assert!(found(&suggest, &known, "Volvo AB", "").is_empty());
    }

    #[test]
    fn more_fields_tell_records_of_one_name_apart() {
        let suggest = suggest(&["name", "city"], 900);
        let known = [
            ("1", "Padaria Central", "Recife"),
            ("2", "Padaria Central", "Porto Alegre"),
        ];
        let both = found(&suggest, &known, "Padaria Central", "Recife");
        assert_eq!(both, [("1".to_owned(), 1_000)]);
        // What one of them does not have, says nothing.
        assert_eq!(found(&suggest, &known, "Padaria Central", "").len(), 2);
    }

    #[test]
    fn records_that_all_begin_alike_do_not_make_everything_meet_everything() {
        let suggest = suggest(&["name"], 0);
        let mut index = Index::default();
        for n in 0..COMMON * 3 {
            assert!(index.add(record(&suggest, &n.to_string(), &format!("Loja {n:05}"), "")));
        }
        let similar = index.similar(&suggest, &record(&suggest, "own", "Loja 00017", ""));
        assert_eq!(similar.len(), PER_RECORD_MAX);
        assert_eq!(similar[0].other.record_id, "17");
    }

    #[test]
    fn an_index_has_room_for_so_many_and_no_more() {
        let suggest = suggest(&["name"], 0);
        let mut index = Index::default();
        let one = record(&suggest, "1", "a", "");
        for _ in 0..RECORDS_MAX {
            assert!(index.add(one.clone()));
        }
        assert!(!index.add(one));
    }

    #[test]
    fn a_decision_is_about_what_counts() {
        let suggest = suggest(&["name"], 0);
        let key = Key::new([1; 32]);
        let hash = |name: &str| record(&suggest, "1", name, "").hash(&key);
        assert_eq!(hash("Ana Ltda"), hash("ANA"));
        assert_ne!(hash("Ana"), hash("Bia"));
    }
}
