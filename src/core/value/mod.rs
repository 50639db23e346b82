//! Values (arriving).
use std::collections::BTreeMap;
/// Members of a record.
pub type Map = BTreeMap<String, Value>;
/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// null
    Null,
}
/// Comparing (arriving).
pub mod compare {
    /// How texts are compared (arriving).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Compare {
        /// As they are.
        Exact,
    }
}
