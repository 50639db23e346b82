//! How requests prove who they are.

use super::Compiler;
use crate::core::{
    connector::{
        Auth, OAuth2, Place, Session,
        form::{ApiKeyForm, AuthForm, OAuth2Form, SessionForm},
    },
    problem::pointer,
};

/// What templates of `auth` know.
const NAMES: [&str; 2] = ["settings", "credentials"];

impl Compiler<'_> {
    pub(super) fn auth(&mut self, form: &AuthForm) -> Auth {
        let given: Vec<&str> = [
            ("basic", form.basic.is_some()),
            ("bearer", form.bearer.is_some()),
            ("api_key", form.api_key.is_some()),
            ("oauth2", form.oauth2.is_some()),
            ("session", form.session.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_given)| is_given.then_some(name))
        .collect();
        if given.len() > 1 {
            let named = given.join("`, `");
            self.error("CN005", "/auth", &format!("`auth` names `{named}`"), "keep one of them");
        }
        if let Some(basic) = &form.basic {
            Auth::Basic {
                user: self.template(&basic.user, "/auth/basic/user", &NAMES),
                password: self.secret(&basic.password, "/auth/basic/password"),
            }
        } else if let Some(bearer) = &form.bearer {
            Auth::Bearer {
                token: self.secret(&bearer.token, "/auth/bearer/token"),
            }
        } else if let Some(key) = &form.api_key {
            self.api_key(key)
        } else if let Some(oauth2) = &form.oauth2 {
            self.oauth2(oauth2)
        } else if let Some(session) = &form.session {
            self.session(session)
        } else {
            Auth::None
        }
    }

    fn api_key(&mut self, form: &ApiKeyForm) -> Auth {
        let value = self.secret(&form.value, "/auth/api_key/value");
        let place = match (&form.header, &form.query) {
            (Some(name), None) => {
                self.header_name(name, "/auth/api_key/header");
                Place::Header(name.clone())
            }
            (None, Some(name)) => Place::Query(name.clone()),
            _ => {
                self.error(
                    "CN006",
                    "/auth/api_key",
                    "an API key goes into exactly one place",
                    "give either `header:` or `query:`",
                );
                Place::Header(String::new())
            }
        };
        Auth::ApiKey { place, value }
    }

    fn oauth2(&mut self, form: &OAuth2Form) -> Auth {
        for (index, scope) in form.scopes.iter().enumerate() {
            if scope.is_empty() || scope.contains(char::is_whitespace) {
                let place = pointer("/auth/oauth2/scopes", index);
                self.error(
                    "CN006",
                    &place,
                    &format!("`{scope}` is no scope"),
                    "write one scope an item",
                );
            }
        }
        let params = form.params.iter();
        Auth::OAuth2(OAuth2 {
            token_url: self.template(&form.token_url, "/auth/oauth2/token_url", &["settings"]),
            scopes: form.scopes.clone(),
            params: params
                .map(|(name, text)| {
                    let place = pointer("/auth/oauth2/params", name);
                    (name.clone(), self.template(text, &place, &NAMES))
                })
                .collect(),
            client_auth: form.client_auth,
        })
    }

    fn session(&mut self, form: &SessionForm) -> Auth {
        const NAMES_AFTER: [&str; 5] = ["settings", "credentials", "answer", "cookies", "answer_headers"];
        if form.headers.is_empty() {
            let hint = "say under `headers:` what of the login's answer every later request carries";
            self.error(
                "CN006",
                "/auth/session",
                "a session without headers proves nothing",
                hint,
            );
        }
        Auth::Session(Session {
            login: self.request(&form.login.request(), "/auth/session/login", &NAMES),
            headers: self.headers(&form.headers, "/auth/session/headers", &NAMES_AFTER),
            expires_after: form.expires_after,
        })
    }

    /// A template of a secret, which must not be written down here.
    fn secret(&mut self, text: &str, place: &str) -> crate::core::expr::Template {
        let template = self.template(text, place, &NAMES);
        if !template.uses("credentials") && !text.trim().is_empty() {
            self.error(
                "CN025",
                place,
                "a secret stands in the file, or none is used",
                "write `\"{{ credentials.… }}\"` and give the credential in config/",
            );
        }
        template
    }
}
