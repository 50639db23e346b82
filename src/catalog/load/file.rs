//! The files of a folder, as bytes.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    catalog::{diagnostic::Diagnostic, yaml},
    core::problem::Problem,
};

/// How many definitions a folder may hold.
const FILES_MAX: usize = 1_000;
/// How many entries of a folder are looked at.
const ENTRIES_MAX: usize = 10_000;

/// A file that was read.
#[derive(Debug)]
pub(super) struct File {
    /// The file as people know it.
    pub(super) path: String,
    /// Its name without `.yaml`.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The files of a folder, in the order of their names, and what is wrong with them as files.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) files: Vec<File>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Reads every `*.yaml` of `folder`.
pub(super) fn read(folder: &Path) -> Folder {
    let mut found = Folder::default();
    let shown = folder.display().to_string();
    let listed = fs::canonicalize(folder).and_then(|real| Ok((list(folder)?, real)));
    let (mut paths, real) = match listed {
        Ok(listed) => listed,
        Err(error) => {
            let problem = Problem::error("CT001", "", format!("the folder cannot be read: {error}"))
                .with_hint("`[folders]` in the configuration says where connectors and mappings are");
            found.diagnostics.push(Diagnostic::of_file(shown, problem));
            return found;
        }
    };
    paths.sort();
    for path in paths {
        if found.files.len() == FILES_MAX {
            let problem = Problem::error("CT002", "", format!("the folder has more than {FILES_MAX} definitions"));
            found.diagnostics.push(Diagnostic::of_file(shown, problem));
            break;
        }
        match one(&path, &real) {
            Ok(Some(file)) => found.files.push(file),
            Ok(None) => {}
            Err(problem) => found
                .diagnostics
                .push(Diagnostic::of_file(path.display().to_string(), *problem)),
        }
    }
    found
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.take(ENTRIES_MAX);
    entries.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// A definition; `None` where the file is none.
fn one(path: &Path, folder: &Path) -> Result<Option<File>, Box<Problem>> {
    let end = path.extension().and_then(|end| end.to_str());
    if end == Some("yml") {
        let problem = Problem::warning("CT003", "", "the file is not read");
        return Err(Box::new(problem.with_hint("name it `.yaml`")));
    }
    let name = path.file_stem().and_then(|name| name.to_str());
    let (Some("yaml"), Some(name)) = (end, name) else {
        return Ok(None);
    };
    if name.starts_with('.') {
        return Ok(None);
    }
    let unreadable = |error: io::Error| {
        let problem = Problem::error("CT005", "", format!("the file cannot be read: {error}"));
        Box::new(problem.with_hint("look at its owner and rights"))
    };
    let real = fs::canonicalize(path).map_err(unreadable)?;
    if !real.starts_with(folder) {
        let problem = Problem::error("CT004", "", "the file is a link out of its folder");
        return Err(Box::new(problem.with_hint("put the file itself here")));
    }
    if !real.is_file() {
        return Err(Box::new(Problem::error("CT005", "", "this is no file")));
    }
    let mut bytes = Vec::new();
    // One byte more than is allowed tells that it is too large.
    let limit = u64::try_from(yaml::BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let file = fs::File::open(&real).map_err(unreadable)?;
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Some(File {
        path: path.display().to_string(),
        name: name.to_owned(),
        bytes,
    }))
}
