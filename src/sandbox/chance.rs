//! Seeded randomness: the same seed gives the same run, whatever the version of a library.

/// SplitMix64 (Steele, Lea, Flood 2014): small, even, and fixed for ever. Not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream of one thing among many, so that what is drawn for record 7 does not depend on record 6.
    pub(crate) fn of(seed: u64, index: u64) -> Self {
        let mut mixer = Self(seed ^ index.wrapping_mul(0xA24B_AED4_963E_E407));
        let start = mixer.next();
        Self(start)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let drawn = u128::from(self.next()) * u128::from(bound);
        u64::try_from(drawn >> 64).unwrap_or_default()
    }

    /// True in `share` of the draws (0 never, 1 always).
    pub(crate) fn hits(&mut self, share: f64) -> bool {
        let thousand = self.below(1_000_000);
        #[expect(clippy::cast_precision_loss, reason = "a number below a million is exact in an f64")]
        let drawn = thousand as f64;
        drawn < share * 1_000_000.0
    }

    /// One of `choices`; the default of the type when there are none.
    pub(crate) fn pick<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let index = self.below(choices.len() as u64);
        let index = usize::try_from(index).unwrap_or_default();
        choices.get(index).copied().unwrap_or_default()
    }

    /// Puts `things` into an order of chance.
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for end in (1..things.len()).rev() {
            let other = usize::try_from(self.below(end as u64 + 1)).unwrap_or_default();
            things.swap(end, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..20).map(|_| chance.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn a_share_is_kept_over_many_draws() {
        let mut chance = Chance::new(1);
        let hits = (0..10_000).filter(|_| chance.hits(0.2)).count();
        assert!((1800..2200).contains(&hits), "{hits} of 10000 at a share of 0.2");
        assert!((0..100).all(|_| !chance.hits(0.0)));
        assert!((0..100).all(|_| chance.hits(1.0)));
    }
}
