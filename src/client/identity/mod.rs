//! Who a person is, by an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636).
//!
//! [`Provider`] describes itself at its issuer (Discovery 1.0); its keys are fetched when a token names one that is not known,
//! and not more than once a minute. Whoever asks brings what belongs to one browser (state, nonce, verifier) and keeps it: nothing
//! of a sign-in is kept here.

mod crypto;
mod described;
mod token;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::JwkSet;
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map as JsonMap, Value as Json};
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use super::{
    ConfigError, guard,
    redact::{self, Secrets},
    transport::{Limits, Raw, Transport},
};
use crate::{
    clock::Clock,
    core::connector::{form::Method, format::Format, request::Call},
};
use described::Described;
use token::Expected;
pub use token::Flaw;

/// How long one question to the provider may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How long its description is believed.
const DESCRIPTION_LASTS: TimeDelta = TimeDelta::hours(24);
/// The shortest time between two looks at its keys.
const KEYS_REST: TimeDelta = TimeDelta::seconds(60);
/// How long nobody asks again after a question came to nothing.
const FAILURE_RESTS: TimeDelta = TimeDelta::seconds(5);

/// What a provider is made of.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Its address, as its tokens name it.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: Option<SecretString>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The claims that are read for rights: looked for at the provider where the token does not have one of them.
    pub claims: Vec<String>,
    /// Where people come back to.
    pub redirect: Url,
    /// Which addresses may be reached.
    pub network: guard::Policy,
    /// The time.
    pub clock: Clock,
}

/// What belongs to one sign-in of one browser.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Comes back beside the code.
    pub state: &'a str,
    /// Comes back in the token.
    pub nonce: &'a str,
    /// Proves that whoever redeems the code has asked for it: 43 to 128 characters.
    pub verifier: &'a str,
}

/// What somebody came back from the provider with.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The code.
    pub code: &'a str,
    /// Who says that it answers (RFC 9207).
    pub issuer: Option<&'a str>,
}

/// A person, as their provider tells of them.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who they are, for ever: unique at this provider.
    pub subject: String,
    /// Everything that was told.
    pub claims: JsonMap<String, Json>,
}

impl Person {
    /// The texts of a claim: itself, or what is in its list.
    #[must_use]
    pub fn texts(&self, claim: &str) -> Vec<&str> {
        // `resource_access.syncline.roles` is a name, or a way.
        let found = self.claims.get(claim).or_else(|| {
            let mut steps = claim.split('.');
            let first = self.claims.get(steps.next()?)?;
            steps.try_fold(first, |at, step| at.get(step))
        });
        match found {
            Some(Json::String(text)) => vec![text],
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The provider does not answer, or not in a way that could be read.
    #[error("the identity provider cannot be asked: {0}")]
    Unreachable(String),
    /// The provider does not describe itself as it has to.
    #[error("the identity provider's description is not one: {0}")]
    Description(&'static str),
    /// The provider refuses the code or us.
    #[error("the identity provider refuses: {0}")]
    Refused(String),
    /// Another provider than the one asked answers.
    #[error("another issuer answers than the one that was asked")]
    OtherIssuer,
    /// The token is not believed.
    #[error("the ID token is not believed: {0}")]
    Token(#[from] Flaw),
}

/// An OpenID provider.
#[derive(Debug)]
pub struct Provider {
    config: ProviderConfig,
    transport: Transport,
    known: Mutex<Known>,
    secrets: Secrets,
}

/// What the provider has told of itself.
#[derive(Debug, Default)]
struct Known {
    described: Option<(Arc<Described>, DateTime<Utc>)>,
    keys: Option<(Arc<JwkSet>, DateTime<Utc>)>,
    failed: Option<(String, DateTime<Utc>)>,
}

impl Provider {
    /// A provider that nothing was asked of yet.
    pub fn new(config: ProviderConfig) -> Result<Self, ConfigError> {
        let limits = Limits {
            connect: TIMEOUT,
            idle: TIMEOUT,
            total: TIMEOUT,
            body_bytes_max: ANSWER_BYTES_MAX,
        };
        let transport = Transport::new(config.network.clone(), limits, None);
        let transport = transport.map_err(|error| ConfigError::Transport(error.to_string()))?;
        let secrets = Secrets::default();
        if let Some(secret) = &config.client_secret {
            secrets.add(secret.expose_secret());
        }
        Ok(Self {
            config,
            transport,
            known: Mutex::default(),
            secrets,
        })
    }

    /// Where a browser goes to sign in.
    pub async fn begin(&self, attempt: Attempt<'_>) -> Result<Url, IdentityError> {
        let described = self.described().await?;
        let verifier = PkceCodeVerifier::new(attempt.verifier.to_owned());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let mut address = described.authorization_endpoint.clone();
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", self.config.redirect.as_str())
            .append_pair("scope", &self.config.scopes.join(" "))
            .append_pair("state", attempt.state)
            .append_pair("nonce", attempt.nonce)
            .append_pair("code_challenge", challenge.as_str())
            .append_pair("code_challenge_method", challenge.method());
        Ok(address)
    }

    /// Who has come back from there.
    pub async fn finish(&self, attempt: Attempt<'_>, answer: Answer<'_>) -> Result<Person, IdentityError> {
        let described = self.described().await?;
        let is_other = match answer.issuer {
            Some(issuer) => issuer != described.issuer,
            None => described.names_itself,
        };
        if is_other {
            return Err(IdentityError::OtherIssuer);
        }
        self.secrets.add_passing(answer.code);
        let granted = self.redeem(&described, attempt.verifier, answer.code).await?;
        let text = |name: &str| granted.get(name).and_then(Json::as_str);
        let token = text("id_token").ok_or_else(|| self.refused("there is no `id_token` in its answer"))?;
        let head = token::head(token)?;
        let keys = self.keys(&described, |keys| token::has_key(&head, keys)).await?;
        let expected = Expected {
            issuer: &described.issuer,
            client_id: &self.config.client_id,
            nonce: attempt.nonce,
            now: self.config.clock.now(),
        };
        let claims = token::check(token, &keys, expected)?;
        let subject = claims.get("sub").and_then(Json::as_str).unwrap_or_default().to_owned();
        let mut person = Person { subject, claims };
        if self.config.claims.iter().any(|claim| person.texts(claim).is_empty())
            && let (Some(address), Some(access)) = (&described.userinfo_endpoint, text("access_token"))
        {
            self.ask_more(address, access, &mut person).await?;
        }
        Ok(person)
    }

    /// Where a browser ends its session at the provider, and comes back to `back` from; none where it has no such place.
    pub async fn end(&self, back: &str) -> Option<Url> {
        let mut address = self.described().await.ok()?.end_session_endpoint.clone()?;
        address
            .query_pairs_mut()
            .append_pair("client_id", &self.config.client_id)
            .append_pair("post_logout_redirect_uri", back);
        Some(address)
    }

    async fn redeem(
        &self,
        described: &Described,
        verifier: &str,
        code: &str,
    ) -> Result<JsonMap<String, Json>, IdentityError> {
        let (headers, body) = self.proof(described, verifier, code);
        let raw = self
            .ask(Method::Post, &described.token_endpoint, headers, Some(body))
            .await?;
        let said = object(&raw);
        if raw.status == 200
            && let Some(said) = said
        {
            return Ok(said);
        }
        let said = said.unwrap_or_default();
        let text = |name: &str| said.get(name).and_then(Json::as_str).unwrap_or_default();
        Err(self.refused(&format!(
            "{} {} {}",
            raw.status,
            text("error"),
            text("error_description")
        )))
    }

    /// The form that redeems a code, and the headers with it.
    fn proof(&self, described: &Described, verifier: &str, code: &str) -> (Vec<(String, String)>, Vec<u8>) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", self.config.redirect.as_str())
            .append_pair("code_verifier", verifier);
        let header = |name: &str, value: String| (name.to_owned(), value);
        let mut headers = vec![header("content-type", "application/x-www-form-urlencoded".to_owned())];
        let (id, secret) = (&self.config.client_id, &self.config.client_secret);
        match secret {
            Some(secret) if described.takes_basic => {
                // RFC 6749, section 2.3.1: both are form-encoded first.
                let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(id), encoded(secret.expose_secret()));
                headers.push(header(
                    "authorization",
                    format!("Basic {}", BASE64_STANDARD.encode(pair)),
                ));
            }
            secret => {
                form.append_pair("client_id", id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.expose_secret());
                }
            }
        }
        (headers, form.finish().into_bytes())
    }

    /// Reads what the token does not say at the provider (section 5.3).
    async fn ask_more(&self, address: &Url, access: &str, person: &mut Person) -> Result<(), IdentityError> {
        self.secrets.add_passing(access);
        let headers = vec![("authorization".to_owned(), format!("Bearer {access}"))];
        let raw = self.ask(Method::Get, address, headers, None).await?;
        let Some(said) = object(&raw).filter(|_| raw.status == 200) else {
            return Err(self.refused(&format!("{} from its userinfo endpoint", raw.status)));
        };
        // Somebody else's answer must not be taken for this person's.
        if said.get("sub").and_then(Json::as_str) != Some(person.subject.as_str()) {
            return Err(Flaw::Subject.into());
        }
        for (name, value) in said {
            person.claims.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// Its description; asked for once a day.
    async fn described(&self) -> Result<Arc<Described>, IdentityError> {
        let mut known = self.known.lock().await;
        let now = self.config.clock.now();
        if let Some((described, at)) = &known.described
            && now - *at < DESCRIPTION_LASTS
        {
            return Ok(Arc::clone(described));
        }
        known.rest(now)?;
        let address = described::address(&self.config.issuer)?;
        let found = match self.ask(Method::Get, &address, Vec::new(), None).await {
            Ok(raw) if raw.status == 200 => Described::read(&self.config.issuer, object(&raw)),
            Ok(raw) => Err(IdentityError::Unreachable(format!("its description: {}", raw.status))),
            Err(error) => Err(error),
        };
        let described = Arc::new(known.noted(found, now)?);
        known.described = Some((Arc::clone(&described), now));
        Ok(described)
    }

    /// Its keys: those that are known, if they have the one that is looked for, or those of now.
    async fn keys(&self, described: &Described, have: impl Fn(&JwkSet) -> bool) -> Result<Arc<JwkSet>, IdentityError> {
        let mut known = self.known.lock().await;
        let now = self.config.clock.now();
        if let Some((keys, at)) = &known.keys
            && (have(keys) || now - *at < KEYS_REST)
        {
            return Ok(Arc::clone(keys));
        }
        known.rest(now)?;
        let found = match self.ask(Method::Get, &described.jwks_uri, Vec::new(), None).await {
            Ok(raw) if raw.status == 200 => described::keys(object(&raw)),
            Ok(raw) => Err(IdentityError::Unreachable(format!("its keys: {}", raw.status))),
            Err(error) => Err(error),
        };
        let keys = Arc::new(known.noted(found, now)?);
        known.keys = Some((Arc::clone(&keys), now));
        Ok(keys)
    }

    async fn ask(
        &self,
        method: Method,
        address: &Url,
        headers: Vec<(String, String)>,
        body: Option<Vec<u8>>,
    ) -> Result<Raw, IdentityError> {
        let call = Call {
            method,
            url: address.clone(),
            headers,
            body,
            is_repeatable: false,
            format: Format::Json,
            list: None,
        };
        let answer = self.transport.send(&call, true).await;
        answer.map_err(|error| IdentityError::Unreachable(redact::excerpt(&error.to_string(), &self.secrets)))
    }

    fn refused(&self, said: &str) -> IdentityError {
        IdentityError::Refused(redact::excerpt(said, &self.secrets))
    }
}

impl Known {
    /// Whoever comes while the provider has just failed is told the same, without asking it.
    fn rest(&self, now: DateTime<Utc>) -> Result<(), IdentityError> {
        match &self.failed {
            Some((why, at)) if now - *at < FAILURE_RESTS => Err(IdentityError::Unreachable(why.clone())),
            _ => Ok(()),
        }
    }

    fn noted<T>(&mut self, found: Result<T, IdentityError>, now: DateTime<Utc>) -> Result<T, IdentityError> {
        self.failed = found.as_ref().err().map(|error| (error.to_string(), now));
        found
    }
}

fn object(raw: &Raw) -> Option<JsonMap<String, Json>> {
    serde_json::from_slice(&raw.body).ok()
}
