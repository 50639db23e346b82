//! A real browser in front of the real daemon: what an operator does in the morning.

use crate::{daemon::held::held, support::chromium::Chromium};

const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_signs_in_finds_a_drifted_record_has_it_looked_at_and_releases_a_held_run() {
    let (site, run, accounts) = held().await;
    let (status, link, stderr) = site.run(&["user", "add", "ana", "--role", "admin"]);
    assert!(status.success(), "{stderr}");
    let running = site.start();
    let address = format!("http://{}", running.address);
    let run_id = run["run_id"].as_i64().unwrap();
    let path = link.trim().split_once("/console/").unwrap().1.to_owned();
    let done = tokio::task::spawn_blocking(move || {
        let Some(mut browser) = Chromium::start() else {
            return false;
        };
        morning(&mut browser, &address, &path, run_id);
        true
    });
    if done.await.unwrap() {
        assert_eq!(
            site.systems.crm.all("account").unwrap().len(),
            accounts - 2,
            "what was announced is done"
        );
        let audit = site.number("select count(*) from audit where actor = 'console:ana' and action = 'record.sync'");
        assert_eq!(audit.await, Some(1));
    }
}

fn morning(browser: &mut Chromium, address: &str, path: &str, run_id: i64) {
    // The link sets her password and signs her in.
    browser.go(&format!("{address}/console/{path}"));
    browser.fill("#password", PASSWORD);
    browser.fill("#again", PASSWORD);
    browser.click("form.stack button.main");
    assert!(browser.text().contains("held"), "{}", browser.text());

    // Once more, as on any other morning.
    browser.click("form.who button");
    assert!(browser.text().contains("You are signed out"));
    browser.fill("#name", "ana");
    browser.fill("#password", PASSWORD);
    browser.click("form.stack button.main");
    assert_eq!(browser.js("location.pathname"), "/console");

    // A record that drifted, by the report of the held run.
    browser.go(&format!("{address}/console/drift/{run_id}"));
    let id = browser.js("document.querySelector('tbody a[href*=\"/records/\"]').innerText");
    browser.fill("#search", id.as_str().unwrap());
    browser.click("form.search button");
    let found = browser.js("location.pathname");
    assert!(
        found
            .as_str()
            .unwrap()
            .starts_with("/console/records/customer-account/"),
        "{found}"
    );
    browser.click("form[action$=\"/sync\"] button");
    assert!(browser.text().contains("looked at again"), "{}", browser.text());

    // The held run: released, watched, done, without a reload by hand.
    browser.go(&format!("{address}/console/held"));
    assert!(browser.text().contains("would delete 2 records"), "{}", browser.text());
    browser.click("form[action$=\"/release\"] button");
    while !browser.text().contains("succeeded") {
        browser.arrive();
    }
    assert_eq!(browser.js("document.querySelectorAll('script').length"), 1);
}
