//! `[console.oidc]`: people sign in at an OpenID provider.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{Problem, Reference, Settings, check::path, form::networks, layer::Layers};
use crate::core::{
    status::Role,
    tenant::{Reach, Tenant},
};

/// The provider that people sign in at, and what they may do then.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its address, as its tokens name it: `https://login.example.com/realms/acme`.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// What proves it; none for a client that has no secret.
    #[serde(default)]
    pub client_secret: Option<Reference>,
    /// What is asked for.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that names a person, as the audit shows them.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim that their role is read from; dots lead into it.
    #[serde(default = "role_claim")]
    pub role_claim: String,
    /// Which of its values gives which role; of several the highest counts.
    pub roles: BTreeMap<String, Role>,
    /// The claim that names the tenants that they are limited to; none: nobody who signs in there is limited. Where it is named,
    /// whoever has no tenant in it does not get in.
    #[serde(default)]
    pub tenant_claim: Option<String>,
    /// The value of that claim that lets somebody see the whole house; none: nobody does.
    #[serde(default)]
    pub house_value: Option<String>,
    /// Whether people with a password may sign in, too.
    #[serde(default)]
    pub local_users: bool,
    /// Private networks that the provider may be in.
    #[serde(default, deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub allow_networks: Vec<IpNet>,
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn name_claim() -> String {
    "preferred_username".to_owned()
}

fn role_claim() -> String {
    "groups".to_owned()
}

impl Oidc {
    /// The role that these values of the claim give.
    #[must_use]
    pub fn role(&self, values: &[&str]) -> Option<Role> {
        values.iter().filter_map(|value| self.roles.get(*value)).max().copied()
    }

    /// How far these values of the claim let somebody see, of the tenants that there are; none: nothing.
    #[must_use]
    pub fn reach(&self, values: &[&str], there_are: &BTreeSet<Tenant>) -> Option<Reach> {
        let house = self.house_value.as_deref();
        if house.is_some_and(|house| values.contains(&house)) {
            return Some(Reach::House);
        }
        let named = values.iter().filter_map(|value| value.parse().ok());
        let tenants: BTreeSet<Tenant> = named.filter(|tenant| there_are.contains(tenant)).collect();
        (!tenants.is_empty()).then_some(Reach::Tenants(tenants))
    }
}

/// What types leave open.
pub(super) fn check(settings: &Settings, layers: &Layers, problems: &mut Vec<Problem>) {
    let Some(oidc) = &settings.console.oidc else { return };
    let mut wrong = |key: &str, message: &str, hint: &str| {
        let key = format!("console.oidc.{key}");
        let origin = layers.origin(&path(&key));
        problems.push(Problem::error("CF004", key, origin, message).with_hint(hint));
    };
    let issuer = Url::parse(&oidc.issuer).ok();
    let is_address = issuer.as_ref().is_some_and(|url| {
        let is_secret = !url.username().is_empty() || url.password().is_some() || url.query().is_some();
        matches!(url.scheme(), "https" | "http") && url.fragment().is_none() && !is_secret
    });
    if !is_address {
        wrong(
            "issuer",
            "the issuer is no address",
            "as the provider's tokens name it: `https://login.example.com`",
        );
    } else if !settings.is_dev() && issuer.is_some_and(|url| url.scheme() != "https") {
        wrong(
            "issuer",
            "the issuer has no TLS",
            "`https://…`: what it says decides who gets in",
        );
    }
    if oidc.client_id.trim().is_empty() {
        wrong("client_id", "the name of this client is empty", "the provider gave it");
    }
    if !oidc.scopes.iter().any(|scope| scope == "openid") {
        wrong(
            "scopes",
            "`openid` is not asked for",
            "without it the provider says nobody's name",
        );
    }
    if oidc.tenant_claim.as_ref().is_some_and(|claim| claim.trim().is_empty()) {
        wrong(
            "tenant_claim",
            "the claim has no name",
            "leave it out, and nobody who signs in there is limited",
        );
    }
    if let Some(value) = &oidc.house_value {
        if oidc.tenant_claim.is_none() {
            wrong(
                "house_value",
                "there is no claim that it could be a value of",
                "name it: `tenant_claim = \"tenants\"`",
            );
        }
        let is_tenant = |system: &super::System| system.tenant.as_ref().is_some_and(|tenant| tenant.as_str() == value);
        if value.trim().is_empty() || settings.systems.values().any(is_tenant) {
            wrong(
                "house_value",
                "the value for the whole house is empty, or the name of a tenant",
                "choose one that no tenant has, such as `syncline-house`",
            );
        }
    }
    if oidc.roles.is_empty() {
        wrong(
            "roles",
            "nobody gets a role",
            "`roles = { \"syncline-admins\" = \"admin\", \"sales-ops\" = \"operator\" }`",
        );
    }
}
