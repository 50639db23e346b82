//! Whatever stands in any text of any table, no page runs it, and none breaks.

use syncline::core::status::Role;

use super::{page, scene};
use crate::{
    api::action::systems,
    support::{app::Setup, database::Database, visitor::Visitor},
};

/// A text that would run, load or break out wherever it is not escaped.
const HOSTILE: &str = "<script>alert(1)</script>\"'' onfocus=alert(1) x=''><img src=x onerror=alert(1)></textarea></title>\
     {{ 7*7 }}\u{202e}";
/// What must stand on no page as it is.
const RAW: [&str; 7] = [
    "<script>alert",
    "<img",
    "\"' onfocus",
    "</textarea>",
    "</title>{",
    "'><",
    "\u{202e}",
];
/// Columns whose texts are words of ours, or JSON of ours, or what finds a row again: nobody outside writes them. The texts within the
/// JSON are hostile in `hostile_texts_stay_texts_on_every_page_and_no_page_grows_with_them`.
const OURS: &[&str] = &[
    "cause",
    "class",
    "code",
    "compared",
    "condition",
    "kind",
    "last_changed_side",
    "mapping",
    "missing_decision",
    "missing_side",
    "origin",
    "outcome",
    "password",
    "payload",
    "progress",
    "report",
    "role",
    "side",
    "situation",
    "stage",
    "state",
    "status",
    "summary",
    "tenants",
    "trigger",
    "waiting_side",
    "winner",
];
/// Tables that no page shows.
const UNSEEN: &[&str] = &["_sqlx_migrations", "lease", "meta", "sqlite_sequence"];

/// Every column of text, by its table.
async fn columns(database: &Database) -> Vec<(String, String)> {
    let sql = "select group_concat(m.name || '.' || p.name) from sqlite_master as m join pragma_table_info(m.name) as p \
         where m.type = 'table' and lower(p.type) = 'text'";
    let found = database.raw_text(sql).await.unwrap();
    let columns = found.split(',').filter_map(|pair| pair.split_once('.'));
    let is_foreign = |(table, column): &(&str, &str)| !UNSEEN.contains(table) && !OURS.contains(column);
    let columns = columns.filter(is_foreign);
    columns
        .map(|(table, column)| (table.to_owned(), column.to_owned()))
        .collect()
}

#[tokio::test]
async fn hostile_texts_in_any_column_of_any_table_stay_texts_on_every_page() {
    let systems = systems().await;
    let database = Database::sqlite();
    let mut setup = Setup::between(&systems);
    setup.settings.server.api_burst = 1_000_000;
    setup.settings.server.api_heavy_burst = 1_000_000;
    setup.clock = database.clock().clone();
    setup.store = Some(database.open().await);
    let app = setup.start().await;
    let run_id = scene::fill(&app, "customer-account", 3, |row| format!("value {row}")).await;
    let notice = "insert into notice (event_id, condition, state, subject, occurred_at, payload, letter_subject, letter_body) \
         values ('n', 'held', 'raised', 's', 1, '{\"title\":\"<img src=x>\",\"next\":\"<img src=x>\"}', 's', 'b')";
    database.raw(notice).await;
    let delivery = "insert into notice_delivery (notice_id, target, status, next_attempt_at, until, last_error) \
         values (1, 'ops', 'dead', 1, 1, 'e')";
    database.raw(delivery).await;
    let mut admin = Visitor::signed_in(&app, Role::Admin).await;
    let columns = columns(&database).await;
    assert!(columns.len() > 60, "they are found: {columns:?}");
    for (table, column) in &columns {
        let text = format!("'{HOSTILE}' || hex(randomblob(4))");
        database.raw(format!("update {table} set {column} = {text}")).await;
    }
    let mut pages = page::pages(run_id);
    pages.push("/console/mappings/customer-account".to_owned());
    let seen = database
        .raw_text("select left_id from link order by link_id limit 1")
        .await;
    let id = percent_encoding::utf8_percent_encode(&seen.unwrap(), percent_encoding::NON_ALPHANUMERIC).to_string();
    pages.push(format!("/console/records/customer-account/left/{id}"));
    pages.push(format!("/console/record?q={id}"));
    let (mut shown, mut raws) = (0, Vec::new());
    for path in &pages {
        for language in ["en", "pt-BR"] {
            admin.language = language;
            let answer = admin.get(path).await;
            let page = answer.text();
            assert!([200, 303, 404].contains(&answer.status), "{path}: {page}");
            for raw in RAW {
                if let Some(at) = page.find(raw) {
                    let before: String = page[..at].chars().rev().take(300).collect();
                    raws.push((path, raw, before.chars().rev().collect::<String>()));
                }
            }
            assert_eq!(
                page.matches("<script").count(),
                usize::from(answer.status != 303),
                "{path}"
            );
            shown += u32::from(page.contains("script&gt;alert(1)") || page.contains("script&#62;alert(1)"));
        }
    }
    assert!(raws.is_empty(), "{raws:#?}");
    assert!(shown > 30, "they are shown: {shown}");
    systems.stop().await;
}
