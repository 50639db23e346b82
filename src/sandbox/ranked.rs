//! An ordered set that also knows positions, so that offset paging over 200,000 records is not a scan.

/// How many keys a chunk holds before it is split.
const CHUNK_MAX: usize = 1024;

/// Keys in order, in chunks: insert, remove, "how many before" and "the one at n" touch one chunk and the list of chunks.
#[derive(Clone, Debug)]
pub(crate) struct Ranked<K> {
    /// Never empty inside; the chunks are in order, so are their keys.
    chunks: Vec<Vec<K>>,
    len: usize,
}

impl<K> Default for Ranked<K> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl<K: Ord + Copy> Ranked<K> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts a key in; one that is there already stays once.
    pub(crate) fn insert(&mut self, key: K) {
        let index = self.chunk_for(key).min(self.chunks.len().saturating_sub(1));
        let Some(chunk) = self.chunks.get_mut(index) else {
            self.chunks.push(vec![key]);
            self.len = 1;
            return;
        };
        let Err(position) = chunk.binary_search(&key) else {
            return;
        };
        self.len += 1;
        if chunk.len() < CHUNK_MAX {
            chunk.insert(position, key);
        } else if position == chunk.len() {
            // Ids and times grow: a full last chunk is left full instead of being split in halves.
            self.chunks.insert(index + 1, vec![key]);
        } else {
            let upper = chunk.split_off(CHUNK_MAX / 2);
            if position <= chunk.len() {
                chunk.insert(position, key);
                self.chunks.insert(index + 1, upper);
            } else {
                let mut upper = upper;
                upper.insert(position - CHUNK_MAX / 2, key);
                self.chunks.insert(index + 1, upper);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: K) {
        let index = self.chunk_for(key);
        let Some(chunk) = self.chunks.get_mut(index) else {
            return;
        };
        if let Ok(position) = chunk.binary_search(&key) {
            chunk.remove(position);
            self.len -= 1;
            if chunk.is_empty() {
                self.chunks.remove(index);
            }
        }
    }

    /// How many keys come before `key`.
    pub(crate) fn rank(&self, key: K) -> usize {
        let index = self.chunk_for(key);
        let before: usize = self.chunks.iter().take(index).map(Vec::len).sum();
        let within = self
            .chunks
            .get(index)
            .map_or(0, |chunk| chunk.partition_point(|other| *other < key));
        before + within
    }

    /// The keys from position `rank` on.
    pub(crate) fn iter_at(&self, rank: usize) -> impl Iterator<Item = K> + '_ {
        let mut skipped = 0;
        let mut index = 0;
        for chunk in &self.chunks {
            if skipped + chunk.len() > rank {
                break;
            }
            skipped += chunk.len();
            index += 1;
        }
        let rest = self.chunks.get(index..).unwrap_or_default();
        rest.iter().flatten().copied().skip(rank - skipped.min(rank))
    }

    /// The first chunk that ends at or after `key`.
    fn chunk_for(&self, key: K) -> usize {
        self.chunks
            .partition_point(|chunk| chunk.last().is_some_and(|last| *last < key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set(ops in prop::collection::vec((any::<bool>(), 0_u16..3000), 0..6000)) {
            let mut ranked = Ranked::default();
            let mut plain = BTreeSet::new();
            for (put, key) in ops {
                if put { ranked.insert(key); plain.insert(key); } else { ranked.remove(key); plain.remove(&key); }
            }
            prop_assert_eq!(ranked.len(), plain.len());
            prop_assert_eq!(ranked.iter_at(0).collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            for probe in [0_u16, 1, 700, 1500, 2999] {
                let rank = plain.range(..probe).count();
                prop_assert_eq!(ranked.rank(probe), rank);
                prop_assert_eq!(ranked.iter_at(rank).next(), plain.range(probe..).next().copied());
            }
        }
    }

    #[test]
    fn growing_keys_fill_chunks_and_keep_their_positions() {
        let mut ranked = Ranked::default();
        (0..5000_u32).for_each(|key| ranked.insert(key));
        (0..5000).step_by(2).for_each(|key| ranked.remove(key));
        (0..5000).step_by(2).rev().for_each(|key| ranked.insert(key));
        assert_eq!(ranked.iter_at(4321).next(), Some(4321));
        assert_eq!(ranked.iter_at(5000).next(), None);
        assert_eq!(ranked.iter_at(usize::MAX).next(), None);
    }
}
