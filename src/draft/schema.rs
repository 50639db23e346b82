//! JSON Schema as descriptions use it: references followed, parts put together, cycles cut.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

/// References behind one another.
const HOPS_MAX: usize = 16;
/// `allOf` and its kin within one another.
const DEPTH_MAX: usize = 12;
/// How many schemas are looked at for one description: a hostile one refers to everything from everywhere.
const LOOKS_MAX: usize = 400_000;
/// How many values of an enumeration are told.
const OPTIONS_MAX: usize = 12;

/// The schemas of one description.
pub(super) struct Schemas<'a> {
    root: &'a Json,
    looks: Cell<usize>,
    elsewhere: RefCell<BTreeSet<String>>,
}

/// What a schema says, with everything that it refers to.
#[derive(Debug, Default, Clone)]
pub(super) struct Look<'a> {
    /// `string`, `integer`, `number`, `boolean`, `array`, `object`.
    pub(super) kind: Option<&'a str>,
    pub(super) format: Option<&'a str>,
    pub(super) properties: Vec<(&'a str, &'a Json)>,
    pub(super) required: BTreeSet<&'a str>,
    pub(super) items: Option<&'a Json>,
    pub(super) options: Vec<String>,
    pub(super) is_read_only: bool,
    pub(super) is_write_only: bool,
    /// Digits behind the point, where it says so.
    pub(super) scale: Option<u32>,
    pub(super) default: Option<&'a Json>,
    pub(super) minimum: Option<i64>,
    pub(super) maximum: Option<i64>,
}

impl Look<'_> {
    /// Whether it has members, as far as it says.
    pub(super) fn is_map(&self) -> bool {
        !self.properties.is_empty() || self.kind == Some("object")
    }

    pub(super) fn is_list(&self) -> bool {
        self.kind == Some("array") || (self.kind.is_none() && self.items.is_some())
    }

    /// The kind of value, as a connector's field says it.
    pub(super) fn field_kind(&self) -> String {
        let decimal = || {
            self.scale
                .map_or_else(|| "decimal".to_owned(), |scale| format!("decimal({scale})"))
        };
        match (self.kind, self.format) {
            (Some("string") | None, Some("date")) => "date".to_owned(),
            (_, Some("date-time" | "unix-time")) => "datetime".to_owned(),
            (Some("string"), Some("decimal" | "number" | "double" | "float")) | (Some("number"), _) => decimal(),
            (Some("string"), Some("int64" | "int32" | "integer")) | (Some("integer"), _) => "integer".to_owned(),
            (Some("string"), _) => "text".to_owned(),
            (Some("boolean"), _) => "boolean".to_owned(),
            (None, _) if !self.options.is_empty() => "text".to_owned(),
            _ if self.is_list() => "list".to_owned(),
            _ if self.is_map() => "map".to_owned(),
            _ => "any".to_owned(),
        }
    }
}

impl<'a> Schemas<'a> {
    pub(super) fn new(root: &'a Json) -> Self {
        Self {
            root,
            looks: Cell::new(0),
            elsewhere: RefCell::default(),
        }
    }

    /// Whether not everything was looked at, since there was too much.
    pub(super) fn is_cut(&self) -> bool {
        self.looks.get() > LOOKS_MAX
    }

    /// References to other files, which are not read.
    pub(super) fn elsewhere(&self) -> Vec<String> {
        self.elsewhere.borrow().iter().cloned().collect()
    }

    /// What stands there, or what is referred to there.
    pub(super) fn follow(&self, node: &'a Json) -> &'a Json {
        let mut node = node;
        for _ in 0..HOPS_MAX {
            let Some(reference) = node.get("$ref").and_then(Json::as_str) else {
                return node;
            };
            let target = reference.strip_prefix('#').and_then(|pointer| {
                let pointer = percent_decode_str(pointer).decode_utf8().ok()?;
                self.root.pointer(&pointer)
            });
            if let Some(target) = target {
                node = target;
            } else {
                let mut elsewhere = self.elsewhere.borrow_mut();
                if elsewhere.len() < 20 {
                    elsewhere.insert(super::one_line(reference));
                }
                return &Json::Null;
            }
        }
        &Json::Null
    }

    /// What a schema says.
    pub(super) fn look(&self, node: &'a Json) -> Look<'a> {
        let mut look = Look::default();
        self.absorb(node, &mut look, 0);
        look
    }

    fn absorb(&self, node: &'a Json, look: &mut Look<'a>, depth: usize) {
        self.looks.set(self.looks.get().saturating_add(1));
        if depth > DEPTH_MAX || self.is_cut() {
            return;
        }
        // What stands beside a reference counts as well (3.1).
        plain(node, look);
        let node = self.follow(node);
        plain(node, look);
        let parts = |key: &str| node.get(key).and_then(Json::as_array).into_iter().flatten();
        for part in parts("allOf") {
            self.absorb(part, look, depth + 1);
        }
        // Of alternatives, everything that one of them may have; their requirements are not those of the others.
        for part in parts("oneOf").chain(parts("anyOf")) {
            if part.get("type").and_then(Json::as_str) == Some("null") {
                continue;
            }
            let mut own = Look::default();
            self.absorb(part, &mut own, depth + 1);
            let is_other = look.kind.is_some() && own.kind.is_some() && look.kind != own.kind;
            if is_other && !look.is_map() {
                continue;
            }
            look.kind = look.kind.or(own.kind);
            look.format = look.format.or(own.format);
            look.items = look.items.or(own.items);
            own.options
                .into_iter()
                .for_each(|option| add(&mut look.options, option));
            for (name, property) in own.properties {
                if look.properties.iter().all(|(known, _)| *known != name) {
                    look.properties.push((name, property));
                }
            }
        }
    }
}

/// What a schema says itself.
fn plain<'a>(node: &'a Json, look: &mut Look<'a>) {
    let text = |key: &str| node.get(key).and_then(Json::as_str);
    let is_true = |key: &str| node.get(key).and_then(Json::as_bool) == Some(true);
    let kind = match node.get("type") {
        Some(Json::String(kind)) => Some(kind.as_str()),
        Some(Json::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Json::as_str).filter(|kind| *kind != "null");
            kinds.next().filter(|_| kinds.next().is_none())
        }
        _ => None,
    };
    look.kind = look.kind.or(kind);
    look.format = look.format.or_else(|| text("format"));
    look.items = look
        .items
        .or_else(|| node.get("items").filter(|items| items.is_object()));
    look.is_read_only |= is_true("readOnly");
    look.is_write_only |= is_true("writeOnly");
    look.default = look.default.or_else(|| node.get("default"));
    look.minimum = look.minimum.or_else(|| node.get("minimum").and_then(Json::as_i64));
    look.maximum = look.maximum.or_else(|| node.get("maximum").and_then(Json::as_i64));
    look.scale = look.scale.or_else(|| scale(node.get("multipleOf")?));
    for option in node.get("enum").and_then(Json::as_array).into_iter().flatten() {
        if let Json::String(option) = option {
            add(&mut look.options, option.clone());
        }
    }
    for name in node.get("required").and_then(Json::as_array).into_iter().flatten() {
        look.required.extend(name.as_str());
    }
    for (name, property) in node.get("properties").and_then(Json::as_object).into_iter().flatten() {
        if look.properties.iter().all(|(known, _)| known != name) {
            look.properties.push((name, property));
        }
    }
}

fn add(options: &mut Vec<String>, option: String) {
    if options.len() < OPTIONS_MAX && !options.contains(&option) {
        options.push(option);
    }
}

/// `0.01` has two digits behind the point.
fn scale(step: &Json) -> Option<u32> {
    let text = step.as_f64()?.to_string();
    let digits = text.strip_prefix("0.")?;
    let is_step = digits.trim_start_matches('0') == "1";
    is_step
        .then(|| u32::try_from(digits.len()).ok())
        .flatten()
        .filter(|digits| *digits <= 12)
}
