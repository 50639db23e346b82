//! A database behind a connector: its objects become tables, and their operations calls that the client answers by statements.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Value as Json, json};

use super::Compiler;
use crate::core::{
    connector::{
        database::{Column, Database, Engine, Source, Table},
        form::{
            AuthForm, ConnectorForm, FieldForm, FindForm, ListForm, ObjectForm, OperationForm, PageForm, SpellingForm,
            TypesForm,
        },
    },
    path::{Path, Segment},
    problem::pointer,
};

/// Rows of a page where nothing is said.
const PAGE_SIZE: u32 = 1_000;
/// The longest name of a table or column.
const NAME_CHARS_MAX: usize = 128;

/// What says nothing about a database.
const HINT: &str =
    "a database needs `database:`, and `table:`, `view:` or `query:` for each object; Syncline writes the statements";

impl Compiler<'_> {
    /// What of the whole connector says nothing about a database, or without one.
    pub(super) fn check_database(&mut self, form: &ConnectorForm) {
        if form.database.is_none() {
            return;
        }
        let has_auth = serde_json::to_value(&form.auth).ok() != serde_json::to_value(AuthForm::default()).ok();
        let foreign = [
            ("base_url", !form.base_url.is_empty()),
            ("headers", !form.headers.is_empty()),
            ("format", form.format.is_some()),
            ("auth", has_auth),
        ];
        for (key, _) in foreign.into_iter().filter(|(_, is_given)| *is_given) {
            let message = format!("`{key}` says nothing about a database");
            let hint = "leave it out: the address and the password are in the credential `url` of the system";
            self.error("CN029", &pointer("", key), &message, hint);
        }
    }

    /// The types of a connector; those of a database by how it spells times, and without a zone in UTC.
    pub(super) fn types_form(form: &ConnectorForm) -> Cow<'_, TypesForm> {
        let Some(engine) = form.database else {
            return Cow::Borrowed(&form.types);
        };
        let mut types = form.types.clone();
        types.zone.get_or_insert_with(|| "UTC".to_owned());
        let format = match engine {
            Engine::Postgres => None,
            Engine::Mysql => Some("%Y-%m-%d %H:%M:%S%.6f"),
            Engine::Sqlite => Some("%Y-%m-%d %H:%M:%S"),
        };
        if let Some(format) = format {
            let datetime = types.datetime.get_or_insert_with(SpellingForm::default);
            datetime.format.get_or_insert_with(|| format.to_owned());
        }
        Cow::Owned(types)
    }

    /// The database with the tables of the objects that were compiled.
    pub(super) fn database(&mut self, engine: Option<Engine>) -> Option<Database> {
        Some(Database {
            engine: engine?,
            tables: std::mem::take(&mut self.tables),
        })
    }

    /// The object as it is compiled: one of a database with the calls that stand for its statements.
    pub(super) fn object_form<'f>(&mut self, name: &str, form: &'f ObjectForm, place: &str) -> Cow<'f, ObjectForm> {
        if self.engine.is_none() {
            for (key, is_given) in keys_of_tables(form) {
                if is_given {
                    let message = format!("`{key}` is for databases, and the connector names none");
                    self.error(
                        "CN029",
                        &pointer(place, key),
                        &message,
                        "add `database: postgres` (or mysql, sqlite)",
                    );
                }
            }
            return Cow::Borrowed(form);
        }
        self.check_operations(form, place);
        let mut calls = form.clone();
        let ids = self.columns_of(&form.id, &pointer(place, "id"));
        let at = |key: &str| pointer(place, key);
        let single = |compiler: &mut Self, text: Option<&String>, key: &str| {
            let columns = compiler.columns_of(text?, &at(key));
            if columns.len() > 1 {
                compiler.error(
                    "CN029",
                    &at(key),
                    &format!("`{key}` is one column"),
                    "name the column alone",
                );
            }
            columns.into_iter().next()
        };
        let updated_at = single(self, form.updated_at.as_ref(), "updated_at");
        let version = single(self, form.version.as_ref(), "version");
        for known in ids.iter().chain(&version) {
            calls.fields.entry(Path::of_key(known).to_string()).or_default();
        }
        if let Some(column) = &updated_at {
            let datetime = || FieldForm {
                kind: Some("datetime".to_owned()),
                ..FieldForm::default()
            };
            let column = Path::of_key(column).to_string();
            calls.fields.entry(column).or_insert_with(datetime);
        }
        let source = self.table_source(form, place);
        self.check_owner(form, source.as_ref(), place);
        calls.closed = true;
        calls.table = None;
        operations(name, &mut calls, form, updated_at.is_some());
        let columns = self.table_columns(&ids, &calls, place);
        let table = Table {
            object: name.to_owned(),
            source: source.unwrap_or(Source::Query(String::new())),
            owner: form.owner.clone().unwrap_or_default(),
            id: ids,
            updated_at,
            version,
            columns,
            searched: form
                .find
                .iter()
                .flat_map(|find| &find.fields)
                .filter_map(|name| column_of(name))
                .collect(),
            notify: self.channel(form, place),
            is_writable: form.write.is_some(),
        };
        self.tables.insert(name.to_owned(), table);
        Cow::Owned(calls)
    }

    fn table_source(&mut self, form: &ObjectForm, place: &str) -> Option<Source> {
        let given = [
            ("table", form.table.as_ref()),
            ("view", form.view.as_ref()),
            ("query", form.query.as_ref()),
        ];
        let given: Vec<(&str, &String)> = given.into_iter().filter_map(|(key, text)| Some((key, text?))).collect();
        let [(key, text)] = given.as_slice() else {
            let message = if given.is_empty() {
                "the object does not say where its rows are"
            } else {
                "the object says in several ways where its rows are"
            };
            let hint = "give exactly one of `table: schema.name`, `view: schema.name` and `query: select …`";
            self.error("CN029", place, message, hint);
            return None;
        };
        let at = pointer(place, key);
        if *key == "query" {
            let query = text.trim().trim_end_matches(';').trim_end();
            let word = query.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
            if word != "select" && word != "with" {
                self.error(
                    "CN029",
                    &at,
                    "the query does not begin with `select`",
                    "write `query: select …`",
                );
            }
            return Some(Source::Query(query.to_owned()));
        }
        let parts: Vec<String> = text.split('.').map(|part| part.trim().to_owned()).collect();
        for part in &parts {
            self.check_sql_name(part, &at);
        }
        Some(match *key {
            "table" => Source::Table(parts),
            _ => Source::View(parts),
        })
    }

    /// The channel on which rows that change are told.
    fn channel(&mut self, form: &ObjectForm, place: &str) -> Option<String> {
        let channel = form.notify.as_ref()?;
        let at = pointer(place, "notify");
        if self.engine != Some(Engine::Postgres) {
            let hint = "leave it out: rows are polled by `updated_at:`";
            self.error("CN029", &at, "only PostgreSQL tells what changes", hint);
        }
        self.check_sql_name(channel, &at);
        Some(channel.clone())
    }

    fn check_owner(&mut self, form: &ObjectForm, source: Option<&Source>, place: &str) {
        if form.owner.as_ref().is_none_or(|owner| owner.trim().is_empty()) {
            let hint = "add `owner:` with the team or the address of whoever must be asked before its columns change";
            self.error(
                "CN030",
                place,
                "nobody answers for what stands behind this object",
                hint,
            );
        }
        if form.write.is_some() && !matches!(source, None | Some(Source::Table(_))) {
            let hint = "write to a `table:`, or leave `write:` out";
            self.error(
                "CN029",
                &pointer(place, "write"),
                "only a table can be written to",
                hint,
            );
        }
    }

    /// What is given beside the table and would be a request elsewhere.
    fn check_operations(&mut self, form: &ObjectForm, place: &str) {
        let has_batch = form.batch.create.is_some() || form.batch.update.is_some();
        let foreign = [
            ("changed", form.changed.is_some()),
            ("of_parents", form.of_parents.is_some()),
            ("get", form.get.is_some()),
            ("create", form.create.is_some()),
            ("update", form.update.is_some()),
            ("delete", form.delete.is_some()),
            ("batch", has_batch),
            (
                "find",
                form.find
                    .as_ref()
                    .is_some_and(|find| !find.request().targets.is_empty()),
            ),
            ("list", form.list.as_ref().is_some_and(|list| !is_plain(list))),
        ];
        for (key, _) in foreign.into_iter().filter(|(_, is_given)| *is_given) {
            let hint = match key {
                "list" => "of `list:` a database knows `overlap:` and `page: { size: … }`",
                "find" => "name the columns: `find: { fields: [email] }`",
                "create" | "update" | "delete" | "batch" => "`write: allowed` is all it takes to write to a table",
                _ => HINT,
            };
            let message = format!("`{key}` describes a request, and this is a database");
            self.error("CN029", &pointer(place, key), &message, hint);
        }
    }

    /// Every column that is read, those of the key first.
    fn table_columns(&mut self, ids: &[String], calls: &ObjectForm, place: &str) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::with_capacity(calls.fields.len());
        for (name, field) in &calls.fields {
            // What is no path is told where fields are compiled.
            if Path::parse(name).is_err() {
                continue;
            }
            let at = pointer(&pointer(place, "fields"), name);
            let kind = field.kind.as_deref().and_then(|kind| kind.parse().ok());
            columns.extend(self.columns_of(name, &at).into_iter().map(|name| Column {
                name,
                kind: kind.unwrap_or_default(),
            }));
        }
        let place = |column: &Column| ids.iter().position(|id| *id == column.name).unwrap_or(ids.len());
        columns.sort_by_key(place);
        columns
    }

    /// The columns that a text of paths names.
    fn columns_of(&mut self, text: &str, place: &str) -> Vec<String> {
        let paths = self.paths(text, place);
        let mut columns = Vec::with_capacity(paths.len());
        for path in paths {
            let [Segment::Key(key)] = path.segments() else {
                let hint = "name a column; a `view:` or a `query:` gives it another name";
                self.error("CN031", place, &format!("`{path}` is no column"), hint);
                continue;
            };
            self.check_sql_name(key, place);
            columns.push(key.to_string());
        }
        columns
    }

    fn check_sql_name(&mut self, name: &str, place: &str) {
        let is_good = !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.contains(char::is_control);
        if !is_good {
            let shown: String = name.chars().take(NAME_CHARS_MAX).filter(|c| !c.is_control()).collect();
            let message = format!("`{shown}` is no name of a table or column");
            self.error(
                "CN031",
                place,
                &message,
                "write it as the database does, without quotes",
            );
        }
    }
}

/// The column that the name of a field stands for.
fn column_of(field: &str) -> Option<String> {
    match Path::parse(field).ok()?.segments() {
        [Segment::Key(key)] => Some(key.to_string()),
        _ => None,
    }
}

/// The keys of an object that only a database has.
fn keys_of_tables(form: &ObjectForm) -> [(&'static str, bool); 6] {
    [
        ("table", form.table.is_some()),
        ("view", form.view.is_some()),
        ("query", form.query.is_some()),
        ("owner", form.owner.is_some()),
        ("notify", form.notify.is_some()),
        ("write", form.write.is_some()),
    ]
}

/// Whether a listing says no more than a database knows of it.
fn is_plain(list: &ListForm) -> bool {
    let size = list.page.as_ref().and_then(|page| page.size.clone());
    let known = ListForm {
        overlap: list.overlap,
        page: list.page.is_some().then(|| PageForm {
            size,
            ..PageForm::default()
        }),
        ..ListForm::default()
    };
    *list == known
}

const ID: (&str, &str) = ("id", "{{ ids }}");
const VERSION: (&str, &str) = ("version", "{{ version }}");

/// The calls that stand for the statements of an object.
fn operations(name: &str, calls: &mut ObjectForm, form: &ObjectForm, has_cursor: bool) {
    let given = form.list.clone().unwrap_or_default();
    let size = given
        .page
        .and_then(|page| page.size)
        .unwrap_or_else(|| PAGE_SIZE.into());
    let list = |operation: &str, body: Json, keyset: String| ListForm {
        post: Some(format!("/{name}/{operation}")),
        body: Some(body),
        records: Some("records".to_owned()),
        overlap: given.overlap,
        page: Some(PageForm {
            keyset: Some(keyset),
            size: Some(size.clone()),
            more: Some("more".to_owned()),
            ..PageForm::default()
        }),
        ..ListForm::default()
    };
    let body = json!({ "size": "{{ page.size }}", "after": "{{ page.last }}" });
    calls.list = Some(list("list", body, form.id.clone()));
    if let (true, Some(cursor)) = (has_cursor, &form.updated_at) {
        let body = json!({ "size": "{{ page.size }}", "after": "{{ page.last }}", "since": "{{ since }}" });
        calls.changed = Some(list("changed", body, format!("{cursor}, {}", form.id)));
    }
    calls.find = form.find.as_ref().map(|find| FindForm {
        post: Some(format!("/{name}/find")),
        body: Some(json!({ "field": "{{ field }}", "value": "{{ value }}" })),
        records: Some("records".to_owned()),
        fields: find.fields.clone(),
        ..FindForm::default()
    });
    let call = |operation: &str, members: &[(&str, &str)]| OperationForm {
        post: Some(format!("/{name}/{operation}")),
        body: Some(
            members
                .iter()
                .map(|(key, text)| ((*key).to_owned(), Json::from(*text)))
                .collect(),
        ),
        // The same change twice leaves what one leaves; whether a row was made is not known from the second one.
        repeatable: Some(operation != "create"),
        ..OperationForm::default()
    };
    calls.get = Some(call("get", &[ID]));
    if form.write.is_some() {
        calls.create = Some(call("create", &[("fields", "{{ record }}")]));
        calls.update = Some(call("update", &[ID, VERSION, ("fields", "{{ changes }}")]));
        calls.delete = Some(call("delete", &[ID, VERSION]));
    }
}

/// The tables of the objects compiled so far.
pub(super) type Tables = BTreeMap<String, Table>;
