//! Records that are removed while we are making them.

use std::time::Duration;

use syncline::{
    core::status::{EventKind, LinkStatus, Side, WriteStatus},
    sandbox::fault::{Fault, Order},
};

use super::{CUSTOMERS, World, quietly};

#[tokio::test]
async fn a_record_that_somebody_removes_before_the_answer_to_its_create_is_stored_is_told_as_missing() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).remove(0);
    let late = Order::next(1, Fault::SlowAnswer { ms: 2_000 }).on("POST", "/api/v2/accounts");
    world.systems.crm.faults().order(late).unwrap();
    world.event(Side::Left, &customer).await;
    let remove = async {
        let account = made(&world).await;
        world.systems.crm.delete("account", &account, &quietly()).unwrap();
        world.told(Side::Right, &account, EventKind::Deleted, None).await;
        assert!(
            world.link_of(&customer).await.is_none(),
            "the answer is still under way"
        );
        world.drain().await;
        assert!(
            world.link_of(&customer).await.is_none(),
            "the news of the removal were looked at before the answer came"
        );
        account
    };
    let (_, account) = tokio::join!(world.drain(), remove);
    let link = world.link_of(&customer).await.unwrap().link;
    assert_eq!((link.right_id, link.status), (account, LinkStatus::Linked));
    world.advance(Duration::from_secs(2));
    world.drain().await;
    let link = world.link_of(&customer).await.unwrap().link;
    assert_eq!(link.status, LinkStatus::PendingDelete, "a person decides, who is told");
}

#[tokio::test]
async fn news_of_a_record_that_is_not_there_and_that_nobody_is_making_are_done_at_once() {
    let world = World::empty().await;
    world.told(Side::Right, "ACC-999", EventKind::Deleted, None).await;
    assert_eq!(world.drain().await, 1);
    let stats = world.store().queue_stats().await.unwrap();
    assert_eq!(stats.depth, 0);
    assert!(world.failures().await.is_empty());
}

/// Waits until an account is made, and gives its id.
async fn made(world: &World) -> String {
    loop {
        if let Some(account) = world.systems.crm.all("account").unwrap().into_iter().next() {
            return account.id;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_record_that_was_made_and_could_not_be_linked_is_found_before_another_one_is_made() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).remove(0);
    let late = Order::next(1, Fault::SlowAnswer { ms: 1_500 }).on("POST", "/api/v2/accounts");
    world.systems.crm.faults().order(late).unwrap();
    world.event(Side::Left, &customer).await;
    let link_elsewhere = async {
        let account = made(&world).await;
        let insert = format!(
            "insert into link (mapping, left_id, right_id, base, status, created_at, updated_at) \
             values ('{CUSTOMERS}', '{customer}', 'ACC-other', x'', 'linked', 0, 0)"
        );
        world.database.raw(&insert).await;
        account
    };
    let (_, account) = tokio::join!(world.drain(), link_elsewhere);
    let open = world
        .store()
        .open_writes(CUSTOMERS, Side::Left, &[&customer])
        .await
        .unwrap();
    let open: Vec<_> = open
        .iter()
        .map(|write| (write.status, write.record_id.as_deref()))
        .collect();
    assert_eq!(
        open,
        [(WriteStatus::Unknown, Some(account.as_str()))],
        "it belongs to no pair"
    );
    world.database.raw("update link set status = 'ended'").await;
    world.advance(Duration::from_mins(2));
    world.event(Side::Left, &customer).await;
    world.drain().await;
    assert_eq!(world.account_count(), 1);
    assert_eq!(world.link_of(&customer).await.unwrap().link.right_id, account);
    let open = world
        .store()
        .open_writes(CUSTOMERS, Side::Left, &[&customer])
        .await
        .unwrap();
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn a_record_that_a_repeated_create_is_answered_with_and_that_is_gone_since_is_told_as_missing() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).remove(0);
    let lose = Order::next(10, Fault::DropAnswer).on("POST", "/api/v2/accounts");
    world.systems.crm.faults().order(lose).unwrap();
    world.event(Side::Left, &customer).await;
    world.drain().await;
    world.systems.crm.faults().clear();
    let account = made(&world).await;
    world.systems.crm.delete("account", &account, &quietly()).unwrap();
    world.told(Side::Right, &account, EventKind::Deleted, None).await;
    world.advance(Duration::from_mins(10));
    world.drain().await;
    let link = world.link_of(&customer).await.unwrap().link;
    assert_eq!((link.right_id, link.status), (account, LinkStatus::PendingDelete));
}
