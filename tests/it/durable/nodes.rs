//! Three daemons over one PostgreSQL: whatever one of them is told, takes effect once and in order, also when one of them dies.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::sync::Barrier;

use crate::{
    daemon::site::until,
    support::{
        database::Database,
        house::{House, Plot, Sender, doubled, inverted},
        node::Node,
        rig::{Budget, Chance, report},
    },
};

/// Connections that the copies of an event come by.
const CONNECTIONS: usize = 48;

/// A house whose daemons keep their data in PostgreSQL, and the daemons: they are ready.
async fn three(database: &Database, plot: Plot) -> (House, Vec<Node>) {
    let plot = Plot {
        store: Some(database.url().to_owned()),
        // Who is silent for so long is dead.
        limits: vec![("lease", "\"5s\"")],
        ..plot
    };
    let house = House::build(&plot).await;
    let nodes = ["north", "south", "west"].map(|name| house.beside(name));
    // One makes the data key, which the others share.
    nodes[0].spawn(None);
    nodes[0].ready().await;
    for node in &nodes[1..] {
        node.spawn(None);
    }
    for node in &nodes[1..] {
        node.ready().await;
    }
    (house, Vec::from(nodes))
}

async fn number(database: &Database, sql: &str) -> i64 {
    let text = database.raw_text(format!("select cast(({sql}) as text)")).await;
    text.unwrap().parse().unwrap()
}

/// Waits until no change is left to be worked on.
async fn at_rest(house: &House, database: &Database) {
    house.settled().await;
    until("no change is left to be worked on", async || {
        (number(database, "select count(*) from change").await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_sent_to_three_nodes_at_once_again_and_again_takes_effect_once() {
    let Some(database) = Database::postgres().await else {
        return;
    };
    let mut budget = Budget::new(5, 10_000);
    let copies = if budget.is_nightly() { 1_000 } else { 240 };
    let (house, nodes) = three(&database, Plot::default()).await;
    let customers = house.customers();
    let barrier = Arc::new(Barrier::new(CONNECTIONS));
    let mut senders = (0..CONNECTIONS)
        .map(|number| Sender::new(&nodes[number % nodes.len()].address))
        .collect::<Vec<_>>();
    while budget.goes_on() {
        let id = budget.done();
        let customer = &customers[usize::try_from(id).unwrap() % customers.len()];
        house.rename(customer, &format!("Storm {id}"));
        let event = format!("storm-{id}");
        join_all(senders.iter_mut().map(|sender| async {
            barrier.wait().await;
            for _ in 0..copies / CONNECTIONS {
                assert!(sender.send(&event, customer).await, "every copy is acknowledged");
            }
        }))
        .await;
    }
    at_rest(&house, &database).await;
    let stored = number(&database, "select count(*) from event where system = 'erp'").await;
    assert_eq!(stored, i64::try_from(budget.done()).unwrap());
    assert_eq!(doubled(&house.written(0), false), Vec::<String>::new());
    report(&format!(
        "{stored} events sent {copies} times each to three nodes at once, each stored and applied once"
    ));
}

/// Edits customers of its own without end, and tells one node or another of it, as chance will have it.
struct Traffic {
    number: u64,
    chance: Chance,
    senders: Vec<Sender>,
    customers: Vec<String>,
    made: u64,
}

impl Traffic {
    async fn run(&mut self, house: &House) {
        loop {
            self.made += 1;
            let event = format!("evt-{}-{}", self.number, self.made);
            let id = if self.chance.percent(10) && self.customers.len() < 50 {
                let id = house.add_customer(self.number * 1_000_000 + self.made);
                self.customers.push(id.clone());
                id
            } else {
                let id = self.chance.pick(&self.customers).clone();
                house.rename(&id, &format!("Name {event}"));
                id
            };
            // To another one where this one does not take it.
            loop {
                let to = usize::try_from(self.chance.below(self.senders.len() as u64)).unwrap();
                if self.senders[to].send(&event, &id).await {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_stay_in_order_and_take_effect_once_while_nodes_over_one_database_die() {
    let Some(database) = Database::postgres().await else {
        return;
    };
    let mut budget = Budget::new(4, 500);
    let mut chance = budget.chance();
    let plot = Plot {
        companies: 30,
        ..Plot::default()
    };
    let (house, nodes) = three(&database, plot).await;
    let customers = house.customers();
    let mut traffic = customers
        .chunks(customers.len() / 6)
        .zip(0..)
        .map(|(own, number)| Traffic {
            number,
            chance: Chance::new(chance.next()),
            senders: nodes.iter().map(|node| Sender::new(&node.address)).collect(),
            customers: own.to_vec(),
            made: 0,
        })
        .collect::<Vec<_>>();
    let mut acknowledged = BTreeSet::new();
    while budget.goes_on() {
        let node = chance.pick(&nodes);
        let (before, after) = (50 + chance.below(400), 50 + chance.below(400));
        let deaths = async {
            tokio::time::sleep(Duration::from_millis(before)).await;
            node.kill();
            // The others go on meanwhile.
            tokio::time::sleep(Duration::from_millis(after)).await;
            node.spawn(None);
            node.ready().await;
        };
        tokio::select! {
            _ = join_all(traffic.iter_mut().map(|one| one.run(&house))) => {}
            () = deaths => {}
        }
        for one in traffic.iter_mut().flat_map(|one| &mut one.senders) {
            acknowledged.append(&mut one.acknowledged);
        }
    }
    // One dies and does not come back: the others take over what it had.
    nodes[2].kill();
    let mut sender = Sender::new(&nodes[0].address);
    for id in house.customers() {
        sender.deliver(&format!("again-{id}"), &id).await;
    }
    at_rest(&house, &database).await;
    let written = house.written(0);
    assert_eq!(doubled(&written, false), Vec::<String>::new(), "{}", budget.replay());
    assert_eq!(inverted(&written), Vec::<String>::new(), "{}", budget.replay());
    let ids = database
        .raw_text("select string_agg(external_id, ' ') from event")
        .await
        .unwrap();
    let stored = ids.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    let lost = acknowledged.difference(&stored).collect::<Vec<_>>();
    assert!(lost.is_empty(), "{lost:?}; {}", budget.replay());
    report(&format!(
        "nodes killed {} times: {} events acknowledged, {} writes, none lost, doubled or out of order",
        budget.done() + 1,
        acknowledged.len(),
        written.len()
    ));
}
