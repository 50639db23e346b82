//! Which keys are surely not in a set, in a fixed number of bytes.

/// The bits of one block: a cache line, so that one question costs one look at memory.
const BLOCK_BITS: u64 = 512;
/// The bits that stand for one key.
const MARKS: u32 = 5;

/// A set of keys that may say yes to a key it does not have, and never no to one it has.
///
/// Keys are hashes already: their own bits say where they stand.
#[derive(Debug, Default, Clone)]
pub(super) struct Filter {
    blocks: Vec<[u64; 8]>,
}

impl Filter {
    /// A set for about `count` keys, of at most `bytes_max` bytes. The more keys share a byte, the more often it says yes
    /// wrongly: at 8 bytes a key practically never, at one byte a key to one in fifty.
    pub(super) fn new(count: u64, bytes_max: u64) -> Self {
        let block_bytes = BLOCK_BITS / 8;
        let wanted = count.saturating_mul(8).div_ceil(block_bytes);
        let blocks = wanted.min((bytes_max / block_bytes).max(1));
        Self {
            blocks: vec![[0; 8]; usize::try_from(blocks).unwrap_or_default()],
        }
    }

    /// The set as bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.blocks
            .iter()
            .flatten()
            .flat_map(|word| word.to_le_bytes())
            .collect()
    }

    /// The set that [`Self::to_bytes`] gave.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let words = |block: &[[u8; 8]; 8]| block.map(u64::from_le_bytes);
        let blocks = bytes.as_chunks::<8>().0.as_chunks::<8>().0;
        Self {
            blocks: blocks.iter().map(words).collect(),
        }
    }

    /// Adds a key.
    pub(super) fn insert(&mut self, key: u128) {
        let (place, marks) = self.place(key);
        if let Some(block) = self.blocks.get_mut(place) {
            for (word, bit) in block.iter_mut().zip(words(marks)) {
                *word |= bit;
            }
        }
    }

    /// Whether the key may be in the set.
    pub(super) fn may_have(&self, key: u128) -> bool {
        let (place, marks) = self.place(key);
        let has = |block: &[u64; 8]| block.iter().zip(words(marks)).all(|(word, bit)| word & bit == bit);
        self.blocks.get(place).is_some_and(has)
    }

    fn place(&self, key: u128) -> (usize, u64) {
        let [low, high] = halves(key);
        // The high half of the product is a number below the count, as even as the key is.
        let place = (u128::from(low) * self.blocks.len() as u128) >> 64;
        (usize::try_from(place).unwrap_or(usize::MAX), high)
    }
}

fn halves(key: u128) -> [u64; 2] {
    let low = u64::try_from(key & u128::from(u64::MAX)).unwrap_or_default();
    [low, u64::try_from(key >> 64).unwrap_or_default()]
}

/// The bits of a key, as one mask for each word of its block.
fn words(marks: u64) -> [u64; 8] {
    let mut words = [0; 8];
    for mark in 0..MARKS {
        let bit = (marks >> (mark * 9)) % BLOCK_BITS;
        if let Some(word) = words.get_mut((bit / 64) as usize) {
            *word |= 1 << (bit % 64);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::value::fingerprint::Key;

    fn key(number: u32) -> u128 {
        Key::new([7; 32]).print(&number.to_string())
    }

    #[test]
    fn what_is_in_it_is_never_denied_and_what_is_not_almost_always() {
        let mut filter = Filter::new(10_000, 1 << 20);
        (0..10_000).for_each(|number| filter.insert(key(number)));
        assert!((0..10_000).all(|number| filter.may_have(key(number))));
        let wrong = (10_000..110_000).filter(|number| filter.may_have(key(*number))).count();
        assert!(wrong < 10, "{wrong} of 100,000");
    }

    #[test]
    fn a_filter_that_is_too_small_for_its_keys_still_denies_none_of_them() {
        let mut filter = Filter::new(10_000, 10_000);
        (0..10_000).for_each(|number| filter.insert(key(number)));
        assert!((0..10_000).all(|number| filter.may_have(key(number))));
        let wrong = (10_000..110_000).filter(|number| filter.may_have(key(*number))).count();
        assert!(wrong < 5_000, "{wrong} of 100,000");
    }

    #[test]
    fn a_set_survives_its_stored_form() {
        let mut filter = Filter::new(100, 1 << 20);
        (0..100).for_each(|number| filter.insert(key(number)));
        let read = Filter::from_bytes(&filter.to_bytes());
        assert_eq!(read.blocks, filter.blocks);
    }

    #[test]
    fn an_empty_set_has_nothing() {
        assert!(!Filter::default().may_have(key(1)));
        assert!(!Filter::new(0, 1 << 20).may_have(key(1)));
    }
}
