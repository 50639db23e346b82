//! Requests to a token endpoint (RFC 6749, RFC 7523): the `oauth2` crate makes most of them and reads the answer; the request
//! goes through our own transport and budget, and answers that are a little off are put right before it reads them.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, Scope as OAuthScope, TokenResponse as _, TokenUrl,
    basic::{BasicClient, BasicErrorResponse, BasicTokenResponse},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value as Json;

use super::{
    Authenticator,
    endpoint::{Endpoint, NoAnswer, lifetime, no_token},
    key, refused,
};
use crate::{
    client::{
        budget::Road,
        exchange::{Exchange, Refused},
        redact,
    },
    core::{
        connector::{
            auth::{Jwt, OAuth2},
            form::{ClientAuth, Grant, Method},
            format::Format,
            request::{Call, build_headers},
        },
        period::Period,
        value::Value,
    },
    seam,
};

const HINT: &str = "check client id, secret, scopes and `token_url`";
/// Members of an answer that say how many seconds its refresh token lasts.
const REFRESH_LIVES: [&str; 3] = [
    "refresh_token_expires_in",
    "refresh_expires_in",
    "x_refresh_token_expires_in",
];

/// What a token is asked for with.
#[derive(Debug)]
pub(super) enum Proof<'a> {
    /// The client's own credentials.
    Credentials,
    /// A refresh token.
    Refresh(&'a SecretString),
    /// What the sign-in page gave.
    Code {
        /// The code.
        code: String,
        /// What shows that we asked for it.
        verifier: PkceCodeVerifier,
        /// Where it was given.
        redirect: RedirectUrl,
    },
    /// An assertion.
    Assertion(&'a Jwt),
}

/// What a token endpoint gave.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) headers: Vec<(String, SecretString)>,
    pub(super) life: Option<Duration>,
    pub(super) refresh: Option<SecretString>,
    pub(super) refresh_life: Option<Duration>,
}

type Answered = Result<BasicTokenResponse, RequestTokenError<NoAnswer, BasicErrorResponse>>;

/// A client of the `oauth2` crate that knows the token endpoint.
type Client = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Sends a request of the `oauth2` crate: each kind of it has a type of its own.
macro_rules! sent {
    ($request:expr, $params:expr, $endpoint:expr) => {{
        let mut request = $request;
        for (name, value) in $params {
            request = request.add_extra_param(name, value);
        }
        request.request_async($endpoint).await
    }};
}

impl Authenticator {
    /// Gets a token without anybody's help.
    pub(super) async fn oauth2(&self, exchange: &Exchange, oauth2: &OAuth2, road: Road) -> Result<Granted, Refused> {
        match (&oauth2.jwt, oauth2.grant) {
            (Some(jwt), Grant::JwtBearer) => self.granted(exchange, oauth2, Proof::Assertion(jwt), road).await,
            _ => self.granted(exchange, oauth2, Proof::Credentials, road).await,
        }
    }

    /// Gets a token.
    pub(super) async fn granted(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        proof: Proof<'_>,
        road: Road,
    ) -> Result<Granted, Refused> {
        let is_refresh = matches!(proof, Proof::Refresh(_));
        let endpoint = Endpoint {
            exchange,
            road,
            said: Mutex::default(),
        };
        let answer = self.answered(exchange, oauth2, proof, &endpoint).await?;
        let answer = answer.map_err(|error| match error {
            RequestTokenError::Request(NoAnswer(refused)) => *refused,
            RequestTokenError::ServerResponse(answer) => {
                let error = answer.error().as_ref();
                let says = answer.error_description().map(|text| format!(": {text}"));
                let says = redact::excerpt(&format!("{error}{}", says.unwrap_or_default()), self.secrets());
                if is_refresh && error == "invalid_grant" {
                    return super::refresh::ended(
                        exchange,
                        oauth2,
                        &format!("the refresh token is not accepted: {says}"),
                    );
                }
                let message = format!("system `{}`: no token was given: {says}", exchange.name);
                refused("AU004", message, HINT)
            }
            _ => no_token(exchange, "it is not what OAuth 2.0 describes"),
        })?;
        let token = answer.access_token().secret();
        if !token.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
            return Err(no_token(
                exchange,
                "the token in it has characters that no header may carry",
            ));
        }
        let said = endpoint.said.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut lives = REFRESH_LIVES.iter().filter_map(|name| said.get(*name));
        let refresh_life = lives.find_map(lifetime).map(Duration::from_secs);
        Ok(Granted {
            headers: self.token_headers(exchange, oauth2, token, &said)?,
            life: answer.expires_in().or(oauth2.expires_after.map(Period::duration)),
            refresh: answer
                .refresh_token()
                .map(|refresh| refresh.secret().as_str())
                .filter(|refresh| !refresh.is_empty())
                .map(SecretString::from),
            refresh_life,
        })
    }

    async fn answered(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        proof: Proof<'_>,
        endpoint: &Endpoint<'_>,
    ) -> Result<Answered, Refused> {
        let token_url = &self.provider(exchange, oauth2, endpoint.road).await?.token_url;
        let params = oauth2.params.iter();
        let params = params.map(|(name, template)| (name.clone(), self.text(exchange, template)));
        let params = params.chain(self.client_assertion(exchange, oauth2, token_url)?);
        let scopes = oauth2.scopes.iter().map(|wanted| OAuthScope::new(wanted.clone()));
        Ok(match proof {
            Proof::Credentials => {
                if oauth2.client_auth != ClientAuth::PrivateKeyJwt {
                    self.credential(exchange, "client_secret")?;
                }
                let client = self.oauth2_client(exchange, oauth2, token_url)?;
                sent!(
                    client.exchange_client_credentials().add_scopes(scopes),
                    params,
                    endpoint
                )
            }
            Proof::Refresh(token) => {
                let client = self.oauth2_client(exchange, oauth2, token_url)?;
                let token = RefreshToken::new(token.expose_secret().to_owned());
                sent!(client.exchange_refresh_token(&token), params, endpoint)
            }
            Proof::Code {
                code,
                verifier,
                redirect,
            } => {
                let client = self
                    .oauth2_client(exchange, oauth2, token_url)?
                    .set_redirect_uri(redirect);
                let request = client
                    .exchange_code(AuthorizationCode::new(code))
                    .set_pkce_verifier(verifier);
                sent!(request, params, endpoint)
            }
            Proof::Assertion(jwt) => {
                let assertion = self.assertion(exchange, jwt, token_url)?;
                let mut form = vec![
                    (
                        "grant_type".to_owned(),
                        "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned(),
                    ),
                    ("assertion".to_owned(), assertion),
                ];
                if !oauth2.scopes.is_empty() {
                    form.push(("scope".to_owned(), oauth2.scopes.join(" ")));
                }
                form.extend(params);
                self.asserted(exchange, oauth2, token_url, form, endpoint).await?
            }
        })
    }

    fn oauth2_client(&self, exchange: &Exchange, oauth2: &OAuth2, token_url: &str) -> Result<Client, Refused> {
        let url = TokenUrl::new(token_url.to_owned()).map_err(|_| no_address(exchange, "token_url"))?;
        let id = self.credential(exchange, "client_id")?.expose_secret().to_owned();
        let mut client = BasicClient::new(ClientId::new(id)).set_auth_type(match oauth2.client_auth {
            ClientAuth::Basic => AuthType::BasicAuth,
            ClientAuth::Post | ClientAuth::PrivateKeyJwt => AuthType::RequestBody,
        });
        if let Some(secret) = self.client_secret(oauth2) {
            client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        }
        Ok(client.set_token_uri(url))
    }

    /// The client's secret, where that is what it proves itself by.
    pub(super) fn client_secret(&self, oauth2: &OAuth2) -> Option<&SecretString> {
        let has_key = oauth2.client_auth == ClientAuth::PrivateKeyJwt;
        self.credentials.get("client_secret").filter(|_| !has_key)
    }

    /// What proves a client with a key of its own (RFC 7523, section 2.2).
    pub(super) fn client_assertion(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        token_url: &str,
    ) -> Result<Vec<(String, String)>, Refused> {
        let Some(jwt) = &oauth2.client_jwt else {
            return Ok(Vec::new());
        };
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        Ok(vec![
            ("client_assertion_type".to_owned(), kind.to_owned()),
            ("client_assertion".to_owned(), self.assertion(exchange, jwt, token_url)?),
        ])
    }

    /// Puts id and secret of the client into a request that we make ourselves.
    fn prove_client(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        headers: &mut Vec<(String, String)>,
        form: &mut Vec<(String, String)>,
    ) -> Result<(), Refused> {
        let id = |form: &mut Vec<(String, String)>| -> Result<(), Refused> {
            let id = self.credential(exchange, "client_id")?.expose_secret();
            form.push(("client_id".to_owned(), id.to_owned()));
            Ok(())
        };
        match (oauth2.client_auth, self.client_secret(oauth2)) {
            (ClientAuth::PrivateKeyJwt, _) => id(form),
            (_, None) => Ok(()),
            (ClientAuth::Basic, Some(secret)) => {
                let id = self.credential(exchange, "client_id")?.expose_secret();
                let proof = super::fixed::basic_of_client(id, secret.expose_secret());
                headers.push(("authorization".to_owned(), proof));
                Ok(())
            }
            (ClientAuth::Post, Some(secret)) => {
                id(form)?;
                form.push(("client_secret".to_owned(), secret.expose_secret().to_owned()));
                Ok(())
            }
        }
    }

    /// A request with a form that proves the client.
    pub(super) fn form_call(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        (address, key): (&str, &str),
        mut form: Vec<(String, String)>,
    ) -> Result<Call, Refused> {
        let url = url::Url::parse(address).map_err(|_| no_address(exchange, key))?;
        let mut headers = vec![(
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        )];
        self.prove_client(exchange, oauth2, &mut headers, &mut form)?;
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        Ok(Call {
            method: Method::Post,
            url,
            headers,
            body: Some(body.into_bytes()),
            // A token too many ends by itself, and one that was taken back may be taken back again.
            is_repeatable: true,
            format: Format::Json,
            list: None,
        })
    }

    fn assertion(&self, exchange: &Exchange, jwt: &Jwt, token_url: &str) -> Result<String, Refused> {
        let scope = self.scope(exchange);
        let id = format!("{:016x}{:016x}", seam::number(), seam::number());
        let unsigned = jwt.unsigned(scope, exchange.clock.now(), token_url, &id);
        let unsigned = unsigned.map_err(|fault| {
            let message = format!("system `{}`: the assertion cannot be built: {fault}", exchange.name);
            refused(
                "AU003",
                message,
                "correct `auth: oauth2: jwt:`, or give the credentials it uses",
            )
        })?;
        let key = self.text(exchange, &jwt.key);
        key::signed(&unsigned, jwt.algorithm, &key).map_err(|error| {
            let message = format!("system `{}`: the assertion cannot be signed: {error}", exchange.name);
            refused(
                "AU011",
                message,
                "give the credential the whole PEM text of the key, and its own `algorithm:`",
            )
        })
    }

    /// Sends an assertion, with id and secret of the client where it has a secret.
    async fn asserted(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        token_url: &str,
        form: Vec<(String, String)>,
        endpoint: &Endpoint<'_>,
    ) -> Result<Answered, Refused> {
        let call = self.form_call(exchange, oauth2, (token_url, "token_url"), form)?;
        let answer = endpoint.send(&call).await?;
        let unreadable = |_| no_token(exchange, "it is not what OAuth 2.0 describes");
        if answer.status().is_success() {
            return Ok(Ok(serde_json::from_slice(answer.body()).map_err(unreadable)?));
        }
        let error: BasicErrorResponse = serde_json::from_slice(answer.body()).map_err(unreadable)?;
        Ok(Err(RequestTokenError::ServerResponse(error)))
    }

    /// The headers that carry a token.
    fn token_headers(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        token: &str,
        said: &Json,
    ) -> Result<Vec<(String, SecretString)>, Refused> {
        if oauth2.headers.is_empty() {
            let bearer = SecretString::from(format!("Bearer {token}"));
            return Ok(vec![("authorization".to_owned(), bearer)]);
        }
        let scope = self.scope(exchange).clone();
        let scope = scope.with("token", token).with("answer", Value::from(said.clone()));
        let built = build_headers(&oauth2.headers, &scope).map_err(|error| error.to_string());
        let built = built.and_then(|built| {
            let is_whole = built.len() >= oauth2.headers.len();
            is_whole
                .then_some(built)
                .ok_or_else(|| "a header comes to nothing".to_owned())
        });
        let built = built.map_err(|reason| {
            no_token(
                exchange,
                &format!("`headers:` of `auth: oauth2:` cannot be made of it: {reason}"),
            )
        })?;
        Ok(built
            .into_iter()
            .map(|(name, value)| (name, SecretString::from(value)))
            .collect())
    }
}

/// An address of the connector that is none.
pub(super) fn no_address(exchange: &Exchange, key: &str) -> Refused {
    let message = format!("system `{}`: `{key}` does not come to an address", exchange.name);
    refused(
        "AU004",
        message,
        &format!("correct `{key}` of the connector, or the setting it is made of"),
    )
}
