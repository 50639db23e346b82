//! Conflicts that the update times decide, through the whole road.

use syncline::store::{Page, conflict::ConflictFilter};

use super::World;

/// A linked pair: the ids of the customer and the account.
async fn pair(edits: &[(&str, &str)]) -> (World, String, String) {
    let world = World::new(syncline::sandbox::seed::Plan::default(), edits).await;
    let customer = world.customers(0, 10).swap_remove(0);
    world.full().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    (world, customer, account)
}

fn names(world: &World, customer: &str, account: &str) -> (serde_json::Value, serde_json::Value) {
    (
        world.customer_now(customer)["name"].clone(),
        world.account_now(account)["Name"].clone(),
    )
}

async fn open_conflicts(world: &World) -> Vec<String> {
    let filter = ConflictFilter::default();
    let open = world.store().conflicts(&filter, Page::first(10)).await.unwrap();
    open.into_iter().map(|one| one.field).collect()
}

#[tokio::test]
async fn of_two_edits_the_later_one_wins_on_either_side() {
    let (world, customer, account) = pair(&[]).await;
    // One system stamps to the millisecond and the other finer: edits of one millisecond are nobody's last.
    let second = std::time::Duration::from_secs(1);
    world.systems.crm.clock().advance(second);
    world.systems.erp.clock().advance(second / 2);
    world.edit_customer(&customer, r#"{"name":"First, in the ERP"}"#);
    world.edit_account(&account, r#"{"Name":"Last, in the CRM"}"#);
    world.reconcile().await;
    assert_eq!(
        names(&world, &customer, &account),
        ("Last, in the CRM".into(), "Last, in the CRM".into())
    );
    world.edit_account(&account, r#"{"Name":"First, in the CRM"}"#);
    world.systems.erp.clock().advance(second);
    world.edit_customer(&customer, r#"{"name":"Last, in the ERP"}"#);
    world.reconcile().await;
    assert_eq!(
        names(&world, &customer, &account),
        ("Last, in the ERP".into(), "Last, in the ERP".into())
    );
    assert!(open_conflicts(&world).await.is_empty());
}

#[tokio::test]
async fn without_an_update_time_a_person_decides_and_both_sides_stay_as_they_are() {
    let (world, customer, account) = pair(&[("    updated_at: updated\n", "")]).await;
    world.edit_customer(&customer, r#"{"name":"In the ERP"}"#);
    world.edit_account(&account, r#"{"Name":"In the CRM"}"#);
    world.reconcile().await;
    assert_eq!(
        names(&world, &customer, &account),
        ("In the ERP".into(), "In the CRM".into())
    );
    assert_eq!(open_conflicts(&world).await, ["name"]);
}
