//! The checker: reads what both systems and Syncline's database hold, and says which promise was broken. It knows nothing
//! of how Syncline works; what it asks for is in `docs/reliability.md`.

mod write;

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
                let mut same = accounts
                    .iter()
                    .filter(|(_, account)| account["VatNumber"] == customer["tax_id"]);
                let is_on_record =
                    is_failing("left", id).is_some() || same.any(|(id, _)| is_failing("right", id).is_some());
                if is_due && !is_on_record && !unheard.contains(&(0, id.clone())) {
                    self.accuse(format!("customer {id} has no account, and nobody says why"));
                }
                continue;
            };
            let Some(account) = accounts.get(&link.right) else {
                let is_on_record =
                    link.is_pending || is_failing("left", id).is_some() || is_failing("right", &link.right).is_some();
                let company = customer["tax_id"].as_str().unwrap_or_default();
                let is_doubted = self.is_early && self.story.sim.is_doubted(company);
                let is_unheard =
                    is_doubted || unheard.contains(&(1, link.right.clone())) || unheard.contains(&(0, id.clone()));
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
            if self.is_edited_at_once(0, id) || self.is_edited_at_once(1, &link.right) {
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
            let same = customers
                .iter()
                .filter(|(_, customer)| customer["tax_id"] == account["VatNumber"]);
            let is_failing_left = same.map(|(id, _)| id).any(|id| is_failing("left", id).is_some());
            let is_on_record =
                is_failing_left || is_failing("right", id).is_some() || unheard.contains(&(1, id.clone()));
            let is_suppliers = is_suppliers(&customers, account) || (self.is_early && self.was_suppliers(account));
            if variant.creates_left && !is_linked && !is_on_record && !is_suppliers {
                self.accuse(format!("account {id} has no customer, and nobody says why"));
            }
        }
        self.aftermath(&failures);
    }

    /// Whether an account was that of a supplier who is gone: that it is free now, a reconciliation sees.
    fn was_suppliers(&self, account: &Json) -> bool {
        let mut gone = self.history[0].iter().filter(|change| change.kind == Kind::Deleted);
        gone.any(|change| change.before["kind"] == "supplier" && change.before["tax_id"] == account["VatNumber"])
    }

    /// What is to be tried again is tried again, and nothing failed by a fault of our own.
    fn aftermath(&self, failures: &[Failure]) {
        let waiting = self.number("select count(*) from change");
        for failure in failures {
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

    /// Whether a person edited a record so soon after we had made it that nobody can tell the edit from the system's own spelling of
    /// what was sent.
    fn is_edited_at_once(&self, system: usize, id: &str) -> bool {
        const SOON: i64 = 5_000_000;
        let mut of_record = self.history[system].iter().filter(|change| change.id == id);
        let made = of_record.find(|change| change.kind == Kind::Created && change.is_ours);
        made.is_some_and(|made| of_record.any(|change| !change.is_ours && change.at - made.at <= SOON))
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

    /// No piece of work is left open.
    fn own_faults(&self) {
        let sql = "select kind || ' ' || side || ' ' || coalesce(record_id, 'from ' || partner_id) || ' at ' || started_at \
                   from write where status = 'intended'";
        for write in self.rows(sql, |row| row.get::<_, String>(0)) {
            self.accuse(format!("a write has no outcome when all is quiet: {write}"));
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

/// Whether an account is that of a supplier, who takes no part.
fn is_suppliers(customers: &BTreeMap<String, Json>, account: &Json) -> bool {
    let same = |customer: &Json| customer["tax_id"] == account["VatNumber"] && customer["kind"] == "supplier";
    customers.values().any(same)
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
