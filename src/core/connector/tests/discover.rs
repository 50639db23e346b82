use super::{check, compiled, map};
use crate::core::{
    connector::{
        Connector,
        discover::{Described, Description, Standing, compare, compare_with, seen},
    },
    value::Value,
};

const ACME: &str = r#"
connector: acme
base_url: https://acme.example
discover:
  post: "/meta/{{ object }}"
  names: { account: Account }
  fields: result
  type: type
  types: { lookup: any, flag: boolean }
  read_only: fixed
objects:
  account:
    id: id
    updated_at: changed
    fields:
      name: text
      credit: decimal(2)
      since: date
      active: boolean
      address.city: text
      lines: list
      odd: { type: text, read: "{{ raw[0] }}" }
    list: { get: /accounts }
"#;

fn standing(acme: &Connector, there: &[Described], is_whole: bool) -> Vec<(String, Standing)> {
    let compared = compare(&acme.objects["account"], there, is_whole);
    compared.into_iter().map(|field| (field.path, field.standing)).collect()
}

fn of(all: &[(String, Standing)], path: &str) -> Option<Standing> {
    all.iter().find(|(own, _)| own == path).map(|(_, standing)| *standing)
}

#[test]
fn a_list_of_fields_is_read_as_the_connector_says() {
    let acme = compiled(ACME);
    let discover = acme.discover.as_ref().unwrap();
    assert_eq!(discover.names["account"], "Account");
    let Description::Fields(list) = &discover.answer else {
        panic!("{:?}", discover.answer);
    };
    let body = r#"{"result":{"name":{"type":"char"},"credit":{"type":"monetary"},"since":{"type":"date","fixed":true},
        "active":{"type":"flag"},"owner":{"type":"lookup"},"lines":{"type":"one2many"},"odd":{"type":"int"}}}"#;
    let fields = list.read(&Value::Map(map(body))).unwrap();
    let kind = |name: &str| fields.iter().find(|field| field.path == name).unwrap().kind.clone();
    assert_eq!(
        [
            kind("name"),
            kind("credit"),
            kind("active"),
            kind("owner"),
            kind("lines")
        ],
        ["text", "decimal", "boolean", "any", "list"]
    );
    assert!(fields.iter().any(|field| field.path == "since" && field.is_read_only));
    let all = standing(&acme, &fields, true);
    assert_eq!(of(&all, "owner"), Some(Standing::New));
    assert_eq!(of(&all, "credit"), Some(Standing::Same));
    assert_eq!(of(&all, "odd"), Some(Standing::Same), "its own template takes it apart");
    assert_eq!(list.read(&Value::from("nothing")), None);
}

#[test]
fn names_types_and_rights_may_be_put_together_from_an_entry() {
    let acme = compiled(
        r#"
connector: acme
base_url: https://acme.example/api
discover:
  base_url: "https://acme.example/meta"
  get: "/{{ object }}"
  name: "{{ [key ~ 'Id', key ~ 'Name'] if field.kind == 'link' else none if field.kind == 'line' else 'props.' ~ key }}"
  type: "{{ field.kind | lookup({'link': 'text'}, field.kind) }}"
  read_only: "{{ field.rights == 'r' }}"
  besides: [created]
objects:
  account:
    id: id
    fields: { created: datetime, props.tier: text, ownerId: text, lost: text }
    list: { get: /accounts }
"#,
    );
    let discover = acme.discover.as_ref().unwrap();
    let Description::Fields(list) = &discover.answer else {
        panic!("{:?}", discover.answer);
    };
    let body = r#"{"tier":{"kind":"text","rights":"r"},"owner":{"kind":"link"},"rule":{"kind":"line"},"size":{"kind":"int","rights":null}}"#;
    let fields = list.read(&Value::Map(map(body))).unwrap();
    let paths: Vec<(&str, &str, bool)> = fields
        .iter()
        .map(|field| (field.path.as_str(), field.kind.as_str(), field.is_read_only))
        .collect();
    assert_eq!(
        paths,
        [
            ("ownerId", "text", false),
            ("ownerName", "text", false),
            ("props.size", "integer", false),
            ("props.tier", "text", true)
        ]
    );
    let account = &acme.objects["account"];
    let compared = compare_with(account, &fields, true, &discover.besides);
    let standing = |path: &str| compared.iter().find(|field| field.path == path).unwrap().standing;
    assert_eq!(standing("created"), Standing::Same, "a description need not name it");
    assert_eq!(standing("lost"), Standing::Gone);
    assert_eq!(standing("ownerName"), Standing::New);
    assert_eq!(
        (standing("props.tier"), standing("ownerId")),
        (Standing::Same, Standing::Same)
    );
}

#[test]
fn what_a_description_lacks_is_gone_and_what_no_record_has_is_unseen() {
    let acme = compiled(ACME);
    let there = |path: &str, kind: &str| Described {
        path: path.to_owned(),
        kind: kind.to_owned(),
        ..Described::default()
    };
    let described = [
        there("name", "text"),
        there("since", "datetime"),
        there("id", "integer"),
    ];
    let all = standing(&acme, &described, true);
    assert_eq!(of(&all, "credit"), Some(Standing::Gone));
    assert_eq!(of(&all, "since"), Some(Standing::Changed));
    assert_eq!(
        of(&all, "id"),
        Some(Standing::Same),
        "the id needs no line under `fields:`"
    );
    assert_eq!(
        of(&standing(&acme, &described, false), "credit"),
        Some(Standing::Unseen)
    );
}

#[test]
fn records_show_fields_with_the_type_that_fits_all_of_them() {
    let acme = compiled(ACME);
    let account = &acme.objects["account"];
    let records = [
        map(
            r#"{"id":1,"name":"Ana","credit":5,"address":{"city":"Recife","zip":"1"},"extra":1,"seen":"2026-01-02T03:04:05Z","active":1}"#,
        ),
        map(
            r#"{"id":2,"name":null,"credit":5.5,"address":{"city":null},"extra":2.5,"seen":null,"active":0,"since":"never"}"#,
        ),
    ];
    let described = seen(account, records.iter());
    let kind = |name: &str| described.iter().find(|field| field.path == name).unwrap().kind.clone();
    assert_eq!(
        [
            kind("extra"),
            kind("seen"),
            kind("address.zip"),
            kind("credit"),
            kind("active")
        ],
        ["decimal", "datetime", "text", "decimal(2)", "boolean"]
    );
    let all = standing(&acme, &described, false);
    assert_eq!(of(&all, "since"), Some(Standing::Changed), "no value of it is a date");
    assert_eq!(of(&all, "address.zip"), Some(Standing::New));
    assert_eq!(of(&all, "active"), Some(Standing::Same));
    assert_eq!(of(&all, "lines"), Some(Standing::Unseen));
}

#[test]
fn where_a_system_describes_itself_is_said_in_one_way() {
    for (wrong, part) in [
        ("discover: {}", "exactly one"),
        ("discover: { openapi: /a, odata: /b }", "exactly one"),
        ("discover: { get: /x, names: { acount: A } }", "did you mean `account`?"),
        ("discover: { get: \"/x/{{ nothing }}\" }", ""),
    ] {
        let text = ACME.replace(
            &ACME[ACME.find("discover:").unwrap()..ACME.find("objects:").unwrap()],
            &format!("{wrong}\n"),
        );
        let (_, told) = check(&text);
        assert!(
            told.iter()
                .any(|problem| problem.hint.as_deref().unwrap_or_default().contains(part)),
            "{wrong}: {told:?}"
        );
    }
}
