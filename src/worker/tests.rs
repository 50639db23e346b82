//! What the tests of several rooms here stand on.

use std::path::Path;

use crate::catalog::load::{Catalog, Sources, SystemDecl};

/// The shipped files, with both sandbox systems declared at an address where nobody is.
pub(super) fn shipped() -> Catalog {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let declare = |name: &str| {
        let declared = SystemDecl {
            connector: format!("sandbox-{name}"),
            settings: [("base_url".to_owned(), "http://127.0.0.1:1".into())].into(),
            credentials: ["api_key", "client_id", "client_secret"].map(str::to_owned).into(),
            webhook_secrets: 1,
            origin: "the test".to_owned(),
            ..SystemDecl::default()
        };
        (name.to_owned(), declared)
    };
    let loaded = Catalog::load(&Sources {
        connectors_dir: &root.join("connectors"),
        mappings_dir: &root.join("mappings"),
        systems: &["erp", "crm"].map(declare).into(),
    });
    loaded.catalog
}
