//! Records that belong to another one, as people write it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Records of another object that belong to a record of this one: they stand in it as a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartForm {
    /// The object of this connector that they are; it needs `of_parents:`.
    pub object: String,
    /// Path of the field in them that holds the id of the record they belong to.
    pub parent: String,
    /// Path of the field without whose value there is no such record: it is not made without one, and removed when it is cleared.
    #[serde(default)]
    pub needs: Option<String>,
}
