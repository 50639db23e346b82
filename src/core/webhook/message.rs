//! The bytes that a sender signs, put together from the request.

use std::borrow::Cow;

use super::{Incoming, Rejection, form::PartForm};

/// The parts of the signed message, in order, without copying the body.
pub(super) fn parts<'a>(
    message: &'a [PartForm],
    request: &Incoming<'a>,
    timestamp: Option<&'a str>,
) -> Result<Vec<Cow<'a, [u8]>>, Rejection> {
    message.iter().map(|part| bytes(part, request, timestamp)).collect()
}

fn bytes<'a>(
    part: &'a PartForm,
    request: &Incoming<'a>,
    timestamp: Option<&'a str>,
) -> Result<Cow<'a, [u8]>, Rejection> {
    Ok(match part {
        PartForm::Body => request.body.into(),
        PartForm::Timestamp => timestamp.unwrap_or_default().as_bytes().into(),
        PartForm::Method => request.method.as_bytes().into(),
        PartForm::Url => request.url.as_bytes().into(),
        PartForm::UrlPath => request.path().as_bytes().into(),
        PartForm::Literal(text) => text.as_bytes().into(),
        PartForm::Header(name) => request.header(name)?.into(),
        PartForm::Query(name) => request.parameter(name)?.into(),
        PartForm::UrlDecoded(set) => decode(request.url, set.as_bytes()).into(),
    })
}

/// `url` with the percent-escapes (either case) of the characters in `set` decoded, and all others kept as they are.
pub(super) fn decode(url: &str, set: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(url.len());
    let mut rest = url.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%').then(|| escaped_byte(tail)).flatten();
        if let (Some(byte), Some(after)) = (escaped.filter(|byte| set.contains(byte)), tail.get(2..)) {
            decoded.push(byte);
            rest = after;
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    decoded
}

/// The byte that the two hexadecimal digits at the start of `digits` stand for.
fn escaped_byte(digits: &[u8]) -> Option<u8> {
    let digit = |index: usize| char::from(*digits.get(index)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}
