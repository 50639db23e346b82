//! Every form of file, with cells that would do harm.

use std::{
    io::{Cursor, Read as _, Seek as _, SeekFrom},
    sync::Arc,
};

use calamine::{Data, Reader as _, Xlsx};
use serde_json::Value as Json;
use syncline::{
    core::{
        drift::Summary,
        newcomer::NewFields,
        status::{Cause, DriftOutcome, Role, RunKind, Side, Sides, Situation, Trigger},
    },
    report::{Export, Format, MASKED, Overview, export, export::cell, overview::Point},
    store::{
        Op, Store,
        drift::{DriftFilter, NewDrift},
        run::NewRun,
    },
};

use crate::support::database::Database;

/// What spreadsheets would execute, what browsers would run, and what breaks rows.
const HOSTILE: &[&str] = &[
    "=1+1",
    "=cmd|' /C calc'!A0",
    "=HYPERLINK(\"http://evil.example\",\"click\")",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠A1",
    "'=1",
    "''",
    "\"quoted\",\"twice\"",
    "a,b;c",
    "line one\r\nline two",
    "<script>alert(1)</script>",
    "</td></tr></table><img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "&amp;&lt;",
    "javascript:alert(1)",
    "http://evil.example/",
    "mailto:ana@example.com",
    "_x003D_1+1",
    "_x005F_",
    " =1",
    "\u{feff}=1",
    "\u{202e}txt.exe",
    "😀 e\u{301} 客户",
    "{\"a\":1}",
    "]]>",
    "12345678901234567890",
    "1e999",
    "TRUE",
    "#REF!",
    "2026-01-01",
];

fn item(run_id: i64, number: usize, left: &str, right: &str) -> NewDrift {
    NewDrift {
        run_id,
        mapping: Arc::from("customer-account"),
        situation: Situation::Differs,
        cause: Cause::EventMissed,
        field: Some(left.to_owned()),
        left_id: Some(number.to_string()),
        right_id: Some(right.to_owned()),
        left_value: Some(left.to_owned()),
        right_value: Some(right.to_owned()),
        sensitive: false,
        first_seen_at: None,
        age_runs: 2,
        last_changed_side: None,
        outcome: DriftOutcome::Reported,
        note: Some(left.to_owned()),
        failure_id: None,
        event_id: Some(901),
    }
}

/// A report of these pairs of values.
async fn report(store: &Store, values: &[(String, String)], mapping: &str) -> Overview {
    let run = NewRun {
        kind: RunKind::Reconcile,
        mapping: Some(Arc::from(mapping)),
        trigger: Trigger::Schedule,
        note: None,
        job_key: None,
    };
    let run_id = store.start_run(&run).await.unwrap();
    let items = values
        .iter()
        .enumerate()
        .map(|(number, (left, right))| Op::AddDrift(item(run_id, number, left, right)));
    store.commit(items.collect()).await.unwrap();
    let mut summary = Summary {
        cells: 100,
        cells_equal: 99,
        complete: true,
        ..Summary::default()
    };
    summary.situations.insert(Situation::Differs, values.len() as u64);
    summary.causes.insert(Cause::EventMissed, values.len() as u64);
    for (left, _) in values.iter().take(HOSTILE.len()) {
        *summary.fields.entry(left.clone()).or_default() += 1;
        *summary.unmapped.entry(left.clone()).or_default() += 1;
    }
    summary.new_fields.push(NewFields {
        side: Side::Left,
        system: "=erp".to_owned(),
        object: "<customer>".to_owned(),
        fields: values.iter().take(20).map(|(left, _)| left.clone()).collect(),
        more: 1,
    });
    let text = serde_json::to_string(&summary).unwrap();
    store.save_drift_summary(run_id, mapping, &text).await.unwrap();
    store.drift_summary(run_id).await.unwrap().unwrap().into()
}

async fn exported(store: &Store, overview: &Overview, format: Format, role: Role) -> Vec<u8> {
    let request = Export {
        format,
        trend: vec![Point::from(overview), Point::from(overview)],
        systems: Sides {
            left: "=erp".to_owned(),
            right: "<crm>".to_owned(),
        },
        overview: overview.clone(),
        filter: DriftFilter::default(),
        role,
    };
    let mut file = tempfile::tempfile().unwrap();
    export(store, request, file.try_clone().unwrap()).await.unwrap();
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn hostile() -> Vec<(String, String)> {
    let pairs = HOSTILE.iter().zip(HOSTILE.iter().rev());
    pairs
        .map(|(left, right)| ((*left).to_owned(), (*right).to_owned()))
        .collect()
}

/// Short texts of every mixture of what is dangerous at the beginning of a cell.
fn mixtures(count: usize) -> Vec<(String, String)> {
    const SIGNS: [char; 20] = [
        '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '\'', '"', ',', '<', '&', '_', 'x', '1', ' ',
    ];
    let text = |mut seed: usize| {
        let mut text = String::new();
        while seed > 0 {
            text.push(SIGNS[seed % SIGNS.len()]);
            seed /= SIGNS.len();
        }
        text
    };
    // Neither number has a common factor with the table's length, so that every beginning comes up.
    (1..=count)
        .map(|number| (text(number * 7), text(number * 13 + 1)))
        .collect()
}

#[tokio::test]
async fn csv_has_no_formula_and_gives_every_value_back() {
    let database = Database::sqlite();
    let store = database.open().await;
    let values = [hostile(), mixtures(2_500)].concat();
    let overview = report(&store, &values, "customer-account").await;
    let bytes = exported(&store, &overview, Format::Csv, Role::Admin).await;
    assert!(
        !bytes.starts_with("\u{feff}".as_bytes()),
        "no mark that programs stumble over"
    );
    let mut table = csv::Reader::from_reader(Cursor::new(&bytes));
    let head: Vec<String> = table.headers().unwrap().iter().map(str::to_owned).collect();
    let at = |name: &str| head.iter().position(|column| column == name).unwrap();
    let (left, right) = (at("left_value"), at("right_value"));
    let mut count = 0;
    for (row, expected) in table.records().zip(&values) {
        let row = row.unwrap();
        for cell in &row {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']),
                "{cell:?}"
            );
        }
        assert_eq!(cell::unguarded(&row[left]), expected.0);
        assert_eq!(cell::unguarded(&row[right]), expected.1);
        count += 1;
    }
    assert_eq!(count, values.len());
}

#[tokio::test]
async fn a_spreadsheet_has_no_formula_and_gives_every_value_back() {
    let database = Database::sqlite();
    let store = database.open().await;
    let values = [hostile(), mixtures(2_500)].concat();
    let overview = report(&store, &values, "customer-account").await;
    let bytes = exported(&store, &overview, Format::Xlsx, Role::Admin).await;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    assert_eq!(book.sheet_names(), ["Summary", "Items", "Fields", "Causes", "Trend"]);
    for name in book.sheet_names() {
        let formulas = book.worksheet_formula(&name).unwrap();
        let formulas: Vec<_> = formulas.used_cells().collect();
        assert!(formulas.is_empty(), "{name}: {formulas:?}");
    }
    let sheet = book.worksheet_range("Items").unwrap();
    let head: Vec<String> = sheet.rows().next().unwrap().iter().map(ToString::to_string).collect();
    let at = |name: &str| head.iter().position(|column| column == name).unwrap();
    let (left, right, seen, id) = (at("left_value"), at("right_value"), at("first_seen_at"), at("event_id"));
    let rows: Vec<_> = sheet.rows().skip(1).collect();
    assert_eq!(rows.len(), values.len());
    for (row, (left_value, right_value)) in rows.into_iter().zip(&values) {
        assert_text(&row[left], left_value);
        assert_text(&row[right], right_value);
        assert!(matches!(row[seen], Data::DateTime(_)), "{:?}", row[seen]);
        assert_eq!(row[id], Data::Float(901.0));
    }
}

/// A line break is one to a spreadsheet, however it was written.
fn assert_text(cell: &Data, expected: &str) {
    let Data::String(text) = cell else {
        panic!("{cell:?} is no text: {expected:?}")
    };
    let plain = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
    assert_eq!(plain(text), plain(expected));
}

#[tokio::test]
async fn json_lines_are_the_items_of_the_api() {
    let database = Database::sqlite();
    let store = database.open().await;
    let overview = report(&store, &hostile(), "customer-account").await;
    let bytes = exported(&store, &overview, Format::Jsonl, Role::Admin).await;
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), HOSTILE.len());
    for (line, value) in lines.iter().zip(HOSTILE) {
        assert_eq!(line["left_value"], *value);
        assert_eq!((&line["event_id"], &line["age_runs"]), (&901.into(), &2.into()));
    }
}

#[tokio::test]
async fn a_page_for_mail_stands_alone_and_holds_only_text() {
    let database = Database::sqlite();
    let store = database.open().await;
    let overview = report(&store, &[hostile(), mixtures(300)].concat(), "<b>&'\"").await;
    let bytes = exported(&store, &overview, Format::Html, Role::Admin).await;
    let page = String::from_utf8(bytes).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for markup in [
        "<script",
        "<img",
        "<b>",
        "<crm>",
        "onload=alert(1)>",
        "<link",
        "url(",
        "src=\"",
        "href=",
    ] {
        assert!(!page.contains(markup), "{markup}");
    }
    for known in [
        "<svg",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "99.00 %",
        "200 of 338 differences",
    ] {
        assert!(page.contains(known), "{known}");
    }
    let open = page.matches("<td").count() + page.matches("<tr>").count() + page.matches("<table>").count();
    let closed = page.matches("</td>").count() + page.matches("</tr>").count() + page.matches("</table>").count();
    assert_eq!(open, closed, "every cell, row and table ends");
}

#[tokio::test]
async fn sensitive_values_are_in_no_file_for_a_viewer() {
    let database = Database::sqlite();
    let store = database.open().await;
    let overview = report(&store, &[], "customer-account").await;
    let secret = NewDrift {
        sensitive: true,
        left_value: Some("canary-phone".to_owned()),
        ..item(overview.run_id, 1, "phone", "A")
    };
    store.commit(vec![Op::AddDrift(secret)]).await.unwrap();
    for format in Format::ALL {
        if format == Format::Xlsx {
            continue;
        }
        for (role, is_seen) in [(Role::Viewer, false), (Role::Operator, true)] {
            let bytes = exported(&store, &overview, format, role).await;
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(text.contains("canary-phone"), is_seen, "{format} for {role}");
            assert_eq!(text.contains(MASKED), !is_seen, "{format} for {role}");
        }
    }
    let bytes = exported(&store, &overview, Format::Xlsx, Role::Viewer).await;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    let sheet = book.worksheet_range("Items").unwrap();
    let cells: Vec<String> = sheet.used_cells().map(|(.., cell)| cell.to_string()).collect();
    assert!(cells.iter().any(|cell| cell == MASKED) && !cells.iter().any(|cell| cell.contains("canary")));
}
