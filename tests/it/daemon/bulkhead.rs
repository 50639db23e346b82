//! One pair of systems in trouble, and another that must not notice.

use std::fs;

use secrecy::ExposeSecret as _;
use syncline::sandbox::{
    Edit,
    fault::{Fault, Order},
    pair,
    seed::Plan,
};

use super::site::{Site, customer, until};

/// More changes than the daemon works on at once.
const STUCK: u32 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_hangs_does_not_stop_the_work_on_others() {
    let far = pair::start(pair::Options {
        plan: Plan {
            companies: 0,
            ..Plan::default()
        },
        ..pair::Options::default()
    })
    .await
    .unwrap();
    let site = Site::with(&settings(&far)).await;
    for connector in ["connectors/sandbox-erp.yaml", "connectors/sandbox-crm.yaml"] {
        let text = fs::read_to_string(site.path(connector)).unwrap();
        // Longer than this test waits: what hangs does not come free by itself.
        fs::write(site.path(connector), text.replacen("timeout: 30s", "timeout: 600s", 1)).unwrap();
    }
    let near = fs::read_to_string(site.path("mappings/customer-account.yaml")).unwrap();
    let mapping = near
        .replace("customer-account", "far")
        .replace("erp", "far_erp")
        .replace("crm", "far_crm");
    fs::write(site.path("mappings/far.yaml"), mapping).unwrap();
    let daemon = site.start();
    site.subscribe(&daemon);
    let hook = format!("http://{}/webhooks/far_erp", daemon.address);
    far.erp.subscribe(&hook, &"sandbox-erp-webhook-secret".into()).unwrap();
    let hang = Order::share(1.0, Fault::SlowStart { ms: 600_000 });
    far.erp.faults().order(hang.clone()).unwrap();
    far.crm.faults().order(hang).unwrap();
    for number in 0..STUCK {
        far.erp
            .create("customer", &customer(1_000 + number), &Edit::by("user:ana"))
            .unwrap();
    }
    let stuck = async || site.number("select count(*) from change where mapping = 'far'").await;
    until("the hanging system has everything it can have", async || {
        stuck().await.filter(|count| *count == i64::from(STUCK))?;
        let held = site.number("select count(*) from lock where mapping = 'far'").await;
        held.filter(|count| *count > 0)
    })
    .await;
    for number in 0..20 {
        site.systems
            .erp
            .create("customer", &customer(number), &Edit::by("user:ana"))
            .unwrap();
    }
    site.accounts_made(20).await;
    assert_eq!(far.crm.history().creates_of("account").len(), 0);
    assert_eq!(
        stuck().await,
        Some(i64::from(STUCK)),
        "nothing of it has come free meanwhile"
    );
}

/// The second pair of systems, as settings.
fn settings(far: &pair::Handle) -> String {
    format!(
        r#"
        [systems.far_erp]
        connector = "sandbox-erp"
        settings = {{ base_url = "{}" }}
        credentials = {{ api_key = "{}" }}
        webhook_secrets = ["sandbox-erp-webhook-secret"]
        allow_networks = ["127.0.0.0/8"]
        [systems.far_crm]
        connector = "sandbox-crm"
        settings = {{ base_url = "{}" }}
        credentials = {{ client_id = "{}", client_secret = "{}" }}
        allow_networks = ["127.0.0.0/8"]
        "#,
        far.erp.base_url(),
        far.erp.api_key().expose_secret(),
        far.crm.base_url(),
        far.crm.client_id(),
        far.crm.client_secret().expose_secret(),
    )
}
