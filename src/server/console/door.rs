//! The door of the console: who comes, whether their form is one of ours, and whether they may.

use std::net::IpAddr;

use axum::{
    body::Body,
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    form::{self, Form},
    frame::Frame,
    key::{self, Key},
    live::{self, Watch},
    openid::Ways,
    refusal, sign,
};
use crate::{
    server::{
        auth::{Caller, Demand, Proof, neighbourhood},
        error::{Problem, Result},
        extract,
        state::App,
    },
    store::session::Session,
};

/// What a page may load: our own style and script, nothing else, and no word of them within a page.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Where a request comes from, for those who count wrong passwords.
#[derive(Debug, Clone, Copy)]
pub struct Address(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let known = parts.extensions.get::<Self>().copied();
        known.ok_or_else(|| Problem::internal("the door was not passed"))
    }
}

/// Lets a request through to its page; `demand` says what the page asks of whoever comes.
pub async fn keep(State((app, demand)): State<(App, Option<Demand>)>, request: Request, next: Next) -> Response {
    let is_secure = app.settings().server.public_url.scheme() == "https";
    let known = key::cookie(request.headers(), key::name(is_secure)).and_then(Key::parse);
    let is_new = known.is_none();
    let key = known.unwrap_or_else(Key::random);
    let mut frame = Frame::new(request.uri(), request.headers(), &key, app.clock().now());
    frame.ways = Ways::of(&app);
    let passed = pass(&app, demand, &mut frame, (&key, is_new), request, next).await;
    let mut response = passed.unwrap_or_else(IntoResponse::into_response);
    // What a page refuses is told as a page, too.
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = if problem.status() == StatusCode::UNAUTHORIZED {
            sign::asked(frame, StatusCode::UNAUTHORIZED, None)
        } else {
            refusal::page(frame, &problem)
        };
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // With `no-referrer` browsers would not say which page a form comes from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let name = key::name(is_secure);
    let has_key = |line: &HeaderValue| line.as_bytes().starts_with(format!("{name}=").as_bytes());
    if is_new
        && !headers.get_all(header::SET_COOKIE).iter().any(has_key)
        && let Some(cookie) = key::set(Some(&key), is_secure)
    {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

async fn pass(
    app: &App,
    demand: Option<Demand>,
    frame: &mut Frame,
    (key, is_new): (&Key, bool),
    request: Request,
    next: Next,
) -> Result<Response> {
    if !is_new {
        frame.caller = caller(app, key, request.headers()).await?;
    }
    let address = neighbourhood(&request);
    let is_look = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut request = if is_look {
        request
    } else {
        // Nobody can come back to what was sent.
        super::MOUNT.clone_into(&mut frame.here);
        read(app, key, frame, request).await?
    };
    if let Some(demand) = demand {
        let caller = frame
            .caller
            .clone()
            .ok_or_else(|| Problem::unauthenticated("sign in"))?;
        let charged = app.charges().take(
            (caller.proof, &caller.reach),
            demand,
            app.clock().now().timestamp_micros(),
        );
        if let Some(wait) = charged.retry_after() {
            return Err(Problem::too_many_requests("you have asked for a lot within a moment").after(wait));
        }
        if let Some(refused) = caller.refusal(demand) {
            return Err(refused);
        }
        request.extensions_mut().insert(app.within(&caller.reach));
        request.extensions_mut().insert(caller);
    }
    let extensions = request.extensions_mut();
    extensions.insert(Address(address));
    extensions.insert(key.clone());
    let is_live = is_look && demand.is_some();
    extensions.insert(if is_live { frame.live() } else { frame.clone() });
    if let (true, Some(demand), true) = (is_look, demand, live::is_asked(request.headers())) {
        let (parts, _) = request.into_parts();
        let (app, key) = (app.clone(), key.clone());
        return live::tell(Watch {
            app,
            key,
            demand,
            parts,
            next,
        })
        .await;
    }
    Ok(if is_look {
        next.run(request).await
    } else {
        // What a form has begun is done to its end, even if the browser goes away.
        app.to_the_end(next.run(request)).await
    })
}

/// Whose session this is, which their asking is a use of.
async fn caller(app: &App, key: &Key, headers: &HeaderMap) -> Result<Option<Caller>> {
    let Some((caller, session)) = session(app, key).await? else {
        return Ok(None);
    };
    // A page that is left open keeps itself right, and nobody signed in.
    if live::is_by_hand(headers)
        && let Err(error) = app.store().touch_session(&key.hash(), &session).await
    {
        tracing::warn!(%error, "the last use of a session could not be noted");
    }
    Ok(Some(caller))
}

/// Whose session this is.
pub async fn session(app: &App, key: &Key) -> Result<Option<(Caller, Session)>> {
    let (hash, idle) = (key.hash(), app.settings().console.session_idle.duration());
    let found = app.store().session(&hash, idle).await?;
    let Some(session) = found.filter(|session| is_limited_as_asked(app, session)) else {
        return Ok(None);
    };
    let proof = Proof::Session(session.console_user_id);
    let (name, rights) = (session.name.as_str().into(), (session.role, session.reach.clone()));
    Ok(Some((Caller::new(app, proof, name, rights), session)))
}

/// Whether somebody who signed in at a provider is limited, where the settings let nobody from there see the whole house. A session that
/// is older than this setting is over.
fn is_limited_as_asked(app: &App, session: &Session) -> bool {
    let oidc = app.settings().console.oidc.as_ref();
    let is_limited = oidc.is_some_and(|oidc| oidc.tenant_claim.is_some() && oidc.house_value.is_none());
    !(is_limited && session.is_of_provider && session.reach.is_house())
}

/// Reads a form, if one of our pages has sent it.
async fn read(app: &App, key: &Key, frame: &mut Frame, request: Request) -> Result<Request> {
    let (mut parts, body) = request.into_parts();
    let stale = || Problem::forbidden("the form is not one that this browser was given: load the page again");
    if !form::is_from_here(&parts.headers, app.public_address("").as_str()) {
        return Err(stale());
    }
    let sent = Form::parse(&extract::whole(body, app.api_body_bytes_max()).await?);
    if !key.has_made(sent.text(form::WORD)) {
        return Err(stale());
    }
    form::local(sent.text("next")).clone_into(&mut frame.here);
    parts.extensions.insert(sent);
    Ok(Request::from_parts(parts, Body::empty()))
}
