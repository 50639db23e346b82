//! A look at a system for `syncline doctor`: is it reached, are we let in, does each object read as the connector says?

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{DATE, HeaderMap};
use serde::Serialize;
use tokio::time::Instant;

use super::{budget::Road, exchange::Refused, lister::Listing, system::System};
use crate::core::{
    fault::Fault,
    record::Record,
    status::{FailureClass, Stage},
};

/// What one look at an object found.
#[derive(Debug)]
pub struct Sight {
    /// The object.
    pub object: String,
    /// How long its first page took, signing in and waiting included.
    pub took: Duration,
    /// What was seen, or why nothing was.
    pub found: Result<Seen, Trouble>,
}

/// A first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The HTTP status.
    pub status: u16,
    /// Records on the page.
    pub records: usize,
    /// Whether there are more pages.
    pub has_more: bool,
    /// How many the system says there are, where the listing ends short of that.
    pub short_of: Option<u64>,
    /// Whether no record has a time where the connector says that it stands.
    pub is_undated: bool,
    /// Headers that tell about the system's own limits, as they are spelled.
    pub limits: Vec<(String, String)>,
    /// How far the system's clock is ahead of ours (behind where negative), where it says its time; exact to a second.
    pub skew: Option<TimeDelta>,
}

/// Why an object could not be read.
#[derive(Debug)]
pub struct Trouble {
    /// Of what kind, for advice.
    pub kind: TroubleKind,
    /// What happened, with a hint.
    pub fault: Fault,
}

/// Kinds of trouble, in the order in which they stand in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// The address guard refuses it.
    Forbidden,
    /// There is no connection.
    Unreachable,
    /// It does not answer in time, or breaks off.
    Broken,
    /// It is not well, asks for a rest, or its budget is used up.
    Busy,
    /// The credentials are not accepted, or there are none.
    SignIn,
    /// The rights do not suffice.
    Denied,
    /// Something else answers: a login page, a proxy, a redirect.
    WrongAddress,
    /// The answer is not what the connector describes.
    Mismatch,
}

impl Trouble {
    pub(super) fn of(fault: Fault) -> Self {
        let kind = match fault.code {
            "RQ001" => TroubleKind::Forbidden,
            "RQ002" | "RQ009" | "AU008" => TroubleKind::Unreachable,
            "RQ005" | "RQ006" => TroubleKind::Broken,
            "AU002" => TroubleKind::Denied,
            "RQ008" | "RQ025" | "AU007" | "AU012" => TroubleKind::WrongAddress,
            "RQ007" | "RQ050" => TroubleKind::Mismatch,
            _ => match fault.class {
                FailureClass::Auth => TroubleKind::SignIn,
                FailureClass::Transient => TroubleKind::Busy,
                _ => TroubleKind::Mismatch,
            },
        };
        Self { kind, fault }
    }
}

impl TroubleKind {
    /// Whether every object of the system would meet the same.
    #[must_use]
    pub const fn is_of_the_system(self) -> bool {
        match self {
            Self::Forbidden | Self::Unreachable | Self::Broken | Self::Busy | Self::SignIn => true,
            Self::Denied | Self::WrongAddress | Self::Mismatch => false,
        }
    }
}

impl System {
    /// Reads the first page of every object that can be listed, one after the other, each for `patience` at most. It ends
    /// early with a trouble that all of them would meet.
    pub async fn probe(&self, patience: Duration) -> Vec<Sight> {
        let mut sights = Vec::new();
        for (name, object) in &self.connector().objects {
            if object.listing(false).is_none() {
                continue;
            }
            let sight = self.look_at(name, patience).await;
            let is_last = matches!(&sight.found, Err(trouble) if trouble.kind.is_of_the_system());
            sights.push(sight);
            if is_last {
                break;
            }
        }
        sights
    }

    async fn look_at(&self, object: &str, patience: Duration) -> Sight {
        let started = Instant::now();
        let found = match tokio::time::timeout(patience, self.first_page(object)).await {
            Ok(found) => found
                .map(|(seen, _)| seen)
                .map_err(|refused| Trouble::of(refused.fault)),
            Err(_) => Err(Trouble::of(self.silent(object, patience))),
        };
        Sight {
            object: object.to_owned(),
            took: started.elapsed(),
            found,
        }
    }

    /// It took longer than anybody wants to stand and wait.
    fn silent(&self, object: &str, patience: Duration) -> Fault {
        let message = format!(
            "system `{}`, list `{object}`: no answer within {} s, all attempts together",
            self.name(),
            patience.as_secs()
        );
        Fault::new("RQ005", FailureClass::Transient, Stage::Fetch, message)
            .with_hint("raise `limits: timeout` if the system is slow by nature")
    }

    /// What the first page shows, and its records.
    pub(super) async fn first_page(&self, object: &str) -> Result<(Seen, Vec<Record>), Refused> {
        let mut reader = self.reader(object, Listing::default(), Road::Manual)?;
        let (page, reply) = Box::pin(reader.fetch()).await?;
        let now = self.now();
        let described = self.connector().objects.get(object);
        let is_dated = described.is_some_and(|described| !described.updated_at.paths().is_empty());
        let seen = Seen {
            status: reply.raw.status,
            records: page.records.len(),
            has_more: !reader.is_ended,
            short_of: reader
                .pager
                .total()
                .filter(|_| reader.is_ended && !reader.pager.is_complete()),
            is_undated: is_dated
                && !page.records.is_empty()
                && page.records.iter().all(|record| record.updated_at.is_none()),
            limits: limits(&reply.raw.headers),
            skew: date(&reply.raw.headers).map(|date| date - now),
        };
        Ok((seen, page.records))
    }
}

/// Headers by which systems tell about their limits.
fn limits(headers: &HeaderMap) -> Vec<(String, String)> {
    let named = headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        name.contains("ratelimit")
            || name.contains("rate-limit")
            || name.contains("quota")
            || name.contains("limit-info")
    });
    let named = named.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    named.take(16).collect()
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(httpdate::parse_http_date(text).ok()?.into())
}
