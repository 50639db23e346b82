//! A browser without a screen: it keeps cookies and sends the forms that pages give it.

use syncline::{core::status::Role, server::console::user};
use url::form_urlencoded;

use super::{
    app::{TestApp, within},
    http::{self, Answer},
};

/// The password of everybody in the tests.
pub const PASSWORD: &str = "correct horse battery";

/// A browser at one server.
pub struct Visitor {
    pub address: String,
    /// `name=value` of every cookie.
    pub cookies: Vec<(String, String)>,
    /// The word of the form that was last given.
    pub form: String,
    pub language: &'static str,
}

impl Visitor {
    /// A browser that was never here.
    pub fn new(app: &TestApp) -> Self {
        Self {
            address: app.address.clone(),
            cookies: Vec::new(),
            form: String::new(),
            language: "en",
        }
    }

    /// The browser of a person with this role, who is signed in.
    pub async fn signed_in(app: &TestApp, role: Role) -> Self {
        let mut visitor = Self::new(app);
        person(app, role.as_str(), role).await;
        let answer = visitor.sign_in(role.as_str(), PASSWORD, "/console").await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(visitor.get("/console/systems").await.status, 200);
        visitor
    }

    /// The browser of a person with this role who is limited to these tenants, and signed in.
    pub async fn signed_in_within(app: &TestApp, role: Role, tenants: &[&str]) -> Self {
        let name = format!("{role}-of-{}", tenants.join("-"));
        user::add_within(&app.store, &name, (role, &within(tenants)), "test")
            .await
            .unwrap();
        user::set_password(&app.store, &name, PASSWORD.into(), "test")
            .await
            .unwrap();
        let mut visitor = Self::new(app);
        let answer = visitor.sign_in(&name, PASSWORD, "/console").await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(visitor.get("/console/systems").await.status, 200);
        visitor
    }

    pub async fn sign_in(&mut self, name: &str, password: &str, next: &str) -> Answer {
        self.get("/console/sign-in").await;
        let pairs = [("name", name), ("password", password), ("next", next)];
        self.post("/console/sign-in", &pairs).await
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    /// Sends a form as one of our pages would.
    pub async fn post(&mut self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("form", &self.form)
            .extend_pairs(pairs)
            .finish();
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        self.send("POST", path, &[form], body.as_bytes()).await
    }

    pub async fn send(&mut self, method: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("Accept-Language", self.language)];
        if !cookies.is_empty() {
            headers.push(("Cookie", cookies.as_str()));
        }
        headers.extend(more);
        let answer = http::send(&self.address, method, path, &headers, body).await;
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Answer) {
        for (_, line) in answer
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !line.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let text = answer.text();
        if let Some(rest) = text.split("name=\"form\" value=\"").nth(1) {
            rest.split('"').next().unwrap().clone_into(&mut self.form);
        }
    }
}

/// A person with a password.
pub async fn person(app: &TestApp, name: &str, role: Role) {
    user::add(&app.store, name, role, "test").await.unwrap();
    user::set_password(&app.store, name, PASSWORD.into(), "test")
        .await
        .unwrap();
}
