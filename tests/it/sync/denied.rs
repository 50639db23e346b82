//! Listings that are refused, empty, short or garbled, where the mapping deletes: nothing is deleted for them, and a record that
//! is really gone still is. A system that hides everything, also from whoever asks for one record, meets the guard rail.

use std::sync::Arc;

use syncline::{
    core::status::{LinkStatus, RunKind, RunStatus, Side, Trigger},
    sandbox::{
        fault::{Fault, Faults, Order},
        seed::Plan,
    },
    sync::{
        Error, poll,
        reconcile::{Report, Request, reconcile},
    },
};
use tokio_util::sync::CancellationToken;

use super::{CUSTOMERS, World, quietly};

/// Records of a world: pages of four, so that a listing has three.
const COUNT: u32 = 10;

/// Linked pairs under a mapping that deletes the record whose partner is gone, as far as `limits` allow, and polls both sides.
async fn world(limits: &str) -> (World, Vec<String>) {
    let keys = "situations: { missing: delete }\npoll: { erp: 60s, crm: 60s }\nprefer: erp ";
    let edits = [
        (
            "default: 200, title: Records a page",
            "default: 4, title: Records a page",
        ),
        ("prefer: erp ", keys),
        ("limits: { delete: 1%, change: 25% }", limits),
    ];
    let world = World::new(Plan::default(), &edits).await;
    let customers = world.customers(0, COUNT);
    world.full().await;
    (world, customers)
}

/// Limits that no delete of these tests can meet: what is not deleted is not deleted for another reason.
const WIDE: &str = "limits: { delete: 100%, change: 100%, shrink: 100% }";

impl World {
    /// As [`World::reconcile`], where it may fail.
    async fn try_reconcile(&self) -> Result<Report, Error> {
        let request = Request {
            kind: RunKind::Reconcile,
            trigger: Trigger::Person,
            repair: true,
        };
        let mapping: Arc<_> = self.mapping(CUSTOMERS);
        reconcile(&self.engine, &mapping, request, &CancellationToken::new()).await
    }

    fn faults(&self, side: Side) -> &Faults {
        match side {
            Side::Left => self.systems.erp.faults(),
            Side::Right => self.systems.crm.faults(),
        }
    }

    /// That every pair is there and linked.
    async fn is_whole(&self, when: &str) {
        let counts = (self.systems.erp.all("customer").unwrap().len(), self.account_count());
        assert_eq!(counts, (COUNT as usize, COUNT as usize), "{when}");
        let links = self.links().await;
        let is_linked = links.iter().all(|stored| stored.link.status == LinkStatus::Linked);
        assert!(is_linked && links.len() == COUNT as usize, "{when}: {links:?}");
    }
}

/// Reconciles and polls while the listings of both sides are spoilt, the first page of them and one in the middle.
async fn nothing_is_deleted_for(fault: Fault) {
    let (world, customers) = world(WIDE).await;
    for (side, path) in [(Side::Left, "/api/customers"), (Side::Right, "/api/v2/accounts")] {
        for page in [0, 1] {
            let when = format!("{fault:?} at page {page} of {side}");
            let order = Order::next(2, fault.clone()).on("GET", path).after(page);
            world.faults(side).order(order).unwrap();
            let done = world.try_reconcile().await;
            let hits: u32 = world.faults(side).standing().iter().map(|order| order.hits).sum();
            assert!(hits > 0, "{when}: it was not met");
            if let Ok(report) = done {
                assert_eq!(report.counters.deleted, 0, "{when}");
            }
            let mapping = world.mapping(CUSTOMERS);
            // One that fails is told by its run; here it counts that it deletes nothing.
            poll::poll(&world.engine, &mapping, side, Trigger::Person).await.ok();
            world.drain().await;
            world.faults(side).clear();
            world.drain().await;
            world.is_whole(&when).await;
        }
    }
    let clean = world.reconcile().await;
    assert_eq!((clean.status, clean.counters.deleted), (RunStatus::Succeeded, 0));
    world.is_whole("afterwards").await;
    // What is really gone is deleted on the other side: the test would have seen it.
    let account = world.link_of(&customers[3]).await.unwrap().link.right_id;
    world.systems.crm.delete("account", &account, &quietly()).unwrap();
    assert_eq!(world.reconcile().await.counters.deleted, 1);
    assert!(world.systems.erp.read("customer", &customers[3]).is_err());
}

#[tokio::test]
async fn a_listing_that_is_refused_deletes_nothing() {
    nothing_is_deleted_for(Fault::status(403)).await;
    nothing_is_deleted_for(Fault::status(404)).await;
}

#[tokio::test]
async fn a_listing_that_is_empty_or_ends_early_deletes_nothing() {
    nothing_is_deleted_for(Fault::EmptyListing).await;
    nothing_is_deleted_for(Fault::CutListing).await;
    nothing_is_deleted_for(Fault::RepeatPage).await;
}

#[tokio::test]
async fn a_listing_that_is_garbled_deletes_nothing() {
    nothing_is_deleted_for(Fault::TruncatedJson).await;
    nothing_is_deleted_for(Fault::Html).await;
}

#[tokio::test]
async fn a_system_that_hides_every_record_from_us_meets_the_guard_rail_and_nothing_is_deleted() {
    let (world, _) = world("limits: { delete: 1%, change: 25% }").await;
    // As after a right was taken away: no record is listed, and each that is asked for is said to be none.
    let empty = Order::share(1.0, Fault::EmptyListing).on("GET", "/api/v2/accounts");
    let none = Order::share(1.0, Fault::status(404)).on("GET", "/api/v2/accounts/");
    for order in [none, empty] {
        world.faults(Side::Right).order(order).unwrap();
    }
    let report = world.reconcile().await;
    assert_eq!(
        (report.status, report.counters.deleted),
        (RunStatus::Held, 0),
        "{:?}",
        report.note
    );
    assert_eq!(world.systems.erp.all("customer").unwrap().len(), COUNT as usize);
    world.faults(Side::Right).clear();
    let clean = world.reconcile().await;
    assert_eq!((clean.status, clean.counters.deleted), (RunStatus::Succeeded, 0));
    world.is_whole("afterwards").await;
}
