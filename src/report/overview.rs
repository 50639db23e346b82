//! One report at a glance.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    core::{
        drift::{Report, Summary},
        newcomer::NewFields,
        status::{Cause, Situation},
    },
    store::drift::DriftSummary,
};

/// The totals of one report.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "DriftReport")]
pub struct Overview {
    /// The run that made it.
    pub run_id: i64,
    /// The mapping.
    pub mapping: String,
    /// When the comparison ended.
    pub created_at: DateTime<Utc>,
    /// The share of compared cells that were equal, in percent.
    pub match_percent: f64,
    /// Records in a situation other than in sync.
    pub drifted: u64,
    /// Totals, and counts by situation, by field and by cause; null where a newer Syncline wrote it.
    pub summary: Option<Summary>,
    /// The numbers, what changed since the report before, the worst fields and the oldest items; null where an older Syncline
    /// wrote it.
    pub report: Option<Report>,
}

impl From<DriftSummary> for Overview {
    fn from(stored: DriftSummary) -> Self {
        let summary: Option<Summary> = serde_json::from_str(&stored.summary).ok();
        let report = stored.report.and_then(|text| serde_json::from_str(&text).ok());
        Self {
            run_id: stored.run_id,
            mapping: stored.mapping,
            created_at: stored.created_at,
            match_percent: percent(summary.as_ref().map_or(0, Summary::match_score)),
            drifted: summary.as_ref().map_or(0, Summary::drifted),
            summary,
            report,
        }
    }
}

impl Overview {
    /// Records by situation, the most frequent first, those in step left out.
    #[must_use]
    pub fn situations(&self) -> Vec<(Situation, u64)> {
        let counts = self.summary.iter().flat_map(|summary| &summary.situations);
        ranked(counts.filter(|(situation, _)| **situation != Situation::InSync))
    }

    /// Differences by cause, the most frequent first.
    #[must_use]
    pub fn causes(&self) -> Vec<(Cause, u64)> {
        ranked(self.summary.iter().flat_map(|summary| &summary.causes))
    }

    /// Differences by field, the most frequent first.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, u64)> {
        ranked(self.summary.iter().flat_map(|summary| &summary.fields))
    }

    /// Values that a `values` table does not name, the most frequent first.
    #[must_use]
    pub fn unmapped(&self) -> Vec<(String, u64)> {
        ranked(self.summary.iter().flat_map(|summary| &summary.unmapped))
    }

    /// Fields that a system newly answers.
    #[must_use]
    pub fn new_fields(&self) -> &[NewFields] {
        self.summary.as_ref().map_or(&[], |summary| &summary.new_fields)
    }

    /// The numbers at the head of a report: what, how many, and what it means. None where an older Syncline wrote it.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, u64, &'static str)> {
        let Some(report) = &self.report else { return Vec::new() };
        let (numbers, since) = (&report.numbers, report.since);
        let mut lines = vec![
            (
                "compared",
                numbers.compared,
                "pairs, and records without a partner, that were looked at",
            ),
            ("in step", numbers.in_step, "pairs that agree in every mapped field"),
            ("drifted", numbers.drifted, "pairs and records in any other situation"),
            (
                "filtered",
                numbers.filtered,
                "linked, and no longer passing the mapping's filter",
            ),
            (
                "missing on the left",
                numbers.missing_left,
                "right records whose left partner is not there",
            ),
            (
                "missing on the right",
                numbers.missing_right,
                "left records whose right partner is not there",
            ),
            ("conflicts", numbers.conflicts, "differences that a person decides"),
            (
                "ignored",
                numbers.ignored,
                "differences that a person has chosen to leave",
            ),
            (
                "in flux",
                numbers.in_flux,
                "pairs that looked changed and agreed when they were read again",
            ),
            ("differences", numbers.items, "differences listed one by one"),
            ("repaired", numbers.repaired, "of these, repaired in the same run"),
            ("failed", numbers.failed, "of these, those whose repair failed"),
        ];
        if let Some(since) = since {
            lines.extend([
                ("new", since.new, "differences that the report before did not have"),
                (
                    "still there",
                    since.still,
                    "differences that the report before had and nobody repaired",
                ),
                (
                    "back again",
                    since.returned,
                    "differences that were repaired then and are here again",
                ),
                ("gone", since.gone, "differences of the report before that are no more"),
            ]);
        }
        lines
    }
}

fn ranked<'a, T: Clone + Ord + 'a>(counts: impl Iterator<Item = (&'a T, &'a u64)>) -> Vec<(T, u64)> {
    let mut ranked: Vec<(T, u64)> = counts.map(|(name, count)| (name.clone(), *count)).collect();
    // What stands for nothing is not worth a line; the sort is stable, so equals stay in the order of their names.
    ranked.retain(|(_, count)| *count > 0);
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    ranked
}

/// Hundredths of a percent as percent.
#[must_use]
pub fn percent(hundredths: u64) -> f64 {
    u32::try_from(hundredths).map_or(0.0, f64::from) / 100.0
}

/// One point of a trend.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "DriftPoint")]
pub struct Point {
    /// The run.
    pub run_id: i64,
    /// The mapping.
    pub mapping: String,
    /// When its comparison ended.
    pub created_at: DateTime<Utc>,
    /// The share of compared cells that were equal, in percent.
    pub match_percent: f64,
    /// Pairs and records compared.
    pub compared: u64,
    /// Of these, drifted.
    pub drifted: u64,
    /// Differences that the report before did not have; null where there was none before.
    pub new: Option<u64>,
    /// Differences of the report before that are gone.
    pub gone: Option<u64>,
    /// Differences that were repaired.
    pub repaired: u64,
}

impl From<&Overview> for Point {
    fn from(overview: &Overview) -> Self {
        let report = overview.report.as_ref();
        let since = report.and_then(|report| report.since);
        let compared = overview
            .summary
            .iter()
            .flat_map(|summary| summary.situations.values())
            .sum();
        Self {
            run_id: overview.run_id,
            mapping: overview.mapping.clone(),
            created_at: overview.created_at,
            match_percent: overview.match_percent,
            compared,
            drifted: overview.drifted,
            new: since.map(|since| since.new),
            gone: since.map(|since| since.gone),
            repaired: report.map_or(0, |report| report.numbers.repaired),
        }
    }
}
