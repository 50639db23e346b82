//! Databases as systems: which table stands behind an object, and the statements that read and write it.
//!
//! Names come from the connector's file alone and are quoted; values are always bound. A statement says for every value
//! which column it is for, so that the client can bind it as that column's type.

mod statement;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::statement::{Bound, Casts, PageAsked, Statement, Writer};
use crate::core::value::kind::Kind;

/// Which database a system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// A file of SQLite.
    Sqlite,
}

impl Engine {
    /// Its name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }

    /// A name as it stands in a statement.
    #[must_use]
    pub fn quoted(self, name: &str) -> String {
        match self {
            Self::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
            // SQLite takes double quotes around a name that it does not know for a text.
            Self::Mysql | Self::Sqlite => format!("`{}`", name.replace('`', "``")),
        }
    }
}

/// The database behind a kind of system.
#[derive(Debug)]
pub struct Database {
    /// Which one it is.
    pub engine: Engine,
    /// The table, view or query behind each object.
    pub tables: BTreeMap<String, Table>,
}

/// What stands behind one object.
#[derive(Debug, Clone)]
pub struct Table {
    /// The object's name.
    pub object: String,
    /// Where its rows are.
    pub source: Source,
    /// Who answers for it.
    pub owner: String,
    /// The columns of its key.
    pub id: Vec<String>,
    /// The column with the time of the last change.
    pub updated_at: Option<String>,
    /// The column with a row's version.
    pub version: Option<String>,
    /// Every column that is read, those of the key first.
    pub columns: Vec<Column>,
    /// The columns that are searched by.
    pub searched: Vec<String>,
    /// The channel on which triggers tell the key of every row that changes.
    pub notify: Option<String>,
    /// Whether rows may be written.
    pub is_writable: bool,
}

/// A column that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds, as the connector says.
    pub kind: Kind,
}

/// Where rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a table, by the parts of its name.
    Table(Vec<String>),
    /// In a view, by the parts of its name.
    View(Vec<String>),
    /// In what this query yields.
    Query(String),
}

impl Source {
    /// The name of the table or view, as it stands in a statement.
    #[must_use]
    pub fn quoted(&self, engine: Engine) -> Option<String> {
        match self {
            Self::Table(parts) | Self::View(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| engine.quoted(part)).collect();
                Some(parts.join("."))
            }
            Self::Query(_) => None,
        }
    }

    /// What it is called in messages.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Table(parts) => format!("table `{}`", parts.join(".")),
            Self::View(parts) => format!("view `{}`", parts.join(".")),
            Self::Query(_) => "the query".to_owned(),
        }
    }
}

impl Table {
    /// The kind of a column, where the connector says it.
    #[must_use]
    pub fn kind(&self, column: &str) -> Kind {
        let found = self.columns.iter().find(|known| known.name == column);
        found.map_or(Kind::Any, |column| column.kind)
    }

    /// The order in which pages follow one another: by the key, or by the time of change and then the key.
    #[must_use]
    pub fn order(&self, is_changed: bool) -> Vec<&str> {
        let cursor = self.updated_at.as_deref().filter(|_| is_changed);
        let key = self.id.iter().map(String::as_str).filter(|id| Some(*id) != cursor);
        cursor.into_iter().chain(key).collect()
    }

    /// The statement that makes the index which reading by time of change needs; none where there is no such column.
    #[must_use]
    pub fn cursor_index(&self, engine: Engine) -> Option<String> {
        self.updated_at.as_ref()?;
        self.index_on(engine, &self.order(true), false)
    }

    /// The statement that makes an index on these columns; none for what cannot have one.
    #[must_use]
    pub fn index_on(&self, engine: Engine, columns: &[&str], is_unique: bool) -> Option<String> {
        let Source::Table(parts) = &self.source else {
            return None;
        };
        let name = parts.last()?;
        let quoted: Vec<String> = columns.iter().map(|column| engine.quoted(column)).collect();
        let index = engine.quoted(&format!("{name}_{}_idx", columns.join("_")));
        let unique = if is_unique { "unique " } else { "" };
        Some(format!(
            "create {unique}index {index} on {} ({})",
            self.source.quoted(engine)?,
            quoted.join(", ")
        ))
    }
}
