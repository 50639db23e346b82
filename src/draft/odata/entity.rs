//! An entity set as an object of the file.

use serde_json::{Map, Value as Json};

use super::model::{Entity, Model, Property, Set};
use crate::{
    core::{
        connector::form::{
            FindForm, ListForm, ObjectForm, OperationForm, PageForm, SendForm, SettingForm, SettingKind, SpellingForm,
            TypesForm,
        },
        path::Path,
    },
    draft::{
        Described, Draft, at, field,
        guess::{self, List},
        name,
    },
};

/// Members of members that are fields of their own.
const DEPTH_MAX: usize = 2;
/// How many fields of one object are told.
const FIELDS_MAX: usize = 400;
/// Records a page.
const PAGE_SIZE: u64 = 200;

/// How values are spelled.
pub(super) fn types(model: &Model) -> TypesForm {
    if !model.is_v2() {
        return TypesForm::default();
    }
    // `/Date(1492098664000+0000)/`, and decimals as texts.
    let read = "{{ ((raw | strip_prefix('/Date(') | strip_suffix(')/') | split('+'))[0] | integer | from_epoch_millis) if '/Date(' in raw else raw }}";
    TypesForm {
        zone: Some("UTC".to_owned()),
        decimal: Some(SpellingForm {
            format: Some("text".to_owned()),
            ..SpellingForm::default()
        }),
        datetime: Some(SpellingForm {
            format: Some("rfc3339".to_owned()),
            read: Some(read.to_owned()),
            write: Some("{{ '/Date(' ~ (value | epoch_millis) ~ ')/' }}".into()),
        }),
        ..TypesForm::default()
    }
}

/// The fields of a set.
pub(super) fn fields(model: &Model, set: &Set) -> Vec<Described> {
    let mut fields = Vec::new();
    if let Some(entity) = model.entity(set) {
        flatten(model, &entity, "", 1, &mut fields);
    }
    fields
}

fn flatten(model: &Model, entity: &Entity, above: &str, depth: usize, fields: &mut Vec<Described>) {
    for property in &entity.properties {
        if fields.len() >= FIELDS_MAX {
            return;
        }
        let own = Path::of_key(&property.name).to_string();
        let path = if above.is_empty() {
            own
        } else {
            format!("{above}.{own}")
        };
        let complex = model
            .complex(&property.kind)
            .filter(|complex| !complex.properties.is_empty() && depth < DEPTH_MAX);
        if let Some(complex) = complex {
            flatten(model, &complex, &path, depth + 1, fields);
            continue;
        }
        let Some(kind) = kind(model, property) else { continue };
        let is_key = depth == 1 && entity.keys.contains(&property.name);
        fields.push(Described {
            path,
            kind,
            is_read_only: property.is_computed,
            is_create_only: property.is_immutable || is_key,
            is_required: depth == 1 && !property.is_nullable && !property.has_default && !property.is_computed,
            options: model.options(&property.kind).cloned().unwrap_or_default(),
            is_epoch: false,
        });
    }
}

/// The kind of a member; none where it is no value of a record.
fn kind(model: &Model, property: &Property) -> Option<String> {
    let kind = property.kind.as_str();
    let known = match kind.strip_prefix("Edm.") {
        Some("String" | "Guid" | "TimeOfDay" | "Time" | "Duration" | "Binary") => "text",
        Some("Int16" | "Int32" | "Int64" | "Byte" | "SByte") => "integer",
        Some("Decimal") => {
            return Some(
                property
                    .scale
                    .map_or_else(|| "decimal".to_owned(), |scale| format!("decimal({scale})")),
            );
        }
        Some("Double" | "Single") => "decimal",
        Some("Boolean") => "boolean",
        Some("Date") => "date",
        Some("DateTimeOffset" | "DateTime") => "datetime",
        Some("Stream") => return None,
        Some(_) => "any",
        None if kind.starts_with("Collection(") => "list",
        None if model.options(kind).is_some() => "text",
        None => "map",
    };
    Some(known.to_owned())
}

/// Puts a set into the draft.
pub(super) fn add(draft: &mut Draft, model: &Model, set: &Set) {
    let Some(entity) = model.entity(set) else { return };
    let name = name::free(&name::object(&set.name), |name| !draft.form.objects.contains_key(name));
    let all = fields(model, set);
    let mut form = ObjectForm {
        title: Some(name::title(&set.name)),
        id: entity
            .keys
            .iter()
            .map(|key| Path::of_key(key).to_string())
            .collect::<Vec<_>>()
            .join(", "),
        ..ObjectForm::default()
    };
    field::put(draft, &name, &mut form, &all);
    let updated = updated_at(draft, &name, &all);
    form.updated_at.clone_from(&updated);
    if model.is_guarded(set, &entity) {
        form.version = Some(
            if model.is_v2() {
                "__metadata.etag"
            } else {
                "@odata.etag"
            }
            .to_owned(),
        );
    }
    form.list = Some(list(draft, model, set, &entity, updated.as_deref()));
    form.find = find(model, set, &all, &form.id);
    if form.find.is_none() {
        draft.check(
            at(&name, "find"),
            "no field looks like one to match by: `find: { …, fields: [ … ] }` as that of another object",
        );
    }
    match single(model, set, &entity) {
        Some(path) => operations(model, set, &path, &mut form),
        None => draft.check(
            at(&name, "get"),
            "the address of one record is not known for a key of this type",
        ),
    }
    draft.form.objects.insert(name, form);
}

/// What is done with one record, at this path.
fn operations(model: &Model, set: &Set, path: &str, form: &mut ObjectForm) {
    let record = model.is_v2().then(|| "d".to_owned());
    let guarded = OperationForm {
        if_match: form.version.as_ref().map(|_| "If-Match".to_owned()),
        ..OperationForm::default()
    };
    form.get = Some(OperationForm {
        get: Some(path.to_owned()),
        record: record.clone(),
        ..OperationForm::default()
    });
    if model.allows(set, "Insertable", "creatable") {
        form.create = Some(OperationForm {
            post: Some(format!("/{}", set.name)),
            body: Some("{{ record }}".into()),
            record,
            ..OperationForm::default()
        });
    }
    if model.allows(set, "Updatable", "updatable") {
        form.update = Some(OperationForm {
            patch: Some(path.to_owned()),
            body: Some("{{ changes }}".into()),
            ..guarded.clone()
        });
    }
    if model.allows(set, "Deletable", "deletable") {
        form.delete = Some(OperationForm {
            delete: Some(path.to_owned()),
            ..guarded
        });
    }
}

fn updated_at(draft: &mut Draft, object: &str, fields: &[Described]) -> Option<String> {
    let times = fields
        .iter()
        .filter(|field| matches!(field.kind.as_str(), "datetime" | "date"));
    let found = guess::best(List::Changed, times.map(|field| field.path.as_str())).map(str::to_owned);
    let looser = || {
        let mut times = fields.iter().filter(|field| field.kind == "datetime");
        let named = |field: &&Described| {
            let folded = name::folded(&field.path);
            ["modif", "updat", "chang"].iter().any(|part| folded.contains(part))
        };
        times.find(named).map(|field| field.path.clone())
    };
    let found = found.or_else(looser);
    if found.is_none() {
        draft.check(
            at(object, "updated_at"),
            "no field is known to be the time of the last change: without it a poll reads everything",
        );
    }
    found
}

fn list(draft: &mut Draft, model: &Model, set: &Set, entity: &Entity, updated: Option<&str>) -> ListForm {
    let mut query = Map::new();
    if let Some(path) = updated {
        let column = path.replace('.', "/");
        let kind = entity
            .properties
            .iter()
            .find(|property| property.name == path)
            .map_or("", |property| property.kind.as_str());
        let filter = match (model.is_v2(), kind) {
            (true, "Edm.DateTimeOffset") => format!("{column} ge datetimeoffset'{{{{ since }}}}'"),
            (true, _) => format!("{column} ge datetime'{{{{ since }}}}'"),
            (false, _) => format!("{column} ge {{{{ since }}}}"),
        };
        query.insert("$filter".to_owned(), filter.into());
    }
    query.insert("$orderby".to_owned(), entity.keys.join(",").into());
    let mut form = ListForm {
        get: Some(format!("/{}", set.name)),
        ..ListForm::default()
    };
    let since = updated.and_then(|path| entity.properties.iter().find(|property| property.name == path));
    if model.is_v2() {
        query.insert("$top".to_owned(), "{{ page.size }}".into());
        query.insert("$inlinecount".to_owned(), "allpages".into());
        form.records = Some("d.results".to_owned());
        form.since_format = since
            .filter(|property| property.kind == "Edm.DateTime")
            .map(|_| "%Y-%m-%dT%H:%M:%S".to_owned());
        form.since_format = form
            .since_format
            .or_else(|| since.map(|_| "%Y-%m-%dT%H:%M:%SZ".to_owned()));
        let setting = SettingForm {
            kind: SettingKind::Integer,
            default: Some(PAGE_SIZE.into()),
            title: Some("Records a page".to_owned()),
        };
        draft.form.settings.insert("page_size".to_owned(), setting);
        form.page = Some(PageForm {
            offset: Some(0),
            send: SendForm {
                query: Some("$skip".to_owned()),
                header: None,
            },
            size: Some("{{ settings.page_size }}".into()),
            total: Some("d.__count".to_owned()),
            ..PageForm::default()
        });
    } else {
        query.insert("$count".to_owned(), "true".into());
        form.records = Some("value".to_owned());
        form.since_format = since
            .filter(|property| property.kind == "Edm.Date")
            .map(|_| "%Y-%m-%d".to_owned());
        form.page = Some(PageForm {
            next_url: Some("@odata.nextLink".to_owned()),
            total: Some("@odata.count".to_owned()),
            ..PageForm::default()
        });
    }
    form.query = query;
    form
}

fn find(model: &Model, set: &Set, fields: &[Described], id: &str) -> Option<FindForm> {
    let ranked = fields
        .iter()
        .filter(|field| field.kind == "text" && field.path != id && field.options.is_empty())
        .filter_map(|field| {
            let folded = name::folded(&field.path);
            let rank = guess::rank(List::Match, &field.path)
                .or_else(|| folded.ends_with("number").then_some(50))
                .or_else(|| folded.ends_with("code").then_some(60))?;
            Some((rank, field.path.clone()))
        });
    let mut ranked: Vec<(usize, String)> = ranked
        .filter(|(_, path)| !path.contains(['.', '[']) && !path.contains('\''))
        .collect();
    ranked.sort();
    ranked.truncate(6);
    if ranked.is_empty() {
        return None;
    }
    let filter: Json = "{{ field }} eq '{{ value | replace(\"'\", \"''\") }}'".into();
    Some(FindForm {
        get: Some(format!("/{}", set.name)),
        query: Map::from_iter([("$filter".to_owned(), filter)]),
        fields: ranked.into_iter().map(|(_, path)| path).collect(),
        records: Some(if model.is_v2() { "d.results" } else { "value" }.to_owned()),
        ..FindForm::default()
    })
}

/// The path of one record; none where a part of its key has a form that is not known here.
fn single(model: &Model, set: &Set, entity: &Entity) -> Option<String> {
    let part = |index: usize, key: &String| {
        let kind = entity
            .properties
            .iter()
            .find(|property| property.name == *key)?
            .kind
            .clone();
        let value = if entity.keys.len() == 1 {
            "id".to_owned()
        } else {
            format!("ids[{index}]")
        };
        Some(match kind.as_str() {
            "Edm.String" => format!("'{{{{ {value} | replace(\"'\", \"''\") }}}}'"),
            "Edm.Guid" if model.is_v2() => format!("guid'{{{{ {value} }}}}'"),
            "Edm.Int64" if model.is_v2() => format!("{{{{ {value} }}}}L"),
            "Edm.Guid" | "Edm.Int16" | "Edm.Int32" | "Edm.Int64" | "Edm.Byte" | "Edm.Boolean" | "Edm.Date" => {
                format!("{{{{ {value} }}}}")
            }
            kind if model.options(kind).is_some() => format!("'{{{{ {value} }}}}'"),
            _ => return None,
        })
    };
    let parts: Vec<String> = entity
        .keys
        .iter()
        .enumerate()
        .map(|(index, key)| part(index, key))
        .collect::<Option<_>>()?;
    let inside = match parts.as_slice() {
        [only] => only.clone(),
        several => several
            .iter()
            .zip(&entity.keys)
            .map(|(value, key)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join(","),
    };
    Some(format!("/{}({inside})", set.name))
}
