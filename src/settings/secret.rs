//! Secrets: where they are (a [`Reference`], which settings hold) and what they are (a [`SecretString`], which is read
//! when it is needed and never printed).

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use zeroize::Zeroizing;

use super::form::moment;

/// Where a secret is.
#[derive(Clone)]
pub enum Reference {
    /// Here, in clear text.
    Text(SecretString),
    /// In this variable.
    Env(String),
    /// In this file.
    File(PathBuf),
    /// In this systemd credential.
    Credential(String),
}

/// What a webhook is signed with, and until when.
#[derive(Debug, Clone)]
pub struct WebhookSecret {
    /// The secret.
    pub secret: Reference,
    /// When it stops being accepted.
    pub not_after: Option<DateTime<Utc>>,
}

/// Why a secret could not be read. Says where it was looked for, never what was found.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The variable is not set.
    #[error("the variable {0} is not set")]
    VariableMissing(String),
    /// The variable, file or credential holds nothing.
    #[error("{0} is empty")]
    Empty(String),
    /// systemd gave this process no credentials.
    #[error(
        "the variable CREDENTIALS_DIRECTORY is not set, so there is no credential `{0}` (systemd sets it for the unit; in a terminal it names the folder with the secrets)"
    )]
    NoCredentials(String),
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than any secret.
    #[error("{0} is larger than {SECRET_BYTES_MAX} bytes")]
    TooLarge(String),
    /// The file holds something else than text.
    #[error("{0} is not text in UTF-8")]
    NotText(String),
}

/// Larger files are no secrets.
const SECRET_BYTES_MAX: u64 = 65_536;

/// The variables of this process, read once. Tests bring their own.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Those this process was started with; names and values that are not text are left out.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable, where it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All variables whose name starts with `prefix`.
    pub(super) fn starting_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .range(prefix.to_owned()..)
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Variables({})", self.0.len())
    }
}

impl Reference {
    /// Reads the secret.
    pub fn read(&self, variables: &Variables) -> Result<SecretString, ReadError> {
        match self {
            Self::Text(secret) => Ok(secret.clone()),
            Self::Env(name) => match variables.get(name) {
                None => Err(ReadError::VariableMissing(name.clone())),
                Some("") => Err(ReadError::Empty(format!("the variable {name}"))),
                Some(value) => Ok(value.into()),
            },
            Self::File(path) => read_file(path),
            Self::Credential(name) => read_file(&credential_path(name, variables)?),
        }
    }

    /// The file that holds the secret, where it is one.
    #[must_use]
    pub fn path(&self, variables: &Variables) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Credential(name) => credential_path(name, variables).ok(),
            Self::Text(_) | Self::Env(_) => None,
        }
    }

    /// Whether the secret stands in the settings themselves.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// A reference shows where the secret is; a text is masked.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("***"),
            Self::Env(name) => write!(f, "{{ env = \"{name}\" }}"),
            Self::File(path) => write!(f, "{{ file = \"{}\" }}", path.display()),
            Self::Credential(name) => write!(f, "{{ credential = \"{name}\" }}"),
        }
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether people who are neither owner nor in the group may read the file; false where the system cannot tell.
pub(super) fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o007 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

fn credential_path(name: &str, variables: &Variables) -> Result<PathBuf, ReadError> {
    variables
        .get("CREDENTIALS_DIRECTORY")
        .map(|folder| Path::new(folder).join(name))
        .ok_or_else(|| ReadError::NoCredentials(name.to_owned()))
}

fn read_file(path: &Path) -> Result<SecretString, ReadError> {
    let shown = || path.display().to_string();
    let fail = |source| ReadError::File { path: shown(), source };
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(fail)?;
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err(ReadError::TooLarge(shown()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| ReadError::NotText(shown()))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(ReadError::Empty(shown()));
    }
    Ok(text.into())
}

const REFERENCE: &str =
    "a reference such as `{ env = \"NAME\" }`, `{ file = \"path\" }` or `{ credential = \"name\" }`";

/// What stands between the braces of a reference.
#[derive(Default)]
struct Parts {
    found: Vec<Reference>,
    not_after: Option<DateTime<Utc>>,
}

impl Parts {
    fn read<'de, A: MapAccess<'de>>(mut map: A, allowed: &'static [&'static str]) -> Result<Self, A::Error> {
        let mut parts = Self::default();
        while let Some(key) = map.next_key::<String>()? {
            if !allowed.contains(&key.as_str()) {
                return Err(A::Error::unknown_field(&key, allowed));
            }
            let value: String = map.next_value()?;
            match key.as_str() {
                "env" => parts.found.push(Reference::Env(value)),
                "file" => parts.found.push(Reference::File(value.into())),
                "credential" if is_plain_name(&value) => parts.found.push(Reference::Credential(value)),
                "credential" => {
                    return Err(A::Error::custom(format!(
                        "`{value}` is no name of a systemd credential"
                    )));
                }
                _ => parts.not_after = Some(moment(&value)?),
            }
        }
        Ok(parts)
    }

    fn reference<E: serde::de::Error>(&mut self) -> Result<Reference, E> {
        match (self.found.pop(), self.found.is_empty()) {
            (Some(reference), true) => Ok(reference),
            _ => Err(E::custom(
                "exactly one of `env`, `file` and `credential` says where the secret is",
            )),
        }
    }
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrParts;
        impl<'de> Visitor<'de> for TextOrParts {
            type Value = Reference;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(REFERENCE)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Reference, E> {
                Ok(Reference::Text(text.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Reference, A::Error> {
                Parts::read(map, &["env", "file", "credential"])?.reference()
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }
}

impl<'de> Deserialize<'de> for WebhookSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrParts;
        impl<'de> Visitor<'de> for TextOrParts {
            type Value = WebhookSecret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(REFERENCE)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<WebhookSecret, E> {
                Ok(WebhookSecret {
                    secret: Reference::Text(text.into()),
                    not_after: None,
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WebhookSecret, A::Error> {
                let mut parts = Parts::read(map, &["env", "file", "credential", "not_after"])?;
                Ok(WebhookSecret {
                    secret: parts.reference()?,
                    not_after: parts.not_after,
                })
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }
}

fn reference_schema(more: &[(&str, &str)]) -> Schema {
    let mut properties = serde_json::Map::new();
    let places = [
        ("env", "The variable that holds the secret."),
        ("file", "The file that holds the secret."),
        ("credential", "The systemd credential that holds the secret."),
    ];
    for (name, description) in places.iter().chain(more) {
        let property = serde_json::json!({ "description": description, "type": "string" });
        properties.insert((*name).to_owned(), property);
    }
    json_schema!({
        "description": REFERENCE,
        "oneOf": [
            { "type": "string" },
            {
                "type": "object",
                "properties": properties,
                "additionalProperties": false,
                "oneOf": [{ "required": ["env"] }, { "required": ["file"] }, { "required": ["credential"] }],
            },
        ],
    })
}

impl JsonSchema for Reference {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Reference".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        reference_schema(&[])
    }
}

impl JsonSchema for WebhookSecret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WebhookSecret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        reference_schema(&[("not_after", "When the secret stops being accepted (RFC 3339).")])
    }
}
