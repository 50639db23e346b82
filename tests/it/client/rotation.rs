//! One sign-in and many who need it at once: a refresh token that is lost by whoever uses it a second time, kept in the store of
//! three nodes.

use std::{sync::Arc, time::Duration};

use syncline::{client::System, worker::assembly};

use super::{
    get,
    refresh::{rotating, sample},
};
use crate::support::{
    database::{Database, start_of_test},
    rig::{Budget, report},
};

/// Whoever asks at the moment at which the token ends.
const TASKS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_of_three_nodes_on_one_file_renew_a_token_exactly_once() {
    race(Database::sqlite(), "SQLite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_of_three_nodes_on_postgres_renew_a_token_exactly_once() {
    if let Some(database) = Database::postgres().await {
        race(database, "PostgreSQL").await;
    }
}

async fn race(database: Database, engine: &str) {
    let server = rotating().await;
    let mut budget = Budget::new(6, 10_000);
    let mut chance = budget.chance();
    let mut stores = vec![database.open().await];
    for name in ["south", "east"] {
        stores.push(database.open_beside(name).await);
    }
    let start = |store| {
        let mut sample = sample(&Arc::default(), database.clock());
        sample.tokens = assembly::tokens(store);
        sample.at(&server)
    };
    let mut nodes: Vec<System> = stores.iter().map(start).collect();
    let mut restarts = 0;
    while budget.goes_on() {
        let told = || format!("on {engine}, {}", budget.replay());
        // A second before its end: every token lasts a minute.
        let passed = Duration::from_secs(budget.done() * 59);
        database.clock().set(start_of_test() + passed);
        // One of them knows nothing but what is stored.
        if chance.percent(30) {
            let place = usize::try_from(chance.below(3)).unwrap();
            nodes[place] = start(&stores[place]);
            restarts += 1;
        }
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let node = nodes[number % nodes.len()].clone();
                tokio::spawn(async move { get(&node).await })
            })
            .collect();
        for task in tasks {
            let got = task.await.unwrap();
            assert!(matches!(got, Ok(Some(_))), "{got:?}; {}", told());
        }
        assert_eq!(server.count("/token"), 1, "{}", told());
        server.forget();
    }
    let stored = stores[0].load_token("crm").await.unwrap().unwrap();
    assert_eq!(
        stored.version,
        i64::try_from(budget.done()).unwrap(),
        "each token was stored once"
    );
    report(&format!(
        "{} tokens ended on {engine} while {TASKS} tasks of 3 nodes needed them, {restarts} nodes had just started: \
         each was renewed by 1 request, and no grant was lost",
        budget.done()
    ));
    for store in stores {
        store.close().await;
    }
}
