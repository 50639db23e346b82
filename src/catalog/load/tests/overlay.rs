//! What is laid over a definition, loaded with it.

use super::*;

const OVER_SHOP: &str = "connectors/shop.overlay.yaml";

#[test]
fn what_is_laid_over_a_definition_belongs_to_it() {
    let over = "extends: shop\nobjects:\n  customer:\n    fields:\n      region: { type: text, sensitive: yes }\n";
    let mapping = "extends: customer\nfields:\n  - { erp: region, crm: Name2, direction: \"erp -> crm\" }\n  - { erp: name, compare: caseless }\n";
    let folder = edited(&[
        (OVER_SHOP, "", over),
        ("mappings/customer.overlay.yaml", "", mapping),
        (DESK, "Name: text,", "Name: text, Name2: text,"),
    ]);
    let loaded = load(folder.path(), &systems());
    assert_eq!(shown(&loaded, folder.path()), "");
    let shop = &loaded.catalog.connectors["shop"].objects["customer"];
    assert!(
        shop.fields
            .iter()
            .any(|field| field.name == "region" && field.is_sensitive)
    );
    let names: Vec<&str> = loaded.catalog.mappings["customer"]
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert!(names.contains(&"region"), "{names:?}");
    assert_eq!(loaded.catalog.overlays.len(), 2);
}

#[test]
fn cases_beside_a_definition_are_about_the_file_and_those_of_an_overlay_about_both() {
    let over = "extends: customer\nfields:\n  - { erp: status, crm: Status, values: { blocked: Stopped } }\n";
    let cases = "- name: a blocked customer is stopped\n  base: { status: active }\n  erp: { status: blocked }\n  crm: { Status: Active }\n  expect: { crm: { Status: Stopped } }\n";
    let folder = edited(&[
        ("mappings/customer.overlay.yaml", "", over),
        ("mappings/customer.overlay.test.yaml", "", cases),
    ]);
    let loaded = load(folder.path(), &systems());
    assert_eq!(shown(&loaded, folder.path()), "");
    let reports = loaded.catalog.run_cases(Some("customer"));
    assert_eq!(reports.len(), 2);
    for (_, report) in reports {
        assert!(report.is_ok(), "{report:?}");
    }
}

#[test]
fn problems_of_an_overlay_stand_in_its_own_file() {
    let edits = [
        (
            OVER_SHOP,
            "",
            "extends: shop\nobjects:\n  customer:\n    closed: maybe\n    id: null\n",
        ),
        ("mappings/other.overlay.yaml", "", "extends: other\n"),
    ];
    assert_eq!(
        problems(&edits),
        "error[FM004]: expected `yes` or `no`, found the text `maybe`
 --> connectors/shop.overlay.yaml:4:13
  |
4 |     closed: maybe
  |             ^^^^^
  |
  = at: /objects/customer/closed

error[FM002]: `id` is missing
 --> connectors/shop.yaml:9:3
  |
9 |   customer:
  |   ^^^^^^^^
  |
  = at: /objects/customer
  = hint: `connectors/shop.overlay.yaml` is laid over this file

error[CT011]: there is no mapping `other` that this could be laid over
--> mappings/other.overlay.yaml
 = hint: an overlay stands beside its mapping: other.yaml
"
    );
}
