//! The three-way merge against its executable specification: the rules of the documentation, written down a second time
//! and without looking at the planner.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use syncline::core::{
    diff::{self, Verdict},
    mapping::Mapping,
    record::{Base, BaseField, Link, Record, Seen},
    status::{LinkStatus, Side},
};

use super::{compile, key, plan, record};
use crate::support::rig::{Budget, Chance};

/// What a side holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    NotSent,
    Null,
    Blank,
    Text(&'static str),
}

impl Holds {
    const ALL: [Self; 6] = [
        Self::NotSent,
        Self::Null,
        Self::Blank,
        Self::Text("a"),
        Self::Text("b"),
        Self::Text("c"),
    ];

    fn is_empty(self) -> bool {
        !matches!(self, Self::Text(_))
    }

    fn record(self, id: &str, field: &str) -> Record {
        record(
            id,
            match self {
                Self::NotSent => json!({}),
                Self::Null => json!({ field: null }),
                Self::Blank => json!({ field: "" }),
                Self::Text(text) => json!({ field: text }),
            },
        )
    }

    /// The same thing said: all empty ones are one.
    fn says(self, other: Self) -> bool {
        self == other || self.is_empty() && other.is_empty()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Left,
    Right,
    Newest,
    Manual,
}

/// One case: everything that a decision may depend on.
#[derive(Debug, Clone, Copy)]
struct Case {
    left: Holds,
    right: Holds,
    /// What both sides held when they last agreed; none when they never did.
    base: Option<(Holds, Holds)>,
    /// They agreed once, and what on is lost.
    is_lost: bool,
    policy: Policy,
    /// The side that always wins.
    wins: Option<Side>,
    /// One way, towards this side.
    towards: Option<Side>,
    is_cleared: bool,
    is_reported: bool,
    /// Which record changed last; none when nobody knows.
    newer: Option<Side>,
}

/// What has to come of it.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Nothing,
    Written { to: Side, value: Json },
    Conflict,
    Reported,
}

fn holds(case: &Case, side: Side) -> Holds {
    match side {
        Side::Left => case.left,
        Side::Right => case.right,
    }
}

/// The specification, from the page that says what Syncline does.
fn specified(case: &Case) -> Expected {
    // l = r: in sync.
    if case.left.says(case.right) {
        return Expected::Nothing;
    }
    let owner = case.towards.map(Side::other).or(case.wins);
    // An empty preferred value does not outweigh a full one.
    let preferred = |side: Side| {
        if case.towards.is_none() && holds(case, side).is_empty() {
            side.other()
        } else {
            side
        }
    };
    let winner = match case.base {
        // A lost base never leads to an overwrite: only an owner that wins whoever changed, and what fills an empty side, may.
        Some(_) if case.is_lost => match owner {
            Some(owner) if !case.is_reported => preferred(owner),
            _ => {
                let fills = |side: Side| {
                    !holds(case, side).is_empty()
                        && holds(case, side.other()).is_empty()
                        && owner.is_none_or(|owner| owner == side)
                };
                match [Side::Left, Side::Right].into_iter().find(|side| fills(*side)) {
                    Some(side) => side,
                    None => return Expected::Conflict,
                }
            }
        },
        // No base: `prefer` wins (here the left), or the owner.
        None => preferred(owner.unwrap_or(Side::Left)),
        Some((left, right)) => {
            let has_left_changed = !case.left.says(left);
            let has_right_changed = !case.right.says(right);
            match (owner, has_left_changed, has_right_changed) {
                // A difference that both sides agreed to stays.
                (_, false, false) => return Expected::Nothing,
                // The side that may not win changed alone: drift, written back or only reported.
                (Some(Side::Left), false, true) | (Some(Side::Right), true, false) if case.is_reported => {
                    return Expected::Reported;
                }
                (Some(owner), ..) => owner,
                // One side changed: it wins.
                (None, true, false) => Side::Left,
                (None, false, true) => Side::Right,
                // Both changed: the policy says.
                (None, true, true) => match (case.policy, case.newer) {
                    (Policy::Left, _) => Side::Left,
                    (Policy::Right, _) => Side::Right,
                    (Policy::Newest, Some(side)) => side,
                    (Policy::Newest, None) | (Policy::Manual, _) => return Expected::Conflict,
                },
            }
        }
    };
    match holds(case, winner) {
        Holds::Text(text) => Expected::Written {
            to: winner.other(),
            value: json!(text),
        },
        // An empty winner does not blank the other side unless the field says so.
        Holds::Null | Holds::Blank if case.is_cleared => Expected::Written {
            to: winner.other(),
            value: Json::Null,
        },
        // What was not sent is never written.
        Holds::NotSent | Holds::Null | Holds::Blank => Expected::Nothing,
    }
}

/// What the planner says.
fn planned(case: &Case, mappings: &mut HashMap<String, Mapping>) -> Expected {
    let name = |side: Side| if side == Side::Left { "erp" } else { "crm" };
    let mut field = json!({ "sides": { "erp": "l", "crm": "r" } });
    if case.is_cleared {
        field["empty"] = json!("clear");
    }
    if let Some(side) = case.wins {
        field["wins"] = json!(name(side));
    }
    if let Some(side) = case.towards {
        field["direction"] = json!(format!("{} -> {}", name(side.other()), name(side)));
    }
    let policy = match case.policy {
        Policy::Left => "erp",
        Policy::Right => "crm",
        Policy::Newest => "newest",
        Policy::Manual => "manual",
    };
    let form = json!({
        "mapping": "m", "between": { "erp": "customer", "crm": "account" }, "prefer": "erp", "conflict": policy,
        "wrong_side": if case.is_reported { "report" } else { "repair" }, "fields": [field],
    });
    // Compiling takes longer than planning, and many cases share a mapping.
    let mapping = mappings
        .entry(form.to_string())
        .or_insert_with(|| compile(form).unwrap());
    let mut left = case.left.record("1", "l");
    let mut right = case.right.record("2", "r");
    let at = |is_newer: bool| chrono::DateTime::from_timestamp(if is_newer { 200 } else { 100 }, 0);
    if let Some(newer) = case.newer {
        left.updated_at = at(newer == Side::Left);
        right.updated_at = at(newer == Side::Right);
    }
    let link = case.base.map(|(base_left, base_right)| Link {
        link_id: 1,
        left_id: "1".into(),
        right_id: "2".into(),
        base: if case.is_lost {
            Base::default()
        } else {
            base(mapping, base_left, base_right)
        },
        status: LinkStatus::Linked,
        decided: None,
    });
    let plan = plan(mapping, Seen::Record(&left), Seen::Record(&right), link.as_ref());
    let decision = &plan.decisions[0];
    match (&decision.verdict, plan.writes.as_slice()) {
        (Verdict::Conflict, []) => Expected::Conflict,
        (Verdict::Report, []) => Expected::Reported,
        (Verdict::Write { .. }, [write]) => Expected::Written {
            to: write.to,
            value: serde_json::to_value(write.fields.values().next().unwrap()).unwrap(),
        },
        (Verdict::Equal | Verdict::Kept, []) => Expected::Nothing,
        other => panic!("{case:?}: {other:?}"),
    }
}

/// The base of two records that were accepted as they are, equal or not.
fn base(mapping: &Mapping, left: Holds, right: Holds) -> Base {
    let (key, left, right) = (key(), left.record("1", "l"), right.record("2", "r"));
    let hash = |side: Side, record: &Record| diff::hashes(&key, mapping, side, record).next().unwrap().unwrap();
    Base::new(vec![BaseField {
        definition: mapping.fields[0].definition,
        left: hash(Side::Left, &left),
        right: hash(Side::Right, &right),
    }])
}

fn draw(chance: &mut Chance) -> Case {
    let sides = [None, Some(Side::Left), Some(Side::Right)];
    let policies = [Policy::Left, Policy::Right, Policy::Newest, Policy::Manual];
    let towards = *chance.pick(&sides);
    Case {
        left: *chance.pick(&Holds::ALL),
        right: *chance.pick(&Holds::ALL),
        base: chance
            .percent(75)
            .then(|| (*chance.pick(&Holds::ALL), *chance.pick(&Holds::ALL))),
        is_lost: chance.percent(20),
        policy: *chance.pick(&policies),
        wins: if towards.is_none() { *chance.pick(&sides) } else { None },
        towards,
        is_cleared: chance.percent(50),
        is_reported: chance.percent(50),
        newer: *chance.pick(&sides),
    }
}

#[test]
fn the_planner_decides_every_case_as_the_specification_does() {
    let mut budget = Budget::new(20_000, 1_000_000);
    let (mut chance, mut mappings) = (budget.chance(), HashMap::new());
    while budget.goes_on() {
        let case = draw(&mut chance);
        assert_eq!(
            planned(&case, &mut mappings),
            specified(&case),
            "{case:?}; {}",
            budget.replay()
        );
    }
}
