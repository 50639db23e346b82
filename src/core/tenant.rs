//! Tenants: whose systems and mappings are whose, and who may see them.
//!
//! Everything here compares whole names, and nothing else: no beginning, no part and no other spelling of a name is that name.

use std::{collections::BTreeSet, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The longest name.
const BYTES_MAX: usize = 63;
/// How a name looks, for editors.
const PATTERN: &str = "^[a-z0-9][a-z0-9-]{0,62}$";

/// One of several who share a Syncline and see nothing of each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(String);

/// A text that names no tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of a tenant: lower-case letters, digits and `-`, the first no `-`, at most {BYTES_MAX}")]
pub struct NoTenant(String);

impl Tenant {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tenant {
    type Err = NoTenant;

    fn from_str(text: &str) -> Result<Self, NoTenant> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_name = text.len() <= BYTES_MAX
            && text.bytes().next().is_some_and(is_letter)
            && text.bytes().all(|byte| is_letter(byte) || byte == b'-');
        if is_name {
            return Ok(Self(text.to_owned()));
        }
        Err(NoTenant(text.chars().take(BYTES_MAX).collect()))
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Tenant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tenant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Tenant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tenant".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": PATTERN })
    }
}

/// Whose a mapping is: its systems' tenant where one of them has one, or both the same. Without one it is the house's.
pub fn of_mapping<'a>(left: Option<&'a Tenant>, right: Option<&'a Tenant>) -> Result<Option<&'a Tenant>, Torn> {
    match (left, right) {
        (Some(left), Some(right)) if left != right => Err(Torn),
        (left, right) => Ok(left.or(right)),
    }
}

/// A mapping between systems of two tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its systems belong to two tenants")]
pub struct Torn;

/// How far somebody may see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reach {
    /// The whole house: everything of every tenant, and what has none.
    #[default]
    House,
    /// What belongs to these tenants alone; to none of them: nothing.
    Tenants(BTreeSet<Tenant>),
}

impl Reach {
    /// Limited to these tenants; to none of them: not limited. For what people say, where nothing said is no limit.
    #[must_use]
    pub fn said(tenants: &[Tenant]) -> Self {
        if tenants.is_empty() {
            return Self::House;
        }
        Self::Tenants(tenants.iter().cloned().collect())
    }

    /// Whether there is no limit.
    #[must_use]
    pub const fn is_house(&self) -> bool {
        matches!(self, Self::House)
    }

    /// Whether what belongs to `owner` (none: the house) is within it.
    #[must_use]
    pub fn includes(&self, owner: Option<&Tenant>) -> bool {
        match self {
            Self::House => true,
            Self::Tenants(tenants) => owner.is_some_and(|owner| tenants.contains(owner)),
        }
    }

    /// The tenants that it is limited to; none where it is not.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        let limited = match self {
            Self::House => None,
            Self::Tenants(tenants) => Some(tenants),
        };
        limited.into_iter().flatten()
    }

    /// The tenants as a text, for lists, the audit and the database; none where there is no limit.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let names: Vec<&str> = self.tenants().map(Tenant::as_str).collect();
        (!self.is_house()).then(|| names.join(","))
    }

    /// Reads what [`Reach::text`] says. What cannot be read is an error, and never the house.
    pub fn parse(text: Option<&str>) -> Result<Self, NoTenant> {
        let Some(text) = text else { return Ok(Self::House) };
        let names = text.split(',').filter(|name| !name.is_empty());
        names.map(str::parse).collect::<Result<_, _>>().map(Self::Tenants)
    }
}

/// For answers: a list of tenants, or null.
impl Serialize for Reach {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self::Tenants(tenants) = self else {
            return serializer.serialize_none();
        };
        serializer.collect_seq(tenants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[test]
    fn a_tenant_has_a_plain_name() {
        for good in ["abc", "a", "7", "acme-br", "a--b", "a-", &"a".repeat(63)] {
            assert_eq!(tenant(good).to_string(), good);
        }
        for bad in [
            "",
            "-a",
            "Abc",
            "a b",
            "a_b",
            "a,b",
            "a.b",
            "ä",
            "*",
            "a\n",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<Tenant>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_mapping_belongs_to_the_tenant_of_its_systems_and_never_to_two() {
        let (a, b) = (tenant("a"), tenant("b"));
        assert_eq!(of_mapping(None, None), Ok(None));
        assert_eq!(of_mapping(Some(&a), None), Ok(Some(&a)));
        assert_eq!(of_mapping(None, Some(&a)), Ok(Some(&a)));
        assert_eq!(of_mapping(Some(&a), Some(&a)), Ok(Some(&a)));
        assert_eq!(of_mapping(Some(&a), Some(&b)), Err(Torn));
    }

    #[test]
    fn whoever_is_limited_sees_their_tenants_and_nothing_of_the_house() {
        let limited = Reach::said(&[tenant("abc")]);
        assert!(limited.includes(Some(&tenant("abc"))));
        for other in ["abcdef", "ab", "a", "bc", "abc-"] {
            assert!(!limited.includes(Some(&tenant(other))), "{other}");
        }
        assert!(!limited.includes(None));
        assert!(Reach::House.includes(None) && Reach::House.includes(Some(&tenant("x"))));
        assert!(!Reach::Tenants(BTreeSet::new()).includes(Some(&tenant("x"))));
    }

    #[test]
    fn a_limit_comes_back_as_it_was_kept_and_what_cannot_be_read_is_no_freedom() {
        for reach in [
            Reach::House,
            Reach::Tenants(BTreeSet::new()),
            Reach::said(&[tenant("abc")]),
            Reach::said(&[tenant("abcdef"), tenant("abc")]),
        ] {
            assert_eq!(Reach::parse(reach.text().as_deref()), Ok(reach));
        }
        for bad in ["*", "ABC", "abc, def", "-"] {
            assert!(Reach::parse(Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(Reach::parse(Some("")), Ok(Reach::Tenants(BTreeSet::new())));
    }
}
