//! People with disabilities can use every page of the console: by axe-core in a real browser.

use serde_json::Value;
use syncline::core::status::Role;

use super::system::tool;
use crate::{
    api::action::systems,
    console::{page, scene},
    support::{
        app::{Setup, hook},
        chromium::Chromium,
        visitor::{PASSWORD, person},
    },
};

/// Serious findings, each with the first place it was found at.
const LOOK: &str = "axe.run().then(found => found.violations.filter(one => ['serious', 'critical'].includes(one.impact)) \
     .map(one => one.id + ': ' + one.nodes[0].html + ' ' + one.nodes[0].failureSummary))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_serious_keeps_people_with_disabilities_from_using_any_page() {
    let systems = systems().await;
    let mut setup = Setup::between(&systems);
    setup.settings.server.api_burst = 1_000_000;
    setup.settings.server.api_heavy_burst = 1_000_000;
    setup.hooks.insert("crm".to_owned(), hook("crm"));
    let app = setup.start().await;
    let run_id = scene::fill(&app, "customer-account", 3, |row| format!("value {row}")).await;
    person(&app, "ana", Role::Admin).await;
    let mut pages = page::pages(run_id);
    pages.push("/console/webhooks/incoming/crm".to_owned());
    pages.push("/console/mappings/customer-account".to_owned());
    pages.push("/console/records/customer-account/left/L1-value%201".to_owned());
    let address = format!("http://{}", app.address);
    let looked = tokio::task::spawn_blocking(move || {
        let (_, axe) = tool("axe-core", &[])?;
        let axe = std::fs::read_to_string(axe.lines().next_back()?.trim()).unwrap();
        let mut browser = Chromium::start()?;
        let mut found = Vec::new();
        let mut look = |browser: &mut Chromium, path: &str| {
            browser.js(&format!("{axe}; 0"));
            for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)] {
                browser.shine(scheme);
                browser.widen(width);
                if let Value::Array(items) = browser.promised(LOOK) {
                    found.extend(
                        items
                            .into_iter()
                            .map(|item| format!("{path}, {scheme}, {width}: {item}")),
                    );
                }
                let over = browser.js("document.documentElement.scrollWidth - document.documentElement.clientWidth");
                if over != 0 {
                    found.push(format!("{path}, {width}: {over} pixels too wide"));
                }
            }
        };
        browser.go(&format!("{address}/console/sign-in"));
        look(&mut browser, "/console/sign-in");
        browser.fill("#name", "ana");
        browser.fill("#password", PASSWORD);
        browser.click("form.stack button.main");
        for path in &pages {
            browser.go(&format!("{address}{path}"));
            look(&mut browser, path);
        }
        Some(found)
    });
    let Some(found) = looked.await.unwrap() else { return };
    assert!(found.is_empty(), "{}", found.join("\n"));
}
