//! Taking tokens back at the provider (RFC 7009): what is forgotten here would go on there.

use secrecy::ExposeSecret as _;

use super::{Authenticator, Token, refused};
use crate::{
    client::{
        budget::Road,
        exchange::{Exchange, Refused},
        redact,
    },
    core::connector::{auth::OAuth2, form::ClientAuth},
};

impl Authenticator {
    /// Takes a token back at the provider (RFC 7009); whether the provider has an endpoint for that.
    pub(super) async fn revoke(
        &self,
        exchange: &Exchange,
        oauth2: &OAuth2,
        token: &Token,
        road: Road,
    ) -> Result<bool, Refused> {
        let provider = self.provider(exchange, oauth2, road).await?;
        let Some(revoke_url) = &provider.revoke_url else {
            return Ok(false);
        };
        let access = token.headers.first().map(|(_, value)| value.expose_secret());
        let access = access.map(|value| value.split_once(' ').map_or(value, |(_, bare)| bare));
        // With a refresh token goes what was got with it.
        let (taken, kind) = match &token.refresh {
            Some(refresh) => (Some(refresh.expose_secret()), "refresh_token"),
            None => (access, "access_token"),
        };
        let Some(taken) = taken else { return Ok(true) };
        let mut form = vec![
            ("token".to_owned(), taken.to_owned()),
            ("token_type_hint".to_owned(), kind.to_owned()),
        ];
        form.extend(self.client_assertion(exchange, oauth2, &provider.token_url)?);
        if oauth2.client_auth == ClientAuth::Basic && self.client_secret(oauth2).is_none() {
            let id = self.credential(exchange, "client_id")?.expose_secret();
            form.push(("client_id".to_owned(), id.to_owned()));
        }
        let call = self.form_call(exchange, oauth2, (revoke_url, "revoke_url"), form)?;
        let raw = exchange.ask_for_token(&call, road).await?;
        if (200..300).contains(&raw.status) {
            return Ok(true);
        }
        let said = redact::excerpt(&String::from_utf8_lossy(&raw.body), self.secrets());
        let message = format!(
            "system `{}`: the token was not taken back: {} {said}",
            exchange.name, raw.status
        );
        Err(refused("AU014", message, "take the consent back at the provider"))
    }
}
