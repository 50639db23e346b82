use proptest::prelude::*;

use super::*;
use crate::catalog::yaml::Document;

const TEXT: &str = "list:
  - { get: \"/a/{{ idd }}\", sum: 'é {{ x }}' }
block: |
  first {{ a }}
  second {{ b }}
long: >
  folded
  {{ c }}
";

fn tree(text: &str) -> Tree {
    Document::read(text.as_bytes()).body.unwrap()
}

/// The text that a problem at `pointer` marks.
fn marked(pointer: &str, range: Option<Range<usize>>) -> String {
    let tree = tree(TEXT);
    let problem = Problem {
        range,
        ..Problem::error("XX001", pointer, "wrong")
    };
    let found = Diagnostic::in_tree("x.yaml", &tree, problem);
    let source = found.place.as_ref().and_then(|place| place.source.as_deref()).unwrap();
    source[found.columns(source)].to_owned()
}

#[test]
fn a_problem_marks_the_value_the_key_or_a_part_of_the_value() {
    for (pointer, range, expected) in [
        ("/list/0/get", None, "\"/a/{{ idd }}\""),
        ("/list/0/get", Some(6..9), "idd"),
        ("/list/0/sum", Some(6..7), "x"),
        ("/block", Some(9..10), "a"),
        ("/block", Some(24..25), "b"),
        ("/long", Some(10..11), "c"),
        ("/list", None, "list"),
        ("/list/0", None, "get"),
        ("/list/7/get", None, "list"),
        ("/missing", None, "list"),
        ("", None, "list"),
        ("/list/0/get", Some(600..900), "\"/a/{{ idd }}\""),
    ] {
        assert_eq!(marked(pointer, range.clone()), expected, "{pointer} {range:?}");
    }
}

#[test]
fn a_diagnostic_is_one_line_of_json() {
    let tree = tree("erp: nmae\n");
    let problem = Problem::error("MP012", "/erp", "no field `nmae`").with_hint("did you mean `name`?");
    let line = Diagnostic::in_tree("m.yaml", &tree, problem).to_json_line();
    let expected = r#"{"file":"m.yaml","line":1,"column":6,"end":{"line":1,"column":10},"source":"erp: nmae","severity":"error","code":"MP012","pointer":"/erp","message":"no field `nmae`","hint":"did you mean `name`?"}"#;
    assert_eq!(line, format!("{expected}\n"));
}

#[test]
fn colours_only_add_to_the_text() {
    let tree = tree("erp: nmae\n");
    let found = Diagnostic::in_tree(
        "m.yaml",
        &tree,
        Problem::warning("MP013", "/erp", "odd").with_hint("look"),
    );
    let (plain, coloured) = (found.render(Style::Plain), found.render(Style::Coloured));
    assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn what_a_file_says_cannot_steer_the_terminal() {
    let tree = tree("\"a\\e[31m\": x\n");
    let problem = Problem::error("FM001", "/a\u{1b}[31m", "unknown key `a\u{1b}[31m`").with_hint("not `\u{1b}[0m`");
    let shown = Diagnostic::in_tree("m.yaml", &tree, problem.on_key()).render(Style::Plain);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn a_line_longer_than_any_screen_is_left_out() {
    let tree = tree(&format!("a: {}\n", "x".repeat(LINE_BYTES_MAX)));
    let found = Diagnostic::in_tree("m.yaml", &tree, Problem::error("XX001", "/a", "wrong"));
    assert_eq!(found.place.as_ref().unwrap().source, None);
    assert!(found.render(Style::Plain).contains("m.yaml:1:4"));
}

#[test]
fn diagnostics_stand_in_the_order_of_files_and_lines() {
    let tree = tree("a: 1\nb: 2\n");
    let at = |file: &str, pointer: &str| Diagnostic::in_tree(file, &tree, Problem::error("XX001", pointer, "wrong"));
    let mut found = vec![at("b.yaml", "/a"), at("a.yaml", "/b"), at("a.yaml", "/a")];
    sort(&mut found);
    let order: Vec<_> = found
        .iter()
        .map(|one| (one.file.as_str(), one.pointer.as_str()))
        .collect();
    assert_eq!(order, [("a.yaml", "/a"), ("a.yaml", "/b"), ("b.yaml", "/a")]);
}

proptest! {
    #[test]
    fn every_pointer_and_range_has_a_place_in_the_file(
        pointer in "(/(list|block|long|0|get|~0|é|x)){0,4}",
        range in proptest::option::of((0_usize..40, 0_usize..40)),
    ) {
        let tree = tree(TEXT);
        let range = range.map(|(from, length)| from..from + length);
        let problem = Problem { range, ..Problem::error("XX001", pointer, "wrong") };
        let found = Diagnostic::in_tree("x.yaml", &tree, problem);
        let place = found.place.clone().unwrap();
        prop_assert!(place.line <= TEXT.lines().count() && place.column >= 1);
        prop_assert!((place.end.line, place.end.column) >= (place.line, place.column));
        prop_assert!(found.render(Style::Plain).contains("x.yaml"));
    }
}
