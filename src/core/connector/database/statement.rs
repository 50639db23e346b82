//! The statements behind the operations of an object.

use super::{Engine, Source, Table};
use crate::core::value::{Map, Value};

/// A statement and its values, in the order of their places.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Its text, without any value.
    pub text: String,
    /// What is bound.
    pub values: Vec<Bound>,
}

impl Statement {
    /// A statement without values.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            values: Vec::new(),
        }
    }

    /// A statement about this one's plan.
    #[must_use]
    pub fn explained(&self, engine: Engine) -> Self {
        let word = match engine {
            Engine::Postgres => "explain",
            Engine::Mysql => "explain format = json",
            Engine::Sqlite => "explain query plan",
        };
        Self {
            text: format!("{word} {}", self.text),
            values: self.values.clone(),
        }
    }
}

/// A value and the column that it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// The column.
    pub column: String,
    /// The value.
    pub value: Value,
}

/// What is known about the types of columns in a database.
pub trait Casts {
    /// The type that a text is cast to in order to be compared with this column, where the database wants that.
    fn cast(&self, column: &str) -> Option<&str>;
    /// Whether the column holds bytes.
    fn is_bytes(&self, column: &str) -> bool;
}

/// Which page of a listing is asked for.
#[derive(Debug, Clone, Copy)]
pub struct PageAsked<'a> {
    /// How many rows; one more is read, which shows whether there are more.
    pub size: u64,
    /// Whether only what changed is listed.
    pub is_changed: bool,
    /// Rows that changed at this time or later.
    pub since: Option<&'a Value>,
    /// The row before the page.
    pub after: Option<&'a Map>,
}

/// The most rows of a search by a value: more than one is ambiguous already.
const FOUND_MAX: u32 = 100;

/// Writes the statements of one table.
pub struct Writer<'a, C> {
    engine: Engine,
    table: &'a Table,
    casts: &'a C,
    values: Vec<Bound>,
}

impl<'a, C: Casts> Writer<'a, C> {
    /// Writes statements for `table`.
    pub const fn new(engine: Engine, table: &'a Table, casts: &'a C) -> Self {
        Self {
            engine,
            table,
            casts,
            values: Vec::new(),
        }
    }

    /// One page of a listing, and one row more.
    #[must_use]
    pub fn page(mut self, asked: PageAsked<'_>) -> Statement {
        let order = self.table.order(asked.is_changed);
        let condition = match (asked.after, asked.since, &self.table.updated_at) {
            (Some(after), ..) => Some(self.behind(&order, after)),
            (None, Some(since), Some(cursor)) => {
                let bound = self.bind(cursor, since.clone());
                Some(format!("{} >= {bound}", self.engine.quoted(cursor)))
            }
            _ => None,
        };
        let condition = condition.map_or_else(String::new, |condition| format!(" where {condition}"));
        let order: Vec<String> = order.iter().map(|column| self.engine.quoted(column)).collect();
        let limit = asked.size.saturating_add(1);
        self.rows(&format!("{condition} order by {} limit {limit}", order.join(", ")))
    }

    /// The row with this key; a second one would show that the key is none.
    #[must_use]
    pub fn get(mut self, id: &[Value]) -> Statement {
        let condition = self.with_key(id);
        self.rows(&format!(" where {condition} limit 2"))
    }

    /// The rows with a value in a column.
    #[must_use]
    pub fn find(mut self, column: &str, value: &Value) -> Statement {
        let bound = self.bind(column, value.clone());
        let quoted = self.engine.quoted(column);
        self.rows(&format!(" where {quoted} = {bound} limit {FOUND_MAX}"))
    }

    /// A new row; yields the columns of its key where the database can.
    #[must_use]
    pub fn insert(mut self, fields: &Map) -> Statement {
        let (columns, places): (Vec<String>, Vec<String>) = fields
            .iter()
            .map(|(column, value)| (self.engine.quoted(column), self.bind(column, value.clone())))
            .unzip();
        let target = self.source();
        let values = match (columns.is_empty(), self.engine) {
            (true, Engine::Mysql) => " () values ()".to_owned(),
            (true, _) => " default values".to_owned(),
            (false, _) => format!(" ({}) values ({})", columns.join(", "), places.join(", ")),
        };
        let key: Vec<String> = self.table.id.iter().map(|id| self.read(id)).collect();
        let returned = match self.engine {
            Engine::Mysql => String::new(),
            Engine::Postgres | Engine::Sqlite => format!(" returning {}", key.join(", ")),
        };
        self.done(format!("insert into {target}{values}{returned}"))
    }

    /// Other values in a row; only where it still has this version.
    #[must_use]
    pub fn update(mut self, id: &[Value], fields: &Map, version: Option<&Value>) -> Statement {
        let mut changes = Vec::with_capacity(fields.len());
        for (column, value) in fields {
            let bound = self.bind(column, value.clone());
            changes.push(format!("{} = {bound}", self.engine.quoted(column)));
        }
        let condition = self.with_version(id, version);
        let target = self.source();
        self.done(format!("update {target} set {} where {condition}", changes.join(", ")))
    }

    /// The end of a row; only where it still has this version.
    #[must_use]
    pub fn delete(mut self, id: &[Value], version: Option<&Value>) -> Statement {
        let condition = self.with_version(id, version);
        let target = self.source();
        self.done(format!("delete from {target} where {condition}"))
    }

    /// No row at all, for its columns.
    #[must_use]
    pub fn none(self) -> Statement {
        let columns: Vec<String> = self
            .table
            .columns
            .iter()
            .map(|column| self.engine.quoted(&column.name))
            .collect();
        let source = self.source();
        self.done(format!("select {} from {source} where 1 = 0", columns.join(", ")))
    }

    fn with_version(&mut self, id: &[Value], version: Option<&Value>) -> String {
        let key = self.with_key(id);
        match (&self.table.version, version) {
            (Some(column), Some(version)) if !version.is_null() => {
                let bound = self.bind(column, version.clone());
                format!("{key} and {} = {bound}", self.engine.quoted(column))
            }
            _ => key,
        }
    }

    fn with_key(&mut self, id: &[Value]) -> String {
        let columns = self.table.id.iter();
        let parts: Vec<String> = columns
            .zip(id.iter().map(Some).chain(std::iter::repeat(None)))
            .map(|(column, part)| {
                let bound = self.bind(column, part.cloned().unwrap_or_default());
                format!("{} = {bound}", self.engine.quoted(column))
            })
            .collect();
        parts.join(" and ")
    }

    /// Behind the row with these values, in the order of the columns.
    fn behind(&mut self, order: &[&str], after: &Map) -> String {
        let value = |column: &str| after.get(column).cloned().unwrap_or_default();
        if let [column] = order {
            let bound = self.bind(column, value(column));
            return format!("{} > {bound}", self.engine.quoted(column));
        }
        if self.engine != Engine::Mysql {
            let quoted: Vec<String> = order.iter().map(|column| self.engine.quoted(column)).collect();
            let bound: Vec<String> = order.iter().map(|column| self.bind(column, value(column))).collect();
            return format!("({}) > ({})", quoted.join(", "), bound.join(", "));
        }
        // MySQL uses no index for a comparison of rows.
        let mut written = String::new();
        let mut open = 0_usize;
        for (place, column) in order.iter().enumerate() {
            let quoted = self.engine.quoted(column);
            if place == 0 {
                let bound = self.bind(column, value(column));
                written = format!("{quoted} >= {bound} and ");
            }
            let greater = self.bind(column, value(column));
            if place + 1 == order.len() {
                written = format!("{written}{quoted} > {greater}");
            } else {
                let equal = self.bind(column, value(column));
                written = format!("{written}({quoted} > {greater} or ({quoted} = {equal} and ");
                open += 2;
            }
        }
        written + &")".repeat(open)
    }

    /// The rows of the source, with this behind it.
    fn rows(self, behind: &str) -> Statement {
        let columns = self.table.columns.iter();
        let source = self.source();
        let text = match self.engine {
            Engine::Postgres => {
                let columns: Vec<String> = columns
                    .map(|column| {
                        let quoted = self.engine.quoted(&column.name);
                        if self.casts.is_bytes(&column.name) {
                            format!("encode({quoted}, 'base64') as {quoted}")
                        } else {
                            quoted
                        }
                    })
                    .collect();
                // The database knows best how each of its types is said in JSON; all digits of a number are kept.
                format!(
                    "select row_to_json(syncline_row)::text from (select {} from {source}{behind}) as syncline_row",
                    columns.join(", ")
                )
            }
            Engine::Mysql | Engine::Sqlite => {
                let columns: Vec<String> = columns.map(|column| self.read(&column.name)).collect();
                format!("select {} from {source}{behind}", columns.join(", "))
            }
        };
        self.done(text)
    }

    /// A column as it is read by itself.
    fn read(&self, column: &str) -> String {
        let quoted = self.engine.quoted(column);
        match self.engine {
            Engine::Postgres => format!("to_json({quoted})::text"),
            Engine::Mysql if self.casts.is_bytes(column) => format!("to_base64({quoted})"),
            Engine::Mysql => format!("cast({quoted} as char)"),
            Engine::Sqlite => quoted,
        }
    }

    fn source(&self) -> String {
        match &self.table.source {
            // A comment at the end of the query ends with its line.
            Source::Query(query) => format!("(\n{query}\n) as syncline_source"),
            named => named.quoted(self.engine).unwrap_or_default(),
        }
    }

    /// The place of a value.
    fn bind(&mut self, column: &str, value: Value) -> String {
        self.values.push(Bound {
            column: column.to_owned(),
            value,
        });
        match (self.engine, self.casts.cast(column)) {
            // The session has the zone in which times without one are meant.
            (Engine::Postgres, Some("timestamp without time zone")) => {
                format!("${}::text::timestamptz::timestamp", self.values.len())
            }
            (Engine::Postgres, cast) => format!("${}::text::{}", self.values.len(), cast.unwrap_or("text")),
            (Engine::Mysql | Engine::Sqlite, _) => "?".to_owned(),
        }
    }

    fn done(self, text: String) -> Statement {
        Statement {
            text,
            values: self.values,
        }
    }
}
