//! Documents that people and servers write, and what becomes of them.

use proptest::prelude::*;

use super::*;
use crate::core::value::json;

fn namespaces() -> Namespaces {
    Namespaces(BTreeMap::from([
        (
            "soap".to_owned(),
            "http://schemas.xmlsoap.org/soap/envelope/".to_owned(),
        ),
        (DEFAULT.to_owned(), "urn:m".to_owned()),
    ]))
}

fn read(text: &str) -> Result<String, Error> {
    let read = parse(text.as_bytes(), &namespaces(), &Limits::default());
    read.map(|element| json::to_string(&element.into_document()))
}

#[test]
fn elements_attributes_and_text_become_structure() {
    for (text, expected) in [
        ("<a/>", r#"{"a":""}"#),
        ("<a> x </a>", r#"{"a":" x "}"#),
        ("<a k='1'>x</a>", r##"{"a":{"#text":"x","@k":"1"}}"##),
        ("<a><b>1</b><b>2</b><c/></a>", r#"{"a":{"b":["1","2"],"c":""}}"#),
        ("<a>\n <b>1</b>\n</a>", r#"{"a":{"b":"1"}}"#),
        ("<a>x<b/>y</a>", r##"{"a":{"#text":"xy","b":""}}"##),
        ("<a><![CDATA[<&]]>&lt;&#233;&amp;</a>", r#"{"a":"<&<é&"}"#),
        (
            "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><r xmlns='urn:m'>1</r></e:Body></e:Envelope>",
            r#"{"soap:Envelope":{"soap:Body":{"r":"1"}}}"#,
        ),
        (
            "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><b i:nil='true'/><c i:type='x:int'>1</c></a>",
            r#"{"a":{"b":null,"c":"1"}}"#,
        ),
        ("\u{feff}<?xml version='1.0'?><!-- c --><a/>\n", r#"{"a":""}"#),
    ] {
        assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn bombs_and_broken_documents_are_refused_by_name() {
    let bomb = "<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;'>]><a>&c;</a>";
    let file = "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>";
    assert_eq!(read(bomb), Err(Error::DocumentType));
    assert_eq!(read(file), Err(Error::DocumentType));
    assert_eq!(
        read("<a>&nbsp;</a>"),
        Err(Error::Entity {
            name: "nbsp".to_owned()
        })
    );
    assert_eq!(read(&"<a>".repeat(100_000)), Err(Error::Limit("depth")));
    assert_eq!(
        read("<a><b>"),
        Err(Error::Cut {
            element: "b".to_owned()
        })
    );
    assert_eq!(read(" "), Err(Error::Nothing));
    for text in [
        "<a></b>",
        "<a k='&x;'/>",
        "<a/><b/>",
        "x<a/>",
        "<p:a/>",
        "<a k='1' k='2'/>",
        "<a>&#0;</a>",
        "<a",
    ] {
        assert!(
            matches!(read(text), Err(Error::Syntax { .. } | Error::Cut { .. })),
            "{text}: {:?}",
            read(text)
        );
    }
    let few = Limits {
        nodes: 10,
        ..Limits::default()
    };
    let many = format!("<a>{}</a>", "<b/>".repeat(20));
    assert_eq!(
        parse(many.as_bytes(), &Namespaces::default(), &few),
        Err(Error::Limit("elements"))
    );
}

#[test]
fn an_encoding_is_believed_where_it_is_read_and_named_where_it_is_not() {
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>caf\xe9</a>";
    let read = parse(latin, &Namespaces::default(), &Limits::default()).unwrap();
    assert_eq!(read.text, "café");
    let cyrillic = b"<?xml version='1.0' encoding='windows-1251'?><a>\xe9</a>";
    let error = parse(cyrillic, &Namespaces::default(), &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the text is not UTF-8, and `windows-1251` is not read"
    );
    let unnamed = parse(b"<a>caf\xe9</a>", &Namespaces::default(), &Limits::default()).unwrap_err();
    assert_eq!(unnamed, Error::NotUtf8);
}

#[test]
fn a_structure_is_written_in_its_order_and_read_back() {
    let text = |text: &str| Ordered::Value(Value::from(text));
    let document = Ordered::Map(vec![(
        "soap:Envelope".to_owned(),
        Ordered::Map(vec![
            ("z".to_owned(), text("a<b & \"c\"")),
            (
                "a".to_owned(),
                Ordered::List(vec![text("1"), Ordered::Value(Value::Int(2))]),
            ),
            (
                "m".to_owned(),
                Ordered::Map(vec![("@k".to_owned(), text("\"<\n")), ("#text".to_owned(), text("t"))]),
            ),
        ]),
    )]);
    let written = String::from_utf8(write(&document, &namespaces()).unwrap()).unwrap();
    assert_eq!(
        written,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soap:Envelope xmlns=\"urn:m\" \
         xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><z>a&lt;b &amp; \"c\"</z><a>1</a><a>2</a>\
         <m k=\"&quot;&lt;&#10;\">t</m></soap:Envelope>"
    );
    assert_eq!(
        read(&written).unwrap(),
        r##"{"soap:Envelope":{"a":["1","2"],"m":{"#text":"t","@k":"\"<\n"},"z":"a<b & \"c\""}}"##
    );
}

#[test]
fn what_xml_cannot_say_is_refused() {
    let of = |name: &str, value: Value| {
        write(
            &Value::Map(Map::from_iter([(name.to_owned(), value)])).into(),
            &namespaces(),
        )
    };
    for (name, value, expected) in [
        ("a b", Value::Null, WriteError::Name { name: "a b".to_owned() }),
        (
            "a><b",
            Value::Null,
            WriteError::Name {
                name: "a><b".to_owned(),
            },
        ),
        ("x:a", Value::Null, WriteError::Prefix { name: "x:a".to_owned() }),
        (
            "a",
            Value::from("\u{1}"),
            WriteError::Character {
                element: "a".to_owned(),
            },
        ),
        ("a", Value::List(Vec::new()), WriteError::Root),
    ] {
        assert_eq!(of(name, value), Err(expected));
    }
    assert_eq!(write(&Value::from("x").into(), &namespaces()), Err(WriteError::Root));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), text in "[<>&;/a'=\"!\\[\\]x:-]{0,60}") {
        let _ = parse(&bytes, &namespaces(), &Limits::default());
        let _ = read(&text);
    }

    #[test]
    fn every_text_comes_back(text in "[^\\x00-\\x1f\\x7f-\\x9f]{0,40}") {
        let document: Ordered = Value::Map(Map::from_iter([("a".to_owned(), Value::from(text.as_str()))])).into();
        let written = write(&document, &Namespaces::default()).unwrap();
        let read = parse(&written, &Namespaces::default(), &Limits::default()).unwrap();
        prop_assert_eq!(read.text, text);
    }
}

#[test]
fn one_text_is_found_without_the_rest_and_only_where_it_stands_alone() {
    let path = ["soap:Envelope", "soap:Body", "n", "Org"].map(str::to_owned);
    let find = |inner: &str| {
        let text = format!(
            "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body xmlns='urn:m'>{inner}</e:Body></e:Envelope>"
        );
        find(text.as_bytes(), &namespaces(), &path, &Limits::default())
    };
    for (inner, expected) in [
        ("<n><Org>00D&amp;1</Org><m><Org>other</Org></m></n>", Some("00D&1")),
        (
            "<m/><n><a><Org>no</Org></a></n><n><b/><Org><![CDATA[x]]></Org></n>",
            Some("x"),
        ),
        ("<n><Org/></n>", Some("")),
        ("<Org>x</Org><n><o><Org>x</Org></o></n>", None),
        ("", None),
    ] {
        assert_eq!(find(inner), Ok(expected.map(str::to_owned)), "{inner}");
    }
    for inner in [
        "<n><Org>a</Org><Org>a</Org></n>",
        "<n><Org>a</Org></n><n><Org>a</Org></n>",
        "<n><Org>a<b/></Org></n>",
        "<n><Org>&b;</Org></n>",
        "<n><Org>a</n></Org>",
        "<x:n/>",
    ] {
        assert!(find(inner).is_err(), "{inner}");
    }
    let short = [path[0].clone()];
    let at = |text: &str, limits: &Limits| super::find(text.as_bytes(), &namespaces(), &short, limits);
    assert!(matches!(at("<a><b>", &Limits::default()), Err(Error::Cut { .. })));
    assert_eq!(
        at("<!DOCTYPE a [<!ENTITY b 'x'>]><a/>", &Limits::default()),
        Err(Error::DocumentType)
    );
    assert_eq!(
        at(&"<a>".repeat(100_000), &Limits::default()),
        Err(Error::Limit("depth"))
    );
    let few = Limits {
        nodes: 3,
        ..Limits::default()
    };
    assert_eq!(at("<a><b/><b/></a>", &few), Ok(None));
    assert_eq!(at("<a><b/><b/><b/></a>", &few), Err(Error::Limit("elements")));
}
