//! What the planner decides, case by case.

use serde_json::json;

use super::*;
use crate::core::{
    diff::Reason,
    mapping::{NoReferences, form::MappingForm, known::Known},
    problem::Problems,
    record::Base,
    settled::{Choice as Decided, Settled, Settlement, UNSETTLED},
    status::LinkStatus,
    value::fingerprint::Key,
};

/// A mapping between `erp` and `crm`; `patch` replaces or adds keys.
fn mapping(patch: serde_json::Value) -> Mapping {
    let serde_json::Value::Object(patch) = patch else {
        panic!("a patch is an object")
    };
    let mut form = json!({
        "mapping": "customer-account",
        "between": { "erp": "customer", "crm": "account" },
        "prefer": "erp",
        "create": { "crm": true },
        "fields": [
            { "sides": { "erp": "name", "crm": "Name" } },
            { "sides": { "erp": "status", "crm": "Status" }, "values": { "active": "Active", "blocked": "Inactive" } },
            { "sides": { "erp": "limit", "crm": "Limit" }, "type": "decimal(2)", "wins": "erp" },
            { "sides": { "erp": "tax_id", "crm": "Vat" }, "direction": "erp -> crm" },
        ],
    });
    for (key, value) in patch {
        form[key] = value;
    }
    let form: MappingForm = serde_json::from_value(form).unwrap();
    let mut problems = Problems::new();
    let mapping = Mapping::compile(&form, &Known::default(), &mut problems);
    mapping.unwrap_or_else(|| panic!("{:#?}", problems.into_vec()))
}

fn record(id: &str, fields: serde_json::Value) -> Record {
    let Value::Map(fields) = Value::from(fields) else {
        panic!("a record is an object")
    };
    Record {
        id: id.to_owned(),
        fields,
        version: None,
        updated_at: None,
    }
}

fn key() -> Key {
    Key::new([7; 32])
}

/// The link of two records that agreed on what they hold.
fn link(mapping: &Mapping, left: &Record, right: &Record) -> Link {
    let key = key();
    let context = Context {
        mapping,
        key: &key,
        references: &NoReferences,
        settled: UNSETTLED,
    };
    diff::agreed(context, left, right)
}

fn plan(mapping: &Mapping, left: Seen<'_>, right: Seen<'_>, link: Option<&Link>) -> Plan {
    let key = key();
    let context = Context {
        mapping,
        key: &key,
        references: &NoReferences,
        settled: UNSETTLED,
    };
    build(
        context,
        Input {
            left,
            right,
            link,
            matched: Matched::Settled,
        },
    )
}

fn left() -> Record {
    record(
        "7",
        json!({ "name": "Ana Ltda", "status": "active", "limit": "10.00", "tax_id": "BR1" }),
    )
}

fn right() -> Record {
    record(
        "A1",
        json!({ "Name": "Ana Ltda", "Status": "Active", "Limit": 10, "Vat": "BR1" }),
    )
}

fn with(record: &Record, fields: serde_json::Value) -> Record {
    let Value::Map(changes) = Value::from(fields) else {
        panic!("fields are an object")
    };
    let mut record = record.clone();
    record.fields.extend(changes);
    record
}

fn written(plan: &Plan, side: Side) -> serde_json::Value {
    let write = plan.writes.iter().find(|write| write.to == side);
    write.map_or(serde_json::Value::Null, |write| {
        serde_json::to_value(Value::Map(write.fields.clone())).unwrap()
    })
}

#[test]
fn equal_records_of_a_link_are_in_sync_and_nothing_is_written() {
    let mapping = mapping(json!({}));
    let link = link(&mapping, &left(), &right());
    let plan = plan(&mapping, Seen::Record(&left()), Seen::Record(&right()), Some(&link));
    assert_eq!(
        (plan.situation, plan.link, plan.is_quiet()),
        (Situation::InSync, LinkStep::Keep, true)
    );
}

#[test]
fn only_the_field_that_changed_is_written_to_the_other_side() {
    let mapping = mapping(json!({}));
    let link = link(&mapping, &left(), &right());
    let edited = with(&left(), json!({ "name": "Ana SA", "other": 1 }));
    let plan = plan(&mapping, Seen::Record(&edited), Seen::Record(&right()), Some(&link));
    assert_eq!(written(&plan, Side::Right), json!({ "Name": "Ana SA" }));
    assert_eq!(plan.decisions[0].reason, Reason::Changed(Side::Left));
}

#[test]
fn a_change_on_the_right_travels_back_through_the_table() {
    let mapping = mapping(json!({}));
    let link = link(&mapping, &left(), &right());
    let edited = with(&right(), json!({ "Status": "Inactive" }));
    let plan = plan(&mapping, Seen::Record(&left()), Seen::Record(&edited), Some(&link));
    assert_eq!(written(&plan, Side::Left), json!({ "status": "blocked" }));
    assert_eq!(written(&plan, Side::Right), json!(null));
}

#[test]
fn different_fields_changed_on_both_sides_cross_each_other() {
    let mapping = mapping(json!({}));
    let link = link(&mapping, &left(), &right());
    let (left, right) = (
        with(&left(), json!({ "name": "Ana SA" })),
        with(&right(), json!({ "Status": "Inactive" })),
    );
    let plan = plan(&mapping, Seen::Record(&left), Seen::Record(&right), Some(&link));
    assert_eq!(written(&plan, Side::Right), json!({ "Name": "Ana SA" }));
    assert_eq!(written(&plan, Side::Left), json!({ "status": "blocked" }));
}

#[test]
fn both_sides_changed_is_a_conflict_and_both_stay_as_they_are() {
    let mapping = mapping(json!({}));
    let link = link(&mapping, &left(), &right());
    let (left, right) = (
        with(&left(), json!({ "name": "Ana SA" })),
        with(&right(), json!({ "Name": "Ana KG" })),
    );
    let plan = plan(&mapping, Seen::Record(&left), Seen::Record(&right), Some(&link));
    assert!(plan.writes.is_empty());
    assert_eq!(plan.faults[0].class, FailureClass::Conflict);
    assert_eq!(plan.faults[0].field.as_deref(), Some("name"));
}

#[test]
fn a_persons_decision_settles_a_conflict_until_a_side_changes_again() {
    let mapping = mapping(json!({}));
    let link = link(&mapping, &left(), &right());
    let (left, right) = (
        with(&left(), json!({ "name": "Ana SA" })),
        with(&right(), json!({ "Name": "Ana KG" })),
    );
    let key = key();
    let decide = |choice| {
        let settlement = Settlement { choice, seen: None };
        let settled = Settled {
            fields: std::collections::BTreeMap::from([("name".to_owned(), settlement)]),
            ..Settled::default()
        };
        let context = Context {
            mapping: &mapping,
            key: &key,
            references: &NoReferences,
            settled: &settled,
        };
        let input = Input {
            left: Seen::Record(&left),
            right: Seen::Record(&right),
            link: Some(&link),
            matched: Matched::Settled,
        };
        build(context, input)
    };
    let taken = decide(Decided::Take(Side::Right));
    assert_eq!(written(&taken, Side::Left), json!({ "name": "Ana KG" }));
    let accepted = decide(Decided::Accept);
    assert_eq!(
        (accepted.situation, accepted.is_quiet(), accepted.link),
        (Situation::InSync, true, LinkStep::Put)
    );
    let context = Context {
        mapping: &mapping,
        key: &key,
        references: &NoReferences,
        settled: UNSETTLED,
    };
    let base = diff::rebase(context, &left, &right, &accepted.decisions, Some(&link.base));
    let link = Link { base, ..link.clone() };
    assert!(plan(&mapping, Seen::Record(&left), Seen::Record(&right), Some(&link)).is_quiet());
}

#[test]
fn both_sides_changed_to_the_same_value_is_no_conflict() {
    let mapping = mapping(json!({}));
    let link = link(&mapping, &left(), &right());
    let (left, right) = (
        with(&left(), json!({ "name": "Ana SA" })),
        with(&right(), json!({ "Name": "Ana SA" })),
    );
    let plan = plan(&mapping, Seen::Record(&left), Seen::Record(&right), Some(&link));
    assert_eq!(
        (plan.situation, plan.is_quiet(), plan.link),
        (Situation::InSync, true, LinkStep::Put)
    );
}

#[test]
fn the_conflict_policy_names_the_winner() {
    let at = |text: &str| Some(text.parse().unwrap());
    for (policy, expect) in [("erp", Side::Right), ("crm", Side::Left), ("newest", Side::Left)] {
        let mapping = mapping(json!({ "conflict": policy }));
        let link = link(&mapping, &left(), &right());
        let mut left = with(&left(), json!({ "name": "Ana SA" }));
        let mut right = with(&right(), json!({ "Name": "Ana KG" }));
        left.updated_at = at("2026-01-01T00:00:00Z");
        right.updated_at = at("2026-01-01T00:00:01Z");
        let plan = plan(&mapping, Seen::Record(&left), Seen::Record(&right), Some(&link));
        assert_eq!(
            plan.writes.iter().map(|write| write.to).collect::<Vec<_>>(),
            [expect],
            "{policy}"
        );
    }
}

#[test]
fn newest_is_told_at_the_coarser_precision_of_both_times() {
    let at = |text: &str| Some(text.parse().unwrap());
    let mapping = mapping(json!({ "conflict": "newest" }));
    let link = link(&mapping, &left(), &right());
    let mut left = with(&left(), json!({ "name": "Ana SA" }));
    let mut right = with(&right(), json!({ "Name": "Ana KG" }));
    // The right side cuts off what is finer than a millisecond: it may have been later.
    right.updated_at = at("2026-01-01T00:00:00.100Z");
    for (time, reason) in [
        ("2026-01-01T00:00:00.100900Z", Reason::NoTimes),
        ("2026-01-01T00:00:00.101000Z", Reason::NewestWins(Side::Left)),
        ("2026-01-01T00:00:00.099999Z", Reason::NewestWins(Side::Right)),
    ] {
        left.updated_at = at(time);
        let plan = plan(&mapping, Seen::Record(&left), Seen::Record(&right), Some(&link));
        assert_eq!(plan.decisions[0].reason, reason, "{time}");
    }
}

#[test]
fn newest_without_times_is_left_to_a_person() {
    let mapping = mapping(json!({ "conflict": "newest" }));
    let link = link(&mapping, &left(), &right());
    let (left, right) = (
        with(&left(), json!({ "name": "Ana SA" })),
        with(&right(), json!({ "Name": "Ana KG" })),
    );
    let plan = plan(&mapping, Seen::Record(&left), Seen::Record(&right), Some(&link));
    assert_eq!(plan.decisions[0].reason, Reason::NoTimes);
    assert!(plan.writes.is_empty());
}

#[test]
fn an_edit_on_the_side_that_does_not_own_the_field_is_written_back() {
    let mapping = mapping(json!({}));
    let link = link(&mapping, &left(), &right());
    let edited = with(&right(), json!({ "Limit": 99, "Vat": "XX" }));
    let plan = plan(&mapping, Seen::Record(&left()), Seen::Record(&edited), Some(&link));
    assert_eq!(written(&plan, Side::Right), json!({ "Limit": 10.00, "Vat": "BR1" }));
    assert_eq!(plan.decisions[2].reason, Reason::WrongSide(Side::Left));
}

#[test]
fn an_edit_on_the_wrong_side_is_only_reported_where_the_mapping_says_so() {
    let mapping = mapping(json!({ "wrong_side": "report" }));
    let link = link(&mapping, &left(), &right());
    let edited = with(&right(), json!({ "Vat": "XX" }));
    let plan = plan(&mapping, Seen::Record(&left()), Seen::Record(&edited), Some(&link));
    assert!(plan.writes.is_empty());
    assert_eq!(plan.drifted().count(), 1);
}

#[test]
fn an_empty_winner_keeps_the_other_side_unless_told_to_clear() {
    for (empty, expect) in [("keep", json!(null)), ("clear", json!({ "Name": null }))] {
        let fields = json!([{ "sides": { "erp": "name", "crm": "Name" }, "empty": empty }]);
        let mapping = mapping(json!({ "fields": fields }));
        let link = link(&mapping, &left(), &right());
        let cleared = with(&left(), json!({ "name": "" }));
        let plan = plan(&mapping, Seen::Record(&cleared), Seen::Record(&right()), Some(&link));
        assert_eq!(written(&plan, Side::Right), expect, "{empty}");
    }
}

#[test]
fn a_field_that_was_not_sent_never_clears_the_other_side() {
    let fields = json!([{ "sides": { "erp": "name", "crm": "Name" }, "empty": "clear" }]);
    let mapping = mapping(json!({ "fields": fields }));
    let link = link(&mapping, &left(), &right());
    let mut cut = left();
    cut.fields.remove("name");
    let plan = plan(&mapping, Seen::Record(&cut), Seen::Record(&right()), Some(&link));
    assert!(plan.writes.is_empty());
    assert_eq!(plan.decisions[0].reason, Reason::Absent(Side::Left));
}

#[test]
fn the_first_match_takes_the_preferred_side_and_fills_what_it_lacks() {
    let mapping = mapping(json!({}));
    let left = with(&left(), json!({ "name": "Ana SA", "status": null }));
    let plan = plan(&mapping, Seen::Record(&left), Seen::Record(&right()), None);
    assert_eq!((plan.situation, plan.link), (Situation::UnlinkedMatch, LinkStep::Put));
    assert_eq!(written(&plan, Side::Right), json!({ "Name": "Ana SA" }));
    assert_eq!(written(&plan, Side::Left), json!({ "status": "active" }));
}

#[test]
fn a_changed_field_definition_is_told_apart_from_an_edit() {
    let before = mapping(json!({}));
    let link = link(&before, &left(), &right());
    let fields = json!([{ "sides": { "erp": "name", "crm": "Name" }, "compare": "caseless" }]);
    let after = mapping(json!({ "fields": fields }));
    let agreeing = plan(&after, Seen::Record(&left()), Seen::Record(&right()), Some(&link));
    assert_eq!((agreeing.situation, agreeing.link), (Situation::InSync, LinkStep::Put));
    let edited = with(&right(), json!({ "Name": "Ana KG" }));
    let differing = plan(&after, Seen::Record(&left()), Seen::Record(&edited), Some(&link));
    assert_eq!(differing.decisions[0].reason, Reason::MappingChanged(Side::Left));
}

#[test]
fn a_record_without_partner_is_created_only_where_the_mapping_allows_it() {
    let mapping = mapping(json!({}));
    let created = plan(&mapping, Seen::Record(&left()), Seen::Unknown, None);
    assert_eq!((created.situation, created.link), (Situation::Absent, LinkStep::Put));
    assert_eq!(
        written(&created, Side::Right),
        json!({ "Name": "Ana Ltda", "Status": "Active", "Limit": 10.00, "Vat": "BR1" })
    );
    let refused = plan(&mapping, Seen::Unknown, Seen::Record(&right()), None);
    assert_eq!((refused.situation, refused.writes.len()), (Situation::Absent, 0));
}

#[test]
fn several_partners_are_reported_and_never_guessed() {
    let mapping = mapping(json!({}));
    let ids = ["A1".to_owned(), "A2".to_owned()];
    let key = key();
    let context = Context {
        mapping: &mapping,
        key: &key,
        references: &NoReferences,
        settled: UNSETTLED,
    };
    let left = left();
    let input = Input {
        left: Seen::Record(&left),
        right: Seen::Unknown,
        link: None,
        matched: Matched::Several(&ids),
    };
    let plan = build(context, input);
    assert_eq!((plan.situation, plan.writes.len()), (Situation::Ambiguous, 0));
    assert!(plan.reason.contains("A1, A2"), "{}", plan.reason);
}

#[test]
fn a_partner_that_is_gone_is_reported_by_default_and_acted_on_when_told_to() {
    for (action, step, writes) in [
        ("report", LinkStep::MarkMissing(Side::Right), vec![]),
        ("unlink", LinkStep::End, vec![]),
        ("recreate", LinkStep::Put, vec![(Side::Right, WriteKind::Create)]),
        ("delete", LinkStep::End, vec![(Side::Left, WriteKind::Delete)]),
        ("archive", LinkStep::End, vec![(Side::Left, WriteKind::Update)]),
    ] {
        let mut form = json!({ "situations": { "missing": action } });
        if action == "archive" {
            form["archive"] = json!({ "erp": { "status": "blocked" } });
        }
        let mapping = mapping(form);
        let link = link(&mapping, &left(), &right());
        let plan = plan(&mapping, Seen::Record(&left()), Seen::Gone, Some(&link));
        assert_eq!((plan.situation, plan.link), (Situation::Missing, step), "{action}");
        let done: Vec<_> = plan.writes.iter().map(|write| (write.to, write.kind)).collect();
        assert_eq!(done, writes, "{action}");
    }
}

#[test]
fn an_archived_record_is_neither_written_again_nor_given_a_partner() {
    let mapping = mapping(json!({
        "situations": { "missing": "archive" }, "archive": { "erp": { "status": "blocked" } }, "create": { "crm": "yes" },
    }));
    let archived = with(&left(), json!({ "status": "blocked" }));
    let link = link(&mapping, &left(), &right());
    let ended = plan(&mapping, Seen::Record(&archived), Seen::Gone, Some(&link));
    assert_eq!((ended.link, ended.writes.len()), (LinkStep::End, 0));
    let alone = plan(&mapping, Seen::Record(&archived), Seen::Unknown, None);
    assert_eq!((alone.situation, alone.writes.len()), (Situation::Filtered, 0));
    let active = plan(&mapping, Seen::Record(&left()), Seen::Unknown, None);
    assert_eq!((active.situation, active.writes.len()), (Situation::Absent, 1));
}

#[test]
fn a_partner_that_was_not_read_is_never_taken_for_gone() {
    let mapping = mapping(json!({ "situations": { "missing": "delete" } }));
    let link = link(&mapping, &left(), &right());
    let plan = plan(&mapping, Seen::Record(&left()), Seen::Unknown, Some(&link));
    assert!(plan.writes.is_empty());
    assert_eq!(plan.link, LinkStep::Keep);
}

#[test]
fn both_gone_ends_the_link() {
    let mapping = mapping(json!({}));
    let link = link(&mapping, &left(), &right());
    let plan = plan(&mapping, Seen::Gone, Seen::Gone, Some(&link));
    assert_eq!((plan.situation, plan.link), (Situation::Gone, LinkStep::End));
}

#[test]
fn a_linked_record_that_leaves_the_filter_is_reported_and_nothing_travels() {
    let mapping = mapping(json!({ "filter": { "erp": "{{ erp.status == 'active' }}" } }));
    let link = link(&mapping, &left(), &right());
    let blocked = with(&left(), json!({ "status": "blocked" }));
    let plan = plan(&mapping, Seen::Record(&blocked), Seen::Record(&right()), Some(&link));
    assert_eq!(
        (plan.situation, plan.writes.len(), plan.link),
        (Situation::Filtered, 0, LinkStep::Keep)
    );
}

#[test]
fn a_value_without_partner_fails_the_record_and_names_field_and_value() {
    let mapping = mapping(json!({}));
    let link = link(&mapping, &left(), &right());
    let vip = with(&left(), json!({ "status": "vip" }));
    let plan = plan(&mapping, Seen::Record(&vip), Seen::Record(&right()), Some(&link));
    assert!(plan.writes.is_empty());
    assert_eq!(plan.faults[0].class, FailureClass::Mapping);
    assert_eq!(
        plan.faults[0].message,
        "field `status`: value `vip` has no partner in `values`"
    );
}

#[test]
fn a_reference_waits_until_its_parent_is_linked() {
    let mapping = mapping(json!({ "fields": [
        { "sides": { "erp": "name", "crm": "Name" } },
        { "sides": { "erp": "owner", "crm": "Owner" }, "link": "user", "direction": "erp -> crm" },
    ] }));
    let left = with(&left(), json!({ "owner": 5 }));
    let waiting = plan(&mapping, Seen::Record(&left), Seen::Unknown, None);
    assert_eq!(waiting.situation, Situation::Waiting);
    assert_eq!(waiting.awaited.as_ref().map(|awaited| awaited.id.as_str()), Some("5"));

    let links = std::collections::BTreeMap::from([(("user".to_owned(), Side::Left, "5".to_owned()), "U5".to_owned())]);
    let key = key();
    let context = Context {
        mapping: &mapping,
        key: &key,
        references: &links,
        settled: UNSETTLED,
    };
    let input = Input {
        left: Seen::Record(&left),
        right: Seen::Unknown,
        link: None,
        matched: Matched::Settled,
    };
    assert_eq!(
        written(&build(context, input), Side::Right),
        json!({ "Name": "Ana Ltda", "Owner": "U5" })
    );
}

#[test]
fn a_lost_base_never_leads_to_an_overwrite_or_a_delete_and_takes_agreement_anew() {
    let mapping = mapping(json!({ "conflict": "erp", "situations": { "missing": "report" } }));
    let mut link = link(&mapping, &left(), &right());
    link.base = Base::default();
    let agreeing = plan(&mapping, Seen::Record(&left()), Seen::Record(&right()), Some(&link));
    assert_eq!(
        (agreeing.situation, agreeing.is_quiet(), agreeing.link),
        (Situation::InSync, true, LinkStep::Put)
    );
    let edited = with(&right(), json!({ "Name": "Ana KG" }));
    let differing = plan(&mapping, Seen::Record(&left()), Seen::Record(&edited), Some(&link));
    assert_eq!(differing.decisions[0].reason, Reason::BaseLost);
    assert!(differing.writes.is_empty());
    // With the other fields agreed anew, this one is still lost, and not newly mapped.
    let key = key();
    let context = Context {
        mapping: &mapping,
        key: &key,
        references: &NoReferences,
        settled: UNSETTLED,
    };
    link.base = diff::rebase(context, &left(), &edited, &differing.decisions, Some(&link.base));
    let later = plan(&mapping, Seen::Record(&left()), Seen::Record(&edited), Some(&link));
    assert_eq!((later.link, later.writes.len()), (LinkStep::Keep, 0));
    assert_eq!(later.decisions[0].reason, Reason::BaseLost);
    let gone = plan(&mapping, Seen::Record(&left()), Seen::Gone, Some(&link));
    assert!(gone.writes.is_empty());
}

mod law {
    use proptest::prelude::*;

    use super::*;

    fn applied(plan: &Plan, side: Side, record: &Record) -> Record {
        let mut record = record.clone();
        for write in plan.writes.iter().filter(|write| write.to == side) {
            record.fields.extend(write.fields.clone());
        }
        record
    }

    fn side(names: [&'static str; 3], statuses: [&'static str; 2]) -> impl Strategy<Value = serde_json::Value> {
        let text = prop_oneof![
            Just(json!(null)),
            Just(json!("")),
            "[a-c]{1,2}".prop_map(|text| json!(text))
        ];
        let status = prop_oneof![Just(json!(statuses[0])), Just(json!(statuses[1]))];
        let limit = (0..3_u32).prop_map(|limit| json!(format!("{limit}.50")));
        (text, status, limit)
            .prop_map(move |(text, status, limit)| json!({ names[0]: text, names[1]: status, names[2]: limit }))
    }

    proptest! {
           #[test]
           fn planning_again_after_applying_a_plan_writes_nothing(
               left in side(["name", "status", "limit"], ["active", "blocked"]),
               right in side(["Name", "Status", "Limit"], ["Active", "Inactive"]),
               left_edit in side(["name", "status", "limit"], ["active", "blocked"]),
               right_edit in side(["Name", "Status", "Limit"], ["Active", "Inactive"]),
               policy in prop_oneof![Just("erp"), Just("crm"), Just("manual")],
               empty in prop_oneof![Just("keep"), Just("clear")],
           ) {
               let mapping = mapping(json!({ "conflict": policy, "fields": [
                   { "sides": { "erp": "name", "crm": "Name" }, "empty": empty },
                   { "sides": { "erp": "status", "crm": "Status" }, "values": { "active": "Active", "blocked": "Inactive" } },
                   { "sides": { "erp": "limit", "crm": "Limit" }, "type": "decimal(2)", "wins": "erp" },
               ] }));
               let key = key();
               let context = Context { mapping: &mapping, key: &key, references: &NoReferences,
           settled: UNSETTLED, };
               let mut link: Option<Link> = None;
               let mut records = Sides { left: record("7", left), right: record("A1", right) };
               for round in 0..2 {
                   let first = plan(&mapping, Seen::Record(&records.left), Seen::Record(&records.right), link.as_ref());
                   records = Sides {
                       left: applied(&first, Side::Left, &records.left),
                       right: applied(&first, Side::Right, &records.right),
                   };
                   let base = diff::rebase(
                       context, &records.left, &records.right, &first.decisions, link.as_ref().map(|link| &link.base),
                   );
                   link = Some(Link {
                       link_id: 1, left_id: "7".into(), right_id: "A1".into(), base, status: LinkStatus::Linked,
    decided: None,
                   });
                   let second = plan(&mapping, Seen::Record(&records.left), Seen::Record(&records.right), link.as_ref());
                   prop_assert!(second.writes.is_empty(), "round {round}: {second:#?}");
                   if round == 0 {
                       records.left.fields.extend(record("7", left_edit.clone()).fields);
                       records.right.fields.extend(record("A1", right_edit.clone()).fields);
                   }
               }
           }
       }
}

/// A pair whose `name` both sides changed, under these decisions.
fn in_conflict(patch: serde_json::Value, settled: &Settled) -> Plan {
    let mapping = mapping(patch);
    let link = link(&mapping, &left(), &right());
    let (left, right) = (
        with(&left(), json!({ "name": "Ana SA" })),
        with(&right(), json!({ "Name": "Ana KG" })),
    );
    let key = key();
    let context = Context {
        mapping: &mapping,
        key: &key,
        references: &NoReferences,
        settled,
    };
    let input = Input {
        left: Seen::Record(&left),
        right: Seen::Record(&right),
        link: Some(&link),
        matched: Matched::Settled,
    };
    build(context, input)
}

fn settled(choice: Decided, seen: Option<Sides<u64>>) -> Settled {
    Settled {
        fields: std::collections::BTreeMap::from([("name".to_owned(), Settlement { choice, seen })]),
        ..Settled::default()
    }
}

#[test]
fn a_value_that_a_person_sets_is_written_to_both_sides_and_empty_clears_both() {
    let plan = in_conflict(json!({}), &settled(Decided::Set("Ana".to_owned()), None));
    assert_eq!(written(&plan, Side::Left), json!({ "name": "Ana" }));
    assert_eq!(written(&plan, Side::Right), json!({ "Name": "Ana" }));
    assert!(plan.faults.is_empty());
    // One side has it already, since the work broke off behind its write.
    let plan = in_conflict(json!({}), &settled(Decided::Set("Ana SA".to_owned()), None));
    assert_eq!(
        (plan.writes.len(), written(&plan, Side::Right)),
        (1, json!({ "Name": "Ana SA" }))
    );
    let plan = in_conflict(json!({}), &settled(Decided::Set(String::new()), None));
    assert_eq!(written(&plan, Side::Left), json!({ "name": null }));
    assert_eq!(written(&plan, Side::Right), json!({ "Name": null }));
}

#[test]
fn a_decision_about_other_values_says_nothing() {
    let now = in_conflict(json!({}), UNSETTLED).decisions.remove(0).hashes;
    let other = Sides {
        right: now.right ^ 1,
        ..now
    };
    for choice in [
        Decided::Take(Side::Left),
        Decided::Set("Ana".to_owned()),
        Decided::Accept,
    ] {
        let plan = in_conflict(json!({}), &settled(choice.clone(), Some(other)));
        assert_eq!((plan.writes.len(), plan.conflicts().count()), (0, 1), "{choice:?}");
        let plan = in_conflict(json!({}), &settled(choice.clone(), Some(now)));
        assert_eq!(plan.conflicts().count(), 0, "{choice:?}");
    }
}

#[test]
fn a_field_under_an_ignore_rule_is_left_and_the_others_go_on() {
    let rule = |field: Option<&str>, situation| Settled {
        ignored: vec![crate::core::settled::Ignored {
            rule_id: 3,
            field: field.map(ToOwned::to_owned),
            situation,
        }],
        ..Settled::default()
    };
    for settled in [
        rule(Some("name"), None),
        rule(None, Some(Situation::Differs)),
        rule(None, None),
    ] {
        let plan = in_conflict(json!({}), &settled);
        assert!(plan.is_ignored() && plan.is_quiet(), "{plan:?}");
        assert_eq!((plan.situation, plan.link), (Situation::Differs, LinkStep::Keep));
    }
    let plan = in_conflict(json!({}), &rule(Some("status"), None));
    assert_eq!((plan.is_ignored(), plan.conflicts().count()), (false, 1));
    let plan = in_conflict(json!({}), &rule(None, Some(Situation::Absent)));
    assert!(!plan.is_ignored());
}

#[test]
fn while_a_person_may_say_which_record_is_the_partner_none_is_made() {
    let mapping = mapping(json!({}));
    let key = key();
    let context = Context {
        mapping: &mapping,
        key: &key,
        references: &NoReferences,
        settled: UNSETTLED,
    };
    let ids = ["A9".to_owned()];
    let left = left();
    let input = |matched| Input {
        left: Seen::Record(&left),
        right: Seen::Unknown,
        link: None,
        matched,
    };
    let plan = build(context, input(Matched::Suggested(&ids)));
    assert_eq!((plan.situation, plan.is_quiet()), (Situation::Absent, true));
    assert!(plan.reason.contains("A9"), "{}", plan.reason);
    assert_eq!(build(context, input(Matched::Settled)).writes.len(), 1);
}

#[test]
fn what_a_person_decides_about_a_missing_record_comes_before_the_mapping_and_is_about_that_side() {
    let mapping = mapping(json!({ "situations": { "missing": "unlink" } }));
    let decided = |decision| Link {
        decided: decision,
        ..link(&mapping, &left(), &right())
    };
    let gone = |link: &Link| plan(&mapping, Seen::Record(&left()), Seen::Gone, Some(link));
    assert_eq!(gone(&decided(None)).link, LinkStep::End);
    let keep = gone(&decided(Some((Side::Right, MissingDecision::Keep))));
    assert_eq!(
        (keep.link, keep.is_quiet(), keep.is_ignored()),
        (LinkStep::Keep, true, true)
    );
    let delete = gone(&decided(Some((Side::Right, MissingDecision::Delete))));
    assert_eq!(delete.writes[0].kind, WriteKind::Delete);
    let again = gone(&decided(Some((Side::Right, MissingDecision::Recreate))));
    assert_eq!((again.writes[0].kind, again.link), (WriteKind::Create, LinkStep::Put));
    let other = gone(&decided(Some((Side::Left, MissingDecision::Delete))));
    assert_eq!(
        (other.link, other.writes.len()),
        (LinkStep::End, 0),
        "decided when the other one was gone"
    );
}
