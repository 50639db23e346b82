//! How the databases carry out what the pages ask: by an index, whatever the page.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
};

use syncline::core::status::Role;
use tracing::{Event, Subscriber, field::Visit};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt as _},
    registry,
};

use super::{page, scene};
use crate::{
    api::action::systems,
    support::{app::Setup, database::Database, visitor::Visitor},
};

/// Tables that have a handful of rows, whatever is synchronized: reading them whole is what is wanted. So has the dirty set, which
/// is worked off all the time.
const SMALL: &[&str] = &[
    "lease",
    "meta",
    "standing",
    "job",
    "quota",
    "cursor",
    "ignore_rule",
    "change",
];
/// Every statement that is read by, as the store tells of it.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<BTreeSet<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        if field.name() == "sql" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn fmt::Debug) {}
}

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "syncline::store::statement" {
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().unwrap().insert(text.0);
        }
    }
}

/// What every page reads, with how the database does it.
async fn plans(database: &Database) -> Vec<(String, String)> {
    let statements = Statements::default();
    let systems = systems().await;
    let mut setup = Setup::between(&systems);
    setup.settings.server.api_burst = 1_000;
    setup.settings.server.api_heavy_burst = 1_000;
    setup.settings.server.api_tenant_burst = 1_000;
    setup.settings.server.api_tenant_heavy_burst = 1_000;
    for system in setup.settings.systems.values_mut() {
        system.tenant = Some("acme".parse().unwrap());
    }
    setup.clock = database.clock().clone();
    setup.store = Some(database.open().await);
    let app = setup.start().await;
    let run_id = scene::fill(&app, "customer-account", 3, |row| format!("value {row}")).await;
    let mut admin = Visitor::signed_in(&app, Role::Admin).await;
    let mut limited = Visitor::signed_in_within(&app, Role::Admin, &["acme"]).await;
    let mut all = page::pages(run_id);
    all.push("/console/mappings/customer-account".to_owned());
    all.push("/console/records/customer-account/left/L1-value%201".to_owned());
    all.extend(
        FILTERED
            .iter()
            .map(|path| format!("/console{}", path.replace("{run}", &run_id.to_string()))),
    );
    // Everything runs on this thread, the server included.
    let guard = tracing::subscriber::set_default(registry().with(statements.clone()));
    for path in &all {
        let answer = admin.get(path).await;
        assert!([200, 404].contains(&answer.status), "{path}: {}", answer.text());
    }
    // Whoever is limited to a tenant asks otherwise.
    for path in &all {
        let answer = limited.get(path).await;
        assert!([200, 403, 404].contains(&answer.status), "{path}: {}", answer.text());
    }
    drop(guard);
    let found: Vec<String> = statements.0.lock().unwrap().iter().cloned().collect();
    assert!(found.len() > 30, "the statements are seen: {}", found.len());
    let mut plans = Vec::new();
    for sql in found {
        let plan = database.plan(&sql).await;
        plans.push((sql, plan));
    }
    plans
}

/// What nearly every link is: a page of them is the first rows in the order in which the table lies.
const MOST: [&str; 2] = [
    "from link where status <> 'ended' order",
    "from link where status = 'linked' order",
];

/// Whether a statement reads a page in the order in which the table lies.
fn is_page(sql: &str) -> bool {
    let is_free = !sql.contains(" where ") || MOST.iter().any(|most| sql.contains(most));
    is_free && sql.contains("_id desc limit $1")
}

/// Lists by each of their filters, alone and together.
const FILTERED: &[&str] = &[
    "/conflicts?mapping=customer-account&status=ignored",
    "/conflicts?record_id=7",
    "/deletes?mapping=customer-account&all=true",
    "/drift?mapping=customer-account",
    "/drift/{run}?cause=event_missed&field=city&situation=differs&outcome=held&record_id=7",
    "/events?record_id=7&status=failed",
    "/events?status=done",
    "/events?status=ignored",
    "/events?status=queued",
    "/events?system=crm",
    "/events?system=crm&status=ignored",
    "/failures?code=RQ004&stage=write",
    "/failures?mapping=customer-account&code=RQ004",
    "/failures?record_id=7",
    "/failures?run_id=1",
    "/failures?status=resolved",
    "/failures?status=resolved&mapping=customer-account",
    "/ignore?mapping=customer-account&all=true",
    "/links?mapping=customer-account",
    "/links?mapping=customer-account&status=linked",
    "/links?mapping=customer-account&status=ended",
    "/links?status=ended",
    "/links?status=linked",
    "/notices?condition=held",
    "/notices?status=dead",
    "/notices?condition=held&status=sent",
    "/record?q=nobody%20has%20this",
    "/runs?kind=full",
    "/runs?kind=poll&status=failed",
    "/runs?mapping=customer-account&kind=full",
    "/runs?mapping=customer-account&status=held",
    "/suggestions?mapping=customer-account&status=rejected",
];

fn is_small(table: &str) -> bool {
    SMALL.iter().any(|small| table.contains(small))
}

#[tokio::test]
async fn no_page_reads_a_whole_table_on_sqlite() {
    let database = Database::sqlite();
    let mut scans = Vec::new();
    for (sql, plan) in plans(&database).await.into_iter().filter(|(sql, _)| !is_page(sql)) {
        // `SCAN link USING INDEX …` walks an index in the order of the page.
        let is_scan =
            |line: &&str| line.starts_with("SCAN ") && !line.contains("USING") && !line.contains("CONSTANT ROW");
        let tables = plan
            .lines()
            .filter(is_scan)
            .filter(|line| !is_small(&sql_table(&sql, line)));
        scans.extend(tables.map(|line| format!("{line}: {sql}")));
    }
    assert!(scans.is_empty(), "{}", scans.join("\n"));
}

/// The table of a line of a plan, which may call it by a short name.
fn sql_table(sql: &str, line: &str) -> String {
    let name = line.split(' ').nth(1).unwrap_or_default();
    let before = format!(" as {name} ");
    match sql.split_once(&before) {
        Some((before, _)) => before.rsplit(' ').next().unwrap_or(name).to_owned(),
        None => name.to_owned(),
    }
}

#[tokio::test]
async fn no_page_reads_a_whole_table_on_postgresql() {
    let Some(database) = Database::postgres().await else {
        return;
    };
    let mut scans = Vec::new();
    for (sql, plan) in plans(&database).await.into_iter().filter(|(sql, _)| !is_page(sql)) {
        let is_scan = |line: &&str| line.contains("Seq Scan on ");
        let table = |line: &str| line.split("Seq Scan on ").nth(1).unwrap_or_default().to_owned();
        let tables = plan.lines().filter(is_scan).filter(|line| !is_small(&table(line)));
        scans.extend(tables.map(|line| format!("{}: {sql}", line.trim())));
    }
    assert!(scans.is_empty(), "{}", scans.join("\n"));
}
