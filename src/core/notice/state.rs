//! The state machine of one condition of one mapping or system.

use chrono::{DateTime, TimeDelta, Utc};

use super::Sight;
use crate::core::status::NoticeState;

/// How a condition stands; kept by the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What was told last.
    pub state: NoticeState,
    /// Since when what is seen says the contrary.
    pub leaning_since: Option<DateTime<Utc>>,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            state: NoticeState::Well,
            leaning_since: None,
        }
    }
}

/// For how long something has to be seen before it is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Patience {
    /// Bad, before it is raised.
    pub raise: TimeDelta,
    /// Well, before it is told to be well again.
    pub settle: TimeDelta,
}

impl Standing {
    /// Where it stands after this was seen; it has turned where `state` is another.
    #[must_use]
    pub fn after(self, sight: Sight, now: DateTime<Utc>, patience: Patience) -> Self {
        let (contrary, wait) = match self.state {
            NoticeState::Well => (Sight::Bad, patience.raise),
            NoticeState::Raised => (Sight::Well, patience.settle),
        };
        if sight != contrary {
            return Self {
                leaning_since: None,
                ..self
            };
        }
        // A clock that was set back begins the wait anew rather than make it endless.
        let since = self.leaning_since.filter(|since| *since <= now).unwrap_or(now);
        if now - since < wait {
            return Self {
                leaning_since: Some(since),
                ..self
            };
        }
        let state = match self.state {
            NoticeState::Well => NoticeState::Raised,
            NoticeState::Raised => NoticeState::Well,
        };
        Self {
            state,
            leaning_since: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn patience(raise: i64, settle: i64) -> Patience {
        Patience {
            raise: TimeDelta::seconds(raise),
            settle: TimeDelta::seconds(settle),
        }
    }

    fn sight() -> impl Strategy<Value = Sight> {
        prop_oneof![Just(Sight::Bad), Just(Sight::Between), Just(Sight::Well)]
    }

    /// Looks with the seconds between them, in order.
    fn looks() -> impl Strategy<Value = Vec<(Sight, i64)>> {
        proptest::collection::vec((sight(), 0_i64..600), 0..120)
    }

    /// The states told, with the time of each.
    fn told(looks: &[(Sight, i64)], patience: Patience) -> Vec<(NoticeState, i64)> {
        let (mut standing, mut now, mut told) = (Standing::default(), 0, Vec::new());
        for (sight, wait) in looks {
            now += wait;
            let next = standing.after(*sight, at(now), patience);
            if next.state != standing.state {
                told.push((next.state, now));
            }
            standing = next;
        }
        told
    }

    /// The same by another way: a state turns when the last looks, without a gap, all said the contrary for long enough.
    fn expected(looks: &[(Sight, i64)], raise: i64, settle: i64) -> Vec<(NoticeState, i64)> {
        let (mut is_raised, mut now, mut from, mut told) = (false, 0, 0, Vec::new());
        let mut times = Vec::new();
        for (index, (_, wait)) in looks.iter().enumerate() {
            now += wait;
            times.push(now);
            let (wanted, long) = if is_raised {
                (Sight::Well, settle)
            } else {
                (Sight::Bad, raise)
            };
            let run = looks[from..=index]
                .iter()
                .rev()
                .take_while(|(sight, _)| *sight == wanted)
                .count();
            if run > 0 && now - times[index + 1 - run] >= long {
                is_raised = !is_raised;
                from = index + 1;
                told.push((
                    if is_raised {
                        NoticeState::Raised
                    } else {
                        NoticeState::Well
                    },
                    now,
                ));
            }
        }
        told
    }

    proptest! {
        #[test]
        fn a_change_is_told_when_it_has_lasted_and_only_then(looks in looks(), raise in 0_i64..900, settle in 0_i64..900) {
            prop_assert_eq!(told(&looks, patience(raise, settle)), expected(&looks, raise, settle));
        }

        #[test]
        fn raised_and_well_take_turns_whatever_is_seen(looks in looks(), raise in 0_i64..900, settle in 0_i64..900) {
            let states: Vec<_> = told(&looks, patience(raise, settle)).into_iter().map(|(state, _)| state).collect();
            for (index, state) in states.iter().enumerate() {
                let expected = if index % 2 == 0 { NoticeState::Raised } else { NoticeState::Well };
                prop_assert_eq!(*state, expected);
            }
        }

        #[test]
        fn looking_again_at_the_same_instant_tells_nothing_more(looks in looks(), raise in 1_i64..900, settle in 1_i64..900) {
            let doubled: Vec<_> = looks.iter().flat_map(|(sight, wait)| [(*sight, *wait), (*sight, 0)]).collect();
            prop_assert_eq!(told(&doubled, patience(raise, settle)), told(&looks, patience(raise, settle)));
        }
    }

    #[test]
    fn what_flaps_faster_than_the_patience_is_never_told() {
        let looks: Vec<_> = [(Sight::Bad, 60), (Sight::Well, 60)].repeat(100);
        assert_eq!(told(&looks, patience(300, 300)), []);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_make_the_wait_endless() {
        let leaning = Standing::default().after(Sight::Bad, at(1_000_000), patience(60, 60));
        let begun = leaning.after(Sight::Bad, at(0), patience(60, 60));
        assert_eq!(begun.leaning_since, Some(at(0)));
        assert_eq!(
            begun.after(Sight::Bad, at(60), patience(60, 60)).state,
            NoticeState::Raised
        );
    }
}
