//! The operations of a table: a page, a row, rows by a value, and writes.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::time::Instant;

use super::{
    Sql,
    look::{Class, Known, Types},
    trouble::{Said, Trouble, VALUE, of_statement, unfit},
};
use crate::{
    client::{tape, transport::SendError},
    core::{
        connector::database::{Bound, Engine, PageAsked, Statement, Table, Writer},
        path::Path,
        value::{Map, Value, json, kind::Kind},
    },
    database::{Cell, Connection, Param},
};

/// Rows of a page where the call does not say.
const SIZE: u64 = 1_000;
/// The most rows of a page.
const SIZE_MAX: u64 = 10_000;

impl Sql {
    /// Carries out one operation: the body of its answer.
    pub(super) async fn operate(
        &self,
        connection: &mut Connection,
        table: &Table,
        known: &Known,
        operation: &str,
        asked: &Map,
    ) -> Result<String, Trouble> {
        let mut work = Work {
            sql: self,
            connection,
            table,
            known,
        };
        match operation {
            "list" => work.page(asked, false).await,
            "changed" => work.page(asked, true).await,
            "find" => work.find(asked).await,
            "get" => work.get(&id_of(asked)).await,
            _ => work.write(operation, asked).await,
        }
    }
}

fn id_of(asked: &Map) -> Vec<Value> {
    let id = asked.get("id").and_then(Value::as_list);
    id.map(<[Value]>::to_vec).unwrap_or_default()
}

/// One operation on its way.
struct Work<'a> {
    sql: &'a Sql,
    connection: &'a mut Connection,
    table: &'a Table,
    known: &'a Known,
}

impl<'a> Work<'a> {
    fn writer(&self) -> Writer<'a, Types> {
        Writer::new(self.sql.engine(), self.table, &self.known.types)
    }

    async fn page(&mut self, asked: &Map, is_changed: bool) -> Result<String, Trouble> {
        self.known.refuse(self.table, self.sql.engine(), is_changed)?;
        let size = asked.get("size").and_then(Value::as_int);
        let size = size.and_then(|size| u64::try_from(size).ok()).unwrap_or(SIZE);
        let size = size.clamp(1, SIZE_MAX);
        let statement = self.writer().page(PageAsked {
            size,
            is_changed,
            since: asked.get("since"),
            after: asked.get("after").and_then(Value::as_map),
        });
        let mut rows = self.rows(&statement).await?;
        if self.known.has_key(self.table).is_none() {
            self.refuse_twins(&rows)?;
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let has_more = rows.len() > size;
        rows.truncate(size);
        Ok(format!("{{\"more\":{has_more},\"records\":[{}]}}", rows.join(",")))
    }

    /// Two rows of one key that stand on both sides of a page's end would be one for whoever goes on behind it.
    fn refuse_twins(&self, rows: &[String]) -> Result<(), Trouble> {
        let keys: Vec<Option<String>> = rows.iter().map(|row| self.key(row)).collect();
        let twins = keys.windows(2).find(|pair| pair.first() == pair.last());
        match twins.and_then(|pair| pair.first()?.clone()) {
            Some(key) => Err(self.twins(&key)),
            None => Ok(()),
        }
    }

    fn key(&self, row: &str) -> Option<String> {
        let row = json::parse(row.as_bytes(), &limits(row)).ok()?;
        let row = row.as_map()?;
        let parts: Option<Vec<String>> = self.table.id.iter().map(|id| row.get(id)?.to_text()).collect();
        Some(parts?.join("|"))
    }

    fn twins(&self, key: &str) -> Trouble {
        unfit(
            format!("{} has several rows with the id `{key}`", self.table.source.told()),
            "name all columns of the key in `id:`, or take one row of each in the view or query",
        )
    }

    async fn get(&mut self, id: &[Value]) -> Result<String, Trouble> {
        if self
            .table
            .id
            .iter()
            .zip(id)
            .any(|(column, part)| self.is_foreign(column, part))
        {
            return Err(Said::new(404, "there is no such row").into());
        }
        let statement = self.writer().get(id);
        let mut rows = match self.rows(&statement).await {
            Err(Trouble::Said(said)) if said.code == VALUE => Vec::new(),
            rows => rows?,
        };
        match (rows.pop(), rows.pop()) {
            (Some(row), None) => Ok(row),
            (None, _) => Err(Said::new(404, "there is no such row").into()),
            (Some(row), Some(_)) => Err(self.twins(&self.key(&row).unwrap_or_default())),
        }
    }

    /// Whether no number is what a number is asked for: MySQL would compare with the digits at its beginning.
    fn is_foreign(&self, column: &str, value: &Value) -> bool {
        self.sql.engine() == Engine::Mysql
            && self.known.types.class(column) == Class::Number
            && value.to_text().is_none_or(|text| Value::number(&text).is_none())
    }

    async fn find(&mut self, asked: &Map) -> Result<String, Trouble> {
        let field = asked.get("field").and_then(Value::as_str).unwrap_or_default();
        let path = Path::parse(field).unwrap_or_else(|_| Path::of_key(field));
        let column = path.root().unwrap_or_default();
        if !self.table.columns.iter().any(|known| known.name == column) {
            return Err(SendError::Unsendable {
                reason: "the connector has no such column".to_owned(),
            }
            .into());
        }
        let value = asked.get("value").cloned().unwrap_or_default();
        if self.is_foreign(column, &value) {
            return Ok("{\"records\":[]}".to_owned());
        }
        let statement = self.writer().find(column, &value);
        let rows = match self.rows(&statement).await {
            Err(Trouble::Said(said)) if said.code == VALUE => Vec::new(),
            rows => rows?,
        };
        Ok(format!("{{\"records\":[{}]}}", rows.join(",")))
    }

    /// A write, and the row as it is then: both or nothing.
    async fn write(&mut self, operation: &str, asked: &Map) -> Result<String, Trouble> {
        let begin = match self.sql.engine() {
            // Whoever reads first and writes then may be refused although nobody is in the way for long.
            Engine::Sqlite => "begin immediate",
            Engine::Postgres => "begin",
            Engine::Mysql => "start transaction",
        };
        self.run(begin).await?;
        let written = self.written(operation, asked).await;
        match written {
            Ok(row) => match self.run("commit").await {
                Ok(()) => Ok(row),
                // Whether it went through is known from what the database says, and from nothing else.
                Err(Trouble::Said(said)) => Err(said.into()),
                Err(Trouble::Silent(_)) => Err(SendError::Broken {
                    reason: "the connection broke while the write was made good".to_owned(),
                }
                .into()),
            },
            Err(trouble) => {
                // A session that cannot go back is not used again, and the database goes back by itself.
                match self.run("rollback").await {
                    Err(Trouble::Silent(_)) if matches!(trouble, Trouble::Said(_)) => Err(SendError::Broken {
                        reason: "the connection broke".to_owned(),
                    }
                    .into()),
                    _ => Err(trouble),
                }
            }
        }
    }

    async fn written(&mut self, operation: &str, asked: &Map) -> Result<String, Trouble> {
        let none = Map::new();
        let fields = asked.get("fields").and_then(Value::as_map).unwrap_or(&none);
        let version = asked.get("version");
        let id = id_of(asked);
        match operation {
            "create" => {
                let id = self.insert(fields).await?;
                match self.get(&id).await {
                    Err(Trouble::Said(said)) if said.status == 404 => {
                        let parts = self.table.id.iter().cloned().zip(id);
                        Ok(json::to_string(&Value::Map(parts.collect())))
                    }
                    row => row,
                }
            }
            "update" => {
                if !fields.is_empty() {
                    let statement = self.writer().update(&id, fields, version);
                    self.change_one(&statement, &id).await?;
                }
                self.get(&id).await
            }
            _ => {
                let statement = self.writer().delete(&id, version);
                self.change_one(&statement, &id).await?;
                Ok("null".to_owned())
            }
        }
    }

    /// Makes a row: the values of its key.
    async fn insert(&mut self, fields: &Map) -> Result<Vec<Value>, Trouble> {
        let statement = self.writer().insert(fields);
        if self.sql.engine() == Engine::Mysql {
            let (_, last) = self.execute(&statement).await?;
            let part = |column: &String| {
                let given = fields.get(column).filter(|value| !value.is_null());
                given.cloned().unwrap_or_else(|| Value::Text(last.to_string()))
            };
            return Ok(self.table.id.iter().map(part).collect());
        }
        let rows = self.cells(&statement, true).await?;
        let cells = rows.into_iter().next().unwrap_or_default();
        let engine = self.sql.engine();
        let columns = self.table.id.iter();
        Ok(columns
            .zip(cells)
            .map(|(column, cell)| match (engine, cell) {
                (Engine::Postgres, Cell::Text(text)) => {
                    json::parse(text.as_bytes(), &limits(&text)).unwrap_or_default()
                }
                (_, cell) => value(self.table, &self.known.types, column, cell),
            })
            .collect())
    }

    /// Changes one row, or says why there was none to change.
    async fn change_one(&mut self, statement: &Statement, id: &[Value]) -> Result<(), Trouble> {
        let (changed, _) = self.execute(statement).await?;
        match changed {
            1 => Ok(()),
            0 => {
                // There is none, or it has another version by now.
                self.get(id).await?;
                Err(Said::new(412, "the row changed in between").into())
            }
            _ => Err(Said::new(409, "several rows have this id").into()),
        }
    }

    /// The rows of a statement as JSON objects.
    async fn rows(&mut self, statement: &Statement) -> Result<Vec<String>, Trouble> {
        let rows = self.cells(statement, false).await?;
        let engine = self.sql.engine();
        Ok(rows
            .into_iter()
            .map(|cells| match engine {
                // It says whole rows.
                Engine::Postgres => cells.into_iter().find_map(Cell::into_text).unwrap_or_default(),
                Engine::Mysql | Engine::Sqlite => {
                    let columns = self.table.columns.iter().map(|column| &column.name);
                    let members = columns
                        .zip(cells)
                        .map(|(column, cell)| (column.clone(), value(self.table, &self.known.types, column, cell)));
                    json::to_string(&Value::Map(members.collect()))
                }
            })
            .collect())
    }

    /// For whoever looks on.
    fn note(&self, statement: &Statement) {
        let table = || format!("{} at {}", self.table.source.told(), self.sql.place());
        tape::statement(table, &statement.text);
    }

    async fn cells(&mut self, statement: &Statement, is_write: bool) -> Result<Vec<Vec<Cell>>, Trouble> {
        self.note(statement);
        let params = self.sql.params(self.table, &self.known.types, statement);
        let started = Instant::now();
        let bytes_max = self.sql.limits.body_bytes_max;
        let rows = self.connection.rows(&statement.text, &params, bytes_max).await;
        let rows = rows.map_err(|error| of_statement(error, is_write))?;
        let took = started.elapsed();
        let (table, types) = (self.table, &self.known.types);
        self.sql.tell_slow(self.connection, table, types, statement, took).await;
        Ok(rows)
    }

    async fn execute(&mut self, statement: &Statement) -> Result<(u64, u64), Trouble> {
        self.note(statement);
        let params = self.sql.params(self.table, &self.known.types, statement);
        let done = self.connection.execute(&statement.text, &params).await;
        done.map_err(|error| of_statement(error, true))
    }

    async fn run(&mut self, text: &str) -> Result<(), Trouble> {
        let done = self.connection.run(text.to_owned()).await;
        done.map_err(|error| of_statement(error, true))
    }
}

fn limits(text: &str) -> json::Limits {
    json::Limits {
        bytes: text.len().max(1),
        ..json::Limits::default()
    }
}

/// A cell as it is said in JSON.
fn value(table: &Table, types: &Types, column: &str, cell: Cell) -> Value {
    let class = types.class(column);
    let is_boolean = class == Class::Boolean || table.kind(column) == Kind::Boolean;
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(int) if is_boolean => Value::Bool(int != 0),
        Cell::Int(int) => Value::Int(int),
        // The shortest digits that mean this number, and no others.
        Cell::Real(real) => Value::number(&real.to_string()).unwrap_or_else(|| Value::Text(real.to_string())),
        Cell::Bytes(bytes) => Value::Text(BASE64_STANDARD.encode(bytes)),
        Cell::Text(text) => match class {
            Class::Boolean => Value::Bool(text != "0"),
            Class::Number => Value::number(&text).unwrap_or(Value::Text(text)),
            Class::Json => json::parse(text.as_bytes(), &limits(&text)).unwrap_or(Value::Text(text)),
            // MySQL breaks the lines of what it writes in base64.
            Class::Bytes => Value::Text(text.replace('\n', "")),
            // MariaDB and SQLite keep JSON as text.
            Class::Text if matches!(table.kind(column), Kind::Map | Kind::List) => {
                json::parse(text.as_bytes(), &limits(&text)).unwrap_or(Value::Text(text))
            }
            Class::Text => Value::Text(text),
        },
    }
}

/// A value as it is bound.
pub(super) fn param(engine: Engine, table: &Table, types: &Types, bound: &Bound) -> Param {
    let text = match &bound.value {
        Value::Null => return Param::Null,
        Value::Bool(truth) if engine != Engine::Postgres => return Param::Int(i64::from(*truth)),
        Value::Int(int) if engine != Engine::Postgres => return Param::Int(*int),
        Value::List(_) | Value::Map(_) => json::to_string(&bound.value),
        scalar => scalar.to_text().unwrap_or_default(),
    };
    // A number that came as text (an id) is compared as a number, exactly; a text stays one, with its zeros.
    let is_number = match engine {
        Engine::Postgres => false,
        Engine::Mysql => types.class(&bound.column) == Class::Number,
        Engine::Sqlite => table.kind(&bound.column) == Kind::Integer,
    };
    match text.parse() {
        Ok(int) if is_number => Param::Int(int),
        _ => Param::Text(text),
    }
}
