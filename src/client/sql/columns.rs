//! The columns of what stands behind an object, whether the connector reads them or not.

use super::{Sql, trouble::Trouble};
use crate::{
    core::{
        connector::{
            database::{Engine, Source},
            discover::Described,
        },
        path::Path,
    },
    database::Role,
};

impl Sql {
    /// The columns behind an object, each with its kind; `None` where there is no such object. The error is for people.
    pub(in crate::client) async fn describe(&self, object: &str) -> Result<Option<Vec<Described>>, String> {
        let Some(table) = self.tables.get(object) else {
            return Ok(None);
        };
        let engine = self.engine();
        let source = match &table.source {
            // A comment at the end of the query ends with its line.
            Source::Query(query) => format!("(\n{query}\n) as syncline_source"),
            named => named.quoted(engine).unwrap_or_default(),
        };
        let told = |trouble: Trouble| match trouble {
            Trouble::Said(said) => said.message,
            Trouble::Silent(error) => error.to_string(),
        };
        let mut connection = self.take(Role::Read).await.map_err(told)?;
        let columns = connection.columns(&format!("select * from {source} where 1 = 0")).await;
        let columns = columns.map_err(|error| error.to_string())?;
        self.put(Role::Read, connection);
        let described = columns.into_iter().map(|column| Described {
            path: Path::of_key(&column.name).to_string(),
            kind: kind(engine, &column.kind).to_owned(),
            ..Described::default()
        });
        Ok(Some(described.collect()))
    }
}

/// The kind of values in a column of this type.
fn kind(engine: Engine, word: &str) -> &'static str {
    let word = word.to_ascii_uppercase();
    let bare = word.split(['(', ' ']).next().unwrap_or_default();
    match (engine, bare) {
        (
            _,
            "INT2" | "INT4" | "INT8" | "SMALLINT" | "INT" | "INTEGER" | "BIGINT" | "TINYINT" | "MEDIUMINT" | "SERIAL"
            | "BIGSERIAL" | "YEAR",
        ) => "integer",
        (_, "NUMERIC" | "DECIMAL" | "FLOAT4" | "FLOAT8" | "FLOAT" | "DOUBLE" | "REAL" | "MONEY") => "decimal",
        (_, "BOOL" | "BOOLEAN") => "boolean",
        (_, "DATE") => "date",
        (_, "TIMESTAMP" | "TIMESTAMPTZ" | "DATETIME") => "datetime",
        (Engine::Postgres, "JSON" | "JSONB") | (Engine::Mysql, "JSON") => "map",
        (Engine::Postgres, word) if word.starts_with('_') || word.ends_with("[]") => "list",
        // A file says the type that a column was declared with, if any.
        (Engine::Sqlite, "NULL" | "") => "any",
        _ => "text",
    }
}
