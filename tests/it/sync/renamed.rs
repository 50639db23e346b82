//! Records whose ids change: links and history go along, in whatever order it is told.

use std::time::Duration;

use syncline::{
    core::status::{EventKind, LinkStatus, Role, Side},
    report::story,
    sandbox::fault::{Fault, Order},
    store::Page,
};

use super::{CUSTOMERS, World, quietly};

/// What company 0 is like in the CRM.
const ACCOUNT: &str = r#"{"Name":"Company 0","VatNumber":"BR10000000000195","Status":"Active"}"#;

impl World {
    /// A pair in sync; both ids.
    async fn pair(&self) -> (String, String) {
        let customer = self.customers(0, 1).remove(0);
        self.full().await;
        let account = self.link_of(&customer).await.unwrap().link.right_id;
        (customer, account)
    }

    /// The CRM gives an account another id; the new one.
    fn rename_account(&self, old: &str) -> String {
        self.systems.crm.delete("account", old, &quietly()).unwrap();
        self.account(ACCOUNT)
    }

    /// An event says that an account has a new id.
    async fn renamed(&self, from: &str, to: &str) {
        self.told(Side::Right, from, EventKind::Renamed, Some(to)).await;
    }
}

#[tokio::test]
async fn a_renamed_record_keeps_its_link_and_nothing_is_made_or_deleted() {
    let world = World::empty().await;
    let (customer, old) = world.pair().await;
    let link = world.link_of(&customer).await.unwrap();
    let new = world.rename_account(&old);
    world.systems.erp.history().clear();
    world.systems.crm.history().clear();
    for _ in 0..2 {
        world.renamed(&old, &new).await;
        world.drain().await;
    }
    let after = world.link_of(&customer).await.unwrap();
    assert_eq!(
        (after.link.link_id, after.link.right_id.as_str(), after.link.status),
        (link.link.link_id, new.as_str(), LinkStatus::Linked)
    );
    assert_eq!(after.created_at, link.created_at);
    assert_eq!(world.account_count(), 1);
    assert!(world.our_writes().is_empty());
    assert_eq!(world.failures().await, []);
    // And it is kept in step as before.
    world.edit_customer(&customer, r#"{"name":"Renamed in the ERP"}"#);
    world.event(Side::Left, &customer).await;
    world.drain().await;
    assert_eq!(world.account_now(&new)["Name"], "Renamed in the ERP");
}

#[tokio::test]
async fn a_rename_that_was_found_as_a_delete_before_it_was_told_is_none() {
    let world = World::empty().await;
    let (customer, old) = world.pair().await;
    let new = world.rename_account(&old);
    world.event(Side::Right, &old).await;
    world.event(Side::Right, &new).await;
    world.drain().await;
    assert_eq!(
        world.link_of(&customer).await.unwrap().link.status,
        LinkStatus::PendingDelete
    );
    world.renamed(&old, &new).await;
    world.drain().await;
    let link = world.link_of(&customer).await.unwrap().link;
    assert_eq!((link.right_id, link.status), (new, LinkStatus::Linked));
    assert_eq!(world.failures().await, [], "what went wrong before is settled");
    assert_eq!(world.store().pending_deletes(None, Page::first(10)).await.unwrap(), []);
}

#[tokio::test]
async fn renames_that_are_told_in_the_wrong_order_lead_to_the_last_id() {
    let world = World::empty().await;
    let (customer, first) = world.pair().await;
    let second = world.rename_account(&first);
    let third = world.rename_account(&second);
    world.renamed(&second, &third).await;
    world.drain().await;
    world.renamed(&first, &second).await;
    world.drain().await;
    let link = world.link_of(&customer).await.unwrap().link;
    assert_eq!((link.right_id, link.status), (third, LinkStatus::Linked));
}

#[tokio::test]
async fn a_rename_that_was_taken_back_moves_nothing() {
    let world = World::empty().await;
    let (customer, account) = world.pair().await;
    world.renamed("ACC-999", &account).await;
    world.renamed(&account, "ACC-999").await;
    world.drain().await;
    let link = world.link_of(&customer).await.unwrap().link;
    assert_eq!((link.right_id, link.status), (account, LinkStatus::Linked));
    assert_eq!(world.account_count(), 1);
}

#[tokio::test]
async fn a_new_id_that_belongs_to_another_link_is_for_a_person() {
    let world = World::empty().await;
    let customers = world.customers(0, 2);
    world.full().await;
    let account = async |of: &str| world.link_of(of).await.unwrap().link.right_id;
    let (old, taken) = (account(&customers[0]).await, account(&customers[1]).await);
    world.systems.crm.delete("account", &old, &quietly()).unwrap();
    world.renamed(&old, &taken).await;
    world.drain().await;
    let pending = world.link_of(&customers[0]).await.unwrap().link;
    assert_eq!((pending.right_id, pending.status), (old, LinkStatus::PendingDelete));
    let other = world.link_of(&customers[1]).await.unwrap().link;
    assert_eq!((other.right_id, other.status), (taken, LinkStatus::Linked));
    assert_eq!(world.account_count(), 1, "nothing is made in place of it");
}

#[tokio::test]
async fn a_rename_while_the_system_is_away_is_followed_when_it_is_back() {
    let world = World::empty().await;
    let (customer, old) = world.pair().await;
    let new = world.rename_account(&old);
    let away = Fault::Status {
        status: 503,
        retry_after_s: None,
        code: None,
    };
    let order = Order::next(4, away).on("GET", "/api/v2/accounts");
    world.systems.crm.faults().order(order).unwrap();
    world.renamed(&old, &new).await;
    world.drain().await;
    for _ in 0..10 {
        world.advance(Duration::from_mins(10));
        world.drain().await;
    }
    assert_eq!(world.link_of(&customer).await.unwrap().link.right_id, new);
}

#[tokio::test]
async fn the_story_of_a_renamed_record_is_told_under_both_ids() {
    let world = World::empty().await;
    let (customer, old) = world.pair().await;
    let new = world.rename_account(&old);
    world.renamed(&old, &new).await;
    world.drain().await;
    let mapping = world.mapping(CUSTOMERS);
    let found = story::find(world.store(), &mapping, &old).await.unwrap();
    assert_eq!(found, [(Side::Right, new.clone())], "the old id is that record");
    let told = story::tell(world.store(), &mapping, Side::Right, &new, Role::Viewer)
        .await
        .unwrap();
    assert_eq!(told.left.id.as_deref(), Some(customer.as_str()));
    let texts: Vec<&str> = told.entries.iter().map(|entry| entry.text.as_str()).collect();
    let moved = format!("the right record `{old}` lives on as `{new}`, and the link went along");
    assert!(texts.contains(&moved.as_str()), "{texts:#?}");
    let event = format!("crm told: account renamed, now `{new}`; done");
    assert!(texts.contains(&event.as_str()), "{texts:#?}");
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with(&format!("create {old} in crm")))
            || texts.iter().any(|text| text.starts_with("create")),
        "what was written under the old id: {texts:#?}"
    );
}
