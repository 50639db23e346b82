//! A database of Odoo, as its JSON-RPC shows it: sessions by a cookie, `search_read` with domains, `false` for nothing,
//! references as pairs, and errors inside of a 200.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value as Json, json};
use syncline::clock::Clock;

use super::ask::Weather;
use crate::support::loopback::{Loopback, Reply, Seen};

pub const DATABASE: &str = "acme";
pub const USER: &str = "syncline@acme.example";
pub const PASSWORD: &str = "odoo-secret";

/// What there is: models, and the fields of each (`*` a truth value, `@model` a reference).
const MODELS: [(&str, &str); 5] = [
    (
        "res.partner",
        "name ref vat email phone website street street2 city zip state_id@ country_id@ country_code is_company* lang \
         parent_id@res.partner type function active*",
    ),
    (
        "product.product",
        "name default_code barcode list_price standard_price description_sale type uom_id@ categ_id@ sale_ok* active*",
    ),
    (
        "sale.order",
        "name partner_id@res.partner client_order_ref date_order commitment_date state invoice_status amount_untaxed amount_tax \
         amount_total currency_id@",
    ),
    (
        "account.move",
        "name ref partner_id@res.partner commercial_partner_id@res.partner move_type invoice_date invoice_date_due invoice_origin \
         payment_reference state payment_state amount_untaxed amount_tax amount_total amount_residual currency_id@",
    ),
    (
        "account.payment",
        "name partner_id@res.partner payment_type partner_type amount date journal_id@ currency_id@ state",
    ),
];

/// A running database.
pub struct Odoo {
    pub server: Loopback,
    data: Arc<Mutex<Data>>,
    pub weather: Arc<Weather>,
}

#[derive(Default)]
struct Data {
    /// By model and id.
    records: BTreeMap<(String, u64), Map<String, Json>>,
    sessions: BTreeSet<String>,
    made: u64,
}

/// The name of an exception, and its text.
type Refused = (&'static str, String);

impl Odoo {
    pub async fn start() -> Self {
        let data = Arc::new(Mutex::new(Data::default()));
        let weather = Arc::new(Weather::default());
        let (answering, over) = (Arc::clone(&data), Arc::clone(&weather));
        let server = Loopback::start(move |seen| over.over(seen, || answering.lock().unwrap().answer(seen))).await;
        Self { server, data, weather }
    }

    /// Every record of a model, by id.
    pub fn all(&self, model: &str) -> BTreeMap<u64, Map<String, Json>> {
        let data = self.data.lock().unwrap();
        let rows = data.records.iter().filter(|((of, _), _)| of == model);
        rows.map(|((_, id), fields)| (*id, fields.clone())).collect()
    }

    pub fn get(&self, model: &str, id: u64) -> Map<String, Json> {
        self.all(model)[&id].clone()
    }

    /// A person makes a record.
    pub fn make(&self, model: &str, fields: &Json) -> u64 {
        self.data.lock().unwrap().create(model, fields).unwrap()
    }

    /// A person changes a record, a while after anybody else did: Odoo shows whole seconds.
    pub fn edit(&self, model: &str, id: u64, fields: &Json) {
        self.data.lock().unwrap().write(model, &[id], fields).unwrap();
    }

    /// Ends every session.
    pub fn forget_sessions(&self) {
        self.data.lock().unwrap().sessions.clear();
    }
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn stamp(time: DateTime<Utc>) -> Json {
    json!(time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// A field by its name: the mark behind it.
fn field(model: &str, name: &str) -> Option<&'static str> {
    if ["id", "create_date", "write_date"].contains(&name) {
        return Some("");
    }
    let all = MODELS.iter().find(|(known, _)| *known == model)?.1;
    let mut rest = all.split_whitespace().filter_map(|word| word.strip_prefix(name));
    rest.find(|rest| rest.is_empty() || rest.starts_with(['*', '@']))
}

fn result(result: Json) -> Reply {
    Reply::json(200, &json!({ "jsonrpc": "2.0", "id": null, "result": result }))
}

fn fault(code: u16, name: &str, message: &str) -> Reply {
    let data =
        json!({ "name": name, "message": message, "debug": "Traceback …", "arguments": [message], "context": {} });
    let error = json!({ "code": code, "message": "Odoo Server Error", "data": data });
    Reply::json(200, &json!({ "jsonrpc": "2.0", "id": null, "error": error }))
}

impl Data {
    fn answer(&mut self, seen: &Seen) -> Reply {
        let params = seen.json()["params"].clone();
        match seen.path() {
            "/web/webclient/version_info" => result(json!({
                "server_version": "17.0", "server_version_info": [17, 0, 0, "final", 0, ""], "server_serie": "17.0", "protocol_version": 1,
            })),
            "/web/session/authenticate" => {
                if params["db"] != DATABASE || params["login"] != USER || params["password"] != PASSWORD {
                    return fault(200, "odoo.exceptions.AccessDenied", "Access Denied");
                }
                let session = format!("session-{}", self.sessions.len() + 1);
                self.sessions.insert(session.clone());
                let told = json!({ "uid": 2, "username": USER, "db": DATABASE, "user_context": { "lang": "en_US" } });
                result(told).with(
                    "set-cookie",
                    format!("session_id={session}; Expires=Fri, 01 Jan 2038 00:00:00 GMT; HttpOnly; Path=/"),
                )
            }
            "/jsonrpc" => self.service(&params),
            "/web/dataset/call_kw" => {
                let cookie = seen.header("cookie").unwrap_or_default();
                let has_session = cookie
                    .split("; ")
                    .filter_map(|pair| pair.strip_prefix("session_id="))
                    .any(|session| self.sessions.contains(session));
                if !has_session {
                    return fault(100, "odoo.http.SessionExpiredException", "Session expired");
                }
                let text = |name: &str| params[name].as_str().unwrap_or_default();
                self.call(text("model"), text("method"), &params["args"], &params["kwargs"])
            }
            _ => Reply::html(404),
        }
    }

    /// What libraries call: every call proves itself.
    fn service(&mut self, params: &Json) -> Reply {
        let args = params["args"].as_array().cloned().unwrap_or_default();
        let arg = |at: usize| args.get(at).cloned().unwrap_or_default();
        let text = |at: usize| arg(at).as_str().unwrap_or_default().to_owned();
        if params["service"] == "common" && params["method"] == "login" {
            let is_known = arg(0) == DATABASE && arg(1) == USER && arg(2) == PASSWORD;
            return result(if is_known { json!(2) } else { json!(false) });
        }
        if params["service"] != "object" || arg(1) != 2 || arg(2) != PASSWORD {
            return fault(200, "odoo.exceptions.AccessDenied", "Access Denied");
        }
        if text(3) == "res.users" {
            return result(json!({ "lang": "en_US", "tz": "Europe/Berlin" }));
        }
        self.call(&text(3), &text(4), &arg(5), &arg(6))
    }

    fn call(&mut self, model: &str, method: &str, args: &Json, kwargs: &Json) -> Reply {
        if !MODELS.iter().any(|(known, _)| *known == model) {
            return fault(200, "builtins.KeyError", &format!("'{model}'"));
        }
        let ids = || -> Vec<u64> {
            let ids = args[0].as_array().cloned().unwrap_or_else(|| vec![args[0].clone()]);
            ids.iter().filter_map(Json::as_u64).collect()
        };
        let done = match method {
            "search_read" => {
                let domain = kwargs
                    .get("domain")
                    .or_else(|| args.get(0))
                    .cloned()
                    .unwrap_or_default();
                self.search_read(model, &domain, kwargs)
            }
            "create" => self.create(model, &args[0]).map(|id| json!(id)),
            "write" => self.write(model, &ids(), &args[1]).map(|()| json!(true)),
            "unlink" => self.unlink(model, &ids()).map(|()| json!(true)),
            other => Err((
                "builtins.AttributeError",
                format!("The method '{model}.{other}' does not exist"),
            )),
        };
        match done {
            Ok(told) => result(told),
            Err((name, message)) => fault(200, name, &message),
        }
    }

    fn search_read(&self, model: &str, domain: &Json, kwargs: &Json) -> Result<Json, Refused> {
        let fields: Vec<String> = serde_json::from_value(kwargs["fields"].clone()).unwrap_or_default();
        if let Some(unknown) = fields.iter().find(|name| field(model, name).is_none()) {
            return Err((
                "builtins.ValueError",
                format!("Invalid field '{unknown}' on model '{model}'"),
            ));
        }
        let leaves = domain.as_array().cloned().unwrap_or_default();
        // Records that are put away are only found by who asks for them.
        let shows_all = kwargs["context"]["active_test"] == json!(false);
        let rows = self.records.iter().filter(|((of, _), record)| {
            of == model
                && (shows_all || record.get("active") != Some(&json!(false)))
                && leaves.iter().all(|leaf| fits(leaf, record))
        });
        let limit = kwargs["limit"]
            .as_u64()
            .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        let shown = rows.take(limit).map(|(_, record)| {
            let mut told = Map::new();
            told.insert("id".into(), record["id"].clone());
            for name in &fields {
                told.insert(name.clone(), self.shown(model, name, &record[name]));
            }
            Json::Object(told)
        });
        Ok(json!(shown.collect::<Vec<_>>()))
    }

    /// References are shown with their names.
    fn shown(&self, model: &str, name: &str, value: &Json) -> Json {
        let mark = field(model, name).unwrap_or_default();
        match (mark.strip_prefix('@'), value.as_u64()) {
            (Some(target), Some(id)) => {
                let there = self.records.get(&(target.to_owned(), id));
                let name = there.map_or_else(|| json!("EUR"), |record| record["name"].clone());
                json!([id, name])
            }
            _ => value.clone(),
        }
    }

    fn create(&mut self, model: &str, fields: &Json) -> Result<u64, Refused> {
        let taken = self.taken(model, fields)?;
        self.made += 1;
        let id = self.made;
        let all = MODELS.iter().find(|(known, _)| *known == model).unwrap().1;
        let mut record: Map<String, Json> = all
            .split_whitespace()
            .map(|word| word.split(['*', '@']).next().unwrap())
            .map(|name| (name.to_owned(), json!(name == "active")))
            .collect();
        record.extend(taken);
        if record["name"] == json!(false) && model == "res.partner" && record["type"] != "invoice" {
            return Err(("odoo.exceptions.ValidationError", "Contacts require a name".to_owned()));
        }
        record.insert("id".into(), json!(id));
        record.insert("create_date".into(), stamp(now()));
        record.insert("write_date".into(), stamp(now()));
        self.records.insert((model.to_owned(), id), record);
        Ok(id)
    }

    fn write(&mut self, model: &str, ids: &[u64], fields: &Json) -> Result<(), Refused> {
        let taken = self.taken(model, fields)?;
        for id in ids {
            let Some(record) = self.records.get_mut(&(model.to_owned(), *id)) else {
                return Err((
                    "odoo.exceptions.MissingError",
                    "Record does not exist or has been deleted.".to_owned(),
                ));
            };
            record.extend(taken.clone());
            record.insert("write_date".into(), stamp(now()));
        }
        Ok(())
    }

    fn unlink(&mut self, model: &str, ids: &[u64]) -> Result<(), Refused> {
        for id in ids {
            if self.records.remove(&(model.to_owned(), *id)).is_none() {
                return Err((
                    "odoo.exceptions.MissingError",
                    "Record does not exist or has been deleted.".to_owned(),
                ));
            }
        }
        Ok(())
    }

    fn taken(&self, model: &str, fields: &Json) -> Result<Map<String, Json>, Refused> {
        let mut taken = Map::new();
        for (name, value) in fields.as_object().into_iter().flatten() {
            let Some(mark) = field(model, name) else {
                return Err((
                    "builtins.ValueError",
                    format!("Invalid field '{name}' on model '{model}'"),
                ));
            };
            let leads =
                |target: &str, id: u64| target.is_empty() || self.records.contains_key(&(target.to_owned(), id));
            if let (Some(target), Some(id)) = (mark.strip_prefix('@'), value.as_u64())
                && !leads(target, id)
            {
                return Err((
                    "odoo.exceptions.MissingError",
                    "Record does not exist or has been deleted.".to_owned(),
                ));
            }
            let is_nothing = value.is_null() || *value == json!("");
            taken.insert(name.clone(), if is_nothing { json!(false) } else { value.clone() });
        }
        Ok(taken)
    }
}

fn time(json: &Json) -> Option<DateTime<Utc>> {
    let naive = chrono::NaiveDateTime::parse_from_str(json.as_str()?, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(naive.and_utc())
}

/// One leaf of a domain.
fn fits(leaf: &Json, record: &Map<String, Json>) -> bool {
    let value = record.get(leaf[0].as_str().unwrap()).unwrap_or(&Json::Null);
    let wanted = &leaf[2];
    let order = match (value.as_i64(), wanted.as_i64(), time(value), time(wanted)) {
        (Some(one), Some(other), ..) => Some(one.cmp(&other)),
        // What is shown in whole seconds is stored with more: the record changed within the second.
        (.., Some(one), Some(other)) => Some((one + TimeDelta::milliseconds(500)).cmp(&other)),
        _ => None,
    };
    match leaf[1].as_str().unwrap() {
        "=" => value == wanted,
        "!=" => value != wanted,
        ">" => order.is_some_and(std::cmp::Ordering::is_gt),
        ">=" => order.is_some_and(std::cmp::Ordering::is_ge),
        "<" => order.is_some_and(std::cmp::Ordering::is_lt),
        "in" => wanted.as_array().is_some_and(|among| among.contains(value)),
        other => panic!("{other}"),
    }
}
