//! What Syncline wrote, held against what people did.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use syncline::sandbox::history::Kind;

use super::{Change, Check, FIELDS, Intent, UNIQUE, pointed};
use crate::simulation::scene::VARIANTS;

impl Check<'_> {
    /// P2: nothing is made twice.
    pub(super) fn doubled(&self) {
        for (history, key) in self.history.iter().zip(["tax_id", "VatNumber"]) {
            let mut living: BTreeMap<&str, (&Json, &Change)> = BTreeMap::new();
            for change in history {
                if matches!(change.kind, Kind::Deleted | Kind::Merged) {
                    living.remove(change.id.as_str());
                }
                if change.kind != Kind::Created {
                    continue;
                }
                let company = &change.after[key];
                // What a person made a moment before nobody could know of, nor what no listing showed.
                let is_old = |other: &Change| change.at - other.at > 120_000_000 && !self.story.has_short_listing;
                let is_known = |other: &&Change| other.is_ours || is_old(other);
                let is_partner = |other: &Change| other.after["kind"] != "supplier";
                let same = living
                    .values()
                    .filter(|(other, change)| *other == company && is_partner(change));
                let mut same = same.map(|(_, other)| *other).filter(|_| change.is_ours);
                if let Some(other) = same.find(is_known) {
                    self.accuse(format!("{company} was made twice: {} and {}", other.id, change.id));
                }
                living.insert(&change.id, (company, change));
            }
        }
    }

    /// P3: what Syncline writes into a field follows the order in which the other side had it.
    pub(super) fn order(&self) {
        for (from, to) in [(0, 1), (1, 0)] {
            for paths in UNIQUE {
                let (source, target) = if from == 0 {
                    (paths.0, paths.1)
                } else {
                    (paths.1, paths.0)
                };
                let mut reached: BTreeMap<&str, usize> = BTreeMap::new();
                for change in self.history[to].iter().filter(|change| change.is_ours) {
                    let (before, after) = (pointed(&change.before, target), pointed(&change.after, target));
                    if before == after || after.is_empty() || change.kind == Kind::Deleted {
                        continue;
                    }
                    let Some(at) = self.history[from]
                        .iter()
                        .position(|other| pointed(&other.after, source) == after)
                    else {
                        self.accuse(format!("{} got `{after}`, which the other side never had", change.id));
                        continue;
                    };
                    let last = reached.entry(&change.id).or_default();
                    if at < *last {
                        self.accuse(format!("{}: the older `{after}` came after a newer value", change.id));
                    }
                    *last = at.max(*last);
                }
            }
        }
    }

    /// P3 at a system that checks versions: no edit is overwritten that Syncline had not read.
    pub(super) fn overwritten(&self) {
        let requests = self.story.sim.crm().history().requests();
        for change in self.history[1]
            .iter()
            .filter(|change| change.is_ours && change.kind == Kind::Updated)
        {
            let Some(request) = change.request else { continue };
            let reads =
                |path: &str| path.ends_with(&change.id) || path.ends_with("/accounts") || path.ends_with("/batch");
            let read = requests[..request].iter().rev().find(|request| reads(&request.path));
            let Some(read_at) = read.map(|read| read.at.timestamp_micros()) else {
                continue;
            };
            let unread = self.history[1].iter().filter(|other| {
                !other.is_ours && other.id == change.id && other.number < change.number && other.at > read_at
            });
            for other in unread {
                for (_, path) in FIELDS {
                    let differs = |a: &Json, b: &Json| pointed(a, path) != pointed(b, path);
                    if differs(&other.before, &other.after) && differs(&change.before, &change.after) {
                        self.accuse(format!("{path} of {} was overwritten before it was read", change.id));
                    }
                }
            }
        }
    }

    /// A note that both sides changed waits for a person: it is not written to the system that checks versions. Not so where
    /// the pair is linked by that very write: a create without an answer agreed on nothing that anybody knows.
    pub(super) fn conflicts_kept(&self) {
        // The link is stored just before the write that agrees on the first values.
        let linked = "select right_id, coalesce((select min(ended_at) from write where side = 'right' and record_id = right_id \
                      and started_at between link.created_at and link.created_at + 1000), min(created_at)) \
                      from link group by right_id";
        let linked: BTreeMap<String, i64> = self
            .rows(linked, |row| Ok((row.get(0)?, row.get(1)?)))
            .into_iter()
            .collect();
        for account in self.history[1].iter().filter(|change| change.kind == Kind::Created) {
            let company = &account.after["VatNumber"];
            let mut both: Vec<(usize, &Change)> = Vec::new();
            for (system, key) in [(0, "tax_id"), (1, "VatNumber")] {
                let of = |change: &&Change| change.after[key] == *company || change.before[key] == *company;
                both.extend(self.history[system].iter().filter(of).map(|change| (system, change)));
            }
            both.sort_by_key(|(_, change)| change.at);
            if both.iter().any(|(_, change)| change.kind == Kind::Deleted) {
                continue;
            }
            let (mut values, mut has_agreed, mut edited) = ([String::new(), String::new()], false, [false, false]);
            let mut agreed = String::new();
            for (system, change) in both {
                let path = ["/note", "/Description"][system];
                let value = pointed(&change.after, path);
                if value == values[system] {
                    continue;
                }
                let is_linked = linked.get(&change.id).is_some_and(|at| *at < change.at / 1000);
                let is_conflict = has_agreed && edited == [true, true] && is_linked;
                if change.is_ours && system == 1 && is_conflict && !value.is_empty() {
                    self.accuse(format!(
                        "{}: a note that both sides had changed was overwritten",
                        change.id
                    ));
                }
                values[system] = value;
                if change.is_ours || values[0] == values[1] {
                    (has_agreed, edited) = (true, [false, false]);
                    agreed.clone_from(&values[system]);
                } else {
                    // Whoever takes an edit back has not changed it.
                    edited[system] = values[system] != agreed;
                }
            }
        }
    }

    /// No edit of a person is lost: where both sides agree, it is on one of the values that people last gave.
    pub(super) fn edits(&self) {
        if self.is_early {
            return;
        }
        let (customers, accounts) = (self.now(0), self.now(1));
        let conflicts = self.conflicts();
        for link in self.links() {
            let (Some(customer), Some(account)) = (customers.get(&link.left), accounts.get(&link.right)) else {
                continue;
            };
            for ((left, right), name) in UNIQUE.iter().zip(["name", "note", "address.city"]) {
                let value = pointed(customer, left);
                let is_open = conflicts.contains(&(link.left.clone(), link.right.clone(), name.to_owned()));
                if value != pointed(account, right) || is_open {
                    continue;
                }
                // What was made again has the values of whatever was left.
                let company = &customer["tax_id"];
                let written = [link.left.as_str(), &link.right, company.as_str().unwrap_or_default()];
                if written.iter().any(|what| self.story.sim.is_doubted(what)) {
                    continue;
                }
                let was_deleted = |(system, key): (usize, &str)| {
                    let of = |change: &Change| change.kind == Kind::Deleted && change.before[key] == *company;
                    self.history[system].iter().any(of)
                };
                if [(0, "tax_id"), (1, "VatNumber")].into_iter().any(was_deleted) {
                    continue;
                }
                let mut last = Vec::new();
                for (system, id, path) in [(0, &link.left, left), (1, &link.right, right)] {
                    let edits = self.history[system].iter().rev();
                    let mut edits = edits.filter(|change| !change.is_ours && change.id == *id);
                    let given = edits.find(|change| pointed(&change.before, path) != pointed(&change.after, path));
                    last.extend(given.map(|change| pointed(&change.after, path)));
                }
                if !last.is_empty() && !last.contains(&value) {
                    self.accuse(format!(
                        "{name} of {} and {} is `{value}`, not {last:?}",
                        link.left, link.right
                    ));
                }
            }
        }
    }

    /// Nothing is deleted but what a person deleted on the other side.
    pub(super) fn deletes(&self) {
        for (system, key, other_key) in [(0, "tax_id", "VatNumber"), (1, "VatNumber", "tax_id")] {
            for change in self.history[system]
                .iter()
                .filter(|change| change.is_ours && change.kind == Kind::Deleted)
            {
                let company = &change.before[key];
                let was_deleted = self.history[1 - system].iter().any(|other| {
                    other.kind == Kind::Deleted && other.before[other_key] == *company && other.at <= change.at
                });
                if !was_deleted || VARIANTS[self.story.variant].missing != "delete" {
                    self.accuse(format!("{} was deleted, and nobody had deleted its partner", change.id));
                }
            }
        }
    }

    /// No write without an intent that was stored before it.
    pub(super) fn intents(&self) {
        let intents = self.rows("select side, kind, record_id, started_at from write", |row| {
            Ok(Intent {
                side: row.get(0)?,
                kind: row.get(1)?,
                record: row.get(2)?,
                started_at: row.get(3)?,
            })
        });
        for (history, side) in self.history.iter().zip(["left", "right"]) {
            let mut creates = 0;
            for change in history.iter().filter(|change| change.is_ours) {
                let kind = match change.kind {
                    Kind::Created => "create",
                    Kind::Updated => "update",
                    Kind::Deleted | Kind::Merged => "delete",
                };
                creates += usize::from(kind == "create");
                let is_of = |intent: &&Intent| {
                    let is_record = kind == "create" || intent.record.as_deref() == Some(&change.id);
                    intent.side == side && intent.kind == kind && is_record && intent.started_at <= change.at / 1000 + 1
                };
                let before = intents.iter().filter(is_of).count();
                if before == 0 || (kind == "create" && before < creates) {
                    self.accuse(format!("{kind} of {} without an intent", change.id));
                }
            }
        }
    }
}
