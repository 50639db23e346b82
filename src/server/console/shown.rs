//! What templates call to show something: values from outside, statuses, times, records.

#![expect(
    clippy::unused_self,
    clippy::ref_option,
    reason = "templates call all of these on the frame, and hand over references"
)]

use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    advice, asset, code, detail,
    frame::Frame,
    language::Language,
    markup::{self, Markup},
};
use crate::{
    core::{
        status::{Side, Sides},
        webhook::event::NAME_BYTES_MAX,
    },
    report::markup::escape,
    server::{api::search::TEXT_BYTES_MAX as SEARCH_BYTES_MAX, code::Meaning},
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

    /// What the product tells of something, in the reader's language where it is all ours.
    pub fn told(&self, text: &str) -> Markup {
        if let Some(step) = advice::step(text, self.language) {
            return markup::text(step);
        }
        match self.language {
            Language::English => markup::text(text),
            Language::Portuguese => markup::text(&detail::told(text).unwrap_or_else(|| text.to_owned())),
        }
    }

    /// What it tells that may be missing.
    pub fn maybe_told(&self, text: &Option<String>) -> Markup {
        text.as_deref()
            .map_or_else(|| markup::value(None), |text| self.told(text))
    }

    /// What a code means, where it is one of ours.
    pub fn meaning(&self, code: &str) -> Option<Meaning> {
        code::meaning(code, self.language)
    }

    /// What to do about a failure: what was said of this one, or what its code asks for where that is not the reader's language.
    pub fn next_of(&self, code: &str, hint: &Option<String>) -> Option<Markup> {
        let by_code = || self.meaning(code).map(|meaning| meaning.next);
        let text = match self.language {
            Language::English => hint.as_deref().or_else(by_code),
            Language::Portuguese => by_code().or(hint.as_deref()),
        };
        text.map(markup::text)
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

    /// When the page was made, for programs.
    pub fn machine_time(&self) -> String {
        self.now.to_rfc3339_opts(SecondsFormat::Millis, true)
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

    /// A record of which the id alone is known, with the way to those that it may be.
    pub fn maybe_found(&self, id: &Option<String>) -> Markup {
        match id {
            Some(id) if !id.is_empty() && id.len() <= SEARCH_BYTES_MAX => {
                let address = format!("{}/record?q={}", super::MOUNT, encoded(id));
                Markup::new(format!("<a href=\"{}\">{}</a>", escape(&address), markup::text(id)))
            }
            id => self.maybe(id),
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
