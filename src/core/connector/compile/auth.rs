//! How requests prove who they are.

use std::collections::BTreeMap;

use serde_json::{Map as JsonMap, Value as Json};

use super::Compiler;
use crate::core::{
    connector::{
        auth::{Auth, ClientCertificate, Jwt, OAuth2, Session},
        form::{
            ApiKeyForm, ApiKeyQuery, AuthForm, ClientAuth, ClientCertificateForm, ClientJwtForm, Grant, JwtForm,
            OAuth1Form, OAuth2Form, SessionForm, SignedForm,
        },
        sign::{OAuth1, Signed},
    },
    expr::Template,
    period::Period,
    problem::pointer,
};

/// What templates of `auth` know.
const NAMES: [&str; 2] = ["settings", "credentials"];
/// What the text of a signature knows.
const SIGNED_NAMES: [&str; 7] = [
    "settings",
    "credentials",
    "request",
    "timestamp",
    "timestamp_ms",
    "date",
    "nonce",
];
/// How long an assertion holds where nothing is said.
const ASSERTION_SECONDS: u64 = 180;

type Templates = Vec<(String, Template)>;

impl Compiler<'_> {
    pub(super) fn auth(&mut self, form: &AuthForm) -> Auth {
        let given: Vec<&str> = [
            ("basic", form.basic.is_some()),
            ("bearer", form.bearer.is_some()),
            ("api_key", form.api_key.is_some()),
            ("oauth2", form.oauth2.is_some()),
            ("oauth1", form.oauth1.is_some()),
            ("signed", form.signed.is_some()),
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
            Auth::OAuth2(Box::new(self.oauth2(oauth2)))
        } else if let Some(oauth1) = &form.oauth1 {
            Auth::OAuth1(Box::new(self.oauth1(oauth1)))
        } else if let Some(signed) = &form.signed {
            Auth::Signed(Box::new(self.signed(signed)))
        } else if let Some(session) = &form.session {
            Auth::Session(Box::new(self.session(session)))
        } else {
            Auth::None
        }
    }

    pub(super) fn client_certificate(&mut self, form: &ClientCertificateForm) -> ClientCertificate {
        ClientCertificate {
            certificate: self.template(&form.certificate, "/auth/client_certificate/certificate", &NAMES),
            key: self.secret(&form.key, "/auth/client_certificate/key"),
        }
    }

    fn api_key(&mut self, form: &ApiKeyForm) -> Auth {
        let mut headers = self.headers(&form.headers, "/auth/api_key/headers", &NAMES);
        let mut query = match &form.query {
            Some(ApiKeyQuery::Values(values)) => self.named(values, "/auth/api_key/query", &NAMES),
            _ => Vec::new(),
        };
        let name = match &form.query {
            Some(ApiKeyQuery::Name(name)) => Some(name),
            _ => None,
        };
        let many = headers
            .iter()
            .chain(&query)
            .any(|(_, template)| template.uses("credentials"));
        match (&form.header, name, &form.value) {
            (None, None, None) if many => {}
            (Some(name), None, Some(value)) => {
                self.header_name(name, "/auth/api_key/header");
                headers.push((name.clone(), self.secret(value, "/auth/api_key/value")));
            }
            (None, Some(name), Some(value)) => {
                query.push((name.clone(), self.secret(value, "/auth/api_key/value")));
            }
            (None, None, None) => self.error(
                "CN006",
                "/auth/api_key",
                "no credential is sent",
                "give `header:` or `query:` with `value:`, or several under `headers:` with `{{ credentials.… }}`",
            ),
            _ => self.error(
                "CN006",
                "/auth/api_key",
                "a single API key goes into exactly one place",
                "give either `header:` or `query:`, and `value:`; several keys stand under `headers:` or `query:` by name",
            ),
        }
        Auth::ApiKey { headers, query }
    }

    fn oauth2(&mut self, form: &OAuth2Form) -> OAuth2 {
        const NAMES_AFTER: [&str; 3] = ["settings", "token", "answer"];
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
        self.check_addresses(form);
        self.check_grant(form);
        let mut address = |text: &Option<String>, key: &str| {
            let place = pointer("/auth/oauth2", key);
            text.as_ref().map(|text| self.template(text, &place, &["settings"]))
        };
        let token_url = address(&form.token_url, "token_url");
        let authorize_url = address(&form.authorize_url, "authorize_url");
        let revoke_url = address(&form.revoke_url, "revoke_url");
        let issuer = address(&form.issuer, "issuer");
        OAuth2 {
            grant: form.grant,
            token_url,
            authorize_url,
            revoke_url,
            issuer,
            scopes: form.scopes.clone(),
            params: self.named(&form.params, "/auth/oauth2/params", &NAMES),
            authorize_params: self.named(&form.authorize_params, "/auth/oauth2/authorize_params", &["settings"]),
            client_auth: form.client_auth,
            client_jwt: form.client_jwt.as_ref().map(|jwt| self.client_jwt(jwt)),
            expires_after: form.expires_after,
            headers: self.headers(&form.headers, "/auth/oauth2/headers", &NAMES_AFTER),
            jwt: form.jwt.as_ref().map(|jwt| self.jwt(jwt)),
        }
    }

    /// The addresses are named, and in one way.
    fn check_addresses(&mut self, form: &OAuth2Form) {
        let place = "/auth/oauth2";
        let is_named = form.token_url.is_some() || form.authorize_url.is_some();
        let is_for_people = form.grant == Grant::AuthorizationCode;
        if form.issuer.is_some() && is_named {
            let hint = "keep `issuer:`, or the addresses";
            self.error(
                "CN006",
                place,
                "`issuer` stands beside the addresses that it names",
                hint,
            );
        } else if form.issuer.is_none() && form.token_url.is_none() {
            self.error(
                "CN006",
                place,
                "there is no `token_url`",
                "give it, or `issuer:` where the provider describes itself (OpenID Connect)",
            );
        } else if is_for_people && form.issuer.is_none() && form.authorize_url.is_none() {
            self.error(
                "CN006",
                place,
                "there is no `authorize_url`, where a person signs in",
                "give it, or `issuer:` where the provider describes itself (OpenID Connect)",
            );
        }
        if !is_for_people && (form.authorize_url.is_some() || !form.authorize_params.is_empty()) {
            self.error(
                "CN006",
                place,
                "nobody signs in on a page with this grant",
                "leave `authorize_url` and `authorize_params` out, or use `grant: authorization_code`",
            );
        }
    }

    fn check_grant(&mut self, form: &OAuth2Form) {
        match (form.client_auth, &form.client_jwt) {
            (ClientAuth::PrivateKeyJwt, None) => self.error(
                "CN006",
                "/auth/oauth2/client_auth",
                "`private_key_jwt` needs an assertion",
                "add `client_jwt: { algorithm: RS256, key: \"{{ credentials.private_key }}\" }`",
            ),
            (ClientAuth::PrivateKeyJwt, Some(_)) | (_, None) => {}
            (_, Some(_)) => self.error(
                "CN006",
                "/auth/oauth2/client_jwt",
                "only `client_auth: private_key_jwt` sends this assertion",
                "leave it out, or use `client_auth: private_key_jwt`",
            ),
        }
        match (form.grant, &form.jwt) {
            (Grant::JwtBearer, None) => self.error(
                "CN006",
                "/auth/oauth2",
                "the grant `jwt_bearer` needs an assertion",
                "add `jwt: { algorithm: RS256, key: \"{{ credentials.private_key }}\", issuer: … }`",
            ),
            (Grant::JwtBearer, Some(_)) | (_, None) => {}
            (_, Some(_)) => self.error(
                "CN006",
                "/auth/oauth2/jwt",
                "only the grant `jwt_bearer` sends an assertion",
                "leave it out, or use `grant: jwt_bearer`",
            ),
        }
    }

    /// The assertion of a client: it is issued by the client, about itself.
    fn client_jwt(&mut self, form: &ClientJwtForm) -> Jwt {
        const PLACE: &str = "/auth/oauth2/client_jwt";
        const CLIENT: &str = "{{ credentials.client_id }}";
        let mut optional = |text: &Option<String>, key: &str| {
            text.as_ref()
                .map(|text| self.template(text, &pointer(PLACE, key), &NAMES))
        };
        let key_id = optional(&form.key_id, "key_id");
        let audience = optional(&form.audience, "audience");
        Jwt {
            algorithm: form.algorithm,
            key: self.secret(&form.key, &pointer(PLACE, "key")),
            key_id,
            issuer: self.template(CLIENT, PLACE, &NAMES),
            subject: Some(self.template(CLIENT, PLACE, &NAMES)),
            audience,
            expires_after: Period::from_secs(ASSERTION_SECONDS),
            claims: self.structure(&Json::Object(JsonMap::new()), PLACE, &NAMES),
        }
    }

    fn jwt(&mut self, form: &JwtForm) -> Jwt {
        const PLACE: &str = "/auth/oauth2/jwt";
        let mut optional = |text: &Option<String>, key: &str| {
            text.as_ref()
                .map(|text| self.template(text, &pointer(PLACE, key), &NAMES))
        };
        let key_id = optional(&form.key_id, "key_id");
        let subject = optional(&form.subject, "subject");
        let audience = optional(&form.audience, "audience");
        Jwt {
            algorithm: form.algorithm,
            key: self.secret(&form.key, &pointer(PLACE, "key")),
            key_id,
            issuer: self.template(&form.issuer, &pointer(PLACE, "issuer"), &NAMES),
            subject,
            audience,
            expires_after: form.expires_after.unwrap_or(Period::from_secs(ASSERTION_SECONDS)),
            claims: self.structure(&Json::Object(form.claims.clone()), &pointer(PLACE, "claims"), &NAMES),
        }
    }

    fn oauth1(&mut self, form: &OAuth1Form) -> OAuth1 {
        const PLACE: &str = "/auth/oauth1";
        OAuth1 {
            consumer_key: self.template(&form.consumer_key, &pointer(PLACE, "consumer_key"), &NAMES),
            consumer_secret: self.secret(&form.consumer_secret, &pointer(PLACE, "consumer_secret")),
            token: self.template(&form.token, &pointer(PLACE, "token"), &NAMES),
            token_secret: self.secret(&form.token_secret, &pointer(PLACE, "token_secret")),
            realm: form
                .realm
                .as_ref()
                .map(|realm| self.template(realm, &pointer(PLACE, "realm"), &NAMES)),
            signature: form.signature,
        }
    }

    fn signed(&mut self, form: &SignedForm) -> Signed {
        const PLACE: &str = "/auth/signed";
        let names_after: Vec<&str> = SIGNED_NAMES.into_iter().chain(["signature"]).collect();
        let headers = self.headers(&form.headers, &pointer(PLACE, "headers"), &names_after);
        let query = self.named(&form.query, &pointer(PLACE, "query"), &names_after);
        if !headers
            .iter()
            .chain(&query)
            .any(|(_, template)| template.uses("signature"))
        {
            self.error(
                "CN006",
                PLACE,
                "the signature is not sent",
                "use `{{ signature }}` in `headers:` or `query:`",
            );
        }
        let text = self.template(&form.text, &pointer(PLACE, "text"), &SIGNED_NAMES);
        if !text.uses("request") {
            self.error(
                "CN006",
                &pointer(PLACE, "text"),
                "the text that is signed says nothing of the request",
                "use `request.body`, `request.path` and others as the system describes it",
            );
        }
        Signed {
            digest: form.hmac,
            key: self.secret(&form.key, &pointer(PLACE, "key")),
            key_encoding: form.key_encoding,
            text,
            encoding: form.encoding,
            headers,
            query,
        }
    }

    /// Templates by name, of what need not be spelled as a header is.
    fn named(&mut self, form: &BTreeMap<String, String>, place: &str, names: &[&str]) -> Templates {
        let named = form.iter();
        named
            .map(|(name, text)| (name.clone(), self.template(text, &pointer(place, name), names)))
            .collect()
    }

    fn session(&mut self, form: &SessionForm) -> Session {
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
        Session {
            login: self.request(&form.login.request(), "/auth/session/login", &NAMES),
            headers: self.headers(&form.headers, "/auth/session/headers", &NAMES_AFTER),
            expires_after: form.expires_after,
        }
    }

    /// A template of a secret, which must not be written down here.
    fn secret(&mut self, text: &str, place: &str) -> Template {
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
