//! JSON-like structures whose texts are templates: bodies of requests, typed wrappers.

use serde_json::Value as Json;

use super::{Error, Fault, Names, Scope, Template};
use crate::core::{
    path::Path,
    problem::pointer,
    value::{Map, Value, xml::Ordered},
};

/// A structure whose texts (keys too) are templates.
#[derive(Debug)]
pub enum Structure {
    /// A text, or a value that is the same whatever the scope.
    Leaf(Template),
    /// Items; one that comes to nothing is left out.
    List(Vec<Structure>),
    /// Members; one whose key or value comes to nothing is left out. Null is kept.
    Map(Vec<(Template, Structure)>),
}

impl Structure {
    /// Compiles a structure. Every error is reported with the JSON pointer of its text, below `place`.
    pub fn parse(form: &Json, names: &Names, place: &str, report: &mut dyn FnMut(String, Error)) -> Self {
        let template = |text: &str, place: String, report: &mut dyn FnMut(String, Error)| {
            Template::parse(text, names).unwrap_or_else(|error| {
                report(place, error);
                Template::literal(Value::Null)
            })
        };
        match form {
            Json::String(text) => Self::Leaf(template(text, place.to_owned(), report)),
            Json::Array(items) => Self::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Self::parse(item, names, &pointer(place, index), report))
                    .collect(),
            ),
            Json::Object(members) => Self::Map(
                members
                    .iter()
                    .map(|(key, member)| {
                        let place = pointer(place, key);
                        let name = template(key, place.clone(), report);
                        (name, Self::parse(member, names, &place, report))
                    })
                    .collect(),
            ),
            plain => Self::Leaf(Template::literal(Value::from(plain))),
        }
    }

    /// The structure's value; `None` where it is a text that comes to nothing.
    pub fn find(&self, scope: &Scope) -> Result<Option<Value>, Fault> {
        match self {
            Self::Leaf(template) => template.find(scope),
            Self::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(item.find(scope)?);
                }
                Ok(Some(Value::List(list)))
            }
            Self::Map(members) => {
                let mut map = Map::new();
                for (key, member) in members {
                    if let (Some(key), Some(value)) = (key.text(scope, |text| text)?, member.find(scope)?) {
                        map.insert(key, value);
                    }
                }
                Ok(Some(Value::Map(map)))
            }
        }
    }

    /// The same with the members in the order in which they were written, for formats that want one.
    pub fn find_in_order(&self, scope: &Scope) -> Result<Option<Ordered>, Fault> {
        match self {
            Self::Leaf(template) => Ok(template.find(scope)?.map(Ordered::from)),
            Self::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(item.find_in_order(scope)?);
                }
                Ok(Some(Ordered::List(list)))
            }
            Self::Map(members) => {
                let mut map = Vec::with_capacity(members.len());
                for (key, member) in members {
                    if let (Some(key), Some(value)) = (key.text(scope, |text| text)?, member.find_in_order(scope)?) {
                        map.push((key, value));
                    }
                }
                Ok(Some(Ordered::Map(map)))
            }
        }
    }

    /// The members of `root` that its texts name, see [`super::Expr::paths_of`].
    #[must_use]
    pub fn paths_of(&self, root: &str) -> Vec<Path> {
        self.templates()
            .iter()
            .flat_map(|template| template.paths_of(root))
            .collect()
    }

    /// Whether any of its texts takes `root` as a whole.
    #[must_use]
    pub fn uses_whole(&self, root: &str) -> bool {
        self.templates().iter().any(|template| template.uses_whole(root))
    }

    /// Whether any of its texts names `root`.
    #[must_use]
    pub fn uses(&self, root: &str) -> bool {
        self.templates().iter().any(|template| template.uses(root))
    }

    fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Leaf(template) => vec![template],
            Self::List(items) => items.iter().flat_map(Self::templates).collect(),
            Self::Map(members) => members
                .iter()
                .flat_map(|(key, member)| std::iter::once(key).chain(member.templates()))
                .collect(),
        }
    }
}
