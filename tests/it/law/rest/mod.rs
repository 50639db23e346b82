//! The planner comes to rest: records of chance are edited on both sides, twice, worked on in an order of chance, and each write
//! is done, refused, or done without anybody being told. After few rounds nothing is left to do, and then both records and what
//! they agreed on are one, or the difference is listed.

mod town;

use chrono::DateTime;
use serde_json::json;
use syncline::core::{
    diff::{self, Reason, Verdict},
    mapping::Missing,
    plan::{LinkStep, Plan},
    record::{Link, Seen},
    status::{LinkStatus, Side, Situation, WriteKind},
    value::{Value, lay_over},
};

use self::town::{Links, Town};
use super::{context_among, key, link_among, plan_among};
use crate::support::rig::{Budget, Chance, report};

/// So many rounds it may take at the most.
const ROUNDS_MAX: u32 = 200;

impl Town {
    fn links(&self) -> Links {
        let companies = self.pairs.iter().filter(|(kind, _)| *kind == 0);
        let links = companies.filter_map(|(_, pair)| pair.link.as_ref());
        links
            .flat_map(|link| {
                let (left, right) = (link.left_id.clone(), link.right_id.clone());
                [
                    (("company".to_owned(), Side::Left, left.clone()), right.clone()),
                    (("company".to_owned(), Side::Right, right), left),
                ]
            })
            .collect()
    }

    fn plan(&self, place: usize) -> Plan {
        let (kind, pair) = &self.pairs[place];
        let seen = |side| match pair.get(side) {
            Some(record) => Seen::Record(record),
            None if pair.link.is_some() => Seen::Gone,
            None => Seen::Unknown,
        };
        let (left, right) = (seen(Side::Left), seen(Side::Right));
        plan_among(&self.mappings[*kind], &self.links(), left, right, pair.link.as_ref())
    }

    /// Works on everything once, in an order of chance; whether there was anything to do.
    fn round(&mut self) -> bool {
        let mut order: Vec<usize> = (0..self.pairs.len()).collect();
        for place in (1..order.len()).rev() {
            order.swap(place, usize::try_from(self.chance.below(place as u64 + 1)).unwrap());
        }
        let mut has_acted = false;
        for place in order {
            has_acted |= self.work_on(place);
        }
        has_acted
    }

    fn work_on(&mut self, place: usize) -> bool {
        let plan = self.plan(place);
        for write in &plan.writes {
            let luck = self.chance.below(8);
            if luck == 0 {
                // Refused.
                return true;
            }
            if write.kind == WriteKind::Delete {
                *self.pairs[place].1.slot(write.to) = None;
            } else {
                let mut record = self.pairs[place].1.slot(write.to).take().unwrap_or_else(|| {
                    let id = format!("{}{}", if write.to == Side::Left { "L" } else { "R" }, self.fresh());
                    super::record(&id, json!({}))
                });
                lay_over(&mut record.fields, &write.fields);
                record.updated_at = DateTime::from_timestamp(1_700_000_000 + self.fresh(), 0);
                *self.pairs[place].1.slot(write.to) = Some(record);
            }
            if luck == 1 {
                // Done, and nobody is told: a record that was made in place of one that was gone is found by a search.
                let pair = &mut self.pairs[place].1;
                let ids = pair.left.as_ref().zip(pair.right.as_ref());
                let is_known =
                    |link: &Link| ids.is_none_or(|(left, right)| left.id == link.left_id && right.id == link.right_id);
                pair.link = pair.link.take().filter(is_known);
                return true;
            }
        }
        self.settle(place, &plan) || !plan.writes.is_empty()
    }

    /// Does to the link what the plan says; whether that changed it.
    fn settle(&mut self, place: usize, plan: &Plan) -> bool {
        let links = self.links();
        let (kind, pair) = &mut self.pairs[place];
        let before = pair.link.clone();
        match plan.link {
            LinkStep::Keep => {}
            LinkStep::End => pair.link = None,
            LinkStep::MarkMissing(_) | LinkStep::ClearMissing => {
                if let Some(link) = &mut pair.link {
                    link.status = match plan.link {
                        LinkStep::ClearMissing => LinkStatus::Linked,
                        _ => LinkStatus::PendingDelete,
                    };
                }
            }
            LinkStep::Put => {
                let (Some(left), Some(right)) = (&pair.left, &pair.right) else {
                    panic!("a link needs both records: {plan:#?}")
                };
                let mapping = &self.mappings[*kind];
                pair.link = Some(if plan.decisions.is_empty() {
                    link_among(mapping, &links, left, right)
                } else {
                    let key = key();
                    let context = context_among(mapping, &key, &links);
                    let agreed = before.as_ref().map(|link| &link.base);
                    Link {
                        link_id: 1,
                        left_id: left.id.clone(),
                        right_id: right.id.clone(),
                        base: diff::rebase(context, left, right, &plan.decisions, agreed),
                        status: LinkStatus::Linked,
                        decided: None,
                    }
                });
            }
        }
        pair.link != before
    }

    /// What is not as it has to be when nothing is left to do.
    fn unsettled(&self, place: usize) -> Option<String> {
        let (kind, pair) = &self.pairs[place];
        let (mapping, plan) = (&self.mappings[*kind], self.plan(place));
        let is_listed = !plan.faults.is_empty() || plan.situation == Situation::Waiting;
        match (&pair.left, &pair.right, &pair.link) {
            (None, None, None) => None,
            (Some(left), Some(right), Some(link)) => {
                let hashes = [(Side::Left, left), (Side::Right, right)].map(|(side, record)| {
                    let key = key();
                    diff::hashes(&key, mapping, side, record).collect::<Vec<_>>()
                });
                plan.decisions.iter().find_map(|decision| {
                    let field = &mapping.fields[decision.field];
                    let sides = [(left, &field.paths.left), (right, &field.paths.right)];
                    let [one, other] = sides.map(|(record, path)| plain(path.as_ref()?.get_in(&record.fields)?));
                    let is_same = match field.name.as_str() {
                        "company" => decision.verdict == Verdict::Equal,
                        _ => one == other,
                    };
                    let base = link.base.field(field.definition);
                    let is_agreed = base.is_some_and(|base| {
                        [Some(base.left), Some(base.right)] == [hashes[0][decision.field], hashes[1][decision.field]]
                    });
                    let is_right = match (&decision.verdict, decision.reason) {
                        (Verdict::Equal, _) => is_same && is_agreed,
                        (Verdict::Conflict, _) => !is_same && is_listed,
                        (Verdict::Report, _) => !is_same,
                        (Verdict::Kept, Reason::EmptyKept(_) | Reason::Absent(_)) => one.is_none() || other.is_none(),
                        _ => false,
                    };
                    (!is_right).then(|| format!("{}: {one:?} and {other:?}, {decision:?}", field.name))
                })
            }
            (Some(_), None, Some(link)) | (None, Some(_), Some(link)) => {
                let is_right = link.status == LinkStatus::PendingDelete && mapping.actions.missing == Missing::Report;
                (!is_right).then(|| format!("a record without its partner: {plan:?}"))
            }
            (Some(_), None, None) | (None, Some(_), None) => {
                let to = if pair.left.is_some() { Side::Right } else { Side::Left };
                let is_right = is_listed || !mapping.create.get(to);
                (!is_right).then(|| format!("a record without a partner, and nobody says why: {plan:?}"))
            }
            (Some(_), Some(_), None) if is_listed => None,
            _ => Some(format!("there is something left to do: {plan:?}")),
        }
    }
}

/// A value as both sides mean it, without looking at how Syncline compares.
fn plain(value: &Value) -> Option<String> {
    let text = value.to_text().filter(|text| !text.is_empty())?;
    Some(match text.as_str() {
        "Active" => "active".to_owned(),
        "Inactive" => "blocked".to_owned(),
        other => match other.parse::<rust_decimal::Decimal>() {
            Ok(number) => number.round_dp(2).normalize().to_string(),
            Err(_) => text,
        },
    })
}

#[test]
fn whatever_people_do_and_whichever_writes_fail_the_planner_comes_to_rest_with_all_agreed_or_listed() {
    let mut budget = Budget::new(300, 10_000_000);
    let mut chance = budget.chance();
    let (mut pairs, mut longest, mut listed) = (0, 0, 0);
    while budget.goes_on() {
        let mut town = Town::found(Chance::new(chance.next()));
        let mut rounds = 0;
        let mut rest = |town: &mut Town| {
            while town.round() {
                rounds += 1;
                assert!(
                    rounds <= ROUNDS_MAX,
                    "it does not end: {:#?}; {}",
                    town.pairs,
                    budget.replay()
                );
            }
        };
        rest(&mut town);
        town.disturb();
        for _ in 0..town.chance.below(4) {
            town.round();
        }
        town.disturb();
        rest(&mut town);
        for place in 0..town.pairs.len() {
            let unsettled = town.unsettled(place);
            let pair = &town.pairs[place];
            assert_eq!(unsettled, None, "{pair:#?} {:#?}; {}", town.links(), budget.replay());
            listed += u64::from(!town.plan(place).faults.is_empty());
        }
        pairs += town.pairs.len();
        longest = longest.max(rounds);
    }
    assert!(listed > 0, "there are conflicts");
    report(&format!(
        "{} towns with {pairs} pairs came to rest within {longest} rounds, {listed} pairs with a conflict",
        budget.done()
    ));
}
