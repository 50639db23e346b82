//! Our own files that pages load: compiled in, at an address that changes with what they say.

use std::{fmt::Write as _, sync::LazyLock};

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

use crate::server::{
    error::{Problem, Result},
    extract::Within,
};

struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset {
        name: "style.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("asset/style.css"),
    },
    Asset {
        name: "live.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("asset/live.js"),
    },
    Asset {
        name: "icon.svg",
        media_type: "image/svg+xml",
        text: include_str!("asset/icon.svg"),
    },
];

/// A word for what all of them say.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = blake3::Hasher::new();
    for asset in &ASSETS {
        hash.update(asset.text.as_bytes());
    }
    let mut version = String::new();
    for byte in hash.finalize().as_bytes().iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(version, "{byte:02x}");
    }
    version
});

/// Where a page finds one of them.
pub fn address(name: &str) -> String {
    format!("{}/asset/{name}?v={}", super::MOUNT, *VERSION)
}

/// `GET /asset/{name}`
pub async fn get(Within(name): Within<String>) -> Result<Response> {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, asset.text).into_response())
}
