//! Every look that the API and the console have, at everything that is there.

use std::io::Cursor;

use calamine::{Reader as _, Xlsx};
use syncline::server::api;

use super::{
    Told,
    scene::{LOUD, SHOWN},
};
use crate::support::http::Answer;

/// Every look that the API has, at everything that is there.
pub async fn crawl(call: &impl AsyncFn(&str, &str, &str) -> Answer, told: &mut Told) {
    for route in api::routes().iter().filter(|route| route.method == "GET") {
        for path in filled(&route.path) {
            let answer = call("GET", &path, "").await;
            assert!(
                ![401, 429].contains(&answer.status) && answer.status < 500,
                "{path}: {}",
                answer.text()
            );
            told.answer("api", &answer);
        }
    }
    for format in ["csv", "jsonl", "html", "xlsx"] {
        let answer = call("GET", &format!("/api/v1/drift/1/export?format={format}"), "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        told.answer(format, &answer);
        if format == "xlsx" {
            let mut book = Xlsx::new(Cursor::new(dechunked(&answer))).unwrap();
            for (name, cells) in book.worksheets() {
                told.add("xlsx", format!("{name} {cells:?}"));
            }
        }
    }
    for path in ["/metrics", "/readyz", "/healthz"] {
        told.answer("metrics", &call("GET", path, "").await);
    }
}

/// The body of an answer that came in pieces.
pub fn dechunked(answer: &Answer) -> Vec<u8> {
    if answer.header("transfer-encoding") != Some("chunked") {
        return answer.body.clone();
    }
    let (mut rest, mut whole) = (answer.body.as_slice(), Vec::new());
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        whole.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
    whole
}

/// The paths of a route, with everything that is there in its places.
pub fn filled(route: &str) -> Vec<String> {
    let mappings = [LOUD.map(|(left, _)| left).as_slice(), &[SHOWN]].concat();
    let systems = [
        LOUD.map(|(_, right)| right).as_slice(),
        &["refresher", "keyed", "signer", "erp", "crm"],
    ]
    .concat();
    let names = if route.contains("/mappings/") {
        mappings.clone()
    } else {
        vec!["style.css", "live.js"]
    };
    let is_record = route.contains("/mappings/") || route.contains("{mapping}");
    let ids = if is_record {
        vec!["7"]
    } else {
        vec!["1", "2", "3", "4", "5"]
    };
    let mut paths = vec![route.to_owned()];
    for (place, values) in [
        ("{mapping}", mappings),
        ("{name}", names),
        ("{system}", systems),
        ("{target}", vec!["ops", "team"]),
        ("{side}", vec!["left", "right"]),
        ("{token}", vec!["none"]),
        ("{*rest}", vec!["nowhere"]),
        ("{id}", ids),
    ] {
        if route.contains(place) {
            let all = paths
                .iter()
                .flat_map(|path| values.iter().map(|value| path.replace(place, value)));
            paths = all.collect();
        }
    }
    assert!(
        paths.iter().all(|path| !path.contains('{')),
        "say what stands in {route}"
    );
    let query = match route.rsplit('/').next() {
        Some("export") => "?format=csv",
        Some("records" | "record") => "?q=7&ask=true",
        _ => "",
    };
    paths.iter().map(|path| format!("{path}{query}")).collect()
}
