//! A serde deserializer over nodes that never loses the place.

use std::collections::HashSet;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
    value::{BorrowedStrDeserializer, StrDeserializer},
};

use super::{SIDES, error::Error};
use crate::catalog::yaml::{Content, NodeId, Scalar, Tree};

/// The tree, less what was found wrong in it.
#[derive(Clone, Copy)]
pub(super) struct View<'t> {
    pub(super) tree: &'t Tree,
    pub(super) pruned: &'t HashSet<NodeId>,
}

impl<'t> View<'t> {
    pub(super) fn node(self, id: NodeId) -> NodeDeserializer<'t> {
        NodeDeserializer { view: self, id }
    }

    fn children(self, id: NodeId) -> impl Iterator<Item = NodeId> + 't {
        let children = self.tree.children(id).iter().copied();
        children.filter(move |child| !self.pruned.contains(child))
    }

    fn key(self, id: NodeId) -> &'t str {
        self.tree.node(id).key.as_ref().map_or("", |key| key.text.as_str())
    }
}

/// One node.
#[derive(Clone, Copy)]
pub(super) struct NodeDeserializer<'t> {
    view: View<'t>,
    id: NodeId,
}

impl<'t> NodeDeserializer<'t> {
    fn scalar(self) -> Option<Scalar<'t>> {
        match &self.view.tree.node(self.id).content {
            Content::Scalar { text, is_plain: true } => Some(Scalar::resolve(text)),
            Content::Scalar { text, is_plain: false } => Some(Scalar::Text(text)),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    fn any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.scalar() {
            Some(Scalar::Null) => visitor.visit_unit(),
            Some(Scalar::Bool(value)) => visitor.visit_bool(value),
            Some(Scalar::Integer(number)) => match u64::try_from(number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(number),
            },
            Some(Scalar::Unsigned(number)) => visitor.visit_u64(number),
            Some(Scalar::Float(number)) => visitor.visit_f64(number),
            Some(Scalar::Inexact(_)) => Err(Error::wrong(
                "the number has more digits than a number can keep",
                Some("put it in quotes, so that every digit is kept"),
            )),
            Some(Scalar::Text(text)) => visitor.visit_borrowed_str(text),
            None => match &self.view.tree.node(self.id).content {
                Content::List(_) => visitor.visit_seq(Items {
                    view: self.view,
                    items: self.view.children(self.id),
                }),
                _ => visitor.visit_map(self.entries(Gather::Nothing)),
            },
        }
    }

    fn entries(self, gather: Gather) -> Entries<'t, impl Iterator<Item = NodeId> + 't> {
        let view = self.view;
        let own = view
            .children(self.id)
            .filter(move |child| gather.keeps(view.key(*child)));
        Entries {
            view,
            map: self.id,
            own,
            gather,
            value: None,
        }
    }
}

/// `yes` and `no` are texts in YAML 1.2; where a truth value is expected they are one.
fn truth(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" => Some(true),
        "no" | "No" | "NO" => Some(false),
        _ => None,
    }
}

macro_rules! forward_to_any {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'t> Deserializer<'t> for NodeDeserializer<'t> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        self.any(visitor).map_err(|error| error.at(self.id))
    }

    fn deserialize_bool<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.view.tree.node(self.id).content {
            Content::Scalar { text, is_plain: true } if let Some(value) = truth(text) => {
                visitor.visit_bool(value).map_err(|error: Error| error.at(self.id))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.scalar() {
            Some(Scalar::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|error: Error| error.at(self.id))
    }

    fn deserialize_newtype_struct<V: Visitor<'t>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor
            .visit_newtype_struct(self)
            .map_err(|error: Error| error.at(self.id))
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.view.tree.node(self.id).content {
            Content::Map(_) if fields.contains(&SIDES) => visitor.visit_map(self.entries(Gather::Except(fields))),
            // A derived struct would take its fields in order from a list; in a file that is a mistake.
            Content::List(_) => Err(serde::de::Error::invalid_type(Unexpected::Seq, &"a map")),
            _ => self.any(visitor),
        }
        .map_err(|error: Error| error.at(self.id))
    }

    fn deserialize_enum<V: Visitor<'t>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let variant = match (self.scalar(), self.view.tree.children(self.id)) {
            (Some(Scalar::Text(name)), _) => Variant {
                name,
                node: self,
                content: None,
            },
            (None, [only]) if self.view.pruned.contains(only) => return Err(Error::follows().at(self.id)),
            (None, [only]) if !self.view.key(*only).is_empty() => Variant {
                name: self.view.key(*only),
                node: self,
                content: Some(self.view.node(*only)),
            },
            _ => return self.deserialize_any(visitor),
        };
        visitor.visit_enum(variant).map_err(|error: Error| error.at(self.id))
    }

    fn deserialize_ignored_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'t>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'t>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    forward_to_any! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_seq deserialize_map
        deserialize_identifier
    }
}

/// Which entries of a map are handed out together under [`SIDES`].
#[derive(Clone, Copy)]
enum Gather {
    /// None: every entry stands for itself.
    Nothing,
    /// All but those with one of these keys.
    Except(&'static [&'static str]),
    /// Only those that have none of these keys: what is under [`SIDES`].
    Only(&'static [&'static str]),
}

impl Gather {
    fn keeps(self, key: &str) -> bool {
        match self {
            Self::Nothing => true,
            Self::Except(known) => key != SIDES && known.contains(&key),
            Self::Only(known) => key == SIDES || !known.contains(&key),
        }
    }
}

/// The entries of a map.
struct Entries<'t, I> {
    view: View<'t>,
    map: NodeId,
    own: I,
    gather: Gather,
    value: Option<Held>,
}

/// The value that belongs to the key handed out last.
enum Held {
    Node(NodeId),
    Sides(&'static [&'static str]),
}

impl<'t, I: Iterator<Item = NodeId>> MapAccess<'t> for Entries<'t, I> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'t>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if let Some(child) = self.own.next() {
            self.value = Some(Held::Node(child));
            let key = BorrowedStrDeserializer::new(self.view.key(child));
            return seed.deserialize(key).map(Some).map_err(|error: Error| error.at(child));
        }
        match self.gather {
            Gather::Except(known) => {
                self.gather = Gather::Nothing;
                self.value = Some(Held::Sides(known));
                seed.deserialize(BorrowedStrDeserializer::new(SIDES)).map(Some)
            }
            Gather::Nothing | Gather::Only(_) => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.value.take() {
            Some(Held::Node(child)) => seed.deserialize(self.view.node(child)),
            Some(Held::Sides(known)) => seed.deserialize(SidesDeserializer {
                node: self.view.node(self.map),
                known,
            }),
            // serde asks for a value only after a key; anything else reads as nothing.
            None => seed.deserialize(().into_deserializer()),
        }
    }
}

/// The entries of a map that are none of the form's own keys.
struct SidesDeserializer<'t> {
    node: NodeDeserializer<'t>,
    known: &'static [&'static str],
}

impl<'t> Deserializer<'t> for SidesDeserializer<'t> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor
            .visit_map(self.node.entries(Gather::Only(self.known)))
            .map_err(|error| error.at(self.node.id))
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'t>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The items of a list.
struct Items<'t, I> {
    view: View<'t>,
    items: I,
}

impl<'t, I: Iterator<Item = NodeId>> SeqAccess<'t> for Items<'t, I> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'t>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.items.next() {
            Some(item) => seed.deserialize(self.view.node(item)).map(Some),
            None => Ok(None),
        }
    }
}

/// One of several names, alone (`newest`) or with something to it (`{ default: x }`).
struct Variant<'t> {
    name: &'t str,
    node: NodeDeserializer<'t>,
    content: Option<NodeDeserializer<'t>>,
}

impl<'t> EnumAccess<'t> for Variant<'t> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'t>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'t> VariantAccess<'t> for Variant<'t> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            None => Ok(()),
            Some(content) => {
                let message = format!("`{}` stands for itself and takes nothing", self.name);
                Err(Error::wrong(message, Some("write the name alone")).at(content.id))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'t>>(self, seed: T) -> Result<T::Value, Error> {
        if let Some(content) = self.content {
            return seed.deserialize(content);
        }
        let message = format!("`{}` needs a value", self.name);
        let hint = format!("write `{{ {}: … }}`", self.name);
        Err(Error::wrong(message, Some(&hint)).at(self.node.id))
    }

    fn tuple_variant<V: Visitor<'t>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.content.unwrap_or(self.node).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'t>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.content.unwrap_or(self.node).deserialize_any(visitor)
    }
}
