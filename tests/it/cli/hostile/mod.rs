//! Definitions and expressions that somebody wrote to do harm.

mod bomb;
mod expression;
mod path;

use std::{collections::BTreeMap, fs, path::Path};

use syncline::catalog::{
    diagnostic::{self, Style},
    load::{Catalog, Loaded, Sources, SystemDecl},
};
use tempfile::TempDir;

/// A project of three files that are right.
const FILES: [(&str, &str); 3] = [
    (
        "connectors/shop.yaml",
        "connector: shop\nbase_url: https://shop.example\nobjects:\n  customer:\n    id: id\n    list: { get: /customers }\n    \
         get: { get: \"/customers/{{ id }}\" }\n    update: { patch: \"/customers/{{ id }}\", body: \"{{ changes }}\" }\n",
    ),
    (
        "connectors/desk.yaml",
        "connector: desk\nbase_url: https://desk.example\nobjects:\n  account:\n    id: id\n    list: { get: /accounts }\n    \
         get: { get: \"/accounts/{{ id }}\" }\n    \
         find: { get: /accounts, query: { email: \"{{ value }}\" }, fields: [email] }\n    \
         create: { post: /accounts, body: \"{{ record }}\" }\n    \
         update: { patch: \"/accounts/{{ id }}\", body: \"{{ changes }}\" }\n",
    ),
    (
        "mappings/customer.yaml",
        "mapping: customer\nbetween: { erp: customer, crm: account }\nmatch: [ { erp: email, crm: email } ]\n\
         fields: [ { erp: name, crm: name } ]\nprefer: erp\n",
    ),
];
/// Stands in what may not be read.
const CANARY: &str = "canary-from-outside";

/// A project with files laid into it, and one beside it that is none of its own.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        for (name, text) in FILES {
            project.write(&format!("project/{name}"), text.as_bytes());
        }
        let outside = format!(
            "connector: outside\ntitle: {CANARY}\nbase_url: https://{CANARY}.example\nobjects: {{ account: {{ id: id, list: {{ get: /accounts }} }} }}\n"
        );
        project.write("outside/secret.yaml", outside.as_bytes());
        project
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn load(&self) -> Loaded {
        let system = |connector: &str| SystemDecl {
            connector: connector.to_owned(),
            ..SystemDecl::default()
        };
        let systems = BTreeMap::from([("erp".to_owned(), system("shop")), ("crm".to_owned(), system("desk"))]);
        Catalog::load(&Sources {
            connectors_dir: &self.path("project/connectors"),
            mappings_dir: &self.path("project/mappings"),
            systems: &systems,
        })
    }

    /// Loads the project, which has to be refused with a reason that names a file of it, and shows nothing from outside.
    fn refused(&self, about: &str) -> String {
        let loaded = self.load();
        assert!(!loaded.is_ok(), "{about} is taken");
        let told = diagnostic::render(&loaded.diagnostics, Style::Plain);
        assert!(told.len() < 100_000, "{about} is told in {} bytes", told.len());
        assert!(told.contains("error["), "{about}: {told}");
        let all = format!("{told} {:?} {:?}", loaded.catalog.connectors, loaded.catalog.mappings);
        assert!(!all.contains(CANARY), "{about}: {all}");
        assert!(!loaded.catalog.connectors.contains_key("outside"), "{about}");
        told
    }
}

/// What is right is taken: a project that is always refused would prove nothing.
#[test]
fn a_project_without_anything_hostile_is_taken_and_what_lies_outside_could_be_read() {
    let project = Project::new();
    let loaded = project.load();
    assert!(
        loaded.is_ok(),
        "{}",
        diagnostic::render(&loaded.diagnostics, Style::Plain)
    );
    let outside = fs::read(project.path("outside/secret.yaml")).unwrap();
    project.write("project/connectors/outside.yaml", &outside);
    let loaded = project.load();
    assert!(
        loaded.is_ok(),
        "{}",
        diagnostic::render(&loaded.diagnostics, Style::Plain)
    );
    assert!(loaded.catalog.connectors.contains_key("outside"));
    assert!(Path::new("/dev/zero").exists());
}
