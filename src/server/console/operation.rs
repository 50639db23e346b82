//! How things went within the last hour: events a minute, how long they took, and what was used of each system's limits.

use askama::Template;
use axum::Json;
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    chart::{self, Chart, Line, Stroke},
    frame::{Frame, Page},
    language::Language,
    markup::{self, Markup},
};
use crate::server::{
    api::{
        self,
        operation::{BudgetView, DailyView, LatencyView, Percentiles, SystemView, View},
    },
    error::Result,
    extract::State,
    state::App,
};

/// The most systems whose use is drawn: whatever is configured, a page stays small.
const DRAWN_MAX: usize = 24;
/// The most systems that are listed.
const SYSTEMS_MAX: usize = 200;
/// Lengths from this on are told in seconds, in milliseconds.
const LONG: u64 = 10_000;

#[derive(Template)]
#[template(path = "operations.html")]
pub struct Operations {
    f: Frame,
    view: View,
    /// Events whose effect is not done.
    open: u64,
    events: Markup,
    /// Each minute with its events, the newest first; those without are left out.
    minutes: Vec<(DateTime<Utc>, u64)>,
    systems: Vec<Sender>,
    done: Markup,
    processing: Markup,
    budgets: Vec<Budget>,
}

impl Operations {
    /// A length of time; a dash where nothing was measured.
    #[expect(clippy::ref_option, reason = "templates hand over references")]
    fn length(&self, millis: &Option<u64>) -> String {
        millis.map_or_else(|| "—".to_owned(), |millis| length(millis, self.f.language))
    }

    fn sample(stroke: &str) -> Markup {
        chart::sample(match stroke {
            "dashed" => Stroke::Dashed,
            "dotted" => Stroke::Dotted,
            _ => Stroke::Whole,
        })
    }
}

/// A system that sends events.
struct Sender {
    name: String,
    events: u64,
    spark: Markup,
}

/// What was used of the limits of one system.
struct Budget {
    view: BudgetView,
    /// The most requests of one minute.
    busiest: u64,
    requests: Markup,
    daily: Markup,
}

/// `GET /operations`
pub async fn page(State(app): State<App>, f: Frame) -> Result<Page<Operations>> {
    let Json(view) = api::operation::get(State(app)).await?;
    let begins = |count: usize, each: TimeDelta| -> Vec<DateTime<Utc>> {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        (0..count).map(|number| view.since + each * number).collect()
    };
    let minutes = begins(view.minutes.len(), TimeDelta::minutes(1));
    let counted = minutes.iter().copied().zip(view.minutes.iter().copied());
    Ok(Page(Operations {
        events: drawn(
            f.t.events_a_minute,
            &minutes,
            vec![whole(f.t.events_a_minute, &view.minutes)],
            markup::number,
            f.language,
        ),
        minutes: counted.rev().filter(|(_, count)| *count > 0).collect(),
        systems: view.systems.iter().take(SYSTEMS_MAX).map(sender).collect(),
        done: latencies(&view.latencies, f.t.until_done, |one| one.done, &f),
        processing: latencies(&view.latencies, f.t.processing_time, |one| one.processing, &f),
        budgets: budgets(&view.budgets, &minutes, &f),
        open: view.events.saturating_sub(view.done.count),
        view,
        f,
    }))
}

fn sender(view: &SystemView) -> Sender {
    Sender {
        name: view.system.clone(),
        events: view.events,
        spark: chart::spark(&view.minutes),
    }
}

/// A length of time in the unit that it is best read in.
fn length(millis: u64, language: Language) -> String {
    if millis < LONG {
        return format!("{} ms", markup::number(millis, language));
    }
    markup::span(TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX)))
}

fn whole<'a>(name: &'a str, values: &[u64]) -> Line<'a> {
    Line {
        name,
        stroke: Stroke::Whole,
        values: values.iter().copied().map(Some).collect(),
    }
}

fn clock(at: &DateTime<Utc>) -> String {
    at.format("%H:%M").to_string()
}

fn drawn(
    title: &str,
    times: &[DateTime<Utc>],
    lines: Vec<Line<'_>>,
    tell: fn(u64, Language) -> String,
    language: Language,
) -> Markup {
    bounded(title, times, lines, None, tell, language)
}

fn bounded(
    title: &str,
    times: &[DateTime<Utc>],
    lines: Vec<Line<'_>>,
    bound: Option<(&str, u64)>,
    tell: fn(u64, Language) -> String,
    language: Language,
) -> Markup {
    let end = |at: Option<&DateTime<Utc>>| at.map_or_else(String::new, clock);
    let chart = Chart {
        title,
        times: times.iter().map(clock).collect(),
        ends: [end(times.first()), end(times.last())],
        lines,
        bound,
        tell,
    };
    chart.draw(language)
}

/// Three percentiles over the hour; nothing where nothing was measured.
fn latencies(views: &[LatencyView], title: &str, of: impl Fn(&LatencyView) -> Percentiles, f: &Frame) -> Markup {
    if views.iter().all(|one| of(one).count == 0) {
        return Markup::default();
    }
    let line = |name, stroke, percentile: fn(Percentiles) -> Option<u64>| Line {
        name,
        stroke,
        values: views.iter().map(|one| percentile(of(one))).collect(),
    };
    let lines = vec![
        line(f.t.half, Stroke::Whole, |found| found.p50_ms),
        line(f.t.of_hundred_95, Stroke::Dashed, |found| found.p95_ms),
        line(f.t.of_hundred_99, Stroke::Dotted, |found| found.p99_ms),
    ];
    let times: Vec<DateTime<Utc>> = views.iter().map(|one| one.since).collect();
    drawn(title, &times, lines, length, f.language)
}

/// How much of its limits a system used, in hundredths: those that are near them come first.
fn use_of(view: &BudgetView) -> u64 {
    let share = |used: u64, of: u64| used.saturating_mul(100).checked_div(of).unwrap_or_default();
    let busiest = view.requests.iter().copied().max().unwrap_or_default();
    let rate = view.per_minute_max.map_or(0, |most| share(busiest, most));
    let daily = view.daily.as_ref().map_or(0, |daily| share(daily.used, daily.limit));
    rate.max(daily)
        .max(share(view.in_flight.into(), view.in_flight_max.into()))
}

fn budgets(views: &[BudgetView], minutes: &[DateTime<Utc>], f: &Frame) -> Vec<Budget> {
    let mut views: Vec<&BudgetView> = views.iter().collect();
    views.sort_by_key(|view| std::cmp::Reverse(use_of(view)));
    let budget = |(place, view): (usize, &BudgetView)| {
        let busiest = view.requests.iter().copied().max().unwrap_or_default();
        let is_drawn = place < DRAWN_MAX;
        Budget {
            view: view.clone(),
            busiest,
            requests: if is_drawn && busiest > 0 {
                let bound = view.per_minute_max.map(|most| (f.t.at_most_a_minute, most));
                let title = format!("{}: {}", view.system, f.t.requests_a_minute);
                let line = whole(f.t.requests_a_minute, &view.requests);
                bounded(&title, minutes, vec![line], bound, markup::number, f.language)
            } else {
                Markup::default()
            },
            daily: match view.daily.as_ref().filter(|daily| is_drawn && daily.used > 0) {
                Some(daily) => hours(daily, &view.system, f),
                None => Markup::default(),
            },
        }
    };
    views.into_iter().take(SYSTEMS_MAX).enumerate().map(budget).collect()
}

fn hours(daily: &DailyView, system: &str, f: &Frame) -> Markup {
    let count = i32::try_from(daily.hours.len()).unwrap_or(i32::MAX);
    let times: Vec<DateTime<Utc>> = (0..count)
        .map(|hour| daily.since + TimeDelta::hours(1) * hour)
        .collect();
    let title = format!("{system}: {}", f.t.requests_an_hour);
    let even = daily.limit / u64::try_from(daily.hours.len().max(1)).unwrap_or(1);
    let line = whole(f.t.requests_an_hour, &daily.hours);
    bounded(
        &title,
        &times,
        vec![line],
        Some((f.t.even_share, even)),
        markup::number,
        f.language,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_told_in_the_unit_that_it_is_best_read_in() {
        assert_eq!(length(9_999, Language::English), "9,999 ms");
        assert_eq!(length(9_999, Language::Portuguese), "9.999 ms");
        assert_eq!(length(10_000, Language::English), "10 s");
        assert_eq!(length(180_000, Language::English), "3 min");
    }
}
