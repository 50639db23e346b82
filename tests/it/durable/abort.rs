//! An event that really ends the process: it is set aside, and nobody who was at work beside it.

use std::os::unix::process::ExitStatusExt as _;

use syncline::sandbox::{
    Edit,
    fault::{Fault, Order},
};

use crate::{
    daemon::site::until,
    support::{
        disk::Disk,
        house::{House, PERSON, Plot, Sender},
    },
};

/// So many processes may die of a record.
const DEATHS: u32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_ends_three_processes_is_set_aside_and_no_other_that_was_in_flight_with_it() {
    let Some(disk) = Disk::new() else { return };
    let plot = Plot::default();
    let house = House::build_around(crate::support::house::systems(plot.companies).await, &plot, Some(&disk));
    let mut customers = house.customers();
    customers.truncate(7);
    let victim = customers.remove(3);
    disk.set_deadly(Some(format!("GET /api/customers/{victim} ")));
    // The others are still being read when the process dies.
    let slow = Order::share(1.0, Fault::SlowStart { ms: 400 });
    house
        .systems
        .erp
        .faults()
        .order(slow.on("GET", "/api/customers/"))
        .unwrap();
    house.start_on(Some(&disk)).await;
    let mut sender = Sender::new(&house.address);
    for id in &customers {
        house.rename(id, &format!("Bystander {id}"));
        sender.deliver(&format!("bystander-{id}"), id).await;
    }
    let patch = r#"{"name":"Deadly"}"#;
    let edit = Edit::by(PERSON).silently();
    house.systems.erp.patch("customer", &victim, patch, &edit).unwrap();
    // It is stored before it kills; whether the sender hears of it is chance.
    sender.send("deadly", &victim).await;
    for death in 1..=DEATHS {
        let status = house.ended().await;
        assert_eq!(status.signal(), Some(6), "death {death}: {status:?}\n{}", house.log());
        house.node().spawn(Some(&disk));
    }
    house.node().ready().await;
    house.settled().await;
    assert!(house.node().is_running(), "it died once more\n{}", house.log());
    until("all work is done", async || {
        (house.number("select count(*) from change") == 0).then_some(())
    })
    .await;
    let set_aside =
        format!("select count(*) from failure where code = 'SY011' and status = 'parked' and record_id = '{victim}'");
    assert_eq!(house.number(&set_aside), 1);
    assert_eq!(
        house.number("select count(*) from failure"),
        1,
        "somebody else was set aside with it"
    );
    assert_eq!(house.number("select count(*) from event where status = 'failed'"), 1);
}
