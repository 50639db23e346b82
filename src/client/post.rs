//! Posts a document to a webhook of somebody else: under the same address guard and time-outs as every request.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::RETRY_AFTER;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    ConfigError, guard,
    guard::Refused,
    transport::{Limits, SendError, Transport},
};
use crate::core::{
    connector::{form::Method, format::Format, request::Call},
    retry,
};

/// How long a connection may take to stand.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// The connections to one webhook.
#[derive(Debug)]
pub struct Poster {
    transport: Transport,
}

/// How a webhook answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Took {
    /// The status.
    pub status: u16,
    /// How long it asks us to wait.
    pub retry_after: Option<Duration>,
}

/// Why a webhook did not answer.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The address is none.
    #[error("[NT001] the address is not a valid http(s) address")]
    NotUrl,
    /// The address may not be reached.
    #[error("[NT001] {0}; name its network under `allow_networks` if it is meant")]
    Refused(Refused),
    /// There was no connection.
    #[error("[NT002] {0}")]
    Unsent(String),
    /// There was no answer.
    #[error("[NT003] {0}")]
    Unanswered(String),
}

impl Poster {
    /// Connections under these rules; one request takes `timeout` at most.
    pub fn new(network: guard::Policy, timeout: Duration) -> Result<Self, ConfigError> {
        let limits = Limits {
            connect: CONNECT_MAX.min(timeout),
            idle: timeout,
            total: timeout,
            // Of an answer no more than its head is read.
            body_bytes_max: 0,
        };
        let transport =
            Transport::new(network, limits, None).map_err(|error| ConfigError::Transport(error.to_string()))?;
        Ok(Self { transport })
    }

    /// Posts a JSON document. Redirects are not followed, and what the answer says beyond its status is not read.
    pub async fn post(
        &self,
        url: &SecretString,
        headers: Vec<(String, SecretString)>,
        body: Vec<u8>,
        now: DateTime<Utc>,
    ) -> Result<Took, PostError> {
        let mut sent = vec![("content-type".to_owned(), "application/json".to_owned())];
        sent.extend(
            headers
                .into_iter()
                .map(|(name, value)| (name, value.expose_secret().to_owned())),
        );
        let call = Call {
            method: Method::Post,
            url: Url::parse(url.expose_secret()).map_err(|_| PostError::NotUrl)?,
            headers: sent,
            body: Some(body),
            is_repeatable: true,
            format: Format::Json,
            list: None,
        };
        let head = self.transport.send_for_head(&call).await.map_err(|error| match error {
            SendError::Refused(refused) => PostError::Refused(refused),
            error if error.is_unsent() => PostError::Unsent(error.to_string()),
            error => PostError::Unanswered(error.to_string()),
        })?;
        let wait = head.header(&RETRY_AFTER);
        Ok(Took {
            status: head.status,
            retry_after: wait.and_then(|text| retry::parse_retry_after(&text, now)),
        })
    }
}
