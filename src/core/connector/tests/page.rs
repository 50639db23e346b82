use proptest::prelude::*;
use url::Url;

use super::*;
use crate::core::{
    connector::{
        Source,
        page::{Page, PageError, Pager, Paging, Position, Style, Turn, print},
    },
    path::Path,
};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn at(text: &str) -> Source {
    Source::Path(path(text))
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn pager(style: Style) -> Pager {
    let paging = Paging {
        style,
        total: Some(at("total")),
        more: Some(at("more")),
        send: None,
        parallel: 1,
    };
    Pager::new(paging, Some(100), 1_000, url("https://a.example/api"))
}

/// Turns one page of `count` records, all of them new.
fn turn(pager: &mut Pager, rest: &str, count: u64) -> Result<Turn, PageError> {
    turn_with(pager, rest, count, None, None)
}

fn turn_with(
    pager: &mut Pager,
    rest: &str,
    count: u64,
    link: Option<&str>,
    last: Option<&Map>,
) -> Result<Turn, PageError> {
    let headers = link.map(|link| ("link".to_owned(), Value::from(link)));
    let headers: Map = headers.into_iter().collect();
    let (rest, from) = (value(rest), url("https://a.example/api/things?page=1"));
    let read = pager.read().to_le_bytes();
    pager.turn(&Page {
        rest: &rest,
        headers: &headers,
        url: &from,
        count,
        last,
        print: print([read.as_slice(), &count.to_le_bytes()]),
    })
}

#[test]
fn a_cursor_listing_ends_where_there_is_no_next() {
    for end in [
        r#"{"next":null}"#,
        "{}",
        r#"{"next":""}"#,
        r#"{"next":false}"#,
        r#"{"next":"c","more":false}"#,
    ] {
        let mut pager = pager(Style::Cursor(at("next")));
        assert_eq!(turn(&mut pager, r#"{"next":"c2"}"#, 5), Ok(Turn::More));
        assert_eq!(pager.sent().as_deref(), Some("c2"));
        assert_eq!(turn(&mut pager, end, 0), Ok(Turn::End), "{end}");
        assert!(pager.is_complete());
    }
}

#[test]
fn a_listing_that_says_there_is_more_and_leads_nowhere_is_an_error_and_no_end() {
    let styles = [
        (Style::Cursor(at("wrong")), "wrong"),
        (Style::NextUrl(at("wrong")), "wrong"),
        (Style::LinkHeader("next".to_owned()), "header:link"),
    ];
    for (style, place) in styles {
        for (rest, is_wrong) in [
            (r#"{"next":"c","more":true}"#, true),
            (r#"{"next":"c","more":7}"#, true),
            (r#"{"next":"c","more":"true"}"#, true),
            (r#"{"next":"c","more":false}"#, false),
            (r#"{"next":"c","more":0}"#, false),
            (r#"{"next":"c"}"#, false),
        ] {
            let no_way = PageError::NoWay {
                more: "more".to_owned(),
                at: place.to_owned(),
            };
            let told = turn(&mut pager(style.clone()), rest, 5);
            assert_eq!(told, if is_wrong { Err(no_way) } else { Ok(Turn::End) }, "{rest}");
        }
    }
}

#[test]
fn a_cursor_that_comes_again_ends_the_listing() {
    let mut pager = pager(Style::Cursor(at("next")));
    for cursor in ["a", "b", "c"] {
        turn(&mut pager, &format!(r#"{{"next":"{cursor}"}}"#), 5).unwrap();
    }
    assert_eq!(turn(&mut pager, r#"{"next":"b"}"#, 5), Err(PageError::Loop { page: 4 }));
    assert!(!pager.is_complete());
}

#[test]
fn a_cursor_an_address_and_a_total_may_stand_in_headers() {
    let headers = |pairs: &[(&str, &str)]| -> Map {
        let pair = |(name, text): &(&str, &str)| ((*name).to_owned(), Value::from(*text));
        pairs.iter().map(pair).collect()
    };
    let header = |name: &str| Source::Header(name.to_owned());
    for (style, sent) in [
        (Style::Cursor(header("next-page")), "/api/things?page=2"),
        (
            Style::NextUrl(header("next-page")),
            "https://a.example/api/things?page=2",
        ),
    ] {
        let paging = Paging {
            style,
            total: Some(header("total-records")),
            more: None,
            send: None,
            parallel: 1,
        };
        let mut pager = Pager::new(paging, None, 10, url("https://a.example/api"));
        let from = url("https://a.example/api/things");
        let page = |headers| Page {
            rest: &Value::Null,
            headers,
            url: &from,
            count: 2,
            last: None,
            print: u64::from(headers == &Map::new()),
        };
        let first = headers(&[("next-page", "/api/things?page=2"), ("total-records", "4")]);
        assert_eq!(pager.turn(&page(&first)), Ok(Turn::More));
        match pager.position() {
            Position::Cursor(cursor) => assert_eq!(cursor.to_text().as_deref(), Some(sent)),
            Position::Url(url) => assert_eq!(url.as_str(), sent),
            other => panic!("{other:?}"),
        }
        assert_eq!(pager.turn(&page(&Map::new())), Ok(Turn::End));
        assert!(pager.is_complete() && pager.total() == Some(4));
    }
}

#[test]
fn a_system_that_ignores_the_position_is_noticed_on_the_second_page() {
    let mut pager = pager(Style::Number(1));
    let page = Page {
        rest: &Value::Null,
        headers: &Map::new(),
        url: &url("https://a.example/"),
        count: 5,
        last: None,
        print: 7,
    };
    assert_eq!(pager.turn(&page), Ok(Turn::More));
    assert_eq!(pager.turn(&page), Err(PageError::NoProgress { page: 2 }));
}

#[test]
fn a_listing_that_ends_short_of_its_total_is_not_complete() {
    let mut short = pager(Style::Cursor(at("next")));
    assert_eq!(turn(&mut short, r#"{"total":10}"#, 9), Ok(Turn::End));
    assert!(!short.is_complete());
    let mut whole = pager(Style::Cursor(at("next")));
    assert_eq!(turn(&mut whole, r#"{"total":"10"}"#, 10), Ok(Turn::End));
    assert!(whole.is_complete());
}

#[test]
fn a_page_size_that_is_capped_in_silence_does_not_end_the_listing() {
    let mut pager = pager(Style::Offset(0));
    assert_eq!(
        turn(&mut pager, "{}", 40),
        Ok(Turn::More),
        "40 of 100 asked for may be all that fit"
    );
    assert_eq!(pager.sent().as_deref(), Some("40"));
    assert_eq!(turn(&mut pager, "{}", 40), Ok(Turn::More));
    assert_eq!(turn(&mut pager, "{}", 3), Ok(Turn::End));
    assert!(pager.is_complete());
    assert_eq!(pager.read(), 83);
}

#[test]
fn a_total_ends_a_listing_without_another_request() {
    let mut pager = pager(Style::Number(0));
    assert_eq!(pager.sent().as_deref(), Some("0"));
    assert_eq!(turn(&mut pager, r#"{"total":150}"#, 100), Ok(Turn::More));
    assert_eq!(pager.sent().as_deref(), Some("1"));
    assert_eq!(
        turn(&mut pager, r#"{"total":150}"#, 20),
        Ok(Turn::More),
        "a short page is not the end where the total says otherwise"
    );
    assert_eq!(turn(&mut pager, r#"{"total":150}"#, 30), Ok(Turn::End));
}

#[test]
fn next_addresses_are_followed_at_the_own_origin_only() {
    for (next, expected) in [
        ("?page=2", Ok("https://a.example/api/things?page=2")),
        (
            "things?$skiptoken=250",
            Ok("https://a.example/api/things?$skiptoken=250"),
        ),
        ("/other?x=1#frag", Ok("https://a.example/other?x=1")),
        ("https://a.example:443/x", Ok("https://a.example/x")),
        ("//a.example/x", Ok("https://a.example/x")),
        ("http://a.example/x", Err("http://a.example")),
        ("https://a.example:8443/x", Err("https://a.example:8443")),
        ("https://evil.example/x", Err("https://evil.example")),
        ("//evil.example/x", Err("https://evil.example")),
        ("https://a.example@evil.example/", Err("https://evil.example")),
        ("https://u:p@a.example/x", Err("https://a.example")),
        ("\\\\evil.example\\x", Err("https://evil.example")),
        ("file:///etc/passwd", Err("null")),
        ("javascript:alert(1)", Err("null")),
    ] {
        let mut by_body = pager(Style::NextUrl(at("next")));
        let rest = format!(r#"{{"next":{}}}"#, json::to_string(&Value::from(next)));
        let turned = turn(&mut by_body, &rest, 5);
        match expected {
            Ok(address) => {
                assert_eq!(turned, Ok(Turn::More), "{next}");
                assert_eq!(by_body.position(), &Position::Url(url(address)), "{next}");
            }
            Err(origin) => assert_eq!(
                turned,
                Err(PageError::ForeignOrigin { origin: origin.into() }),
                "{next}"
            ),
        }
    }
    let mut by_header = pager(Style::LinkHeader("next".into()));
    let link = r#"<https://a.example/api/things?page=2>; rel="next""#;
    assert_eq!(turn_with(&mut by_header, "{}", 5, Some(link), None), Ok(Turn::More));
    assert_eq!(turn_with(&mut by_header, "{}", 4, None, None), Ok(Turn::End));
}

#[test]
fn a_keyset_goes_on_behind_the_last_record() {
    let mut pager = pager(Style::Keyset(vec![path("at"), path("meta.id")]));
    let last = map(r#"{"at":"2026","meta":{"id":7,"x":1},"name":"n"}"#);
    assert_eq!(turn_with(&mut pager, "{}", 5, None, Some(&last)), Ok(Turn::More));
    assert_eq!(
        pager.position(),
        &Position::Last(map(r#"{"at":"2026","meta":{"id":7}}"#))
    );
    let resumed = pager.clone();
    assert_eq!(turn_with(&mut pager, "{}", 2, None, Some(&last)), Ok(Turn::End));
    let missing = map(r#"{"at":"2026"}"#);
    let mut other = resumed;
    assert_eq!(
        turn_with(&mut other, "{}", 5, None, Some(&missing)),
        Err(PageError::NoKey { path: "meta.id".into() })
    );
}

#[test]
fn a_listing_goes_on_from_its_stored_text_and_from_no_other() {
    let mut first = pager(Style::Cursor(at("next")));
    assert_eq!(first.resume(), None);
    turn(&mut first, r#"{"next":"c2"}"#, 5).unwrap();
    let text = first.resume().unwrap();
    let again = pager(Style::Cursor(at("next"))).resumed(&text);
    assert_eq!(
        (again.position(), again.read(), again.pages()),
        (first.position(), 5, 1)
    );
    for text in [
        "",
        "{}",
        "[1]",
        r#"{"v":1,"at":"c","pages":1}"#,
        r#"{"v":2,"at":"c","pages":1,"read":1}"#,
        &"[".repeat(9_999),
    ] {
        let started = pager(Style::Cursor(at("next"))).resumed(text);
        assert_eq!((started.position(), started.read()), (&Position::First, 0), "{text}");
    }
    let foreign = r#"{"v":1,"at":"https://evil.example/","pages":1,"read":1}"#;
    assert_eq!(
        pager(Style::NextUrl(at("next"))).resumed(foreign).position(),
        &Position::First
    );
}

proptest! {
    #[test]
    fn every_listing_ends(style in 0_u8..6, pages in proptest::collection::vec((0_u64..4, 0_u8..4), 0..60)) {
        let style = match style {
            0 => Style::Single,
            1 => Style::Cursor(at("next")),
            2 => Style::NextUrl(at("next")),
            3 => Style::Offset(0),
            4 => Style::Number(1),
            _ => Style::Keyset(vec![path("id")]),
        };
        let mut pager = pager(style);
        let mut count = 0_u32;
        for (records, next) in pages.into_iter().cycle().take(5_000) {
            let last = map(&format!(r#"{{"id":{next}}}"#));
            count += 1;
            if turn_with(&mut pager, &format!(r#"{{"next":"{next}"}}"#), records, None, Some(&last)) != Ok(Turn::More) {
                break;
            }
        }
        prop_assert!(count <= 1_000);
    }
}

/// A listing of which three pages may be asked for at once.
fn parallel(style: Style) -> Pager {
    let paging = Paging {
        style,
        total: Some(at("total")),
        more: None,
        send: None,
        parallel: 3,
    };
    Pager::new(paging, Some(100), 1_000, url("https://a.example/api"))
}

#[test]
fn pages_are_asked_for_at_once_where_their_places_are_known_and_never_beyond_the_total() {
    let mut pager = parallel(Style::Offset(0));
    assert_eq!(
        pager.ahead(),
        [],
        "before the first page nobody knows how many fit into one"
    );
    turn(&mut pager, r#"{"total":45}"#, 10).unwrap();
    assert_eq!(pager.position(), &Position::Offset(10));
    assert_eq!(pager.ahead(), [Position::Offset(20), Position::Offset(30)]);
    turn(&mut pager, r#"{"total":45}"#, 10).unwrap();
    turn(&mut pager, r#"{"total":45}"#, 10).unwrap();
    assert_eq!(pager.ahead(), [Position::Offset(40)]);
    let mut pager = parallel(Style::Number(1));
    turn(&mut pager, r#"{"total":30}"#, 10).unwrap();
    assert_eq!(pager.ahead(), [Position::Number(3)]);
    let mut pager = self::pager(Style::Offset(0));
    turn(&mut pager, r#"{"total":45}"#, 10).unwrap();
    assert_eq!(pager.ahead(), []);
}

#[test]
fn a_listing_read_at_once_is_not_complete_if_records_came_or_went_meanwhile() {
    for (second, is_complete) in [(40, true), (39, false), (41, false)] {
        let mut pager = parallel(Style::Offset(0));
        turn(&mut pager, r#"{"total":40}"#, 20).unwrap();
        let end = turn(&mut pager, &format!(r#"{{"total":{second}}}"#), 20).unwrap();
        if end == Turn::More {
            turn(&mut pager, r#"{"total":41}"#, 1).unwrap();
        }
        assert_eq!(pager.is_complete(), is_complete, "{second}");
    }
}

#[test]
fn a_page_that_is_short_leads_on_behind_its_own_records() {
    let mut pager = parallel(Style::Offset(0));
    turn(&mut pager, r#"{"total":45}"#, 10).unwrap();
    turn(&mut pager, r#"{"total":45}"#, 7).unwrap();
    assert_eq!(pager.position(), &Position::Offset(17));
    assert_eq!(pager.ahead(), [Position::Offset(27), Position::Offset(37)]);
}
