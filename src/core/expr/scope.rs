//! The names and values one evaluation sees.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value as Engine};

use super::bridge;
use crate::core::value::Value;

/// The names and values one evaluation sees; cheap to make, since values are shared.
#[derive(Debug, Clone, Default)]
pub struct Scope(Vec<(String, Arc<Value>)>);

impl Scope {
    /// No names yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Gives `name` a value; a second value of the same name takes the place of the first.
    pub fn set(&mut self, name: &str, value: Arc<Value>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some(entry) => entry.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The same scope with one name more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, Arc::new(value.into()));
        self
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_ref())
    }

    pub(super) fn view(&self) -> Engine {
        Engine::from_object(View(self.0.clone()))
    }
}

#[derive(Debug)]
struct View(Vec<(String, Arc<Value>)>);

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Engine) -> Option<Engine> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Engine> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| bridge::to_engine_shared(value))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}
