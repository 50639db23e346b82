//! Work that takes longer than one change may take.

use std::time::Duration;

use syncline::{
    core::status::{FailureStatus, Side},
    sandbox::fault::{Fault, Order},
    store::write::Write,
    worker::change,
};

use super::{CUSTOMERS, World};

/// How long the work on a change may take here: long enough for any reading.
const GIVEN: Duration = Duration::from_secs(3);

/// Writes to a customer or its account that have no outcome.
async fn open_writes(world: &World, customer: &str) -> Vec<Write> {
    world
        .store()
        .open_writes(CUSTOMERS, Side::Left, &[customer])
        .await
        .unwrap()
        .into_iter()
        .chain(world.account_writes(customer).await)
        .collect()
}

impl World {
    async fn account_writes(&self, customer: &str) -> Vec<Write> {
        let account = self.link_of(customer).await.unwrap().link.right_id;
        self.store()
            .open_writes(CUSTOMERS, Side::Right, &[&account])
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_write_that_is_under_way_when_the_time_is_over_keeps_its_outcome_and_nothing_is_sent_after_it() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).remove(0);
    world.full().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    world.edit_customer(&customer, r#"{"phone":"+49 1"}"#);
    world.edit_account(&account, r#"{"Description":"from the CRM"}"#);
    let ms = u64::try_from(GIVEN.as_millis()).unwrap() + 500;
    for faults in [world.systems.erp.faults(), world.systems.crm.faults()] {
        let slow = Order::next(1, Fault::SlowStart { ms }).on("PATCH", "");
        faults.order(slow).unwrap();
    }
    let before = world.our_writes().len();
    world.event(Side::Left, &customer).await;
    let limits = change::Limits {
        change_time_max: GIVEN,
        ..change::Limits::default()
    };
    change::drain(&world.engine, limits).await;
    assert_eq!(world.our_writes().len() - before, 1, "one of the two writes");
    let open = open_writes(&world, &customer).await;
    assert!(open.is_empty(), "every write has its outcome: {open:?}");
    let failures = world.failures().await;
    let told: Vec<_> = failures.iter().map(|one| (one.code.as_str(), one.status)).collect();
    assert_eq!(told, [("SY006", FailureStatus::Retrying)], "{failures:?}");
    // What went through was agreed: a later edit of it is somebody's, and wins over it.
    if world.account_now(&account)["Phone"] == "+49 1" {
        world.edit_account(&account, r#"{"Phone":"+49 2"}"#);
    } else {
        world.edit_customer(&customer, r#"{"note":"from the CRM, read"}"#);
    }
    for faults in [world.systems.erp.faults(), world.systems.crm.faults()] {
        faults.clear();
    }
    world.advance(Duration::from_mins(10));
    world.drain().await;
    let (customer, account) = (world.customer_now(&customer), world.account_now(&account));
    assert_eq!(customer["phone"], account["Phone"]);
    assert_eq!(customer["note"], account["Description"]);
    assert!(
        account["Phone"] == "+49 2" || account["Description"] == "from the CRM, read",
        "{account}"
    );
    assert!(
        world.failures().await.is_empty(),
        "a later success resolves the failure"
    );
}

#[tokio::test]
async fn an_outcome_that_nobody_stored_is_put_on_record_as_unknown_by_whoever_works_on_the_record_next() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).remove(0);
    world.full().await;
    world.edit_customer(&customer, r#"{"phone":"+49 1"}"#);
    world.event(Side::Left, &customer).await;
    world.drain().await;
    // As after work that broke off between the answer and our commit.
    world
        .database
        .raw("update write set status = 'intended', ended_at = null where kind = 'update'")
        .await;
    world.edit_customer(&customer, r#"{"phone":"+49 2"}"#);
    world.event(Side::Left, &customer).await;
    world.drain().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    assert_eq!(world.account_now(&account)["Phone"], "+49 2");
    let statuses: Vec<String> = world
        .store()
        .writes_of(CUSTOMERS, Side::Right, &account, 10)
        .await
        .unwrap()
        .iter()
        .filter(|write| write.record_id.as_deref() == Some(&account))
        .map(|write| write.status.to_string())
        .collect();
    assert_eq!(statuses[..2], ["succeeded", "unknown"], "newest first");
}
