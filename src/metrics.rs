//! What is counted, for Prometheus: one cheap handle that every room may hold.
//!
//! Labels are names from the settings and the catalog, or enums; nothing that a caller chooses becomes a label, so the
//! number of series is bounded.

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text},
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};

use crate::core::{
    drift::Summary,
    status::{DeliveryStatus, FailureClass, RunKind, RunStatus, Situation, WriteKind, WriteStatus},
    webhook,
};

/// Every metric of this process. Clones count into the same series.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    intake: Family<Intake, Counter>,
    intake_seconds: Histogram,
    events: Family<System, Counter>,
    queue: Family<Queue, Gauge>,
    queue_age: Family<Queue, Gauge>,
    writes: Family<Write, Counter>,
    failures: Family<Failure, Counter>,
    drift: Family<Drift, Gauge>,
    match_score: Family<Mapping, Gauge<f64, std::sync::atomic::AtomicU64>>,
    paused: Family<Mapping, Gauge>,
    runs: Family<Run, Counter>,
    run_seconds: Family<RunSeconds, Histogram, Buckets>,
    in_flight: Family<System, Gauge>,
    daily_spent: Family<System, Gauge>,
    circuit: Family<System, Gauge>,
    requests: Family<Request, Counter>,
    rotation: Family<System, Gauge>,
    notices: Family<Notice, Gauge>,
}

/// What became of a webhook request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntakeResult {
    /// Stored and acknowledged.
    Received,
    /// Known already, acknowledged.
    Duplicate,
    /// A handshake, answered.
    Handshake,
    /// Turned away because it did not prove where it comes from.
    Rejected(webhook::Kind),
    /// Turned away because of its size or encoding.
    Unfit,
    /// Signed, but not what the connector describes.
    Undecodable,
    /// Turned away because the store could not take it.
    Unavailable,
}

impl IntakeResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Duplicate => "duplicate",
            Self::Handshake => "handshake",
            Self::Rejected(webhook::Kind::Header) => "rejected_header",
            Self::Rejected(webhook::Kind::Signature) => "rejected_signature",
            Self::Rejected(webhook::Kind::Timestamp) => "rejected_timestamp",
            Self::Rejected(webhook::Kind::Credentials) => "rejected_credentials",
            Self::Rejected(webhook::Kind::Secret) => "rejected_no_secret",
            Self::Unfit => "unfit",
            Self::Undecodable => "undecodable",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// Events not turned into changes yet.
    Events,
    /// Records to be looked at.
    Changes,
}

impl Waiting {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Changes => "changes",
        }
    }
}

/// How a circuit breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// Requests flow.
    Closed,
    /// One request tries whether the system is back.
    HalfOpen,
    /// The system is down; nothing is sent.
    Open,
}

macro_rules! labels {
    ($($name:ident { $($label:ident: $kind:ty),+ })+) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($label: $kind),+ }
    )+};
}

labels! {
    Intake { system: String, result: Name }
    System { system: String }
    Queue { kind: Name }
    Write { system: String, kind: Name, result: Name }
    Failure { mapping: String, class: Name }
    Drift { mapping: String, situation: Name }
    Mapping { mapping: String }
    Run { kind: Name, mapping: String, status: Name }
    RunSeconds { kind: Name }
    Request { route: String, status: u16 }
    Notice { target: String, status: Name }
    Build { version: Name }
}

/// A label that is one of a fixed set of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Name(&'static str);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}

#[derive(Debug, Clone, Copy)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new([0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0])
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Fresh counters.
    #[must_use]
    pub fn new() -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix("syncline"),
            intake: Family::default(),
            intake_seconds: Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
            events: Family::default(),
            queue: Family::default(),
            queue_age: Family::default(),
            writes: Family::default(),
            failures: Family::default(),
            drift: Family::default(),
            match_score: Family::default(),
            paused: Family::default(),
            runs: Family::default(),
            run_seconds: Family::new_with_constructor(Buckets),
            in_flight: Family::default(),
            daily_spent: Family::default(),
            circuit: Family::default(),
            requests: Family::default(),
            rotation: Family::default(),
            notices: Family::default(),
        };
        inner.register_intake();
        inner.register_work();
        inner.register_systems();
        Self(Arc::new(inner))
    }

    /// Counts a webhook request and how long its answer took.
    pub fn intake(&self, system: &str, result: IntakeResult, took: Duration) {
        let labels = Intake {
            system: system.to_owned(),
            result: Name(result.as_str()),
        };
        self.0.intake.get_or_create(&labels).inc();
        self.0.intake_seconds.observe(took.as_secs_f64());
    }

    /// Counts events stored for the first time.
    pub fn events_stored(&self, system: &str, count: u64) {
        self.0.events.get_or_create(&self::system(system)).inc_by(count);
    }

    /// Says how much waits, and for how long the oldest of it has.
    pub fn set_queue(&self, kind: Waiting, depth: u64, oldest: Duration) {
        let labels = Queue {
            kind: Name(kind.as_str()),
        };
        self.0.queue.get_or_create(&labels).set(saturated(depth));
        self.0.queue_age.get_or_create(&labels).set(saturated(oldest.as_secs()));
    }

    /// Counts a write to a system.
    pub fn write(&self, system: &str, kind: WriteKind, status: WriteStatus) {
        let labels = Write {
            system: system.to_owned(),
            kind: Name(kind.as_str()),
            result: Name(status.as_str()),
        };
        self.0.writes.get_or_create(&labels).inc();
    }

    /// Counts a record that failed.
    pub fn failure(&self, mapping: &str, class: FailureClass) {
        let labels = Failure {
            mapping: mapping.to_owned(),
            class: Name(class.as_str()),
        };
        self.0.failures.get_or_create(&labels).inc();
    }

    /// Says what the last reconciliation of a mapping found: records by situation, and equal cells of all cells.
    pub fn set_drift(&self, mapping: &str, situations: impl IntoIterator<Item = (Situation, u64)>, match_score: f64) {
        for (situation, count) in situations {
            let labels = Drift {
                mapping: mapping.to_owned(),
                situation: Name(situation.as_str()),
            };
            self.0.drift.get_or_create(&labels).set(saturated(count));
        }
        let labels = Mapping {
            mapping: mapping.to_owned(),
        };
        self.0.match_score.get_or_create(&labels).set(match_score);
    }

    /// Says what the last reconciliation of a mapping found.
    pub fn set_summary(&self, mapping: &str, summary: &Summary) {
        // All of them, so that a situation that is gone goes back to zero.
        let situations = Situation::ALL.iter().map(|situation| {
            (
                *situation,
                summary.situations.get(situation).copied().unwrap_or_default(),
            )
        });
        let hundredths = u32::try_from(summary.match_score()).unwrap_or(10_000);
        self.set_drift(mapping, situations, f64::from(hundredths) / 10_000.0);
    }

    /// Says whether a mapping rests because a system of its is down or does not let us in.
    pub fn set_paused(&self, mapping: &str, is_paused: bool) {
        let labels = Mapping {
            mapping: mapping.to_owned(),
        };
        self.0.paused.get_or_create(&labels).set(i64::from(is_paused));
    }

    /// Counts a run that has ended.
    pub fn run_ended(&self, kind: RunKind, mapping: &str, status: RunStatus, took: Duration) {
        let labels = Run {
            kind: Name(kind.as_str()),
            mapping: mapping.to_owned(),
            status: Name(status.as_str()),
        };
        self.0.runs.get_or_create(&labels).inc();
        let labels = RunSeconds {
            kind: Name(kind.as_str()),
        };
        self.0.run_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Says how the budget of a system is used: requests in flight, requests of today, and the circuit breaker.
    pub fn set_budget(&self, system: &str, in_flight: u64, daily_spent: u64, circuit: Circuit) {
        let labels = self::system(system);
        self.0.in_flight.get_or_create(&labels).set(saturated(in_flight));
        self.0.daily_spent.get_or_create(&labels).set(saturated(daily_spent));
        let circuit = match circuit {
            Circuit::Closed => 0,
            Circuit::HalfOpen => 1,
            Circuit::Open => 2,
        };
        self.0.circuit.get_or_create(&labels).set(circuit);
    }

    /// Says in how many days the secrets of a system are to be replaced; negative afterwards.
    pub fn set_rotation_due(&self, system: &str, days: i64) {
        self.0.rotation.get_or_create(&self::system(system)).set(days);
    }

    /// Says how many notices to a target wait, and how many were given up.
    pub fn set_notices(&self, target: &str, pending: u64, dead: u64) {
        for (status, count) in [(DeliveryStatus::Pending, pending), (DeliveryStatus::Dead, dead)] {
            let labels = Notice {
                target: target.to_owned(),
                status: Name(status.as_str()),
            };
            self.0.notices.get_or_create(&labels).set(saturated(count));
        }
    }

    /// Counts a request to the API by its route (never by its path) and the status of the answer.
    pub fn request(&self, route: &str, status: u16) {
        let labels = Request {
            route: route.to_owned(),
            status,
        };
        self.0.requests.get_or_create(&labels).inc();
    }

    /// Everything, in the text format of OpenMetrics.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(8_192);
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Inner {
    fn register_intake(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new(Build {
            version: Name(env!("CARGO_PKG_VERSION")),
        });
        registry.register("build", "The version of Syncline", build);
        registry.register("intake", "Webhook requests by what became of them", self.intake.clone());
        registry.register_with_unit(
            "intake_latency",
            "How long the answer to a webhook took",
            Unit::Seconds,
            self.intake_seconds.clone(),
        );
        registry.register("events", "Events stored for the first time", self.events.clone());
        registry.register("api_requests", "Requests to the API", self.requests.clone());
    }

    fn register_work(&mut self) {
        let registry = &mut self.registry;
        registry.register("queue_depth", "What waits to be worked on", self.queue.clone());
        let help = "For how long the oldest of what waits has waited";
        registry.register_with_unit("queue_oldest_age", help, Unit::Seconds, self.queue_age.clone());
        registry.register("writes", "Writes to systems by their outcome", self.writes.clone());
        registry.register("failures", "Records that failed, by class", self.failures.clone());
        let help = "Records by situation, as the last reconciliation found them";
        registry.register("drift_records", help, self.drift.clone());
        let help = "Equal cells of all cells in the last reconciliation";
        registry.register("match_score", help, self.match_score.clone());
        let help = "Whether a mapping rests because a system of its is down or does not let us in";
        registry.register("paused", help, self.paused.clone());
        registry.register("runs", "Runs that have ended", self.runs.clone());
        let help = "How long runs took";
        registry.register_with_unit("run_duration", help, Unit::Seconds, self.run_seconds.clone());
    }

    fn register_systems(&mut self) {
        let registry = &mut self.registry;
        let help = "Requests to a system that are under way";
        registry.register("requests_in_flight", help, self.in_flight.clone());
        let help = "Requests to a system since the start of its day";
        registry.register("daily_requests", help, self.daily_spent.clone());
        let help = "The circuit breaker of a system: 0 closed, 1 half open, 2 open";
        registry.register("circuit_state", help, self.circuit.clone());
        let help = "Days until the secrets of a system are to be replaced";
        registry.register("secret_rotation_due_days", help, self.rotation.clone());
        let help = "Notices to a target that are to be sent, or were given up";
        registry.register("notices", help, self.notices.clone());
    }
}

fn system(name: &str) -> System {
    System {
        system: name.to_owned(),
    }
}

fn saturated(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Names as the registry gets them, with the unit it adds.
    fn registered() -> BTreeSet<String> {
        let code = include_str!("metrics.rs").split("#[cfg(test)]").next().unwrap();
        let calls = code.split("registry.register").skip(1);
        calls
            .map(|call| {
                let name = call.split('"').nth(1).unwrap();
                let unit = if call.starts_with("_with_unit") { "_seconds" } else { "" };
                format!("{name}{unit}")
            })
            .collect()
    }

    #[test]
    fn every_metric_stands_in_the_operations_guide_and_no_other() {
        let guide = include_str!("../docs/operations.md");
        let named = guide.split("`syncline_").skip(1).map(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_lowercase() && c != '_')
                .unwrap_or(rest.len());
            let name = rest.get(..end).unwrap_or_default();
            let bare = name.strip_suffix("_total").or_else(|| name.strip_suffix("_info"));
            bare.unwrap_or(name).to_owned()
        });
        assert_eq!(named.collect::<BTreeSet<_>>(), registered());
    }

    #[test]
    fn what_was_counted_is_encoded_with_its_labels() {
        let metrics = Metrics::new();
        metrics.intake("crm", IntakeResult::Received, Duration::from_millis(3));
        metrics
            .clone()
            .intake("crm", IntakeResult::Received, Duration::from_millis(3));
        metrics.write("erp", WriteKind::Update, WriteStatus::Unknown);
        metrics.set_queue(Waiting::Changes, 7, Duration::from_secs(90));
        metrics.set_drift("customer-account", [(Situation::Differs, 4)], 0.998);
        metrics.set_budget("crm", 2, 400, Circuit::Open);
        metrics.run_ended(
            RunKind::Reconcile,
            "customer-account",
            RunStatus::Held,
            Duration::from_secs(4),
        );
        let text = metrics.encode().unwrap();
        for line in [
            "syncline_intake_total{system=\"crm\",result=\"received\"} 2",
            "syncline_writes_total{system=\"erp\",kind=\"update\",result=\"unknown\"} 1",
            "syncline_queue_depth{kind=\"changes\"} 7",
            "syncline_queue_oldest_age_seconds{kind=\"changes\"} 90",
            "syncline_drift_records{mapping=\"customer-account\",situation=\"differs\"} 4",
            "syncline_match_score{mapping=\"customer-account\"} 0.998",
            "syncline_circuit_state{system=\"crm\"} 2",
            "syncline_runs_total{kind=\"reconcile\",mapping=\"customer-account\",status=\"held\"} 1",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
    }
}
