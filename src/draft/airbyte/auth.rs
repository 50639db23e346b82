//! Authenticators of a manifest as `auth`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    Import,
    text::{Root, Spot, chain, path, pieces},
};
use crate::{
    core::connector::form::{
        ApiKeyForm, ApiKeyQuery, BasicForm, BearerForm, ClientAuth, Grant, OAuth2Form, RequestForm, SessionForm,
    },
    draft::openapi::security,
};

impl Import<'_> {
    /// Sets how the connector signs in; the first authenticator counts, since all streams of a system have one.
    pub(super) fn authenticator(&mut self, node: &Json) {
        let auth = &self.draft.form.auth;
        if auth.basic.is_some()
            || auth.bearer.is_some()
            || auth.api_key.is_some()
            || auth.oauth2.is_some()
            || auth.session.is_some()
        {
            return;
        }
        let kind = node.get("type").and_then(Json::as_str).unwrap_or_default();
        let done = match kind {
            "NoAuth" | "" => return,
            "BearerAuthenticator" => self.bearer(node),
            "BasicHttpAuthenticator" => self.basic(node),
            "ApiKeyAuthenticator" => self.api_key(node),
            "OAuthAuthenticator" => self.oauth2(node),
            "SessionTokenAuthenticator" => self.session(node),
            "SelectiveAuthenticator" => {
                self.selective(node);
                return;
            }
            _ => None,
        };
        if done.is_none() {
            self.lost(
                "/auth",
                format!("signing in by `{kind}`: see `auth:` in docs/connectors.md"),
            );
        }
    }

    fn selective(&mut self, node: &Json) {
        let choices: Vec<(&String, &Json)> = node
            .get("authenticators")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
            .collect();
        let names: Vec<&str> = choices.iter().map(|(name, _)| name.as_str()).collect();
        // A token that a person is given needs nobody who signs in.
        let first = choices.iter().min_by_key(|(_, choice)| {
            u8::from(choice.get("type").and_then(Json::as_str) == Some("OAuthAuthenticator"))
        });
        if let Some((name, choice)) = first {
            self.draft.check(
                "/auth",
                format!("of several ways to sign in ({}), `{name}` was taken", names.join(", ")),
            );
            self.authenticator(choice);
        }
    }

    fn said(&mut self, node: &Json, key: &str) -> Option<String> {
        let text = node.get(key)?.as_str()?;
        self.translate(text, Spot::Auth).ok()
    }

    fn bearer(&mut self, node: &Json) -> Option<()> {
        let token = self.said(node, "api_token")?;
        self.draft.form.auth.bearer = Some(BearerForm { token });
        Some(())
    }

    fn basic(&mut self, node: &Json) -> Option<()> {
        let user = self.said(node, "username")?;
        let password = self.said(node, "password").unwrap_or_default();
        self.draft.form.auth.basic = Some(BasicForm { user, password });
        Some(())
    }

    fn api_key(&mut self, node: &Json) -> Option<()> {
        let value = self.said(node, "api_token")?;
        let place = node.get("inject_into");
        let text = |key: &str| place.and_then(|place| place.get(key)).and_then(Json::as_str);
        let name = text("field_name")
            .or_else(|| node.get("header").and_then(Json::as_str))
            .unwrap_or("Authorization");
        if name.contains("{{") {
            return None;
        }
        let form = match text("inject_into") {
            None | Some("header") => ApiKeyForm {
                header: Some(name.to_owned()),
                value: Some(value),
                ..ApiKeyForm::default()
            },
            Some("request_parameter") => ApiKeyForm {
                query: Some(ApiKeyQuery::Name(name.to_owned())),
                value: Some(value),
                ..ApiKeyForm::default()
            },
            Some(_) => return None,
        };
        self.draft.form.auth.api_key = Some(form);
        Some(())
    }

    fn oauth2(&mut self, node: &Json) -> Option<()> {
        let text = |key: &str| node.get(key).and_then(Json::as_str);
        let token_url = text("token_refresh_endpoint").and_then(|url| self.translate(url, Spot::Request).ok())?;
        let grant = match text("grant_type") {
            Some("client_credentials") => Grant::ClientCredentials,
            _ => Grant::RefreshToken,
        };
        let scopes = node
            .get("scopes")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str);
        let scopes = scopes
            .filter(|scope| !scope.contains("{{"))
            .map(str::to_owned)
            .collect();
        let mut params = BTreeMap::new();
        for (name, value) in node
            .get("refresh_request_body")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
        {
            match value.as_str().map(|value| self.translate(value, Spot::Request)) {
                Some(Ok(value)) => drop(params.insert(name.clone(), value)),
                _ => self.lost("/auth", format!("the parameter `{name}` of the token request")),
            }
        }
        if node
            .get("access_token_name")
            .and_then(Json::as_str)
            .is_some_and(|name| name != "access_token")
        {
            self.lost(
                "/auth",
                "the token's own name in the answer (`access_token_name`): say `headers:` of `oauth2` with `answer.…`",
            );
        }
        self.draft.form.auth.oauth2 = Some(OAuth2Form {
            grant,
            token_url: Some(token_url),
            authorize_url: None,
            issuer: None,
            scopes,
            params,
            authorize_params: BTreeMap::new(),
            // A manifest sends them in the body.
            client_auth: ClientAuth::Post,
            expires_after: None,
            headers: BTreeMap::new(),
            jwt: None,
            client_jwt: None,
            revoke_url: None,
        });
        Some(())
    }

    fn session(&mut self, node: &Json) -> Option<()> {
        let requester = node.get("login_requester")?;
        let mut login = RequestForm::default();
        let path = self.path(requester).ok()?;
        match requester.get("http_method").and_then(Json::as_str).unwrap_or("POST") {
            "GET" => login.get = Some(path),
            _ => login.post = Some(path),
        }
        if let Some(body) = requester.get("request_body_json") {
            login.body = Some(self.structure(body, Spot::Auth).ok()?);
        } else if let Some(body) = requester.get("request_body_data") {
            login.form = Some(self.structure(body, Spot::Auth).ok()?);
        }
        for (name, value) in requester
            .get("request_headers")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
        {
            let value = self.translate(value.as_str()?, Spot::Auth).ok()?;
            login.headers.insert(name.clone(), value);
        }
        let steps: Vec<String> = node
            .get("session_token_path")?
            .as_array()?
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect();
        let token = format!("answer.{}", path_of(&steps)?);
        let sent = node.get("request_authentication")?;
        let header = sent.pointer("/inject_into/field_name").and_then(Json::as_str);
        let is_header = sent
            .pointer("/inject_into/inject_into")
            .and_then(Json::as_str)
            .is_none_or(|place| place == "header");
        let (name, value) = match (sent.get("type").and_then(Json::as_str), header) {
            (Some("Bearer"), _) => ("Authorization".to_owned(), format!("Bearer {{{{ {token} }}}}")),
            (_, Some(name)) if is_header => (name.to_owned(), format!("{{{{ {token} }}}}")),
            _ => return None,
        };
        let expires_after = node
            .get("expiration_duration")
            .and_then(Json::as_str)
            .and_then(super::text::seconds);
        self.draft.form.auth.session = Some(SessionForm {
            login,
            headers: BTreeMap::from([(name, value)]),
            expires_after: expires_after.map(crate::core::period::Period::from_secs),
        });
        Some(())
    }

    /// A secret that goes into every request is a key: a setting would stand in the open. Whether it was one.
    pub(super) fn key(&mut self, is_header: bool, name: &str, text: &str) -> bool {
        let is_secret = |expression: &str| {
            let chain = chain(expression).filter(|chain| chain.root == Root::Config);
            chain
                .and_then(|chain| chain.steps.last().cloned())
                .is_some_and(|last| self.secrets.contains(&last))
        };
        let has_secret = pieces(text)
            .into_iter()
            .filter_map(|(_, expression)| expression)
            .any(is_secret);
        let auth = &self.draft.form.auth;
        let is_taken = auth.basic.is_some() || auth.bearer.is_some() || auth.oauth2.is_some() || auth.session.is_some();
        if !has_secret || is_taken {
            return false;
        }
        let Ok(value) = self.translate(text, Spot::Auth) else {
            return false;
        };
        let known = self.draft.form.auth.api_key.take().unwrap_or_default();
        let place = if is_header { "header" } else { "query" };
        self.draft.form.auth.api_key = Some(security::several(known, place, name, value));
        true
    }

    /// A structure of texts in the words of a connector; the error is the expression that has none.
    pub(super) fn structure(&mut self, node: &Json, spot: Spot) -> Result<Json, String> {
        match node {
            Json::String(text) if pieces(text).len() > 1 || text.contains("{%") => {
                self.translate(text, spot).map(Json::String)
            }
            Json::Array(items) => items.iter().map(|item| self.structure(item, spot)).collect(),
            Json::Object(members) => {
                let mut kept = serde_json::Map::new();
                for (name, member) in members {
                    kept.insert(name.clone(), self.structure(member, spot)?);
                }
                Ok(Json::Object(kept))
            }
            other => Ok(other.clone()),
        }
    }
}

/// A path as an expression says it: plain names alone.
fn path_of(steps: &[String]) -> Option<String> {
    let is_plain = steps
        .iter()
        .all(|step| !step.is_empty() && step.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    path(steps).filter(|_| is_plain)
}
