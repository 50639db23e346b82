//! How requests prove who they are, from security schemes. A daemon signs in alone, so that ways without a person come first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::Language;
use crate::{
    core::connector::form::{
        ApiKeyForm, ApiKeyQuery, AuthForm, BasicForm, BearerForm, ClientCertificateForm, Grant, OAuth2Form,
    },
    draft::{Draft, name, one_line, schema::Schemas},
};

/// The scopes of one sign-in are no more than this.
const SCOPES_MAX: usize = 60;

/// Sets `auth` by what the operations in use, or the whole description, ask for.
pub(super) fn put<'a>(
    draft: &mut Draft,
    root: &'a Json,
    language: Language,
    schemas: &Schemas<'a>,
    operations: &[&'a Json],
) {
    let place = match language {
        Language::OpenApi => "/components/securitySchemes",
        Language::Swagger => "/securityDefinitions",
    };
    let schemes = root.pointer(place).and_then(Json::as_object);
    let schemes: BTreeMap<&str, &Json> = schemes
        .into_iter()
        .flatten()
        .map(|(name, scheme)| (name.as_str(), schemas.follow(scheme)))
        .collect();
    let asked = requirements(root, operations);
    let alternatives: Vec<Vec<&str>> = if asked.is_empty() {
        schemes.keys().map(|name| vec![*name]).collect()
    } else {
        asked.iter().map(|one| one.keys().copied().collect()).collect()
    };
    let ways: Vec<(u8, Vec<&str>)> = alternatives
        .into_iter()
        .filter_map(|names| {
            Some((
                names
                    .iter()
                    .map(|name| rank(schemes.get(name)?))
                    .collect::<Option<Vec<_>>>()?
                    .into_iter()
                    .max()?,
                names,
            ))
        })
        .collect();
    let Some((_, names)) = ways.iter().min_by_key(|(rank, _)| *rank) else {
        let text = if schemes.is_empty() {
            "how to sign in is not described: `auth:` is missing".to_owned()
        } else {
            let known: Vec<&str> = schemes.keys().copied().take(10).collect();
            format!(
                "it signs in by {}, which cannot be said by itself: see `auth:` in docs/connectors.md",
                known.join(", ")
            )
        };
        draft.check("/auth", text);
        return;
    };
    let others: BTreeSet<&str> = ways
        .iter()
        .flat_map(|(_, other)| other.iter().copied())
        .filter(|other| !names.contains(other))
        .collect();
    if !others.is_empty() {
        draft.remark(
            "/auth",
            format!(
                "it also knows {}",
                others.iter().copied().take(6).collect::<Vec<_>>().join(", ")
            ),
        );
    }
    let scopes = scopes(root, names, operations);
    for name in names {
        if let Some(scheme) = schemes.get(name) {
            one(draft, name, scheme, &scopes);
        }
    }
}

type Requirement<'a> = BTreeMap<&'a str, Vec<&'a str>>;

fn requirement(node: &Json) -> Vec<Requirement<'_>> {
    let alternatives = node.get("security").and_then(Json::as_array).into_iter().flatten();
    let mut found: Vec<Requirement<'_>> = Vec::new();
    for one in alternatives {
        if let Some(one) = one.as_object().and_then(|members| {
            (!members.is_empty()).then(|| {
                members
                    .iter()
                    .map(|(name, scopes)| {
                        (
                            name.as_str(),
                            scopes
                                .as_array()
                                .into_iter()
                                .flatten()
                                .filter_map(Json::as_str)
                                .collect(),
                        )
                    })
                    .collect()
            })
        }) {
            found.push(one);
        }
    }
    found
}

/// The ways that the description asks for: those of the whole, else those of the first operation that has any.
fn requirements<'a>(root: &'a Json, operations: &[&'a Json]) -> Vec<Requirement<'a>> {
    let own = operations
        .iter()
        .map(|operation| requirement(operation))
        .find(|ways| !ways.is_empty());
    own.unwrap_or_else(|| requirement(root))
}

/// The least scopes that these operations need.
fn scopes(root: &Json, names: &[&str], operations: &[&Json]) -> Vec<String> {
    let mut scopes = BTreeSet::new();
    let all = operations
        .iter()
        .flat_map(|operation| requirement(operation))
        .chain(requirement(root));
    for (name, asked) in all.flatten() {
        if names.contains(&name) {
            scopes.extend(asked.into_iter().map(one_line));
        }
    }
    scopes
        .into_iter()
        .filter(|scope| !scope.is_empty() && !scope.contains("{{"))
        .take(SCOPES_MAX)
        .collect()
}

/// How well a scheme suits a daemon, from 0; none where it cannot be said.
fn rank(scheme: &Json) -> Option<u8> {
    let text = |key: &str| scheme.get(key).and_then(Json::as_str).unwrap_or_default();
    match (text("type"), text("scheme").to_ascii_lowercase().as_str(), text("in")) {
        ("oauth2", ..) => match flow(scheme)? {
            (Grant::ClientCredentials, _) => Some(0),
            _ => Some(5),
        },
        ("apiKey", _, "header") => Some(1),
        ("http", "bearer", _) => Some(2),
        ("http", "basic", _) | ("basic", ..) => Some(3),
        ("apiKey", _, "query") => Some(4),
        ("openIdConnect", ..) => Some(6),
        ("mutualTLS", ..) => Some(7),
        _ => None,
    }
}

/// The flow of OAuth2 that is used: without a person where there is one.
fn flow(scheme: &Json) -> Option<(Grant, &Json)> {
    let flows = scheme.get("flows");
    let of = |key: &str| flows.and_then(|flows| flows.get(key));
    // Swagger 2 has one flow, in the scheme itself.
    let own = |name: &str| (scheme.get("flow").and_then(Json::as_str) == Some(name)).then_some(scheme);
    let client = of("clientCredentials").or_else(|| own("application"));
    let code = of("authorizationCode").or_else(|| own("accessCode"));
    client
        .map(|flow| (Grant::ClientCredentials, flow))
        .or_else(|| code.map(|flow| (Grant::AuthorizationCode, flow)))
}

fn one(draft: &mut Draft, label: &str, scheme: &Json, scopes: &[String]) {
    let text = |key: &str| scheme.get(key).and_then(Json::as_str).unwrap_or_default();
    match (text("type"), text("scheme").to_ascii_lowercase().as_str()) {
        ("oauth2", _) => oauth2(draft, scheme, scopes),
        ("openIdConnect", _) => {
            let issuer = text("openIdConnectUrl")
                .split("/.well-known/")
                .next()
                .unwrap_or_default();
            draft.form.auth.oauth2 = Some(OAuth2Form {
                issuer: Some(issuer.to_owned()),
                ..bare(Grant::AuthorizationCode, scopes)
            });
        }
        ("apiKey", _) => api_key(draft, label, text("in"), text("name")),
        ("http", "bearer") => {
            let token = credential(draft, "token");
            draft.form.auth.bearer = Some(BearerForm { token });
        }
        ("mutualTLS", _) => {
            let (certificate, key) = (credential(draft, "certificate"), credential(draft, "private_key"));
            draft.form.auth.client_certificate = Some(ClientCertificateForm { certificate, key });
        }
        _ => {
            let (user, password) = (credential(draft, "user"), credential(draft, "password"));
            draft.form.auth.basic = Some(BasicForm { user, password });
        }
    }
    only_one(draft);
}

/// Of several ways that would have to go together, one is kept beside a certificate.
fn only_one(draft: &mut Draft) {
    let AuthForm {
        basic,
        bearer,
        api_key,
        oauth2,
        ..
    } = &mut draft.form.auth;
    let given = [basic.is_some(), bearer.is_some(), api_key.is_some(), oauth2.is_some()];
    if given.into_iter().filter(|is_given| *is_given).count() > 1 {
        if oauth2.is_some() {
            (*basic, *bearer, *api_key) = (None, None, None);
        } else if bearer.is_some() {
            (*basic, *api_key) = (None, None);
        } else {
            *basic = None;
        }
        draft.check("/auth", "it asks for several proofs at once, of which one is drafted: the others go into `headers:` or `auth: api_key`");
    }
}

fn bare(grant: Grant, scopes: &[String]) -> OAuth2Form {
    OAuth2Form {
        grant,
        token_url: None,
        authorize_url: None,
        issuer: None,
        scopes: scopes.to_vec(),
        params: BTreeMap::new(),
        authorize_params: BTreeMap::new(),
        client_auth: crate::core::connector::form::ClientAuth::default(),
        expires_after: None,
        headers: BTreeMap::new(),
        jwt: None,
        client_jwt: None,
        revoke_url: None,
    }
}

fn oauth2(draft: &mut Draft, scheme: &Json, scopes: &[String]) {
    let Some((grant, flow)) = flow(scheme) else { return };
    let url = |key: &str| {
        flow.get(key)
            .and_then(Json::as_str)
            .filter(|url| !url.contains(['{', '}']))
            .map(absolute)
    };
    draft.form.auth.oauth2 = Some(OAuth2Form {
        token_url: url("tokenUrl"),
        authorize_url: url("authorizationUrl").filter(|_| grant == Grant::AuthorizationCode),
        ..bare(grant, scopes)
    });
    if flow
        .get("scopes")
        .and_then(Json::as_object)
        .is_some_and(|known| !known.is_empty())
        && scopes.is_empty()
    {
        draft.check(
            "/auth",
            "which scopes the objects need is not described (`scopes:`): ask for the least",
        );
    }
    draft.check(
        "/auth",
        "where client id and secret go is not described: in a header, or `client_auth: post`",
    );
}

/// An address of the token endpoint; one without a host is at the system itself.
fn absolute(url: &str) -> String {
    if url.starts_with('/') {
        format!("{{{{ settings.base_url }}}}{url}")
    } else {
        url.to_owned()
    }
}

fn api_key(draft: &mut Draft, label: &str, place: &str, header: &str) {
    let word = if header.eq_ignore_ascii_case("authorization") {
        "api_key".to_owned()
    } else {
        name::word(label)
    };
    let value = credential(draft, &word);
    if header.eq_ignore_ascii_case("authorization") {
        draft.check("/auth", "what stands before the key in `Authorization` (`Bearer`, `Token`, …) is not described: it belongs into the credential, or before the braces");
    }
    let known = draft.form.auth.api_key.take();
    let form = match (known, place) {
        (None, "query") => ApiKeyForm {
            query: Some(ApiKeyQuery::Name(header.to_owned())),
            value: Some(value),
            ..ApiKeyForm::default()
        },
        (None, _) => ApiKeyForm {
            header: Some(header.to_owned()),
            value: Some(value),
            ..ApiKeyForm::default()
        },
        (Some(known), place) => several(known, place, header, value),
    };
    draft.form.auth.api_key = Some(form);
}

/// One more key beside those that are there.
pub(in crate::draft) fn several(mut known: ApiKeyForm, place: &str, name: &str, value: String) -> ApiKeyForm {
    let mut query = BTreeMap::new();
    if let (Some(header), Some(value)) = (known.header.take(), known.value.as_ref()) {
        known.headers.insert(header, value.clone());
    }
    match known.query.take() {
        Some(ApiKeyQuery::Name(parameter)) => drop(query.insert(parameter, known.value.clone().unwrap_or_default())),
        Some(ApiKeyQuery::Values(values)) => query = values,
        None => {}
    }
    known.value = None;
    if place == "query" {
        query.insert(name.to_owned(), value);
    } else {
        known.headers.insert(name.to_owned(), value);
    }
    known.query = (!query.is_empty()).then_some(ApiKeyQuery::Values(query));
    known
}

/// The template of a credential, which is declared.
pub(in crate::draft) fn credential(draft: &mut Draft, word: &str) -> String {
    if draft.form.credentials.iter().all(|known| known != word) {
        draft.form.credentials.push(word.to_owned());
    }
    format!("{{{{ credentials.{word} }}}}")
}
