//! Lengths of time, rates and shares as people write them: `5m`, `20/s`, `1%`.

use std::{fmt, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is no [`Period`], [`Rate`] or [`Share`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseError {
    text: String,
    expected: &'static str,
}

/// A length of time: digits and a unit (`ms`, `s`, `m`, `h`, `d`), as in `250ms`, `5m`, `30d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"^\d+(ms|s|m|h|d)$"))]
pub struct Period(Duration);

impl Period {
    /// A period of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A period of milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The period as the standard library's type.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// The period in milliseconds, saturating.
    #[must_use]
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

const PERIOD: &str = "a length of time such as `250ms`, `30s`, `5m`, `2h` or `30d`";

impl FromStr for Period {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fail = || ParseError {
            text: text.to_owned(),
            expected: PERIOD,
        };
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(fail)?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| fail())?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(fail()),
        };
        number.checked_mul(millis).map(Self::from_millis).ok_or_else(fail)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        for (size, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
            if millis >= size && millis.is_multiple_of(size) {
                return write!(f, "{}{unit}", millis / size);
            }
        }
        write!(f, "{millis}ms")
    }
}

/// How many requests in how long: `20/s`, `300/m`, `10000/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", extend("pattern" = r"^\d+/(s|m|h|d)$"))]
pub struct Rate {
    /// How many are allowed; never zero.
    pub count: u32,
    /// In which length of time.
    pub per: Duration,
}

impl FromStr for Rate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fail = || ParseError {
            text: text.to_owned(),
            expected: "a rate such as `20/s`, `300/m` or `10000/h`",
        };
        let (count, unit) = text.split_once('/').ok_or_else(fail)?;
        let count = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(fail)?;
        let seconds = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(fail()),
        };
        Ok(Self {
            count,
            per: Duration::from_secs(seconds),
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            1 => "s",
            60 => "m",
            3_600 => "h",
            _ => "d",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

/// A part of a whole (`10%`) or a plain count (`50`).
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema)]
#[schemars(with = "String", extend("type" = ["string", "integer"], "pattern" = r"^\d+(\.\d+)?%?$"))]
pub enum Share {
    /// Thousandths of a percent: `1%` is `1000`.
    Percent(u32),
    /// A number of things.
    Count(u64),
}

impl Share {
    /// How many of `total` this share allows, rounded up so that a small total is not blocked by rounding.
    #[must_use]
    pub fn of(self, total: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(milli) => {
                let share = u128::from(total) * u128::from(milli);
                u64::try_from(share.div_ceil(100_000)).unwrap_or(u64::MAX)
            }
        }
    }
}

impl FromStr for Share {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fail = || ParseError {
            text: text.to_owned(),
            expected: "a share such as `10%` or a count such as `50`",
        };
        let Some(percent) = text.strip_suffix('%') else {
            return text.parse().map(Self::Count).map_err(|_| fail());
        };
        let (whole, part) = percent.split_once('.').unwrap_or((percent, ""));
        if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(fail());
        }
        let whole: u32 = whole.parse().map_err(|_| fail())?;
        let part: u32 = format!("{part:0<3}").parse().map_err(|_| fail())?;
        if whole > 100 {
            return Err(fail());
        }
        Ok(Self::Percent(whole * 1_000 + part))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(milli) if milli % 1_000 == 0 => write!(f, "{}%", milli / 1_000),
            Self::Percent(milli) => write!(f, "{}.{:03}%", milli / 1_000, milli % 1_000),
        }
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a ", stringify!($name), " such as "))?;
                        f.write_str(match stringify!($name) { "Period" => "`5m`", "Rate" => "`20/s`", _ => "`10%`" })
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$name, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<$name, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

as_text!(Period, Rate, Share);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_read_and_print_the_same() {
        for text in ["250ms", "30s", "5m", "2h", "30d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in ["", "5", "m", "5 m", "-5m", "99999999999999999999d", "5w"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn rates_refuse_zero_and_unknown_units() {
        assert_eq!(
            "20/s".parse::<Rate>().unwrap(),
            Rate {
                count: 20,
                per: Duration::from_secs(1)
            }
        );
        for text in ["0/s", "20", "20/w", "-1/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_of_a_small_total_is_rounded_up() {
        assert_eq!("1%".parse::<Share>().unwrap().of(50), 1);
        assert_eq!("25%".parse::<Share>().unwrap().of(1000), 250);
        assert_eq!("0.5%".parse::<Share>().unwrap().of(1000), 5);
        assert_eq!("50".parse::<Share>().unwrap().of(7), 50);
        assert!("101%".parse::<Share>().is_err());
    }
}
