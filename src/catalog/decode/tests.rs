use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map as JsonMap, Value as Json, json};

use super::*;
use crate::{
    catalog::{
        diagnostic::{self, Diagnostic, Style},
        yaml::Document,
    },
    core::{
        connector::form::ConnectorForm,
        mapping::form::MappingForm,
        period::{Period, Rate},
        webhook::form::PartForm,
    },
};

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    count: Option<u32>,
    #[serde(default)]
    every: Option<Period>,
    #[serde(default)]
    rate: Option<Rate>,
    #[serde(default)]
    pairs: Vec<Pair>,
    #[serde(default)]
    parts: Vec<PartForm>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    any: Json,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    #[serde(default)]
    sides: JsonMap<String, Json>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    secret: bool,
    #[serde(default)]
    policy: Option<Policy>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Policy {
    Newest,
    Manual,
}

fn read(text: &str) -> Tree {
    Document::read(text.as_bytes()).body.unwrap()
}

/// The form, and every problem as it is shown.
fn check(text: &str) -> (Option<Form>, String) {
    let tree = read(text);
    let mut problems = Problems::new();
    let form = decode(&tree, &mut problems);
    let mut found: Vec<_> = problems
        .into_vec()
        .into_iter()
        .map(|problem| Diagnostic::in_tree("form.yaml", &tree, problem))
        .collect();
    diagnostic::sort(&mut found);
    (form, diagnostic::render(&found, Style::Plain))
}

#[test]
fn a_right_form_is_read_whole() {
    let text = "
name: x
active: yes
count: 3
every: 5m
rate: 20/s
pairs:
  - { erp: name, crm: Name, type: text }
  - { erp: flag, secret: no, policy: newest }
parts: [timestamp, { literal: . }, body]
headers: { Accept: text/plain }
any: [1, 1.5, true, yes, null, '5', { a: b }]
";
    let (form, shown) = check(text);
    assert_eq!(shown, "");
    let sides = |value: Json| value.as_object().cloned().unwrap();
    let expected = Form {
        name: "x".to_owned(),
        active: true,
        count: Some(3),
        every: Some(Period::from_secs(300)),
        rate: Some("20/s".parse().unwrap()),
        pairs: vec![
            Pair {
                sides: sides(json!({ "erp": "name", "crm": "Name" })),
                kind: Some("text".to_owned()),
                ..Pair::default()
            },
            Pair {
                sides: sides(json!({ "erp": "flag" })),
                policy: Some(Policy::Newest),
                ..Pair::default()
            },
        ],
        parts: vec![PartForm::Timestamp, PartForm::Literal(".".to_owned()), PartForm::Body],
        headers: BTreeMap::from([("Accept".to_owned(), "text/plain".to_owned())]),
        any: json!([1, 1.5, true, "yes", null, "5", { "a": "b" }]),
    };
    assert_eq!(form, Some(expected));
}

const ALL_WRONG: &str = "
nme: x
active: maybe
count: -5
every: 5
rate: 20/w
pairs:
  - { erp: name, policy: latest }
  - erp
  - { erp: name, secret: 7 }
parts: [bodi, { literal: 5 }, { body: x }, header]
headers: { Version: 2 }
extra: 1
";

const ALL_WRONG_SHOWN: &str = "error[FM001]: unknown key `nme`
 --> form.yaml:2:1
  |
2 | nme: x
  | ^^^
  |
  = at: /nme
  = hint: did you mean `name`?

error[FM004]: expected `yes` or `no`, found the text `maybe`
 --> form.yaml:3:9
  |
3 | active: maybe
  |         ^^^^^
  |
  = at: /active

error[FM004]: expected a whole number from 0 to 4294967295, found the number `-5`
 --> form.yaml:4:8
  |
4 | count: -5
  |        ^^
  |
  = at: /count

error[FM004]: `5` is not a length of time such as `250ms`, `30s`, `5m`, `2h` or `30d`
 --> form.yaml:5:8
  |
5 | every: 5
  |        ^
  |
  = at: /every

error[FM004]: `20/w` is not a rate such as `20/s`, `300/m` or `10000/h`
 --> form.yaml:6:7
  |
6 | rate: 20/w
  |       ^^^^
  |
  = at: /rate

error[FM003]: `latest` is none of the names allowed here
 --> form.yaml:8:26
  |
8 |   - { erp: name, policy: latest }
  |                          ^^^^^^
  |
  = at: /pairs/0/policy
  = hint: allowed: `newest`, `manual`

error[FM004]: expected a map, found the text `erp`
 --> form.yaml:9:5
  |
9 |   - erp
  |     ^^^
  |
  = at: /pairs/1

error[FM004]: expected `yes` or `no`, found the number `7`
  --> form.yaml:10:26
   |
10 |   - { erp: name, secret: 7 }
   |                          ^
   |
   = at: /pairs/2/secret

error[FM003]: `bodi` is none of the names allowed here
  --> form.yaml:11:9
   |
11 | parts: [bodi, { literal: 5 }, { body: x }, header]
   |         ^^^^
   |
   = at: /parts/0
   = hint: did you mean `body`?

error[FM004]: expected a text, found the number `5`
  --> form.yaml:11:26
   |
11 | parts: [bodi, { literal: 5 }, { body: x }, header]
   |                          ^
   |
   = at: /parts/1/literal
   = hint: put it in quotes

error[FM004]: `body` stands for itself and takes nothing
  --> form.yaml:11:39
   |
11 | parts: [bodi, { literal: 5 }, { body: x }, header]
   |                                       ^
   |
   = at: /parts/2/body
   = hint: write the name alone

error[FM004]: `header` needs a value
  --> form.yaml:11:44
   |
11 | parts: [bodi, { literal: 5 }, { body: x }, header]
   |                                            ^^^^^^
   |
   = at: /parts/3
   = hint: write `{ header: … }`

error[FM004]: expected a text, found the number `2`
  --> form.yaml:12:21
   |
12 | headers: { Version: 2 }
   |                     ^
   |
   = at: /headers/Version
   = hint: put it in quotes

error[FM001]: unknown key `extra`
  --> form.yaml:13:1
   |
13 | extra: 1
   | ^^^^^
   |
   = at: /extra
   = hint: known keys: `name`, `active`, `count`, `every`, `rate`, `pairs`, `parts`, `headers`, `any`
";

#[test]
fn every_problem_is_shown_at_once_with_its_line_and_a_hint() {
    let (form, shown) = check(ALL_WRONG);
    assert_eq!(form, None);
    assert_eq!(shown, ALL_WRONG_SHOWN);
}

#[test]
fn what_only_follows_from_another_problem_is_not_reported() {
    let codes = |text: &str| {
        let mut problems = Problems::new();
        assert!(decode::<Form>(&read(text), &mut problems).is_none());
        problems
            .into_vec()
            .into_iter()
            .map(|problem| (problem.code, problem.pointer))
            .collect::<Vec<_>>()
    };
    assert_eq!(codes("name: 5\n"), [("FM004", "/name".to_owned())]);
    assert_eq!(codes("nam: x\n"), [("FM001", "/nam".to_owned())]);
    assert_eq!(codes("active: yes\n"), [("FM002", String::new())]);
}

#[test]
fn what_is_right_can_be_used_beside_what_is_wrong() {
    let mut problems = Problems::new();
    let decoded = decode_rest::<Form>(
        &read("name: x\nactive: maybe\npairs: [{erp: a}, 5, {erp: b}]\n"),
        &mut problems,
    );
    assert_eq!(decoded.pruned, ["/active", "/pairs/1"]);
    assert_eq!(decoded.form.unwrap().pairs.len(), 2);
}

#[test]
fn a_number_that_would_lose_digits_is_refused() {
    let (_, shown) = check("name: x\nany: { id: 12345678901234567890123 }\n");
    assert!(
        shown.contains("put it in quotes, so that every digit is kept"),
        "{shown}"
    );
}

#[test]
fn no_more_problems_are_shown_than_people_read() {
    let lines: Vec<String> = (0..200).map(|key| format!("key{key}: 1")).collect();
    let text = lines.join("\n");
    let mut problems = Problems::new();
    assert!(decode::<Form>(&read(&text), &mut problems).is_none());
    assert_eq!(problems.len(), PROBLEMS_MAX + 1);
}

#[test]
fn a_document_that_is_no_map_is_one_problem() {
    for text in ["5\n", "- 1\n", "text\n", "~\n"] {
        let mut problems = Problems::new();
        assert!(decode::<MappingForm>(&read(text), &mut problems).is_none());
        assert_eq!(problems.len(), 1, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn decoding_never_panics_and_every_problem_has_a_place_in_the_file(
        text in "((connector|mapping|between|fields|objects|erp|x): ?(|1|yes|[\\[{]|x|\\{a: 1\\}|\n  |'é'),?[\\]} \n]{0,3}){0,12}"
    ) {
        let document = Document::read(text.as_bytes());
        let Ok(tree) = document.body else { return Ok(()) };
        let mut problems = Problems::new();
        let _ = decode::<ConnectorForm>(&tree, &mut problems);
        let _ = decode::<MappingForm>(&tree, &mut problems);
        for problem in problems.into_vec() {
            let found = Diagnostic::in_tree("x.yaml", &tree, problem);
            let place = found.place.clone().unwrap();
            prop_assert!(place.line <= text.lines().count().max(1), "{found:?}");
            prop_assert!(found.render(Style::Plain).contains("x.yaml"));
        }
    }
}
