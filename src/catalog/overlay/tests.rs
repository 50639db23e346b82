use super::*;
use crate::catalog::{
    decode::decode,
    diagnostic::{Diagnostic, Style},
    yaml::{Document, Layer, write},
};
use crate::core::problem::Problems;
use serde_json::Value as Json;

fn tree(text: &str) -> Tree {
    let document = Document::read(text.as_bytes());
    assert!(document.flaws.is_empty(), "{:?}", document.flaws);
    document.body.unwrap()
}

struct Laid {
    tree: Tree,
    problems: String,
}

fn laid(base: &str, over: &str, kind: Kind) -> Laid {
    let (base, over) = (tree(base), tree(over));
    let Applied { root, problems } = apply(&base, &over, kind, "shop");
    let told = problems
        .into_iter()
        .map(|problem| Diagnostic::in_tree("shop.overlay.yaml", &over, problem).render(Style::Plain));
    let problems = told.collect();
    let layer = Layer {
        file: "shop.overlay.yaml".to_owned(),
        source: over.into_source(),
    };
    Laid {
        tree: base.overlaid(layer, root),
        problems,
    }
}

fn meaning(tree: &Tree) -> Json {
    decode(tree, &mut Problems::new()).unwrap()
}

/// What comes of an overlay that nothing is wrong with.
fn merged(base: &str, over: &str, kind: Kind) -> Json {
    let laid = laid(base, over, kind);
    assert_eq!(laid.problems, "");
    meaning(&laid.tree)
}

const SHOP: &str = "\
connector: shop
settings:
  base_url: { type: url }
  fields: { type: text, default: 'Id,Name' }
auth: { oauth2: { grant: client_credentials, scopes: [read] } }
errors:
  - { when: a, then: retry }
objects:
  account:
    id: Id
    fields:
      Name: text
      Email: { type: text, sensitive: yes }
    get: { get: /a }
    delete: { delete: /a }
";

#[test]
fn an_overlay_adds_changes_and_takes_away() {
    let over = "\
extends: shop
limits: { rate: 5/s }
settings: { fields: { default: { add: ',Region__c' } } }
auth: { oauth2: { scopes: { add: [write] } } }
errors:
  - { when: b, then: reject }
objects:
  account:
    fields:
      Region__c: text
      Name: { sensitive: yes }
      Email: datetime
    delete: null
";
    let expected = serde_json::json!({
        "connector": "shop",
        "settings": { "base_url": { "type": "url" }, "fields": { "type": "text", "default": "Id,Name,Region__c" } },
        "auth": { "oauth2": { "grant": "client_credentials", "scopes": ["read", "write"] } },
        "errors": [{ "when": "b", "then": "reject" }, { "when": "a", "then": "retry" }],
        "objects": { "account": {
            "id": "Id",
            "fields": {
                "Name": { "type": "text", "sensitive": "yes" },
                "Email": { "type": "datetime", "sensitive": "yes" },
                "Region__c": "text",
            },
            "get": { "get": "/a" },
        } },
        "limits": { "rate": "5/s" },
    });
    assert_eq!(merged(SHOP, over, Kind::Connector), expected);
}

#[test]
fn what_an_overlay_changes_and_finds_gone_is_told_at_its_own_line() {
    let over = "\
extends: shop
settings: { feilds: { default: x } }
objects:
  account:
    fields:
      Nmae: { sensitive: yes }
    update: { headers: { A: b } }
    list: null
  contact: { fields: { X: text } }
";
    assert_eq!(
        laid(SHOP, over, Kind::Connector).problems,
        "error[CT013]: connector `shop` has no setting `feilds`: it has no `type`, so it is no new one
 --> shop.overlay.yaml:2:13
  |
2 | settings: { feilds: { default: x } }
  |             ^^^^^^
  |
  = at: /settings/feilds
  = hint: did you mean `fields`?
error[CT013]: connector `shop` has no field `Nmae`: it has no `type`, so it is no new one
 --> shop.overlay.yaml:6:7
  |
6 |       Nmae: { sensitive: yes }
  |       ^^^^
  |
  = at: /objects/account/fields/Nmae
  = hint: did you mean `Name`?
error[CT013]: connector `shop` has no request `update`: it has no `get`, so it is no new one
 --> shop.overlay.yaml:7:5
  |
7 |     update: { headers: { A: b } }
  |     ^^^^^^
  |
  = at: /objects/account/update
  = hint: look at what has changed in `shop`, and leave this out or give all of it
error[CT013]: connector `shop` has no request `list`: there is nothing here to take away
 --> shop.overlay.yaml:8:5
  |
8 |     list: null
  |     ^^^^
  |
  = at: /objects/account/list
  = hint: look at what has changed in `shop`, and leave this out or give all of it
error[CT013]: connector `shop` has no object `contact`: it has no `id`, so it is no new one
 --> shop.overlay.yaml:9:3
  |
9 |   contact: { fields: { X: text } }
  |   ^^^^^^^
  |
  = at: /objects/contact
  = hint: look at what has changed in `shop`, and leave this out or give all of it
"
    );
}

#[test]
fn an_overlay_says_what_it_extends() {
    for (over, code) in [
        ("limits: { rate: 5/s }\n", "CT012"),
        ("extends: shopping\n", "CT012"),
        ("- extends: shop\n", "CT012"),
    ] {
        assert!(laid(SHOP, over, Kind::Connector).problems.contains(code), "{over}");
    }
}

const MAPPING: &str = "\
mapping: shop
between: { erp: customer, crm: account }
match:
  - { erp: email, crm: Email }
fields:
  - { erp: name, crm: Name }
  - { erp: phone, crm: Phone }
  - { erp: phone, crm: Mobile, direction: 'erp -> crm' }
  - { crm: Note, from: x }
";

#[test]
fn pairs_and_rules_are_those_that_name_the_same_fields() {
    let over = "\
extends: shop
match:
  - { erp: tax_id, crm: Vat }
fields:
  - { erp: name, compare: caseless }
  - { erp: phone, crm: Mobile, remove: yes }
  - { crm: Note, from: y }
  - { erp: name, crm: Alias, direction: 'erp -> crm' }
";
    let merged = merged(MAPPING, over, Kind::Mapping);
    assert_eq!(
        merged["match"],
        serde_json::json!([{ "erp": "email", "crm": "Email" }, { "erp": "tax_id", "crm": "Vat" }])
    );
    assert_eq!(
        merged["fields"],
        serde_json::json!([
            { "erp": "name", "crm": "Name", "compare": "caseless" },
            { "erp": "phone", "crm": "Phone" },
            { "crm": "Note", "from": "y" },
            { "erp": "name", "crm": "Alias", "direction": "erp -> crm" },
        ])
    );
}

#[test]
fn the_pairs_of_a_lists_lines_are_those_that_name_the_same_fields_too() {
    let base = "\
mapping: shop
between: { erp: order, crm: deal }
fields:
  - { erp: number, crm: Number }
  - erp: items
    crm: Lines
    by: { erp: code }
    fields:
      - { erp: code, crm: Code }
      - { erp: qty, crm: Quantity }
      - { erp: note, crm: Note }
";
    let over = "\
extends: shop
fields:
  - erp: items
    others: keep
    fields:
      - { erp: qty, type: decimal(3) }
      - { erp: note, remove: yes }
      - { erp: colour, crm: Colour__c }
";
    let merged = merged(base, over, Kind::Mapping);
    assert_eq!(
        merged["fields"][1],
        serde_json::json!({
            "erp": "items", "crm": "Lines", "by": { "erp": "code" }, "others": "keep",
            "fields": [
                { "erp": "code", "crm": "Code" },
                { "erp": "qty", "crm": "Quantity", "type": "decimal(3)" },
                { "erp": "colour", "crm": "Colour__c" },
            ],
        })
    );
    let gone = "extends: shop\nfields:\n  - { erp: items, fields: [ { erp: price, type: decimal(2) } ] }\n";
    let problems = laid(base, gone, Kind::Mapping).problems;
    assert!(problems.contains("at: /fields/0/fields/0"), "{problems}");
}

#[test]
fn a_pair_that_is_gone_or_not_the_only_one_is_told() {
    let over = "\
extends: shop
fields:
  - { erp: phone, compare: phone }
  - { erp: fax, compare: phone }
  - { erp: city, crm: City, remove: yes }
";
    let problems = laid(MAPPING, over, Kind::Mapping).problems;
    for told in [
        "error[CT014]: 2 of mapping `shop` name these fields\n --> shop.overlay.yaml:3:7",
        "error[CT013]: mapping `shop` has no pair or rule with `erp: fax`\n --> shop.overlay.yaml:4:7",
        "error[CT013]: mapping `shop` has no pair or rule with `erp: city` and `crm: City`\n --> shop.overlay.yaml:5:7",
    ] {
        assert!(problems.contains(told), "{problems}");
    }
}

#[test]
fn a_definition_written_out_means_the_same_and_says_what_comes_from_the_overlay() {
    let over =
        "extends: shop\nobjects:\n  account:\n    fields:\n      Region__c: { type: text }\n      'null': text\n";
    let laid = laid(SHOP, over, Kind::Connector);
    let lines = write::lines(&laid.tree);
    let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(meaning(&tree(&text.join("\n"))), meaning(&laid.tree));
    let own: Vec<(&str, usize)> = lines
        .iter()
        .filter(|line| line.overlay.is_some())
        .map(|line| (line.text.trim(), line.line))
        .collect();
    assert_eq!(own, [("Region__c: { type: text }", 5), ("\"null\": text", 6)]);
}

#[test]
fn every_shipped_definition_written_out_means_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for folder in ["connectors", "mappings"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "yaml") {
                continue;
            }
            let shipped = tree(&std::fs::read_to_string(&path).unwrap());
            let lines = write::lines(&shipped);
            let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(
                meaning(&tree(&text.join("\n"))),
                meaning(&shipped),
                "{}",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn the_documented_overlays_fit_what_they_are_laid_over() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let pages = [
        ("docs/connectors.md", "connectors", Kind::Connector),
        ("docs/mappings.md", "mappings", Kind::Mapping),
    ];
    for (page, folder, kind) in pages {
        let text = read(page);
        let blocks = text
            .split("```yaml\n")
            .skip(1)
            .map(|block| block.split("```").next().unwrap());
        let overlays: Vec<&str> = blocks.filter(|block| block.contains("\nextends: ")).collect();
        assert!(!overlays.is_empty(), "{page}");
        for over in overlays {
            let over = tree(over);
            let name = meaning(&over)["extends"].as_str().unwrap().to_owned();
            let base = tree(&read(&format!("{folder}/{name}.yaml")));
            let Applied { root, problems } = apply(&base, &over, kind, &name);
            assert!(problems.is_empty(), "{page}: {problems:#?}");
            let layer = Layer {
                file: String::new(),
                source: over.into_source(),
            };
            let whole = base.overlaid(layer, root);
            let mut problems = Problems::new();
            match kind {
                Kind::Connector => {
                    let form = decode(&whole, &mut problems).unwrap();
                    assert!(crate::core::connector::Connector::compile(&form, &mut problems).is_some());
                }
                Kind::Mapping => {
                    let form = decode(&whole, &mut problems).unwrap();
                    let known = crate::core::mapping::known::Known::default();
                    assert!(crate::core::mapping::Mapping::compile(&form, &known, &mut problems).is_some());
                }
            }
            assert!(!problems.has_errors(), "{page}: {:#?}", problems.into_vec());
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_overlay_whatever_it_says_is_too_much(base in "[a-c:{}\\[\\], \n-]{0,60}", over in "[a-c:{}\\[\\], \n-]{0,60}") {
        let read = |text: &str| Document::read(text.as_bytes()).body.ok();
        if let (Some(base), Some(over)) = (read(&base), read(&over)) {
            let Applied { root, problems } = apply(&base, &over, Kind::Mapping, "shop");
            for problem in problems {
                let _ = Diagnostic::in_tree("x", &over, problem).render(Style::Plain);
            }
            let layer = Layer { file: String::new(), source: over.into_source() };
            let _ = write::lines(&base.overlaid(layer, root));
        }
    }
}
