//! English and Portuguese: which of them a page speaks.

use axum::http::{HeaderMap, HeaderValue, header};

use super::{
    key::cookie,
    text::{self, Texts},
    word,
};

/// The cookie that remembers what a person has chosen.
const COOKIE: &str = "syncline_language";

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Portuguese of Brazil.
    Portuguese,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::English, Self::Portuguese];

    /// Its tag (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Portuguese => "pt-BR",
        }
    }

    /// Its name, in itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Portuguese => "Português",
        }
    }

    /// Every text of the pages.
    pub const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &text::ENGLISH,
            Self::Portuguese => &text::PORTUGUESE,
        }
    }

    /// A word of the product, such as a status, for people.
    pub fn word(self, name: &str) -> String {
        match self {
            Self::English => name.replace('_', " "),
            Self::Portuguese => word::portuguese(name).map_or_else(|| name.replace('_', " "), str::to_owned),
        }
    }

    /// What a person has chosen, else what their browser asks for, else English.
    pub fn of(headers: &HeaderMap) -> Self {
        let chosen = cookie(headers, COOKIE).and_then(Self::tagged);
        chosen.or_else(|| Self::asked(headers)).unwrap_or(Self::English)
    }

    /// The language of a tag.
    pub fn tagged(tag: &str) -> Option<Self> {
        let primary = tag.trim().split('-').next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "pt" => Some(Self::Portuguese),
            _ => None,
        }
    }

    /// Has the browser remember it.
    pub fn remember(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::English => "syncline_language=en; Path=/console; Max-Age=31536000; HttpOnly; SameSite=Lax",
            Self::Portuguese => "syncline_language=pt-BR; Path=/console; Max-Age=31536000; HttpOnly; SameSite=Lax",
        })
    }

    fn asked(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
        let wish = |part: &str| {
            let (tag, weight) = part.split_once(';').unwrap_or((part, "q=1"));
            let weight: f32 = weight.trim().strip_prefix("q=")?.parse().ok()?;
            Some((Self::tagged(tag)?, weight)).filter(|(_, weight)| *weight > 0.0)
        };
        let mut wishes: Vec<_> = text.split(',').take(20).filter_map(wish).collect();
        // Stable: of equals the first.
        wishes.sort_by(|left, right| right.1.total_cmp(&left.1));
        wishes.first().map(|(language, _)| *language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_goes_before_what_the_browser_asks_for() {
        let of = |asked: &'static str, cookies: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(asked));
            headers.insert(header::COOKIE, HeaderValue::from_static(cookies));
            Language::of(&headers)
        };
        assert_eq!(of("pt-BR,pt;q=0.9,en;q=0.8", ""), Language::Portuguese);
        assert_eq!(of("de, en;q=0.5, pt;q=0.7", ""), Language::Portuguese);
        assert_eq!(of("pt;q=0, en;q=0.1", ""), Language::English);
        for strange in ["", "de", "*", "en;q=x", ";;;,,,"] {
            assert_eq!(of(strange, ""), Language::English, "{strange}");
        }
        assert_eq!(of("pt-BR", "syncline_language=en"), Language::English);
        assert_eq!(of("en", "syncline_language=pt-BR"), Language::Portuguese);
    }
}
