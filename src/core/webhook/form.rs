//! The `webhooks: verify:` block as it is written in a connector file.
//!
//! These types say what may be written; [`super::Recipe::compile`] says what of it makes sense.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::core::period::Period;

/// How a request proves where it comes from. Exactly one of `hmac`, `ed25519`, `basic`, `shared_secret` and
/// `insecure_no_verification` is written; the other keys say the details of the first two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyForm {
    /// The sender signs with a shared key and this digest (RFC 2104).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac: Option<Digest>,
    /// `true`: the sender signs with its private key; the secret of the system is the public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ed25519: Option<bool>,
    /// `true`: the sender logs in with HTTP Basic (RFC 7617); the secret of the system is `user:password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<bool>,
    /// The sender repeats a secret we gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_secret: Option<SharedSecretForm>,
    /// `true`: anybody may send anything. For tries on one machine only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_no_verification: Option<bool>,
    /// The header that carries the signature or the list of signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// How the header is laid out; `plain` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Which entries of a list are signatures of this kind (`v1`); all others are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What stands before each signature (`sha256=`) and must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How the bytes of the signature are written; `hex` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// How the secret is to be read; `utf8` for `hmac` and `whpk` for `ed25519` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyForm>,
    /// What is signed, in order. Where nothing is said: the body; with a timestamp, `timestamp.body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Vec<PartForm>>,
    /// Where the time of sending stands: a header name (whole seconds), or the long form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<TimestampForm>,
    /// How far the time of sending may be from ours, `5m` or `{ past: 5m, future: 1m }`; `5m` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<ToleranceForm>,
}

/// The hash function inside the HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Digest {
    /// SHA-1; still sound inside an HMAC, for senders that offer nothing newer.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How the signature header is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One signature and nothing else.
    #[default]
    Plain,
    /// `key=value` pairs with commas between: `t=1533204620,v1=d7373b…`.
    CsvKv,
    /// `tag,value` entries with spaces between: `v1,tZ1I4… v1a,hnO3f…`.
    SpaceList,
    /// The base64 of `subscription:signature`: the sender's id of the subscription, whose own secret signs.
    Named,
    /// The same with the bytes of the signature as they are.
    NamedBytes,
}

/// How the bytes of a signature are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal digits, either case.
    #[default]
    Hex,
    /// Base64 (RFC 4648 section 4), padded.
    Base64,
    /// The URL-safe alphabet of base64 (RFC 4648 section 5), padded or not.
    Base64url,
}

/// How a secret is read into a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyForm {
    /// The text as it is, with any prefix it has.
    Utf8,
    /// Base64.
    Base64,
    /// Hexadecimal digits.
    Hex,
    /// A Standard Webhooks secret: base64, with or without `whsec_` before it, of 24 bytes or more.
    Whsec,
    /// A Standard Webhooks public key: base64, with or without `whpk_` before it, of 32 bytes.
    Whpk,
}

/// One part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartForm {
    /// The raw body.
    Body,
    /// The time of sending, as the sender wrote it.
    Timestamp,
    /// The request method, upper case.
    Method,
    /// The whole public URL with its query, as configured and received.
    Url,
    /// The path of the URL without the query.
    UrlPath,
    /// A fixed text.
    Literal(String),
    /// The value of a header.
    Header(String),
    /// The decoded value of a query parameter.
    Query(String),
    /// The whole public URL, with the percent-escapes of exactly these characters decoded.
    UrlDecoded(String),
}

/// Where a shared secret stands; exactly one is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharedSecretForm {
    /// In this header, as its whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// In this query parameter. Such a secret ends up in the logs of every proxy on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// At this place of a JSON body: names with dots between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_path: Option<String>,
}

/// How a time of sending is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Whole seconds since 1970.
    #[default]
    S,
    /// Whole milliseconds since 1970.
    Ms,
    /// A date and time with its offset (RFC 3339).
    Rfc3339,
}

/// Where the time of sending stands; exactly one of `header` and `tag` is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TimestampForm {
    /// In a header of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// In the entry of the signature header with this tag (format `csv_kv`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// How it is written.
    pub unit: Unit,
}

/// How old and how far ahead a time of sending may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ToleranceForm {
    /// How old.
    pub past: Period,
    /// How far ahead of our clock.
    pub future: Period,
}

/// The long form of [`TimestampForm`].
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct TimestampMap {
    /// In a header of its own.
    header: Option<String>,
    /// In the entry of the signature header with this tag (format `csv_kv`).
    tag: Option<String>,
    /// How it is written.
    #[serde(default)]
    unit: Unit,
}

/// The long form of [`ToleranceForm`].
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct ToleranceMap {
    /// How old.
    past: Period,
    /// How far ahead of our clock.
    future: Period,
}

/// A value with a short form (text) and a long form (a map). An untagged enum would do the same and answer a slip of
/// the pen with "did not match any variant".
trait ShortOrLong: Sized {
    type Long: for<'de> Deserialize<'de> + JsonSchema;
    const EXPECTED: &'static str;
    fn from_short<E: serde::de::Error>(text: &str) -> Result<Self, E>;
    fn from_long(long: Self::Long) -> Self;
    fn short_schema(generator: &mut SchemaGenerator) -> Schema;
}

impl ShortOrLong for TimestampForm {
    type Long = TimestampMap;
    const EXPECTED: &'static str = "a header name, or a map such as `{ header: X-Time, unit: ms }` or `{ tag: t }`";

    fn from_short<E: serde::de::Error>(text: &str) -> Result<Self, E> {
        Ok(Self {
            header: Some(text.to_owned()),
            ..Self::default()
        })
    }

    fn from_long(long: TimestampMap) -> Self {
        let TimestampMap { header, tag, unit } = long;
        Self { header, tag, unit }
    }

    fn short_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl ShortOrLong for ToleranceForm {
    type Long = ToleranceMap;
    const EXPECTED: &'static str = "a length of time such as `5m`, or a map such as `{ past: 5m, future: 1m }`";

    fn from_short<E: serde::de::Error>(text: &str) -> Result<Self, E> {
        let period = text.parse().map_err(E::custom)?;
        Ok(Self {
            past: period,
            future: period,
        })
    }

    fn from_long(long: ToleranceMap) -> Self {
        let ToleranceMap { past, future } = long;
        Self { past, future }
    }

    fn short_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Period>()
    }
}

struct ShortOrLongVisitor<T>(PhantomData<T>);

impl<'de, T: ShortOrLong> Visitor<'de> for ShortOrLongVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        T::from_short(text)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::Long::deserialize(MapAccessDeserializer::new(map)).map(T::from_long)
    }
}

macro_rules! short_or_long {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ShortOrLongVisitor(PhantomData))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let short = <Self as ShortOrLong>::short_schema(generator);
                let long = generator.subschema_for::<<Self as ShortOrLong>::Long>();
                json_schema!({
                    "description": <Self as ShortOrLong>::EXPECTED,
                    "oneOf": [short, long],
                })
            }
        }
    )*};
}

short_or_long!(TimestampForm, ToleranceForm);
