//! The least and the most that numbers of the settings may be, and names that are none.

use super::{Console, Limits, Problem, Requests, Server, Settings, check::path, layer::Layers};
use crate::core::{period::Period, value::json};

/// The smallest buffer for a request's head that the server works with.
const HEAD_BYTES_MIN: u64 = 8 << 10;
/// The deepest JSON that is read: reading uses the stack.
const DEPTH_MAX: u64 = json::Limits::DEPTH_MAX as u64;

/// Checks every number that has a bound.
pub(super) fn all(settings: &Settings, layers: &Layers, problems: &mut Vec<Problem>) {
    for bound in bounds(settings) {
        let Bound { key, value, min, max } = bound;
        if (min..=max).contains(&value) {
            continue;
        }
        let problem = if value == 0 {
            Problem::error("CF004", key, layers.origin(&path(key)), "zero is not allowed here")
        } else {
            let message = format!("{value} is not between {min} and {max}");
            Problem::error("CF004", key, layers.origin(&path(key)), message)
        };
        problems.push(problem);
    }
    log_level(settings, layers, problems);
    times(&settings.limits, layers, problems);
    names(settings, layers, problems);
}

/// A number of the settings with the least and the most that makes sense; lengths of time in milliseconds.
struct Bound {
    key: &'static str,
    value: u64,
    min: u64,
    max: u64,
}

const fn at_least(key: &'static str, value: u64, min: u64) -> Bound {
    Bound {
        key,
        value,
        min,
        max: u64::MAX,
    }
}

const fn between(key: &'static str, value: u64, min: u64, max: u64) -> Bound {
    Bound { key, value, min, max }
}

fn some(key: &'static str, value: usize) -> Bound {
    at_least(key, value as u64, 1)
}

fn lasts(key: &'static str, value: Period) -> Bound {
    at_least(key, value.millis().unsigned_abs(), 1)
}

fn bounds(settings: &Settings) -> Vec<Bound> {
    let mut bounds = of_server(&settings.server);
    bounds.push(at_least(
        "store.connections_max",
        settings.store.connections_max.into(),
        1,
    ));
    bounds.extend(of_work(&settings.limits));
    bounds.extend(of_requests(&settings.requests));
    bounds.extend(of_console(&settings.console));
    bounds.push(lasts("notify.timeout", settings.notify.timeout));
    bounds.push(lasts("notify.retry_for", settings.notify.retry_for));
    bounds
}

fn of_console(console: &Console) -> [Bound; 3] {
    [
        lasts("console.session_idle", console.session_idle),
        lasts("console.session_longest", console.session_longest),
        lasts("console.link_lasts", console.link_lasts),
    ]
}

fn of_server(server: &Server) -> Vec<Bound> {
    vec![
        some("server.connections_max", server.connections_max),
        lasts("server.head_timeout", server.head_timeout),
        lasts("server.body_timeout", server.body_timeout),
        lasts("server.request_timeout", server.request_timeout),
        lasts("server.keep_alive_timeout", server.keep_alive_timeout),
        lasts("server.write_timeout", server.write_timeout),
        at_least("server.head_bytes_max", server.head_bytes_max as u64, HEAD_BYTES_MIN),
        some("server.headers_max", server.headers_max),
        some("server.webhook_body_bytes_max", server.webhook_body_bytes_max),
        between(
            "server.webhook_depth_max",
            server.webhook_depth_max as u64,
            1,
            DEPTH_MAX,
        ),
        some("server.webhook_values_max", server.webhook_values_max),
        some("server.api_body_bytes_max", server.api_body_bytes_max),
        at_least("server.api_burst", server.api_burst.into(), 1),
        at_least("server.api_heavy_burst", server.api_heavy_burst.into(), 1),
        at_least("server.api_tenant_burst", server.api_tenant_burst.into(), 1),
        at_least("server.api_tenant_heavy_burst", server.api_tenant_heavy_burst.into(), 1),
        at_least("server.auth_failure_burst", server.auth_failure_burst.into(), 1),
    ]
}

fn of_work(limits: &Limits) -> Vec<Bound> {
    vec![
        some("limits.in_flight_max", limits.in_flight_max),
        at_least("limits.queue_max", limits.queue_max, 1),
        lasts("limits.change_time_max", limits.change_time_max),
        between("limits.chunk_records", limits.chunk_records.into(), 1, 10_000),
        between("limits.chunks_in_flight_max", limits.chunks_in_flight_max as u64, 1, 64),
        at_least("limits.reconcile_memory_max", limits.reconcile_memory_max, 1 << 20),
        at_least("limits.attempts_max", limits.attempts_max.into(), 1),
        lasts("limits.retry_first", limits.retry_first),
        lasts("limits.run_time_max", limits.run_time_max),
    ]
}

fn of_requests(requests: &Requests) -> Vec<Bound> {
    vec![
        at_least("requests.concurrency", requests.concurrency.into(), 1),
        lasts("requests.timeout", requests.timeout),
        lasts("requests.connect_timeout", requests.connect_timeout),
        lasts("requests.idle_timeout", requests.idle_timeout),
        at_least("requests.body_bytes_max", requests.body_bytes_max, 1),
        between("requests.depth_max", requests.depth_max as u64, 1, DEPTH_MAX),
        at_least("requests.pages_max", requests.pages_max.into(), 1),
        between("requests.attempts_max", requests.attempts_max.into(), 1, 100),
    ]
}

fn log_level(settings: &Settings, layers: &Layers, problems: &mut Vec<Problem>) {
    if let Some(flaw) = settings
        .log
        .level
        .split(',')
        .find(|directive| !is_log_directive(directive))
    {
        let message = format!("`{flaw}` is no level and no filter");
        let problem = Problem::error("CF004", "log.level", layers.origin(&path("log.level")), message);
        problems
            .push(problem.with_hint("error, warn, info, debug, trace, off, or `target=level`, separated by commas"));
    }
}

fn times(limits: &Limits, layers: &Layers, problems: &mut Vec<Problem>) {
    if limits.lease.millis() < 5_000 {
        let message = format!("a lease of {} is too short to be renewed in time", limits.lease);
        let problem = Problem::error("CF004", "limits.lease", layers.origin(&path("limits.lease")), message);
        problems.push(problem.with_hint("5s or longer"));
    }
    if limits.retry_longest < limits.retry_first {
        let key = "limits.retry_longest";
        let message = format!(
            "{} is shorter than retry_first, {}",
            limits.retry_longest, limits.retry_first
        );
        problems.push(Problem::error("CF004", key, layers.origin(&path(key)), message));
    }
}

fn names(settings: &Settings, layers: &Layers, problems: &mut Vec<Problem>) {
    for name in settings.systems.keys().filter(|name| !is_system_name(name)) {
        let key = format!("systems.{name}");
        let problem = Problem::error(
            "CF004",
            &key,
            layers.origin(&path(&key)),
            format!("`{name}` is no name of a system"),
        );
        problems.push(problem.with_hint("a lower-case letter, then letters, digits, `-` and `_`"));
    }
}

/// Whether a part of the log filter is a level, or a target with one.
fn is_log_directive(directive: &str) -> bool {
    let level = directive.rsplit('=').next().unwrap_or_default().trim();
    ["error", "warn", "info", "debug", "trace", "off"].contains(&level)
}

/// Whether a text may name a system: it stands in addresses, keys and expressions.
fn is_system_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}
