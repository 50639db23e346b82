//! How many requests may be in flight at once, found out by trying: additive increase, multiplicative decrease.

/// The adaptive limit of one system. Pure: the caller counts and waits.
#[derive(Debug, Clone)]
pub struct Pace {
    max: f64,
    limit: f64,
    /// Grows with every decrease, so that requests of before it do not decrease again.
    epoch: u64,
}

impl Pace {
    /// Starts with all `max` allowed (at least one).
    #[must_use]
    pub fn new(max: u32) -> Self {
        let max = f64::from(max.max(1));
        Self {
            max,
            limit: max,
            epoch: 0,
        }
    }

    /// How many may be in flight now: from 1 to the maximum.
    #[must_use]
    pub fn limit(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the limit lies between 1 and a u32"
        )]
        let limit = self.limit as u32;
        limit.max(1)
    }

    /// The epoch a request starts in; hand it back with its result.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A request succeeded: one more for every full round of successes.
    pub fn rise(&mut self) {
        self.limit = (self.limit + 1.0 / self.limit).min(self.max);
    }

    /// A request that started in `epoch` met an overloaded system: half as many. The requests of one round halve it once.
    pub fn fall(&mut self, epoch: u64) {
        if epoch == self.epoch {
            self.limit = (self.limit / 2.0).max(1.0);
            self.epoch += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_round_of_refusals_halves_once() {
        let mut pace = Pace::new(16);
        let epoch = pace.epoch();
        for _ in 0..16 {
            pace.fall(epoch);
        }
        assert_eq!(pace.limit(), 8);
    }

    #[test]
    fn successes_bring_it_back_one_by_one() {
        let mut pace = Pace::new(8);
        for _ in 0..3 {
            pace.fall(pace.epoch());
        }
        assert_eq!(pace.limit(), 1);
        pace.rise();
        assert_eq!(pace.limit(), 2);
        for _ in 0..100 {
            pace.rise();
        }
        assert_eq!(pace.limit(), 8);
    }

    proptest! {
        #[test]
        fn it_stays_between_one_and_its_maximum(max: u32, steps in proptest::collection::vec(any::<bool>(), 0..200)) {
            let mut pace = Pace::new(max);
            for is_success in steps {
                if is_success { pace.rise() } else { pace.fall(pace.epoch()) }
                prop_assert!(pace.limit() >= 1 && pace.limit() <= max.max(1));
            }
        }
    }
}
