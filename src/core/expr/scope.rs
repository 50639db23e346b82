//! The names and values one evaluation sees.

use std::sync::Arc;

use crate::core::value::Value;

/// The names and values one evaluation sees; cheap to make and to copy, since values are shared.
#[derive(Debug, Clone, Default)]
pub struct Scope(Arc<Vec<(Box<str>, Arc<Value>)>>);

impl Scope {
    /// No names yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `name` a value; a second value of the same name takes the place of the first.
    pub fn set(&mut self, name: &str, value: Arc<Value>) {
        let entries = Arc::make_mut(&mut self.0);
        match entries.iter_mut().find(|(known, _)| **known == *name) {
            Some(entry) => entry.1 = value,
            None => entries.push((name.into(), value)),
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
        self.shared(name).map(AsRef::as_ref)
    }

    pub(super) fn shared(&self, name: &str) -> Option<&Arc<Value>> {
        let entry = self.0.iter().find(|(known, _)| **known == *name);
        entry.map(|(_, value)| value)
    }
}
