//! From `connectors/` and `mappings/` to a catalog that can be used, with everything that is wrong.
//!
//! Only root causes are reported: what a broken connector holds is unknown rather than empty, so that mappings are still
//! checked for everything else, and what a form says is checked further only where no part that others refer to was set aside.

mod circle;
mod document;
mod file;
mod known;
mod merged;
mod system;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use serde_json::Value as Json;

pub use self::merged::{Merged, merged};
use self::{
    document::Definition,
    file::{File, Folder},
};
use super::{
    case::{
        self,
        mapping::coverage::{self, Coverage},
    },
    diagnostic::{self, Diagnostic},
    overlay,
};
use crate::core::{
    connector::{Connector, Object, form::ConnectorForm},
    mapping::{
        End, Mapping,
        form::{CaseForm, MappingForm},
    },
    problem::Problem,
    tenant::Tenant,
};

/// Where a catalog is read from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The folder of connector files.
    pub connectors_dir: &'a Path,
    /// The folder of mapping files and their cases.
    pub mappings_dir: &'a Path,
    /// The systems of the environment, by name; empty where none is given, and names of systems are then not checked.
    pub systems: &'a BTreeMap<String, SystemDecl>,
}

/// A system as the configuration declares it, without its secrets.
#[derive(Debug, Clone, Default)]
pub struct SystemDecl {
    /// Which kind of system it is.
    pub connector: String,
    /// Whose it is.
    pub tenant: Option<Tenant>,
    /// The settings given.
    pub settings: BTreeMap<String, Json>,
    /// The names of the credentials given.
    pub credentials: BTreeSet<String>,
    /// How many webhook secrets are given.
    pub webhook_secrets: usize,
    /// What declares it, for people: `config/dev.toml`.
    pub origin: String,
}

/// What was loaded, and everything that is wrong with it.
#[derive(Debug)]
pub struct Loaded {
    /// What can be used.
    pub catalog: Catalog,
    /// What is wrong, in the order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether nothing is wrong that keeps anything from being used.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Every connector and mapping that can be used.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Connectors by name.
    pub connectors: BTreeMap<String, Arc<Connector>>,
    /// Mappings by name.
    pub mappings: BTreeMap<String, Arc<Mapping>>,
    /// The connector's name of each system.
    pub systems: BTreeMap<String, String>,
    /// The files that were read and the BLAKE3 hash of each, as 32 hex digits: what a run was made with.
    pub files: BTreeMap<String, String>,
    /// What is laid over definitions: the overlay's file and the definition's.
    pub overlays: BTreeMap<String, String>,
    /// Definitions that something is laid over, as they are without it: what the cases beside them are about.
    plain: Plain,
    /// Mappings that are right, and between systems that this environment does not have.
    elsewhere: BTreeMap<String, Arc<Mapping>>,
    order: Vec<String>,
    cases: BTreeMap<String, CaseFile>,
    connector_cases: BTreeMap<String, CaseFile>,
}

/// Definitions without what is laid over them.
#[derive(Debug, Default)]
struct Plain {
    connectors: BTreeMap<String, Arc<Connector>>,
    mappings: BTreeMap<String, Arc<Mapping>>,
}

/// The cases beside a definition.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// The file, as it was named to the catalog.
    pub file: String,
    /// What it holds.
    pub bytes: Arc<[u8]>,
}

impl Catalog {
    /// Reads and checks everything.
    #[must_use]
    pub fn load(sources: &Sources<'_>) -> Loaded {
        let mut loader = Loader {
            sources: *sources,
            catalog: Self::default(),
            diagnostics: Vec::new(),
        };
        loader.run();
        let Loader {
            catalog,
            mut diagnostics,
            ..
        } = loader;
        diagnostic::sort(&mut diagnostics);
        Loaded { catalog, diagnostics }
    }

    /// The connector of a system.
    #[must_use]
    pub fn connector_of(&self, system: &str) -> Option<&Arc<Connector>> {
        self.connectors.get(self.systems.get(system)?)
    }

    /// The object at one end of a mapping.
    #[must_use]
    pub fn object(&self, end: &End) -> Option<&Object> {
        self.connector_of(&end.system)?.objects.get(&end.object)
    }

    /// The mappings, each after those whose links it needs.
    pub fn in_order(&self) -> impl Iterator<Item = &Arc<Mapping>> {
        self.order.iter().filter_map(|name| self.mappings.get(name))
    }

    /// The connector that cases are of. Those named like it show what it means by itself, all others (`name.overlay`,
    /// `name.recorded`) what it means with what is laid over it.
    #[must_use]
    pub fn connector_of_cases(&self, cases: &str) -> Option<&Arc<Connector>> {
        let name = definition_of(cases);
        let plain = self.plain.connectors.get(name).filter(|_| name == cases);
        plain.or_else(|| self.connectors.get(name))
    }

    /// The mapping that cases are of, as [`Catalog::connector_of_cases`].
    fn mapping_of_cases(&self, cases: &str) -> Option<&Arc<Mapping>> {
        let name = definition_of(cases);
        let whole = || self.mappings.get(name).or_else(|| self.elsewhere.get(name));
        let plain = self.plain.mappings.get(name).filter(|_| name == cases);
        plain.or_else(whole)
    }

    /// The cases of each mapping that has any, by its name.
    #[must_use]
    pub const fn cases(&self) -> &BTreeMap<String, CaseFile> {
        &self.cases
    }

    /// The cases of each connector that has any, by its name.
    #[must_use]
    pub const fn connector_cases(&self) -> &BTreeMap<String, CaseFile> {
        &self.connector_cases
    }

    /// Runs the cases of every mapping, or of one, against the planner; those of mappings between systems of other
    /// environments too. A mapping that is wrong has no cases to run: [`Loaded::diagnostics`] says what is wrong.
    #[must_use]
    pub fn run_cases(&self, only: Option<&str>) -> Vec<(String, case::Report)> {
        let chosen = self
            .cases
            .iter()
            .filter(|(name, _)| only.is_none_or(|only| only == definition_of(name)));
        chosen
            .filter_map(|(name, cases)| {
                let mapping = self.mapping_of_cases(name)?;
                Some((name.clone(), case::mapping::run(&cases.file, &cases.bytes, mapping)))
            })
            .collect()
    }
}

impl Catalog {
    /// How much of a mapping its cases touch; none where it cannot be used. Those of other environments count too.
    #[must_use]
    pub fn coverage(&self, name: &str) -> Option<Coverage> {
        let mapping = self.mappings.get(name).or_else(|| self.elsewhere.get(name))?;
        let files = self.cases.iter().filter(|(cases, _)| definition_of(cases) == name);
        Some(coverage::of(mapping, files.map(|(_, file)| &*file.bytes)))
    }

    /// Every mapping that can be used, here or in another environment.
    pub fn mapping_names(&self) -> impl Iterator<Item = &str> {
        self.mappings.keys().chain(self.elsewhere.keys()).map(String::as_str)
    }
}

struct Loader<'a> {
    sources: Sources<'a>,
    catalog: Catalog,
    diagnostics: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn run(&mut self) {
        let (mut connectors, connector_cases) = self.definitions::<ConnectorForm>(self.sources.connectors_dir);
        let (mappings, cases) = self.definitions::<MappingForm>(self.sources.mappings_dir);
        for (name, connector) in &mut connectors.whole {
            if let Some(compiled) = connector.compile(Connector::compile) {
                self.catalog.connectors.insert(name.clone(), Arc::new(compiled));
            }
        }
        for (name, connector) in &mut connectors.plain {
            let compiled = connector.compile(Connector::compile);
            let compiled = compiled.map(|compiled| (name.clone(), Arc::new(compiled)));
            self.catalog.plain.connectors.extend(compiled);
        }
        let connectors = connectors.whole;
        let (mut mappings, mut plain) = (mappings.whole, mappings.plain);
        for (name, system) in self.sources.systems {
            self.diagnostics.extend(system::check(name, system, &connectors));
            self.catalog.systems.insert(name.clone(), system.connector.clone());
        }
        let known = known::gather(self.sources.systems, &self.catalog.connectors, &mappings);
        for (name, mapping) in &mut mappings {
            let of_elsewhere = known.of_elsewhere(name);
            let known_here = if of_elsewhere.is_some() {
                &known.elsewhere
            } else {
                &known.known
            };
            let compiled = mapping.compile(|form, problems| Mapping::compile(form, known_here, problems));
            if let Some(plain) = plain.get_mut(name) {
                let compiled = plain.compile(|form, problems| Mapping::compile(form, known_here, problems));
                let compiled = compiled.map(|compiled| (name.clone(), Arc::new(compiled)));
                self.catalog.plain.mappings.extend(compiled);
            }
            mapping.forget_links_to(&known.unreadable);
            let is_of_elsewhere = of_elsewhere.is_some();
            if let Some(problem) = of_elsewhere {
                mapping.add(problem);
            }
            let Some(compiled) = compiled else { continue };
            let place = if is_of_elsewhere {
                &mut self.catalog.elsewhere
            } else {
                &mut self.catalog.mappings
            };
            place.insert(name.clone(), Arc::new(compiled));
        }
        self.catalog.order = circle::check(&mut mappings);
        self.catalog.cases = self.cases(cases, &mappings, "mapping", |file| {
            Definition::<Vec<CaseForm>>::read(file, None).into_diagnostics()
        });
        // How those of connectors are written is looked at by who plays them: they are long, and a daemon that starts has no use
        // for them.
        self.catalog.connector_cases = self.cases(connector_cases, &connectors, "connector", |_| Vec::new());
        self.diagnostics
            .extend(connectors.into_values().flat_map(Definition::into_diagnostics));
        self.diagnostics
            .extend(mappings.into_values().flat_map(Definition::into_diagnostics));
    }

    /// The definitions of a folder, and the cases beside them.
    fn definitions<T: document::Form>(&mut self, folder: &Path) -> (Definitions<T>, Vec<File>) {
        let files = self.read(folder);
        let (cases, files): (Vec<File>, Vec<File>) = files.into_iter().partition(|file| case_of(file).is_some());
        let (overlays, files): (Vec<File>, Vec<File>) =
            files.into_iter().partition(|file| overlay::of(&file.name).is_some());
        let mut found = Definitions {
            whole: BTreeMap::new(),
            plain: BTreeMap::new(),
        };
        for file in &files {
            let over = overlays
                .iter()
                .find(|over| overlay::of(&over.name) == Some(file.name.as_str()));
            found.whole.insert(file.name.clone(), Definition::read(file, over));
            if let Some(over) = over {
                found.plain.insert(file.name.clone(), Definition::read(file, None));
                self.catalog.overlays.insert(over.path.clone(), file.path.clone());
            }
        }
        let alone = overlays
            .iter()
            .filter(|over| !self.catalog.overlays.contains_key(&over.path));
        let told = alone.map(|over| {
            let name = overlay::of(&over.name).unwrap_or_default();
            let what = T::KIND.map_or("definition", overlay::Kind::word);
            let message = format!("there is no {what} `{name}` that this could be laid over");
            let hint = format!("an overlay stands beside its {what}: {name}.yaml");
            Diagnostic::of_file(&over.path, Problem::error("CT011", "", message).with_hint(hint))
        });
        self.diagnostics.extend(told.collect::<Vec<_>>());
        (found, cases)
    }

    fn read(&mut self, folder: &Path) -> Vec<File> {
        let Folder { files, diagnostics } = file::read(folder);
        self.diagnostics.extend(diagnostics);
        for file in &files {
            let hash: String = blake3::hash(&file.bytes).to_hex().chars().take(32).collect();
            self.catalog.files.insert(file.path.clone(), hash);
        }
        files
    }

    /// Keeps the cases of definitions; `check` says what is wrong with how a file is written.
    fn cases<T>(
        &mut self,
        files: Vec<File>,
        definitions: &BTreeMap<String, Definition<T>>,
        what: &str,
        check: impl Fn(&File) -> Vec<Diagnostic>,
    ) -> BTreeMap<String, CaseFile> {
        let mut kept = BTreeMap::new();
        for file in files {
            let Some(name) = case_of(&file).map(str::to_owned) else {
                continue;
            };
            let definition = definition_of(&name);
            if !definitions.contains_key(definition) {
                let message = format!("there is no {what} `{definition}` that these cases could be of");
                let hint = format!("the cases of a {what} stand beside it: {definition}.yaml");
                let problem = Problem::error("CT008", "", message).with_hint(hint);
                self.diagnostics.push(Diagnostic::of_file(&file.path, problem));
                continue;
            }
            self.diagnostics.extend(check(&file));
            let cases = CaseFile {
                file: file.path,
                bytes: file.bytes.into(),
            };
            kept.insert(name, cases);
        }
        kept
    }
}

/// The definitions of a folder, by name.
struct Definitions<T> {
    /// With what is laid over them.
    whole: BTreeMap<String, Definition<T>>,
    /// Those that something is laid over, without it.
    plain: BTreeMap<String, Definition<T>>,
}

/// The definition that cases are of, by the name of the cases: `name`, or `name.word` where they stand in several files.
#[must_use]
pub fn definition_of(cases: &str) -> &str {
    cases.split('.').next().unwrap_or(cases)
}

/// The definition that a file has cases of.
fn case_of(file: &File) -> Option<&str> {
    file.name.strip_suffix(".test")
}

#[cfg(test)]
mod tests;
