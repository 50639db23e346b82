//! Where tokens are got: the addresses of the connector, or those that the issuer names (OpenID Connect Discovery 1.0).

use serde_json::Value as Json;
use url::Url;

use super::{Authenticator, refused};
use crate::{
    client::{
        budget::Road,
        exchange::{Exchange, Refused},
    },
    core::connector::{auth::OAuth2, form::Method, format::Format, request::Call},
};

/// Where tokens are got.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    pub(super) token_url: String,
    /// Where a person signs in.
    pub(super) authorize_url: Option<String>,
    /// Where tokens are taken back.
    pub(super) revoke_url: Option<String>,
    /// Who answers, where the connector names it.
    pub(super) issuer: Option<String>,
    /// Whether every answer of the sign-in page says who gives it (RFC 9207).
    pub(super) names_itself: bool,
}

impl Authenticator {
    /// The addresses; an issuer is asked once.
    pub(super) async fn provider(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        road: Road,
    ) -> Result<&Provider, Refused> {
        self.provider
            .get_or_try_init(|| async {
                let issuer = oauth2.issuer.as_ref().map(|issuer| self.text(exchange, issuer));
                let revoke_url = oauth2.revoke_url.as_ref().map(|url| self.text(exchange, url));
                match issuer {
                    Some(issuer) => {
                        let named = self.discovered(exchange, &issuer, road).await?;
                        Ok(Provider {
                            revoke_url: revoke_url.or(named.revoke_url),
                            ..named
                        })
                    }
                    None => Ok(Provider {
                        token_url: oauth2
                            .token_url
                            .as_ref()
                            .map(|url| self.text(exchange, url))
                            .unwrap_or_default(),
                        authorize_url: oauth2.authorize_url.as_ref().map(|url| self.text(exchange, url)),
                        revoke_url,
                        issuer: None,
                        names_itself: false,
                    }),
                }
            })
            .await
    }

    async fn discovered(&self, exchange: &Exchange, issuer: &str, road: Road) -> Result<Provider, Refused> {
        let bad = |reason: &str| {
            let message = format!(
                "system `{}`: the issuer does not describe itself: {reason}",
                exchange.name
            );
            refused(
                "AU012",
                message,
                "check `issuer` of the connector: its description stands behind `/.well-known/openid-configuration`",
            )
        };
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let call = Call {
            method: Method::Get,
            url: Url::parse(&address).map_err(|_| bad("`issuer` does not come to an address"))?,
            headers: Vec::new(),
            body: None,
            is_repeatable: true,
            format: Format::Json,
            list: None,
        };
        let raw = exchange.ask_for_token(&call, road).await?;
        if raw.status != 200 {
            return Err(bad(&format!("it answers {}", raw.status)));
        }
        let said: Json = serde_json::from_slice(&raw.body).map_err(|_| bad("its answer is no JSON"))?;
        let text = |name: &str| said.get(name).and_then(Json::as_str);
        let own = text("issuer").unwrap_or_default();
        if own.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(bad("it calls itself otherwise"));
        }
        let token_url = text("token_endpoint").ok_or_else(|| bad("it names no token endpoint"))?;
        let authorize_url = text("authorization_endpoint");
        let revoke_url = text("revocation_endpoint");
        let is_weaker = |url: &str| call.url.scheme() == "https" && !url.starts_with("https://");
        if is_weaker(token_url) || authorize_url.is_some_and(is_weaker) || revoke_url.is_some_and(is_weaker) {
            return Err(bad("it names an address without TLS"));
        }
        let names_itself = said.get("authorization_response_iss_parameter_supported");
        Ok(Provider {
            token_url: token_url.to_owned(),
            authorize_url: authorize_url.map(ToOwned::to_owned),
            revoke_url: revoke_url.map(ToOwned::to_owned),
            issuer: Some(own.to_owned()),
            names_itself: names_itself.and_then(Json::as_bool).unwrap_or_default(),
        })
    }
}
