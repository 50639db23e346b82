//! The checker: reads what both systems and Syncline's database hold, and says which promise was broken. It knows nothing
//! of how Syncline works; what it asks for is in `docs/reliability.md`.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OpenFlags};
use rust_decimal::Decimal;
use serde_json::Value as Json;
use syncline::sandbox::history::{Commit, Kind};

use super::{
    scene::VARIANTS,
    story::{PERSON, Story},
};

/// The fields of the mapping: where they are in a customer and in an account, and whose name they have.
const FIELDS: [(&str, &str); 6] = [
    ("/name", "/Name"),
    ("/tax_id", "/VatNumber"),
    ("/phone", "/Phone"),
    ("/note", "/Description"),
    ("/address/city", "/BillingCity"),
    ("/credit_limit", "/CreditLimit"),
];
/// Fields whose values people make up anew at every edit.
const UNIQUE: [(&str, &str); 3] = [
    ("/name", "/Name"),
    ("/note", "/Description"),
    ("/address/city", "/BillingCity"),
];
/// What a conflict calls each field.
const NAMES: [&str; 6] = ["name", "tax_id", "phone", "note", "address.city", "credit_limit"];

/// A link as the database has it.
struct Link {
    left: String,
    right: String,
    is_pending: bool,
}

/// A failure that stands.
struct Failure {
    side: String,
    record: String,
    class: String,
    message: String,
    is_retried: bool,
}

/// A stored intent.
struct Intent {
    side: String,
    kind: String,
    record: Option<String>,
    started_at: i64,
}

/// One commit with its records read.
struct Change {
    number: usize,
    at: i64,
    id: String,
    kind: Kind,
    is_ours: bool,
    before: Json,
    after: Json,
    request: Option<usize>,
}

/// What one look found.
pub struct Check<'a> {
    story: &'a Story,
    /// Before the last reconciliation: only what was heard of has to be done.
    is_early: bool,
    database: Connection,
    history: [Vec<Change>; 2],
}

impl<'a> Check<'a> {
    pub fn new(story: &'a Story, is_early: bool) -> Self {
        let database = Connection::open_with_flags(&story.path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let history = [
            story.sim.erp().history().writes_to("customer"),
            story.sim.crm().history().writes_to("account"),
        ];
        Self {
            story,
            is_early,
            database,
            history: history.map(|commits| commits.iter().map(Change::read).collect()),
        }
    }

    /// Reports everything that is not as promised.
    pub fn run(&self) {
        self.events();
        self.agreement();
        self.doubled();
        self.order();
        self.overwritten();
        self.conflicts_kept();
        self.edits();
        self.deletes();
        self.intents();
        self.own_faults();
    }

    fn accuse(&self, what: impl Into<String>) {
        self.story.sim.accuse(what.into());
    }

    /// P1: what was acknowledged is stored once, and nothing of it is still open when all is quiet.
    fn events(&self) {
        let rows = self.rows("select system, external_id, status, event_id from event", |row| {
            Ok((
                (row.get::<_, String>(0)?, row.get::<_, String>(1)?),
                (row.get::<_, String>(2)?, row.get::<_, i64>(3)?),
            ))
        });
        let mut stored: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, state) in rows {
            stored.entry(key).or_default().push(state);
        }
        for (key, states) in &stored {
            if states.len() > 1 {
                self.accuse(format!("event {key:?} is stored {} times", states.len()));
            }
            let waits = self.number("select count(*) from change where waiting_mapping is not null");
            for (status, _) in states {
                if matches!(status.as_str(), "received" | "queued") && waits == 0 {
                    self.accuse(format!("event {key:?} is {status}, and nothing is left to be done"));
                }
            }
        }
        for mail in self.story.mails.iter().filter(|mail| mail.acknowledged) {
            let system = ["erp", "crm"][mail.system].to_owned();
            if !stored.contains_key(&(system, mail.event_id.clone())) {
                self.accuse(format!("acknowledged event {} is lost", mail.event_id));
            }
        }
    }

    /// P5, and P1 in its effect: both sides agree, or the difference is on record.
    fn agreement(&self) {
        let (links, failures, conflicts) = (self.links(), self.failures(), self.conflicts());
        let unheard = self.unheard();
        let accounts = self.now(1);
        let customers = self.now(0);
        let is_failing = |side: &str, id: &str| {
            let of = |failure: &&Failure| failure.side == side && failure.record == id;
            failures.iter().find(of)
        };
        let variant = VARIANTS[self.story.variant];
        for (id, customer) in customers.iter().filter(|(_, customer)| customer["kind"] == "customer") {
            let Some(link) = links.iter().find(|link| link.left == *id) else {
                let is_due = !self.is_early || self.has_edit(0, id);
                if is_due && is_failing("left", id).is_none() && !unheard.contains(&(0, id.clone())) {
                    self.accuse(format!("customer {id} has no account, and nobody says why"));
                }
                continue;
            };
            let Some(account) = accounts.get(&link.right) else {
                let is_on_record =
                    link.is_pending || is_failing("left", id).is_some() || is_failing("right", &link.right).is_some();
                let is_unheard = unheard.contains(&(1, link.right.clone())) || unheard.contains(&(0, id.clone()));
                if !is_on_record && !is_unheard {
                    self.accuse(format!(
                        "account {} of customer {id} is gone, and nobody says so",
                        link.right
                    ));
                }
                continue;
            };
            if unheard.contains(&(0, id.clone())) || unheard.contains(&(1, link.right.clone())) {
                continue;
            }
            for ((left, right), name) in FIELDS.iter().zip(NAMES) {
                let values = (pointed(customer, left), pointed(account, right));
                let is_listed = conflicts.contains(&(id.clone(), link.right.clone(), name.to_owned()));
                if values.0 == values.1 || is_listed {
                    continue;
                }
                // An empty winner blanks the other side only where the mapping says so.
                let is_kept = !matches!(name, "note" | "address.city") && (values.0.is_empty() || values.1.is_empty());
                let failing = is_failing("left", id).or_else(|| is_failing("right", &link.right));
                if !is_kept && failing.is_none_or(|failure| failure.class == "conflict") {
                    self.accuse(format!("{name} of {id} and {} differs: {values:?}", link.right));
                }
            }
        }
        for (id, account) in &accounts {
            let is_linked = links.iter().any(|link| link.right == *id) || (self.is_early && !self.has_edit(1, id));
            let is_on_record = is_failing("right", id).is_some() || unheard.contains(&(1, id.clone()));
            if variant.creates_left && !is_linked && !is_on_record && !self.is_suppliers(&customers, account) {
                self.accuse(format!("account {id} has no customer, and nobody says why"));
            }
        }
        let waiting = self.number("select count(*) from change");
        for failure in &failures {
            if failure.class == "transient" && failure.is_retried && waiting == 0 {
                let what = &failure.message;
                self.accuse(format!(
                    "{} is to be tried again, and nobody will: {what}",
                    failure.record
                ));
            }
            // Three processes ended while they worked on it: that is what the fuse does.
            let is_suspected = failure.message.starts_with("SY011");
            if failure.class == "bug" && !is_suspected {
                self.accuse(format!("a fault of our own at {}: {}", failure.record, failure.message));
            }
        }
    }

    /// Whether a person ever told of a record. What Syncline made itself, after it had given up, is only seen by a
    /// reconciliation.
    fn has_edit(&self, system: usize, id: &str) -> bool {
        self.history[system]
            .iter()
            .any(|change| change.id == id && !change.is_ours)
    }

    fn is_suppliers(&self, customers: &BTreeMap<String, Json>, account: &Json) -> bool {
        let same = |customer: &&Json| customer["tax_id"] == account["VatNumber"] && customer["kind"] == "supplier";
        customers.values().find(same).is_some()
    }

    /// Records with an edit by a person that nothing has told Syncline of.
    fn unheard(&self) -> BTreeSet<(usize, String)> {
        if !self.is_early {
            return BTreeSet::new();
        }
        let acknowledged: BTreeSet<(usize, usize)> = self
            .story
            .mails
            .iter()
            .filter(|mail| mail.acknowledged)
            .map(|mail| (mail.system, mail.commit.number))
            .collect();
        let start = self.story.sim.start().timestamp_micros();
        let mut unheard = BTreeSet::new();
        for (system, history) in self.history.iter().enumerate() {
            for change in history.iter().filter(|change| !change.is_ours) {
                let at = (change.at - start) / 1000;
                let is_seen = |polled: &i64| *polled > at + 1_000 && change.kind != Kind::Deleted;
                let is_heard =
                    acknowledged.contains(&(system, change.number)) || self.story.polled[system].iter().any(is_seen);
                if !is_heard {
                    unheard.insert((system, change.id.clone()));
                }
            }
        }
        unheard
    }

    /// P2: nothing is made twice.
    fn doubled(&self) {
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
                // What a person made a moment before nobody could know of.
                let is_known = |other: &&Change| other.is_ours || change.at - other.at > 120_000_000;
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
    fn order(&self) {
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
    fn overwritten(&self) {
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

    /// A note that both sides changed waits for a person: it is not written to the system that checks versions.
    fn conflicts_kept(&self) {
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
            for (system, change) in both {
                let path = ["/note", "/Description"][system];
                let value = pointed(&change.after, path);
                if value == values[system] {
                    continue;
                }
                if change.is_ours && system == 1 && has_agreed && edited == [true, true] && !value.is_empty() {
                    self.accuse(format!(
                        "{}: a note that both sides had changed was overwritten",
                        change.id
                    ));
                }
                values[system] = value;
                if change.is_ours || values[0] == values[1] {
                    (has_agreed, edited) = (true, [false, false]);
                } else {
                    edited[system] = true;
                }
            }
        }
    }

    /// No edit of a person is lost: where both sides agree, it is on one of the values that people last gave.
    fn edits(&self) {
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
                if self.story.sim.is_doubted(&link.left) || self.story.sim.is_doubted(&link.right) {
                    continue;
                }
                // What was made again has the values of whatever was left.
                let company = &customer["tax_id"];
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
    fn deletes(&self) {
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
    fn intents(&self) {
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

    /// No piece of work is left open.
    fn own_faults(&self) {
        let open = self.number("select count(*) from write where status = 'intended'");
        if open > 0 {
            self.accuse(format!("{open} writes have no outcome when all is quiet"));
        }
        let twice =
            "select count(*) from (select 1 from run where status = 'running' group by kind having count(*) > 1)";
        if self.number(twice) > 0 {
            self.accuse("a run that ended with its process is still open");
        }
    }

    /// The records of a system as they are now, by id.
    fn now(&self, system: usize) -> BTreeMap<String, Json> {
        let sim = &self.story.sim;
        let all = if system == 0 {
            sim.erp().all("customer")
        } else {
            sim.crm().all("account")
        };
        let all = all.unwrap().into_iter();
        all.map(|snapshot| (snapshot.id.clone(), serde_json::from_str(&snapshot.json).unwrap()))
            .collect()
    }

    fn links(&self) -> Vec<Link> {
        self.rows(
            "select left_id, right_id, status from link where status <> 'ended'",
            |row| {
                Ok(Link {
                    left: row.get(0)?,
                    right: row.get(1)?,
                    is_pending: row.get::<_, String>(2)? == "pending_delete",
                })
            },
        )
    }

    fn failures(&self) -> Vec<Failure> {
        let sql = "select side, record_id, class, code || ' ' || message, status = 'retrying' from failure where status in ('open', 'retrying', 'parked')";
        self.rows(sql, |row| {
            Ok(Failure {
                side: row.get(0)?,
                record: row.get(1)?,
                class: row.get(2)?,
                message: row.get(3)?,
                is_retried: row.get(4)?,
            })
        })
    }

    fn conflicts(&self) -> BTreeSet<(String, String, String)> {
        let rows = self.rows(
            "select left_id, right_id, field from conflict where status = 'open'",
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        );
        rows.into_iter().collect()
    }

    fn number(&self, sql: &str) -> i64 {
        self.database.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn rows<T>(&self, sql: &str, read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let mut statement = self.database.prepare(sql).unwrap();
        let rows = statement.query_map([], read).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

impl Change {
    fn read(commit: &Commit) -> Self {
        let json = |text: &Option<syncline::sandbox::history::Json>| {
            text.as_deref()
                .map_or(Json::Null, |text| serde_json::from_str(text).unwrap())
        };
        Self {
            number: commit.number,
            at: commit.at.timestamp_micros(),
            id: commit.id.clone(),
            kind: commit.kind,
            is_ours: commit.actor != PERSON,
            before: json(&commit.before),
            after: json(&commit.after),
            request: commit.request,
        }
    }
}

/// A value as both systems mean it.
fn pointed(record: &Json, path: &str) -> String {
    match record.pointer(path) {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text
            .parse::<Decimal>()
            .map_or_else(|_| text.clone(), |n| n.normalize().to_string()),
        Some(Json::Number(number)) => {
            let text = number.to_string();
            text.parse::<Decimal>().map_or(text, |n| n.normalize().to_string())
        }
        Some(other) => other.to_string(),
    }
}
