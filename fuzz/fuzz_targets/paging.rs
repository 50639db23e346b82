//! Every listing ends, whatever a system answers, and goes on from no text but its own.
#![no_main]

use syncline::core::{
    connector::{
        Source,
        page::{Page, Pager, Paging, Style, Turn},
    },
    path::Path,
    value::{Map, Value, json},
};

libfuzzer_sys::fuzz_target!(|input: (u8, &str, Vec<(&str, &str, u8, u64)>)| {
    let (style, resume, pages) = input;
    let Ok(base) = url::Url::parse("https://a.example/api") else { return };
    let path = |text: &str| Path::parse(text).ok();
    let (Some(next), Some(total), Some(more)) = (path("next"), path("total"), path("more")) else { return };
    let style = match style % 7 {
        0 => Style::Single,
        1 => Style::Cursor(Source::Path(next)),
        2 => Style::NextUrl(Source::Path(next)),
        3 => Style::LinkHeader("next".into()),
        4 => Style::Offset(0),
        5 => Style::Number(1),
        _ => Style::Keyset(vec![next]),
    };
    let paging = Paging { style, send: None, total: Some(Source::Path(total)), more: Some(Source::Path(more)), parallel: 1 };
    let mut pager = Pager::new(paging, Some(10), 20, base.clone()).resumed(resume);
    let limits = json::Limits { depth: 16, nodes: 1_000, ..json::Limits::default() };
    for (rest, link, count, print) in pages {
        let rest = json::parse(rest.as_bytes(), &limits).unwrap_or(Value::Map(Map::new()));
        let last = match &rest {
            Value::Map(map) => Some(map),
            _ => None,
        };
        let headers = Map::from_iter([("link".to_owned(), Value::from(link))]);
        let page = Page { rest: &rest, headers: &headers, url: &base, count: u64::from(count), last, print };
        let _ = (pager.scope(), pager.sent(), pager.resume());
        match pager.turn(&page) {
            Ok(Turn::More) => assert!(!pager.is_complete()),
            Ok(Turn::End) => {
                assert!(pager.resume().is_none());
                return;
            }
            Err(_) => return,
        }
    }
});
