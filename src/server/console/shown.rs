//! What templates call to show something: values from outside, statuses, times, records.

#![expect(
    clippy::unused_self,
    clippy::ref_option,
    reason = "templates call all of these on the frame, and hand over references"
)]

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    asset,
    frame::Frame,
    markup::{self, Markup},
};
use crate::{
    core::{
        status::{Side, Sides},
        webhook::event::NAME_BYTES_MAX,
    },
    report::markup::escape,
};

/// What stands in an address as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Frame {
    /// The address of one of our files.
    pub fn asset(&self, name: &str) -> String {
        asset::address(name)
    }

    /// A text from outside.
    pub fn text(&self, text: &str) -> Markup {
        markup::text(text)
    }

    /// A text from outside that may be missing.
    pub fn maybe(&self, text: &Option<String>) -> Markup {
        text.as_deref().map_or_else(|| markup::value(None), markup::text)
    }

    /// A value of a field.
    pub fn value(&self, value: &Option<String>) -> Markup {
        markup::value(value.as_deref())
    }

    /// A status with its colour.
    pub fn tag(&self, status: &str) -> Markup {
        markup::tag(status, self.language)
    }

    /// A word of the product for people.
    pub fn word(&self, name: &str) -> String {
        self.language.word(name)
    }

    /// A time.
    pub fn time(&self, at: &DateTime<Utc>) -> Markup {
        markup::time(*at, self.now, self.language)
    }

    /// A time that may be missing.
    pub fn maybe_time(&self, at: &Option<DateTime<Utc>>) -> Markup {
        at.as_ref().map_or_else(|| markup::value(None), |at| self.time(at))
    }

    /// A count.
    pub fn number(&self, count: impl Plain<u64>) -> String {
        markup::number(count.plain(), self.language)
    }

    /// A record by its id, with the way to its story.
    pub fn record(&self, mapping: &str, side: impl Plain<Side>, id: &str) -> Markup {
        let side = side.plain();
        let shown = markup::text(id);
        if id.is_empty() || id.len() > NAME_BYTES_MAX || id.contains(char::is_control) {
            return shown;
        }
        let address = format!("{}/records/{}/{side}/{}", super::MOUNT, encoded(mapping), encoded(id));
        Markup::new(format!("<a href=\"{}\">{shown}</a>", escape(&address)))
    }

    /// A record that may be missing.
    pub fn maybe_record(&self, mapping: &str, side: impl Plain<Side>, id: &Option<String>) -> Markup {
        match id {
            Some(id) => self.record(mapping, side, id),
            None => markup::value(None),
        }
    }

    /// The name of a side.
    pub fn named<'a>(&self, systems: &'a Sides<String>, side: impl Plain<Side>) -> &'a str {
        systems.get(side.plain())
    }

    /// A text as part of an address.
    pub fn encoded(&self, text: &str) -> String {
        encoded(text)
    }
}

/// A small value, however a template hands it over.
pub trait Plain<T> {
    /// The value.
    fn plain(self) -> T;
}

impl<T: Copy> Plain<T> for T {
    fn plain(self) -> T {
        self
    }
}

impl<T: Copy> Plain<T> for &T {
    fn plain(self) -> T {
        *self
    }
}

impl<T: Copy> Plain<T> for &&T {
    fn plain(self) -> T {
        **self
    }
}

/// A text as part of an address.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}
