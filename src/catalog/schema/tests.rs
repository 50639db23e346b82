use std::{
    fs,
    path::{Path, PathBuf},
};

use super::*;
use crate::catalog::{decode::decode, yaml::Document};
use crate::core::{
    connector::Connector,
    mapping::{Mapping, known::Known},
    problem::{Problem, Problems},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_committed_schemas_are_those_of_the_code() {
    for (name, expected) in all() {
        let file = root().join("schemas").join(name);
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            committed == expected,
            "schemas/{name} is not what the code says: run `cargo run -- schema --write schemas` and commit the change"
        );
    }
}

/// A file's content and the schema it has to fit.
struct Sample {
    name: String,
    value: Json,
    schema: &'static str,
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    files
}

/// The shipped files and the schema that each has to fit.
fn shipped() -> Vec<(PathBuf, &'static str)> {
    let schema = |path: &Path| {
        let name = path.to_string_lossy();
        let is_connector = name.contains("connectors/");
        if name.ends_with(".test.yaml") {
            if is_connector {
                "connector-test.schema.json"
            } else {
                "mapping-test.schema.json"
            }
        } else if is_connector {
            "connector.schema.json"
        } else {
            "mapping.schema.json"
        }
    };
    let files = ["connectors", "mappings"].into_iter().flat_map(yaml_files);
    files.map(|path| (path.clone(), schema(&path))).collect()
}

/// The YAML blocks of the reference pages, each as a whole file.
///
/// A block that does not begin a file is a part of one: of the top, or of what a first line such as
/// `# under objects.account:` names.
fn documented() -> Vec<Sample> {
    let connector = "{connector: c, settings: {base_url: {type: url}}, credentials: [user, password, token, key, app, private_key, consumer_key, consumer_secret, token_secret, certificate],
        base_url: '{{ settings.base_url }}', objects: {account: {id: id, get: {get: '/{{ id }}'}}}}";
    let mapping = "{mapping: m, between: {erp: customer, crm: account}, prefer: erp, create: {crm: yes},
        fields: [{erp: name, crm: Name}]}";
    let pages = [
        ("docs/connectors.md", "connector.schema.json", connector),
        ("docs/mappings.md", "mapping.schema.json", mapping),
    ];
    let mut samples = Vec::new();
    for (page, schema, rest) in pages {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for (index, block) in text.split("```yaml\n").skip(1).enumerate() {
            let block = block.split("```").next().unwrap();
            let name = format!("{page}, block {}", index + 1);
            let value = value(&name, block);
            let cases = if value.is_array() {
                Some("mapping-test.schema.json")
            } else {
                value.get("cases").map(|_| "connector-test.schema.json")
            };
            let overlay = value.get("extends").map(|_| {
                if schema.starts_with("connector") {
                    "connector-overlay.schema.json"
                } else {
                    "mapping-overlay.schema.json"
                }
            });
            let other = cases.or(overlay);
            let is_whole = other.is_some() || value.get("connector").is_some() || value.get("mapping").is_some();
            samples.push(Sample {
                schema: other.unwrap_or(schema),
                value: if is_whole {
                    value
                } else {
                    completed(self::value(page, rest), block, &value)
                },
                name,
            });
        }
    }
    samples
}

fn completed(mut whole: Json, block: &str, part: &Json) -> Json {
    let place = block
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# under ")?.strip_suffix(':'));
    let pointer = place.map_or_else(String::new, |place| format!("/{}", place.replace('.', "/")));
    let target = whole.pointer_mut(&pointer).unwrap().as_object_mut().unwrap();
    target.extend(part.as_object().unwrap().clone());
    whole
}

fn value(name: &str, text: &str) -> Json {
    let document = Document::read(text.as_bytes());
    assert!(document.flaws.is_empty(), "{name}: {:?}", document.flaws);
    let mut problems = Problems::new();
    let value = decode(&document.body.unwrap(), &mut problems);
    value.unwrap_or_else(|| panic!("{name}: {:?}", problems.into_vec()))
}

#[test]
fn shipped_files_and_documented_examples_fit_their_schemas() {
    let shipped = shipped().into_iter().map(|(path, schema)| {
        let name = path.display().to_string();
        let value = value(&name, &fs::read_to_string(&path).unwrap());
        Sample { name, value, schema }
    });
    let samples: Vec<Sample> = shipped.chain(documented()).collect();
    assert!(samples.len() > 8, "only {} samples", samples.len());
    for (name, schema) in all() {
        let schema: Json = serde_json::from_str(&schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for sample in samples.iter().filter(|sample| sample.schema == name) {
            let errors: Vec<String> = validator
                .iter_errors(&sample.value)
                .map(|error| format!("{} at {}", error, error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", sample.name);
        }
    }
}

/// What compiling says about a file; cases have nothing to compile.
fn compiled(sample: &Sample) -> Vec<Problem> {
    let mut problems = Problems::new();
    match sample.schema {
        "connector.schema.json" => {
            let form = form(sample);
            let _ = Connector::compile(&form, &mut problems);
        }
        "mapping.schema.json" => {
            let form = form(sample);
            let _ = Mapping::compile(&form, &Known::default(), &mut problems);
        }
        _ => {}
    }
    problems.into_vec()
}

/// JSON is YAML, so that a completed part is read like a file; only `yes` and `no` lose their meaning between quotes.
fn form<T: serde::de::DeserializeOwned>(sample: &Sample) -> T {
    let text = sample
        .value
        .to_string()
        .replace(":\"yes\"", ":true")
        .replace(":\"no\"", ":false");
    let document = Document::read(text.as_bytes());
    let mut problems = Problems::new();
    let form = decode(&document.body.unwrap(), &mut problems);
    form.unwrap_or_else(|| panic!("{}: {:?}", sample.name, problems.into_vec()))
}

#[test]
fn documented_examples_mean_something() {
    for sample in documented() {
        let problems = compiled(&sample);
        assert!(problems.is_empty(), "{}: {problems:#?}\n{}", sample.name, sample.value);
    }
}

/// The keys under `schema` that say nothing about themselves; an alternative may speak for its only key.
fn undescribed(schema: &Json, at: &str, found: &mut Vec<String>) {
    let Some(members) = schema.as_object() else {
        if let Some(items) = schema.as_array() {
            for (index, item) in items.iter().enumerate() {
                undescribed(item, &format!("{at}/{index}"), found);
            }
        }
        return;
    };
    let is_described = members.contains_key("description");
    if let Some(properties) = members.get("properties").and_then(Json::as_object) {
        for (name, property) in properties {
            let says = property.get("description").is_some() || (is_described && properties.len() == 1);
            if !says {
                found.push(format!("{at}/{name}"));
            }
            undescribed(property, &format!("{at}/{name}"), found);
        }
    }
    for (name, member) in members.iter().filter(|(name, _)| *name != "properties") {
        undescribed(member, &format!("{at}/{name}"), found);
    }
}

#[test]
fn every_key_that_an_editor_offers_is_described() {
    for (name, schema) in all() {
        let mut found = Vec::new();
        undescribed(&serde_json::from_str(&schema).unwrap(), "", &mut found);
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn every_shipped_file_names_its_schema() {
    for (path, schema) in shipped() {
        let line = format!("# yaml-language-server: $schema=../schemas/{schema}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with(&line),
            "{} does not begin with `{line}`",
            path.display()
        );
    }
}

#[test]
fn an_overlay_may_take_away_and_add_and_nothing_else_is_let_in() {
    let schema: Json = serde_json::from_str(&mapping_overlay()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let right = json!({
        "extends": "m", "poll": { "a": null }, "title": { "add": " of us" },
        "fields": [{ "a": "p", "compare": "email" }, { "a": "q", "b": "r", "remove": "yes" }],
    });
    assert!(validator.is_valid(&right));
    for (key, value) in [
        ("extends", json!(5)),
        ("mapping", json!("m")),
        ("feilds", json!([])),
        ("title", json!({ "ad": "x" })),
    ] {
        let mut wrong = right.clone();
        wrong[key] = value;
        assert!(!validator.is_valid(&wrong), "{key}");
    }
}

#[test]
fn a_misspelt_key_and_a_wrong_type_do_not_fit_the_schema() {
    let schema: Json = serde_json::from_str(&mapping()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let right = json!({
        "mapping": "m", "between": { "a": "x", "b": "y" }, "create": { "a": "yes" },
        "fields": [{ "a": "p", "b": "q", "sensitive": "yes" }],
    });
    assert!(validator.is_valid(&right));
    for (pointer, value) in [
        ("/fields/0/sensitive", json!("maybe")),
        ("/fields/0/a", json!(5)),
        ("/create/a", json!("perhaps")),
        ("/between/a", json!([])),
    ] {
        let mut wrong = right.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        assert!(!validator.is_valid(&wrong), "{pointer}");
    }
    let mut misspelt = right;
    misspelt["direktion"] = json!("both");
    assert!(!validator.is_valid(&misspelt));
}
