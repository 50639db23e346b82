//! A person signs in: the authorization code grant (RFC 6749, section 4.1) with PKCE (RFC 7636).
//!
//! The address of the provider's page is for the person's browser; what comes back is looked at by [`Login`]: it must carry
//! the state that was sent, and the issuer that was asked.

use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope as OAuthScope,
    basic::BasicClient,
};
use secrecy::ExposeSecret as _;
use url::Url;

use super::{
    Authenticator, Saved, Token,
    oauth2::{Proof, no_address},
    refused,
};
use crate::{
    client::{
        budget::Road,
        exchange::{Exchange, Refused},
        redact,
        system::System,
    },
    core::{
        connector::{auth::OAuth2, form::Grant},
        fault::Fault,
    },
};

/// A sign-in that a person has begun.
pub struct Login {
    /// The page where the person goes on.
    pub address: Url,
    redirect: RedirectUrl,
    state: CsrfToken,
    verifier: PkceCodeVerifier,
    issuer: Option<String>,
    names_itself: bool,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

impl Login {
    /// Whether an answer belongs to this sign-in: others are nobody's, and are passed over.
    #[must_use]
    pub fn is_ours(&self, answer: &Url) -> bool {
        parameter(answer, "state").is_some_and(|state| state == *self.state.secret())
    }

    fn code(&self, exchange: &Exchange, secrets: &redact::Secrets, answer: &Url) -> Result<String, Refused> {
        let no = |reason: &str, hint: &str| {
            let message = format!("system `{}`: the sign-in came to nothing: {reason}", exchange.name);
            Err(refused("AU013", message, hint))
        };
        if !self.is_ours(answer) {
            return no(
                "the answer belongs to another sign-in",
                "call `syncline auth login` again, and use the address that it prints",
            );
        }
        let issuer = parameter(answer, "iss");
        let is_other = match (&self.issuer, &issuer) {
            (Some(asked), Some(answered)) => asked != answered,
            (Some(_), None) => self.names_itself,
            (None, _) => false,
        };
        if is_other {
            return no(
                "another issuer answers than the one that was asked",
                "somebody may be in between: check `issuer` of the connector before you try again",
            );
        }
        if let Some(error) = parameter(answer, "error") {
            let says = parameter(answer, "error_description").unwrap_or_default();
            let says = redact::excerpt(&format!("{error} {says}"), secrets);
            return no(
                &says,
                "check the scopes, and whether the redirect address is registered with the provider",
            );
        }
        match parameter(answer, "code") {
            Some(code) if !code.is_empty() => Ok(code),
            _ => no("there is no code in the answer", "call `syncline auth login` again"),
        }
    }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

impl System {
    /// Begins the sign-in of a person, who comes back to `redirect`.
    pub async fn begin_login(&self, redirect: &Url) -> Result<Login, Fault> {
        let exchange = &self.inner().exchange;
        let begun = exchange.auth.begin_login(exchange, redirect).await;
        begun.map_err(|refused| refused.fault)
    }

    /// Ends it by the address that the person came back with, and keeps the token. Whether it can be renewed without a
    /// person.
    pub async fn finish_login(&self, login: Login, answer: &Url) -> Result<bool, Fault> {
        let exchange = &self.inner().exchange;
        let finished = exchange.auth.finish_login(exchange, login, answer).await;
        finished.map_err(|refused| refused.fault)
    }

    /// Takes the token back at the provider, where it has an endpoint for that, and forgets it. An empty one takes its place, so that
    /// every process sees that something has changed.
    pub async fn log_out(&self) -> LoggedOut {
        let exchange = &self.inner().exchange;
        let auth = &exchange.auth;
        let Some(kept) = auth.tokens.load(&exchange.name).await else {
            return LoggedOut::Nothing;
        };
        if kept.token.headers.is_empty() && kept.token.refresh.is_none() {
            return LoggedOut::Nothing;
        }
        auth.note(&kept.token);
        let revoked = match exchange.connector.auth.oauth2() {
            Some(oauth2) => auth.revoke(exchange, oauth2, &kept.token, Road::Manual).await,
            None => Ok(false),
        };
        let saved = auth
            .tokens
            .save(&exchange.name, &Token::default(), Some(kept.version))
            .await;
        match (saved, revoked) {
            (Saved::Overtaken | Saved::Failed, _) => LoggedOut::NotForgotten,
            (Saved::As(_), Ok(true)) => LoggedOut::Revoked,
            (Saved::As(_), Ok(false)) => LoggedOut::Forgotten,
            (Saved::As(_), Err(refused)) => LoggedOut::NotRevoked(Box::new(refused.fault)),
        }
    }
}

/// What became of a token that is to be used no more.
#[derive(Debug)]
pub enum LoggedOut {
    /// There was none.
    Nothing,
    /// The provider took it back, and we have forgotten it.
    Revoked,
    /// We have forgotten it; the provider has no endpoint that takes it back.
    Forgotten,
    /// We have forgotten it, and the provider did not take it back.
    NotRevoked(Box<Fault>),
    /// Our own database did not answer.
    NotForgotten,
}

impl Authenticator {
    fn signs_people_in(exchange: &Exchange) -> Result<&OAuth2, Refused> {
        let oauth2 = exchange.connector.auth.oauth2();
        oauth2
            .filter(|oauth2| oauth2.grant == Grant::AuthorizationCode)
            .ok_or_else(|| {
                let message = format!(
                    "system `{}`: nobody signs in there by hand: its connector says `auth: {}`",
                    exchange.name,
                    exchange.connector.auth.as_str()
                );
                refused(
                    "AU013",
                    message,
                    "its credentials stand in the configuration; `syncline doctor` tries them",
                )
            })
    }

    async fn begin_login(&self, exchange: &Exchange, redirect: &Url) -> Result<Login, Refused> {
        let oauth2 = Self::signs_people_in(exchange)?;
        let provider = self.provider(exchange, oauth2, Road::Manual).await?;
        let no_page = || no_address(exchange, "authorize_url");
        let page = provider.authorize_url.clone().ok_or_else(no_page)?;
        let page = AuthUrl::new(page).map_err(|_| no_page())?;
        let id = self.credential(exchange, "client_id")?.expose_secret().to_owned();
        let redirect = RedirectUrl::from_url(redirect.clone());
        let client = BasicClient::new(ClientId::new(id))
            .set_auth_uri(page)
            .set_redirect_uri(redirect.clone());
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let scopes = oauth2.scopes.iter().map(|scope| OAuthScope::new(scope.clone()));
        let mut request = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(scopes)
            .set_pkce_challenge(challenge);
        for (name, template) in &oauth2.authorize_params {
            request = request.add_extra_param(name.clone(), self.text(exchange, template));
        }
        let (address, state) = request.url();
        Ok(Login {
            address,
            redirect,
            state,
            verifier,
            issuer: provider.issuer.clone(),
            names_itself: provider.names_itself,
        })
    }

    async fn finish_login(&self, exchange: &Exchange, login: Login, answer: &Url) -> Result<bool, Refused> {
        let oauth2 = Self::signs_people_in(exchange)?;
        let code = login.code(exchange, self.secrets(), answer)?;
        self.secrets().add_passing(&code);
        let proof = Proof::Code {
            code,
            verifier: login.verifier,
            redirect: login.redirect,
        };
        let granted = Box::pin(self.granted(exchange, oauth2, proof, Road::Manual)).await?;
        let token = self.token_of(exchange, granted, None);
        let is_renewable = token.refresh.is_some();
        let mut state = self.current.lock().await;
        // What is there is of an older sign-in, whoever made it.
        self.look(exchange, &mut state).await;
        self.keep(exchange, &mut state, token).await?;
        Ok(is_renewable)
    }
}
