//! A recipe in words, for whoever has to sign by it.

use super::{
    form::{Digest, Encoding, KeyForm, PartForm, Unit},
    recipe::{Algorithm, Layout, Recipe, Scheme, SharedPlace, Signed, TimestampPlace},
};

impl Recipe {
    /// What a sender has to do to be believed, as pairs of what and how.
    #[must_use]
    pub fn told(&self) -> Vec<(&'static str, String)> {
        match &self.scheme {
            Scheme::Signed(signed) => signed.told(),
            Scheme::Basic => vec![("scheme", "HTTP Basic: user and password in `Authorization`".to_owned())],
            Scheme::Shared(place) => {
                let place = match place {
                    SharedPlace::Header(name) => format!("the header `{name}`"),
                    SharedPlace::Query(name) => format!("the query parameter `{name}`"),
                    SharedPlace::Body(steps) | SharedPlace::Xml(steps, _) => {
                        format!("the body at `{}`", steps.join("."))
                    }
                };
                vec![("scheme", format!("the shared secret, as the whole value of {place}"))]
            }
            Scheme::Unverified => vec![(
                "scheme",
                "nothing: requests are taken from anybody, and only say where to look".to_owned(),
            )],
        }
    }
}

impl Signed {
    fn told(&self) -> Vec<(&'static str, String)> {
        let algorithm = match self.algorithm {
            Algorithm::Hmac(Digest::Sha1) => "HMAC-SHA1",
            Algorithm::Hmac(Digest::Sha256) => "HMAC-SHA256",
            Algorithm::Hmac(Digest::Sha512) => "HMAC-SHA512",
            Algorithm::Ed25519 => "Ed25519",
        };
        let encoding = match self.encoding {
            Encoding::Hex => "hexadecimal",
            Encoding::Base64 => "base64",
            Encoding::Base64url => "base64url",
        };
        let key = match self.key {
            KeyForm::Utf8 => "the text of the secret as it is",
            KeyForm::Base64 => "the secret, decoded from base64",
            KeyForm::Hex => "the secret, decoded from hexadecimal",
            KeyForm::Whsec => "the secret after `whsec_`, decoded from base64",
            KeyForm::Whpk => "the public key after `whpk_`, decoded from base64",
        };
        let layout = match &self.layout {
            Layout::Plain => format!("`{}{encoding}`", self.prefix),
            Layout::CsvKv { tag } => {
                format!("entries `name=value` with commas between them; `{tag}` has the {encoding}")
            }
            Layout::SpaceList { tag } => format!("entries `{tag},{encoding}` with spaces between them"),
            Layout::Named { is_bytes } => {
                let written = if *is_bytes { "bytes" } else { encoding };
                format!(
                    "the base64 of the subscription's id, a colon and `{}{written}`",
                    self.prefix
                )
            }
        };
        let parts: Vec<String> = self.message.iter().map(part).collect();
        let mut told = vec![
            ("scheme", algorithm.to_owned()),
            ("key", key.to_owned()),
            ("header", format!("`{}`", self.header)),
            ("value", layout),
            ("signed", parts.join(", then ")),
        ];
        if let Some(timestamp) = &self.timestamp {
            let place = match &timestamp.place {
                TimestampPlace::Header(name) => format!("the header `{name}`"),
                TimestampPlace::Tag(name) => format!("the entry `{name}` of the signature's header"),
            };
            let unit = match timestamp.unit {
                Unit::S => "seconds since 1970",
                Unit::Ms => "milliseconds since 1970",
                Unit::Rfc3339 => "RFC 3339",
            };
            let (past, future) = (timestamp.past.num_seconds(), timestamp.future.num_seconds());
            told.push((
                "time",
                format!("{place}, in {unit}; at most {past} s old and {future} s ahead"),
            ));
        }
        told
    }
}

fn part(part: &PartForm) -> String {
    match part {
        PartForm::Body => "the body, byte for byte".to_owned(),
        PartForm::Timestamp => "the time, as it is sent".to_owned(),
        PartForm::Method => "the method".to_owned(),
        PartForm::Url => "the whole address".to_owned(),
        PartForm::UrlDecoded(_) => "the whole address, partly decoded".to_owned(),
        PartForm::UrlPath => "the path".to_owned(),
        PartForm::Literal(text) => format!("`{text}`"),
        PartForm::Header(name) => format!("the header `{name}`"),
        PartForm::Query(name) => format!("the query parameter `{name}`"),
    }
}
