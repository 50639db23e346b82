//! What every page has around it: the language, who looks, the form's word, the address; and how a page is answered.

use askama::Template;
use axum::{
    Extension,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::{form::Form, key::Key, language::Language, live, openid::Ways, query, text::Texts};
use crate::{
    core::status::Role,
    server::{
        auth::Caller,
        error::{Problem, Result},
    },
};

/// How many rows a list shows.
const ROWS: &str = "50";
/// Parameters that are for the frame and not for the page.
const OWN: &[&str] = &["done", "of", "limit"];

/// What every page has around it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Every text, in the language of the page.
    pub t: &'static Texts,
    /// The language.
    pub language: Language,
    /// Who looks, once they have signed in.
    pub caller: Option<Caller>,
    /// The word that forms carry.
    pub form: String,
    /// The address of this page, to come back to.
    pub here: String,
    /// The time.
    pub now: DateTime<Utc>,
    /// How people sign in here.
    pub ways: Ways,
    /// Whether the page is kept right while it is open.
    pub is_live: bool,
    path: String,
    query: Vec<(String, String)>,
}

impl Frame {
    /// The frame of a request whose sender is not known yet.
    pub fn new(uri: &Uri, headers: &HeaderMap, key: &Key, now: DateTime<Utc>) -> Self {
        let language = Language::of(headers);
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self {
            t: language.texts(),
            language,
            caller: None,
            form: key.form_word(),
            here: uri.path_and_query().map_or_else(String::new, ToString::to_string),
            now,
            ways: Ways::default(),
            is_live: false,
            path: uri.path().to_owned(),
            query: query.into_owned().collect(),
        }
    }

    /// The frame of a page that says what was so when it was asked for.
    pub fn still(self) -> Self {
        Self { is_live: false, ..self }
    }

    /// The frame of a page that is kept right while it is open.
    pub fn live(&self) -> Self {
        Self {
            is_live: true,
            ..self.clone()
        }
    }

    /// The same frame for the same person, later.
    pub fn again(&self, caller: &Caller, now: DateTime<Utc>) -> Self {
        Self {
            caller: Some(caller.clone()),
            now,
            ..self.clone()
        }
    }

    /// The query of this page as `T`, which knows every parameter of its list; a page of it is one page here.
    pub fn asked<T: DeserializeOwned>(&self) -> Result<T> {
        self.read(&[("limit", ROWS)])
    }

    /// The query of this page as `T`, with some more said.
    pub fn read<T: DeserializeOwned>(&self, more: &[(&str, &str)]) -> Result<T> {
        let given = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let given = given.filter(|(name, _)| !OWN.contains(name));
        query::asked(given.chain(more.iter().copied()))
    }

    /// One parameter of this page, or nothing.
    pub fn param(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Whether a parameter has this value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.param(name) == value
    }

    /// This page with one parameter changed, from its first rows on; an empty value takes the parameter away.
    pub fn with(&self, name: &str, value: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = |known: &str| known != name && known != "cursor" && !OWN.contains(&known);
        query.extend_pairs(
            self.query
                .iter()
                .filter(|(known, value)| kept(known) && !value.is_empty()),
        );
        if !value.is_empty() {
            query.append_pair(name, value);
        }
        match query.finish() {
            query if query.is_empty() => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }

    /// The parameters of this page but for some, for links beside it.
    pub fn query_without(&self, without: &[&str]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = |known: &str| !without.contains(&known) && !OWN.contains(&known) && known != "cursor";
        query.extend_pairs(
            self.query
                .iter()
                .filter(|(known, value)| kept(known) && !value.is_empty()),
        );
        query.finish()
    }

    /// Whether a link of the menu is the one of this page.
    pub fn is_at(&self, path: &str) -> bool {
        let own = format!("{}{path}", super::MOUNT);
        self.path == own || (!path.is_empty() && self.path.starts_with(&format!("{own}/")))
    }

    /// What a form has just done, once.
    pub fn done(&self) -> Option<&'static str> {
        Done::named(self.param("done")).map(|done| done.text(self.t))
    }

    /// The name of whoever looks.
    pub fn name(&self) -> &str {
        self.caller.as_ref().map_or("", |caller| &caller.name)
    }

    /// The tenants that whoever looks is limited to; none where they see the whole house.
    pub fn tenants(&self) -> Option<String> {
        let text = self.caller.as_ref()?.reach.text()?;
        Some(text.replace(',', ", "))
    }

    /// Whoever looks, for the functions of the API; pages behind the door have somebody.
    pub fn caller(&self) -> Result<Extension<Caller>> {
        let caller = self.caller.clone();
        caller.map(Extension).ok_or_else(|| Problem::unauthenticated("sign in"))
    }

    /// Whether whoever looks may decide.
    pub fn is_operator(&self) -> bool {
        self.may(Role::Operator)
    }

    /// Whether personal data is masked for whoever looks until they give a reason.
    pub fn may_show(&self) -> bool {
        self.may(Role::Analyst) && self.caller.as_ref().is_some_and(|caller| caller.sight < Role::Analyst)
    }

    /// Whether whoever looks may do everything.
    pub fn is_admin(&self) -> bool {
        self.may(Role::Admin)
    }

    /// Whether whoever looks may see what concerns the whole house.
    pub fn is_admin_of_house(&self) -> bool {
        self.is_admin() && self.caller.as_ref().is_some_and(|caller| caller.reach.is_house())
    }

    fn may(&self, role: Role) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.role >= role)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Frame {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let frame = parts.extensions.get::<Self>().cloned();
        frame.ok_or_else(|| Problem::internal("the door was not passed"))
    }
}

/// A page.
pub struct Page<T>(pub T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(page) => {
                let html = HeaderValue::from_static("text/html; charset=utf-8");
                ([(header::CONTENT_TYPE, html)], live::stamped(page)).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "a page could not be rendered");
                Problem::internal("the page could not be made").into_response()
            }
        }
    }
}

macro_rules! done {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:ident;)+) => {
        /// What a form has done, told once on the page it leads back to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Done { $($(#[$doc])* $name),+ }

        impl Done {
            fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            fn named(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }

            fn text(self, texts: &'static Texts) -> &'static str {
                match self { $(Self::$name => texts.$text),+ }
            }
        }
    };
}

done! {
    /// Somebody has signed out.
    SignedOut = "signed-out", done_signed_out;
    /// Records will be looked at again.
    Reprocess = "reprocess", done_reprocess;
    /// A failure counts as none.
    FailureIgnored = "failure-ignored", done_failure_ignored;
    /// A decision is made.
    Decided = "decided", done_decided;
    /// A link is ended.
    Unlinked = "unlinked", done_unlinked;
    /// A rule is made or gone.
    Ignored = "ignored", done_ignored;
    /// A rule is gone.
    Unignored = "unignored", done_unignored;
    /// A run has begun.
    Begun = "begun", done_begun;
    /// A held run goes on.
    Released = "released", done_released;
    /// A held run is given up.
    Discarded = "discarded", done_discarded;
    /// A notice is sent again.
    Resent = "resent", done_resent;
}

/// The answer to a form: the page that it names, or the first one.
pub fn back(form: &Form, done: Done) -> Response {
    to(form.text("next"), Some(done))
}

/// The same, where so many things were begun that are not done yet.
pub fn back_of(form: &Form, done: Done, count: u64) -> Response {
    lead(form.text("next"), &[("done", done.code()), ("of", &count.to_string())])
}

/// Leads to one of our pages.
pub fn to(address: &str, done: Option<Done>) -> Response {
    match done {
        Some(done) => lead(address, &[("done", done.code())]),
        None => lead(address, &[]),
    }
}

fn lead(address: &str, news: &[(&str, &str)]) -> Response {
    let mut address = super::form::local(address).to_owned();
    if !news.is_empty() {
        // Not twice, where one thing after another is done from the same page.
        let (path, query) = address.split_once('?').unwrap_or((&address, ""));
        let is_old = |pair: &str| pair.starts_with("done=") || pair.starts_with("of=");
        let kept = query.split('&').filter(|pair| !pair.is_empty() && !is_old(pair));
        let news = news.iter().map(|(name, value)| format!("{name}={value}"));
        let pairs: Vec<String> = kept.map(str::to_owned).chain(news).collect();
        address = format!("{path}?{}", pairs.join("&"));
    }
    (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
}
