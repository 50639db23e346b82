//! One configured system: everything Syncline asks of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures_util::FutureExt as _;
use secrecy::SecretString;
use url::Url;

use super::{
    auth::{self, Authenticator, Identity},
    budget::{Budget, Road, Usage},
    config::{Config, ConfigError},
    exchange::{Errand, Exchange, Refused, Reply},
    lister::{Asked, Lister, Listing, Reader},
    part,
    script::Script,
    sql::{self, Remark, Sql},
    transport::{self, Transport},
    write::Outcome,
};
use crate::core::{
    connector::{
        Connector, List, Object, Operation,
        answer::{Purpose, Taken, take},
        call::Context,
        database::Engine,
        page::Pager,
        request::{BuildError, parse_base},
        spelling::Dialect,
    },
    expr::{Scope, Template},
    fault::Fault,
    record::Record,
    status::{FailureClass, Stage},
    value::{Map, Value, projection::Projection},
};

/// What a system's calls reach.
enum Behind {
    /// What is configured: a network, or a database.
    Network,
    /// Answers that were written down.
    Script(Arc<Script>),
    /// Rows that were written down.
    Rows,
}

/// One configured system. Clones are the same.
#[derive(Clone)]
pub struct System {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System")
            .field("name", &self.inner.exchange.name)
            .finish_non_exhaustive()
    }
}

pub(super) struct Inner {
    pub(super) exchange: Exchange,
    zone: Option<Tz>,
    pub(super) pages_max: u32,
    /// Parts that nobody wants, by object and name.
    pub(super) unwanted_parts: BTreeSet<(String, String)>,
    /// When the certificate ends that its connections show.
    pub(super) certificate_ends_at: Option<DateTime<Utc>>,
}

impl System {
    /// A system by its configuration. Nothing is sent yet.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::build(config, Behind::Network)
    }

    /// The same with answers that were written down beforehand, in place of a network.
    pub fn scripted(config: Config, script: Arc<Script>) -> Result<Self, ConfigError> {
        Self::build(config, Behind::Script(script))
    }

    /// The same with rows that were written down beforehand behind its objects, in place of a database.
    pub async fn with_rows(config: Config, rows: &BTreeMap<String, Vec<Map>>) -> Result<Self, ConfigError> {
        let system = Self::build(config, Behind::Rows)?;
        if let Some(sql) = system.inner.exchange.transport.sql() {
            sql.fill(rows).boxed().await.map_err(ConfigError::Database)?;
        }
        Ok(system)
    }

    fn build(config: Config, behind: Behind) -> Result<Self, ConfigError> {
        let connector = config.connector;
        let settings = connector
            .settings_of(|name| config.settings.get(name).cloned())
            .map_err(ConfigError::Missing)?;
        let settings = Arc::new(Value::Map(settings));
        let mut scope = Scope::new();
        scope.set("settings", Arc::clone(&settings));
        let base = match &connector.database {
            // Its calls have an address among themselves alone.
            Some(_) => Some("http://database.invalid/".to_owned()),
            None => connector.base_url.text(&scope, |text| text).ok().flatten(),
        };
        let base = parse_base(&base.unwrap_or_default()).map_err(|error| ConfigError::BaseUrl(error.to_string()))?;
        let zone = connector
            .types
            .zone_of(&scope)
            .map_err(|error| ConfigError::Zone(error.to_string()))?;
        let limits = config.defaults.with(&connector.limits).with(&config.limits);
        let bounds = transport::Limits {
            connect: limits.connect_timeout,
            idle: limits.idle_timeout,
            total: limits.timeout,
            body_bytes_max: limits.body_bytes_max,
        };
        let identity = identity(&connector, &config.credentials, &scope)?;
        let certificate_ends_at = identity.as_ref().and_then(Identity::ends_at);
        let parts = sql::Parts {
            system: config.name.clone(),
            connector: Arc::clone(&connector),
            policy: config.network.clone(),
            limits: bounds,
            slow: limits.slow_query,
            zone,
        };
        let auth = Authenticator::new(config.credentials.clone(), config.tokens);
        let transport = match (behind, &connector.database) {
            (Behind::Script(script), _) => Transport::scripted(script, bounds),
            (Behind::Rows, _) => {
                let sql = Sql::rehearsing(parts).map_err(ConfigError::Database)?;
                Transport::database(sql, bounds)
            }
            (Behind::Network, Some(database)) => {
                let sql = connected(parts, database.engine, config.credentials.get("url"), &auth)?;
                Transport::database(sql, bounds)
            }
            (Behind::Network, None) => Transport::new(config.network, bounds, identity)
                .map_err(|error| ConfigError::Transport(error.to_string()))?,
        };
        let exchange = Exchange {
            budget: Budget::new(&config.name, &limits, config.quota, config.clock.clone()),
            name: config.name,
            base,
            settings,
            transport,
            auth,
            clock: config.clock,
            attempts_max: limits.attempts_max,
            depth_max: limits.depth_max,
            connector,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                exchange,
                zone,
                pages_max: limits.pages_max,
                unwanted_parts: config.unwanted_parts,
                certificate_ends_at,
            }),
        })
    }

    /// What kind of system it is.
    #[must_use]
    pub fn connector(&self) -> &Arc<Connector> {
        &self.inner.exchange.connector
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.exchange.name
    }

    /// Its settings, with the connector's defaults, as templates see them.
    #[must_use]
    pub fn settings(&self) -> &Arc<Value> {
        &self.inner.exchange.settings
    }

    /// The address that paths are appended to.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.inner.exchange.base
    }

    /// Where it is reached, without a path: `https://crm.example.com`; the database and no more of its address where it is one.
    #[must_use]
    pub fn origin(&self) -> String {
        if let Some(sql) = self.inner.exchange.transport.sql() {
            return sql.place().to_owned();
        }
        self.inner.exchange.base.origin().ascii_serialization()
    }

    /// What deserves a look of the tables behind these objects; nothing where it is no database.
    pub async fn inspect(&self, objects: &[&str]) -> Vec<Remark> {
        match self.inner.exchange.transport.sql() {
            Some(sql) => sql.inspect(objects).boxed().await,
            None => Vec::new(),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.inner.exchange.clock.now()
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// How its budget stands.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.inner.exchange.budget.usage()
    }

    /// When its token is renewed, where it has one that ends; none is known before the first request, and while somebody
    /// signs in.
    #[must_use]
    pub fn token_renews_at(&self) -> Option<DateTime<Utc>> {
        self.inner.exchange.auth.renews_at()
    }

    /// Gives back what was taken of the daily quota and not sent: for a process that ends.
    pub async fn give_back_quota(&self) {
        self.inner.exchange.budget.give_back().await;
    }

    /// Whether it pushes its changes.
    #[must_use]
    pub fn sends_events(&self) -> bool {
        self.connector().webhooks.is_some()
    }

    /// A record as an event carries it; none where it is none of this object.
    #[must_use]
    pub fn pushed(&self, object: &str, fields: Map) -> Option<Record> {
        let object = self.connector().objects.get(object)?;
        // No push carries what belongs to a record: it is read.
        if self.inner.parts_of(object).next().is_some() {
            return None;
        }
        object.record(fields, &Map::new(), &self.inner.dialect()).ok()
    }

    /// How far an incremental read goes back behind the last one.
    #[must_use]
    pub fn overlap(&self, object: &str) -> Duration {
        let list = self
            .connector()
            .objects
            .get(object)
            .and_then(|object| object.listing(true));
        list.map_or(Duration::from_mins(2), |list| list.overlap)
    }

    /// Whether records can be found by a field.
    #[must_use]
    pub fn can_find(&self, object: &str, field: &str) -> bool {
        self.connector()
            .objects
            .get(object)
            .is_some_and(|object| object.can_find(field))
    }

    /// Begins a listing. The first page is on its way at once.
    #[must_use]
    pub fn list(&self, object: &str, listing: Listing, road: Road) -> Lister {
        self.list_as(object, listing, road, |records| records)
    }

    /// The same with what `make` makes of the records of each page. It runs where pages are read, and must not block.
    #[must_use]
    pub fn list_as<T: Send + 'static>(
        &self,
        object: &str,
        listing: Listing,
        road: Road,
        make: impl Fn(Vec<Record>) -> T + Send + Sync + 'static,
    ) -> Lister<T> {
        match self.reader(object, listing, road) {
            Ok(reader) => Lister::start(reader, Arc::new(make)),
            Err(refused) => Lister::failing(refused.fault, Arc::new(make)),
        }
    }

    pub(super) fn reader(&self, name: &str, listing: Listing, road: Road) -> Result<Reader, Refused> {
        let object = self.inner.object(name)?;
        let list = object
            .listing(listing.since.is_some())
            .ok_or_else(|| self.inner.unable(name, "list"))?;
        let pager = self.inner.pager(list)?;
        let pager = match &listing.resume {
            Some(text) => pager.resumed(text),
            None => pager,
        };
        let projection = listing
            .projection
            .map_or_else(Projection::all, |wanted| object.projection(&wanted));
        let asked = Asked {
            system: Arc::clone(&self.inner),
            object: name.to_owned(),
            since: listing.since,
            projection,
            of_parents: None,
            names: listing.names,
            road,
        };
        Ok(Reader {
            asked: Arc::new(asked),
            pager,
            is_ended: false,
        })
    }

    /// Reads one record; `None` where the system says that there is none.
    pub async fn get(&self, object: &str, id: &str, road: Road) -> Result<Option<Record>, Fault> {
        let inner = &self.inner;
        let read = async {
            let known = inner.object(object)?;
            let get = known.get.as_ref().ok_or_else(|| inner.unable(object, "get"))?;
            let call = inner.with_context(|context| context.get(known, get, id))?;
            let errand = Errand {
                purpose: Purpose::Get,
                object,
                road,
                records: None,
            };
            let reply = inner.exchange.call(errand, call).await?;
            // Only a stated `null` says that there is none; silence says nothing.
            if reply.raw.is_blank() {
                return Err(inner.bad_answer(object, "it is empty"));
            }
            let found = inner.record(known, get, reply)?;
            if let Some(record) = &found
                && !is_same_id(id, &record.id)
            {
                return Err(inner.another(object, id, &record.id));
            }
            let mut records: Vec<Record> = found.into_iter().collect();
            part::embed(inner, known, &mut records, None, road).await?;
            Ok(records.pop())
        };
        match read.await {
            Ok(found) => Ok(found),
            Err(Refused {
                outcome: Outcome::Missing,
                ..
            }) => Ok(None),
            Err(refused) => Err(refused.fault),
        }
    }

    /// Finds records by one field's value.
    pub async fn find(&self, object: &str, field: &str, value: &Value, road: Road) -> Result<Vec<Record>, Fault> {
        let inner = &self.inner;
        let find = async {
            let mut found = inner.find(object, field, value, road).await?;
            part::embed(inner, inner.object(object)?, &mut found, None, road).await?;
            Ok(found)
        };
        match find.await {
            Ok(found) => Ok(found),
            // Only a rule of the connector says so of a search.
            Err(Refused {
                outcome: Outcome::Missing,
                ..
            }) => Ok(Vec::new()),
            Err(refused) => Err(refused.fault),
        }
    }
}

/// Whether two ids name one record: in another case, with zeros before it, or as Salesforce's short form of 15 characters.
fn is_same_id(asked: &str, answered: &str) -> bool {
    let is_number = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let without_zeros = |id: &str| id.trim_start_matches('0').to_owned();
    asked.eq_ignore_ascii_case(answered)
        || (is_number(asked) && is_number(answered) && without_zeros(asked) == without_zeros(answered))
        || (asked.len() == 15 && answered.len() == 18 && answered.starts_with(asked))
}

/// The database at this address; its password is a secret from now on.
fn connected(
    parts: sql::Parts,
    engine: Engine,
    url: Option<&SecretString>,
    auth: &Authenticator,
) -> Result<Sql, ConfigError> {
    let missing = || ConfigError::Database("the credential `url` is missing".to_owned());
    let sql = Sql::new(parts, engine, url.ok_or_else(missing)?).map_err(ConfigError::Database)?;
    if let Some(password) = sql.password() {
        auth.secrets().add(password);
    }
    Ok(sql)
}

/// What connections show, where the connector wants that.
fn identity(
    connector: &Connector,
    credentials: &BTreeMap<String, SecretString>,
    scope: &Scope,
) -> Result<Option<Identity>, ConfigError> {
    let Some(form) = &connector.client_certificate else {
        return Ok(None);
    };
    let scope = scope.clone().with("credentials", auth::as_map(credentials));
    let text = |template: &Template| {
        let text = template.text(&scope, |text| text);
        text.ok().flatten().unwrap_or_default()
    };
    Identity::read(&text(&form.certificate), &text(&form.key))
        .map(Some)
        .map_err(|error| ConfigError::ClientCertificate(error.to_string()))
}

fn unbuildable(system: &str, error: &BuildError) -> Refused {
    let message = format!("system `{system}`: the request cannot be built: {error}");
    let fault = Fault::new("RQ003", FailureClass::Mapping, Stage::Write, message)
        .with_hint("correct the connector's templates, or the value");
    Refused {
        fault,
        outcome: Outcome::NotWritten,
    }
}

impl Inner {
    pub(super) fn dialect(&self) -> Dialect<'_> {
        self.exchange.connector.types.dialect(self.zone)
    }

    pub(super) fn object(&self, name: &str) -> Result<&Object, Refused> {
        self.exchange
            .connector
            .objects
            .get(name)
            .ok_or_else(|| self.unable(name, "object"))
    }

    /// The connector does not know how.
    pub(super) fn unable(&self, object: &str, what: &str) -> Refused {
        let message = format!(
            "connector `{}` has no `{what}` for `{object}`",
            self.exchange.connector.name
        );
        let fault = Fault::new("RQ031", FailureClass::Rejected, Stage::Fetch, message)
            .with_hint("add the operation to the connector; `syncline check` finds such gaps");
        Refused {
            fault,
            outcome: Outcome::NotWritten,
        }
    }

    pub(super) fn bad_answer(&self, object: &str, message: &str) -> Refused {
        let message = format!(
            "system `{}`, `{object}`: the answer is not what the connector describes: {message}",
            self.exchange.name
        );
        let fault = Fault::new("RQ032", FailureClass::Rejected, Stage::Decode, message)
            .with_hint("compare the connector with the system's documentation: `records:`, `record:`, `id:`, `page:`");
        Refused {
            fault,
            outcome: Outcome::Unknown,
        }
    }

    /// The answer is about another record than was asked for: whoever took it would write the one's values into the other's
    /// partner.
    fn another(&self, object: &str, asked: &str, answered: &str) -> Refused {
        let name = &self.exchange.name;
        let message = format!("system `{name}`, `{object}`: asked for `{asked}`, it answered with record `{answered}`");
        let fault = Fault::new("RQ034", FailureClass::Rejected, Stage::Decode, message).with_hint(
            "`get:` of the connector must ask for this id and nothing else; if the record was merged into the other one, \
             `syncline links relink`",
        );
        Refused {
            fault,
            outcome: Outcome::Unknown,
        }
    }

    pub(super) fn with_context<T>(
        &self,
        build: impl FnOnce(&Context<'_>) -> Result<T, BuildError>,
    ) -> Result<T, Refused> {
        let dialect = self.dialect();
        let context = Context {
            connector: &self.exchange.connector,
            base: &self.exchange.base,
            settings: &self.exchange.settings,
            dialect: &dialect,
        };
        build(&context).map_err(|error| unbuildable(&self.exchange.name, &error))
    }

    /// The beginning of a listing.
    pub(super) fn pager(&self, list: &List) -> Result<Pager, Refused> {
        let size = self.with_context(|context| context.page_size(list))?;
        let base = self.exchange.base.clone();
        Ok(Pager::new(list.paging.clone(), size, self.pages_max, base))
    }

    pub(super) fn record(
        &self,
        object: &Object,
        operation: &Operation,
        reply: Reply,
    ) -> Result<Option<Record>, Refused> {
        match take(reply.body, &operation.record).map_err(|error| self.bad_answer(&object.name, &error.to_string()))? {
            Taken::Nothing => Ok(None),
            Taken::Found(fields) => {
                let record = object.record(fields, &reply.headers, &self.dialect());
                record
                    .map(Some)
                    .map_err(|error| self.bad_answer(&object.name, &error.to_string()))
            }
        }
    }

    async fn find(&self, name: &str, field: &str, value: &Value, road: Road) -> Result<Vec<Record>, Refused> {
        let object = self.object(name)?;
        let find = object.find.as_ref().ok_or_else(|| self.unable(name, "find"))?;
        let call = self.with_context(|context| context.find(object, find, field, value))?;
        let errand = Errand {
            purpose: Purpose::Find,
            object: name,
            road,
            records: None,
        };
        let reply = self.exchange.call(errand, call).await?;
        let records = match find.records.get(&reply.body).and_then(Value::as_list) {
            Some(records) => records,
            None if find.may_lack_records => &[],
            // "No list" is not "none found": a second record would be made of it.
            None => return Err(self.bad_answer(name, &format!("there is no list at `{}`", find.records))),
        };
        let dialect = self.dialect();
        let read = |item: &Value| match find.record.get(item).unwrap_or(&Value::Null) {
            Value::Map(fields) => {
                let record = object.record(fields.clone(), &Map::new(), &dialect);
                record.map_err(|error| self.bad_answer(name, &error.to_string()))
            }
            other => Err(self.bad_answer(
                name,
                &format!("a {} stands where a record should be", other.type_name()),
            )),
        };
        records.iter().map(read).collect()
    }
}
