//! Many requests in flight: a bounded number at once.

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};

/// What came of each piece of work, in the order in which they ended. `begin` gives the next one, and nothing behind the last; no
/// more than `most` are under way at once. Work that has not begun takes no memory: a future that asks a system takes
/// kilobytes, and a chunk has hundreds of records.
pub async fn all<'a, T>(most: usize, mut begin: impl FnMut() -> Option<BoxFuture<'a, T>> + Send) -> Vec<T> {
    let mut under_way = FuturesUnordered::new();
    let mut ended = Vec::new();
    loop {
        while under_way.len() < most.max(1)
            && let Some(work) = begin()
        {
            under_way.push(work);
        }
        match under_way.next().await {
            Some(one) => ended.push(one),
            None => return ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;

    use super::*;

    async fn most_at_once(most: usize, count: usize) -> (usize, Vec<usize>) {
        let (now, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut left = 0..count;
        let mut ended = all(most, || {
            let place = left.next()?;
            let (now, peak) = (&now, &peak);
            // Counted as it is made, not as it is first asked.
            peak.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            let work = async move {
                for _ in 0..place % 3 {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::Relaxed);
                place
            };
            Some(work.boxed())
        })
        .await;
        ended.sort_unstable();
        (peak.into_inner(), ended)
    }

    #[tokio::test]
    async fn all_of_it_is_done_and_no_more_is_made_at_once_than_may_be_under_way() {
        for (most, count) in [(4, 50), (1, 5), (0, 5), (100, 7), (8, 0)] {
            let (peak, ended) = most_at_once(most, count).await;
            assert_eq!(ended, (0..count).collect::<Vec<_>>());
            assert!(peak <= most.max(1), "{peak} of {most}");
        }
    }
}
