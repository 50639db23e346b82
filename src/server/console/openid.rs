//! Signing in at an OpenID provider, and out again.
//!
//! ```text
//!   sign-in ─▶ begin: a ticket in a cookie, off to the provider ─▶ back: state, code, token ─▶ person and role ─▶ session
//! ```
//!
//! State, nonce and verifier are made of the browser's key and the ticket, so that nothing is stored for strangers, and what one
//! browser has begun no other one can end. A ticket is used once; the browser's key is a new one after it.

use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use subtle::ConstantTimeEq as _;
use url::Url;

use super::{
    door::Address,
    form,
    frame::{Frame, Page},
    key::{self, Key},
    sign, user,
};
use crate::{
    client::{
        guard,
        identity::{Answer, Attempt, IdentityError, Person, Provider, ProviderConfig},
    },
    clock::Clock,
    core::{status::Role, tenant::Reach},
    server::{
        error::{Problem, Result},
        rate::Recent,
        state::App,
    },
    settings::{Oidc, Settings},
    store,
    telemetry::harmless,
};

/// How long somebody may take at their provider.
const LASTS: TimeDelta = TimeDelta::minutes(10);
/// Where people come back to; registered with the provider.
const BACK: &str = "/sign-in/openid/back";
/// The most values of a claim that are shown to the person whose they are.
const VALUES_SHOWN: usize = 20;

/// How people sign in here.
#[derive(Debug, Clone)]
pub struct Ways {
    /// The host of their provider.
    pub provider: Option<Arc<str>>,
    /// Whether a password is a way in.
    pub has_passwords: bool,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            provider: None,
            has_passwords: true,
        }
    }
}

impl Ways {
    /// The ways of this server.
    pub fn of(app: &App) -> Self {
        Self {
            provider: app.sign_on().map(|sign_on| Arc::clone(&sign_on.host)),
            has_passwords: app.settings().console.has_local_users(),
        }
    }
}

/// The provider of the settings, and which tickets were used up.
pub struct SignOn {
    provider: std::result::Result<Provider, String>,
    host: Arc<str>,
    used: Mutex<Recent<String, ()>>,
}

impl SignOn {
    /// That of the settings, if there is one.
    pub fn of(settings: &Settings, origin: &str, clock: &Clock) -> Option<Self> {
        let oidc = settings.console.oidc.as_ref()?;
        let provider = provider(oidc, settings, origin, clock);
        if let Err(why) = &provider {
            tracing::error!(why, "nobody can sign in at the identity provider");
        }
        let url = Url::parse(&oidc.issuer).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or(&oidc.issuer);
        Some(Self {
            provider,
            host: host.into(),
            used: Mutex::default(),
        })
    }

    fn provider(&self) -> std::result::Result<&Provider, Trouble> {
        self.provider.as_ref().map_err(|why| Trouble::Unreachable(why.clone()))
    }

    /// Whether a ticket is used now, and was not before.
    fn use_up(&self, state: &str) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = used.get(state).is_none();
        used.insert(state.to_owned(), ());
        is_first
    }
}

fn provider(oidc: &Oidc, settings: &Settings, origin: &str, clock: &Clock) -> std::result::Result<Provider, String> {
    let secret = oidc.client_secret.as_ref();
    let secret = secret.map(|secret| secret.read(&settings.variables)).transpose();
    let redirect = format!("{origin}{}{BACK}", super::MOUNT);
    let config = ProviderConfig {
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        client_secret: secret.map_err(|error| error.to_string())?,
        scopes: oidc.scopes.clone(),
        claims: std::iter::once(&oidc.role_claim)
            .chain(&oidc.tenant_claim)
            .cloned()
            .collect(),
        redirect: Url::parse(&redirect).map_err(|error| error.to_string())?,
        network: guard::Policy {
            allow: oidc.allow_networks.clone(),
            proxy: None,
        },
        clock: clock.clone(),
    };
    Provider::new(config).map_err(|error| error.to_string())
}

/// What a browser holds between leaving for its provider and coming back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ticket {
    /// Random, until when, and where to go on: in one word for the cookie.
    word: String,
    ends_at: DateTime<Utc>,
    next: String,
}

impl Ticket {
    fn new(now: DateTime<Utc>, next: &str) -> Self {
        let ends_at = now + LASTS;
        let next = form::local(next).to_owned();
        let random = Key::random();
        let encoded = BASE64_URL_SAFE_NO_PAD.encode(&next);
        let word = format!("{}.{}.{encoded}", random.word(), ends_at.timestamp());
        Self { word, ends_at, next }
    }

    fn parse(word: &str) -> Option<Self> {
        let mut parts = word.splitn(3, '.');
        let (_, ends_at, next) = (parts.next()?, parts.next()?, parts.next()?);
        let next = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(next).ok()?).ok()?;
        Some(Self {
            word: word.to_owned(),
            ends_at: DateTime::from_timestamp(ends_at.parse().ok()?, 0)?,
            next: form::local(&next).to_owned(),
        })
    }

    const fn name(is_secure: bool) -> &'static str {
        if is_secure {
            "__Host-syncline_openid"
        } else {
            "syncline_openid"
        }
    }
}

/// What belongs to one ticket in one browser.
struct Words {
    state: String,
    nonce: String,
    verifier: String,
}

impl Words {
    fn of(key: &Key, ticket: &Ticket) -> Self {
        Self {
            state: key.word_for("openid state", &ticket.word),
            nonce: key.word_for("openid nonce", &ticket.word),
            verifier: key.word_for("openid verifier", &ticket.word),
        }
    }

    fn attempt(&self) -> Attempt<'_> {
        Attempt {
            state: &self.state,
            nonce: &self.nonce,
            verifier: &self.verifier,
        }
    }
}

/// Why somebody did not get in.
enum Trouble {
    Stale,
    Denied(String),
    Unreachable(String),
    Unbelieved(String),
    NoRole(Vec<String>),
    NoTenant(Vec<String>),
    NameTaken(String),
    Refused(Problem),
}

impl From<IdentityError> for Trouble {
    fn from(error: IdentityError) -> Self {
        let why = error.to_string();
        match error {
            IdentityError::Unreachable(_) | IdentityError::Description(_) => Self::Unreachable(why),
            IdentityError::Refused(_) => Self::Denied(why),
            IdentityError::OtherIssuer | IdentityError::Token(_) => Self::Unbelieved(why),
        }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl Trouble {
    fn page(self, mut f: Frame) -> Response {
        // The address holds a code; nobody is to be led back to it.
        super::MOUNT.clone_into(&mut f.here);
        let t = f.t;
        let (status, text, words) = match self {
            Self::Refused(problem) => return problem.into_response(),
            Self::Stale => (StatusCode::BAD_REQUEST, t.openid_stale, Vec::new()),
            Self::Denied(why) => {
                tracing::warn!(why, "an identity provider let somebody not in");
                (StatusCode::FORBIDDEN, t.openid_denied, Vec::new())
            }
            Self::Unreachable(why) => {
                tracing::warn!(why, "an identity provider could not be asked");
                (StatusCode::BAD_GATEWAY, t.openid_unreachable, Vec::new())
            }
            Self::Unbelieved(why) => {
                tracing::error!(why, "an identity provider's answer is not believed");
                (StatusCode::BAD_GATEWAY, t.openid_unbelieved, Vec::new())
            }
            Self::NoRole(values) => (StatusCode::FORBIDDEN, t.openid_no_role, values),
            Self::NoTenant(values) => (StatusCode::FORBIDDEN, t.openid_no_tenant, values),
            Self::NameTaken(name) => (StatusCode::FORBIDDEN, t.openid_name_taken, vec![name]),
        };
        sign::told(f, status, Some(text), words)
    }
}

fn nowhere() -> Problem {
    Problem::not_found("the settings name no OpenID provider: `[console.oidc]`")
}

/// `GET /sign-in/openid`: off to the provider.
pub async fn begin(State(app): State<App>, Extension(key): Extension<Key>, f: Frame) -> Result<Response> {
    let sign_on = app.sign_on().ok_or_else(nowhere)?;
    let ticket = Ticket::new(app.clock().now(), f.param("next"));
    let words = Words::of(&key, &ticket);
    let left = async { Ok::<_, Trouble>(sign_on.provider()?.begin(words.attempt()).await?) };
    match left.await {
        Ok(address) => {
            let to = [(header::LOCATION, String::from(address))];
            let response = (StatusCode::SEE_OTHER, to).into_response();
            Ok(with_ticket(&app, response, Some(&ticket.word)))
        }
        Err(trouble) => Ok(trouble.page(f)),
    }
}

/// `GET /sign-in/openid/back`: what the provider sends people back with.
pub async fn back(
    State(app): State<App>,
    Extension(key): Extension<Key>,
    Address(address): Address,
    method: Method,
    headers: HeaderMap,
    f: Frame,
) -> Result<Response> {
    let sign_on = app.sign_on().ok_or_else(nowhere)?;
    // Who only asks for the head has not come back.
    if method == Method::HEAD {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let now = app.clock().now();
    let name = Ticket::name(is_secure(&app));
    let ticket = key::cookie(&headers, name).and_then(Ticket::parse);
    let ticket = ticket.filter(|ticket| now < ticket.ends_at);
    let came = async {
        let ticket = ticket.ok_or(Trouble::Stale)?;
        let words = Words::of(&key, &ticket);
        let is_ours = words.state.as_bytes().ct_eq(f.param("state").as_bytes());
        if !bool::from(is_ours) || !sign_on.use_up(&words.state) {
            return Err(Trouble::Stale);
        }
        let person = redeem(&app, sign_on, &words, address, &f).await?;
        let (console_user_id, name) = admit(&app, &person).await?;
        app.store().end_session(&key.hash()).await?;
        let detail = serde_json::json!({ "by": "openid" }).to_string();
        Ok(sign::begin(&app, console_user_id, &name, &ticket.next, Some(detail)).await?)
    };
    let response = match came.await {
        Ok(response) => response,
        Err(trouble) => trouble.page(f.clone()),
    };
    Ok(with_ticket(&app, response, None))
}

async fn redeem(
    app: &App,
    sign_on: &SignOn,
    words: &Words,
    address: std::net::IpAddr,
    f: &Frame,
) -> std::result::Result<Person, Trouble> {
    if !f.param("error").is_empty() {
        return Err(Trouble::Denied(format!("it says `{}`", harmless(f.param("error")))));
    }
    let code = f.param("code");
    if code.is_empty() {
        return Err(Trouble::Stale);
    }
    // A code that is none costs the provider a look: whoever makes up many is a guesser.
    let now = app.clock().now().timestamp_micros();
    if let Some(verdict) = app.doorkeeper().refuse(address, &[0; 32], now) {
        let wait = verdict.retry_after.unwrap_or_default();
        return Err(Problem::too_many_requests("this address has sent too many wrong codes")
            .after(wait)
            .into());
    }
    let issuer = Some(f.param("iss")).filter(|issuer| !issuer.is_empty());
    let answer = Answer { code, issuer };
    let found = sign_on.provider()?.finish(words.attempt(), answer).await;
    if found.is_err() {
        app.doorkeeper().was_wrong(address, now);
    }
    Ok(found?)
}

/// The person of our own who a person of the provider is, with the role of today.
async fn admit(app: &App, person: &Person) -> std::result::Result<(i64, String), Trouble> {
    let Some(oidc) = &app.settings().console.oidc else {
        return Err(nowhere().into());
    };
    // A subject is unique at its issuer alone.
    let subject = format!("{} {}", oidc.issuer, person.subject);
    let known = app.store().user_of(&subject).await?;
    let (role, said) = match rights(app, oidc, person) {
        Ok(rights) => rights,
        Err(trouble) => {
            if let Some(user) = known {
                app.store().end_sessions_of(user.console_user_id).await?;
            }
            return Err(trouble);
        }
    };
    if let Some(user) = known {
        // Where the provider says nothing of tenants, what a person of ours has said stays.
        let reach = said.unwrap_or_else(|| user.reach.clone());
        if user.role != role || user.reach != reach {
            let detail = user::rights(role, &reach).to_string();
            let told = user::noted("openid", "user.role", &user.name, Some(detail));
            app.store()
                .set_user_rights(user.console_user_id, role, &reach, told)
                .await?;
        }
        return Ok((user.console_user_id, user.name));
    }
    let reach = said.unwrap_or_default();
    let given = [oidc.name_claim.as_str(), "email", "sub"];
    let given = given.iter().find_map(|claim| person.texts(claim).first().copied());
    let name = user::spelled(given.unwrap_or(&person.subject));
    let detail = serde_json::json!({ "role": role, "tenants": reach, "by": "openid" }).to_string();
    let told = user::noted("openid", "user.add", &name, Some(detail));
    match app.store().add_user_of(&subject, &name, (role, &reach), told).await {
        Ok(console_user_id) => Ok((console_user_id, name)),
        // Never taken for the other one: names are the provider's people's to choose.
        Err(store::Error::Conflict { .. }) => Err(Trouble::NameTaken(name)),
        Err(error) => Err(error.into()),
    }
}

/// What the provider's claims let somebody do, and how far they let them see, where they say that.
fn rights(app: &App, oidc: &Oidc, person: &Person) -> std::result::Result<(Role, Option<Reach>), Trouble> {
    let shown = |values: &[&str]| {
        let shown = values.iter().take(VALUES_SHOWN).map(|value| (*value).to_owned());
        shown.collect::<Vec<String>>()
    };
    let values = person.texts(&oidc.role_claim);
    let role = oidc.role(&values).ok_or_else(|| Trouble::NoRole(shown(&values)))?;
    let Some(claim) = &oidc.tenant_claim else {
        return Ok((role, None));
    };
    let values = person.texts(claim);
    let reach = oidc.reach(&values, &app.owners().tenants());
    let reach = reach.ok_or_else(|| Trouble::NoTenant(shown(&values)))?;
    Ok((role, Some(reach)))
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOut {
    f: Frame,
    provider: Arc<str>,
    address: String,
}

/// Where the provider ends its own session; none where it has no such place.
pub async fn end(app: &App, f: &Frame) -> Option<Response> {
    let sign_on = app.sign_on()?;
    let back = app.public_address(&format!("{}/sign-in", super::MOUNT));
    let address: String = sign_on.provider.as_ref().ok()?.end(&back).await?.into();
    let refresh = HeaderValue::from_str(&format!("0; url={address}")).ok()?;
    let mut f = f.clone();
    f.caller = None;
    let page = SignedOut {
        f,
        provider: Arc::clone(&sign_on.host),
        address,
    };
    // A form of ours may lead nowhere else (`form-action`), a page may.
    let mut response = Page(page).into_response();
    response.headers_mut().insert(header::REFRESH, refresh);
    Some(response)
}

fn is_secure(app: &App) -> bool {
    app.settings().server.public_url.scheme() == "https"
}

fn with_ticket(app: &App, mut response: Response, word: Option<&str>) -> Response {
    let is_secure = is_secure(app);
    if let Some(cookie) = key::kept(Ticket::name(is_secure), word, is_secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_comes_back_as_it_left_and_belongs_to_one_browser() {
        let now = "2026-05-04T08:00:00Z".parse().unwrap();
        let ticket = Ticket::new(now, "/console/runs?status=held");
        assert_eq!(Ticket::parse(&ticket.word), Some(ticket.clone()));
        assert_eq!(Ticket::new(now, "https://evil.example").next, "/console");
        for bad in ["", ".", "..", "x.y.z", "x.99999999999999999999.", "x.1.!"] {
            assert_eq!(Ticket::parse(bad), None, "{bad}");
        }
        let (one, other) = (Key::random(), Key::random());
        let words = Words::of(&one, &ticket);
        assert_ne!(words.state, Words::of(&other, &ticket).state);
        assert_ne!(words.state, words.nonce);
        assert_eq!(words.verifier.len(), 43, "as long as RFC 7636 asks for");
        let longer = ticket.word.replace('.', ".9");
        assert_ne!(words.state, Words::of(&one, &Ticket { word: longer, ..ticket }).state);
    }
}
