//! The laws of a field pair for every mapping that is shipped, with the kinds that its connectors declare: what is put comes back,
//! up to the way its field is compared, and putting it again changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path as FilePath,
    sync::Arc,
};

use serde_json::json;
use syncline::{
    catalog::load::{Catalog, Loaded, Sources, SystemDecl},
    core::{
        connector::{Object, form::Access},
        diff::{Decision, Reason, Verdict},
        mapping::{Convert, Field, Flow, Mapping},
        path::Path,
        plan::{self, Plan},
        record::{Link, Record, Seen},
        status::Side,
        value::{Map, Value, compare::Compare, kind::Kind, lay_over, spelling::Spelling},
    },
};

use super::{link_among, plan_among, record};
use crate::support::rig::{Budget, Chance, report};

/// The systems that shipped mappings are between: the connector of each, and the credentials it asks for.
const SYSTEMS: [(&str, &str, &[&str]); 4] = [
    ("erp", "sandbox-erp", &["api_key"]),
    ("crm", "sandbox-crm", &["client_id", "client_secret"]),
    ("tryton", "tryton", &["user", "password"]),
    ("odata", "cap-odata", &["user", "password"]),
];

/// What texts say: empty ones, spellings that some comparisons take for one, and what filters ask for.
const TEXTS: [&str; 14] = [
    "",
    "  ",
    "Ana Ltda",
    " ana  ltda",
    "ANA LTDA",
    "0012",
    "1.50",
    "ß SS ſ",
    "Sa\u{303}o Paulo",
    "BR 12.345.678/0001-95",
    "+55 (0) 11 4002-8922",
    "Compras@ana.example",
    "customer",
    "none",
];

fn root() -> &'static FilePath {
    FilePath::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped() -> Loaded {
    let declare = |(name, connector, credentials): (&str, &str, &[&str])| {
        let mut settings = BTreeMap::from([("base_url".to_owned(), "http://127.0.0.1:1".into())]);
        if name == "tryton" {
            settings.insert("database".to_owned(), "erp".into());
        }
        let declared = SystemDecl {
            connector: connector.to_owned(),
            settings,
            credentials: credentials.iter().map(|name| (*name).to_owned()).collect(),
            webhook_secrets: usize::from(connector.starts_with("sandbox")),
            origin: "the test".to_owned(),
            ..SystemDecl::default()
        };
        (name.to_owned(), declared)
    };
    Catalog::load(&Sources {
        connectors_dir: &root().join("connectors"),
        mappings_dir: &root().join("mappings"),
        systems: &SYSTEMS.map(declare).into(),
    })
}

/// The names of the mappings whose files are shipped.
fn names() -> BTreeSet<String> {
    let files = std::fs::read_dir(root().join("mappings")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let name = |file: String| {
        file.strip_suffix(".yaml")
            .filter(|name| !name.contains('.'))
            .map(str::to_owned)
    };
    names.filter_map(name).collect()
}

/// The links of every mapping that another one refers to.
type Links = BTreeMap<(String, Side, String), String>;

fn links(mapping: &Mapping) -> Links {
    let pairs = mapping
        .references()
        .flat_map(|name| (1..=4).map(move |number| (name, number)));
    pairs
        .flat_map(|(name, number)| {
            let (left, right) = (format!("{number}"), format!("REF-{number}"));
            [
                ((name.to_owned(), Side::Left, left.clone()), right.clone()),
                ((name.to_owned(), Side::Right, right), left),
            ]
        })
        .collect()
}

/// A value of a kind, sometimes none.
fn value(kind: Kind, chance: &mut Chance) -> Value {
    let number = chance.below(100_000);
    let read = |json: serde_json::Value| kind.read(&Value::from(json), &Spelling::default()).unwrap();
    if chance.percent(15) {
        return Value::Null;
    }
    match kind {
        Kind::Any | Kind::Text | Kind::List | Kind::Map => Value::from(*chance.pick(&TEXTS)),
        Kind::Integer => read(json!(number % 10)),
        // More digits than the systems keep: what is beyond them does not count.
        Kind::Decimal { .. } => read(json!(format!("{}.{:04}", number / 100, number % 10_000))),
        Kind::Boolean => Value::Bool(number.is_multiple_of(2)),
        Kind::Date => read(json!(format!(
            "20{:02}-{:02}-{:02}",
            number % 40,
            1 + number % 12,
            1 + number % 28
        ))),
        Kind::DateTime { .. } => {
            let zone = *chance.pick(&["Z", "+02:00", "-03:30"]);
            read(json!(format!(
                "2026-{:02}-{:02}T{:02}:30:00{zone}",
                1 + number % 12,
                1 + number % 28,
                number % 24
            )))
        }
    }
}

/// A value that a pair may find on a side.
fn value_of(field: &Field, side: Side, chance: &mut Chance) -> Value {
    match &field.convert {
        Convert::Values { tables, .. } if !chance.percent(10) => {
            let keys: Vec<&String> = tables.get(side).keys().collect();
            Value::from(chance.pick(&keys).as_str())
        }
        Convert::Link { .. } if !chance.percent(10) => {
            let number = 1 + chance.below(4);
            match side {
                Side::Left => Value::from(number.to_string()),
                Side::Right => Value::from(format!("REF-{number}")),
            }
        }
        Convert::Values { .. } | Convert::Link { .. } => Value::Null,
        _ => value(*field.kinds.get(side), chance),
    }
}

/// A record with all that its connector declares and its mapping names. It may be outside of the mapping's filter.
fn anything(mapping: &Mapping, object: &Object, side: Side, chance: &mut Chance) -> Record {
    let mut drawn = record(if side == Side::Left { "1" } else { "2" }, json!({}));
    for field in object.fields.iter().filter(|field| field.access != Access::ReadOnly) {
        let value = value(field.kind, chance);
        field.path.set_in(&mut drawn.fields, value).unwrap();
    }
    for field in &mapping.fields {
        if let Some(path) = field.paths.get(side) {
            path.set_in(&mut drawn.fields, value_of(field, side, chance)).unwrap();
        }
    }
    drawn
}

/// A record that takes part.
fn partaker(mapping: &Mapping, object: &Object, side: Side, chance: &mut Chance) -> Record {
    for _ in 0..10_000 {
        let drawn = anything(mapping, object, side, chance);
        if plan::passes(mapping, side, &drawn).unwrap() {
            return drawn;
        }
    }
    panic!("no record passes the filter of `{}`", mapping.name)
}

/// A record after what a plan writes to it: as its connector spells the values, and as they are read again.
fn apply(plan: &Plan, mapping: &Mapping, side: Side, to: &Record) -> Record {
    let mut record = to.clone();
    for write in plan.writes.iter().filter(|write| write.to == side) {
        let mut written = write.fields.clone();
        for field in &mapping.fields {
            let Some(path) = field.paths.get(side) else { continue };
            let spelled = path
                .get_in(&written)
                .map(|value| field.kinds.get(side).write(value, &Spelling::default()));
            if let Some(spelled) = spelled {
                path.set_in(&mut written, spelled).unwrap();
            }
        }
        lay_over(&mut record.fields, &written);
    }
    record
}

/// That nothing is left to be written, and all is equal but for empty values that are not to travel.
fn is_settled(plan: &Plan) -> bool {
    let is_meant = |reason: &Reason| matches!(reason, Reason::EmptyKept(_));
    let is_right = |decision: &Decision| match decision.verdict {
        Verdict::Equal => true,
        Verdict::Kept => is_meant(&decision.reason),
        _ => false,
    };
    plan.writes.is_empty() && plan.faults.is_empty() && plan.decisions.iter().all(is_right)
}

/// The fields whose values travel as they are and are compared to the last character: there and back they are the very same.
fn literal(mapping: &Mapping) -> impl Iterator<Item = (&Field, [&Path; 2])> {
    mapping.fields.iter().filter_map(|field| {
        let is_text = [field.kinds.left, field.kinds.right]
            .iter()
            .all(|kind| matches!(kind, Kind::Text | Kind::Any));
        let is_literal = matches!(field.convert, Convert::Copy) && field.compare == Compare::Exact && is_text;
        let paths = field.paths.left.as_ref().zip(field.paths.right.as_ref())?;
        is_literal.then_some((field, [paths.0, paths.1]))
    })
}

fn text<'r>(fields: &'r Map, path: &Path) -> Option<&'r str> {
    path.get_in(fields)
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
}

#[test]
fn what_was_put_by_a_shipped_mapping_comes_back_and_nothing_is_put_twice() {
    let loaded = shipped();
    assert!(loaded.is_ok(), "{:?}", loaded.diagnostics);
    let catalog = loaded.catalog;
    let mappings: Vec<&Arc<Mapping>> = catalog.mappings.values().collect();
    let known: BTreeSet<String> = catalog.mappings.keys().cloned().collect();
    assert_eq!(known, names(), "declare the systems of a new mapping in this test");
    let mut budget = Budget::new(300, 3_000_000);
    let mut chance = budget.chance();
    let mut edits = 0_u64;
    while budget.goes_on() {
        let mapping = *chance.pick(&mappings);
        let links = links(mapping);
        let objects = [Side::Left, Side::Right].map(|side| catalog.object(mapping.end(side)).unwrap());
        let planned = |left: &Record, right: &Record, link: Option<&Link>| {
            plan_among(mapping, &links, Seen::Record(left), Seen::Record(right), link)
        };
        let left = partaker(mapping, objects[0], Side::Left, &mut chance);
        let made = plan_among(mapping, &links, Seen::Record(&left), Seen::Gone, None);
        assert!(made.faults.is_empty(), "{made:#?} {left:?}; {}", budget.replay());
        let right = apply(&made, mapping, Side::Right, &record("2", json!({})));
        let told = || format!("`{}` {left:?} {right:?}; {}", mapping.name, budget.replay());
        let again = planned(&left, &right, None);
        assert!(is_settled(&again), "{again:#?} {}", told());
        for (field, [there, here]) in literal(mapping).filter(|(field, _)| field.flow.reaches(Side::Right)) {
            assert_eq!(
                text(&left.fields, there),
                text(&right.fields, here),
                "{} {}",
                field.name,
                told()
            );
        }
        // Somebody edits the other side; what goes one way only is put back there.
        let link = link_among(mapping, &links, &left, &right);
        let edited = partaker(mapping, objects[1], Side::Right, &mut chance);
        let back = planned(&left, &edited, Some(&link));
        assert!(back.faults.is_empty(), "{back:#?} {edited:?} {}", told());
        edits += back.writes.len() as u64;
        let (now, edited) = (
            apply(&back, mapping, Side::Left, &left),
            apply(&back, mapping, Side::Right, &edited),
        );
        let after = planned(&now, &edited, Some(&link));
        let is_outside = !plan::passes(mapping, Side::Left, &now).unwrap();
        assert!(is_outside || is_settled(&after), "{after:#?} {edited:?} {}", told());
        let both = |field: &Field| field.flow == Flow::Both && field.wins.is_none();
        for (field, [there, here]) in literal(mapping).filter(|(field, _)| both(field)) {
            let given = text(&edited.fields, here);
            let is_back = given.is_none() || given == text(&now.fields, there);
            assert!(is_back, "{} of {edited:?} became {now:?}; {}", field.name, told());
        }
    }
    assert!(edits > budget.done(), "most edits travel: {edits}");
    report(&format!(
        "{} records there and back by {} mappings, {edits} writes back",
        budget.done(),
        mappings.len()
    ));
}
