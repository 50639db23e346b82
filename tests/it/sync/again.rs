//! Records that are made a second time.

use syncline::sandbox::seed::Plan;

use super::{World, quietly};

#[tokio::test]
async fn a_partner_that_was_deleted_is_really_made_again_every_time() {
    let recreate = ("prefer: erp ", "situations: { missing: recreate }\nprefer: erp ");
    let guard = ("delete: 1%, change: 25%", "delete: 100%, change: 100%");
    let world = World::new(Plan::default(), &[recreate, guard]).await;
    let customer = world.customers(1, 1).remove(0);
    world.full().await;
    for _ in 0..3 {
        let link = world.link_of(&customer).await.unwrap();
        let account = &link.link.right_id;
        world.systems.crm.delete("account", account, &quietly()).unwrap();
        world.reconcile().await;
        let made = world.link_of(&customer).await.unwrap();
        // The CRM knows its idempotency keys again, and would answer with the account that is gone.
        assert_ne!(made.link.right_id, *account);
        assert_eq!(world.account_now(&made.link.right_id)["Name"], "Company 1");
        assert_eq!(world.account_count(), 1);
    }
}
