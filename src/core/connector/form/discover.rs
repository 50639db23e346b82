//! Where a system says what its objects have, as people write it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map as JsonMap, Value as Json};

use super::{FormatForm, Method, Request};

call! {
    /// Where a system says what its objects have, for `syncline connector discover`: one of `openapi`, `odata`, or a request whose
    /// answer lists the fields of one object. The request knows `settings` and `object`, the system's own name of the object.
    DiscoverForm {
        /// Path of an OpenAPI description that the system serves; objects are known by the path of their `list:`.
        #[serde(default)]
        openapi: Option<String>,
        /// Path of OData metadata (`/$metadata`); objects are known by the path of their `list:`.
        #[serde(default)]
        odata: Option<String>,
        /// The system's own names of objects, by their names in this file.
        #[serde(default)]
        names: BTreeMap<String, String>,
        /// Path of the list or map of fields in the answer; without it, the answer is that.
        #[serde(default)]
        fields: Option<String>,
        /// Path of a field's name in each of them; in a map, its key where nothing is said.
        #[serde(default)]
        name: Option<String>,
        /// Path of the word for a field's type.
        #[serde(rename = "type", default)]
        kind: Option<String>,
        /// The kinds that these words mean, where they are not the usual ones (`many2one: any`).
        #[serde(default)]
        types: BTreeMap<String, String>,
        /// Path of a truth value that says whether a field is never written.
        #[serde(default)]
        read_only: Option<String>,
    }
}
