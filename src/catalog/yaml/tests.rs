use proptest::prelude::*;

use super::*;

fn tree(text: &str) -> Tree {
    let document = Document::read(text.as_bytes());
    assert!(document.flaws.is_empty(), "{:?}", document.flaws);
    document.body.unwrap()
}

fn scalar<'t>(tree: &'t Tree, pointer: &str) -> (&'t str, &'t str) {
    let (id, reach) = tree.find(pointer);
    assert_eq!(reach, Reach::Exact, "{pointer}");
    let node = tree.node(id);
    let Content::Scalar { text, .. } = &node.content else {
        panic!("{pointer} is no scalar");
    };
    (text, &tree.source().text()[node.span.clone()])
}

/// The codes of what is wrong, and how many parser events that took.
fn flaws(bytes: &[u8]) -> (Vec<&'static str>, usize) {
    let document = Document::read(bytes);
    let codes = document.flaws.iter().map(|flaw| flaw.problem.code).collect();
    (codes, document.events)
}

#[test]
fn every_key_and_value_knows_its_bytes() {
    let tree = tree("a: 1\nb:\n  - {c: \"x\\ty\", d: 'é'}\n  - |\n    two\n    lines\n");
    assert_eq!(scalar(&tree, "/a"), ("1", "1"));
    assert_eq!(scalar(&tree, "/b/0/c"), ("x\ty", "\"x\\ty\""));
    assert_eq!(scalar(&tree, "/b/0/d"), ("é", "'é'"));
    assert_eq!(scalar(&tree, "/b/1").0, "two\nlines\n");
    let (id, _) = tree.find("/b/0/d");
    assert_eq!(
        &tree.source().text()[tree.node(id).key.as_ref().unwrap().span.clone()],
        "d"
    );
    assert_eq!(tree.pointer(id), "/b/0/d");
}

#[test]
fn keys_with_slashes_and_tildes_are_found_by_escaped_pointers() {
    let tree = tree("a/b: {c~d: 1}\n");
    let (id, reach) = tree.find("/a~1b/c~0d");
    assert_eq!(reach, Reach::Exact);
    assert_eq!(tree.pointer(id), "/a~1b/c~0d");
}

#[test]
fn a_pointer_to_nothing_leads_to_what_is_above_it() {
    let tree = tree("a: {b: 1}\n");
    let (id, reach) = tree.find("/a/x/y");
    assert_eq!((tree.pointer(id).as_str(), reach), ("/a", Reach::Above));
}

#[test]
fn scalars_mean_what_the_core_schema_says() {
    use Scalar::{Bool, Float, Inexact, Integer, Null, Text, Unsigned};
    for (text, expected) in [
        ("", Null),
        ("~", Null),
        ("null", Null),
        ("true", Bool(true)),
        ("False", Bool(false)),
        ("yes", Text("yes")),
        ("no", Text("no")),
        ("on", Text("on")),
        ("02:00", Text("02:00")),
        ("2026-01-01", Text("2026-01-01")),
        ("42", Integer(42)),
        ("-7", Integer(-7)),
        ("0o17", Integer(15)),
        ("0x1F", Integer(31)),
        ("007", Integer(7)),
        ("18446744073709551615", Unsigned(u64::MAX)),
        ("18446744073709551616", Inexact("18446744073709551616")),
        ("1.50", Float(1.5)),
        ("-.5", Float(-0.5)),
        ("1e3", Float(1000.0)),
        ("1e999", Inexact("1e999")),
        ("1234567890.123456", Inexact("1234567890.123456")),
        (".inf", Text(".inf")),
        (".", Text(".")),
        ("1.2.3", Text("1.2.3")),
        ("e5", Text("e5")),
        ("+", Text("+")),
        ("1_000", Text("1_000")),
    ] {
        assert_eq!(Scalar::resolve(text), expected, "{text}");
    }
}

#[test]
fn quotes_and_the_str_tag_make_a_text() {
    for text in ["a: '5'", "a: \"5\"", "a: !!str 5"] {
        let tree = tree(text);
        let content = &tree.node(tree.find("/a").0).content;
        assert!(matches!(content, Content::Scalar { is_plain: false, .. }), "{text}");
    }
}

#[test]
fn an_alias_reads_like_what_it_stands_for() {
    let tree = tree("a: &x {b: [1, 2]}\nc: *x\n");
    assert_eq!(scalar(&tree, "/c/b/1"), ("2", "2"));
    assert_eq!(tree.pointer(tree.find("/c/b/1").0), "/c/b/1");
    let alias = tree.node(tree.find("/c").0);
    assert_eq!(&tree.source().text()[alias.span.clone()], "*x");
}

#[test]
fn every_duplicate_key_is_told_with_the_line_of_the_first() {
    let document = Document::read(b"a: 1\nb: {c: 1, c: 2}\na: 3\n");
    let told: Vec<_> = document
        .flaws
        .iter()
        .map(|flaw| {
            (
                flaw.problem.pointer.as_str(),
                flaw.span.clone(),
                flaw.problem.hint.clone().unwrap(),
            )
        })
        .collect();
    let hint = |line: u32| format!("it stands in line {line} already; keep one of the two");
    assert_eq!(told, [("/b/c", 15..16, hint(2)), ("/a", 21..22, hint(1))]);
    assert_eq!(scalar(&document.body.unwrap(), "/a").0, "1");
}

#[test]
fn hostile_input_is_refused_after_little_work() {
    let bomb = {
        let level = |level: u32| {
            let below = vec![format!("*a{}", level - 1); 9].join(", ");
            format!("a{level}: &a{level} [{below}]")
        };
        let levels: Vec<String> = (1..30).map(level).collect();
        format!("a0: &a0 [x, x, x, x, x, x, x, x, x]\n{}\n", levels.join("\n"))
    };
    let table: &[(&str, Vec<u8>, &[&str])] = &[
        ("an alias bomb", bomb.into_bytes(), &["YM012"]),
        (
            "many aliases",
            format!("a: &a 1\nb: [{}]\n", "*a, ".repeat(5_000)).into_bytes(),
            &["YM013"],
        ),
        ("an alias to itself", b"a: &a [*a]\n".to_vec(), &["YM006"]),
        ("an alias to nothing", b"a: *b\n".to_vec(), &["YM006"]),
        ("deep lists", "[".repeat(500_000).into_bytes(), &["YM014"]),
        ("deep maps", "{a: ".repeat(200_000).into_bytes(), &["YM014"]),
        ("deep blocks", "- ".repeat(400_000).into_bytes(), &["YM014"]),
        ("deep keys", "? ".repeat(400_000).into_bytes(), &["YM010"]),
        (
            "block and flow in turn",
            format!("{}{}{}", "- ".repeat(20), "[".repeat(20), "]".repeat(20)).into_bytes(),
            &["YM014"],
        ),
        (
            "many items",
            format!("[{}]", "1,".repeat(400_000)).into_bytes(),
            &["YM012"],
        ),
        (
            "many keys",
            (0..100_000)
                .map(|key| format!("k{key}:"))
                .collect::<Vec<_>>()
                .join("\n")
                .into_bytes(),
            &["YM012"],
        ),
        ("a large file", vec![b' '; BYTES_MAX + 1], &["YM001"]),
        ("bytes that are no text", b"a: \xff\xfe\n".to_vec(), &["YM002"]),
        ("a NUL byte", b"a: \0\n".to_vec(), &["YM003"]),
        ("nothing", b"".to_vec(), &["YM004"]),
        ("only a comment", b"# nothing\n".to_vec(), &["YM004"]),
        ("two documents", b"a: 1\n---\nb: 2\n".to_vec(), &["YM005"]),
        ("a tag of its own", b"a: !include /etc/passwd\n".to_vec(), &["YM007"]),
        ("a binary tag", b"a: !!binary aGk=\n".to_vec(), &["YM007"]),
        ("a merge key", b"a: &a {b: 1}\nc: {<<: *a}\n".to_vec(), &["YM009"]),
        ("a map as a key", b"{{a: 1}: 2}\n".to_vec(), &["YM010"]),
        ("an alias as a key", b"a: &a b\n*a : 2\n".to_vec(), &["YM010"]),
        ("a directive", b"%YAML 1.1\n---\na: 1\n".to_vec(), &["YM011"]),
        ("a tab", b"a:\n\tb: 1\n".to_vec(), &["YM011"]),
        ("a bracket left open", b"a: [1, 2\nb: 3\n".to_vec(), &["YM011"]),
    ];
    for (name, bytes, expected) in table {
        let (codes, events) = flaws(bytes);
        assert_eq!(codes, *expected, "{name}");
        assert!(events <= NODES_MAX + 10, "{name}: {events} events");
    }
    let (_, events) = flaws("[".repeat(500_000).as_bytes());
    assert!(events < 100, "{events}");
}

#[test]
fn a_template_without_quotes_is_told_to_be_quoted() {
    for text in [
        "a: {{ b }}\n",
        "a: {{ b }}/c\n",
        "- {{ b }}: 1\n",
        "a: {x: {{ b }}}\n",
        "a: { x: Token {{ b.c }} }\n",
        "a: { x: 'it''s', y: Token {{ b.c }} }\n",
    ] {
        let document = Document::read(text.as_bytes());
        let hint = document.flaws[0].problem.hint.as_deref();
        assert_eq!(
            hint,
            Some("a text with `{{ … }}` must be in quotes: \"{{ … }}\""),
            "{text}"
        );
    }
}

#[test]
fn a_tab_is_told_where_it_stands_and_what_to_do() {
    for text in ["a:\n\tb: 1\n", "a:\n  b: x\n\tc: y\n"] {
        let document = Document::read(text.as_bytes());
        let flaw = &document.flaws[0];
        assert_eq!(flaw.problem.hint.as_deref(), Some("indent with spaces"), "{text:?}");
        assert_eq!(flaw.problem.message, "a tab may not stand here", "{text:?}");
    }
    let text = "a:\n  b: x\n\tc: y\n";
    let document = Document::read(text.as_bytes());
    assert_eq!(document.flaws[0].span.start, text.find('\t').unwrap());
}

#[test]
fn a_template_in_quotes_is_not_what_is_wrong_with_a_line() {
    let document = Document::read(b"a: { b: \"{{ c }}\" d: 1 }\n");
    let hint = document.flaws[0].problem.hint.as_deref();
    assert!(hint.is_none_or(|hint| !hint.contains("in quotes: ")), "{hint:?}");
}

#[test]
fn positions_count_characters_from_one() {
    let source = Source::new("é: ü\r\nb\n".to_owned());
    let at = |offset| {
        let Position { line, column } = source.position(offset);
        (line, column)
    };
    assert_eq!(
        [at(0), at(4), at(8), at(9), at(99)],
        [(1, 1), (1, 4), (2, 1), (2, 2), (3, 1)]
    );
    assert_eq!(&source.text()[source.line(1)], "é: ü");
    assert_eq!(&source.text()[source.line(2)], "b");
    assert_eq!(&source.text()[source.line(3)], "");
    assert_eq!(&source.text()[source.line(9)], "");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn reading_never_panics_and_every_place_is_inside_the_file(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "[-a-c:{}\\[\\],&*!|>'\"#% \n\té?]{0,80}".prop_map(String::into_bytes),
        ]
    ) {
        let document = Document::read(&bytes);
        let length = match &document.body {
            Ok(tree) => tree.source().text().len(),
            Err(source) => source.text().len(),
        };
        for flaw in &document.flaws {
            prop_assert!(flaw.span.start <= flaw.span.end && flaw.span.end <= length, "{flaw:?}");
        }
        if let Ok(tree) = &document.body {
            let mut open = vec![NodeId::ROOT];
            while let Some(id) = open.pop() {
                let node = tree.node(id);
                prop_assert!(tree.source().text().get(node.span.clone()).is_some(), "{node:?}");
                if let Some(key) = &node.key {
                    prop_assert!(tree.source().text().get(key.span.clone()).is_some(), "{key:?}");
                }
                prop_assert_eq!(tree.find(&tree.pointer(id)), (id, Reach::Exact));
                open.extend(tree.children(id));
            }
        }
    }
}
