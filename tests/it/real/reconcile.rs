//! A reconciliation beside the daemon, as `syncline reconcile` does it.

use std::collections::BTreeMap;

use syncline::{
    catalog::load::{Catalog, Sources, SystemDecl},
    clock::Clock,
    core::status::{RunKind, Trigger},
    settings::{self, Source, Variables},
    store::{Access, Options, Store, key},
    sync::reconcile::{self, Report, Request},
    worker::assembly,
};
use tokio_util::sync::CancellationToken;

use super::daemon::MAPPING;
use crate::support::place::Place;

impl Place {
    /// Compares both systems and repairs what differs.
    pub async fn reconcile(&self, kind: RunKind) -> Report {
        self.reconcile_by(MAPPING, kind).await
    }

    /// The same by another mapping than that of the daemon's tests.
    pub async fn reconcile_by(&self, mapping: &str, kind: RunKind) -> Report {
        let source = Source {
            folder: self.path().join("config"),
            environment: settings::DEV.to_owned(),
            variables: Variables::from_iter([]),
        };
        let clock = Clock::system();
        let (settings, _) = settings::load(&source, clock.now()).unwrap();
        let declare = |(name, system): (&String, &settings::System)| {
            let declared = SystemDecl {
                connector: system.connector.clone(),
                settings: system.settings.clone(),
                credentials: system.credentials.keys().cloned().collect(),
                webhook_secrets: 0,
                origin: "the settings".to_owned(),
                ..SystemDecl::default()
            };
            (name.clone(), declared)
        };
        let systems: BTreeMap<_, _> = settings.systems.iter().map(declare).collect();
        let loaded = Catalog::load(&Sources {
            connectors_dir: &settings.folders.connectors,
            mappings_dir: &settings.folders.mappings,
            systems: &systems,
        });
        assert!(loaded.is_ok());
        let keys = key::load_or_create(&self.path().join("data.key")).unwrap();
        let file = self.path().join("syncline.db");
        let url = format!("sqlite://{}", file.display());
        let options = Options {
            // Where no daemon was ever started, there is no database yet.
            access: if file.exists() { Access::Shared } else { Access::Daemon },
            node: "real".into(),
            ..Options::new(url, keys)
        };
        let store = Store::open(&options).await.unwrap();
        let engine = assembly::engine(&settings, &loaded.catalog, store.clone(), clock).unwrap();
        let mapping = engine.mapping(mapping).unwrap();
        let request = Request {
            kind,
            trigger: Trigger::Person,
            repair: true,
        };
        let report = reconcile::reconcile(&engine, mapping, request, &CancellationToken::new())
            .await
            .unwrap();
        store.close().await;
        report
    }
}
