//! One definition as it is used: the file, with what is laid over it.

use std::path::Path;

use super::{
    document::{Definition, Form},
    file,
};
use crate::{
    catalog::{
        diagnostic::{self, Diagnostic},
        overlay::{self, Kind},
        yaml::Tree,
    },
    core::{connector::form::ConnectorForm, mapping::form::MappingForm},
};

/// A definition and where it comes from.
#[derive(Debug)]
pub struct Merged {
    /// The file.
    pub file: String,
    /// What is laid over it.
    pub overlay: Option<String>,
    /// Both in one; none where the file cannot be read.
    pub tree: Option<Tree>,
    /// What is wrong with the form of both.
    pub diagnostics: Vec<Diagnostic>,
}

/// The definition of this name in `folder`; none where there is no such file. What it means is not looked at.
#[must_use]
pub fn merged(folder: &Path, name: &str, kind: Kind) -> Option<Merged> {
    match kind {
        Kind::Connector => read::<ConnectorForm>(folder, name),
        Kind::Mapping => read::<MappingForm>(folder, name),
    }
}

fn read<T: Form>(folder: &Path, name: &str) -> Option<Merged> {
    let files = file::read(folder).files;
    let own = files.iter().find(|file| file.name == name)?;
    let over = files.iter().find(|file| overlay::of(&file.name) == Some(name));
    let (tree, mut diagnostics) = Definition::<T>::read(own, over).into_parts();
    diagnostic::sort(&mut diagnostics);
    Some(Merged {
        file: own.path.clone(),
        overlay: over.map(|over| over.path.clone()),
        tree,
        diagnostics,
    })
}
