//! A file of SQLite that stands in for a database, with rows that were written down beforehand: for the cases beside a connector.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Parts, Sql, look::Types, operation::param};
use crate::{
    core::{
        connector::database::{Bound, Engine, Source, Table},
        value::{Map, kind::Kind},
    },
    database::{Address, Connection, Param},
};

/// Rows by object.
pub(in crate::client) type Rows = BTreeMap<String, Vec<Map>>;

impl Sql {
    /// A file in place of a database, without rows yet. The error is for people.
    pub(in crate::client) fn rehearsing(mut parts: Parts) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("syncline-rows-").tempdir();
        let folder = folder.map_err(|error| error.to_string())?;
        let address = Address::file(&folder.path().join("rows.db"), parts.zone.take());
        let mut sql = Self::of(parts, address, Some(folder));
        for table in sql.tables.values_mut() {
            // Whatever is behind it in the real database.
            table.source = Source::Table(vec![table.object.clone()]);
        }
        Ok(sql)
    }

    /// Puts rows behind the objects. The error is for people.
    pub(in crate::client) async fn fill(&self, rows: &Rows) -> Result<(), String> {
        if let Some(object) = rows.keys().find(|object| !self.tables.contains_key(*object)) {
            return Err(format!("the connector has no object `{object}`"));
        }
        let made = self.address.create(self.limits.total).await;
        let mut connection = made.map_err(|error| error.to_string())?;
        for table in self.tables.values() {
            let own = rows.get(&table.object).map(Vec::as_slice).unwrap_or_default();
            let made = connection.run(created(table, own)).await;
            made.map_err(|error| format!("object `{}`: {error}", table.object))?;
            for row in own {
                let put = self.insert_row(&mut connection, table, row).await;
                put.map_err(|error| format!("a row of `{}`: {error}", table.object))?;
            }
        }
        Ok(())
    }

    async fn insert_row(&self, connection: &mut Connection, table: &Table, row: &Map) -> Result<(), String> {
        if let Some(column) = row
            .keys()
            .find(|name| !table.columns.iter().any(|known| known.name == **name))
        {
            return Err(format!("the connector reads no column `{column}`"));
        }
        let names: Vec<String> = row.keys().map(|name| Engine::Sqlite.quoted(name)).collect();
        let places = vec!["?"; names.len()].join(", ");
        let types = Types::default();
        let params: Vec<Param> = row
            .iter()
            .map(|(column, value)| {
                let bound = Bound {
                    column: column.clone(),
                    value: value.clone(),
                };
                param(Engine::Sqlite, table, &types, &bound)
            })
            .collect();
        let text = format!(
            "insert into {} ({}) values ({places})",
            name_of(table),
            names.join(", ")
        );
        connection
            .execute(&text, &params)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

/// The name under which the rows of an object stand in the file: whatever is behind it in the real database.
fn name_of(table: &Table) -> String {
    Engine::Sqlite.quoted(&table.object)
}

/// A table for an object: with its key, an index by time of change, and each column as the connector says.
fn created(table: &Table, rows: &[Map]) -> String {
    let columns = table.columns.iter().map(|column| {
        let mut values = rows.iter().filter_map(|row| row.get(&column.name)).peekable();
        let holds_numbers = values.peek().is_some() && values.all(|value| value.as_int().is_some());
        let kind = match column.kind {
            Kind::Integer => "integer",
            Kind::Any if holds_numbers => "integer",
            Kind::Boolean => "boolean",
            // As text, so that every digit stays.
            Kind::Any => "",
            _ => "text",
        };
        format!("{} {kind}", Engine::Sqlite.quoted(&column.name))
    });
    let columns: Vec<String> = columns.collect();
    let key: Vec<String> = table.id.iter().map(|id| Engine::Sqlite.quoted(id)).collect();
    let mut text = format!(
        "create table {} ({}, primary key ({}))",
        name_of(table),
        columns.join(", "),
        key.join(", ")
    );
    if let Some(cursor) = &table.updated_at {
        let index = Engine::Sqlite.quoted(&format!("{} by time", table.object));
        let cursor = Engine::Sqlite.quoted(cursor);
        let _ = write!(text, "; create index {index} on {} ({cursor})", name_of(table));
    }
    text
}
