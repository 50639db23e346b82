//! What the catalog of a database says of a table: the types of its columns and its indexes, and what follows from them.

use std::collections::BTreeMap;

use super::{
    Sql,
    trouble::{Trouble, of_statement, unfit},
};
use crate::{
    client::transport::SendError,
    core::{
        connector::database::{Casts, Engine, PageAsked, Source, Table, Writer},
        value::Value,
    },
    database::{Cell, Connection, Described, Error, Param, Role},
};

/// The most bytes of an answer of the catalog.
const BYTES_MAX: u64 = 4 << 20;

/// How the values of a column are said in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Text,
    Number,
    Boolean,
    Json,
    Bytes,
}

/// What is known of the types of a table.
#[derive(Debug, Default)]
pub(super) struct Types(BTreeMap<String, (Option<String>, Class)>);

impl Types {
    pub(super) fn class(&self, column: &str) -> Class {
        self.0.get(column).map_or(Class::Text, |(_, class)| *class)
    }
}

impl Casts for Types {
    fn cast(&self, column: &str) -> Option<&str> {
        self.0.get(column).and_then(|(cast, _)| cast.as_deref())
    }

    fn is_bytes(&self, column: &str) -> bool {
        self.class(column) == Class::Bytes
    }
}

/// An index over whole columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    /// Its columns, in order.
    columns: Vec<String>,
    is_unique: bool,
    /// It has not every row.
    is_partial: bool,
}

impl Index {
    /// Whether it finds rows by these columns, in this order.
    fn leads(&self, columns: &[&str]) -> bool {
        !self.is_partial
            && self.columns.len() >= columns.len()
            && self.columns.iter().zip(columns).all(|(own, asked)| own == asked)
    }

    /// Whether two rows never have the same values in these columns.
    fn tells_apart(&self, columns: &[String]) -> bool {
        self.is_unique && !self.is_partial && self.columns.iter().all(|own| columns.contains(own))
    }
}

/// What was seen of a table.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) types: Types,
    /// Its indexes; none for what cannot have them.
    indexes: Option<Vec<Index>>,
}

impl Known {
    /// Whether the column of the time of change is found by an index; a view and a query are not asked.
    pub(super) fn has_cursor_index(&self, table: &Table) -> bool {
        let (Some(indexes), Some(cursor)) = (&self.indexes, table.updated_at.as_deref()) else {
            return true;
        };
        indexes.iter().any(|index| index.leads(&[cursor]))
    }

    /// Whether the key is one as far as the database says.
    pub(super) fn has_key(&self, table: &Table) -> Option<bool> {
        let indexes = self.indexes.as_ref()?;
        Some(indexes.iter().any(|index| index.tells_apart(&table.id)))
    }

    /// Whether a search by this column reads the whole table.
    fn scans_for(&self, column: &str) -> bool {
        let indexes = self.indexes.as_ref();
        indexes.is_some_and(|indexes| !indexes.iter().any(|index| index.leads(&[column])))
    }

    /// Refuses a listing that would not see every row, or read the whole table each time.
    pub(super) fn refuse(&self, table: &Table, engine: Engine, is_changed: bool) -> Result<(), Trouble> {
        let source = table.source.told();
        if self.has_key(table) == Some(false) {
            let key = table.id.join(", ");
            let columns: Vec<&str> = table.id.iter().map(String::as_str).collect();
            let next = table.index_on(engine, &columns, true).unwrap_or_default();
            return Err(unfit(
                format!("{source} has no primary or unique key on `{key}`, so that a listing might pass over rows"),
                format!("name the key's columns in `id:`, or let {} run: {next}", table.owner),
            ));
        }
        if is_changed && !self.has_cursor_index(table) {
            let cursor = table.updated_at.as_deref().unwrap_or_default();
            let next = table.cursor_index(engine).unwrap_or_default();
            return Err(unfit(
                format!("{source} has no index on `{cursor}`, so that every poll would read all of it"),
                format!("let {} run: {next}", table.owner),
            ));
        }
        Ok(())
    }
}

/// Something about a table that deserves a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The object.
    pub object: String,
    /// What was seen.
    pub found: String,
    /// What to do about it; what is well needs nothing.
    pub next: Option<String>,
    /// Whether it keeps the object from being read.
    pub is_wrong: bool,
}

/// No type is known yet.
struct Unknown;

impl Casts for Unknown {
    fn cast(&self, _: &str) -> Option<&str> {
        None
    }

    fn is_bytes(&self, _: &str) -> bool {
        false
    }
}

/// Asks the catalog about a table.
pub(super) async fn look(connection: &mut Connection, engine: Engine, table: &Table) -> Result<Known, Trouble> {
    let asked = async {
        let none = Writer::new(engine, table, &Unknown).none();
        let columns = connection.columns(&none.text).await?;
        let casts = casts(connection, engine, &columns).await?;
        let types = columns.into_iter().map(|column| {
            let cast = column.oid.and_then(|oid| casts.get(&oid).cloned());
            let class = class(engine, &column.kind);
            (column.name, (cast, class))
        });
        let types = Types(types.collect());
        let indexes = match &table.source {
            Source::Table(parts) => Some(indexes(connection, engine, table, parts).await?),
            Source::View(_) | Source::Query(_) => None,
        };
        Ok(Known { types, indexes })
    };
    asked.await.map_err(|error| of_statement(error, false))
}

/// The names of types by their numbers, as PostgreSQL takes them in a cast.
async fn casts(
    connection: &mut Connection,
    engine: Engine,
    columns: &[Described],
) -> Result<BTreeMap<u32, String>, Error> {
    if engine != Engine::Postgres {
        return Ok(BTreeMap::new());
    }
    let oids: Vec<String> = columns
        .iter()
        .filter_map(|column| column.oid)
        .map(|oid| oid.to_string())
        .collect();
    // Without a length: a cast to a type with one cuts in silence what is longer.
    let text = "select oid::text, format_type(oid, -1) from unnest(string_to_array($1, ',')::oid[]) as asked(oid)";
    let rows = connection.rows(text, &[Param::Text(oids.join(","))], BYTES_MAX).await?;
    let named = |row: Vec<Cell>| {
        let mut cells = row.into_iter().map(Cell::into_text);
        Some((cells.next()??.parse().ok()?, cells.next()??))
    };
    Ok(rows.into_iter().filter_map(named).collect())
}

fn class(engine: Engine, kind: &str) -> Class {
    match (engine, kind) {
        (Engine::Postgres, "BYTEA")
        | (
            Engine::Mysql,
            "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "BINARY" | "VARBINARY" | "BIT" | "GEOMETRY",
        ) => Class::Bytes,
        (Engine::Mysql | Engine::Sqlite, "BOOLEAN") => Class::Boolean,
        (Engine::Mysql, "JSON") => Class::Json,
        (Engine::Mysql, "FLOAT" | "DOUBLE" | "DECIMAL" | "YEAR") => Class::Number,
        (Engine::Mysql, kind) if is_integer(kind) => Class::Number,
        _ => Class::Text,
    }
}

/// Whether it is a name of MySQL's integers; `POINT` is none.
fn is_integer(kind: &str) -> bool {
    let kind = kind.strip_suffix(" UNSIGNED").unwrap_or(kind);
    matches!(kind, "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT")
}

/// The indexes of PostgreSQL: a row for each, its columns as JSON; an expression is null in it.
const POSTGRES: &str = "select (select json_agg(a.attname order by k.place) from unnest(i.indkey) with ordinality \
    as k(number, place) left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number \
    where k.place <= i.indnkeyatts)::text, i.indisunique::text, (i.indpred is not null)::text \
    from pg_index i where i.indrelid = to_regclass($1) and i.indisvalid";

/// Those of MySQL: a row for each column.
const MYSQL: &str = "select cast(index_name as char), cast(column_name as char), cast(non_unique as char) \
    from information_schema.statistics where table_schema = coalesce(?, database()) and table_name = ? \
    order by index_name, seq_in_index";

/// Those of SQLite: a row for each column. A key that is the number of the row has no index of its own.
const SQLITE: &str = "select list.name, info.name, list.\"unique\", list.partial \
    from pragma_index_list(?1) as list, pragma_index_info(list.name) as info \
    union all select '', name, 1, 0 from pragma_table_info(?1) where pk > 0 \
    and (select count(*) from pragma_table_info(?1) where pk > 0) = 1 order by 1";

async fn indexes(
    connection: &mut Connection,
    engine: Engine,
    table: &Table,
    parts: &[String],
) -> Result<Vec<Index>, Error> {
    let name = parts.last().cloned().unwrap_or_default();
    let schema = parts.len().checked_sub(2).and_then(|at| parts.get(at)).cloned();
    let (text, params) = match engine {
        Engine::Postgres => {
            let quoted = table.source.quoted(engine).unwrap_or_default();
            (POSTGRES, vec![Param::Text(quoted)])
        }
        Engine::Mysql => (MYSQL, vec![schema.map_or(Param::Null, Param::Text), Param::Text(name)]),
        Engine::Sqlite => (SQLITE, vec![Param::Text(name)]),
    };
    let rows = connection.rows(text, &params, BYTES_MAX).await?;
    let mut found: BTreeMap<String, Index> = BTreeMap::new();
    for (number, row) in rows.into_iter().enumerate() {
        let mut cells = row.into_iter().map(|cell| cell.into_text().unwrap_or_default());
        let mut cell = || cells.next().unwrap_or_default();
        let (first, second, third, fourth) = (cell(), cell(), cell(), cell());
        if engine == Engine::Postgres {
            let columns: Vec<Option<String>> = serde_json::from_str(&first).unwrap_or_default();
            // Columns behind an expression are not led to.
            let index = Index {
                is_partial: third == "true" || (second == "true" && columns.contains(&None)),
                columns: columns.into_iter().map_while(|column| column).collect(),
                is_unique: second == "true",
            };
            found.insert(number.to_string(), index);
            continue;
        }
        let is_unique = if engine == Engine::Mysql {
            third == "0"
        } else {
            third == "1"
        };
        let index = found.entry(first).or_insert_with(|| Index {
            columns: Vec::new(),
            is_unique,
            is_partial: fourth == "1",
        });
        index.columns.push(second);
    }
    found.retain(|_, index| !index.columns.is_empty());
    Ok(found.into_values().collect())
}

impl Sql {
    /// What deserves a look of the tables of these objects, by the catalog of the database.
    pub(in crate::client) async fn inspect(&self, objects: &[&str]) -> Vec<Remark> {
        let mut remarks = Vec::new();
        for object in objects {
            let Some(table) = self.tables.get(*object) else {
                continue;
            };
            // What keeps it from being asked was told where it was read.
            if let Ok(mut seen) = self.remarks(table).await {
                remarks.append(&mut seen);
            }
        }
        remarks
    }

    async fn remarks(&self, table: &Table) -> Result<Vec<Remark>, Trouble> {
        let engine = self.engine();
        let mut connection = self.take(Role::Read).await?;
        let known = look(&mut connection, engine, table).await?;
        let mut remarks = Vec::new();
        let mut remark = |found: String, next: Option<String>, is_wrong: bool| {
            remarks.push(Remark {
                object: table.object.clone(),
                found,
                next,
                is_wrong,
            });
        };
        let source = table.source.told();
        for is_changed in [false, true] {
            if let Err(Trouble::Silent(SendError::Unfit { reason, next })) = known.refuse(table, engine, is_changed) {
                remark(reason, Some(next), true);
                break;
            }
        }
        for column in table.searched.iter().filter(|column| known.scans_for(column)) {
            let next = table.index_on(engine, &[column], false).unwrap_or_default();
            let found = format!("{source} has no index on `{column}`, so that every search by it reads all of it");
            remark(found, Some(format!("let {} run: {next}", table.owner)), false);
        }
        if let Some(plan) = self.scan_of(&mut connection, table, &known).await {
            let found = format!("reading what changed in {source} reads all of it: {plan}");
            let next = format!("ask {} for an index behind it", table.owner);
            remark(found, Some(next), false);
        }
        if !table.is_writable && may_write(&mut connection, engine, table).await {
            let found = format!("this database user may write to {source}, and the connector only reads it");
            let next = "give the credential `url` a user that may only read".to_owned();
            remark(found, Some(next), false);
        }
        self.put(Role::Read, connection);
        if remarks.is_empty() {
            remarks.push(Remark {
                object: table.object.clone(),
                found: format!("{source} is read by its indexes; {} answers for it", table.owner),
                next: None,
                is_wrong: false,
            });
        }
        Ok(remarks)
    }

    /// The plan of reading what changed in a view or query, where it reads everything.
    async fn scan_of(&self, connection: &mut Connection, table: &Table, known: &Known) -> Option<String> {
        if matches!(table.source, Source::Table(_)) {
            return None;
        }
        table.updated_at.as_ref()?;
        let since = Value::from("2000-01-01 00:00:00");
        let asked = PageAsked {
            size: 100,
            is_changed: true,
            since: Some(&since),
            after: None,
        };
        let statement = Writer::new(self.engine(), table, &known.types).page(asked);
        let plan = self.plan(connection, table, &known.types, &statement).await?;
        let scans = ["Seq Scan", "SCAN", "\"access_type\": \"ALL\""];
        scans.iter().any(|scan| plan.contains(scan)).then_some(plan)
    }
}

/// Whether the user of the connection may write to a table; asked of PostgreSQL alone.
async fn may_write(connection: &mut Connection, engine: Engine, table: &Table) -> bool {
    if engine != Engine::Postgres {
        return false;
    }
    let Some(quoted) = table.source.quoted(engine) else {
        return false;
    };
    let text = "select has_table_privilege($1, 'insert, update, delete')::text";
    let rows = connection.rows(text, &[Param::Text(quoted)], BYTES_MAX).await;
    let first = rows
        .ok()
        .and_then(|rows| rows.into_iter().next()?.into_iter().next()?.into_text());
    first.as_deref() == Some("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(columns: &[&str], is_unique: bool, is_partial: bool) -> Index {
        Index {
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            is_unique,
            is_partial,
        }
    }

    #[test]
    fn an_index_leads_to_its_first_columns_and_tells_rows_apart_by_all_of_them() {
        let changed = index(&["changed_at", "id"], false, false);
        assert!(changed.leads(&["changed_at"]) && changed.leads(&["changed_at", "id"]));
        assert!(!changed.leads(&["id"]));
        assert!(!index(&["changed_at"], false, true).leads(&["changed_at"]));
        let key = ["company".to_owned(), "number".to_owned()];
        assert!(index(&["number", "company"], true, false).tells_apart(&key));
        assert!(!index(&["number", "company", "line"], true, false).tells_apart(&key));
        assert!(!index(&["number"], true, true).tells_apart(&key));
    }

    #[test]
    fn types_of_mysql_are_said_as_json_does() {
        assert_eq!(class(Engine::Mysql, "BIGINT UNSIGNED"), Class::Number);
        assert_eq!(class(Engine::Mysql, "BOOLEAN"), Class::Boolean);
        assert_eq!(class(Engine::Mysql, "DATETIME"), Class::Text);
        assert_eq!(class(Engine::Mysql, "POINT"), Class::Text);
        assert_eq!(class(Engine::Postgres, "BYTEA"), Class::Bytes);
    }
}
