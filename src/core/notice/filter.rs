//! Which notices a target gets.

use std::{fmt, str::FromStr};

use crate::core::{
    problem::nearest,
    status::{NoticeCondition, NoticeState},
};

/// Types of notices: `drift.raised`, `drift.*`, `*.raised` or `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    condition: Option<NoticeCondition>,
    state: Option<NoticeState>,
}

impl Filter {
    /// Whether it lets notices of this type through.
    #[must_use]
    pub fn fits(&self, condition: NoticeCondition, state: NoticeState) -> bool {
        self.condition.is_none_or(|wanted| wanted == condition) && self.state.is_none_or(|wanted| wanted == state)
    }
}

/// A text that names no type of notice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no type of notice{}", near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
pub struct NoFilter {
    text: String,
    near: Option<&'static str>,
}

/// A part of a filter: one name, or all of them.
fn part<T: FromStr>(text: &str) -> Result<Option<T>, T::Err> {
    match text {
        "*" => Ok(None),
        name => name.parse().map(Some),
    }
}

impl FromStr for Filter {
    type Err = NoFilter;

    fn from_str(text: &str) -> Result<Self, NoFilter> {
        if text == "*" {
            return Ok(Self {
                condition: None,
                state: None,
            });
        }
        let (condition, state) = text.split_once('.').unwrap_or((text, ""));
        match (part(condition), part(state)) {
            (Ok(condition), Ok(state)) => Ok(Self { condition, state }),
            _ => Err(NoFilter {
                text: text.chars().take(64).collect(),
                near: nearest(condition, NoticeCondition::ALL.iter().map(|known| known.as_str())),
            }),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = self.condition.map_or("*", NoticeCondition::as_str);
        let state = self.state.map_or("*", NoticeState::as_str);
        write!(f, "{condition}.{state}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(filter: &str, condition: NoticeCondition, state: NoticeState) -> bool {
        filter.parse::<Filter>().unwrap().fits(condition, state)
    }

    #[test]
    fn a_filter_names_a_condition_a_state_both_or_all() {
        use NoticeCondition::{Drift, Held};
        use NoticeState::{Raised, Well};
        assert!(fits("*", Drift, Well) && fits("*.*", Held, Raised));
        assert!(fits("drift.*", Drift, Well) && !fits("drift.*", Held, Well));
        assert!(fits("*.raised", Held, Raised) && !fits("*.raised", Held, Well));
        assert!(fits("held.raised", Held, Raised) && !fits("held.raised", Held, Well));
    }

    #[test]
    fn what_names_no_type_is_refused_with_what_may_be_meant() {
        let refused = "drfit.raised".parse::<Filter>().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`drfit.raised` is no type of notice: did you mean `drift`?"
        );
        for text in ["", "drift", "drift.", ".raised", "drift.raised.now", "drift raised"] {
            assert!(text.parse::<Filter>().is_err(), "{text}");
        }
    }
}
