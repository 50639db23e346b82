//! Notices from what is seen to what a receiver has in its hands: real store, real HTTP and SMTP, a clock that is set by hand.

mod deliver;
mod mail;
mod signature;
mod starttls;
mod watch;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value as Json;
use syncline::{
    catalog::load::{Catalog, Sources, SystemDecl},
    core::{
        drift::Summary,
        fault::Fault,
        status::{Cause, FailureClass, RunKind, RunStatus, Situation, Stage, Trigger},
    },
    settings::{self, Settings, Source, Variables},
    store::{
        Page, Store,
        notice::{Notice, NoticeFilter},
        run::NewRun,
    },
    worker::{Signs, assembly, notify::Notifier},
};

use crate::support::{
    database::Database,
    loopback::{Loopback, Reply, Seen},
};

/// The secrets that tests sign with.
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const CUSTOMER: &str = "customer-account";

/// Settings between the sandbox's systems, none of which is there, laid over by `more` (TOML).
fn settings(database: &Database, more: &str) -> Settings {
    let root = env!("CARGO_MANIFEST_DIR");
    let text = format!(
        r#"
        [folders]
        connectors = "{root}/connectors"
        mappings = "{root}/mappings"
        [systems.erp]
        connector = "sandbox-erp"
        settings = {{ base_url = "http://127.0.0.1:1" }}
        credentials = {{ api_key = "key" }}
        [systems.crm]
        connector = "sandbox-crm"
        settings = {{ base_url = "http://127.0.0.1:1" }}
        credentials = {{ client_id = "syncline", client_secret = "secret" }}
        {more}
        "#
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dev.toml"), text).unwrap();
    let source = Source {
        folder: folder.path().to_owned(),
        environment: "dev".to_owned(),
        variables: Variables::from_iter([("OLD".to_owned(), OLD.to_owned()), ("NEW".to_owned(), NEW.to_owned())]),
    };
    settings::load(&source, database.clock().now()).unwrap().0
}

fn catalog(settings: &Settings) -> Catalog {
    let declare = |(name, system): (&String, &settings::System)| {
        let declared = SystemDecl {
            connector: system.connector.clone(),
            settings: system.settings.clone(),
            credentials: system.credentials.keys().cloned().collect(),
            ..SystemDecl::default()
        };
        (name.clone(), declared)
    };
    let systems: BTreeMap<_, _> = settings.systems.iter().map(declare).collect();
    let sources = Sources {
        connectors_dir: &settings.folders.connectors,
        mappings_dir: &settings.folders.mappings,
        systems: &systems,
    };
    Catalog::load(&sources).catalog
}

/// One node that watches and sends.
struct Node {
    store: Store,
    signs: Signs,
    notifier: Notifier,
}

impl Node {
    fn of(store: Store, settings: Settings) -> Self {
        let catalog = catalog(&settings);
        let clock = store.clock().clone();
        let engine = assembly::engine(&settings, &catalog, store.clone(), clock).unwrap();
        assert!(engine.mapping(CUSTOMER).is_some(), "the mappings are loaded");
        let signs = Signs::default();
        let notifier = Notifier::new(engine, Arc::new(settings), signs.clone()).unwrap();
        Self { store, signs, notifier }
    }

    async fn start(database: &Database, more: &str) -> Self {
        Self::of(database.open().await, settings(database, more))
    }

    async fn beside(database: &Database, name: &str, more: &str) -> Self {
        Self::of(database.open_beside(name).await, settings(database, more))
    }

    async fn watch(&self) -> usize {
        self.notifier.watch().await.unwrap()
    }

    /// Sends until nothing is due.
    async fn deliver(&self) -> usize {
        let mut tried = 0;
        loop {
            match self.notifier.deliver().await.unwrap() {
                0 => return tried,
                more => tried += more,
            }
        }
    }

    /// Everything that was told, oldest first, by type.
    async fn told(&self) -> Vec<String> {
        let all = self.notices().await.into_iter();
        all.map(|notice| format!("{}.{} {}", notice.condition, notice.state, notice.subject))
            .collect()
    }

    async fn notices(&self) -> Vec<Notice> {
        let page = Page::first(1_000);
        let mut all = self.store.notices(&NoticeFilter::default(), page).await.unwrap();
        all.reverse();
        all
    }

    /// A reconciliation that found this.
    async fn report(&self, mapping: &str, drifted: u64, records: u64) -> i64 {
        let run_id = self.run(mapping).await;
        let summary = Summary {
            left_records: records,
            right_records: records,
            situations: BTreeMap::from([(Situation::Differs, drifted), (Situation::InSync, records - drifted)]),
            causes: BTreeMap::from([(Cause::EventMissed, drifted)]),
            complete: true,
            ..Summary::default()
        };
        let summary = serde_json::to_string(&summary).unwrap();
        self.store.save_drift_summary(run_id, mapping, &summary).await.unwrap();
        self.store.finish_run(run_id, RunStatus::Succeeded, None).await.unwrap();
        run_id
    }

    async fn run(&self, mapping: &str) -> i64 {
        let run = NewRun {
            kind: RunKind::Reconcile,
            mapping: Some(mapping.into()),
            trigger: Trigger::Schedule,
            note: None,
            job_key: None,
        };
        self.store.start_run(&run).await.unwrap()
    }

    fn pause(&self, mapping: &str) {
        let fault = Fault::new("AU001", FailureClass::Auth, Stage::Fetch, "system `crm`: not let in");
        self.signs.pauses.pause(mapping, &fault);
    }
}

/// A receiver that answers as told, and the settings that make it the target `ops`.
async fn receiver(replies: impl IntoIterator<Item = Reply>) -> (Loopback, String) {
    let receiver = Loopback::answering(replies).await;
    let settings = format!(
        r#"
        [notify.webhooks.ops]
        url = "{}/hook"
        secrets = [{{ env = "NEW" }}]
        allow_networks = ["127.0.0.0/8"]
        "#,
        receiver.url()
    );
    (receiver, settings)
}

/// The types that came, in order.
fn types(seen: &[Seen]) -> Vec<String> {
    let kind = |seen: &Seen| seen.json()["type"].as_str().unwrap().to_owned();
    seen.iter().map(kind).collect()
}

/// The payload of a stored notice.
fn payload(notice: &Notice) -> Json {
    serde_json::from_str(&notice.payload).unwrap()
}
