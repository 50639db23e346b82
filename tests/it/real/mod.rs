//! A real ERP (Tryton) and a real CRM (an OData service of SAP CAP), kept in step by the real daemon: 300 parties and
//! customers, edited on both sides, through kills of the daemon at the worst moments.
//!
//! `tests/real` has the scripts that install and start the two systems. Where they are not installed the test says so and
//! is skipped; in CI they must be there. Everything asserted about records is read from the systems themselves.

mod accessibility;
mod api;
mod console;
mod daemon;
mod describe;
mod gate;
mod graphql_soap;
mod kinto;
mod oidc;
mod party;
mod reconcile;
mod recording;
mod story;
pub mod system;
mod token;
mod xml_rpc;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};

use daemon::MAPPING;
use gate::Gate;
use system::{Book, Odata, Server, Tryton};

use crate::support::place::Place;

/// The longest wait for anything. A slow machine takes its time; only a fault takes all of it.
const LIMIT: Duration = Duration::from_secs(120);
/// How often an observable is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Which of the two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Erp,
    Crm,
}

/// What a record should be on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    name: String,
    active: bool,
}

/// Both systems, a gate in front of each, and the daemon's folder.
struct Scene {
    erp: Tryton,
    crm: Odata,
    erp_gate: Gate,
    crm_gate: Gate,
    place: Place,
    /// By code, what both sides should hold in the end.
    wanted: BTreeMap<String, Wanted>,
    /// The codes of pairs that are listed as a conflict or a pending delete, and stay as they are.
    apart: BTreeSet<String>,
    /// Ids by code, learnt from the systems.
    ids: [BTreeMap<String, String>; 2],
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Starts both systems; none where they are not installed.
    async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();
        let beside = path.clone();
        let (erp, crm) = tokio::join!(
            tokio::task::spawn_blocking(move || Server::start("tryton", &path)),
            tokio::task::spawn_blocking(move || Server::start("cap-odata", &beside)),
        );
        let (erp, crm) = (Tryton::new(erp.unwrap()?), Odata::new(crm.unwrap()?));
        let erp_gate = Gate::open(&erp.server.url, disturb_party).await;
        let crm_gate = Gate::open(&crm.server.url, disturb_customer).await;
        let place = daemon::place(&erp_gate.url, &crm_gate.url);
        let mut scene = Self {
            erp,
            crm,
            erp_gate,
            crm_gate,
            place,
            wanted: BTreeMap::new(),
            apart: BTreeSet::new(),
            ids: Default::default(),
            _folder: folder,
        };
        let (erp, crm) = scene.books().await;
        assert_eq!((erp.len(), crm.len()), (300, 300), "the scripts fill both systems");
        let want = |(code, seen): (String, system::Seen)| {
            let wanted = Wanted {
                name: seen.name,
                active: seen.active,
            };
            (code, wanted)
        };
        scene.wanted = erp.into_iter().map(want).collect();
        Some(scene)
    }

    /// What both systems hold this moment.
    async fn books(&mut self) -> (Book, Book) {
        let (erp, crm) = tokio::join!(self.erp.book(), self.crm.book());
        let ids = |book: &Book| {
            book.iter()
                .map(|(code, seen)| (code.clone(), seen.id.clone()))
                .collect()
        };
        self.ids = [ids(&erp), ids(&crm)];
        (erp, crm)
    }

    /// The codes whose records are not on both sides as they should be, but for those that are listed.
    async fn astray(&mut self) -> BTreeSet<String> {
        let (erp, crm) = self.books().await;
        let is_right = |book: &Book, code: &String, wanted: &Wanted| {
            book.get(code)
                .is_some_and(|seen| seen.name == wanted.name && seen.active == wanted.active)
        };
        let known: BTreeSet<&String> = erp.keys().chain(crm.keys()).chain(self.wanted.keys()).collect();
        let is_astray = |code: &&String| match self.wanted.get(*code) {
            Some(wanted) => !is_right(&erp, code, wanted) || !is_right(&crm, code, wanted),
            None => true,
        };
        let astray = known
            .into_iter()
            .filter(|code| !self.apart.contains(*code))
            .filter(is_astray);
        astray.cloned().collect()
    }

    /// Waits until every record is on both sides as it should be, but for those that are listed.
    async fn agree(&mut self, what: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let astray = self.astray().await;
            if astray.is_empty() {
                return;
            }
            let is_late = Instant::now() > deadline;
            assert!(!is_late, "{what}: not in step: {astray:?}\n{}", self.place.log_end());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Renames a record on one side.
    async fn rename(&mut self, at: At, code: &str, name: &str) {
        self.edit(at, code, json!({ "name": name })).await;
        self.want(code, name);
    }

    /// Both sides should have this name in the end.
    fn want(&mut self, code: &str, name: &str) {
        name.clone_into(&mut self.wanted.get_mut(code).unwrap().name);
    }

    /// Makes a record inactive, or active again, on one side.
    async fn set_active(&mut self, at: At, code: &str, active: bool) {
        let field = if at == At::Erp { "active" } else { "isActive" };
        self.edit(at, code, json!({ field: active })).await;
        self.wanted.get_mut(code).unwrap().active = active;
    }

    async fn edit(&self, at: At, code: &str, values: Json) {
        let id = &self.ids[at as usize][code];
        match at {
            At::Erp => self.erp.write(id, values).await,
            At::Crm => self.crm.write(id, values).await,
        }
    }

    /// Makes a record on one side.
    async fn create(&mut self, at: At, code: &str) {
        let name = format!("New {code}");
        match at {
            At::Erp => self.erp.create(code, &name).await,
            At::Crm => self.crm.create(code, &name).await,
        }
        self.wanted.insert(code.to_owned(), Wanted { name, active: true });
    }

    /// The codes of the pairs that Syncline lists as conflicts.
    fn conflicts(&self) -> BTreeSet<String> {
        let listed = self.place.ask(&["conflicts", "--mapping", MAPPING]);
        self.codes(&listed)
    }

    /// The codes of the pairs that Syncline lists as pending deletes.
    fn pending_deletes(&self) -> BTreeSet<String> {
        let listed = self.place.ask(&["deletes", "--mapping", MAPPING]);
        self.codes(&listed)
    }

    /// Codes by the ids that a command named; one of the two records is there.
    fn codes(&self, listed: &[Json]) -> BTreeSet<String> {
        let code = |pair: &Json| {
            let of = |at: At, id: &Json| {
                let id = id.as_str().unwrap();
                self.ids[at as usize]
                    .iter()
                    .find(|(_, known)| *known == id)
                    .map(|(code, _)| code.clone())
            };
            of(At::Erp, &pair["left_id"])
                .or_else(|| of(At::Crm, &pair["right_id"]))
                .unwrap()
        };
        listed.iter().map(code).collect()
    }

    /// Waits until exactly the pairs that were edited on both sides are listed as conflicts.
    async fn conflicts_are_listed(&self) {
        let deadline = Instant::now() + LIMIT;
        while self.conflicts() != self.apart {
            assert!(
                Instant::now() < deadline,
                "listed: {:?}\n{}",
                self.conflicts(),
                self.place.log_end()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Writes that reached the systems so far.
    fn writes(&self) -> u64 {
        self.erp_gate.writes() + self.crm_gate.writes()
    }
}

/// Somebody else touches a party just before it is written.
fn disturb_party(path: &str, body: &Json) -> Option<(reqwest::Method, String, Json)> {
    if body["method"] != "model.party.party.write" {
        return None;
    }
    let params = json!([body["params"][0], { "lang": null }, {}]);
    let body = json!({ "id": 1, "method": "model.party.party.write", "params": params });
    Some((reqwest::Method::POST, path.to_owned(), body))
}

/// Somebody else touches a customer just before it is written.
fn disturb_customer(path: &str, _: &Json) -> Option<(reqwest::Method, String, Json)> {
    let is_one = path.starts_with("/odata/v4/crm/Customers/");
    is_one.then(|| {
        (
            reqwest::Method::PATCH,
            path.to_owned(),
            json!({ "email": "new@example.com" }),
        )
    })
}
