//! Databases as systems: calls of a connector answered by statements.
//!
//! The rest of the client does not know it: a call asks for a page, a row or a write in JSON, and the answer has a status and
//! JSON. So budget, breaker, attempts, rules, paging and types are the same as for any other system. Reads go through sessions
//! that the database itself keeps from writing.

mod columns;
mod listen;
mod look;
mod operation;
mod rehearsal;
mod target;
mod trouble;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono_tz::Tz;
use futures_util::{FutureExt as _, future::BoxFuture};
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use tokio::time::Instant;

use self::{
    look::{Known, Types},
    trouble::{Said, Trouble},
};
use super::{
    guard::Policy,
    transport::{Limits, Raw, SendError},
};
use crate::{
    core::{
        connector::{
            Connector,
            database::{Bound, Engine, Statement, Table},
            request::Call,
        },
        value::{Map, Value, json},
    },
    database::{Address, Cell, Connection, Param, Role, masked},
};

pub use listen::{Deaf, Hearing};
pub use look::Remark;

/// A session that rested longer than this is asked whether it is still there.
const REST_MAX: Duration = Duration::from_secs(1);
/// The database itself ends a statement in time; this much later nobody waits any more.
const GRACE: Duration = Duration::from_secs(2);
/// How long the plan of a slow query is waited for.
const PLAN_PATIENCE: Duration = Duration::from_secs(5);
/// The plan of one statement is told no more often.
const PLAN_EVERY: Duration = Duration::from_mins(10);
/// The longest plan that is told, in characters.
const PLAN_CHARS_MAX: usize = 2_000;

/// One database as a system.
pub(super) struct Sql {
    system: String,
    tables: BTreeMap<String, Table>,
    address: Address,
    policy: Policy,
    limits: Limits,
    /// From when on a query is slow.
    slow: Duration,
    state: Mutex<State>,
    /// The folder of a file that stands in for a database.
    _folder: Option<tempfile::TempDir>,
}

#[derive(Default)]
struct State {
    idle: Vec<(Role, Instant, Connection)>,
    known: BTreeMap<String, Arc<Known>>,
    told: HashMap<String, Instant>,
}

impl std::fmt::Debug for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sql")
            .field("place", &self.address.place)
            .finish_non_exhaustive()
    }
}

/// What a database is made of, beside its address.
pub(super) struct Parts {
    pub(super) system: String,
    pub(super) connector: Arc<Connector>,
    pub(super) policy: Policy,
    pub(super) limits: Limits,
    pub(super) slow: Duration,
    pub(super) zone: Option<Tz>,
}

impl Sql {
    /// The database at this address; nothing is asked yet. The error is for people.
    pub(super) fn new(parts: Parts, engine: Engine, url: &SecretString) -> Result<Self, String> {
        let address = Address::parse(engine, url, parts.zone)?;
        Ok(Self::of(parts, address, None))
    }

    fn of(parts: Parts, address: Address, folder: Option<tempfile::TempDir>) -> Self {
        let database = parts.connector.database.as_ref();
        Self {
            system: parts.system,
            tables: database.map(|database| database.tables.clone()).unwrap_or_default(),
            address,
            policy: parts.policy,
            limits: parts.limits,
            slow: parts.slow,
            state: Mutex::default(),
            _folder: folder,
        }
    }

    /// Its address without user and password.
    pub(super) fn place(&self) -> &str {
        &self.address.place
    }

    /// The password in its address.
    pub(super) fn password(&self) -> Option<&str> {
        self.address.password.as_deref()
    }

    fn engine(&self) -> Engine {
        self.address.engine()
    }

    /// The answer to a call. In a box, since drivers nest deeper than whoever awaits all of it can be compiled with.
    pub(super) fn answer<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Raw, SendError>> {
        self.answered(call).boxed()
    }

    async fn answered(&self, call: &Call) -> Result<Raw, SendError> {
        let raw = |status, body: String| Raw {
            status,
            headers: HeaderMap::new(),
            body: body.into_bytes(),
        };
        match tokio::time::timeout(self.limits.total + GRACE, self.carry_out(call)).await {
            Err(_) => Err(SendError::TimedOut),
            Ok(Ok(body)) => Ok(raw(200, body)),
            Ok(Err(Trouble::Silent(error))) => Err(error),
            Ok(Err(Trouble::Said(said))) => Ok(raw(said.status, body_of(said))),
        }
    }

    async fn carry_out(&self, call: &Call) -> Result<String, Trouble> {
        let unknown = |what: &str| SendError::Unsendable {
            reason: format!("the connector has no {what} of this name"),
        };
        let path = call.url.path().trim_matches('/');
        let (name, operation) = path.split_once('/').unwrap_or((path, ""));
        let table = self.tables.get(name).ok_or_else(|| unknown("table"))?;
        let asked = json::parse(call.body.as_deref().unwrap_or(b"{}"), &json::Limits::default());
        let Ok(Value::Map(asked)) = asked else {
            return Err(unknown("body").into());
        };
        let is_write = matches!(operation, "create" | "update" | "delete");
        if is_write && !table.is_writable {
            return Err(unknown("write").into());
        }
        let role = if is_write { Role::Write } else { Role::Read };
        let mut connection = self.take(role).await?;
        let done = self.on(&mut connection, table, operation, &asked).await;
        match &done {
            Ok(_) | Err(Trouble::Said(_) | Trouble::Silent(SendError::Unfit { .. })) => self.put(role, connection),
            // Where one session broke, the others rest on the same broken line.
            Err(Trouble::Silent(_)) => self.state().idle.clear(),
        }
        done
    }

    /// An operation by what is known of its table. What that refuses is looked at anew: somebody may have made the index.
    async fn on(
        &self,
        connection: &mut Connection,
        table: &Table,
        operation: &str,
        asked: &Map,
    ) -> Result<String, Trouble> {
        let known = self.state().known.get(&table.object).cloned();
        if let Some(known) = known {
            match self.operate(connection, table, &known, operation, asked).await {
                Err(Trouble::Silent(SendError::Unfit { .. })) => {}
                done => return done,
            }
        }
        let known = Arc::new(look::look(connection, self.engine(), table).await?);
        self.state().known.insert(table.object.clone(), Arc::clone(&known));
        self.operate(connection, table, &known, operation, asked).await
    }

    /// A session: one that rests, or a new one.
    async fn take(&self, role: Role) -> Result<Connection, Trouble> {
        loop {
            let resting = {
                let mut state = self.state();
                let place = state.idle.iter().rposition(|(own, ..)| *own == role);
                place.map(|place| state.idle.swap_remove(place))
            };
            let Some((_, since, mut connection)) = resting else {
                break;
            };
            // What became of a write on a broken line is not known: it is looked at first.
            let is_fresh = role == Role::Read && since.elapsed() < REST_MAX;
            let is_alive = async { is_fresh || connection.is_alive().await };
            if tokio::time::timeout(self.limits.connect, is_alive).await == Ok(true) {
                connection.limit(self.limits.total);
                return Ok(connection);
            }
        }
        let connection = target::connect(&self.address, role, &self.policy, &self.limits).await?;
        connection.limit(self.limits.total);
        Ok(connection)
    }

    /// Lets a session rest.
    fn put(&self, role: Role, connection: Connection) {
        self.state().idle.push((role, Instant::now(), connection));
    }

    /// The parameters of a statement, each as its column wants it.
    fn params(&self, table: &Table, types: &Types, statement: &Statement) -> Vec<Param> {
        let engine = self.engine();
        let param = |bound: &Bound| operation::param(engine, table, types, bound);
        statement.values.iter().map(param).collect()
    }

    /// How the database carries a statement out, in a few lines without values.
    async fn plan(
        &self,
        connection: &mut Connection,
        table: &Table,
        types: &Types,
        statement: &Statement,
    ) -> Option<String> {
        let explained = statement.explained(self.engine());
        let params = self.params(table, types, &explained);
        let asked = connection.rows(&explained.text, &params, 1 << 20);
        let rows = tokio::time::timeout(PLAN_PATIENCE, asked).await.ok()?.ok()?;
        let lines = rows
            .into_iter()
            .filter_map(|row| row.into_iter().rev().find_map(Cell::into_text));
        let plan: Vec<String> = lines.collect();
        let plan = masked(&plan.join("; "), '\'');
        Some(plan.chars().take(PLAN_CHARS_MAX).collect())
    }

    /// Logs a query that took long, with its plan.
    async fn tell_slow(
        &self,
        connection: &mut Connection,
        table: &Table,
        types: &Types,
        statement: &Statement,
        took: Duration,
    ) {
        if took < self.slow {
            return;
        }
        let is_told = {
            let mut state = self.state();
            let last = state.told.insert(statement.text.clone(), Instant::now());
            last.is_some_and(|last| last.elapsed() < PLAN_EVERY)
        };
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (system, object) = (&self.system, &table.object);
        if is_told {
            tracing::warn!(system, object, took_ms, "a query was slow");
            return;
        }
        connection.limit(PLAN_PATIENCE);
        let plan = self.plan(connection, table, types, statement).await.unwrap_or_default();
        let (query, owner) = (&statement.text, &table.owner);
        tracing::warn!(system, object, took_ms, query, plan, owner, "a query was slow");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What rests there is whole, whatever happened to a thread that held it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer that is none of rows.
fn body_of(said: Said) -> String {
    let mut body = Map::new();
    body.insert("message".to_owned(), Value::Text(said.message));
    body.insert("code".to_owned(), Value::Text(said.code));
    body.insert("passes".to_owned(), Value::Bool(said.passes));
    json::to_string(&Value::Map(body))
}
