//! Reading the signature header: which of its entries are candidates, and what the time of sending is.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_PAD_INDIFFERENT},
};

use super::{
    Flaw, Incoming, Place, Rejection, Staleness,
    form::{Digest, Encoding},
    recipe::{Algorithm, Layout, Signed, TimestampPlace},
};

/// The most signatures of the right kind in one request. A rotation needs two; more only costs us time.
const CANDIDATES_MAX: usize = 16;

/// What the signature header (and the timestamp header, where there is one) say.
pub(super) struct Claim<'a> {
    /// The signatures that decode to the right length. Everything else can never match.
    pub(super) candidates: Vec<Vec<u8>>,
    /// The time of sending as written.
    pub(super) timestamp: Option<&'a str>,
    /// The subscription that the request says to belong to.
    pub(super) subscription: Option<String>,
}

/// Reads the headers that `recipe` names. A header that is missing, doubled or not laid out as told is refused; an
/// entry that is no signature of the right kind is passed over, since another one may match.
pub(super) fn claim<'a>(recipe: &Signed, request: &Incoming<'a>) -> Result<Claim<'a>, Rejection> {
    let malformed = |name: &str| Rejection::Input {
        place: Place::Header(name.to_owned()),
        flaw: Flaw::Malformed,
    };
    let value = text(request.header(&recipe.header)?).ok_or_else(|| malformed(&recipe.header))?;
    if let Layout::Named { is_bytes } = recipe.layout {
        let (subscription, code) = named(recipe, is_bytes, value).ok_or_else(|| malformed(&recipe.header))?;
        let fitting = Some(code).filter(|code| code.len() == signature_bytes(recipe.algorithm));
        return Ok(Claim {
            candidates: fitting.into_iter().collect(),
            timestamp: timestamp(recipe, request, &Tags::new())?,
            subscription: Some(subscription),
        });
    }
    let (written, tags) = entries(&recipe.layout, value).ok_or_else(|| malformed(&recipe.header))?;
    if written.len() > CANDIDATES_MAX {
        return Err(malformed(&recipe.header));
    }
    let prefixed: Vec<&str> = written
        .iter()
        .filter_map(|entry| entry.strip_prefix(recipe.prefix.as_str()))
        .collect();
    if prefixed.is_empty() && recipe.layout == Layout::Plain {
        return Err(malformed(&recipe.header));
    }
    let length = signature_bytes(recipe.algorithm);
    let candidates = prefixed
        .into_iter()
        .filter_map(|entry| decode(recipe.encoding, entry))
        .filter(|bytes| bytes.len() == length)
        .collect();
    Ok(Claim {
        candidates,
        timestamp: timestamp(recipe, request, &tags)?,
        subscription: None,
    })
}

/// The time of sending as written, where the recipe says that there is one.
fn timestamp<'a>(recipe: &Signed, request: &Incoming<'a>, tags: &Tags<'a>) -> Result<Option<&'a str>, Rejection> {
    match recipe.timestamp.as_ref().map(|timestamp| &timestamp.place) {
        None => Ok(None),
        Some(TimestampPlace::Header(name)) => text(request.header(name)?)
            .ok_or(Rejection::Timestamp(Staleness::Malformed))
            .map(Some),
        Some(TimestampPlace::Tag(tag)) => tagged(tags, tag)
            .ok_or_else(|| Rejection::Input {
                place: Place::Header(recipe.header.clone()),
                flaw: Flaw::Malformed,
            })
            .map(Some),
    }
}

/// The subscription and the signature out of `subscription:signature`, which is Base64 as a whole.
fn named(recipe: &Signed, is_bytes: bool, value: &str) -> Option<(String, Vec<u8>)> {
    let whole = STANDARD.decode(value).ok()?;
    let mut parts = whole.splitn(2, |byte| *byte == b':');
    let subscription = std::str::from_utf8(parts.next()?).ok()?;
    let code = parts.next()?.strip_prefix(recipe.prefix.as_bytes())?;
    let code = if is_bytes {
        code.to_vec()
    } else {
        decode(recipe.encoding, std::str::from_utf8(code).ok()?)?
    };
    (!subscription.is_empty()).then(|| (subscription.to_owned(), code))
}

/// Header values we read are printable ASCII; anything else is an attempt at something.
fn text(value: &[u8]) -> Option<&str> {
    let value = std::str::from_utf8(value).ok()?;
    value
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
        .then_some(value)
}

type Tags<'a> = Vec<(&'a str, &'a str)>;

/// The signatures as written, and all entries by tag; `None` if the header is not laid out as told.
fn entries<'a>(layout: &Layout, value: &'a str) -> Option<(Vec<&'a str>, Tags<'a>)> {
    let (tags, wanted): (Tags<'a>, _) = match layout {
        Layout::Plain | Layout::Named { .. } => return Some((vec![value], Vec::new())),
        Layout::CsvKv { tag } => {
            let pairs = value.split(',').map(|pair| {
                let (key, value) = pair.split_once('=')?;
                Some((key.trim_ascii(), value.trim_ascii()))
            });
            (pairs.collect::<Option<_>>()?, tag)
        }
        // Versions to come may write entries differently: those are not ours to judge.
        Layout::SpaceList { tag } => (
            value.split(' ').filter_map(|entry| entry.split_once(',')).collect(),
            tag,
        ),
    };
    let written = tags
        .iter()
        .filter(|(key, _)| key == wanted)
        .map(|(_, value)| *value)
        .collect();
    Some((written, tags))
}

/// The only entry with this tag, if it is not empty.
fn tagged<'a>(tags: &Tags<'a>, tag: &str) -> Option<&'a str> {
    let mut values = tags.iter().filter(|(key, _)| *key == tag).map(|(_, value)| *value);
    let first = values.next();
    super::only(first, values.next().is_some()).ok()
}

fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        // Strict in padding and trailing bits: one signature has one spelling.
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Base64url => URL_SAFE_PAD_INDIFFERENT.decode(text).ok(),
    }
}

/// How long a signature is, in bytes.
fn signature_bytes(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Hmac(Digest::Sha1) => 20,
        Algorithm::Hmac(Digest::Sha256) => 32,
        Algorithm::Hmac(Digest::Sha512) | Algorithm::Ed25519 => 64,
    }
}
