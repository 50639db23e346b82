//! A real browser in front of the real daemon: what an operator does in the morning.

use crate::{daemon::held::held, support::chromium::Chromium};

const PASSWORD: &str = "correct horse battery";
/// A record that was refused, and would be taken by now.
const FAILED: &str = "insert into failure (mapping, side, record_id, left_id, class, stage, status, code, message, attempts, \
    first_at, last_at) select mapping, 'left', left_id, left_id, 'rejected', 'write', 'parked', 'RQ026', 'it says no', 1, 1, 1 \
    from link order by link_id desc limit 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_signs_in_finds_a_drifted_record_takes_a_report_along_reprocesses_and_releases_a_held_run() {
    let (site, run, accounts) = held().await;
    site.sql(FAILED).await;
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

/// What waits until a page says this by itself.
fn shows(text: &str) -> String {
    format!(
        "new Promise((done) => {{ const look = () => document.getElementById('live').innerText.includes('{text}') ? done(true) : \
         requestAnimationFrame(look); look(); }})"
    )
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
    let file = "fetch(document.querySelector('a[href*=\"format=csv\"]').href).then((answer) => answer.text())";
    let file = browser.promised(file);
    assert!(file.as_str().unwrap().contains(id.as_str().unwrap()), "{file}");
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

    // A failure: what it means and what to do, reprocessed after its count was seen, watched until nothing is left.
    browser.go(&format!("{address}/console/failures"));
    assert!(
        browser.text().contains("correct the record or the mapping"),
        "{}",
        browser.text()
    );
    browser.click("form[action$=\"/failures/reprocess\"] button");
    assert!(browser.text().contains("would be reprocessed: 1"), "{}", browser.text());
    browser.click("form[action$=\"/failures/reprocess\"] button.main");
    browser.promised(&shows("All of them were looked at again"));

    // The held run: released, watched, done, without a reload by hand.
    browser.go(&format!("{address}/console/held"));
    assert!(browser.text().contains("would delete 2 records"), "{}", browser.text());
    browser.click("form[action$=\"/release\"] button");
    browser.promised(&shows("succeeded"));
    assert_eq!(browser.js("document.querySelectorAll('script').length"), 1);
}
