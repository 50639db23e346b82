//! What nodes share through a database: leases, locks on records, and events that come twice, also while a node shuts down.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use shuttle::future::{spawn, yield_now};
use syncline::{
    clock::Clock,
    core::{record::RecordKey, status::Side},
    seam::Bug,
    store::{
        Access, Error, Keys, Options, Page, Store,
        event::{EventFilter, Received},
    },
};
use tempfile::TempDir;

use super::{Sky, all, every_schedule, steps};
use crate::{
    store::new_event,
    support::database::{Database, opened, start_of_test},
};

const TTL: Duration = Duration::from_secs(60);

/// A database with its tables, made once.
static MADE: OnceLock<Vec<u8>> = OnceLock::new();

/// Makes it, by threads of its own.
fn make() {
    MADE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let database = Database::sqlite();
            let store = database.open().await;
            store.close().await;
            drop(store);
            std::fs::read(database.path().unwrap()).unwrap()
        })
    });
}

/// A copy of it.
struct Place {
    folder: TempDir,
    clock: Clock,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("syncline.db"), MADE.get().unwrap()).unwrap();
        Self {
            folder,
            clock: Clock::manual(start_of_test()),
        }
    }

    async fn open(&self, node: &str, access: Access) -> Store {
        let url = format!("sqlite://{}", self.folder.path().join("syncline.db").display());
        let options = Options {
            node: node.to_owned(),
            access,
            clock: self.clock.clone(),
            ..Options::new(url, Keys::derive(&[7; 32]))
        };
        opened(&options).await.unwrap()
    }

    /// A daemon and another beside it.
    async fn both(&self) -> [Store; 2] {
        [
            self.open("north", Access::Daemon).await,
            self.open("south", Access::Shared).await,
        ]
    }
}

/// Who believes to have it, and until when.
#[derive(Default)]
struct Belief(Mutex<BTreeMap<usize, DateTime<Utc>>>);

impl Belief {
    /// `who` has it from now on; not where that is heard so late that it has run out.
    fn has(&self, who: usize, until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        if until <= now {
            return false;
        }
        let mut holders = self.0.lock().unwrap();
        holders.insert(who, until);
        let others: Vec<_> = holders
            .iter()
            .filter(|(one, until)| **one != who && **until > now)
            .collect();
        assert!(others.is_empty(), "{who} has it until {until}, and so has {others:?}");
        true
    }

    fn gives_back(&self, who: usize) {
        self.0.lock().unwrap().remove(&who);
    }
}

/// Three tasks on two nodes take a lease, renew it and give it back, while time passes.
async fn leases(lies: bool) {
    let sky = Sky::empty(None);
    let _simulated = sky.simulate();
    let place = Place::new();
    let nodes = place.both().await;
    let (belief, last) = (Arc::new(Belief::default()), Arc::new(Mutex::new(0)));
    // Who believes in his lease for longer than it lasts is not alone with it.
    let believed = if lies { TTL * 3 } else { TTL };
    let mut tasks: Vec<_> = (0..3)
        .map(|who| {
            let (store, clock) = (nodes[who % 2].clone(), place.clock.clone());
            let (belief, last) = (Arc::clone(&belief), Arc::clone(&last));
            spawn(async move {
                for _ in 0..3 {
                    yield_now().await;
                    let before = clock.now();
                    let Some(epoch) = store.acquire_free_lease("daily", TTL).await.unwrap() else {
                        continue;
                    };
                    if belief.has(who, before + believed, clock.now()) {
                        let highest = std::mem::replace(&mut *last.lock().unwrap(), epoch);
                        assert!(epoch > highest, "epoch {epoch} comes after {highest}");
                    }
                    steps(2).await;
                    let before = clock.now();
                    if store.renew_lease("daily", epoch, TTL).await.unwrap() {
                        belief.has(who, before + believed, clock.now());
                        yield_now().await;
                    }
                    belief.gives_back(who);
                    store.release_lease("daily", epoch).await.unwrap();
                }
            })
        })
        .collect();
    let clock = place.clock.clone();
    tasks.push(spawn(async move {
        steps(8).await;
        clock.set(clock.now() + TTL + Duration::from_secs(1));
    }));
    all(tasks).await;
    let next = nodes[0].acquire_free_lease("daily", TTL).await.unwrap();
    assert!(
        next.is_some_and(|next| next > *last.lock().unwrap()),
        "it is free again"
    );
    for store in &nodes {
        store.close().await;
    }
}

#[test]
fn a_lease_has_one_holder_at_a_time_and_its_epochs_grow() {
    make();
    every_schedule("leases", 4, |lies| Box::pin(leases(lies)));
}

/// Tasks on two nodes lock pairs of records that overlap, all or none of them.
async fn locks(lies: bool) {
    let sky = Sky::empty(lies.then_some(Bug::LeaseIgnored));
    let _simulated = sky.simulate();
    let place = Place::new();
    let nodes = place.both().await;
    let beliefs: Arc<[Belief; 3]> = Arc::default();
    let tasks = [[0, 1], [1, 2], [2, 0]].into_iter().enumerate().map(|(who, wanted)| {
        let (store, clock) = (nodes[who % 2].clone(), place.clock.clone());
        let beliefs = Arc::clone(&beliefs);
        spawn(async move {
            let records = wanted.map(|number: usize| RecordKey::new("customers", Side::Left, number.to_string()));
            let Some(guard) = store.lock(&records, TTL).await.unwrap() else {
                return;
            };
            for one in wanted {
                beliefs[one].has(who, clock.now() + TTL, clock.now());
            }
            steps(3).await;
            for one in wanted {
                beliefs[one].gives_back(who);
            }
            store.unlock(&[guard]).await.unwrap();
        })
    });
    all(tasks.collect()).await;
    let all_of_them = [0, 1, 2].map(|number: usize| RecordKey::new("customers", Side::Left, number.to_string()));
    let guard = nodes[1].lock(&all_of_them, TTL).await.unwrap();
    assert!(guard.is_some(), "a lock that was refused keeps nothing");
    for store in &nodes {
        store.close().await;
    }
}

#[test]
fn a_record_is_locked_by_one_at_a_time_whatever_else_is_locked_with_it() {
    make();
    every_schedule("locks on records", 4, |lies| Box::pin(locks(lies)));
}

/// Three senders deliver the same two events, to two nodes of which one shuts down meanwhile.
async fn intake(lies: bool) {
    let sky = Sky::empty(None);
    let _simulated = sky.simulate();
    let place = Place::new();
    let nodes = place.both().await;
    let mut tasks: Vec<_> = (0..3)
        .map(|who| {
            let store = nodes[who % 2].clone();
            spawn(async move {
                let mut answers = Vec::new();
                for id in ["a", "b"] {
                    // One whose id changes on the way is another.
                    let named = if lies { format!("{id}{who}") } else { id.to_owned() };
                    match store.receive(vec![new_event(named)]).await {
                        Ok(received) => answers.push((id, received[0])),
                        Err(Error::Closed) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                answers
            })
        })
        .collect();
    let closing = nodes[0].clone();
    tasks.push(spawn(async move {
        steps(4).await;
        closing.close().await;
        Vec::new()
    }));
    let answers: Vec<(&str, Received)> = all(tasks).await.into_iter().flatten().collect();
    nodes[1].close().await;
    drop(nodes);
    let after = place.open("north", Access::Daemon).await;
    let stored = after.events(&EventFilter::default(), Page::first(100)).await.unwrap();
    for id in ["a", "b"] {
        let of_it: Vec<_> = answers
            .iter()
            .filter(|(one, _)| *one == id)
            .map(|(_, answer)| *answer)
            .collect();
        let new: Vec<_> = of_it
            .iter()
            .filter(|answer| matches!(answer, Received::Stored(_)))
            .collect();
        assert_eq!(new.len(), 1, "`{id}` is new once: {of_it:?}");
        let kept: Vec<_> = stored
            .iter()
            .filter(|event| event.external_id.starts_with(id))
            .collect();
        assert_eq!(kept.len(), 1, "`{id}` was acknowledged and is there once: {kept:?}");
        let named = of_it.iter().map(|answer| match answer {
            Received::Stored(number) | Received::Duplicate(number) => *number,
        });
        assert!(
            named.into_iter().all(|number| number == kept[0].event_id),
            "all were told of the same one"
        );
    }
    after.close().await;
}

#[test]
fn an_event_that_comes_thrice_is_stored_once_also_while_a_node_shuts_down() {
    make();
    every_schedule("intake and shutdown", 4, |lies| Box::pin(intake(lies)));
}
