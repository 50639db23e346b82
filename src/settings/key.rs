//! The data key: made once, kept outside the store, shared by all nodes.

use std::{fs::OpenOptions, io::Write, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{ReadError, Reference, Settings};

/// How long the data key is.
pub const KEY_BYTES: usize = 32;

/// Why there is no data key.
#[derive(Debug, thiserror::Error)]
pub enum DataKeyError {
    /// It cannot be read.
    #[error("the data key (`keys.data`) cannot be read")]
    Read(#[source] ReadError),
    /// It is no key.
    #[error("the data key (`keys.data`) is not {KEY_BYTES} bytes in base64 or hex")]
    Malformed,
    /// It could not be made.
    #[error("a new data key cannot be written to {path}")]
    Write {
        /// The file it was to be in.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Settings {
    /// The data key. In the environment `dev`, a key whose file is missing is made.
    pub fn data_key(&self) -> Result<Zeroizing<[u8; KEY_BYTES]>, DataKeyError> {
        if let Reference::File(path) = &self.keys.data
            && self.is_dev()
            && !path.exists()
        {
            write_new(path).map_err(|source| DataKeyError::Write {
                path: path.display().to_string(),
                source,
            })?;
        }
        let text = self.keys.data.read(&self.variables).map_err(DataKeyError::Read)?;
        parse(&text).ok_or(DataKeyError::Malformed)
    }
}

/// A new data key, in base64.
#[must_use]
pub fn new_data_key() -> SecretString {
    let bytes = Zeroizing::new(rand::random::<[u8; KEY_BYTES]>());
    BASE64_STANDARD.encode(*bytes).into()
}

fn parse(text: &SecretString) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let text = text.expose_secret().trim();
    let bytes = match hex::decode(text) {
        Ok(bytes) => bytes,
        Err(_) => BASE64_STANDARD.decode(text).ok()?,
    };
    let bytes = Zeroizing::new(bytes);
    <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)
}

/// Writes a new key where none is, readable by its owner alone. Another process may be quicker; its key stands then.
fn write_new(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    // Complete before it has its name, so that nobody reads half a key.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let mut options = OpenOptions::new();
    options.write(true);
    let mut handle = options.open(file.path())?;
    writeln!(handle, "{}", new_data_key().expose_secret())?;
    handle.sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}
