//! Mappings that are left alone because a system of theirs is down or does not let us in.
//!
//! A thousand failed records would say the same as one log line, and cost every one of them its tries. So a mapping rests
//! as a whole: its changes stay in the dirty set, untouched. After a rest one change is tried; what becomes of it ends the
//! pause or doubles the rest.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::core::fault::Fault;

/// The longest rest between two tries, whatever the settings say: a system that is back is to be noticed.
const REST_MAX: Duration = Duration::from_mins(5);

/// The pauses of this process. Clones share them.
#[derive(Debug, Clone)]
pub struct Pauses {
    first: Duration,
    longest: Duration,
    of: Arc<Mutex<BTreeMap<String, Pause>>>,
    /// Mappings that are stopped until a reconciliation finds them well.
    stops: Arc<Mutex<BTreeMap<String, Stop>>>,
}

#[derive(Debug)]
struct Stop {
    reason: String,
    since: Instant,
}

#[derive(Debug)]
struct Pause {
    reason: String,
    until: Instant,
    rest: Duration,
    since: Instant,
    is_tried: bool,
}

/// A pause, for those who look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// The mapping.
    pub mapping: String,
    /// Why, with its code; without personal data.
    pub reason: String,
    /// For how long it has been paused.
    pub lasts: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self::new(Duration::from_secs(2), REST_MAX)
    }
}

impl Pauses {
    /// Nothing is paused; a first rest lasts `first`, none longer than `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest: longest.min(REST_MAX).max(first),
            of: Arc::default(),
            stops: Arc::default(),
        }
    }

    /// A fault that is the system's and not the record's: the mapping rests from now on, or goes on resting.
    pub fn pause(&self, mapping: &str, fault: &Fault) {
        let now = Instant::now();
        let mut pauses = self.lock();
        if let Some(pause) = pauses.get_mut(mapping) {
            // What was in flight when the pause began says the same once more; only the change that was tried counts.
            if std::mem::take(&mut pause.is_tried) {
                pause.rest = pause.rest.saturating_mul(2).min(self.longest);
                pause.until = now + pause.rest.max(fault.retry_after.unwrap_or_default().min(self.longest));
            }
            pause.reason = fault.to_string();
            return;
        }
        tracing::warn!(
            mapping,
            reason = %fault,
            hint = fault.hint.as_deref().unwrap_or_default(),
            "paused: its changes wait, nothing is lost; one is tried from time to time"
        );
        let pause = Pause {
            reason: fault.to_string(),
            until: now + self.first,
            rest: self.first,
            since: now,
            is_tried: false,
        };
        pauses.insert(mapping.to_owned(), pause);
    }

    /// Both systems of the mapping have worked: whatever pause there was is over.
    pub fn resume(&self, mapping: &str) {
        if let Some(pause) = self.lock().remove(mapping) {
            tracing::info!(
                mapping,
                lasted_s = pause.since.elapsed().as_secs(),
                "goes on after a pause"
            );
        }
    }

    /// Takes these mappings, with the reason of each, for all that are stopped: a field that they read is gone, or of another type.
    /// No change of theirs is tried; a reconciliation that finds the fields as they were ends it.
    pub fn stop(&self, stopped: impl IntoIterator<Item = (String, String)>) {
        let mut stops = self.stops();
        let mut before = std::mem::take(&mut *stops);
        for (mapping, reason) in stopped {
            let known = before.remove(&mapping);
            if known.is_none() {
                tracing::warn!(mapping, reason, "stopped: its changes wait, nothing is lost");
            }
            let since = known.map_or_else(Instant::now, |known| known.since);
            stops.insert(mapping, Stop { reason, since });
        }
        for mapping in before.keys() {
            tracing::info!(mapping, "goes on: its fields are what they were");
        }
    }

    /// Whether a mapping is stopped.
    #[must_use]
    pub fn is_stopped(&self, mapping: &str) -> bool {
        self.stops().contains_key(mapping)
    }

    /// Whether a mapping is paused or stopped.
    #[must_use]
    pub fn is_paused(&self, mapping: &str) -> bool {
        self.lock().contains_key(mapping) || self.is_stopped(mapping)
    }

    /// Every pause, and every stop.
    #[must_use]
    pub fn all(&self) -> Vec<Paused> {
        let paused = |mapping: &String, reason: &str, since: &Instant| Paused {
            mapping: mapping.clone(),
            reason: reason.to_owned(),
            lasts: since.elapsed(),
        };
        let stops = self.stops();
        let mut all: Vec<Paused> = stops
            .iter()
            .map(|(mapping, stop)| paused(mapping, &stop.reason, &stop.since))
            .collect();
        let pauses = self.lock();
        let others = pauses.iter().filter(|(mapping, _)| !stops.contains_key(*mapping));
        all.extend(others.map(|(mapping, pause)| paused(mapping, &pause.reason, &pause.since)));
        all
    }

    /// A mapping that has rested long enough: one change of it is to be tried now.
    pub(super) fn next_try(&self) -> Option<String> {
        let now = Instant::now();
        let stops = self.stops();
        let mut pauses = self.lock();
        let is_due = |(mapping, pause): &(&String, &mut Pause)| pause.until <= now && !stops.contains_key(*mapping);
        let (mapping, pause) = pauses.iter_mut().find(is_due)?;
        // Should nothing come of the try, the next one comes after the same rest.
        pause.until = now + pause.rest;
        pause.is_tried = true;
        Some(mapping.clone())
    }

    fn stops(&self) -> MutexGuard<'_, BTreeMap<String, Stop>> {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Pause>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::status::{FailureClass, Stage};

    fn fault() -> Fault {
        Fault::new("AU001", FailureClass::Auth, Stage::Fetch, "system `crm`: not let in")
    }

    #[test]
    fn a_paused_mapping_is_tried_after_its_rest_and_goes_on_when_that_works() {
        let pauses = Pauses::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(pauses.next_try(), None);
        pauses.pause("contact", &fault());
        assert!(pauses.is_paused("contact") && !pauses.is_paused("other"));
        assert_eq!(pauses.all()[0].reason, "[AU001] system `crm`: not let in");
        assert_eq!(pauses.next_try().as_deref(), Some("contact"));
        pauses.resume("contact");
        assert!(!pauses.is_paused("contact"));
    }

    #[test]
    fn a_stopped_mapping_is_not_tried_and_goes_on_when_it_is_stopped_no_more() {
        let pauses = Pauses::new(Duration::ZERO, Duration::ZERO);
        pauses.pause("contact", &fault());
        pauses.stop([("contact".to_owned(), "[SY060] gone".to_owned())]);
        assert!(pauses.is_stopped("contact") && pauses.next_try().is_none());
        assert_eq!(pauses.all().len(), 1);
        assert_eq!(pauses.all()[0].reason, "[SY060] gone");
        pauses.resume("contact");
        assert!(pauses.is_paused("contact"), "no change that went well ends a stop");
        pauses.stop([]);
        assert!(!pauses.is_paused("contact"));
    }

    #[test]
    fn what_was_in_flight_when_the_pause_began_does_not_lengthen_it() {
        let hour = Duration::from_hours(1);
        let pauses = Pauses::new(hour, hour);
        for _ in 0..50 {
            pauses.pause("contact", &fault());
        }
        assert_eq!(pauses.lock()["contact"].rest, hour);
        assert_eq!(pauses.next_try(), None);
    }
}
