//! Filters that encode and decode.

use base64::{Engine as _, engine::DecodePaddingMode, prelude::BASE64_STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::{super::OUTPUT_BYTES_MAX, Call, Outcome, Refusal, refuse};
use crate::core::{
    expr::engine,
    value::{
        Value,
        json::{self, Limits},
    },
};

/// What is encoded in addresses: all but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Base64 of either alphabet, with or without padding.
const LENIENT: base64::engine::GeneralPurposeConfig =
    base64::engine::GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: base64::engine::GeneralPurpose =
    base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);

fn map(call: &Call<'_>, change: impl FnOnce(&str) -> String) -> Outcome {
    let text = call.input_text()?;
    if text.len() > OUTPUT_BYTES_MAX {
        return Err(Refusal::Size);
    }
    Ok(Some(Value::Text(change(&text))))
}

pub(super) fn json(call: &Call<'_>) -> Outcome {
    let value = call.input()?;
    let mut budget = OUTPUT_BYTES_MAX;
    engine::weigh(value, &mut budget).map_err(|_| Refusal::Size)?;
    Ok(Some(Value::Text(json::to_string(value))))
}

pub(super) fn from_json(call: &Call<'_>) -> Outcome {
    let limits = Limits {
        bytes: OUTPUT_BYTES_MAX,
        nodes: 100_000,
        ..Limits::default()
    };
    let parsed = json::parse(call.input_text()?.as_bytes(), &limits);
    parsed.map(Some).map_err(|error| refuse(error.to_string()))
}

pub(super) fn urlencode(call: &Call<'_>) -> Outcome {
    map(call, |text| utf8_percent_encode(text, RESERVED).to_string())
}

pub(super) fn b64encode(call: &Call<'_>) -> Outcome {
    map(call, |text| BASE64_STANDARD.encode(text))
}

pub(super) fn b64decode(call: &Call<'_>) -> Outcome {
    let text = call.input_text()?.trim().replace('-', "+").replace('_', "/");
    let bytes = STANDARD.decode(text).map_err(|_| refuse("the text is not base64"))?;
    let decoded = String::from_utf8(bytes).map_err(|_| refuse("the decoded bytes are not text"))?;
    Ok(Some(Value::Text(decoded)))
}

pub(super) fn hex(call: &Call<'_>) -> Outcome {
    map(call, |text| hex::encode(text))
}

pub(super) fn sha256(call: &Call<'_>) -> Outcome {
    map(call, |text| hex::encode(Sha256::digest(text)))
}
