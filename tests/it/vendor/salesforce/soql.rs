//! The part of SOQL that connectors and client libraries write.

use std::cmp::Ordering;

use chrono::{DateTime, FixedOffset};
use serde_json::{Map, Value as Json, json};

/// A query.
#[derive(Debug, Default)]
pub struct Query {
    /// None where only the number of records is asked for.
    pub fields: Vec<String>,
    pub object: String,
    conditions: Vec<Condition>,
    /// A field, and whether backwards.
    order: Option<(String, bool)>,
    pub limit: Option<usize>,
}

#[derive(Debug)]
struct Condition {
    field: String,
    operator: String,
    values: Vec<Json>,
}

/// What is wrong with a query.
pub type Flaw = String;

struct Words(Vec<Word>);

#[derive(Debug, Clone, PartialEq)]
enum Word {
    /// A name, a number, a time, or a sign.
    Bare(String),
    Text(String),
}

impl Query {
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let mut words = Words::of(text)?;
        let mut query = Self::default();
        words.keyword("SELECT")?;
        loop {
            query.fields.push(words.bare()?);
            if !words.takes(",") {
                break;
            }
        }
        if query.fields[0].eq_ignore_ascii_case("count") {
            words.sign("(")?;
            words.sign(")")?;
            query.fields.clear();
        }
        words.keyword("FROM")?;
        query.object = words.bare()?;
        if words.takes("WHERE") {
            loop {
                query.conditions.push(words.condition()?);
                if !words.takes("AND") {
                    break;
                }
            }
        }
        if words.takes("ORDER") {
            words.keyword("BY")?;
            let field = words.bare()?;
            let is_backwards = !words.takes("ASC") && words.takes("DESC");
            query.order = Some((field, is_backwards));
        }
        if words.takes("LIMIT") {
            query.limit = Some(words.bare()?.parse().map_err(|_| "the limit is no number".to_owned())?);
        }
        match words.0.first() {
            None => Ok(query),
            Some(word) => Err(format!("unexpected token: {word:?}")),
        }
    }

    /// The fields that it names.
    pub fn named(&self) -> impl Iterator<Item = &String> {
        let conditions = self.conditions.iter().map(|condition| &condition.field);
        let order = self.order.iter().map(|(field, _)| field);
        self.fields.iter().chain(conditions).chain(order)
    }

    pub fn fits(&self, record: &Map<String, Json>) -> bool {
        self.conditions.iter().all(|condition| condition.fits(record))
    }

    pub fn sort(&self, records: &mut [Map<String, Json>]) {
        let Some((field, is_backwards)) = &self.order else {
            return;
        };
        records.sort_by(|one, other| {
            let order = compare(get(one, field), get(other, field)).unwrap_or(Ordering::Equal);
            if *is_backwards { order.reverse() } else { order }
        });
    }
}

impl Condition {
    fn fits(&self, record: &Map<String, Json>) -> bool {
        let value = get(record, &self.field);
        let is = |wanted: &Json| compare(value, wanted) == Some(Ordering::Equal);
        let Some(first) = self.values.first() else { return false };
        let order = compare(value, first);
        match self.operator.as_str() {
            "=" => is(first),
            "!=" => !is(first),
            "IN" => self.values.iter().any(is),
            "<" => order == Some(Ordering::Less),
            "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            ">" => order == Some(Ordering::Greater),
            ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            "LIKE" => {
                let lower = |json: &Json| json.as_str().unwrap_or_default().to_lowercase();
                lower(value).starts_with(lower(first).trim_end_matches('%'))
            }
            other => panic!("{other}"),
        }
    }
}

/// The value of a field, whatever the case of its name.
pub fn get<'r>(record: &'r Map<String, Json>, field: &str) -> &'r Json {
    let found = record.iter().find(|(name, _)| name.eq_ignore_ascii_case(field));
    found.map_or(&Json::Null, |(_, value)| value)
}

fn instant(json: &Json) -> Option<DateTime<FixedOffset>> {
    let text = json.as_str()?;
    let with_zone = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z");
    with_zone.or_else(|_| DateTime::parse_from_rfc3339(text)).ok()
}

/// Texts are the same in any case; times are compared as such.
fn compare(one: &Json, other: &Json) -> Option<Ordering> {
    if let (Some(one), Some(other)) = (instant(one), instant(other)) {
        return Some(one.cmp(&other));
    }
    match (one, other) {
        (Json::Null, Json::Null) => Some(Ordering::Equal),
        (Json::Bool(one), Json::Bool(other)) => Some(one.cmp(other)),
        (Json::Number(one), Json::Number(other)) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        (Json::String(one), Json::String(other)) => Some(one.to_lowercase().cmp(&other.to_lowercase())),
        _ => None,
    }
}

impl Words {
    fn of(text: &str) -> Result<Self, Flaw> {
        let mut words = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(next) = rest.next() {
            match next {
                ' ' | '\n' => {}
                '\'' => {
                    let mut value = String::new();
                    loop {
                        match rest.next() {
                            Some('\\') => value.extend(rest.next()),
                            Some('\'') => break,
                            Some(other) => value.push(other),
                            None => return Err("unexpected end of a text".to_owned()),
                        }
                    }
                    words.push(Word::Text(value));
                }
                ',' | '(' | ')' | '=' => words.push(Word::Bare(next.to_string())),
                '<' | '>' | '!' => {
                    let sign = [next].into_iter().chain(rest.next_if_eq(&'='));
                    words.push(Word::Bare(sign.collect()));
                }
                _ => {
                    let mut name = next.to_string();
                    while let Some(more) = rest.next_if(|next| !" \n',()=<>!".contains(*next)) {
                        name.push(more);
                    }
                    words.push(Word::Bare(name));
                }
            }
        }
        Ok(Self(words))
    }

    fn next(&mut self) -> Result<Word, Flaw> {
        if self.0.is_empty() {
            return Err("unexpected end of the query".to_owned());
        }
        Ok(self.0.remove(0))
    }

    fn bare(&mut self) -> Result<String, Flaw> {
        match self.next()? {
            Word::Bare(text) => Ok(text),
            Word::Text(text) => Err(format!("unexpected token: '{text}'")),
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_it = matches!(self.0.first(), Some(Word::Bare(text)) if text.eq_ignore_ascii_case(word));
        if is_it {
            self.0.remove(0);
        }
        is_it
    }

    fn keyword(&mut self, word: &str) -> Result<(), Flaw> {
        let is_it = self.takes(word);
        is_it.then_some(()).ok_or_else(|| format!("expecting {word}"))
    }

    fn sign(&mut self, sign: &str) -> Result<(), Flaw> {
        self.keyword(sign)
    }

    fn value(&mut self) -> Result<Json, Flaw> {
        Ok(match self.next()? {
            Word::Text(text) => json!(text),
            Word::Bare(text) => match text.to_lowercase().as_str() {
                "null" => Json::Null,
                "true" => json!(true),
                "false" => json!(false),
                number if number.parse::<f64>().is_ok() => serde_json::from_str(number).unwrap(),
                _ => json!(text),
            },
        })
    }

    fn condition(&mut self) -> Result<Condition, Flaw> {
        let field = self.bare()?;
        let operator = self.bare()?.to_uppercase();
        let values = match operator.as_str() {
            "IN" => {
                self.sign("(")?;
                let mut values = vec![self.value()?];
                while self.takes(",") {
                    values.push(self.value()?);
                }
                self.sign(")")?;
                values
            }
            "=" | "!=" | "<" | "<=" | ">" | ">=" | "LIKE" => vec![self.value()?],
            other => return Err(format!("unexpected token: '{other}'")),
        };
        Ok(Condition {
            field,
            operator,
            values,
        })
    }
}
