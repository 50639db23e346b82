//! The business partners of an S/4HANA, as its OData v2 service shows them: metadata, CSRF tokens that belong to a session, ETags that
//! a write needs, days and times of change in two fields.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, NaiveDateTime, Timelike as _, Utc};
use serde_json::{Map, Value as Json, json};
use syncline::clock::Clock;

use super::ask::{Answer, Ask, Weather};
use crate::support::loopback::{Loopback, Reply, Seen};

pub const USER: &str = "SYNCLINE";
pub const PASSWORD: &str = "s4-secret";
const ROOT: &str = "/sap/opu/odata/sap/API_BUSINESS_PARTNER/";

/// Names, types of EDM and lengths of what can be written (`1` when it is made).
const FIELDS: [(&str, &str, usize, &str); 16] = [
    ("BusinessPartner", "Edm.String", 10, "1"),
    ("BusinessPartnerCategory", "Edm.String", 1, "1"),
    ("BusinessPartnerGrouping", "Edm.String", 4, "1"),
    ("BusinessPartnerFullName", "Edm.String", 81, "-"),
    ("OrganizationBPName1", "Edm.String", 40, ""),
    ("FirstName", "Edm.String", 40, ""),
    ("LastName", "Edm.String", 40, ""),
    ("BirthDate", "Edm.DateTime", 0, ""),
    ("SearchTerm1", "Edm.String", 20, ""),
    ("BusinessPartnerIDByExtSystem", "Edm.String", 20, ""),
    ("BusinessPartnerIsBlocked", "Edm.Boolean", 0, ""),
    ("Customer", "Edm.String", 10, "-"),
    ("CreationDate", "Edm.DateTime", 0, "-"),
    ("CreationTime", "Edm.Time", 0, "-"),
    ("LastChangeDate", "Edm.DateTime", 0, "-"),
    ("LastChangeTime", "Edm.Time", 0, "-"),
];

/// A running system.
pub struct S4 {
    pub server: Loopback,
    pub weather: Arc<Weather>,
    data: Arc<Mutex<Data>>,
}

#[derive(Default)]
struct Data {
    partners: BTreeMap<String, Map<String, Json>>,
    /// The token of each session.
    sessions: BTreeMap<String, String>,
    writes: u64,
}

impl S4 {
    pub async fn start() -> Self {
        let data = Arc::new(Mutex::new(Data::default()));
        let weather = Arc::new(Weather::default());
        let (answering, over) = (Arc::clone(&data), Arc::clone(&weather));
        let server = Loopback::start(move |seen| over.over(seen, || answering.lock().unwrap().answer(seen))).await;
        Self { server, weather, data }
    }

    /// Ends every session.
    pub fn forget_sessions(&self) {
        self.data.lock().unwrap().sessions.clear();
    }

    /// A person changes a partner.
    pub fn edit(&self, id: &str, fields: &Json) {
        self.data.lock().unwrap().update(id, fields).unwrap();
    }
}

fn metadata() -> String {
    let property = |(name, kind, length, marks): &(&str, &str, usize, &str)| {
        let length = if *length > 0 {
            format!(" MaxLength=\"{length}\"")
        } else {
            String::new()
        };
        let precision = if *kind == "Edm.DateTime" {
            " Precision=\"0\""
        } else {
            ""
        };
        let writable = *marks != "-";
        let nullable = *name != "BusinessPartner";
        format!(
            "<Property Name=\"{name}\" Type=\"{kind}\" Nullable=\"{nullable}\"{length}{precision} sap:label=\"{name}\" sap:creatable=\"{writable}\" \
             sap:updatable=\"{}\"/>",
            marks.is_empty()
        )
    };
    let properties: String = FIELDS.iter().map(property).collect();
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns:sap="http://www.sap.com/Protocols/SAPData"><edmx:DataServices m:DataServiceVersion="2.0"><Schema Namespace="API_BUSINESS_PARTNER" xmlns="http://schemas.microsoft.com/ado/2008/09/edm"><EntityType Name="A_BusinessPartnerType" sap:content-version="1"><Key><PropertyRef Name="BusinessPartner"/></Key>{properties}</EntityType><EntityContainer Name="API_BUSINESS_PARTNER_Entities" m:IsDefaultEntityContainer="true"><EntitySet Name="A_BusinessPartner" EntityType="API_BUSINESS_PARTNER.A_BusinessPartnerType" sap:content-version="1"/></EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"#
    )
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    Answer::new(
        status,
        json!({ "error": { "code": code, "message": { "lang": "en", "value": message }, "innererror": {} } }),
    )
}

fn day(time: DateTime<Utc>) -> Json {
    let midnight = time.date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    json!(format!("/Date({})/", midnight.timestamp_millis()))
}

fn time_of_day(time: DateTime<Utc>) -> Json {
    json!(format!(
        "PT{:02}H{:02}M{:02}S",
        time.hour(),
        time.minute(),
        time.second()
    ))
}

impl Data {
    fn answer(&mut self, seen: &Seen) -> Reply {
        let proof = format!("Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
        if seen.header("authorization") != Some(proof.as_str()) {
            return Reply::html(401).with("www-authenticate", "Basic realm=\"SAP NetWeaver Application Server\"");
        }
        let mut cookies = seen.header("cookie").unwrap_or_default().split("; ");
        let session = cookies.find_map(|pair| pair.strip_prefix("SAP_SESSIONID_S4H_100="));
        let token = session.and_then(|session| self.sessions.get(session).cloned());
        let asked = seen.header("x-csrf-token").unwrap_or_default().to_owned();
        if seen.method != "GET" && (token.is_none() || token.as_deref() != Some(asked.as_str())) {
            return Reply::new(403, "text/plain", "CSRF token validation failed").with("x-csrf-token", "Required");
        }
        let ask = Ask::of(seen);
        let path = format!("/{}", ask.path.join("/"));
        let target = match path.strip_prefix(ROOT.trim_end_matches('/')) {
            Some(rest) => rest.trim_start_matches('/').to_owned(),
            None => "nowhere".to_owned(),
        };
        let reply = match (seen.method.as_str(), target.as_str()) {
            ("GET", "") => Reply::json(200, &json!({ "d": { "EntitySets": ["A_BusinessPartner"] } })),
            ("GET", "$metadata") => Reply::new(200, "application/xml", metadata()),
            _ => self.route(&ask, &target).reply(),
        };
        if !asked.eq_ignore_ascii_case("fetch") {
            return reply;
        }
        let number = self.sessions.len() + 1;
        let token = token.unwrap_or_else(|| format!("csrf-{number}=="));
        self.sessions.insert(format!("session-{number}"), token.clone());
        let cookie = format!("SAP_SESSIONID_S4H_100=session-{number}; path=/; HttpOnly");
        reply
            .with("x-csrf-token", token)
            .with("set-cookie", cookie)
            .with("set-cookie", "sap-usercontext=sap-client=100; path=/")
    }

    fn route(&mut self, ask: &Ask, target: &str) -> Answer {
        if target == "A_BusinessPartner" {
            return match ask.method.as_str() {
                "GET" => self.list(ask),
                "POST" => self.create(&ask.body),
                _ => refused(405, "/IWFND/CM_MGW/096", "Method not allowed"),
            };
        }
        let key = target
            .strip_prefix("A_BusinessPartner('")
            .and_then(|rest| rest.strip_suffix("')"));
        let Some(found) = key.and_then(|key| self.partners.get(key)) else {
            return refused(
                404,
                "/IWBEP/CM_MGW_RT/020",
                "Resource not found for segment 'A_BusinessPartnerType'",
            );
        };
        let key = key.unwrap();
        let etag = found["__metadata"]["etag"].clone();
        match (ask.method.as_str(), ask.header("if-match")) {
            ("GET", _) => Answer::ok(json!({ "d": found })),
            (_, None) => refused(428, "/IWBEP/CM_MGW_RT/180", "Precondition required"),
            (_, Some(condition)) if condition != "*" && etag != condition => {
                refused(412, "/IWBEP/CM_MGW_RT/022", "Precondition failed")
            }
            ("PATCH" | "MERGE", _) => self
                .update(key, &ask.body)
                .map_or_else(|refused| refused, |()| Answer::empty(204)),
            _ => refused(405, "/IWFND/CM_MGW/096", "Method not allowed"),
        }
    }

    fn list(&self, ask: &Ask) -> Answer {
        let filter = ask.param("$filter").unwrap_or_default();
        let alternatives: Vec<&str> = filter.split(" or ").filter(|part| !part.is_empty()).collect();
        let rows = self
            .partners
            .values()
            .filter(|partner| alternatives.is_empty() || alternatives.iter().any(|part| fits(part, partner)));
        let rows: Vec<&Map<String, Json>> = rows.collect();
        let number = |name: &str| ask.param(name).and_then(|text| text.parse::<usize>().ok());
        let page: Vec<_> = rows
            .iter()
            .skip(number("$skip").unwrap_or(0))
            .take(number("$top").unwrap_or(usize::MAX))
            .collect();
        let mut body = json!({ "d": { "results": page } });
        if ask.param("$inlinecount") == Some("allpages") {
            body["d"]["__count"] = json!(rows.len().to_string());
        }
        Answer::ok(body)
    }

    fn create(&mut self, fields: &Json) -> Answer {
        let given = match taken(fields, true) {
            Ok(given) => given,
            Err(refused) => return refused,
        };
        if !given.contains_key("BusinessPartnerCategory") {
            return refused(400, "BUS_PARTNER/001", "Business partner category is missing");
        }
        let id = match given.get("BusinessPartner").and_then(Json::as_str) {
            Some(id) if !id.is_empty() => id.to_owned(),
            _ => (1_000_001 + self.partners.len()).to_string(),
        };
        if self.partners.contains_key(&id) {
            return refused(400, "R1/102", &format!("Business partner {id} already exists"));
        }
        let mut partner: Map<String, Json> = FIELDS
            .iter()
            .map(|(name, kind, ..)| {
                let blank = match *kind {
                    "Edm.String" => json!(""),
                    "Edm.Boolean" => json!(false),
                    _ => Json::Null,
                };
                ((*name).to_owned(), blank)
            })
            .collect();
        partner.extend(given);
        let at = Clock::system().now();
        partner.insert("BusinessPartner".into(), json!(id));
        partner.insert("CreationDate".into(), day(at));
        partner.insert("CreationTime".into(), time_of_day(at));
        self.touch(&mut partner);
        self.partners.insert(id, partner.clone());
        Answer::new(201, json!({ "d": partner }))
    }

    fn update(&mut self, id: &str, fields: &Json) -> Result<(), Answer> {
        let given = taken(fields, false)?;
        let mut partner = self.partners[id].clone();
        partner.extend(given);
        let at = Clock::system().now();
        partner.insert("LastChangeDate".into(), day(at));
        partner.insert("LastChangeTime".into(), time_of_day(at));
        self.touch(&mut partner);
        self.partners.insert(id.to_owned(), partner);
        Ok(())
    }

    fn touch(&mut self, partner: &mut Map<String, Json>) {
        self.writes += 1;
        let uri = format!("{ROOT}A_BusinessPartner({})", partner["BusinessPartner"]);
        let etag = format!("W/\"datetimeoffset'2026-01-01T00%3A00%3A{:02}Z'\"", self.writes);
        partner.insert(
            "__metadata".into(),
            json!({ "id": uri, "uri": uri, "type": "API_BUSINESS_PARTNER.A_BusinessPartnerType", "etag": etag }),
        );
        let names =
            ["OrganizationBPName1", "FirstName", "LastName"].map(|name| partner[name].as_str().unwrap_or_default());
        let full = names
            .into_iter()
            .filter(|name| !name.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        partner.insert("BusinessPartnerFullName".into(), json!(full));
    }
}

fn taken(fields: &Json, is_new: bool) -> Result<Map<String, Json>, Answer> {
    let mut taken = Map::new();
    for (name, value) in fields.as_object().into_iter().flatten() {
        let Some((_, kind, length, marks)) = FIELDS.iter().find(|(known, ..)| known == name) else {
            let message = format!("Property '{name}' is invalid for type 'A_BusinessPartnerType'");
            return Err(refused(400, "/IWCOR/CX_OD_EP_SERIALIZATION/001", &message));
        };
        // What may not be changed is passed over.
        if *marks == "-" || (*marks == "1" && !is_new) {
            continue;
        }
        let fits = match *kind {
            "Edm.String" => value.as_str().is_some_and(|text| text.chars().count() <= *length),
            "Edm.Boolean" => value.is_boolean(),
            _ => value.is_null() || value.as_str().is_some_and(|text| text.starts_with("/Date(")),
        };
        if !fits {
            let message = format!("Property '{name}' has invalid value '{value}'");
            return Err(refused(400, "CX_SXML_PARSE_ERROR/001", &message));
        }
        taken.insert(name.clone(), value.clone());
    }
    Ok(taken)
}

/// One comparison: `Field eq 'text'`, `Field ge datetime'…'`.
fn fits(part: &str, partner: &Map<String, Json>) -> bool {
    let mut words = part.trim().splitn(3, ' ');
    let (field, operator, literal) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let value = &partner[field];
    if let Some(text) = literal.strip_prefix("datetime'") {
        let wanted = NaiveDateTime::parse_from_str(text.trim_end_matches('\''), "%Y-%m-%dT%H:%M:%S").unwrap();
        let millis = value.as_str().map(|text| {
            text.trim_start_matches("/Date(")
                .trim_end_matches(")/")
                .parse::<i64>()
                .unwrap()
        });
        assert_eq!(operator, "ge");
        return millis.is_some_and(|millis| millis >= wanted.and_utc().timestamp_millis());
    }
    let wanted = literal
        .trim_start_matches('\'')
        .trim_end_matches('\'')
        .replace("''", "'");
    assert_eq!(operator, "eq");
    value.as_str() == Some(wanted.as_str())
}
