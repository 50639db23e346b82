//! Which of two states of one record is the newer, as far as what its system says of them tells.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

/// What a system says of a state of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State<'a> {
    /// Its version.
    pub version: Option<&'a str>,
    /// When the record last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

impl State<'_> {
    /// Whether this state is older or newer than another one, or the same; `None` where nobody can tell.
    ///
    /// Versions decide where they have an order (numbers, times). One that has none (a hash, say) still tells whether two
    /// states are the same. Equal times prove nothing: two changes may fall into one tick of the clock.
    #[must_use]
    pub fn compare(self, other: Self) -> Option<Ordering> {
        let versions = self.version.zip(other.version);
        if let Some(order) = versions.and_then(|(own, other)| compare_versions(own, other)) {
            return Some(order);
        }
        let (own, other) = self.updated_at.zip(other.updated_at)?;
        Some(own.cmp(&other)).filter(|order| order.is_ne())
    }
}

fn compare_versions(own: &str, other: &str) -> Option<Ordering> {
    if own == other {
        return Some(Ordering::Equal);
    }
    numbers(own, other).or_else(|| {
        let moment = |text| DateTime::parse_from_rfc3339(text).ok();
        Some(moment(own)?.cmp(&moment(other)?))
    })
}

/// Whole numbers of any length: some systems count in more digits than any integer type has.
fn numbers(own: &str, other: &str) -> Option<Ordering> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(own) || !is_number(other) {
        return None;
    }
    let (own, other) = (own.trim_start_matches('0'), other.trim_start_matches('0'));
    Some(own.len().cmp(&other.len()).then_with(|| own.cmp(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> State<'_> {
        State {
            version: Some(text),
            updated_at: None,
        }
    }

    fn at(seconds: i64) -> State<'static> {
        State {
            version: None,
            updated_at: DateTime::from_timestamp(seconds, 0),
        }
    }

    #[test]
    fn versions_that_are_numbers_or_times_have_an_order() {
        for (older, newer) in [
            ("9", "10"),
            ("007", "8"),
            ("18446744073709551616", "18446744073709551617"),
            ("2026-03-01T09:15:27Z", "2026-03-01T10:15:27.5+01:00"),
        ] {
            assert_eq!(version(older).compare(version(newer)), Some(Ordering::Less), "{older}");
            assert_eq!(
                version(newer).compare(version(older)),
                Some(Ordering::Greater),
                "{newer}"
            );
        }
        assert_eq!(version("07").compare(version("7")), Some(Ordering::Equal));
    }

    #[test]
    fn versions_without_an_order_tell_only_whether_two_states_are_the_same() {
        assert_eq!(version("W/\"a\"").compare(version("W/\"a\"")), Some(Ordering::Equal));
        assert_eq!(version("W/\"a\"").compare(version("W/\"b\"")), None);
        assert_eq!(version("").compare(version("1")), None);
        assert_eq!(version("-1").compare(version("1")), None);
        assert_eq!(version("7").compare(version("2026-03-01T09:15:27Z")), None);
    }

    #[test]
    fn times_decide_where_versions_do_not_and_equal_times_prove_nothing() {
        let etag = |text, seconds| State {
            version: Some(text),
            ..at(seconds)
        };
        assert_eq!(etag("a", 1).compare(etag("b", 2)), Some(Ordering::Less));
        assert_eq!(at(2).compare(at(1)), Some(Ordering::Greater));
        assert_eq!(at(1).compare(at(1)), None);
        assert_eq!(at(1).compare(version("1")), None);
    }
}
