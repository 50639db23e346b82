//! The daemon as users run it, killed under load: nothing acknowledged is lost, nothing is applied twice.

use std::{
    collections::BTreeSet,
    os::unix::process::ExitStatusExt as _,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use syncline::sandbox::{
    fault::{Fault, Order as FaultOrder},
    history::Kind,
};
use tokio::{sync::Barrier, time::MissedTickBehavior};

use super::inbox;
use crate::support::{
    disk::{Disk, Order, WRITE},
    house::{House, Plot, Sender, doubled, inverted},
    rig::{Budget, Chance, report},
};

/// Lives before everything is checked to the end and built anew: with each, there is more for the checker to copy.
const LIVES: u64 = 40;

/// How much comes in, and for how long a daemon lives.
#[derive(Debug, Clone, Copy)]
struct Load {
    /// Senders at the same time; each waits for the answer to its event before it sends the next one.
    senders: u64,
    /// Events that all of them together have for a second; without it as many as are answered.
    a_second: Option<u64>,
    companies: u32,
    /// The shortest life, and how much longer one may last, in milliseconds.
    life: (u64, u64),
}

/// Few senders, and short lives.
const LIGHT: Load = Load {
    senders: 8,
    a_second: None,
    companies: 20,
    life: (50, 300),
};
/// What a night has time for.
const HEAVY: Load = Load {
    senders: 64,
    a_second: Some(2_000),
    companies: 300,
    life: (300, 1_200),
};

/// Edits customers and sends their events, each until it is acknowledged, until it is told to stop.
struct Traffic {
    number: u64,
    chance: Chance,
    sender: Sender,
    customers: Vec<String>,
    made: u64,
    /// How long it waits between two events, if it does.
    every: Option<Duration>,
}

impl Traffic {
    /// All senders; each has customers of its own, so that the order of its edits is the order of its events.
    fn of(house: &House, load: Load, chance: &mut Chance) -> Vec<Self> {
        let customers = house.customers();
        let share = customers.len() / usize::try_from(load.senders).unwrap();
        let every = load
            .a_second
            .map(|rate| Duration::from_secs(1) * u32::try_from(load.senders).unwrap() / u32::try_from(rate).unwrap());
        (0..load.senders)
            .zip(customers.chunks(share))
            .map(|(number, own)| Self {
                number,
                chance: Chance::new(chance.next()),
                sender: Sender::new(&house.address),
                customers: own.to_vec(),
                made: 0,
                every,
            })
            .collect()
    }

    /// Edits without end; a name is given once in all, and its last number grows.
    async fn run(&mut self, house: &House) {
        let mut ticks = self.every.map(tokio::time::interval);
        if let Some(ticks) = &mut ticks {
            // Whoever could not send in time makes up for it.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        }
        loop {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            self.made += 1;
            let event = format!("evt-{}-{}", self.number, self.made);
            let id = if self.chance.percent(10) && self.customers.len() < 100 {
                let id = house.add_customer(self.number * 1_000_000 + self.made);
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
    /// By SIGTERM, and by SIGKILL about when its grace is over: what it has in flight takes longer.
    Late,
}

/// The grace of a daemon that is killed at its end, in milliseconds and as a setting.
const GRACE: u64 = 500;
const GRACE_SETTING: (&str, &str) = ("shutdown_grace", "\"500ms\"");

/// What a rig has seen.
#[derive(Debug, Default)]
struct Figures {
    sent: u64,
    acknowledged: usize,
    written: usize,
    /// Lives that the system had to end.
    killed: u64,
    lived: Duration,
    slowest_start: Duration,
}

/// Ends the daemon again and again while senders edit and tell of it.
async fn end_under_load(end: End, load: Load, mut budget: Budget) {
    let mut chance = budget.chance();
    let mut figures = Figures::default();
    while live_and_end(end, load, &mut budget, &mut chance, &mut figures).await {}
    let lived = figures.lived.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    let a_second = |count: u64| format!("{:.0}", count as f64 / lived);
    report(&format!(
        "{end:?} {} times ({} by the system): {} events acknowledged, {} writes, none lost, doubled or out of order, slowest \
         start {:?}; a second of life: {} offered, {} sent, {} acknowledged",
        budget.done(),
        figures.killed,
        figures.acknowledged,
        figures.written,
        figures.slowest_start,
        load.a_second.map_or("no end".to_owned(), |rate| rate.to_string()),
        a_second(figures.sent),
        a_second(figures.acknowledged as u64),
    ));
}

/// One house, whose daemon lives and ends until it is time to look at everything; whether there is to be another one.
async fn live_and_end(end: End, load: Load, budget: &mut Budget, chance: &mut Chance, figures: &mut Figures) -> bool {
    let limits = (end == End::Late).then_some(GRACE_SETTING).into_iter().collect();
    let house = House::build(&Plot {
        companies: load.companies,
        limits,
        ..Plot::default()
    })
    .await;
    figures.slowest_start = figures.slowest_start.max(house.start().await);
    if end == End::Late {
        for method in ["POST", "PATCH"] {
            let slow = FaultOrder::share(0.3, Fault::SlowAnswer { ms: 3 * GRACE });
            let order = slow.on(method, "/api/v2/accounts");
            house.systems.crm.faults().order(order).unwrap();
        }
    }
    let mut traffic = Traffic::of(&house, load, chance);
    let (mut acknowledged, mut is_over) = (BTreeSet::new(), false);
    for _ in 0..LIVES {
        is_over = !budget.goes_on();
        if is_over {
            break;
        }
        let delay = Duration::from_millis(load.life.0 + chance.below(load.life.1));
        let born = Instant::now();
        // A sender whose request is under way when the daemon dies never hears of it, as in life.
        tokio::select! {
            _ = join_all(traffic.iter_mut().map(|one| one.run(&house))) => {}
            () = tokio::time::sleep(delay) => {}
        }
        figures.lived += born.elapsed();
        figures.killed += u64::from(end_it(end, &house, chance).await);
        for one in &mut traffic {
            acknowledged.append(&mut one.sender.acknowledged);
        }
        if let Err(lost) = inbox::check(house.database(), &acknowledged) {
            panic!("{lost}; {}", budget.replay());
        }
        figures.slowest_start = figures.slowest_start.max(house.start().await);
    }
    figures.sent += traffic.iter().map(|one| one.made).sum::<u64>();
    figures.acknowledged += acknowledged.len();
    house.systems.crm.faults().clear();
    // The edits whose event was interrupted are told again, as their senders would.
    for id in house.customers() {
        traffic[0].sender.deliver(&format!("again-{id}"), &id).await;
    }
    house.settled().await;
    let written = house.written(0);
    assert_eq!(doubled(&written, false), Vec::<String>::new(), "{}", budget.replay());
    assert_eq!(inverted(&written), Vec::<String>::new(), "{}", budget.replay());
    assert!(house.lost(&acknowledged).is_empty());
    figures.written += written.len();
    !is_over
}

/// Ends a daemon; whether it was killed.
async fn end_it(end: End, house: &House, chance: &mut Chance) -> bool {
    match end {
        End::Killed => house.kill().signal() == Some(9),
        End::Asked => ask_to_end(house, chance).await,
        End::Late => {
            house.ask_to_end();
            tokio::time::sleep(Duration::from_millis(GRACE - 100 + chance.below(300))).await;
            house.kill().signal() == Some(9)
        }
    }
}

/// Asks the daemon to end, once or twice, and kills one in four while it does; whether it was killed.
async fn ask_to_end(house: &House, chance: &mut Chance) -> bool {
    house.ask_to_end();
    let patience = Duration::from_millis(chance.below(30));
    match chance.below(4) {
        0 => {
            tokio::time::sleep(patience).await;
            return house.kill().signal() == Some(9);
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
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_event_is_lost_or_applied_twice_when_the_daemon_is_killed() {
    let budget = Budget::new(5, 1_000);
    let load = if budget.is_nightly() { HEAVY } else { LIGHT };
    end_under_load(End::Killed, load, budget).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_event_is_lost_or_applied_twice_when_the_daemon_is_asked_to_end() {
    end_under_load(End::Asked, LIGHT, Budget::new(8, 1_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_event_is_lost_or_applied_twice_when_the_daemon_is_killed_at_the_end_of_its_grace() {
    end_under_load(End::Late, LIGHT, Budget::new(3, 300)).await;
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
    let since = Instant::now();
    // Ten minutes in a night that is long enough.
    let mut budget = Budget::new(20, 6_000);
    while budget.goes_on() && since.elapsed() < Duration::from_mins(10) {
        let event = format!("during-{}", budget.done());
        assert!(!sender.send(&event, &customers[1]).await, "{event} cannot be stored");
        if budget.is_nightly() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let full = since.elapsed();
    disk.order(Order::None, 1..=1, WRITE, 0);
    house.rename(&customers[1], "After the flood");
    let since = Instant::now();
    sender.deliver("after", &customers[1]).await;
    let taken = since.elapsed();
    house.settled().await;
    report(&format!(
        "the disk was full for {full:?} and turned {} events away; then one was taken within {taken:?} and applied within {:?}",
        budget.done(),
        since.elapsed()
    ));
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
