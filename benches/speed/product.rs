//! Syncline as it is built in production, over the two systems of [`crate::server`]: real files, real settings, real store.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use syncline::{
    catalog::{
        diagnostic,
        load::{Catalog, Sources, SystemDecl},
    },
    clock::Clock,
    core::{
        diff,
        mapping::Mapping,
        record::{Base, BaseField, Record},
        status::Side,
        value::{Map, Value, json},
        webhook::Secret,
    },
    metrics::Metrics,
    server::{App, Hook, Parts},
    settings::{self, Settings, Source, Variables},
    store::{
        Keys, Op, Options, Store,
        link::{Agreement, NewLink},
    },
    sync::Engine,
    worker::assembly,
};
use tokio_util::sync::CancellationToken;

use crate::record;

/// What the webhooks of the left system are signed with.
pub const SECRET: &str = "bench-webhook-secret";
/// The mapping.
pub const MAPPING: &str = "item";

/// The connectors and the mapping, for systems at `url`. With `is_batching` the right side takes many records at once.
pub fn write_files(folder: &Path, url: &str, is_batching: bool) -> Result<()> {
    for name in ["config", "connectors", "mappings"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let batch = if is_batching { BATCH } else { "" };
    fs::write(folder.join("connectors/bench-left.yaml"), LEFT)?;
    fs::write(folder.join("connectors/bench-right.yaml"), format!("{RIGHT}{batch}"))?;
    fs::write(folder.join("mappings/item.yaml"), ITEM)?;
    let system = |name: &str, secrets: &str| {
        format!(
            "[systems.{name}]\nconnector = \"bench-{name}\"\nsettings = {{ base_url = \"{url}\" }}\n{secrets}\
             allow_networks = [\"127.0.0.0/8\"]\n"
        )
    };
    let config = format!(
        "[node]\nname = \"bench\"\n[keys]\ndata = {{ file = \"{folder}/data.key\" }}\n[folders]\n\
         connectors = \"{folder}/connectors\"\nmappings = \"{folder}/mappings\"\n{}{}",
        system("left", &format!("webhook_secrets = [\"{SECRET}\"]\n")),
        system("right", ""),
        folder = folder.display(),
    );
    fs::write(folder.join("config/dev.toml"), config)?;
    Ok(())
}

/// As many systems on each side, each with a connector of its own, and mappings between them; nothing is reached.
pub fn write_many(folder: &Path, systems: usize, mappings: usize) -> Result<()> {
    for name in ["config", "connectors", "mappings"] {
        fs::remove_dir_all(folder.join(name))?;
        fs::create_dir_all(folder.join(name))?;
    }
    let mut config = "[schedule]\nenabled = false\n".to_owned();
    for number in 0..systems {
        for (side, text) in [("left", LEFT), ("right", RIGHT)] {
            let connector = format!("bench-{side}{number}");
            let text = text.replace(&format!("bench-{side}"), &connector);
            fs::write(folder.join(format!("connectors/{connector}.yaml")), text)?;
            let secrets = if side == "left" {
                format!("webhook_secrets = [\"{SECRET}\"]\n")
            } else {
                String::new()
            };
            write!(
                config,
                "[systems.{side}{number}]\nconnector = \"{connector}\"\n\
                 settings = {{ base_url = \"https://{side}{number}.example.com\" }}\n{secrets}"
            )?;
        }
    }
    for number in 0..mappings {
        let (left, right) = (number % systems, (number + number / systems) % systems);
        let text = ITEM
            .replace("left", &format!("left{left}"))
            .replace("right", &format!("right{right}"))
            .replace("mapping: item", &format!("mapping: item-{number}"));
        fs::write(folder.join(format!("mappings/item-{number}.yaml")), text)?;
    }
    fs::write(folder.join("config/dev.toml"), config)?;
    Ok(())
}

const LEFT: &str = r#"
connector: bench-left
settings:
  base_url: { type: url }
base_url: "{{ settings.base_url }}/l"
limits: { concurrency: 32 }
objects:
  item:
    id: id
    updated_at: updated
    fields:
      id: integer
      credit_limit: decimal(2)
      updated: datetime
    list:
      get: /items
      query: { limit: "{{ page.size }}" }
      records: items
      page: { offset: 0, send: { query: offset }, size: 1000, total: total }
    get: { get: "/items/{{ id }}" }
webhooks:
  verify: { hmac: sha256, header: X-Signature }
  events: "{{ body.events }}"
  id: "{{ event.id }}"
  object: "{{ event.entity }}"
  record_id: "{{ event.record }}"
  kind: "{{ event.type }}"
"#;

const RIGHT: &str = r#"
connector: bench-right
settings:
  base_url: { type: url }
base_url: "{{ settings.base_url }}/r"
limits: { concurrency: 33 }
objects:
  item:
    id: Id
    updated_at: ModifiedAt
    version: Version
    fields:
      Id: { type: text, access: read_only }
      CreditLimit: decimal(2)
      ModifiedAt: { type: datetime, access: read_only }
      Version: { type: integer, access: read_only }
    list:
      get: /items
      query: { limit: "{{ page.size }}" }
      records: items
      page: { offset: 0, send: { query: offset }, size: 1000, total: total }
    find: { get: /items, query: { Key: "{{ value }}" }, fields: [Key], records: items }
    get: { get: "/items/{{ id }}" }
    create: { post: /items, body: "{{ record }}", idempotency: "header:Idempotency-Key" }
    update: { patch: "/items/{{ id }}", body: "{{ changes }}" }
"#;

const BATCH: &str = r#"    batch:
      create:
        post: /items/batch
        body: { items: "{{ records }}" }
        size: 200
        results: results
        index: "{{ result.index }}"
        ok: "{{ result.status < 300 }}"
        id: "{{ result.id }}"
"#;

/// Eight fields, from the left to the right.
const ITEM: &str = r#"
mapping: item
between: { left: item, right: item }
direction: "left -> right"
match:
  - { left: key, right: Key }
fields:
  - { left: key, right: Key }
  - { left: name, right: Name }
  - { left: status, right: Status, values: { active: Active, blocked: Inactive } }
  - { left: tax_id, right: VatNumber }
  - { left: email, right: Email, compare: caseless, sensitive: yes }
  - { left: phone, right: Phone, sensitive: yes }
  - { left: credit_limit, right: CreditLimit, type: decimal(2) }
  - { left: city, right: City }
prefer: left
create: { right: yes }
"#;

/// Everything that works on records, and what it was made of.
pub struct Product {
    /// Its own data.
    pub store: Store,
    /// What works on records.
    pub engine: Engine,
    settings: Arc<Settings>,
    catalog: Catalog,
}

impl Product {
    /// Puts it together from the files in `folder`.
    pub async fn open(folder: &Path, store_url: &str) -> Result<Self> {
        let clock = Clock::system();
        let source = Source {
            folder: folder.join("config"),
            environment: settings::DEV.to_owned(),
            variables: Variables::from_iter([]),
        };
        let loaded = settings::load(&source, clock.now());
        let (settings, _) = loaded.map_err(|problems| {
            anyhow::anyhow!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        let systems = declared(&settings);
        let loaded = Catalog::load(&Sources {
            connectors_dir: &settings.folders.connectors,
            mappings_dir: &settings.folders.mappings,
            systems: &systems,
        });
        ensure!(loaded.is_ok(), "{}", diagnostic::to_json_lines(&loaded.diagnostics));
        let options = Options {
            clock: clock.clone(),
            ..Options::new(store_url, Keys::derive(&[7; 32]))
        };
        let store = Store::open(&options).await?;
        let engine = assembly::engine(&settings, &loaded.catalog, store.clone(), clock)?;
        Ok(Self {
            store,
            engine,
            settings: Arc::new(settings),
            catalog: loaded.catalog,
        })
    }

    /// The mapping.
    pub fn mapping(&self) -> Result<&Arc<Mapping>> {
        self.engine.mapping(MAPPING).context("the mapping is not loaded")
    }

    /// The HTTP side.
    pub fn app(&self) -> Result<App> {
        let system = self.settings.systems.get("left").context("no left system")?;
        let connector = self.catalog.connector_of("left").context("no left connector")?;
        let definition = connector
            .webhooks
            .clone()
            .context("the left system sends no webhooks")?;
        let mut secrets = Vec::new();
        for given in &system.webhook_secrets {
            let text = given.secret.read(&self.settings.variables)?;
            secrets.push(Secret::parse(definition.recipe(), &text)?);
        }
        let given: Map = system
            .settings
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.clone())))
            .collect();
        let mappings = self.catalog.mappings.clone();
        let hook = Hook::new("left", definition, secrets, Arc::new(Value::Map(given)), &mappings);
        Ok(App::new(Parts {
            engine: self.engine.clone(),
            settings: Arc::clone(&self.settings),
            hooks: BTreeMap::from([("left".to_owned(), hook)]),
            metrics: Metrics::new(),
            shutdown: CancellationToken::new(),
        }))
    }

    /// Links the first `count` records of both sides as they are, as if a sync had done it.
    pub async fn link(&self, count: usize) -> Result<()> {
        self.link_where(count, |_| true).await
    }

    /// Links those of the first `count` records of both sides that are wanted, as if they had been equal when a sync did it.
    pub async fn link_where(&self, count: usize, is_wanted: impl Fn(usize) -> bool) -> Result<()> {
        let mapping = self.mapping()?;
        for first in (1..=count).step_by(1_000) {
            let numbers = (first..=(first + 999).min(count)).filter(|number| is_wanted(*number));
            let links: Result<Vec<Op>> = numbers.map(|number| self.new_link(mapping, number)).collect();
            self.store.commit(links?).await?;
        }
        Ok(())
    }

    /// A record as the connector of its side reads it.
    fn record(&self, mapping: &Mapping, side: Side, bytes: &[u8]) -> Result<Record> {
        let connector = self.engine.end(mapping, side)?.connector();
        let object = connector.objects.get("item").context("no such object")?;
        let Value::Map(fields) = json::parse(bytes, &json::Limits::default())? else {
            anyhow::bail!("no record");
        };
        Ok(object.record(fields, &Map::new(), &connector.types.dialect(None))?)
    }

    fn new_link(&self, mapping: &Mapping, number: usize) -> Result<Op> {
        let left = self.record(mapping, Side::Left, &record::left(number))?;
        let right = self.record(mapping, Side::Right, &record::right(number))?;
        let hashes = |side, record| diff::hashes(self.engine.key(), mapping, side, record).collect::<Vec<_>>();
        let pairs = hashes(Side::Left, &left).into_iter().zip(hashes(Side::Right, &right));
        let fields = mapping.fields.iter().zip(pairs).filter_map(|(field, (left, right))| {
            Some(BaseField {
                definition: field.definition,
                left: left?,
                right: right?,
            })
        });
        Ok(Op::PutLink(NewLink {
            mapping: Arc::from(MAPPING),
            left_id: left.id.clone(),
            right_id: right.id.clone(),
            agreement: Agreement {
                base: Base::new(fields.collect()),
                right_version: Some("1".to_owned()),
                ..Agreement::default()
            },
        }))
    }
}

fn declared(settings: &Settings) -> BTreeMap<String, SystemDecl> {
    let declare = |(name, system): (&String, &settings::System)| {
        let declared = SystemDecl {
            connector: system.connector.clone(),
            settings: system.settings.clone(),
            credentials: system.credentials.keys().cloned().collect(),
            webhook_secrets: system.webhook_secrets.len(),
            origin: "the bench".to_owned(),
            ..SystemDecl::default()
        };
        (name.clone(), declared)
    };
    settings.systems.iter().map(declare).collect()
}
