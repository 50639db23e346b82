use std::{fs, path::Path};

use super::*;
use crate::{
    catalog::{
        decode::decode,
        diagnostic::{self, Style},
        yaml::Document,
    },
    core::mapping::{form::MappingForm, known::Known},
};

fn mapping(text: &str) -> Mapping {
    let tree = Document::read(text.as_bytes()).body.unwrap();
    let mut problems = Problems::new();
    let form: Option<MappingForm> = decode(&tree, &mut problems);
    let mapping = form.and_then(|form| Mapping::compile(&form, &Known::default(), &mut problems));
    mapping.unwrap_or_else(|| panic!("{:#?}", problems.into_vec()))
}

fn told(report: &Report) -> String {
    let all = report
        .problems
        .iter()
        .chain(report.outcomes.iter().flat_map(|outcome| &outcome.misses));
    diagnostic::render(&all.cloned().collect::<Vec<_>>(), Style::Plain)
}

const MAPPING: &str = "
mapping: m
between: { erp: customer, crm: account }
prefer: erp
create: { crm: yes }
fields:
  - { erp: name, crm: Name }
  - { erp: status, crm: Status, values: { active: Active, blocked: Inactive } }
  - { erp: address.city, crm: Address.City }
  - { erp: limit, crm: Limit, type: decimal(2) }
";

fn run_all(cases: &str) -> Report {
    run("m.test.yaml", cases.as_bytes(), &mapping(MAPPING))
}

#[test]
fn cases_that_hold_say_nothing() {
    let report = run_all(
        "
- name: written by path, compared by kind
  base: { address.city: A, limit: 1 }
  erp: { name: x, address: { city: B }, limit: 2.50 }
  crm: { Name: x, Address: { City: A }, Limit: '1.00' }
  expect: { crm: { Address.City: B, Limit: 2.5 } }
- name: the same, nested
  base: { address.city: A }
  erp: { address: { city: B } }
  crm: { Address: { City: A } }
  expect: { situation: differs, crm: { Address: { City: B } } }
- name: gone on one side
  erp: { name: x }
  linked: yes
  expect: { situation: missing, nothing: yes }
- name: edited on both sides
  base: { name: x }
  erp: { name: y }
  crm: { Name: z }
  expect: { conflict: [name] }
",
    );
    assert_eq!(told(&report), "");
    assert!(report.is_ok());
}

const ORDER: &str = "
mapping: m
between: { erp: order, crm: deal }
prefer: erp
create: { crm: yes }
fields:
  - erp: items
    crm: Lines
    by: { erp: code, crm: Code }
    fields:
      - { erp: code, crm: Code }
      - { erp: qty, crm: Quantity, type: decimal(2) }
      - { erp: unit, crm: Unit, values: { pc: Piece, kg: Kilo } }
";

const LINES: &str = "
- name: a line is changed, one is new, one is gone
  base: { items: [ { code: A, qty: 1, unit: pc }, { code: B, qty: 2, unit: kg } ] }
  erp: { items: [ { code: C, qty: 3 }, { code: A, qty: 1.50, unit: pc } ] }
  crm: { Lines: [ { Id: 8, Code: B, Quantity: 2, Unit: Kilo }, { Id: 7, Code: A, Quantity: 1, Unit: Piece } ] }
  expect: { crm: { Lines: [ { Id: 7, Code: A, Quantity: '1.5', Unit: Piece }, { Code: C, Quantity: 3 } ] } }
- name: a new order
  erp: { items: [ { code: A, qty: 1 } ] }
  expect: { crm: { Lines: [ { Code: A, Quantity: 1 } ] } }
- name: two lines of one code
  erp: { items: [ { code: A }, { code: A } ] }
  expect: { failure: have the same key }
";

#[test]
fn lists_of_lines_are_given_and_expected_as_lists() {
    let report = run("m.test.yaml", LINES.as_bytes(), &mapping(ORDER));
    assert_eq!(told(&report), "");
    let other = LINES.replace("'1.5'", "'1.6'");
    let report = run("m.test.yaml", other.as_bytes(), &mapping(ORDER));
    assert!(
        told(&report).contains("expected `Lines` to become"),
        "{}",
        told(&report)
    );
}

#[test]
fn what_no_case_shows_of_a_line_is_named() {
    let covered = coverage::of(&mapping(ORDER), [LINES.as_bytes()].into_iter());
    assert_eq!(covered.untouched, ["`unit` in `items`: the value `kg` of erp"]);
}

#[test]
fn a_default_of_unmapped_values_is_spelled_as_the_side_it_goes_to() {
    let text = MAPPING.replace("Inactive } }", "Inactive }, on_unmapped: { default: Active } }");
    let cases = "
- name: from the left, as it is written
  base: { status: blocked }
  erp: { name: x, status: prospect }
  crm: { Name: x, Status: Inactive }
  expect: { crm: { Status: Active } }
- name: from the right, by its partner
  base: { status: blocked }
  erp: { name: x, status: blocked }
  crm: { Name: x, Status: Lead }
  expect: { erp: { status: active } }
";
    let report = run("m.test.yaml", cases.as_bytes(), &mapping(&text));
    assert_eq!(told(&report), "");
    assert!(report.is_ok());
}

const MISSES: &str = "
- name: another value
  base: { status: active }
  erp: { status: blocked }
  crm: { Status: Active }
  expect: { crm: { Status: Active, Name: x } }
- name: another situation
  erp: { name: x }
  expect: { situation: in_sync, nothing: yes }
- name: no failure
  erp: { status: active }
  expect: { failure: vip }
- name: a failure
  erp: { status: vip }
  expect: { crm: { Status: Active } }
";

const MISSES_TOLD: &str = "error[TS005]: expected `Name` to become \"x\", found it not written
 --> m.test.yaml:6:42
  |
6 |   expect: { crm: { Status: Active, Name: x } }
  |                                          ^
  |
  = at: /0/expect/crm/Name
  = hint: the planner says: differs: fields differ; `status`: only erp changed

error[TS005]: expected `Status` to become \"Active\", found \"Inactive\"
 --> m.test.yaml:6:28
  |
6 |   expect: { crm: { Status: Active, Name: x } }
  |                            ^^^^^^
  |
  = at: /0/expect/crm/Status
  = hint: the planner says: differs: fields differ; `status`: only erp changed

error[TS005]: expected the situation `in_sync`, found `absent`
 --> m.test.yaml:9:24
  |
9 |   expect: { situation: in_sync, nothing: yes }
  |                        ^^^^^^^
  |
  = at: /1/expect/situation
  = hint: the planner says: absent: no partner in crm; one is created

error[TS005]: expected nothing to be done, found create in crm: `Name` = \"x\"
 --> m.test.yaml:9:42
  |
9 |   expect: { situation: in_sync, nothing: yes }
  |                                          ^^^
  |
  = at: /1/expect/nothing
  = hint: the planner says: absent: no partner in crm; one is created

error[TS005]: expected a failure that tells `vip`, found create in crm: `Status` = \"Active\"
  --> m.test.yaml:12:22
   |
12 |   expect: { failure: vip }
   |                      ^^^
   |
   = at: /2/expect/failure
   = hint: the planner says: absent: no partner in crm; one is created

error[TS005]: expected `Status` to become \"Active\", found it not written
  --> m.test.yaml:15:28
   |
15 |   expect: { crm: { Status: Active } }
   |                            ^^^^^^
   |
   = at: /3/expect/crm/Status
   = hint: the planner says: absent: [MP103] field `status`: value `vip` has no partner in `values`

error[TS005]: expected no failure, found: field `status`: value `vip` has no partner in `values`
  --> m.test.yaml:15:3
   |
15 |   expect: { crm: { Status: Active } }
   |   ^^^^^^
   |
   = at: /3/expect
   = hint: the planner says: absent: [MP103] field `status`: value `vip` has no partner in `values`
";

#[test]
fn cases_that_do_not_hold_tell_what_was_expected_what_came_and_why() {
    let report = run_all(MISSES);
    assert!(!report.is_ok());
    assert_eq!(told(&report), MISSES_TOLD);
}

const WRONG: &str = "
- name: no system
  epr: { name: x }
  expect: { nothing: yes }
- name: no field
  base: { nmae: x }
  erp: 5
  expect: { cmr: { Name: x } }
- name: nothing
  erp: { name: x }
  expect: {}
";

const WRONG_TOLD: &str = "error[TS001]: unknown key `epr`
 --> m.test.yaml:3:3
  |
3 |   epr: { name: x }
  |   ^^^
  |
  = at: /0/epr
  = hint: did you mean `erp`?

error[TS002]: a record is a map of fields
 --> m.test.yaml:7:8
  |
7 |   erp: 5
  |        ^
  |
  = at: /1/erp

error[TS001]: unknown key `cmr`
 --> m.test.yaml:8:13
  |
8 |   expect: { cmr: { Name: x } }
  |             ^^^
  |
  = at: /1/expect/cmr
  = hint: did you mean `crm`?

error[TS003]: the mapping has no field `nmae`
 --> m.test.yaml:6:11
  |
6 |   base: { nmae: x }
  |           ^^^^
  |
  = at: /1/base/nmae
  = hint: did you mean `name`?

error[TS005]: the case expects nothing in particular
  --> m.test.yaml:11:3
   |
11 |   expect: {}
   |   ^^^^^^
   |
   = at: /2/expect
   = hint: the planner says: absent: no partner in crm; one is created
";

#[test]
fn a_case_that_is_written_wrong_says_so() {
    assert_eq!(told(&run_all(WRONG)), WRONG_TOLD);
}

#[test]
fn a_misspelt_key_of_a_case_is_told_from_a_system() {
    let report = run_all("- name: x\n  erp: {}\n  expekt: { nothing: yes }\n");
    let told = told(&report);
    assert!(
        told.starts_with("error[FM001]: unknown key `expekt`\n --> m.test.yaml:3:3"),
        "{told}"
    );
    assert!(told.ends_with("= hint: did you mean `expect`?\n"), "{told}");
}

#[test]
fn a_file_that_is_no_yaml_is_one_problem() {
    let report = run_all("- name: [\n");
    assert!(!report.is_ok());
    assert_eq!(report.problems.len(), 1);
}

#[test]
fn the_cases_of_every_shipped_mapping_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.to_str().and_then(|path| path.strip_suffix(".test.yaml")) else {
            continue;
        };
        let mapping = mapping(&fs::read_to_string(format!("{name}.yaml")).unwrap());
        let report = run(path.to_str().unwrap(), &fs::read(&path).unwrap(), &mapping);
        assert!(report.is_ok() && !report.outcomes.is_empty(), "{}", told(&report));
        files += 1;
    }
    assert!(files >= 2);
}
