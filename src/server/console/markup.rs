//! Pieces of a page that are made in Rust: values from outside as text, statuses, times.

use std::fmt;

use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::language::Language;
use crate::report::markup::escape;

/// The most characters of a value from outside that a page shows: whatever comes, a page stays small.
const CHARS_MAX: usize = 160;

/// Markup of our own, in which everything from outside is escaped.
#[derive(Debug, Clone, Default)]
pub struct Markup(String);

impl Markup {
    /// Markup that was made of escaped parts.
    pub const fn new(markup: String) -> Self {
        Self(markup)
    }

    /// Whether there is nothing to show.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

/// The beginning of a text, with a sign where it goes on.
pub fn clipped(text: &str, chars_max: usize) -> String {
    let mut chars = text.chars();
    let mut clipped: String = chars.by_ref().take(chars_max).collect();
    if chars.next().is_some() {
        clipped.push('…');
    }
    clipped
}

/// A text from outside: isolated, so that its direction is its own matter.
pub fn text(text: &str) -> Markup {
    Markup(format!("<bdi>{}</bdi>", escape(&clipped(text, CHARS_MAX))))
}

/// A value of a field, or that there is none.
pub fn value(value: Option<&str>) -> Markup {
    Markup(match value {
        None => "<span class=\"none\">—</span>".to_owned(),
        Some("") => "<code>\"\"</code>".to_owned(),
        Some(text) => format!("<code><bdi>{}</bdi></code>", escape(&clipped(text, CHARS_MAX))),
    })
}

/// Both values of a field, what differs marked: the reader's eye goes where the difference is.
pub fn pair(left: Option<&str>, right: Option<&str>) -> (Markup, Markup) {
    let (Some(one), Some(other)) = (left, right) else {
        return (value(left), value(right));
    };
    let (one, other) = (clipped(one, CHARS_MAX), clipped(other, CHARS_MAX));
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = |(left, right): &(&char, &char)| left == right;
    let head = one.iter().zip(&other).take_while(same).count();
    let rest = one.len().min(other.len()) - head;
    let tail = one
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take(rest)
        .take_while(same)
        .count();
    let marked = |chars: &[char]| {
        let part = |range: std::ops::Range<usize>| {
            let part: String = chars.get(range).unwrap_or_default().iter().collect();
            escape(&part)
        };
        if chars.is_empty() {
            return value(Some(""));
        }
        let end = chars.len() - tail;
        let (before, middle, after) = (part(0..head), part(head..end), part(end..chars.len()));
        let middle = if middle.is_empty() {
            middle
        } else {
            format!("<mark>{middle}</mark>")
        };
        Markup(format!("<code><bdi>{before}{middle}{after}</bdi></code>"))
    };
    (marked(&one), marked(&other))
}

/// How good or bad a status is, by its name.
fn mood(status: &str) -> &'static str {
    match status {
        "succeeded" | "done" | "resolved" | "repaired" | "linked" | "healthy" | "requests_go" | "in_sync" | "sent"
        | "accepted" | "active" => "good",
        "failed" | "parked" | "failing" | "auth" | "uncertain" | "bug" | "rejected" | "event_failed"
        | "write_failed" | "dead" | "nothing_is_sent" => "bad",
        "held" | "partial" | "conflict" | "ambiguous" | "pending_delete" | "drifting" | "paused" | "ends_soon"
        | "one_tries" | "retrying" | "waiting" | "open" | "missing" | "unlinked_match" | "already_linked"
        | "overdue" => "warn",
        _ => "calm",
    }
}

/// A status with its colour; the word says the same.
pub fn tag(status: &str, language: Language) -> Markup {
    let (mood, word) = (mood(status), escape(&clipped(&language.word(status), 40)));
    Markup(format!("<span class=\"tag {mood}\">{word}</span>"))
}

/// A time as everybody reads it, with how long ago it was.
pub fn time(at: DateTime<Utc>, now: DateTime<Utc>, language: Language) -> Markup {
    let (machine, shown) = (
        at.to_rfc3339_opts(SecondsFormat::Secs, true),
        at.format("%Y-%m-%d %H:%M"),
    );
    let away = away(at - now, language);
    Markup(format!(
        "<time datetime=\"{machine}\" title=\"{machine}\"><span class=\"line\">{shown}</span> <span class=\"quiet line\">{away}</span></time>"
    ))
}

/// A length of time to its largest unit.
pub fn span(length: TimeDelta) -> String {
    let seconds = length.num_seconds().unsigned_abs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn away(length: TimeDelta, language: Language) -> String {
    let span = span(length);
    match (language, length < TimeDelta::zero()) {
        (Language::English, true) => format!("{span} ago"),
        (Language::English, false) => format!("in {span}"),
        (Language::Portuguese, true) => format!("há {span}"),
        (Language::Portuguese, false) => format!("em {span}"),
    }
}

/// A count with its thousands apart.
pub fn number(count: u64, language: Language) -> String {
    let digits = count.to_string();
    let separator = match language {
        Language::English => ',',
        Language::Portuguese => '.',
    };
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_text_and_short() {
        let hostile = format!("<script>\"'&\u{202e}{}", "x".repeat(10_000));
        for markup in [text(&hostile), value(Some(&hostile)), tag(&hostile, Language::English)] {
            let markup = markup.to_string();
            assert!(!markup.contains("<script") && !markup.contains('\u{202e}'), "{markup}");
            assert!(markup.len() < 1_000, "{}", markup.len());
        }
    }

    #[test]
    fn what_differs_is_marked() {
        let (left, right) = pair(Some("12 High St"), Some("12 Hill St"));
        assert!(left.to_string().contains("12 Hi<mark>gh</mark> St"), "{left}");
        assert!(right.to_string().contains("12 Hi<mark>ll</mark> St"), "{right}");
        let (left, right) = pair(Some("aa"), Some("aaa"));
        assert_eq!(left.to_string(), "<code><bdi>aa</bdi></code>");
        assert_eq!(right.to_string(), "<code><bdi>aa<mark>a</mark></bdi></code>");
        assert!(pair(None, Some("<b>")).1.to_string().contains("&lt;b&gt;"));
    }

    #[test]
    fn counts_and_lengths_are_easy_to_read() {
        assert_eq!(number(1_234_567, Language::English), "1,234,567");
        assert_eq!(number(1_234, Language::Portuguese), "1.234");
        assert_eq!(number(12, Language::English), "12");
        assert_eq!(span(TimeDelta::seconds(59)), "59 s");
        assert_eq!(span(TimeDelta::hours(47)), "47 h");
        assert_eq!(span(TimeDelta::days(3)), "3 d");
    }
}
