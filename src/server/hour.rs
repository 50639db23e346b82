//! What the last hour was like, minute by minute: what came in and how long it took, and what was asked of other systems.
//!
//! Events are counted by the store, those of all nodes. What is over is kept, so that looking costs little however much comes
//! in; requests are those of this node, sampled while it runs.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex as Locked, PoisonError},
};

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use crate::{
    client::Usage,
    core::spread::Spread,
    store::{Error, Store},
};

/// Minutes that are kept, the present one included.
pub const MINUTES: i64 = 60;
/// Minutes whose events may still be worked on: they are counted anew with every look.
const OPEN: i64 = 10;
/// As many events and fewer are all counted anew with every look: what took longer than [`OPEN`] counts then, too.
const FEW: u64 = 20_000;
/// For how long a look is good enough for the next one, in milliseconds.
const FRESH: i64 = 10_000;
/// How often somebody has to look so that pages find everything counted, in milliseconds.
const KEEP: i64 = 60_000;

/// The minute of a time, since 1970-01-01T00:00:00Z.
pub const fn minute_of(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis().div_euclid(60_000)
}

/// What came in from one system within a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// How many.
    pub count: u64,
    /// From receipt until the effect was done.
    pub done: Spread,
    /// How long processing took.
    pub processing: Spread,
}

impl Events {
    /// Adds what another minute or system had.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.done.merge(&other.done);
        self.processing.merge(&other.processing);
    }
}

/// What came in within the last hour.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The oldest minute.
    pub first: i64,
    /// By minute and system; minutes without events are left out.
    pub minutes: BTreeMap<i64, BTreeMap<String, Events>>,
    /// When it was counted.
    at: i64,
}

impl Seen {
    /// What came in from these systems alone.
    pub fn of(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let wanted = |(minute, systems): (&i64, &BTreeMap<String, Events>)| {
            let systems = systems.iter().filter(|(system, _)| is_wanted(system));
            (
                *minute,
                systems
                    .map(|(system, events)| (system.clone(), events.clone()))
                    .collect(),
            )
        };
        Self {
            minutes: self.minutes.iter().map(wanted).collect(),
            ..*self
        }
    }

    /// How many events came in.
    pub fn count(&self) -> u64 {
        let events = self.minutes.values().flat_map(BTreeMap::values);
        events.fold(0, |sum, events| sum.saturating_add(events.count))
    }

    /// The first minute that has to be counted anew, where this one is `this`.
    fn open_from(&self, this: i64) -> i64 {
        let first = this.saturating_sub(MINUTES - 1);
        let counted = self.at.div_euclid(60_000);
        let is_of_another_time = counted > this || counted < first;
        if is_of_another_time || self.count() <= FEW {
            return first;
        }
        first.max(counted.saturating_sub(OPEN))
    }

    /// What came in within each of the last [`MINUTES`], oldest first; of one system or of all.
    pub fn by_minute(&self, system: Option<&str>) -> Vec<u64> {
        let minutes = self.first..self.first.saturating_add(MINUTES);
        minutes.map(|minute| self.within(minute, 1, system).count).collect()
    }

    /// What came in within so many minutes; of one system or of all.
    pub fn within(&self, first: i64, minutes: i64, system: Option<&str>) -> Events {
        let mut all = Events::default();
        for systems in self
            .minutes
            .range(first..first.saturating_add(minutes))
            .map(|(_, of)| of)
        {
            let wanted = systems
                .iter()
                .filter(|(name, _)| system.is_none_or(|system| system == *name));
            wanted.for_each(|(_, events)| all.merge(events));
        }
        all
    }
}

/// Requests to one system within a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// How many.
    pub count: u64,
    /// The most that were seen on their way at once.
    pub in_flight: u32,
}

#[derive(Debug, Default)]
struct Sampled {
    /// Requests since the start, as last seen.
    total: u64,
    minutes: VecDeque<(i64, Requests)>,
}

/// Keeps what the last hour was like.
#[derive(Debug, Default)]
pub struct Hour {
    seen: Mutex<Arc<Seen>>,
    requests: Locked<BTreeMap<String, Sampled>>,
}

impl Hour {
    /// What came in within the hour until `now`, as it is or was a few seconds ago.
    pub async fn seen(&self, store: &Store, now: DateTime<Utc>) -> Result<Arc<Seen>, Error> {
        self.seen_since(store, now, FRESH).await
    }

    /// Counts what came in, so that the next page does not have to count a whole hour.
    pub async fn keep(&self, store: &Store, now: DateTime<Utc>) -> Result<(), Error> {
        self.seen_since(store, now, KEEP).await.map(drop)
    }

    async fn seen_since(&self, store: &Store, now: DateTime<Utc>, fresh: i64) -> Result<Arc<Seen>, Error> {
        // Whoever looks at the same time waits for the one look and shares it.
        let mut seen = self.seen.lock().await;
        let (at, this) = (now.timestamp_millis(), minute_of(now));
        if (0..fresh).contains(&at.saturating_sub(seen.at)) {
            return Ok(Arc::clone(&seen));
        }
        let first = this.saturating_sub(MINUTES - 1);
        let from = seen.open_from(this);
        let found = store.event_minutes(from, this.saturating_add(1)).await?;
        let mut minutes: BTreeMap<i64, BTreeMap<String, Events>> = seen
            .minutes
            .range(first..from)
            .map(|(minute, systems)| (*minute, systems.clone()))
            .collect();
        for one in found {
            let events = minutes.entry(one.minute).or_default().entry(one.system).or_default();
            events.count = events.count.saturating_add(one.count);
            if let Some(bucket) = one.done {
                events.done.add(bucket, one.count);
            }
            if let Some(bucket) = one.processing {
                events.processing.add(bucket, one.count);
            }
        }
        *seen = Arc::new(Seen { first, minutes, at });
        Ok(Arc::clone(&seen))
    }

    /// Remembers how the budget of a system stands: called every few seconds.
    pub fn sample(&self, now: DateTime<Utc>, system: &str, usage: &Usage) {
        let minute = minute_of(now);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let sampled = requests.entry(system.to_owned()).or_default();
        let more = usage.requests.saturating_sub(sampled.total);
        sampled.total = usage.requests;
        let oldest = minute.saturating_sub(MINUTES - 1);
        while sampled.minutes.front().is_some_and(|(known, _)| *known < oldest) {
            sampled.minutes.pop_front();
        }
        match sampled.minutes.back_mut() {
            // A clock that was set back counts in the last minute that there was.
            Some((known, last)) if *known >= minute => {
                last.count = last.count.saturating_add(more);
                last.in_flight = last.in_flight.max(usage.in_flight);
            }
            _ => sampled.minutes.push_back((
                minute,
                Requests {
                    count: more,
                    in_flight: usage.in_flight,
                },
            )),
        }
    }

    /// Requests to a system within each of the last [`MINUTES`], oldest first.
    pub fn requests(&self, now: DateTime<Utc>, system: &str) -> Vec<Requests> {
        let this = minute_of(now);
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let known = requests.get(system).map(|sampled| &sampled.minutes);
        let minutes = this.saturating_sub(MINUTES - 1)..=this;
        let of = |minute: i64| {
            let found = known.and_then(|known| known.iter().find(|(one, _)| *one == minute));
            found.map_or_else(Requests::default, |(_, requests)| *requests)
        };
        minutes.map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64, second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minute * 60 + second, 0).unwrap()
    }

    fn usage(requests: u64, in_flight: u32) -> Usage {
        Usage {
            requests,
            in_flight,
            ..Usage::default()
        }
    }

    #[test]
    fn of_few_events_all_are_counted_anew_and_of_many_those_that_may_still_be_worked_on() {
        let events = |count| Events {
            count,
            ..Events::default()
        };
        let seen = |count| Seen {
            first: 41,
            minutes: BTreeMap::from([(99, BTreeMap::from([("crm".to_owned(), events(count))]))]),
            at: 100 * 60_000 + 59_999,
        };
        assert_eq!(seen(FEW).open_from(101), 42);
        assert_eq!(seen(FEW + 1).open_from(101), 90);
        assert_eq!(
            seen(FEW + 1).open_from(155),
            96,
            "what is older than an hour is nobody's"
        );
        assert_eq!(seen(FEW + 1).open_from(200), 141, "it was seen too long ago");
        assert_eq!(seen(FEW + 1).open_from(99), 40, "the clock was set back");
        assert_eq!(Seen::default().open_from(1_000), 941);
    }

    #[test]
    fn of_some_systems_nothing_of_the_others_is_left() {
        let of = |names: &[&str]| {
            names
                .iter()
                .map(|name| ((*name).to_owned(), Events::default()))
                .collect()
        };
        let seen = Seen {
            first: 1,
            minutes: BTreeMap::from([(1, of(&["crm", "crm2"])), (2, of(&["crm2"]))]),
            at: 3,
        };
        let own = seen.of(|system| system == "crm");
        assert_eq!(own.minutes, BTreeMap::from([(1, of(&["crm"])), (2, of(&[]))]));
        assert_eq!((own.first, own.at), (1, 3));
    }

    #[test]
    fn requests_are_counted_in_their_minute_and_forgotten_after_an_hour() {
        let hour = Hour::default();
        for (now, requests, in_flight) in [(at(100, 0), 5, 2), (at(100, 50), 9, 1), (at(101, 0), 10, 4)] {
            hour.sample(now, "crm", &usage(requests, in_flight));
        }
        let seen = hour.requests(at(101, 30), "crm");
        assert_eq!(seen.len(), 60);
        let requests = |count, in_flight| Requests { count, in_flight };
        assert_eq!(seen[58..], [requests(9, 2), requests(1, 4)]);
        hour.sample(at(99, 0), "crm", &usage(12, 0));
        assert_eq!(
            hour.requests(at(101, 30), "crm")[59],
            requests(3, 4),
            "the clock was set back"
        );
        hour.sample(at(160, 0), "crm", &usage(12, 0));
        let later = hour.requests(at(160, 0), "crm");
        assert_eq!(later[0], requests(3, 4));
        assert_eq!(later.iter().map(|one| one.count).sum::<u64>(), 3);
        assert_eq!(hour.requests(at(160, 0), "erp"), vec![Requests::default(); 60]);
    }
}
