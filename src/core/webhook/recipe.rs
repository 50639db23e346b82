//! A checked recipe: everything in it makes sense, so running it never fails for its own reasons.

use chrono::TimeDelta;

use super::{
    compile::Compiler,
    form::{Digest, Encoding, KeyForm, PartForm, Unit, VerifyForm},
};
use crate::core::{problem::Problems, value::xml::Namespaces};

/// A checked `verify` block: what proves that a request comes from its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    pub(super) scheme: Scheme,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    /// A signature over parts of the request.
    Signed(Signed),
    /// HTTP Basic.
    Basic,
    /// A secret that the sender repeats.
    Shared(SharedPlace),
    /// Nothing, as asked for in so many words.
    Unverified,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) algorithm: Algorithm,
    pub(super) key: KeyForm,
    pub(super) header: String,
    pub(super) layout: Layout,
    pub(super) prefix: String,
    pub(super) encoding: Encoding,
    pub(super) message: Vec<PartForm>,
    pub(super) timestamp: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hmac(Digest),
    Ed25519,
}

/// How the signature header is laid out, and which of its entries count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layout {
    Plain,
    CsvKv { tag: String },
    SpaceList { tag: String },
    Named { is_bytes: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timestamp {
    pub(super) place: TimestampPlace,
    pub(super) unit: Unit,
    pub(super) past: TimeDelta,
    pub(super) future: TimeDelta,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TimestampPlace {
    Header(String),
    Tag(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SharedPlace {
    Header(String),
    Query(String),
    Body(Vec<String>),
    Xml(Vec<String>, Namespaces),
}

impl Recipe {
    /// Checks `form`, which stands at `at` in its document; `None` if it cannot be used, with the reasons in `problems`.
    pub fn compile(form: &VerifyForm, at: &str, problems: &mut Problems) -> Option<Self> {
        let mut compiler = Compiler::new(form, at);
        let scheme = compiler.scheme();
        let found = compiler.finish();
        let is_usable = !found.has_errors();
        for problem in found.into_vec() {
            problems.push(problem);
        }
        scheme.filter(|_| is_usable).map(|scheme| Self { scheme })
    }

    /// The same for bodies in XML.
    #[must_use]
    pub(in crate::core) fn in_xml(self, namespaces: &Namespaces) -> Self {
        match self.scheme {
            Scheme::Shared(SharedPlace::Body(path)) => Self {
                scheme: Scheme::Shared(SharedPlace::Xml(path, namespaces.clone())),
            },
            scheme => Self { scheme },
        }
    }

    /// Whether requests are accepted from anybody: to be shown wherever the system is shown.
    #[must_use]
    pub fn is_unverified(&self) -> bool {
        self.scheme == Scheme::Unverified
    }

    /// How far a signed timestamp may lie behind our clock and ahead of it, where there is one.
    #[must_use]
    pub const fn tolerance(&self) -> Option<(TimeDelta, TimeDelta)> {
        match &self.scheme {
            Scheme::Signed(Signed {
                timestamp: Some(timestamp),
                ..
            }) => Some((timestamp.past, timestamp.future)),
            _ => None,
        }
    }
}
