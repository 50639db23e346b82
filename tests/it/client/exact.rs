//! A number from one system to the other by way of everything in between: read from an answer, mapped, written into a request,
//! agreed on in the store, and compared again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{json, value::RawValue};
use syncline::{
    client::{Road, System},
    core::{
        diff::{self, Context},
        mapping::{Mapping, NoReferences, form::MappingForm, known::Known},
        plan::{self, Input, Matched, Plan},
        problem::Problems,
        record::{Link, Record, Seen},
        settled::UNSETTLED,
        status::Side,
        value::fingerprint::Key,
    },
    store::{
        Op, Store,
        link::{Agreement, NewLink},
    },
};

use super::{Sample, list};
use crate::support::{
    database::Database,
    loopback::{Loopback, Reply, Seen as Request},
    rig::{Budget, Chance, report},
};

/// Numbers of one round.
const BATCH: usize = 100;

/// A number of up to 38 digits as systems spell it: signs, zeros behind the point, exponents.
fn spelled(chance: &mut Chance) -> String {
    let digits = 1 + chance.below(38);
    let point = chance.below(digits + 1);
    let mut draw = |count: u64| -> String {
        (0..count)
            .map(|_| char::from(b'0' + u8::try_from(chance.below(10)).unwrap()))
            .collect()
    };
    let (whole, fraction) = (draw(point), draw(digits - point));
    let whole = whole.trim_start_matches('0');
    let mut text = if whole.is_empty() {
        "0".to_owned()
    } else {
        whole.to_owned()
    };
    if !fraction.is_empty() {
        text = format!("{text}.{fraction}");
    }
    if chance.percent(40) && text.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0') {
        text.insert(0, '-');
    }
    if chance.percent(10) {
        text.push_str(chance.pick::<&str>(&["e0", "E+2", "e-3", "e7", "E-9"]));
    }
    text
}

/// The one way to write a number, made by hand: a sign, digits without zeros at their ends, the power of ten of the last one.
fn canonical(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_end_matches('0');
    let power = exponent.parse::<i64>().unwrap() + i64::try_from(all.len() - digits.len()).unwrap()
        - i64::try_from(fraction.len()).unwrap();
    match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => format!("{sign}{digits}e{power}"),
    }
}

/// A number that is another one by its last digit alone.
fn other(text: &str) -> String {
    let end = text.find(['e', 'E']).unwrap_or(text.len());
    let last = text[..end].rfind(|c: char| c.is_ascii_digit()).unwrap();
    let digit = if &text[last..=last] == "7" { "3" } else { "7" };
    format!("{}{digit}{}", &text[..last], &text[last + 1..])
}

/// Whether a decimal of 28 digits cannot hold it as it is spelled.
fn is_long(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = i64::try_from(digits.trim_start_matches(['-', '0']).len()).unwrap();
    let places = i64::try_from(fraction.len()).unwrap() - exponent;
    digits > 28 || places > 28 || digits - places.min(0) > 28
}

/// Fields as they stand in a body.
type Raw = BTreeMap<String, Box<RawValue>>;

/// A system that keeps what it is sent byte for byte, under ids that begin with this number.
#[derive(Default)]
struct Vault(Mutex<Vec<String>>, usize);

impl Vault {
    fn answer(&self, seen: &Request) -> Reply {
        let mut kept = self.0.lock().unwrap();
        let text = |body: &str| Reply::new(200, "application/json", body.as_bytes());
        match (seen.method.as_str(), seen.path().strip_prefix("/api/accounts/")) {
            ("POST", _) => {
                let body = String::from_utf8(seen.body.clone()).unwrap();
                let whole = format!(
                    "{{\"id\":\"A{}\",{}",
                    self.1 + kept.len(),
                    body.strip_prefix('{').unwrap()
                );
                kept.push(whole.clone());
                text(&whole)
            }
            ("GET", Some(id)) => text(&kept[id[1..].parse::<usize>().unwrap() - self.1]),
            _ => text(&format!("{{\"items\":[{}]}}", kept.join(","))),
        }
    }

    async fn start(self: &Arc<Self>) -> (Loopback, System) {
        let vault = Arc::clone(self);
        let server = Loopback::start(move |seen| vault.answer(seen)).await;
        let system = Sample::new().limited(json!({ "concurrency": 8 })).at(&server);
        (server, system)
    }
}

/// `typed` is declared to be a decimal, of which the program has 28 digits; `plain` is taken as it comes.
fn mapping() -> Mapping {
    let form: MappingForm = serde_json::from_value(json!({
        "mapping": "exact", "between": { "erp": "account", "crm": "account" }, "prefer": "erp", "create": { "crm": true },
        "fields": [
            { "sides": { "erp": "plain", "crm": "Plain" } },
            { "sides": { "erp": "typed", "crm": "Typed" }, "type": "decimal" },
        ],
    }))
    .unwrap();
    let mut problems = Problems::new();
    let mapping = Mapping::compile(&form, &Known::default(), &mut problems);
    mapping.unwrap_or_else(|| panic!("{:?}", problems.into_vec()))
}

struct Way {
    mapping: Mapping,
    key: Key,
}

impl Way {
    fn context(&self) -> Context<'_> {
        Context {
            mapping: &self.mapping,
            key: &self.key,
            references: &NoReferences,
            settled: UNSETTLED,
        }
    }

    fn plan(&self, left: &Record, right: Seen<'_>, link: Option<&Link>) -> Plan {
        let input = Input {
            left: Seen::Record(left),
            right,
            link,
            matched: Matched::Settled,
        };
        plan::build(self.context(), input)
    }

    /// Stores that both records agree, in one submission.
    async fn agree(&self, store: &Store, pairs: &[(Record, Record)]) {
        let op = |(left, right): &(Record, Record)| {
            let decisions = diff::compare(self.context(), left, right, None).unwrap();
            Op::PutLink(NewLink {
                mapping: "exact".into(),
                left_id: left.id.clone(),
                right_id: right.id.clone(),
                agreement: Agreement {
                    base: diff::rebase(self.context(), left, right, &decisions, None),
                    ..Agreement::default()
                },
            })
        };
        store.commit(pairs.iter().map(op).collect()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_arrives_to_the_last_of_thirty_eight_digits_and_is_written_once() {
    travel(Database::sqlite(), Budget::new(3, 100_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_was_agreed_on_in_postgres_is_the_same_to_its_last_digit() {
    if let Some(database) = Database::postgres().await {
        travel(database, Budget::new(1, 100_000)).await;
    }
}

#[expect(clippy::too_many_lines, reason = "one journey, step by step")]
async fn travel(database: Database, mut budget: Budget) {
    let mut chance = budget.chance();
    let store = database.open().await;
    let road = Way {
        mapping: mapping(),
        key: Key::new([7; 32]),
    };
    let (mut arrived, mut refused, mut edited) = (0, 0, 0);
    while budget.goes_on() {
        let told = |text: &str| format!("{text}; {}", budget.replay());
        let numbers: Vec<(String, String)> = (0..BATCH)
            .map(|_| (spelled(&mut chance), spelled(&mut chance)))
            .collect();
        let first = usize::try_from(budget.done()).unwrap() * 1_000;
        let (source, target) = (Arc::new(Vault::default()), Arc::new(Vault(Mutex::default(), first)));
        *source.0.lock().unwrap() = (0..)
            .zip(&numbers)
            .map(|(id, (plain, typed))| {
                let id = budget.done() * 1_000 + id;
                format!("{{\"id\":{id},\"plain\":{plain},\"typed\":{typed}}}")
            })
            .collect();
        let ((_from, erp), (_to, crm)) = (source.start().await, target.start().await);
        let (lefts, is_complete) = list(&erp).await.unwrap();
        assert!(is_complete && lefts.len() == BATCH);
        let mut pairs = Vec::new();
        for (left, (plain, typed)) in lefts.into_iter().zip(&numbers) {
            let plan = road.plan(&left, Seen::Unknown, None);
            let Some(write) = plan.writes.first() else {
                // A decimal of more digits than there are is told, and not rounded.
                assert!(!plan.faults.is_empty(), "{plan:?}; {}", told(typed));
                assert!(is_long(typed), "{typed} could be held: {plan:?}; {}", told(typed));
                refused += 1;
                continue;
            };
            assert_eq!(write.to, Side::Right);
            let written = crm
                .create("account", &write.fields, &left.id, Road::Event)
                .await
                .unwrap();
            let body = target.0.lock().unwrap().last().unwrap().clone();
            let sent: Raw = serde_json::from_str(&body).unwrap();
            for (name, text) in [("Plain", plain), ("Typed", typed)] {
                let there = sent[name].get();
                assert_eq!(
                    canonical(there),
                    canonical(text),
                    "{name}: {text} became {there}; {}",
                    told(text)
                );
            }
            let right = crm.get("account", &written.id, Road::Event).await.unwrap().unwrap();
            pairs.push((left, right));
            arrived += 1;
        }
        road.agree(&store, &pairs).await;
        for (left, right) in &pairs {
            let stored = store
                .link_by("exact", Side::Left, &left.id)
                .await
                .unwrap()
                .unwrap()
                .link;
            let plan = road.plan(left, Seen::Record(right), Some(&stored));
            assert!(
                plan.writes.is_empty() && plan.faults.is_empty(),
                "written again: {plan:?}; {}",
                told(&left.id)
            );
            // The last digit of one of them is another one: that is an edit, and no other number comes of it.
            let at = usize::try_from(left.id.parse::<u64>().unwrap() % 1_000).unwrap();
            let (name, text, there) = if chance.percent(50) {
                ("plain", &numbers[at].0, "Plain")
            } else {
                ("typed", &numbers[at].1, "Typed")
            };
            let changed = other(text);
            let mut left = left.clone();
            let parsed =
                syncline::core::value::json::parse(changed.as_bytes(), &syncline::core::value::json::Limits::default());
            left.fields.insert(name.to_owned(), parsed.unwrap());
            let plan = road.plan(&left, Seen::Record(right), Some(&stored));
            assert_eq!(
                plan.writes.len(),
                1,
                "{text} became {changed}, which is not seen: {plan:?}; {}",
                told(text)
            );
            let json = syncline::core::value::json::to_string(&plan.writes[0].fields[there]);
            assert_eq!(canonical(&json), canonical(&changed), "{}", told(&changed));
            assert_eq!(
                plan.writes[0].fields.len(),
                1,
                "the other one is as it was: {plan:?}; {}",
                told(text)
            );
            edited += 1;
        }
    }
    store.close().await;
    assert!(arrived > refused, "{arrived} arrived, {refused} were refused");
    report(&format!(
        "{} numbers of up to 38 digits: {arrived} pairs arrived digit by digit and were not written again, {refused} were refused \
         for more digits than a decimal has, {edited} edits of a last digit were seen",
        budget.done() * 2 * BATCH as u64
    ));
}
