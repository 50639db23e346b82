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
        /// Where the paths of these requests begin, if not at the connector's `base_url`; on the same server.
        #[serde(default)]
        base_url: Option<String>,
        /// Path of the list or map of fields in the answer; without it, the answer is that.
        #[serde(default)]
        fields: Option<String>,
        /// Path of a field's name in each of them; in a map, its key where nothing is said. Or a template that yields the field's
        /// path in a record, a list of several, or nothing where it is no field of a record; knows `field` and `key`.
        #[serde(default)]
        name: Option<String>,
        /// Path of the word for a field's type, or a template of it; knows `field` and `key`.
        #[serde(rename = "type", default)]
        kind: Option<String>,
        /// The kinds that these words mean, where they are not the usual ones (`many2one: any`).
        #[serde(default)]
        types: BTreeMap<String, String>,
        /// Path of a truth value that says whether a field is never written, or a template of it; knows `field` and `key`.
        #[serde(default)]
        read_only: Option<String>,
        /// Fields that records have and the description does not name.
        #[serde(default)]
        besides: Vec<String>,
    }
}
