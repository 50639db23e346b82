//! Signing in: fixed credentials, signatures, OAuth 2.0 tokens and sessions.
//!
//! A token is got by one sign-in that all tasks share, kept in a store, and looked for there again before the next
//! sign-in, since another process may have renewed it. A sign-in that was refused is not tried again at once: repeated
//! attempts lock accounts. What is renewed by a refresh token has rules of its own ([`refresh`]).

mod der;
mod endpoint;
mod fixed;
mod key;
mod login;
mod oauth2;
mod provider;
mod refresh;
mod revoke;
mod session;
mod standing;
mod token;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Mutex, OnceCell};

pub(super) use self::key::Identity;
use self::{fixed::Signature, oauth2::Granted, provider::Provider};
pub use self::{
    login::{LoggedOut, Login},
    standing::{Standing, State as StandingState},
    token::{Kept, NoTokens, Pending, Saved, Token, TokenStore, Turn},
};
use super::{
    budget::Road,
    exchange::{Exchange, Refused},
    redact::Secrets,
    write::Outcome,
};
use crate::{
    core::{
        connector::{auth::Auth, request::Call, sign::Moment},
        expr::{Scope, Template},
        fault::Fault,
        status::{FailureClass, Stage},
        value::{Map, Value, json},
    },
    seam,
};

/// The part of a token's life after which it is renewed, in percent: 80, give or take a tenth, so that the nodes that
/// share a token do not all renew it at once.
const LIFE_PERCENT: std::ops::RangeInclusive<u32> = 72..=88;
/// A longer life is not believed; it only means that the token is renewed earlier than it had to be.
const LIFE_MAX: Duration = Duration::from_hours(24 * 365);
/// How long a refused sign-in is not tried again.
const REFUSED_REST: TimeDelta = TimeDelta::seconds(30);

/// How one system is signed in to.
pub(super) struct Authenticator {
    credentials: BTreeMap<String, SecretString>,
    /// The same, as templates see them.
    scope: OnceLock<Scope>,
    fixed: OnceLock<Signature>,
    got_with: OnceLock<String>,
    provider: OnceCell<Provider>,
    secrets: Secrets,
    tokens: Arc<dyn TokenStore>,
    current: Mutex<State>,
    /// Sign-ins that ended, well or not.
    sign_ins: AtomicU64,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    /// Grows with every renewal, so that tasks refused with an old token do not renew the new one.
    version: u64,
    /// The newest version of the store's token that we know.
    kept: Option<i64>,
    /// The store's token of our credentials, as it was last seen: it may be renewed by what stands in it.
    shelved: Option<Token>,
    /// A renewed token that the store has not taken yet. It must not be used before: what it was renewed by is used up, and
    /// only it leads on.
    unsaved: Option<Token>,
    failed: Option<Failed>,
}

/// A sign-in that came to nothing.
struct Failed {
    refused: Refused,
    /// Which sign-in it was.
    number: u64,
    /// Not tried again before this time.
    rests_until: Option<DateTime<Utc>>,
}

/// How a refused token was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewed {
    /// By one that another task or process had got.
    Found,
    /// By signing in.
    SignedIn,
}

impl State {
    fn usable(&self, now: DateTime<Utc>) -> Option<&Arc<Token>> {
        self.token.as_ref().filter(|token| token.is_usable(now))
    }

    fn adopt(&mut self, token: Token) -> Arc<Token> {
        let token = Arc::new(token);
        self.version += 1;
        self.failed = None;
        self.token = Some(Arc::clone(&token));
        token
    }
}

impl Authenticator {
    pub(super) fn new(credentials: BTreeMap<String, SecretString>, tokens: Arc<dyn TokenStore>) -> Self {
        let secrets = Secrets::default();
        for secret in credentials.values() {
            secrets.add(secret.expose_secret());
        }
        Self {
            credentials,
            scope: OnceLock::new(),
            fixed: OnceLock::new(),
            got_with: OnceLock::new(),
            provider: OnceCell::new(),
            secrets,
            tokens,
            current: Mutex::default(),
            sign_ins: AtomicU64::new(0),
        }
    }

    /// What must never be shown: credentials, and the tokens got with them.
    pub(super) const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// When the current token is renewed; nobody waits for a sign-in to hear it.
    pub(super) fn renews_at(&self) -> Option<DateTime<Utc>> {
        let state = self.current.try_lock().ok()?;
        state.token.as_ref()?.renew_at
    }

    /// Whether a refused token can be replaced.
    pub(super) fn can_renew(exchange: &Exchange) -> bool {
        exchange.connector.auth.is_got()
    }

    fn scope(&self, exchange: &Exchange) -> &Scope {
        self.scope.get_or_init(|| {
            let mut scope = Scope::new().with("credentials", as_map(&self.credentials));
            scope.set("settings", Arc::clone(&exchange.settings));
            scope
        })
    }

    /// What a template of `auth` comes to; nothing where it comes to none.
    fn text(&self, exchange: &Exchange, template: &Template) -> String {
        let text = template.text(self.scope(exchange), |text| text);
        text.ok().flatten().unwrap_or_default()
    }

    fn credential(&self, exchange: &Exchange, name: &str) -> Result<&SecretString, Refused> {
        self.credentials.get(name).ok_or_else(|| {
            let message = format!("system `{}`: credential `{name}` is missing", exchange.name);
            refused(
                "AU003",
                message,
                "add it under `credentials` of the system in the configuration",
            )
        })
    }

    /// Adds to a call what proves who we are, and says which version of the token that is.
    pub(super) async fn sign(&self, exchange: &Exchange, call: &mut Call, road: Road) -> Result<u64, Refused> {
        if Self::can_renew(exchange) {
            let (token, version) = self.token(exchange, road).await?;
            let headers = token.headers.iter();
            call.headers
                .extend(headers.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())));
            return Ok(version);
        }
        let signature = if let Some(signature) = self.fixed.get() {
            signature
        } else {
            let signature = Signature::of(exchange, self.scope(exchange))?;
            signature.note(&self.secrets);
            self.fixed.get_or_init(|| signature)
        };
        let nonce = format!("{:016x}", seam::number());
        let moment = Moment {
            at: exchange.clock.now(),
            nonce: &nonce,
        };
        signature.put(exchange, self.scope(exchange), call, moment)?;
        Ok(0)
    }

    /// The current token; signs in where there is none that lasts.
    async fn token(&self, exchange: &Exchange, road: Road) -> Result<(Arc<Token>, u64), Refused> {
        let seen = self.sign_ins.load(Ordering::SeqCst);
        let mut state = self.current.lock().await;
        if let Some(token) = state.usable(exchange.clock.now()) {
            return Ok((Arc::clone(token), state.version));
        }
        let (token, _) = self.replace(exchange, &mut state, road, seen).await?;
        Ok((token, state.version))
    }

    /// Replaces the token of version `used`, which was refused. Tasks that were refused at the same time share one sign-in.
    pub(super) async fn renew(&self, exchange: &Exchange, road: Road, used: u64) -> Result<Renewed, Refused> {
        let seen = self.sign_ins.load(Ordering::SeqCst);
        let mut state = self.current.lock().await;
        if state.version != used && state.usable(exchange.clock.now()).is_some() {
            return Ok(Renewed::Found);
        }
        self.replace(exchange, &mut state, road, seen)
            .await
            .map(|(_, renewed)| renewed)
    }

    /// Another token than the current one: the store's, where that is new to us, or one more sign-in. `seen` is how many
    /// sign-ins had ended when the caller began to wait.
    async fn replace(
        &self,
        exchange: &Exchange,
        state: &mut State,
        road: Road,
        seen: u64,
    ) -> Result<(Arc<Token>, Renewed), Refused> {
        let now = exchange.clock.now();
        if let Some(unsaved) = state.unsaved.take() {
            return self.keep(exchange, state, unsaved).await;
        }
        if let Some(token) = self.look(exchange, state).await {
            return Ok((state.adopt(token), Renewed::Found));
        }
        if let Some(failed) = &state.failed
            && (failed.number > seen || failed.rests_until.is_some_and(|until| now < until))
        {
            return Err(failed.refused.clone());
        }
        let replaced = match exchange.connector.auth.oauth2() {
            Some(oauth2) if oauth2.grant.refreshes() => self.refresh(exchange, oauth2, state, road).await,
            _ => self.sign_in(exchange, state, road).await,
        };
        let number = self.sign_ins.fetch_add(1, Ordering::SeqCst) + 1;
        replaced.inspect_err(|refused| {
            let is_final = refused.fault.class == FailureClass::Auth;
            state.failed = Some(Failed {
                refused: refused.clone(),
                number,
                rests_until: is_final.then(|| now + REFUSED_REST),
            });
        })
    }

    /// Looks into the store: its token, where that is new to us, of our credentials, and lasts.
    async fn look(&self, exchange: &Exchange, state: &mut State) -> Option<Token> {
        let kept = self.tokens.load(&exchange.name).await;
        let version = kept.as_ref().map(|kept| kept.version);
        let is_new = version != state.kept;
        state.kept = version;
        let own = kept
            .map(|kept| kept.token)
            .filter(|token| token.got_with == self.got_with(exchange));
        if let Some(token) = &own {
            self.note(token);
        }
        state.shelved.clone_from(&own);
        own.filter(|token| is_new && token.is_usable(exchange.clock.now()))
    }

    async fn sign_in(
        &self,
        exchange: &Exchange,
        state: &mut State,
        road: Road,
    ) -> Result<(Arc<Token>, Renewed), Refused> {
        let token = match &exchange.connector.auth {
            Auth::OAuth2(oauth2) => {
                let granted = Box::pin(self.oauth2(exchange, oauth2, road)).await?;
                self.token_of(exchange, granted, None)
            }
            Auth::Session(session) => {
                let (headers, life) = Box::pin(self.session(exchange, session, road)).await?;
                let granted = Granted {
                    headers,
                    life,
                    refresh: None,
                    refresh_life: None,
                };
                self.token_of(exchange, granted, None)
            }
            _ => Token::default(),
        };
        // Where somebody else was quicker, ours stays in use here; theirs is looked at when ours is refused.
        if let Saved::As(version) = self.tokens.save(&exchange.name, &token, state.kept).await {
            state.kept = Some(version);
        }
        Ok((state.adopt(token), Renewed::SignedIn))
    }

    /// The token of what was granted; `before` is what it was renewed by, which goes on where nothing takes its place
    /// (RFC 6749, section 6).
    fn token_of(&self, exchange: &Exchange, granted: Granted, before: Option<Token>) -> Token {
        let now = exchange.clock.now();
        let (mut refresh, mut refresh_ends_at) = (granted.refresh, granted.refresh_life.map(|life| after(now, life)));
        if let Some(before) = before {
            if refresh.is_none() {
                refresh_ends_at = refresh_ends_at.or(before.refresh_ends_at);
            }
            refresh = refresh.or(before.refresh);
        }
        let token = Token {
            headers: granted.headers,
            renew_at: granted.life.map(|life| renewal(now, life)),
            ends_at: granted.life.map(|life| after(now, life)),
            got_with: self.got_with(exchange).to_owned(),
            refresh,
            refresh_ends_at,
        };
        self.note(&token);
        token
    }

    /// A token's parts become secrets of their own.
    fn note(&self, token: &Token) {
        for (_, value) in &token.headers {
            let value = value.expose_secret();
            // Without the word before it, where there is one.
            let bare = value.split_once(' ').map_or(value, |(_, bare)| bare);
            self.secrets.add_passing(bare);
        }
        if let Some(refresh) = &token.refresh {
            self.secrets.add_passing(refresh.expose_secret());
        }
    }

    /// Which credentials, at which address, a token is got with. It stands nowhere but beside the token, sealed as that is.
    fn got_with(&self, exchange: &Exchange) -> &str {
        self.got_with.get_or_init(|| {
            let mut hasher = blake3::Hasher::new_derive_key("syncline 2026 what a token was got with");
            let mut add = |piece: &str| {
                hasher.update(&(piece.len() as u64).to_le_bytes());
                hasher.update(piece.as_bytes());
            };
            add(&exchange.connector.name);
            add(exchange.base.as_str());
            add(&json::to_string(&exchange.settings));
            let oauth2 = exchange.connector.auth.oauth2();
            // What a person agreed to outlives a new secret of the client and a longer list of scopes.
            let refreshes = oauth2.is_some_and(|oauth2| oauth2.grant.refreshes());
            if let Some(oauth2) = oauth2.filter(|_| !refreshes) {
                oauth2.scopes.iter().for_each(|scope| add(scope));
            }
            for (name, secret) in self
                .credentials
                .iter()
                .filter(|(name, _)| !refreshes || *name != "client_secret")
            {
                add(name);
                add(secret.expose_secret());
            }
            hex::encode(hasher.finalize().as_bytes())
        })
    }
}

/// Credentials as templates see them.
pub(super) fn as_map(credentials: &BTreeMap<String, SecretString>) -> Map {
    let credentials = credentials.iter();
    credentials
        .map(|(name, secret)| (name.clone(), Value::from(secret.expose_secret())))
        .collect()
}

/// When a token that lives this long from `now` on is renewed.
fn renewal(now: DateTime<Utc>, life: Duration) -> DateTime<Utc> {
    let percent = seam::between(*LIFE_PERCENT.start(), *LIFE_PERCENT.end());
    let part = life.min(LIFE_MAX) / 100 * percent;
    after(now, part)
}

/// The time that is so long after `now`.
fn after(now: DateTime<Utc>, life: Duration) -> DateTime<Utc> {
    let life = TimeDelta::from_std(life.min(LIFE_MAX)).unwrap_or(TimeDelta::zero());
    now.checked_add_signed(life).unwrap_or(now)
}

/// A sign-in that cannot be made, or was refused.
fn refused(code: &'static str, message: String, hint: &str) -> Refused {
    let fault = Fault::new(code, FailureClass::Auth, Stage::Fetch, message).with_hint(hint);
    Refused {
        fault,
        outcome: Outcome::NotWritten,
    }
}
