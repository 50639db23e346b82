//! Webhooks: is this request really from the system it claims to be from, and which changes does it speak of?
//!
//! Two steps, both described in a connector file and neither knowing any vendor. [`verify`] checks the raw bytes of a
//! request against a [`Recipe`] (`webhooks: verify:`) and the [`Secret`]s of the system; only then may the body be
//! parsed. `docs/webhook-recipes.md` holds the recipes of well-known senders; the tests here read them from that page.
//!
//! A recipe that verifies nothing has to be spelled `insecure_no_verification: true`; leaving `verify` empty is an error.

mod compile;
pub mod event;
pub mod form;
mod message;
mod recipe;
mod secret;
mod sign;
mod signature;
mod token;
mod told;
pub(super) mod verify;

#[cfg(test)]
mod tests;

pub use recipe::Recipe;
pub use secret::{Secret, SecretError};
pub use sign::sign;
pub use verify::{Flaw, Kind, Place, Rejection, Staleness, Verified, verify};

/// A request as it came in, before anything in it is believed.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// The public URL the sender was given, with path and query as received. Scheme, host and port come from the
    /// configuration (`public_url`), never from `Host` or `X-Forwarded-*`: those are the sender's to choose.
    pub url: &'a str,
    /// The headers in order of arrival; a name may repeat, a value is any bytes.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body exactly as received.
    pub body: &'a [u8],
}

impl<'a> Incoming<'a> {
    /// The only value of the header `name` (any case), without the white space around it.
    ///
    /// A repeated header is refused: which of two values the sender signed would be a guess.
    fn header(&self, name: &str) -> Result<&'a [u8], Rejection> {
        let mut values = self
            .headers
            .iter()
            .filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_ascii());
        let first = values.next();
        only(first, values.next().is_some()).map_err(|flaw| Rejection::Input {
            place: Place::Header(name.to_owned()),
            flaw,
        })
    }

    /// The only value of the query parameter `name`, form-decoded.
    fn parameter(&self, name: &str) -> Result<Vec<u8>, Rejection> {
        let mut values = self
            .query()
            .filter(|(candidate, _)| candidate == name)
            .map(|(_, value)| value.into_owned().into_bytes());
        let first = values.next();
        only(first, values.next().is_some()).map_err(|flaw| Rejection::Input {
            place: Place::Query(name.to_owned()),
            flaw,
        })
    }

    /// The query parameters, form-decoded, in order.
    fn query(&self) -> url::form_urlencoded::Parse<'a> {
        let url = self.url.split_once('#').map_or(self.url, |(before, _)| before);
        let query = url.split_once('?').map_or("", |(_, query)| query);
        url::form_urlencoded::parse(query.as_bytes())
    }

    /// The path of the URL, without scheme, host, query and fragment.
    fn path(&self) -> &'a str {
        let after_scheme = self.url.split_once("://").map_or(self.url, |(_, rest)| rest);
        let path = after_scheme.find('/').and_then(|start| after_scheme.get(start..));
        let path = path.unwrap_or("/");
        path.split(['?', '#']).next().unwrap_or("/")
    }
}

/// One value that is there, is not empty and does not repeat.
fn only<T: AsRef<[u8]>>(first: Option<T>, is_repeated: bool) -> Result<T, Flaw> {
    match first {
        None => Err(Flaw::Missing),
        Some(_) if is_repeated => Err(Flaw::Repeated),
        Some(value) if value.as_ref().is_empty() => Err(Flaw::Empty),
        Some(value) => Ok(value),
    }
}
