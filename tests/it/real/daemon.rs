//! What the daemon between the two real systems is given.

use crate::support::place::{Place, text_of};

/// The files of the repository that keep the two systems in step.
const FILES: [&str; 3] = [
    "connectors/tryton.yaml",
    "connectors/cap-odata.yaml",
    "mappings/tryton-party--odata-customer.yaml",
];
/// The mapping's name.
pub const MAPPING: &str = "tryton-party--odata-customer";

/// A folder for a daemon between systems at these addresses. Both are asked every second what changed.
pub fn place(erp: &str, crm: &str) -> Place {
    let (slow, fast) = ("poll: { tryton: 60s, odata: 60s }", "poll: { tryton: 1s, odata: 1s }");
    let file = |file: &&'static str| {
        let text = text_of(file);
        assert!(!file.starts_with("mappings") || text.contains(slow));
        (*file, text.replace(slow, fast))
    };
    let files: Vec<_> = FILES.iter().map(file).collect();
    let systems = format!(
        r#"
        [systems.tryton]
        connector = "tryton"
        settings = {{ base_url = "{erp}", database = "erp" }}
        credentials = {{ user = "syncline", password = "erp-secret" }}
        allow_networks = ["127.0.0.0/8"]
        [systems.odata]
        connector = "cap-odata"
        settings = {{ base_url = "{crm}" }}
        credentials = {{ user = "syncline", password = "crm-secret" }}
        allow_networks = ["127.0.0.0/8"]
        "#
    );
    Place::lay_out(&files, &systems)
}
