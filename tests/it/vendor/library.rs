//! The simulators beside the vendors' own client libraries (`tests/real/vendors`).

use super::{
    hubspot::{self, HubSpot},
    odata::{self, DATAVERSE, Service},
    odoo::{self, Odoo},
    s4::{self, S4},
    salesforce::{self, Salesforce},
};
use crate::real::system::tool;

/// What a script that drives a simulator has printed at its end; nothing where the libraries are not installed.
async fn drive(script: &'static str, args: &[&str]) -> Option<String> {
    let args: Vec<String> = [script].iter().chain(args).map(|&arg| arg.to_owned()).collect();
    let done = tokio::task::spawn_blocking(move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        tool("drive", &args)
    });
    let (is_good, said) = done.await.unwrap()?;
    assert!(is_good, "{script}: {said}");
    Some(said.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_org_of_salesforce_is_one_for_jsforce() {
    let org = Salesforce::start().await;
    let url = org.server.url();
    drive(
        "salesforce.cjs",
        &[&url, salesforce::CLIENT_ID, salesforce::CLIENT_SECRET],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_org_of_salesforce_is_one_for_simple_salesforce() {
    let org = Salesforce::start().await;
    let url = org.server.url();
    drive(
        "salesforce.py",
        &[&url, salesforce::CLIENT_ID, salesforce::CLIENT_SECRET],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_of_hubspot_is_one_for_its_own_library_which_signs_pushes_in_the_same_way() {
    let account = HubSpot::start().await;
    let url = account.server.url();
    let Some(signature) = drive("hubspot.cjs", &[&url, hubspot::TOKEN, hubspot::SECRET]).await else {
        return;
    };
    let ours = hubspot::signature(
        "http://127.0.0.1:8080/webhooks/hubspot",
        r#"[{"eventId":1}]"#,
        "1772442000000",
    );
    assert_eq!(signature, ours);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_of_odoo_is_one_for_odoorpc() {
    let odoo = Odoo::start().await;
    let url = odoo.server.url();
    drive("odoo.py", &[&url, odoo::DATABASE, odoo::USER, odoo::PASSWORD]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_of_dataverse_is_one_for_dynamics_web_api() {
    let dataverse = Service::start(&DATAVERSE).await;
    let url = dataverse.server.url();
    drive(
        "dataverse.cjs",
        &[&url, odata::TENANT, odata::CLIENT_ID, odata::CLIENT_SECRET],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_business_partners_of_s4_are_some_for_pyodata() {
    let s4 = S4::start().await;
    let url = s4.server.url();
    drive("s4.py", &[&url, s4::USER, s4::PASSWORD]).await;
}
