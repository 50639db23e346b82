//! Reads a public document (a description of a system) from an address that a person named: no credentials, no redirects.

use std::time::Duration;

use url::Url;

use super::{
    guard::Policy,
    transport::{Limits, Transport},
};
use crate::core::connector::{form::Method, format::Format, request::Call};

/// How long a document may take.
const TOTAL_MAX: Duration = Duration::from_secs(60);

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The address is none.
    #[error("`{0}` is no http(s) address")]
    NotUrl(String),
    /// No answer came.
    #[error("{0}")]
    Unanswered(String),
    /// Something else was answered.
    #[error("the answer was HTTP {0}")]
    Status(u16),
}

/// The document at an address, of at most so many bytes. Every network may be reached: whoever calls a command at a terminal
/// says where to.
pub async fn document(address: &str, bytes_max: u64) -> Result<Vec<u8>, DocumentError> {
    let not_url = || DocumentError::NotUrl(address.to_owned());
    let url = Url::parse(address).map_err(|_| not_url())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(not_url());
    }
    let limits = Limits {
        connect: Duration::from_secs(10),
        idle: Duration::from_secs(20),
        total: TOTAL_MAX,
        body_bytes_max: bytes_max,
    };
    let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok());
    let policy = Policy {
        allow: everywhere.collect(),
        proxy: None,
    };
    let unanswered = |error: &dyn std::fmt::Display| DocumentError::Unanswered(error.to_string());
    let transport = Transport::new(policy, limits, None).map_err(|error| unanswered(&error))?;
    let call = Call {
        method: Method::Get,
        url,
        headers: vec![(
            "accept".to_owned(),
            "application/json, application/yaml, application/xml, */*;q=0.1".to_owned(),
        )],
        body: None,
        is_repeatable: true,
        format: Format::Json,
        list: None,
    };
    let raw = transport.send(&call, false).await.map_err(|error| unanswered(&error))?;
    if raw.status == 200 {
        Ok(raw.body)
    } else {
        Err(DocumentError::Status(raw.status))
    }
}
