//! The data key: 32 bytes, given or kept in a file, from which the store's two keys are derived.

use std::{
    fmt, fs,
    io::{ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// The keys of one database. Nothing prints them.
#[derive(Clone)]
pub struct Keys {
    fingerprint: Zeroizing<[u8; 32]>,
    sealing: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Derives both keys from a data key, so that one never tells about the other.
    #[must_use]
    pub fn derive(data_key: &[u8; 32]) -> Self {
        Self {
            fingerprint: Zeroizing::new(blake3::derive_key("syncline 2026 fingerprint of values", data_key)),
            sealing: Zeroizing::new(blake3::derive_key("syncline 2026 sealing of columns", data_key)),
        }
    }

    /// For fingerprints of values: keyed, so that short values cannot be guessed from the database.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// For sealing columns.
    pub(super) fn sealing(&self) -> &[u8; 32] {
        &self.sealing
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Why there is no data key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no key.
    #[error("[ST020] the data key is not 32 bytes in hex or base64: make one with `openssl rand -hex 32`")]
    Form,
    /// The key file is no key.
    #[error("[ST021] `{}` does not hold a data key of 32 bytes in hex or base64: restore it from a backup", path.display())]
    FileForm {
        /// The key file.
        path: PathBuf,
    },
    /// Others may read the key file.
    #[error("[ST022] `{}` can be read by others: run `chmod 600` on it", path.display())]
    Readable {
        /// The key file.
        path: PathBuf,
    },
    /// The key file cannot be read or written.
    #[error("[ST023] the key file `{}` cannot be used: check its folder and its owner", path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// The key file that belongs to a SQLite database when none is configured; none for other databases.
#[must_use]
pub fn default_path(url: &str) -> Option<PathBuf> {
    super::connect::sqlite_path(url).map(|path| path.with_extension("key"))
}

/// Reads a key given as text: 64 hex digits, or base64 of 32 bytes.
pub fn from_text(text: &SecretString) -> Result<Keys, Error> {
    parse(text.expose_secret()).ok_or(Error::Form)
}

/// Reads the key file, or makes a new key and its file (mode 0600) where there is none.
pub fn load_or_create(path: &Path) -> Result<Keys, Error> {
    match fs::File::open(path) {
        Ok(file) => load(path, file),
        Err(error) if error.kind() == ErrorKind::NotFound => create(path),
        Err(source) => Err(file_error(path, source)),
    }
}

fn load(path: &Path, file: fs::File) -> Result<Keys, Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file
            .metadata()
            .map_err(|source| file_error(path, source))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(Error::Readable { path: path.into() });
        }
    }
    let mut text = Zeroizing::new(String::new());
    file.take(256)
        .read_to_string(&mut text)
        .map_err(|source| file_error(path, source))?;
    parse(&text).ok_or_else(|| Error::FileForm { path: path.into() })
}

fn create(path: &Path) -> Result<Keys, Error> {
    let key = Zeroizing::new(rand::random::<[u8; 32]>());
    let text = Zeroizing::new(hex::encode(*key));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|source| file_error(path, source))?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = match options.open(path) {
        Ok(file) => file,
        // Another process was quicker: its key counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return load_or_create(path),
        Err(source) => return Err(file_error(path, source)),
    };
    writeln!(file, "{}", text.as_str())
        .and_then(|()| file.sync_all())
        .map_err(|source| file_error(path, source))?;
    Ok(Keys::derive(&key))
}

fn parse(text: &str) -> Option<Keys> {
    let text = text.trim();
    let bytes = Zeroizing::new(
        hex::decode(text)
            .ok()
            .or_else(|| base64::engine::general_purpose::STANDARD.decode(text).ok())?,
    );
    let key = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?);
    Some(Keys::derive(&key))
}

fn file_error(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_key_is_found_again_and_only_ours_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/data.key");
        let first = load_or_create(&path).unwrap();
        let second = load_or_create(&path).unwrap();
        assert_eq!(first.fingerprint(), second.fingerprint());
        assert_ne!(first.fingerprint(), first.sealing());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.key");
        load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(load_or_create(&path), Err(Error::Readable { .. })));
    }

    #[test]
    fn hex_and_base64_spell_the_same_key() {
        let hex = from_text(&SecretString::from("00".repeat(32))).unwrap();
        let base64 = from_text(&SecretString::from(format!("{}=", "A".repeat(43)))).unwrap();
        assert_eq!(hex.fingerprint(), base64.fingerprint());
        assert!(matches!(from_text(&SecretString::from("short")), Err(Error::Form)));
    }

    #[test]
    fn nothing_prints_the_keys() {
        assert_eq!(format!("{:?}", Keys::derive(&[7; 32])), "Keys(..)");
    }
}
