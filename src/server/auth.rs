//! Who asks, and what they may do: bearer tokens (RFC 6750), of which the store keeps hashes alone.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    charge::Charged,
    error::{Problem, Result},
    idempotency,
    rate::{Rates, Recent, Verdict},
    state::App,
};
use crate::{
    core::{period::Rate, status::Role, tenant::Reach},
    settings::SensitiveValues,
    store::{Error, Op, Store, api_token::NewApiToken},
};

/// What every token begins with, so that one that leaked is found by those who search for leaks.
const PREFIX: &str = "syncline_";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// By what somebody has proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// A token of the API, by our id of it.
    Token(i64),
    /// A session at the console, by our id of the person.
    Session(i64),
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// By what we know.
    pub proof: Proof,
    /// The name of the token or the person, as the audit shows it.
    pub name: Arc<str>,
    /// What they may do.
    pub role: Role,
    /// By which role personal data is shown to them: their own, or the least where the settings ask for a reason each time.
    pub sight: Role,
    /// How far they may see.
    pub reach: Arc<Reach>,
}

impl Caller {
    /// Somebody who has proved who they are.
    pub(super) fn new(app: &App, proof: Proof, name: Arc<str>, (role, reach): (Role, Reach)) -> Self {
        let sight = match app.settings().server.sensitive_values {
            SensitiveValues::Role => role,
            SensitiveValues::Reason => Role::Viewer,
        };
        Self {
            proof,
            name,
            role,
            sight,
            reach: Arc::new(reach),
        }
    }

    /// Why they may not do what this asks for, where they may not.
    pub(super) fn refusal(&self, demand: Demand) -> Option<Problem> {
        let whose = match self.proof {
            Proof::Token(_) => format!("the token `{}` has", self.name),
            Proof::Session(_) => "you have".to_owned(),
        };
        if self.role < demand.role {
            let detail = format!("this needs the role `{}`, {whose} `{}`", demand.role, self.role);
            return Some(Problem::forbidden(detail));
        }
        let tenants = self.reach.text().filter(|_| demand.is_of_house)?;
        let detail = format!("this concerns the whole house, {whose} a limit to tenants: `{tenants}`");
        Some(Problem::forbidden(detail))
    }
}

/// A token that was just made. It is shown once and kept by nobody.
pub struct Issued {
    /// Our id of it.
    pub api_token_id: i64,
    /// What its bearer sends.
    pub token: SecretString,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("api_token_id", &self.api_token_id)
            .finish_non_exhaustive()
    }
}

/// Makes a token with a role and an optional end, which sees the whole house.
pub async fn issue(
    store: &Store,
    name: &str,
    role: Role,
    expires_at: Option<DateTime<Utc>>,
) -> std::result::Result<Issued, Error> {
    issue_within(store, name, (role, &Reach::House), expires_at, |_| Vec::new()).await
}

/// Makes a token with a role and an optional end, which sees what is within its reach, together with what goes with the token of
/// this id.
pub async fn issue_within(
    store: &Store,
    name: &str,
    (role, reach): (Role, &Reach),
    expires_at: Option<DateTime<Utc>>,
    with: impl FnOnce(i64) -> Vec<Op> + Send,
) -> std::result::Result<Issued, Error> {
    let random = Zeroizing::new(rand::random::<[u8; TOKEN_BYTES]>());
    let token: SecretString = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(*random)).into();
    let new = NewApiToken {
        name: name.to_owned(),
        hash: hash(token.expose_secret()),
        role,
        reach: reach.clone(),
        expires_at,
    };
    let api_token_id = store.create_api_token(&new, with).await?;
    Ok(Issued { api_token_id, token })
}

/// The hash that is kept. A token is random, so a fast hash is as good as a slow one, and looking it up by its hash tells
/// nothing by the time it takes.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    /// The least role.
    pub role: Role,
    /// How many requests it counts for.
    pub cost: u32,
    /// Whether it concerns the whole house, so that nobody may who is limited to tenants.
    pub is_of_house: bool,
}

/// Keeps guessing slow: an address that sent too many wrong tokens or passwords is turned away before the store is asked.
///
/// Behind a proxy everybody has one address. A token that was right a moment ago is let through to the store whatever its
/// address, so that one wrong token does not lock the others out; a guess is never among them.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    failures: Rates<IpAddr>,
    known: Mutex<Recent<[u8; 32], ()>>,
}

impl Doorkeeper {
    pub fn new(rate: Rate, burst: u32) -> Self {
        Self {
            failures: Rates::new(rate, burst),
            known: Mutex::default(),
        }
    }

    /// What to say to an address before the token with this hash is looked up; none where it is to be looked up.
    pub fn refuse(&self, address: IpAddr, hash: &[u8; 32], now: i64) -> Option<Verdict> {
        let verdict = self.failures.look(&address, 1, now);
        verdict.retry_after?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).is_none().then_some(verdict)
    }

    pub fn was_wrong(&self, address: IpAddr, now: i64) {
        self.failures.take(address, 1, now);
    }

    pub fn was_right(&self, hash: [u8; 32]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&hash).is_none() {
            known.insert(hash, ());
        }
    }
}

/// Whom an address belongs to: one IPv4 address, or the network that a site has of IPv6.
pub(super) fn neighbourhood(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    match peer.map(|ConnectInfo(peer)| peer.ip().to_canonical()) {
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Some(address) => address,
        None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    }
}

/// Why somebody is not let in, and how the rate stands that says so.
type Refusal = (Problem, Option<Charged>);

/// Lets a request through to its handler if its token is good, fits its rate, and has the role.
pub(super) async fn guard(State((app, demand)): State<(App, Demand)>, mut request: Request, next: Next) -> Response {
    let address = neighbourhood(&request);
    let (caller, charged) = match admit(&app, address, request.headers(), demand).await {
        Ok(admitted) => admitted,
        Err((problem, charged)) => {
            let mut response = problem.into_response();
            if let Some(charged) = charged {
                charged.announce(response.headers_mut());
            }
            return response;
        }
    };
    let refused = match charged.retry_after() {
        Some(wait) => Some(Problem::too_many_requests("this token, or its tenant, has used up its rate").after(wait)),
        None => caller.refusal(demand),
    };
    let mut response = if let Some(problem) = refused {
        problem.into_response()
    } else {
        let is_look = matches!(*request.method(), Method::GET | Method::HEAD);
        let extensions = request.extensions_mut();
        extensions.insert(app.within(&caller.reach));
        extensions.insert(caller.clone());
        if is_look {
            next.run(request).await
        } else {
            idempotency::once(&app, &caller, request, next).await
        }
    };
    charged.announce(response.headers_mut());
    response
}

async fn admit(
    app: &App,
    address: IpAddr,
    headers: &HeaderMap,
    demand: Demand,
) -> std::result::Result<(Caller, Charged), Refusal> {
    let token = bearer(headers).map_err(|problem| (problem, None))?;
    let unknown = || Problem::unauthenticated("the token is unknown, revoked or past its end");
    // Whatever is no token of ours costs no look into the store, and is no guess.
    let is_token = token.starts_with(PREFIX) && token.len() == PREFIX.len() + (TOKEN_BYTES * 4).div_ceil(3);
    if !is_token {
        return Err((unknown(), None));
    }
    let (hash, now) = (hash(token), app.clock().now().timestamp_micros());
    if let Some(verdict) = app.doorkeeper().refuse(address, &hash, now) {
        let wait = verdict.retry_after.unwrap_or_default();
        let problem = Problem::too_many_requests("this address has sent too many wrong tokens").after(wait);
        return Err((problem, Some(Charged::guesses(verdict))));
    }
    let found = app.store().api_token(&hash).await;
    let Some(found) = found.map_err(|error| (error.into(), None))? else {
        app.doorkeeper().was_wrong(address, now);
        return Err((unknown(), None));
    };
    app.doorkeeper().was_right(hash);
    let proof = Proof::Token(found.api_token_id);
    let charged = app.charges().take((proof, &found.reach), demand, now);
    if let Err(error) = app.store().touch_api_token(&found).await {
        tracing::warn!(%error, "the last use of a token could not be noted");
    }
    let caller = Caller::new(app, proof, found.name.into(), (found.role, found.reach));
    Ok((caller, charged))
}

/// The token of `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Result<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::unauthenticated(
            "send one header `Authorization: Bearer <token>`",
        ));
    };
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Problem::unauthenticated(
            "send the header `Authorization: Bearer <token>`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_one_bearer_token_is_read() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned).ok()
        };
        assert_eq!(of(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(of(&["bearer  abc "]).as_deref(), Some("abc"));
        for bad in [&[][..], &["abc"], &["Basic abc"], &["Bearer a", "Bearer b"]] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }
}
