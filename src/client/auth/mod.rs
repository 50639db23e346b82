//! Signing in: fixed credentials, OAuth 2.0 tokens and sessions.
//!
//! A token is got by one sign-in that all tasks share, kept in a store, and looked for there again before the next
//! sign-in, since another process may have renewed it. A sign-in that was refused is not tried again at once: repeated
//! attempts lock accounts.

mod fixed;
mod oauth2;
mod session;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use self::fixed::Signature;
use super::{
    budget::Road,
    exchange::{Exchange, Refused},
    redact::Secrets,
    write::Outcome,
};
use crate::{
    core::{
        connector::{Auth, request::Call},
        expr::Scope,
        fault::Fault,
        status::{FailureClass, Stage},
        value::{Map, Value, json},
    },
    seam,
};

/// A token or session as it is kept between requests and starts.
#[derive(Clone)]
pub struct Token {
    /// Headers that prove who we are, by name.
    pub headers: Vec<(String, SecretString)>,
    /// When it has to be renewed; never, as far as is known, where nothing is said.
    pub renew_at: Option<DateTime<Utc>>,
    /// A fingerprint of the credentials and the address it was got with: other ones never use it.
    pub got_with: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("renew_at", &self.renew_at)
            .finish_non_exhaustive()
    }
}

/// A token of the store.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The token.
    pub token: Token,
    /// Grows with every replacement, whoever replaces it.
    pub version: i64,
}

/// A future that a [`TokenStore`] answers with.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps tokens between starts, for all processes. A store that fails only costs another sign-in.
pub trait TokenStore: Send + Sync {
    /// The kept token of a system.
    fn load<'a>(&'a self, system: &'a str) -> Pending<'a, Option<Kept>>;
    /// Keeps a token in place of the one with version `replaces` (none: there is none yet); its own version, or none where
    /// it was not kept because somebody else was quicker.
    fn save<'a>(&'a self, system: &'a str, token: &'a Token, replaces: Option<i64>) -> Pending<'a, Option<i64>>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTokens;

impl TokenStore for NoTokens {
    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<Kept>> {
        Box::pin(std::future::ready(None))
    }

    fn save<'a>(&'a self, _: &'a str, _: &'a Token, _: Option<i64>) -> Pending<'a, Option<i64>> {
        Box::pin(std::future::ready(None))
    }
}

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

impl Token {
    fn is_usable(&self, now: DateTime<Utc>) -> bool {
        self.renew_at.is_none_or(|at| now < at)
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
        matches!(exchange.connector.auth, Auth::OAuth2(_) | Auth::Session(_))
    }

    fn scope(&self, exchange: &Exchange) -> &Scope {
        self.scope.get_or_init(|| {
            let credentials: Map = self
                .credentials
                .iter()
                .map(|(name, secret)| (name.clone(), Value::from(secret.expose_secret())))
                .collect();
            let mut scope = Scope::new().with("credentials", credentials);
            scope.set("settings", Arc::clone(&exchange.settings));
            scope
        })
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
        signature.put(call);
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
        let kept = self.tokens.load(&exchange.name).await;
        let version = kept.as_ref().map(|kept| kept.version);
        let is_new = version != state.kept;
        state.kept = version;
        let got_with = self.got_with(exchange);
        if let Some(Kept { token, .. }) = kept.filter(|_| is_new)
            && token.got_with == got_with
            && token.is_usable(now)
        {
            self.note(&token);
            return Ok((state.adopt(token), Renewed::Found));
        }
        if let Some(failed) = &state.failed
            && (failed.number > seen || failed.rests_until.is_some_and(|until| now < until))
        {
            return Err(failed.refused.clone());
        }
        let signed_in = self.sign_in(exchange, road).await;
        let number = self.sign_ins.fetch_add(1, Ordering::SeqCst) + 1;
        match signed_in {
            Ok(token) => {
                self.note(&token);
                // Where somebody else was quicker, ours stays in use here; theirs is looked at when ours is refused.
                let saved = self.tokens.save(&exchange.name, &token, state.kept).await;
                state.kept = saved.or(state.kept);
                Ok((state.adopt(token), Renewed::SignedIn))
            }
            Err(refused) => {
                let is_final = refused.fault.class == FailureClass::Auth;
                state.failed = Some(Failed {
                    refused: refused.clone(),
                    number,
                    rests_until: is_final.then(|| now + REFUSED_REST),
                });
                Err(refused)
            }
        }
    }

    async fn sign_in(&self, exchange: &Exchange, road: Road) -> Result<Token, Refused> {
        let (headers, life) = match &exchange.connector.auth {
            Auth::OAuth2(oauth2) => self.oauth2(exchange, oauth2, road).await?,
            Auth::Session(session) => Box::pin(self.session(exchange, session, road)).await?,
            _ => (Vec::new(), None),
        };
        Ok(Token {
            headers,
            renew_at: life.map(|life| renewal(exchange.clock.now(), life)),
            got_with: self.got_with(exchange).to_owned(),
        })
    }

    /// A token's parts become secrets of their own.
    fn note(&self, token: &Token) {
        for (_, value) in &token.headers {
            let value = value.expose_secret();
            // Without the word before it, where there is one.
            let bare = value.split_once(' ').map_or(value, |(_, bare)| bare);
            self.secrets.add_passing(bare);
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
            if let Auth::OAuth2(oauth2) = &exchange.connector.auth {
                oauth2.scopes.iter().for_each(|scope| add(scope));
            }
            for (name, secret) in &self.credentials {
                add(name);
                add(secret.expose_secret());
            }
            hex::encode(hasher.finalize().as_bytes())
        })
    }
}

/// When a token that lives this long from `now` on is renewed.
fn renewal(now: DateTime<Utc>, life: Duration) -> DateTime<Utc> {
    let percent = seam::between(*LIFE_PERCENT.start(), *LIFE_PERCENT.end());
    let part = life.min(LIFE_MAX) / 100 * percent;
    let part = TimeDelta::from_std(part).unwrap_or(TimeDelta::zero());
    now.checked_add_signed(part).unwrap_or(now)
}

/// A sign-in that cannot be made, or was refused.
fn refused(code: &'static str, message: String, hint: &str) -> Refused {
    let fault = Fault::new(code, FailureClass::Auth, Stage::Fetch, message).with_hint(hint);
    Refused {
        fault,
        outcome: Outcome::NotWritten,
    }
}
