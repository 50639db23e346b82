//! The fields of an object, as a description has them.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{
    Draft, at, guess,
    name::folded,
    schema::{Look, Schemas},
};
pub use crate::core::connector::discover::Described;
use crate::core::{
    connector::form::{Access, FieldForm, ObjectForm},
    path::{Path, Segment},
    problem::pointer,
};

/// How many fields of one object are told.
const FIELDS_MAX: usize = 400;
/// Members of members that are fields of their own.
const DEPTH_MAX: usize = 2;

/// The fields of a record with this schema, in the order of the description. `create` and `update` are the schemas of what is
/// sent, where they are known: what is in neither cannot be written.
pub(super) fn read<'a>(
    schemas: &Schemas<'a>,
    record: &'a Json,
    create: Option<&'a Json>,
    update: Option<&'a Json>,
) -> Vec<Described> {
    let mut fields = Vec::new();
    flatten(schemas, record, Road::Read, &mut Vec::new(), &mut fields);
    let sent = |schema: Option<&'a Json>| {
        let mut sent = Vec::new();
        flatten(schemas, schema?, Road::Sent, &mut Vec::new(), &mut sent);
        (!sent.is_empty()).then_some(sent)
    };
    let (create, update) = (sent(create), sent(update));
    let paths = |fields: &Option<Vec<Described>>| {
        let fields = fields.as_ref()?;
        Some(
            fields
                .iter()
                .map(|field| field.path.clone())
                .collect::<BTreeSet<String>>(),
        )
    };
    let (creatable, updatable) = (paths(&create), paths(&update));
    let required = create.iter().flatten().filter(|field| field.is_required);
    let required: BTreeSet<String> = required.map(|field| field.path.clone()).collect();
    for field in &mut fields {
        let is_in = |paths: &Option<BTreeSet<String>>| paths.as_ref().map(|paths| is_or_holds(paths, &field.path));
        match (is_in(&creatable), is_in(&updatable)) {
            (Some(false), Some(false) | None) | (None, Some(false)) => field.is_read_only = true,
            (Some(true), Some(false)) => field.is_create_only = true,
            _ => {}
        }
        field.is_required = required.contains(&field.path);
    }
    fields
}

/// Whether a path, one around it or one inside of it is among these.
fn is_or_holds(paths: &BTreeSet<String>, path: &str) -> bool {
    paths.iter().any(|known| {
        let is_inside = |outer: &str, inner: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        is_inside(known, path) || is_inside(path, known)
    })
}

/// Which way a record goes: some members are only sent, and others only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Road {
    Read,
    Sent,
}

fn flatten<'a>(
    schemas: &Schemas<'a>,
    node: &'a Json,
    road: Road,
    above: &mut Vec<Segment>,
    fields: &mut Vec<Described>,
) {
    let look = schemas.look(node);
    for (name, property) in &look.properties {
        if fields.len() >= FIELDS_MAX {
            return;
        }
        let own = schemas.look(property);
        if (own.is_write_only && road == Road::Read) || (own.is_read_only && road == Road::Sent) {
            continue;
        }
        above.push(Segment::Key((*name).into()));
        let is_nested = own.is_map() && !own.properties.is_empty() && !own.is_list() && above.len() < DEPTH_MAX;
        if is_nested {
            flatten(schemas, property, road, above, fields);
        } else {
            let path = Path::of(above.clone()).to_string();
            // What a path cannot say is no field of ours.
            if Path::parse(&path).is_ok() {
                fields.push(described(path, &own, look.required.contains(name)));
            }
        }
        above.pop();
    }
}

fn described(path: String, look: &Look<'_>, is_required: bool) -> Described {
    Described {
        path,
        kind: look.field_kind(),
        is_read_only: look.is_read_only,
        is_create_only: false,
        is_required,
        options: look.options.clone(),
        is_epoch: look.format == Some("unix-time"),
    }
}

/// Puts the fields into an object of the draft, with what is worth a comment.
pub(super) fn put(draft: &mut Draft, object: &str, form: &mut ObjectForm, fields: &[Described]) {
    for field in fields {
        let access = match (field.is_read_only, field.is_create_only) {
            (true, _) => Access::ReadOnly,
            (false, true) => Access::CreateOnly,
            (false, false) => Access::ReadWrite,
        };
        let last = field.path.rsplit('.').next().unwrap_or(&field.path);
        let is_text = matches!(field.kind.as_str(), "text" | "date" | "any" | "map");
        let described = FieldForm {
            kind: Some(field.kind.clone()),
            access,
            sensitive: is_text && guess::is_personal(last),
            ..FieldForm::default()
        };
        form.fields.insert(field.path.clone(), described);
        let mut words = Vec::new();
        if field.is_required && access != Access::ReadOnly {
            words.push("required for a new record".to_owned());
        }
        if !field.options.is_empty() {
            words.push(format!("one of: {}", field.options.join(", ")));
        }
        if !words.is_empty() {
            draft.remark(pointer(&at(object, "fields"), &field.path), words.join("; "));
        }
    }
}

/// The field with this name among those at the top of a record.
pub(super) fn named<'f>(fields: &'f [Described], name: &str) -> Option<&'f Described> {
    let wanted = folded(name);
    fields
        .iter()
        .find(|field| folded(&field.path) == wanted && !field.path.contains('.'))
}
