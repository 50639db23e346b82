//! Charts as SVG, drawn here: every number of them stands beside as text, for those who see no pictures.

use std::fmt::Write as _;

use super::markup::Markup;
use crate::{
    report::{markup::escape, overview::Point},
    server::console::language::Language,
};

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 130.0;

/// A bar as long as its share of the longest.
pub fn bar(count: u64, longest: u64) -> Markup {
    let share = u128::from(count) * 1_000 / u128::from(longest.max(1));
    // Something that happened once can be seen beside what happened a million times.
    let (whole, tenth) = (share.max(4) / 10, share.max(4) % 10);
    Markup::new(format!(
        "<svg width=\"100%\" height=\"14\" aria-hidden=\"true\"><rect class=\"bar\" y=\"2\" width=\"{whole}.{tenth}%\" height=\"10\" rx=\"2\"/></svg>"
    ))
}

/// Where the points of a line stand, from left to right; `points` come newest first.
fn line(points: &[Point], width: f64, height: f64) -> Vec<(f64, f64)> {
    let most = points
        .iter()
        .map(|point| point.drifted)
        .max()
        .unwrap_or_default()
        .max(1);
    let steps = u32::try_from(points.len().saturating_sub(1)).unwrap_or(u32::MAX).max(1);
    let (most, step) = (share(most), width / f64::from(steps));
    let mut x = if points.len() == 1 { width } else { 0.0 };
    let mut line = Vec::with_capacity(points.len());
    for point in points.iter().rev() {
        line.push((x, height - share(point.drifted) / most * height));
        x += step;
    }
    line
}

/// Counts beyond four thousand million look the same in a picture.
fn share(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn polyline(line: &[(f64, f64)], x: f64, y: f64) -> String {
    let mut points = String::new();
    for (across, down) in line {
        // Writing to a String cannot fail.
        let _ = write!(points, "{:.1},{:.1} ", across + x, down + y);
    }
    format!("<polyline class=\"trend\" points=\"{}\"/>", points.trim_end())
}

/// The last reports in a line no higher than its text.
pub fn spark(points: &[Point]) -> Markup {
    if points.is_empty() {
        return Markup::default();
    }
    let line = polyline(&line(points, 96.0, 18.0), 2.0, 3.0);
    Markup::new(format!(
        "<svg width=\"100\" height=\"24\" viewBox=\"0 0 100 24\" aria-hidden=\"true\">{line}</svg>"
    ))
}

/// Drifted records over the last reports.
pub fn trend(points: &[Point], title: &str, language: Language) -> Markup {
    if points.is_empty() {
        return Markup::default();
    }
    let (left, top) = (8.0, 16.0);
    let (inner_width, inner_height) = (WIDTH - 16.0, HEIGHT - 36.0);
    let line = line(points, inner_width, inner_height);
    let most = points.iter().map(|point| point.drifted).max().unwrap_or_default();
    let number = |count| super::markup::number(count, language);
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(title)
    );
    for (share, count) in [(0.0, most), (1.0, 0)] {
        let y = top + inner_height * share;
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{y}\" y2=\"{y}\"/><text x=\"{left}\" y=\"{text}\">{count}</text>",
            right = WIDTH - 8.0,
            text = y - 4.0,
            count = number(count),
        );
    }
    svg.push_str(&polyline(&line, left, top));
    for (point, (x, y)) in points.iter().rev().zip(&line) {
        let _ = write!(
            svg,
            "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}: {}</title></circle>",
            x + left,
            y + top,
            point.created_at.format("%Y-%m-%d %H:%M"),
            number(point.drifted)
        );
    }
    if let (Some(newest), Some(oldest)) = (points.first(), points.last()) {
        let _ = write!(
            svg,
            "<text x=\"{left}\" y=\"{y}\">{}</text><text x=\"{right}\" y=\"{y}\" text-anchor=\"end\">{}</text>",
            oldest.created_at.format("%Y-%m-%d"),
            newest.created_at.format("%Y-%m-%d"),
            y = HEIGHT - 4.0,
            right = WIDTH - 8.0,
        );
    }
    svg.push_str("</svg>");
    Markup::new(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(drifted: u64) -> Point {
        Point {
            run_id: 1,
            mapping: "m".into(),
            created_at: chrono::DateTime::UNIX_EPOCH,
            match_percent: 99.0,
            compared: 10,
            drifted,
            new: None,
            gone: None,
            repaired: 0,
        }
    }

    #[test]
    fn whatever_the_numbers_are_a_chart_is_one() {
        for points in [
            &[][..],
            &[point(0)],
            &[point(0), point(u64::MAX)],
            &[point(3), point(3)],
        ] {
            for svg in [spark(points), trend(points, "\"<x>\"", Language::English)] {
                let svg = svg.to_string();
                assert!(
                    !svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<x>"),
                    "{svg}"
                );
            }
        }
        assert!(bar(1, u64::MAX).to_string().contains("width=\"0.4%\""));
        assert!(bar(7, 7).to_string().contains("width=\"100.0%\""));
    }
}
