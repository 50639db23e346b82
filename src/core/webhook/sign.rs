//! Signing a request as its sender would: for cases, which have no sender.

use std::borrow::Cow;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use super::{
    Incoming, Secret,
    form::{Encoding, Unit},
    message,
    recipe::{Algorithm, Layout, Recipe, Scheme, SharedPlace, Signed, TimestampPlace},
    secret::Material,
    verify::mac,
};

/// The headers that make `request` one of `secret`'s holder, sent at `now`. `None` where the recipe needs more than headers
/// (a secret in the address or body), or a private key.
#[must_use]
pub fn sign(
    recipe: &Recipe,
    secret: &Secret,
    request: &Incoming<'_>,
    now: DateTime<Utc>,
) -> Option<Vec<(String, String)>> {
    let Material::Bytes(key) = &*secret.material else {
        return None;
    };
    let key = key.expose_secret();
    match &recipe.scheme {
        Scheme::Signed(signed) => signature(signed, (key, secret.subscription.as_deref()), request, now),
        Scheme::Basic => Some(vec![(
            "authorization".to_owned(),
            format!("Basic {}", STANDARD.encode(key)),
        )]),
        Scheme::Shared(SharedPlace::Header(name)) => {
            let text = String::from_utf8(key.to_vec()).ok()?;
            Some(vec![(name.clone(), text)])
        }
        Scheme::Shared(_) | Scheme::Unverified => None,
    }
}

fn signature(
    recipe: &Signed,
    (key, subscription): (&[u8], Option<&str>),
    request: &Incoming<'_>,
    now: DateTime<Utc>,
) -> Option<Vec<(String, String)>> {
    let Algorithm::Hmac(digest) = recipe.algorithm else {
        return None;
    };
    let time = recipe.timestamp.as_ref().map(|timestamp| match timestamp.unit {
        Unit::S => now.timestamp().to_string(),
        Unit::Ms => now.timestamp_millis().to_string(),
        Unit::Rfc3339 => now.to_rfc3339(),
    });
    let mut headers = Vec::new();
    let mut tag = None;
    match (recipe.timestamp.as_ref().map(|timestamp| &timestamp.place), &time) {
        (Some(TimestampPlace::Header(name)), Some(time)) => headers.push((name.clone(), time.clone())),
        (Some(TimestampPlace::Tag(name)), Some(time)) => tag = Some(format!("{name}={time}")),
        _ => {}
    }
    let added: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let all = [request.headers, &added].concat();
    let whole = Incoming {
        headers: &all,
        ..*request
    };
    let parts: Vec<Cow<'_, [u8]>> = message::parts(&recipe.message, &whole, time.as_deref()).ok()?;
    let code = mac(digest, key, &parts);
    if let Layout::Named { is_bytes: true } = recipe.layout {
        let whole = [subscription?.as_bytes(), b":", recipe.prefix.as_bytes(), &code].concat();
        headers.push((recipe.header.clone(), STANDARD.encode(whole)));
        return Some(headers);
    }
    let code = match recipe.encoding {
        Encoding::Hex => hex::encode(code),
        Encoding::Base64 => STANDARD.encode(code),
        Encoding::Base64url => URL_SAFE_NO_PAD.encode(code),
    };
    let code = format!("{}{code}", recipe.prefix);
    let value = match &recipe.layout {
        Layout::Plain => code,
        Layout::Named { .. } => STANDARD.encode(format!("{}:{code}", subscription?)),
        Layout::CsvKv { tag: own } => tag
            .into_iter()
            .chain([format!("{own}={code}")])
            .collect::<Vec<_>>()
            .join(","),
        Layout::SpaceList { tag: own } => format!("{own},{code}"),
    };
    headers.push((recipe.header.clone(), value));
    Some(headers)
}
