//! Signing in and out, and the link that sets a password.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::{
    door::Address,
    form::{self, Form},
    frame::{self, Done, Frame, Page},
    key::{self, Key},
    language::Language,
    openid, password, user,
};
use crate::{
    server::{
        error::{Problem, Result},
        extract::Within,
        state::App,
    },
    store::{session::NewSession, user::User},
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    f: Frame,
    next: String,
    /// Why it did not work.
    trouble: Option<&'static str>,
    /// What it is about, in the provider's words.
    words: Vec<String>,
}

/// Asks whoever comes to sign in; afterwards they are led to where they wanted to go.
pub fn asked(f: Frame, status: StatusCode, trouble: Option<&'static str>) -> Response {
    told(f, status, trouble, Vec::new())
}

/// The same, with words of others about what went wrong.
pub fn told(f: Frame, status: StatusCode, trouble: Option<&'static str>, words: Vec<String>) -> Response {
    let wanted = if f.is_at("/sign-in") {
        f.param("next")
    } else {
        f.here.as_str()
    };
    let next = form::local(wanted).to_owned();
    let page = SignIn {
        f,
        next,
        trouble,
        words,
    };
    (status, Page(page)).into_response()
}

/// `GET /sign-in`
pub async fn page(f: Frame) -> Response {
    if f.caller.is_some() {
        return frame::to(f.param("next"), None);
    }
    asked(f, StatusCode::OK, None)
}

/// Makes what is remembered of right passwords worthless to whoever reads our memory later.
static SALT: LazyLock<[u8; 32]> = LazyLock::new(rand::random);

/// `POST /sign-in`
pub async fn sign_in(
    State(app): State<App>,
    Extension(old): Extension<Key>,
    Address(address): Address,
    f: Frame,
    sent: Form,
) -> Result<Response> {
    by_password(&app)?;
    let (name, given) = (sent.text("name").trim().to_lowercase(), sent.text("password"));
    let tried: [u8; 32] = Sha256::new()
        .chain_update(*SALT)
        .chain_update((name.len() as u64).to_be_bytes())
        .chain_update(&name)
        .chain_update(given)
        .finalize()
        .into();
    let now = app.clock().now().timestamp_micros();
    if let Some(verdict) = app.doorkeeper().refuse(address, &tried, now) {
        let wait = verdict.retry_after.unwrap_or_default();
        return Err(Problem::too_many_requests("this address has sent too many wrong passwords").after(wait));
    }
    let found = app.store().user(&name).await?;
    let hash = match &found {
        Some(user) => app.store().user_password(user.console_user_id).await?,
        None => None,
    };
    let is_right = password::is_right(SecretString::from(given), hash).await;
    let Some(user) = found.filter(|_| is_right) else {
        app.doorkeeper().was_wrong(address, now);
        let (trouble, next) = (Some(f.t.sign_in_wrong), form::local(sent.text("next")).to_owned());
        let page = SignIn {
            f,
            next,
            trouble,
            words: Vec::new(),
        };
        return Ok((StatusCode::UNAUTHORIZED, Page(page)).into_response());
    };
    app.doorkeeper().was_right(tried);
    // Whoever gave this browser the word it had before does not know the new one.
    app.store().end_session(&old.hash()).await?;
    begin(&app, user.console_user_id, &user.name, sent.text("next"), None).await
}

/// Where people sign in elsewhere alone, a password opens nothing.
fn by_password(app: &App) -> Result<()> {
    if app.settings().console.has_local_users() {
        return Ok(());
    }
    Err(Problem::forbidden(
        "nobody signs in by a password here: the settings name an OpenID provider and no `local_users`",
    ))
}

/// Begins a session under a new key, and leads on.
pub async fn begin(
    app: &App,
    console_user_id: i64,
    name: &str,
    next: &str,
    detail: Option<String>,
) -> Result<Response> {
    let key = Key::random();
    let longest = TimeDelta::from_std(app.settings().console.session_longest.duration()).unwrap_or_default();
    let session = NewSession {
        hash: &key.hash(),
        console_user_id,
        ends_at: app.clock().now() + longest,
    };
    let told = user::noted(&format!("console:{name}"), "session.begin", name, detail);
    app.store().begin_session(session, told).await?;
    Ok(with_key(app, frame::to(next, None), Some(&key)))
}

fn with_key(app: &App, mut response: Response, key: Option<&Key>) -> Response {
    let is_secure = app.settings().server.public_url.scheme() == "https";
    if let Some(cookie) = key::set(key, is_secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `POST /sign-out`
pub async fn sign_out(State(app): State<App>, Extension(key): Extension<Key>, f: Frame) -> Result<Response> {
    let is_at_provider = match &f.caller {
        Some(caller) => app
            .store()
            .user(&caller.name)
            .await?
            .is_some_and(|user| user.subject.is_some()),
        None => false,
    };
    app.store().end_session(&key.hash()).await?;
    if is_at_provider && let Some(page) = openid::end(&app, &f).await {
        return Ok(with_key(&app, page, None));
    }
    let address = format!("{}/sign-in", super::MOUNT);
    Ok(with_key(&app, frame::to(&address, Some(Done::SignedOut)), None))
}

/// `POST /language`
pub async fn language(sent: Form) -> Result<Response> {
    let language = Language::tagged(sent.text("language"));
    let language = language.ok_or_else(|| Problem::invalid("the pages speak `en` and `pt-BR`"))?;
    let mut response = frame::to(sent.text("next"), None);
    response.headers_mut().append(header::SET_COOKIE, language.remember());
    Ok(response)
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    f: Frame,
    name: String,
    chars_min: usize,
    trouble: Option<&'static str>,
}

/// The person whose link this is. A guess counts like a wrong password.
async fn invited(app: &App, address: Address, token: &str) -> Result<(Key, String)> {
    by_password(app)?;
    let unknown = || Problem::not_found("the link was used, is too old, or never was one: ask for another one");
    let key = Key::parse(token).ok_or_else(unknown)?;
    let (hash, now) = (key.hash(), app.clock().now().timestamp_micros());
    if let Some(verdict) = app.doorkeeper().refuse(address.0, &hash, now) {
        let wait = verdict.retry_after.unwrap_or_default();
        return Err(Problem::too_many_requests("this address has tried too many links").after(wait));
    }
    let Some(user) = app.store().user_by_link(&hash).await? else {
        app.doorkeeper().was_wrong(address.0, now);
        return Err(unknown());
    };
    Ok((key, user.name))
}

/// `GET /link/{token}`
pub async fn link(
    State(app): State<App>,
    address: Address,
    f: Frame,
    Within(token): Within<String>,
) -> Result<Response> {
    let (_, name) = invited(&app, address, &token).await?;
    Ok(link_page(f, name, StatusCode::OK, None))
}

fn link_page(f: Frame, name: String, status: StatusCode, trouble: Option<&'static str>) -> Response {
    let chars_min = password::CHARS_MIN;
    let page = LinkPage {
        f,
        name,
        chars_min,
        trouble,
    };
    (status, Page(page)).into_response()
}

/// `POST /link/{token}`: sets the password and signs in; the link is used up.
pub async fn redeem(
    State(app): State<App>,
    address: Address,
    f: Frame,
    Within(token): Within<String>,
    sent: Form,
) -> Result<Response> {
    let (key, name) = invited(&app, address, &token).await?;
    let given = sent.text("password");
    let trouble = if !password::is_good(given) {
        Some(f.t.password_bad)
    } else if given != sent.text("again") {
        Some(f.t.password_differs)
    } else {
        None
    };
    if trouble.is_some() {
        return Ok(link_page(f, name, StatusCode::UNPROCESSABLE_ENTITY, trouble));
    }
    let hash = user::hashed(given.into()).await;
    let hash = hash.map_err(|error| Problem::internal(error.to_string()))?;
    let told = |user: &User| user::noted(&format!("console:{}", user.name), "user.password", &user.name, None);
    let Some(user) = app.store().redeem_user_link(&key.hash(), &hash, told).await? else {
        return Err(Problem::conflict("the link was used a moment ago"));
    };
    begin(&app, user.console_user_id, &user.name, super::MOUNT, None).await
}
