//! The two real systems: started by the scripts of `tests/real`, edited as their own users would, and read through their
//! own interfaces, so that nothing Syncline says is taken for the truth.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{Method, Response, header};
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

/// A record as its system shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub id: String,
    pub name: String,
    pub active: bool,
    /// Changes with every write.
    pub version: String,
}

/// What one system holds, by the code that both have.
pub type Book = BTreeMap<String, Seen>;

/// A running system; ends with its value, or with this process.
pub struct Server {
    pub url: String,
    folder: PathBuf,
}

impl Server {
    /// Starts a system in `folder`. None where it is not installed on this machine, which a line on the output then says; with `CI`
    /// set that is a failure, since `.ci/run` installs it.
    pub fn start(name: &str, folder: &Path) -> Option<Self> {
        let folder = folder.join(name);
        let output = Command::new(script(&format!("start-{name}")))
            .arg(&folder)
            .env("SYNCLINE_REAL_INSTALL", "no")
            .env("SYNCLINE_REAL_OWNER", std::process::id().to_string())
            .output()
            .unwrap();
        let talk = String::from_utf8_lossy(&output.stderr);
        if is_missing(&output, name, &format!("start-{name} <folder>")) {
            return None;
        }
        assert!(output.status.success(), "{name} does not start: {talk}");
        let ready: Json = serde_json::from_slice(&output.stdout).unwrap();
        Some(Self {
            url: ready["url"].as_str().unwrap().to_owned(),
            folder,
        })
    }

    /// Changes the system's own database, so that neither its program nor its times of change know of it.
    fn behind_its_back(&self, database: &str, sql: &str, values: &[&str]) {
        let connection = rusqlite::Connection::open(self.folder.join(database)).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
        let changed = connection.execute(sql, rusqlite::params_from_iter(values)).unwrap();
        assert!(changed > 0, "{sql}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What does not stop ends with this process.
        let _ = Command::new(script("stop")).arg(&self.folder).status();
    }
}

/// Whether a script of `tests/real` says that what it needs is not installed, which a line on the output then tells. With `CI` set
/// that is a failure.
#[expect(
    clippy::print_stdout,
    reason = "whoever runs the tests has to see that one was skipped"
)]
fn is_missing(output: &Output, name: &str, script: &str) -> bool {
    if output.status.code() != Some(3) {
        return false;
    }
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(
        std::env::var_os("CI").is_none(),
        "{name} must be installed in CI: {talk}"
    );
    println!(
        "skipped: `tests/real/{script}` installs what this test needs ({})",
        talk.trim()
    );
    true
}

/// What a tool of `tests/real` has printed. None where it is not installed on this machine, as with a system.
pub fn tool(name: &str, args: &[&str]) -> Option<(bool, String)> {
    let mut command = Command::new(script(name));
    let output = command.args(args).env("SYNCLINE_REAL_INSTALL", "no").output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    if is_missing(&output, name, name) {
        return None;
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Some((output.status.success(), format!("{said}{talk}")))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real").join(name)
}

/// A client of the machine's own servers.
pub fn http() -> reqwest::Client {
    // Another test may have done the same; the first one counts.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server is ours, and so is the size of its answers"
)]
pub async fn body(answer: Response) -> Vec<u8> {
    answer.bytes().await.unwrap().to_vec()
}

async fn json_of(answer: Response) -> Json {
    let status = answer.status();
    let body = body(answer).await;
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    if body.is_empty() {
        Json::Null
    } else {
        serde_json::from_slice(&body).unwrap()
    }
}

/// The ERP, as its own users see it.
pub struct Tryton {
    pub server: Server,
    http: reqwest::Client,
    session: Mutex<Option<String>>,
}

impl Tryton {
    pub fn new(server: Server) -> Self {
        Self {
            server,
            http: http(),
            session: Mutex::default(),
        }
    }

    /// Every party by its code.
    pub async fn book(&self) -> Book {
        let fields = json!(["code", "name", "active", "_timestamp"]);
        let params = json!([[], 0, null, [["id", "ASC"]], fields, { "active_test": false }]);
        let found = self.call("model.party.party.search_read", params).await;
        book(found.as_array().unwrap().iter().map(|party| {
            let seen = Seen {
                id: party["id"].to_string(),
                name: text(&party["name"]),
                active: party["active"] != json!(0) && party["active"] != json!(false),
                version: text(&party["_timestamp"]),
            };
            (text(&party["code"]), seen)
        }))
    }

    pub async fn create(&self, code: &str, name: &str) {
        self.call(
            "model.party.party.create",
            json!([[{ "code": code, "name": name }], {}]),
        )
        .await;
    }

    pub async fn write(&self, id: &str, values: Json) {
        let id: u64 = id.parse().unwrap();
        self.call("model.party.party.write", json!([[id], values, {}])).await;
    }

    pub async fn delete(&self, id: &str) {
        let id: u64 = id.parse().unwrap();
        self.call("model.party.party.delete", json!([[id], {}])).await;
    }

    /// Renames a party in the database itself.
    pub fn rename_behind_its_back(&self, code: &str, name: &str) {
        let sql = "update party_party set name = ?2 where code = ?1";
        self.server.behind_its_back("erp.sqlite", sql, &[code, name]);
    }

    /// Ends every session.
    pub fn forget_sessions(&self) {
        self.server.behind_its_back("erp.sqlite", "delete from ir_session", &[]);
    }

    /// What a method answers.
    pub async fn call(&self, method: &str, params: Json) -> Json {
        loop {
            let mut session = self.session.lock().await;
            if session.is_none() {
                *session = Some(self.sign_in().await);
            }
            let answer = self.post(session.as_deref(), method, &params).await;
            if answer.status() == 401 {
                *session = None;
                continue;
            }
            let mut answer = json_of(answer).await;
            assert_eq!(answer["error"], Json::Null, "{method}");
            return answer["result"].take();
        }
    }

    async fn sign_in(&self) -> String {
        let params = json!(["syncline", { "password": "erp-secret" }]);
        let answer = json_of(self.post(None, "common.db.login", &params).await).await;
        let (user, token) = (&answer["result"][0], text(&answer["result"][1]));
        format!("Session {}", BASE64_STANDARD.encode(format!("syncline:{user}:{token}")))
    }

    async fn post(&self, session: Option<&str>, method: &str, params: &Json) -> Response {
        let request = self.http.post(format!("{}/erp/rpc/", self.server.url));
        let request = session.into_iter().fold(request, |request, session| {
            request.header(header::AUTHORIZATION, session)
        });
        let body = json!({ "id": 1, "method": method, "params": params }).to_string();
        request
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await
            .unwrap()
    }
}

/// The CRM, as its own users see it.
pub struct Odata {
    pub server: Server,
    http: reqwest::Client,
}

impl Odata {
    pub fn new(server: Server) -> Self {
        Self { server, http: http() }
    }

    /// Every customer by its code.
    pub async fn book(&self) -> Book {
        // In one page: from page to page, what is made in between shifts the rest.
        let page = self.call(Method::GET, "Customers?$top=500&$count=true", None).await;
        let customers = page["value"].as_array().unwrap();
        assert_eq!(page["@odata.count"].as_u64().unwrap(), customers.len() as u64);
        book(customers.iter().map(|customer| {
            let seen = Seen {
                id: text(&customer["ID"]),
                name: text(&customer["name"]),
                active: customer["isActive"].as_bool().unwrap(),
                version: text(&customer["@odata.etag"]),
            };
            (text(&customer["code"]), seen)
        }))
    }

    pub async fn create(&self, code: &str, name: &str) {
        self.call(Method::POST, "Customers", Some(json!({ "code": code, "name": name })))
            .await;
    }

    pub async fn write(&self, id: &str, values: Json) {
        self.call(Method::PATCH, &format!("Customers({id})"), Some(values))
            .await;
    }

    pub async fn delete(&self, id: &str) {
        self.call(Method::DELETE, &format!("Customers({id})"), None).await;
    }

    /// Renames a customer in the database itself.
    pub fn rename_behind_its_back(&self, code: &str, name: &str) {
        let sql = "update crm_Customers set name = ?2 where code = ?1";
        self.server.behind_its_back("crm.sqlite", sql, &[code, name]);
    }

    async fn call(&self, method: Method, path: &str, body: Option<Json>) -> Json {
        let request = self
            .http
            .request(method, format!("{}/odata/v4/crm/{path}", self.server.url));
        let request = request
            .basic_auth("syncline", Some("crm-secret"))
            .header(header::IF_MATCH, "*");
        let request = body.into_iter().fold(request, |request, body| {
            request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_string())
        });
        json_of(request.send().await.unwrap()).await
    }
}

fn text(value: &Json) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// A code that comes twice is a record made twice.
fn book(records: impl Iterator<Item = (String, Seen)>) -> Book {
    let mut book = Book::new();
    for (code, seen) in records {
        assert!(book.insert(code.clone(), seen).is_none(), "{code} is there twice");
    }
    book
}
