//! The daemon as users run it, killed under load: nothing acknowledged is lost, nothing is applied twice.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use syncline::sandbox::history::Kind;
use tokio::sync::Barrier;

use super::inbox;
use crate::support::{
    disk::{Disk, Order, WRITE},
    house::{House, Plot, Sender, doubled, inverted},
    rig::{Budget, Chance, report},
};

/// Senders at the same time.
const SENDERS: u64 = 8;

/// Edits customers and sends their events, each until it is acknowledged, until it is told to stop.
struct Traffic {
    number: u64,
    chance: Chance,
    sender: Sender,
    customers: Vec<String>,
    made: u64,
}

impl Traffic {
    fn new(house: &House, number: u64, customers: Vec<String>, chance: Chance) -> Self {
        Self {
            number,
            chance,
            sender: Sender::new(&house.address),
            customers,
            made: 0,
        }
    }

    /// Edits without end; a name is given once in all, and its last number grows.
    async fn run(&mut self, house: &House) {
        loop {
            self.made += 1;
            let event = format!("evt-{}-{}", self.number, self.made);
            let id = if self.chance.percent(10) {
                let id = house.add_customer(self.number * 100_000 + self.made);
                self.customers.push(id.clone());
                id
            } else {
                let id = self.chance.pick(&self.customers).clone();
                house.rename(&id, &format!("Name {event}"));
                id
            };
            self.sender.deliver(&event, &id).await;
        }
    }
}

/// How a daemon's life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By SIGKILL.
    Killed,
    /// By SIGTERM; some hear it twice, and some are killed while they end.
    Asked,
}

/// Ends the daemon again and again while senders edit and tell of it.
async fn end_under_load(end: End, mut budget: Budget) {
    let mut chance = budget.chance();
    let house = House::build(&Plot::default()).await;
    house.start().await;
    let customers = house.customers();
    let share = customers.len() / usize::try_from(SENDERS).unwrap();
    // Each sender has customers of its own, so that the order of its edits is the order of its events.
    let mut traffic = (0..SENDERS)
        .zip(customers.chunks(share))
        .map(|(number, own)| Traffic::new(&house, number, own.to_vec(), Chance::new(chance.next())))
        .collect::<Vec<_>>();
    let (mut acknowledged, mut slowest) = (BTreeSet::new(), Duration::ZERO);
    while budget.goes_on() {
        let delay = Duration::from_millis(50 + chance.below(300));
        // A sender whose request is under way when the daemon dies never hears of it, as in life.
        tokio::select! {
            _ = join_all(traffic.iter_mut().map(|one| one.run(&house))) => {}
            () = tokio::time::sleep(delay) => {}
        }
        match end {
            End::Killed => house.kill(),
            End::Asked => ask_to_end(&house, &mut chance).await,
        }
        acknowledged.extend(traffic.iter().flat_map(|one| one.sender.acknowledged.clone()));
        if let Err(lost) = inbox::check(house.database(), &acknowledged) {
            panic!("{lost}; {}", budget.replay());
        }
        slowest = slowest.max(house.start().await);
    }
    // The edits whose event was interrupted are told again, as their senders would.
    for id in house.customers() {
        traffic[0].sender.deliver(&format!("again-{id}"), &id).await;
    }
    house.settled().await;
    let written = house.written(0);
    assert_eq!(doubled(&written, false), Vec::<String>::new(), "{}", budget.replay());
    assert_eq!(inverted(&written), Vec::<String>::new(), "{}", budget.replay());
    assert!(house.lost(&acknowledged).is_empty());
    report(&format!(
        "{end:?} {} times: {} events acknowledged, {} writes, none lost, doubled or out of order, slowest start {slowest:?}",
        budget.done(),
        acknowledged.len(),
        written.len()
    ));
}

/// Asks the daemon to end, once or twice, and kills one in four while it does.
async fn ask_to_end(house: &House, chance: &mut Chance) {
    house.ask_to_end();
    let patience = Duration::from_millis(chance.below(30));
    match chance.below(4) {
        0 => {
            tokio::time::sleep(patience).await;
            house.kill();
        }
        1 => {
            tokio::time::sleep(patience).await;
            house.ask_to_end();
            // Whoever asks twice does not wait for what is under way.
            house.ended().await;
        }
        _ => {
            let status = house.ended().await;
            assert_eq!(status.code(), Some(0), "{}", house.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_event_is_lost_or_applied_twice_when_the_daemon_is_killed() {
    end_under_load(End::Killed, Budget::new(5, 1_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_event_is_lost_or_applied_twice_when_the_daemon_is_asked_to_end() {
    end_under_load(End::Asked, Budget::new(8, 1_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_sent_a_thousand_times_at_once_takes_effect_once() {
    let mut budget = Budget::new(10, 10_000);
    let house = House::build(&Plot::default()).await;
    house.start().await;
    let customers = house.customers();
    let connections = 50;
    let barrier = Arc::new(Barrier::new(connections));
    let mut senders = (0..connections)
        .map(|_| Sender::new(&house.address))
        .collect::<Vec<_>>();
    while budget.goes_on() {
        let id = budget.done();
        let customer = &customers[usize::try_from(id).unwrap() % customers.len()];
        house.rename(customer, &format!("Storm {id}"));
        let event = format!("storm-{id}");
        join_all(senders.iter_mut().map(|sender| async {
            barrier.wait().await;
            for _ in 0..1_000 / connections {
                assert!(sender.send(&event, customer).await, "every copy is acknowledged");
            }
        }))
        .await;
    }
    house.settled().await;
    let count = i64::try_from(budget.done()).unwrap();
    assert_eq!(house.number("select count(*) from event where system = 'erp'"), count);
    assert_eq!(doubled(&house.written(0), false), Vec::<String>::new());
    report(&format!(
        "{count} events sent 1,000 times each, each stored and applied once"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_turns_events_away_while_its_disk_is_full_and_goes_on_by_itself() {
    let Some(disk) = Disk::new() else { return };
    let plot = Plot::default();
    let house = House::build_around(crate::support::house::systems(plot.companies).await, &plot, Some(&disk));
    house.start_on(Some(&disk)).await;
    let customers = house.customers();
    let mut sender = Sender::new(&house.address);
    assert!(sender.send("before", &customers[0]).await);
    disk.order(Order::Enospc, 1..=u64::MAX, WRITE, 0);
    for number in 0..20 {
        assert!(!sender.send(&format!("during-{number}"), &customers[1]).await);
    }
    disk.order(Order::None, 1..=1, WRITE, 0);
    house.rename(&customers[1], "After the flood");
    sender.deliver("after", &customers[1]).await;
    house.settled().await;
    house.kill();
    inbox::check(house.database(), &sender.acknowledged).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_ends_with_an_error_when_its_disk_fails() {
    let Some(disk) = Disk::new() else { return };
    let plot = Plot::default();
    let house = House::build_around(crate::support::house::systems(plot.companies).await, &plot, Some(&disk));
    house.start_on(Some(&disk)).await;
    let customers = house.customers();
    let mut sender = Sender::new(&house.address);
    assert!(sender.send("before", &customers[0]).await);
    disk.order(Order::Eio, 1..=u64::MAX, WRITE, 0);
    assert!(!sender.send("during", &customers[1]).await);
    let status = house.ended().await;
    assert!(
        status.code().is_some_and(|code| code != 0),
        "{status:?}\n{}",
        house.log()
    );
    disk.order(Order::None, 1..=1, WRITE, 0);
    house.start().await;
    sender.deliver("after", &customers[1]).await;
    house.settled().await;
    house.kill();
    inbox::check(house.database(), &sender.acknowledged).unwrap();
}

/// A create is the only write that can double a record.
pub fn created(house: &House) -> usize {
    let written = house.written(0);
    written.iter().filter(|commit| commit.kind == Kind::Created).count()
}
