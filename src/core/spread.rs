//! How long things took, counted in buckets: percentiles without keeping every length.

/// Upper bounds of the buckets, in milliseconds; what took longer is in one more.
pub const BOUNDS: [u64; 26] = [
    1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000,
    60_000, 300_000, 1_800_000,
];

/// How many lengths are in each bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    counts: [u64; BOUNDS.len() + 1],
}

impl Spread {
    /// Counts lengths of one bucket, by its place in [`BOUNDS`].
    pub fn add(&mut self, bucket: usize, count: u64) {
        let last = BOUNDS.len();
        if let Some(known) = self.counts.get_mut(bucket.min(last)) {
            *known = known.saturating_add(count);
        }
    }

    /// Counts what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        for (own, more) in self.counts.iter_mut().zip(other.counts) {
            *own = own.saturating_add(more);
        }
    }

    /// How many lengths were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The length in milliseconds that so many of a hundred did not exceed; none where nothing was counted. Within a bucket
    /// lengths count as evenly spread; of the last one only its beginning is known.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let share = (u128::from(count) * u128::from(percent.min(100))).div_ceil(100);
        let rank = u64::try_from(share).unwrap_or(count).max(1);
        let (mut before, mut from) = (0_u64, 0_u64);
        for (held, to) in self.counts.iter().zip(BOUNDS) {
            if before.saturating_add(*held) >= rank {
                let within = u128::from(to - from) * u128::from(rank - before);
                let within = within.div_ceil(u128::from((*held).max(1)));
                return Some(from.saturating_add(u64::try_from(within).unwrap_or(to - from)));
            }
            before = before.saturating_add(*held);
            from = to;
        }
        Some(from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(length: u64) -> usize {
        BOUNDS.iter().position(|bound| length <= *bound).unwrap_or(BOUNDS.len())
    }

    #[test]
    fn nothing_counted_has_no_percentile_and_what_took_longer_than_all_bounds_has_the_last() {
        let mut spread = Spread::default();
        assert_eq!(spread.percentile(50), None);
        spread.add(usize::MAX, 3);
        assert_eq!((spread.count(), spread.percentile(50)), (3, Some(1_800_000)));
    }

    proptest! {
        #[test]
        fn a_percentile_is_in_the_bucket_of_the_true_one_and_counting_apart_counts_the_same(
            mut lengths in prop::collection::vec(0_u64..1_800_000, 1..200),
            percent in 1_u64..=100,
            cut in 0_usize..200,
        ) {
            let mut halves = [Spread::default(), Spread::default()];
            for (place, length) in lengths.iter().enumerate() {
                halves[usize::from(place >= cut)].add(bucket(*length), 1);
            }
            let [mut spread, rest] = halves;
            spread.merge(&rest);
            prop_assert_eq!(spread.count(), lengths.len() as u64);
            lengths.sort_unstable();
            let rank = (lengths.len() * usize::try_from(percent).unwrap()).div_ceil(100);
            let is = lengths[rank - 1];
            let told = spread.percentile(percent).unwrap();
            prop_assert_eq!(bucket(told), bucket(is));
        }
    }
}
