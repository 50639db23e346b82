use super::*;
use crate::core::{
    connector::part::{Part, Step, embed, steps},
    record::Record,
};

const HOUSE: &str = r#"
connector: house
settings: { base_url: { type: url } }
base_url: "{{ settings.base_url }}"
objects:
  party:
    id: id
    list: { get: /parties }
    get: { get: "/parties/{{ id }}" }
    parts: { phones: { object: phone, parent: owner.id, needs: number } }
  phone:
    id: id
    version: rev
    closed: yes
    fields: { id: integer, owner.id: integer, kind: text, number: text, rev: integer }
    of_parents: { get: /phones, query: { owner: "{{ ids | join(',') }}" }, records: data }
"#;

fn part(connector: &Connector) -> &Part {
    &connector.objects["party"].parts[0]
}

fn list(text: &str) -> Vec<Value> {
    value(text).as_list().unwrap().to_vec()
}

/// What a list that is wanted comes to, where this one is there.
fn stepped(wanted: &str, current: &str) -> Vec<Step> {
    let connector = compiled(HOUSE);
    let phone = &connector.objects["phone"];
    steps(part(&connector), phone, "7", &list(wanted), &list(current))
}

const CURRENT: &str = r#"[{"id":1,"owner":{"id":7},"kind":"home","number":"11","rev":3},{"id":2,"owner":{"id":7},"kind":"work","number":"22","rev":1}]"#;

#[test]
fn a_list_comes_to_changes_new_ones_and_removals_in_this_order() {
    let wanted = r#"[{"kind":"fax","number":"33"},{"id":2,"kind":"work","number":"23","rev":1}]"#;
    let current = map(r#"{"id":2,"owner":{"id":7},"kind":"work","number":"22","rev":1}"#);
    assert_eq!(
        stepped(wanted, CURRENT),
        [
            Step::Update {
                id: "2".to_owned(),
                version: Some("1".to_owned()),
                changes: map(r#"{"number":"23"}"#),
                before: current,
            },
            Step::Create(map(r#"{"kind":"fax","number":"33","owner":{"id":7}}"#)),
            Step::Delete {
                id: "1".to_owned(),
                version: Some("3".to_owned()),
            },
        ]
    );
    assert_eq!(stepped(CURRENT, CURRENT), []);
}

#[test]
fn what_lacks_what_it_needs_is_not_made_and_is_removed_when_it_is_cleared() {
    assert_eq!(stepped(r#"[{"kind":"fax","number":null}]"#, "[]"), []);
    assert_eq!(stepped(r#"[{"kind":"fax"}]"#, "[]"), []);
    let cleared = CURRENT.replace("\"11\"", "null");
    assert_eq!(
        stepped(&cleared, CURRENT),
        [Step::Delete {
            id: "1".to_owned(),
            version: Some("3".to_owned()),
        }]
    );
    // It never had any: not by us.
    let bare = r#"[{"id":3,"kind":"fax"}]"#;
    assert_eq!(stepped(bare, bare), []);
}

#[test]
fn parts_stand_in_the_records_that_they_belong_to() {
    let connector = compiled(HOUSE);
    let record = |id: &str, fields: &str| Record {
        id: id.to_owned(),
        fields: map(fields),
        version: None,
        updated_at: None,
    };
    let mut parties = [record("7", r#"{"id":7}"#), record("8", r#"{"id":8}"#)];
    let children = vec![
        record("1", r#"{"id":1,"owner":{"id":7}}"#),
        record("2", r#"{"id":2,"owner":{"id":7}}"#),
    ];
    embed(part(&connector), &mut parties, children).unwrap();
    assert_eq!(parties[0].fields["phones"].as_list().unwrap().len(), 2);
    assert_eq!(
        parties[1].fields["phones"],
        Value::List(Vec::new()),
        "it was asked about"
    );
    let stray = vec![record("3", r#"{"id":3,"owner":{"id":9}}"#)];
    assert!(embed(part(&connector), &mut parties, stray).is_err());
}

#[test]
fn a_part_that_cannot_be_read_is_told_with_its_place() {
    for (from, to, place) in [
        ("object: phone,", "object: phon,", "/objects/party/parts/phones/object"),
        (
            "parent: owner.id",
            "parent: owner.it",
            "/objects/party/parts/phones/parent",
        ),
        ("needs: number", "needs: numbr", "/objects/party/parts/phones/needs"),
        ("    of_parents: {", "    list: {", "/objects/party/parts/phones/object"),
        ("{{ ids | join(',') }}", "7", "/objects/phone/of_parents"),
        (
            "    list: { get: /parties }\n",
            "    list: { get: /parties }\n    fields: { phones: list }\n",
            "/objects/party/parts/phones",
        ),
    ] {
        assert!(HOUSE.contains(from), "{from}");
        let (connector, problems) = check(&HOUSE.replace(from, to));
        assert!(connector.is_none(), "{to} is taken");
        assert!(
            problems
                .iter()
                .any(|problem| problem.code == "CN032" && problem.pointer == place),
            "{to}: {problems:#?}"
        );
    }
}
