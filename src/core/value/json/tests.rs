use proptest::prelude::*;

use super::*;
use crate::core::value::{Map, sample};

fn limits() -> Limits {
    Limits::default()
}

fn read(text: &str) -> Result<Value, Error> {
    parse(text.as_bytes(), &limits())
}

/// The wanted members of a document, as [`split`] takes them of each record.
fn parse_projected(bytes: &[u8], projection: &Projection, limits: &Limits) -> Result<Value, Error> {
    parser::document(bytes, limits, |parser| parser.value(projection, 0))
}

#[test]
fn what_is_json_is_taken() {
    for (text, written) in [
        ("null", "null"),
        (" true ", "true"),
        ("\t\r\n[ ]", "[]"),
        ("{}", "{}"),
        (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
        ("9007199254740993", "9007199254740993"),
        ("123456789012345678901234567890.5", "123456789012345678901234567890.5"),
        ("1.50", "1.50"),
        ("-0", "0"),
        ("1E2", "100"),
        ("1e400", "1e400"),
        (r#""\u00e9\ud83d\ude00\/""#, "\"é😀/\""),
        (r#""\u0000\u001f\n""#, r#""\u0000\u001f\n""#),
        ("\"\u{2028}\"", "\"\u{2028}\""),
        (r#"{"":{"":[[[]]]}}"#, r#"{"":{"":[[[]]]}}"#),
        ("\u{feff}[1]", "[1]"),
    ] {
        assert_eq!(
            read(text).map(|value| to_string(&value)),
            Ok(written.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        " ",
        "nul",
        "tru",
        "True",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "01",
        "-01",
        "1.",
        ".1",
        "1e",
        "+1",
        "0x10",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"a\nb\"",
        "\"\t\"",
        "// c\n1",
        "[1]x",
        "1 2",
        "{\"a\":1}{\"b\":2}",
        "\u{feff}\u{feff}1",
        "<html>",
        "[1}",
        "{]",
    ] {
        assert!(read(text).is_err(), "{text:?} was taken as {:?}", read(text));
        assert!(
            parse_projected(text.as_bytes(), &Projection::default(), &limits()).is_err(),
            "{text:?} was skipped"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let error = parse(b"{\"a\":\"\xff\"}", &limits()).unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::Encoding, 6));
    let skipped = parse_projected(b"{\"a\":\"\xff\"}", &Projection::default(), &limits());
    assert_eq!(skipped.unwrap_err().kind, ErrorKind::Encoding);
}

#[test]
fn a_duplicate_key_is_refused_and_named() {
    for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"\u0061":3}}]"#] {
        let kind = ErrorKind::DuplicateKey { key: "a".to_owned() };
        assert_eq!(read(text).unwrap_err().kind, kind, "{text}");
    }
    let twice = br#"{"items":[1],"items":[2]}"#;
    let error = split(twice, &Path::of_key("items"), &Projection::all(), &limits()).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::DuplicateKey { .. }));
}

#[test]
fn trailing_bytes_are_refused() {
    let error = read("{} x").unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::Trailing, 3));
}

#[test]
fn every_limit_holds() {
    let small = Limits {
        bytes: 40,
        depth: 3,
        nodes: 5,
        key_bytes: 4,
        text_bytes: 8,
    };
    let check = |text: &str| parse(text.as_bytes(), &small).map_err(|error| error.kind);
    assert!(check(r#"{"abcd":[["12345678"]]}"#).is_ok());
    assert_eq!(check(&" ".repeat(41)), Err(ErrorKind::TooLarge { max: 40 }));
    assert_eq!(check("[[[[]]]]"), Err(ErrorKind::TooDeep { max: 3 }));
    assert_eq!(check("[1,2,3,4,5]"), Err(ErrorKind::TooManyValues { max: 5 }));
    assert_eq!(check(r#"{"abcde":1}"#), Err(ErrorKind::KeyTooLong { max: 4 }));
    assert_eq!(check(r#""123456789""#), Err(ErrorKind::TextTooLong { max: 8 }));
}

#[test]
fn depth_never_reaches_the_stack() {
    let unlimited = Limits {
        depth: usize::MAX,
        ..limits()
    };
    for open in ["[", "{\"a\":", "[{\"a\":["] {
        let bomb = open.repeat(1_000_000);
        let error = parse(bomb.as_bytes(), &unlimited).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooDeep { max: Limits::DEPTH_MAX });
        let skipped = parse_projected(bomb.as_bytes(), &Projection::default(), &unlimited);
        assert!(skipped.is_err());
        assert!(
            split(
                bomb.as_bytes(),
                &Path::parse("a").unwrap(),
                &Projection::all(),
                &unlimited
            )
            .is_err()
        );
    }
}

#[test]
fn a_projection_keeps_the_wanted_members_only() {
    let document =
        br#"{"id":7,"name":"Ana","address":{"city":"Recife","zip":"1"},"lines":[{"a":1}],"x":{"y":[1,{"z":2}]}}"#;
    for (paths, expected) in [
        (vec!["id"], r#"{"id":7}"#),
        (vec!["address.city", "id"], r#"{"address":{"city":"Recife"},"id":7}"#),
        (
            vec!["address", "address.city"],
            r#"{"address":{"city":"Recife","zip":"1"}}"#,
        ),
        (vec!["lines[0].a"], r#"{"lines":[{"a":1}]}"#),
        (vec!["none"], "{}"),
        (vec![], "{}"),
    ] {
        let paths: Vec<Path> = paths.into_iter().map(|path| Path::parse(path).unwrap()).collect();
        let value = parse_projected(document, &Projection::of(&paths), &limits()).unwrap();
        assert_eq!(to_string(&value), expected, "{paths:?}");
    }
}

#[test]
fn a_listing_is_split_into_its_records() {
    for (document, path, elements, rest) in [
        (
            r#"{"items":[{"a":1} , 2],"meta":{"next":"x"}}"#,
            "items",
            Some(vec![r#"{"a":1}"#, "2"]),
            r#"{"meta":{"next":"x"}}"#,
        ),
        (" [1,[2]] ", "$", Some(vec!["1", "[2]"]), "null"),
        (
            r#"{"d":{"results":[]},"n":1}"#,
            "d.results",
            Some(vec![]),
            r#"{"d":{},"n":1}"#,
        ),
        (
            r#"[{"rows":[1]},{"rows":[2]}]"#,
            "[1].rows",
            Some(vec!["2"]),
            r#"[{"rows":[1]},{}]"#,
        ),
        ("\u{feff}[1,[2]]", "$", Some(vec!["1", "[2]"]), "null"),
        (r#"{"items":null}"#, "items", None, r#"{"items":null}"#),
        (r#"{"error":"no"}"#, "items", None, r#"{"error":"no"}"#),
        (r#"{"items":{"a":[1]}}"#, "items", None, r#"{"items":{"a":[1]}}"#),
    ] {
        let split = split(
            document.as_bytes(),
            &Path::parse(path).unwrap(),
            &Projection::all(),
            &limits(),
        )
        .unwrap();
        let found = split
            .elements
            .as_ref()
            .map(|found| found.iter().map(to_string).collect::<Vec<_>>());
        assert_eq!(
            found,
            elements
                .as_ref()
                .map(|all| all.iter().map(|one| (*one).to_owned()).collect()),
            "{document}"
        );
        if let Some(all) = &elements {
            assert_eq!(document[split.place].replace(' ', ""), all.join(","), "{document}");
        }
        assert_eq!(to_string(&split.rest), rest, "{document}");
    }
}

#[test]
fn of_each_record_of_a_listing_only_the_wanted_members_are_built() {
    let wanted = Projection::of(&[Path::of_key("a")]);
    let split = split(
        br#"{"items":[{"a":1,"b":[2]},{"b":3}],"b":4}"#,
        &Path::of_key("items"),
        &wanted,
        &limits(),
    )
    .unwrap();
    let found: Vec<String> = split.elements.unwrap().iter().map(to_string).collect();
    assert_eq!(found, [r#"{"a":1}"#, "{}"]);
    assert_eq!(to_string(&split.rest), r#"{"b":4}"#);
}

#[test]
fn each_record_of_a_listing_may_hold_as_much_as_a_document() {
    let small = Limits {
        depth: 2,
        nodes: 4,
        ..limits()
    };
    let items = |text: &str| split(text.as_bytes(), &Path::of_key("items"), &Projection::all(), &small);
    assert!(items(r#"{"items":[[[1]],[[2]]]}"#).is_ok());
    assert_eq!(
        items(r#"{"items":[[[[1]]]]}"#).unwrap_err().kind,
        ErrorKind::TooDeep { max: 2 }
    );
    assert_eq!(
        items(r#"{"items":[[1,2,3,4]]}"#).unwrap_err().kind,
        ErrorKind::TooManyValues { max: 4 }
    );
}

proptest! {
    #[test]
    fn reading_what_was_written_gives_the_same_value(value in sample::json()) {
        let mut bytes = Vec::new();
        write(&value, &mut bytes);
        let read = parse(&bytes, &limits());
        prop_assert_eq!(read.as_ref(), Ok(&value));
        prop_assert_eq!(to_string(&value), serde_json::to_string(&value).unwrap());
    }

    #[test]
    fn a_projection_of_everything_is_the_document(value in sample::json()) {
        let text = to_string(&value);
        let projected = parse_projected(text.as_bytes(), &Projection::all(), &limits());
        prop_assert_eq!(projected, Ok(value));
    }

    #[test]
    fn splitting_loses_nothing(items in prop::collection::vec(sample::json(), 0..6), other in sample::json()) {
        let document = Value::Map(Map::from([
            ("items".to_owned(), Value::List(items.clone())),
            ("other".to_owned(), other.clone()),
        ]));
        let text = to_string(&document);
        let split = split(text.as_bytes(), &Path::of_key("items"), &Projection::all(), &limits()).unwrap();
        prop_assert_eq!(split.elements, Some(items));
        prop_assert_eq!(split.rest, Value::Map(Map::from([("other".to_owned(), other)])));
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &limits());
        let _ = split(&bytes, &Path::of_key("a"), &Projection::all(), &limits());
    }

    #[test]
    fn nothing_like_json_makes_reading_panic(text in r#"[\[\]{}",:0-9eE.+\-a\\u ]{0,60}"#) {
        let ours = parse(text.as_bytes(), &limits());
        let reference: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&text);
        if !matches!(ours, Err(Error { kind: ErrorKind::DuplicateKey { .. }, .. })) {
            prop_assert_eq!(ours.is_ok(), reference.is_ok(), "{}", text);
        }
    }
}
