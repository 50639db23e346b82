//! Lists of lines through the planner: what is written of them, what is told of them, what is refused.

#![expect(
    clippy::needless_pass_by_value,
    reason = "so that a test writes what it gives in place"
)]

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::core::{
    diff::{self, Context, Reason, Verdict},
    drift::{self, Evidence},
    mapping::{NoReferences, form::MappingForm, form::PairForm, known::Known},
    plan::{self, Input, Matched, Plan},
    problem::{Problem, Problems},
    record::{Link, Record, Seen},
    settled::UNSETTLED,
    status::{LinkStatus, Situation},
    value::fingerprint::Key,
};

fn compile(items: Json) -> Result<Mapping, Vec<Problem>> {
    let is_made = items["direction"] != "crm -> erp";
    let form: MappingForm = serde_json::from_value(json!({
        "mapping": "order", "between": { "erp": "order", "crm": "deal" }, "prefer": "erp", "create": { "crm": is_made },
        "fields": [items],
    }))
    .unwrap();
    let mut problems = Problems::new();
    Mapping::compile(&form, &Known::default(), &mut problems).ok_or_else(|| problems.into_vec())
}

/// Lists with these keys beside their fields; an inner pair may be patched as well.
fn with(patch: Json, inner: Json) -> Mapping {
    let mut items = json!({
        "sides": { "erp": "items", "crm": "Lines" },
        "by": { "erp": "code", "crm": "Product.Code" },
        "fields": [
            { "sides": { "erp": "code", "crm": "Product.Code" }, "compare": "trimmed" },
            { "sides": { "erp": "qty", "crm": "Quantity" }, "type": "decimal(2)" },
            { "sides": { "erp": "unit", "crm": "Unit" }, "values": { "pc": "Piece", "kg": "Kilo" } },
        ],
    });
    let (Json::Object(patch), Json::Array(inner)) = (patch, inner) else {
        panic!("an object and a list")
    };
    for (key, value) in patch {
        match value {
            Json::Null => drop(items.as_object_mut().unwrap().remove(&key)),
            value => items[key] = value,
        }
    }
    items["fields"].as_array_mut().unwrap().extend(inner);
    compile(items).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn mapping() -> Mapping {
    with(json!({}), json!([]))
}

fn record(id: &str, name: &str, lines: Json) -> Record {
    let Value::Map(fields) = Value::from(json!({ name: lines })) else {
        panic!("an object")
    };
    Record {
        id: id.to_owned(),
        fields,
        version: None,
        updated_at: None,
    }
}

fn left(lines: Json) -> Record {
    record("7", "items", lines)
}

fn right(lines: Json) -> Record {
    record("D7", "Lines", lines)
}

fn key() -> Key {
    Key::new([7; 32])
}

fn context<'a>(mapping: &'a Mapping, key: &'a Key) -> Context<'a> {
    Context {
        mapping,
        key,
        references: &NoReferences,
        settled: UNSETTLED,
    }
}

/// The link of two records that have agreed on what they hold.
fn link(mapping: &Mapping, left: &Record, right: &Record) -> Link {
    let key = key();
    let context = context(mapping, &key);
    diff::agreed(context, left, right)
}

fn planned(mapping: &Mapping, left: &Record, right: Option<&Record>, link: Option<&Link>) -> Plan {
    let key = key();
    let input = Input {
        left: Seen::Record(left),
        right: right.map_or(Seen::Unknown, Seen::Record),
        link,
        matched: Matched::Settled,
    };
    plan::build(context(mapping, &key), input)
}

fn written(plan: &Plan, side: Side) -> Json {
    let write = plan.writes.iter().find(|write| write.to == side);
    write.map_or(Json::Null, |write| {
        serde_json::to_value(Value::Map(write.fields.clone())).unwrap()
    })
}

/// Two lists that agree, one of them in another order and with more than is mapped.
fn agreed() -> (Json, Json) {
    let left = json!([
        { "name": "row-1", "code": "A", "qty": "2.00", "unit": "pc" },
        { "name": "row-2", "code": "B", "qty": 1, "unit": "kg", "idx": 2 },
    ]);
    let right = json!([
        { "Id": 11, "Product": { "Code": " B ", "Title": "Bolt" }, "Quantity": 1.0, "Unit": "Kilo" },
        { "Id": 12, "Product": { "Code": "A" }, "Quantity": 2, "Unit": "Piece" },
    ]);
    (left, right)
}

#[test]
fn lists_with_the_same_lines_agree_whatever_their_order_and_what_nobody_maps() {
    let mapping = mapping();
    let (left_lines, right_lines) = agreed();
    let (left, right) = (left(left_lines), right(right_lines.clone()));
    let link = link(&mapping, &left, &right);
    let plan = planned(&mapping, &left, Some(&right), Some(&link));
    assert_eq!((plan.situation, plan.is_quiet()), (Situation::InSync, true));
    let mut moved = right_lines;
    moved.as_array_mut().unwrap().reverse();
    moved[0]["Id"] = json!(99);
    let moved = record("D7", "Lines", moved);
    let plan = planned(&mapping, &left, Some(&moved), Some(&link));
    assert_eq!(
        (plan.situation, plan.decisions[0].changed),
        (Situation::InSync, diff::Changed::Neither)
    );
}

#[test]
fn a_change_an_addition_and_a_removal_are_laid_over_the_lines_that_are_there() {
    let mapping = mapping();
    let (left_lines, right_lines) = agreed();
    let (before, right) = (left(left_lines), right(right_lines));
    let link = link(&mapping, &before, &right);
    let edited = left(json!([
        { "name": "row-3", "code": "C", "qty": 7, "unit": "pc" },
        { "name": "row-2", "code": "B", "qty": 5, "unit": "kg" },
    ]));
    let plan = planned(&mapping, &edited, Some(&right), Some(&link));
    assert_eq!(plan.decisions[0].reason, Reason::Changed(Side::Left));
    assert_eq!(
        written(&plan, Side::Right),
        json!({ "Lines": [
            { "Id": 11, "Product": { "Code": " B ", "Title": "Bolt" }, "Quantity": 5, "Unit": "Kilo" },
            { "Product": { "Code": "C" }, "Quantity": 7, "Unit": "Piece" },
        ] })
    );
}

#[test]
fn what_changes_on_the_right_travels_back() {
    let mapping = mapping();
    let (left_lines, right_lines) = agreed();
    let (left, before) = (left(left_lines), right(right_lines));
    let link = link(&mapping, &left, &before);
    let edited = right(json!([
        { "Id": 12, "Product": { "Code": "A" }, "Quantity": 3, "Unit": "Kilo" },
        { "Id": 14, "Product": { "Code": "D" }, "Quantity": 0.5, "Unit": "Kilo" },
    ]));
    let plan = planned(&mapping, &left, Some(&edited), Some(&link));
    assert_eq!(
        written(&plan, Side::Left),
        json!({ "items": [
            { "name": "row-1", "code": "A", "qty": 3, "unit": "kg" },
            { "code": "D", "qty": 0.5, "unit": "kg" },
        ] })
    );
    assert_eq!(written(&plan, Side::Right), json!(null));
}

#[test]
fn lines_that_only_the_losing_side_has_are_kept_where_the_mapping_says_so() {
    let mapping = with(json!({ "others": "keep" }), json!([]));
    let (left_lines, right_lines) = agreed();
    let (before, right) = (left(left_lines), right(right_lines));
    let link = link(&mapping, &before, &right);
    let edited = left(json!([{ "code": "A", "qty": 9, "unit": "pc" }]));
    let plan = planned(&mapping, &edited, Some(&right), Some(&link));
    let lines = written(&plan, Side::Right)["Lines"].clone();
    assert_eq!(
        (lines[0]["Id"].clone(), lines[1]["Quantity"].clone()),
        (json!(11), json!(9))
    );
    let removed = left(json!([{ "code": "A", "qty": 2, "unit": "pc" }]));
    let plan = planned(&mapping, &removed, Some(&right), Some(&link));
    assert_eq!(plan.decisions[0].reason, Reason::LinesKept(Side::Left));
    assert!(plan.is_quiet(), "{plan:?}");
}

#[test]
fn one_way_the_targets_own_lines_are_no_difference_where_they_are_kept() {
    for (others, is_equal) in [("keep", true), ("remove", false)] {
        let mapping = with(json!({ "others": others, "direction": "erp -> crm" }), json!([]));
        let left = left(json!([{ "code": "A", "qty": 2, "unit": "pc" }]));
        let (_, right_lines) = agreed();
        let plan = planned(&mapping, &left, Some(&right(right_lines)), None);
        let verdict = &plan.decisions[0].verdict;
        assert_eq!(*verdict == Verdict::Equal, is_equal, "{others}: {verdict:?}");
    }
}

#[test]
fn without_a_key_lines_are_known_by_their_place() {
    let mapping = with(json!({ "by": null }), json!([]));
    let line = |code: &str, qty: i64| json!({ "code": code, "qty": qty, "unit": "pc" });
    let theirs = |id: i64, code: &str, qty: i64| json!({ "Id": id, "Product": { "Code": code }, "Quantity": qty, "Unit": "Piece" });
    let before = left(json!([line("A", 1), line("A", 2), line("B", 3)]));
    let right = right(json!([theirs(1, "A", 1), theirs(2, "A", 2), theirs(3, "B", 3)]));
    let link = link(&mapping, &before, &right);
    assert!(planned(&mapping, &before, Some(&right), Some(&link)).is_quiet());
    let edited = left(json!([line("A", 1), line("B", 2)]));
    let plan = planned(&mapping, &edited, Some(&right), Some(&link));
    assert_eq!(
        written(&plan, Side::Right),
        json!({ "Lines": [theirs(1, "A", 1), theirs(2, "B", 2)] })
    );
}

#[test]
fn several_keys_tell_lines_apart_together() {
    let by = json!([{ "erp": "code", "crm": "Product.Code" }, { "crm": "Unit" }]);
    let mapping = with(json!({ "by": by }), json!([]));
    let left = left(json!([
        { "code": "A", "qty": 1, "unit": "pc" }, { "code": "A", "qty": 2, "unit": "kg" }, { "code": "B", "qty": 3 },
    ]));
    let right = right(json!([
        { "Product": { "Code": "B" }, "Quantity": 3 },
        { "Product": { "Code": "A" }, "Quantity": 2, "Unit": "Kilo" },
        { "Product": { "Code": "A" }, "Quantity": 1, "Unit": "Piece" },
    ]));
    let plan = planned(&mapping, &left, Some(&right), None);
    assert_eq!(plan.decisions[0].verdict, Verdict::Equal);
}

#[test]
fn an_empty_value_within_a_line_keeps_the_other_one_unless_told_to_clear() {
    for (empty, expect) in [
        ("keep", json!(null)),
        (
            "clear",
            json!({ "Lines": [{ "Id": 1, "Product": { "Code": "A" }, "Note": null }] }),
        ),
    ] {
        let mapping = with(
            json!({}),
            json!([{ "sides": { "erp": "note", "crm": "Note" }, "empty": empty }]),
        );
        let before = left(json!([{ "code": "A", "note": "x" }]));
        let right = right(json!([{ "Id": 1, "Product": { "Code": "A" }, "Note": "x" }]));
        let link = link(&mapping, &before, &right);
        let edited = left(json!([{ "code": "A", "note": "" }]));
        let plan = planned(&mapping, &edited, Some(&right), Some(&link));
        assert_eq!(written(&plan, Side::Right), expect, "{empty}");
    }
}

#[test]
fn an_empty_list_clears_the_other_one_only_where_it_may() {
    for (empty, expect) in [("keep", json!(null)), ("clear", json!({ "Lines": [] }))] {
        let mapping = with(json!({ "empty": empty }), json!([]));
        let (left_lines, right_lines) = agreed();
        let (before, right) = (left(left_lines), right(right_lines));
        let link = link(&mapping, &before, &right);
        let plan = planned(&mapping, &left(json!([])), Some(&right), Some(&link));
        assert_eq!(written(&plan, Side::Right), expect, "{empty}");
    }
}

#[test]
fn a_new_record_gets_all_lines_and_agrees_with_where_they_come_from() {
    let only_new = json!([
        { "sides": { "erp": "warehouse", "crm": "Warehouse" }, "create_only": true },
        { "sides": { "erp": "origin", "crm": "Origin" }, "create_only": true, "direction": "crm -> erp" },
    ]);
    let mapping = with(json!({}), only_new);
    let left = left(json!([{ "code": "A", "qty": "2.50", "unit": "pc", "warehouse": "W", "origin": "o", "other": 1 }]));
    let made = planned(&mapping, &left, None, None);
    let lines = json!([{ "Product": { "Code": "A" }, "Quantity": 2.5, "Unit": "Piece", "Warehouse": "W" }]);
    assert_eq!(written(&made, Side::Right), json!({ "Lines": lines }));
    let mut there = lines;
    there[0]["Warehouse"] = json!("elsewhere");
    let plan = planned(&mapping, &left, Some(&right(there)), None);
    assert_eq!(
        plan.decisions[0].verdict,
        Verdict::Equal,
        "what new lines alone get does not count"
    );
}

#[test]
fn both_sides_changed_is_one_conflict_of_the_list_with_the_lines_that_differ() {
    let sensitive = json!([{ "sides": { "erp": "to", "crm": "To" }, "sensitive": true }]);
    let mapping = with(json!({}), sensitive);
    let (left_lines, right_lines) = agreed();
    let (before, other) = (left(left_lines.clone()), right(right_lines.clone()));
    let link = link(&mapping, &before, &other);
    let (mut ours, mut theirs) = (left_lines, right_lines);
    ours[1]["qty"] = json!(5);
    theirs[0]["Quantity"] = json!(6);
    theirs
        .as_array_mut()
        .unwrap()
        .push(json!({ "Product": { "Code": "D" }, "Quantity": 1, "Unit": "Kilo" }));
    let plan = planned(&mapping, &left(ours), Some(&right(theirs)), Some(&link));
    assert_eq!((plan.conflicts().count(), plan.writes.len()), (1, 0));
    let ids = Sides::of(|_| Some("7".to_owned()));
    let items = drift::items(&mapping, &plan, &ids, Evidence::default());
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].field.as_deref(), Some("items"));
    assert!(items[0].sensitive, "one pair of a line is personal");
    assert_eq!(
        items[0].values.left.as_deref(),
        Some(r#"[{"code":"B","qty":5,"unit":"kg"}]"#)
    );
    assert_eq!(
        items[0].values.right.as_deref(),
        Some(r#"[{"code":" B ","qty":6,"unit":"Kilo"},{"code":"D","qty":1,"unit":"Kilo"}]"#)
    );
}

#[test]
fn what_is_no_list_of_lines_is_a_fault_of_the_field_that_names_the_side() {
    let fine = || (json!([{ "code": "A" }]), json!([{ "Product": { "Code": "A" } }]));
    let many: Vec<Json> = (0..=LINES_MAX).map(|n| json!({ "code": n.to_string() })).collect();
    for (left_lines, right_lines, code, told) in [
        (
            json!("A, B"),
            fine().1,
            "MP107",
            "in erp it is no list, but text of 4 characters",
        ),
        (
            fine().0,
            json!({ "A": 1 }),
            "MP107",
            "in crm it is no list, but map of 1",
        ),
        (
            json!([{ "code": "A" }, 5]),
            fine().1,
            "MP107",
            "line 2 in erp is no map of fields, but integer",
        ),
        (
            json!(many),
            fine().1,
            "MP107",
            "in erp it has 5001 lines, and no more than 5000 are mapped",
        ),
        (
            json!([{ "code": "A" }, { "qty": 1 }]),
            fine().1,
            "MP108",
            "in erp line 2 has no key (`code`)",
        ),
        (
            fine().0,
            json!([{ "Product": { "Code": "A" } }, { "Product": { "Code": "A " } }]),
            "MP108",
            "in crm lines 1 and 2 have the same key (`code`)",
        ),
        (
            json!([{ "code": "A", "unit": "lb" }]),
            fine().1,
            "MP103",
            "line 1 in erp: field `unit`: value `lb` has no partner",
        ),
        (
            fine().0,
            json!([{ "Product": { "Code": "A" }, "Quantity": "much" }]),
            "MP101",
            "line 1 in crm: field `qty`: `Quantity` is not",
        ),
    ] {
        let plan = planned(&mapping(), &left(left_lines), Some(&right(right_lines)), None);
        let fault = plan.faults.first().unwrap_or_else(|| panic!("no fault: {told}"));
        assert!(fault.message.contains(told), "{told}: {}", fault.message);
        assert_eq!(
            (fault.code, fault.field.as_deref(), plan.writes.len()),
            (code, Some("items"), 0)
        );
    }
    let shaped = json!([{ "Product": "A thing" }]);
    let unkeyed = with(json!({ "by": null }), json!([]));
    let plan = planned(&unkeyed, &left(fine().0), Some(&right(shaped)), None);
    assert!(
        plan.faults[0]
            .message
            .contains("line 1 in crm has no place for `Product.Code`")
    );
}

#[test]
fn a_line_that_refers_to_what_is_not_linked_yet_waits_for_it() {
    let linked = json!([{ "sides": { "erp": "product", "crm": "ProductId" }, "link": "product" }]);
    let mapping = with(json!({}), linked);
    assert_eq!(mapping.references().collect::<Vec<_>>(), ["product"]);
    let left = left(json!([{ "code": "A", "product": 5 }, { "code": "B", "product": 6 }]));
    let refers = mapping.fields[0].refers(Side::Left, &left.fields);
    assert_eq!(
        refers,
        [
            ("product", Side::Left, "5".to_owned()),
            ("product", Side::Left, "6".to_owned())
        ]
    );
    let plan = planned(&mapping, &left, None, None);
    assert_eq!(plan.awaited.map(|awaited| awaited.id).as_deref(), Some("5"));
    let links: BTreeMap<_, _> = [("5", "P5"), ("6", "P6")]
        .map(|(own, other)| (("product".to_owned(), Side::Left, own.to_owned()), other.to_owned()))
        .into();
    let key = key();
    let context = Context {
        references: &links,
        ..context(&mapping, &key)
    };
    let input = Input {
        left: Seen::Record(&left),
        right: Seen::Unknown,
        link: None,
        matched: Matched::Settled,
    };
    let made = written(&plan::build(context, input), Side::Right);
    assert_eq!(made["Lines"][1]["ProductId"], json!("P6"));
}

#[expect(clippy::too_many_lines, reason = "a table")]
#[test]
fn what_makes_no_sense_about_lines_is_refused_with_its_place() {
    let pair = || json!({ "sides": { "erp": "code", "crm": "Code" } });
    let list = |patch: Json| {
        let mut list = json!({ "sides": { "erp": "items", "crm": "Lines" }, "fields": [pair()] });
        list.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        list
    };
    let inner = |patch: Json| {
        let mut pair = pair();
        pair.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        list(json!({ "fields": [pair] }))
    };
    let code = json!({ "erp": "code", "crm": "Code" });
    for (items, code, place) in [
        (
            json!({ "sides": { "erp": "a", "crm": "b" }, "by": code.clone() }),
            "MP051",
            "/fields/0/by",
        ),
        (
            json!({ "sides": { "erp": "a", "crm": "b" }, "others": "keep" }),
            "MP051",
            "/fields/0/others",
        ),
        (list(json!({ "type": "list" })), "MP051", "/fields/0/type"),
        (list(json!({ "compare": "trimmed" })), "MP051", "/fields/0/compare"),
        (list(json!({ "link": "product" })), "MP051", "/fields/0/link"),
        (list(json!({ "by": { "erp": "sku" } })), "MP052", "/fields/0/by"),
        (
            list(json!({ "by": { "erp": "code", "crm": "Other" } })),
            "MP052",
            "/fields/0/by",
        ),
        (
            list(json!({ "by": [code.clone(), { "crm": "Other" }] })),
            "MP052",
            "/fields/0/by/1",
        ),
        (
            list(json!({ "fields": [pair(), pair()] })),
            "MP014",
            "/fields/0/fields/1/erp",
        ),
        (inner(json!({ "wins": "erp" })), "MP051", "/fields/0/fields/0/wins"),
        (
            inner(json!({ "conflict": "erp" })),
            "MP051",
            "/fields/0/fields/0/conflict",
        ),
        (
            inner(json!({ "direction": "erp -> crm" })),
            "MP051",
            "/fields/0/fields/0/direction",
        ),
        (
            inner(json!({ "fields": [pair()] })),
            "MP051",
            "/fields/0/fields/0/fields",
        ),
        (inner(json!({ "type": "money" })), "MP018", "/fields/0/fields/0/type"),
        (
            inner(json!({ "values": { "a": "x", "b": "x" } })),
            "MP025",
            "/fields/0/fields/0/values/b",
        ),
    ] {
        let problems = compile(items.clone()).expect_err(place);
        let found = problems
            .iter()
            .find(|problem| problem.code == code && problem.pointer == place);
        assert!(found.is_some(), "{code} {place}: {problems:#?}");
    }
    let unfit = inner(json!({ "create_only": true, "sides": { "erp": "code", "crm": "Code" } }));
    let mut unfit = unfit;
    unfit["by"] = code;
    assert_eq!(compile(unfit).expect_err("create_only")[0].code, "MP052");
}

#[test]
fn a_pair_without_lines_is_the_definition_that_it_always_was() {
    let written = serde_json::to_string(&PairForm::default()).unwrap();
    assert!(
        !["fields", "by", "others"].iter().any(|key| written.contains(key)),
        "a new key would change every fingerprint, and so lose every base: {written}"
    );
}

mod law {
    use proptest::prelude::*;

    use super::*;

    fn lines(
        code: &'static str,
        qty: &'static str,
        unit: &'static str,
        units: [&'static str; 2],
    ) -> impl Strategy<Value = Json> {
        let line = (0..4_u8, 0..3_u32, 0..3_usize, any::<u8>());
        proptest::collection::vec(line, 0..5).prop_map(move |drawn| {
            let mut seen = Vec::new();
            let mut lines = Vec::new();
            for (name, amount, which, id) in drawn {
                if seen.contains(&name) {
                    continue;
                }
                seen.push(name);
                let unit_of = units.get(which).map_or(Json::Null, |unit| json!(unit));
                lines.push(json!({ code: format!("C{name}"), qty: format!("{amount}.50"), unit: unit_of, "id": id }));
            }
            json!(lines)
        })
    }

    fn applied(plan: &Plan, side: Side, record: &Record) -> Record {
        let mut record = record.clone();
        for write in plan.writes.iter().filter(|write| write.to == side) {
            record.fields.extend(write.fields.clone());
        }
        record
    }

    fn flat(by: bool, patch: Json) -> Mapping {
        let mut items = json!({
            "sides": { "erp": "items", "crm": "Lines" },
            "fields": [
                { "sides": { "erp": "code", "crm": "Code" } },
                { "sides": { "erp": "qty", "crm": "Quantity" }, "type": "decimal(2)" },
                { "sides": { "erp": "unit", "crm": "Unit" }, "values": { "pc": "Piece", "kg": "Kilo" } },
            ],
        });
        if by {
            items["by"] = json!({ "erp": "code" });
        }
        for (key, value) in patch.as_object().unwrap() {
            items[key] = value.clone();
        }
        compile(items).unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    proptest! {
        #[test]
        fn planning_again_after_applying_a_plan_writes_nothing(
            left_lines in lines("code", "qty", "unit", ["pc", "kg"]),
            right_lines in lines("Code", "Quantity", "Unit", ["Piece", "Kilo"]),
            left_edit in lines("code", "qty", "unit", ["pc", "kg"]),
            right_edit in lines("Code", "Quantity", "Unit", ["Piece", "Kilo"]),
            by in any::<bool>(),
            policy in prop_oneof![Just("erp"), Just("crm"), Just("manual")],
            others in prop_oneof![Just("keep"), Just("remove")],
            empty in prop_oneof![Just("keep"), Just("clear")],
            direction in prop_oneof![Just("both"), Just("erp -> crm"), Just("crm -> erp")],
        ) {
            let patch = json!({ "conflict": policy, "others": others, "empty": empty, "direction": direction });
            let mapping = flat(by, patch);
            let key = key();
            let mut records = Sides { left: left(left_lines), right: right(right_lines) };
            let mut agreed: Option<Link> = None;
            for round in 0..2 {
                let first = planned(&mapping, &records.left, Some(&records.right), agreed.as_ref());
                prop_assert!(first.faults.iter().all(|fault| fault.code == "PL003"), "{first:#?}");
                records = Sides {
                    left: applied(&first, Side::Left, &records.left),
                    right: applied(&first, Side::Right, &records.right),
                };
                let base = diff::rebase(
                    context(&mapping, &key), &records.left, &records.right, &first.decisions,
                    agreed.as_ref().map(|link| &link.base),
                );
                agreed = Some(Link {
                    link_id: 1, left_id: "7".into(), right_id: "D7".into(), base, status: LinkStatus::Linked, decided: None,
                });
                let second = planned(&mapping, &records.left, Some(&records.right), agreed.as_ref());
                prop_assert!(second.writes.is_empty(), "round {round}: {second:#?}");
                if round == 0 {
                    records = Sides { left: left(left_edit.clone()), right: right(right_edit.clone()) };
                }
            }
        }

        #[test]
        fn what_was_made_of_lines_agrees_with_them_and_comes_back(
            lines in lines("code", "qty", "unit", ["pc", "kg"]),
            by in any::<bool>(),
        ) {
            let mapping = flat(by, json!({}));
            let one = left(lines);
            let made = planned(&mapping, &one, None, None);
            let two = applied(&made, Side::Right, &record("D7", "x", json!(1)));
            let again = planned(&mapping, &one, Some(&two), None);
            prop_assert_eq!(&again.decisions[0].verdict, &Verdict::Equal);
            // Back again into a record that has nothing: the same list, but for what nobody maps.
            let back = planned(&mapping, &record("7", "x", json!(1)), Some(&two), None);
            let three = applied(&back, Side::Left, &record("7", "x", json!(1)));
            let field = &mapping.fields[0];
            let key = key();
            let hash = |record: &Record| diff::hash(&key, field, Side::Left, field.read(Side::Left, &record.fields).unwrap().as_ref());
            prop_assert_eq!(hash(&one), hash(&three));
        }
    }
}
