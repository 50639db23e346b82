//! What a provider says of itself (OpenID Connect Discovery 1.0), and its keys (RFC 7517).

use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde_json::{Map as JsonMap, Value as Json};
use url::Url;

use super::IdentityError;

/// The most keys that are read: providers have a handful.
const KEYS_MAX: usize = 100;

/// What a provider says of itself, as far as it is used.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    /// Whether the token endpoint takes the secret in a header; the body is for those that do not.
    pub(super) takes_basic: bool,
    /// Whether every answer says who gives it (RFC 9207).
    pub(super) names_itself: bool,
}

/// Where an issuer describes itself.
pub(super) fn address(issuer: &str) -> Result<Url, IdentityError> {
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    Url::parse(&address).map_err(|_| IdentityError::Description("the issuer is no address"))
}

impl Described {
    pub(super) fn read(issuer: &str, said: Option<JsonMap<String, Json>>) -> Result<Self, IdentityError> {
        use IdentityError::Description as Bad;
        let said = said.ok_or(Bad("it is no JSON object"))?;
        let text = |name: &str| said.get(name).and_then(Json::as_str);
        let own = text("issuer").unwrap_or_default();
        if own.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(Bad("it calls itself otherwise than `console.oidc.issuer`"));
        }
        // What begins with TLS does not go on without it.
        let has_tls = issuer.starts_with("https://");
        let place = |name: &str| {
            let url = text(name).and_then(|url| Url::parse(url).ok())?;
            let is_good = match url.scheme() {
                "https" => true,
                "http" => !has_tls,
                _ => false,
            };
            is_good.then_some(url)
        };
        let methods = said
            .get("token_endpoint_auth_methods_supported")
            .and_then(Json::as_array);
        let takes_basic = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
        let names_itself = said.get("authorization_response_iss_parameter_supported");
        Ok(Self {
            issuer: own.to_owned(),
            authorization_endpoint: place("authorization_endpoint")
                .ok_or(Bad("`authorization_endpoint` is no address with TLS"))?,
            token_endpoint: place("token_endpoint").ok_or(Bad("`token_endpoint` is no address with TLS"))?,
            jwks_uri: place("jwks_uri").ok_or(Bad("`jwks_uri` is no address with TLS"))?,
            userinfo_endpoint: place("userinfo_endpoint"),
            end_session_endpoint: place("end_session_endpoint"),
            takes_basic,
            names_itself: names_itself.and_then(Json::as_bool).unwrap_or_default(),
        })
    }
}

/// The keys that can be read; others may be of kinds that nobody here knows.
pub(super) fn keys(said: Option<JsonMap<String, Json>>) -> Result<JwkSet, IdentityError> {
    let keys = said.and_then(|mut said| match said.remove("keys") {
        Some(Json::Array(keys)) => Some(keys),
        _ => None,
    });
    let keys = keys.ok_or(IdentityError::Description("its keys are no list"))?;
    let keys = keys.into_iter().take(KEYS_MAX);
    let keys = keys.filter_map(|key| serde_json::from_value::<Jwk>(key).ok()).collect();
    Ok(JwkSet { keys })
}
