//! Charts as SVG, drawn here: every number of them stands beside as text, for those who see no pictures.

use std::fmt::Write as _;

use super::markup::{Markup, number};
use crate::{
    report::{markup::escape, overview::Point},
    server::console::language::Language,
};

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 130.0;
/// Where the picture of a chart begins, and how large it is.
const LEFT: f64 = 8.0;
const TOP: f64 = 16.0;
const INNER_WIDTH: f64 = WIDTH - 2.0 * LEFT;
const INNER_HEIGHT: f64 = HEIGHT - 36.0;

/// A bar as long as its share of the longest.
pub fn bar(count: u64, longest: u64) -> Markup {
    let share = u128::from(count) * 1_000 / u128::from(longest.max(1));
    // Something that happened once can be seen beside what happened a million times.
    let (whole, tenth) = (share.max(4) / 10, share.max(4) % 10);
    Markup::new(format!(
        "<svg width=\"100%\" height=\"14\" aria-hidden=\"true\"><rect class=\"bar\" y=\"2\" width=\"{whole}.{tenth}%\" height=\"10\" rx=\"2\"/></svg>"
    ))
}

/// How a line is drawn: told apart by its dashes, not by its colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// All of it.
    Whole,
    /// In dashes.
    Dashed,
    /// In dots.
    Dotted,
}

impl Stroke {
    const fn class(self) -> &'static str {
        match self {
            Self::Whole => "trend",
            Self::Dashed => "trend dashed",
            Self::Dotted => "trend dotted",
        }
    }
}

/// One line of a chart.
#[derive(Debug)]
pub struct Line<'a> {
    /// What it shows.
    pub name: &'a str,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Its values, oldest first; none where nothing was measured.
    pub values: Vec<Option<u64>>,
}

/// A chart of lines over time.
#[derive(Debug)]
pub struct Chart<'a> {
    /// What it shows.
    pub title: &'a str,
    /// The times of the values, oldest first.
    pub times: Vec<String>,
    /// What stands below its first and its last time.
    pub ends: [String; 2],
    /// The lines.
    pub lines: Vec<Line<'a>>,
    /// A bound that matters, with its name.
    pub bound: Option<(&'a str, u64)>,
    /// How a value is told.
    pub tell: fn(u64, Language) -> String,
}

impl Chart<'_> {
    /// The chart; nothing where there are no times.
    pub fn draw(&self, language: Language) -> Markup {
        if self.times.is_empty() {
            return Markup::default();
        }
        let values = || self.lines.iter().flat_map(|line| &line.values).flatten().copied();
        let most = values().max().unwrap_or_default();
        // A bound far above everything would press the lines flat: it is told beside the chart.
        let bound = self.bound.filter(|(_, bound)| *bound <= most.saturating_mul(4));
        let top = bound.map_or(most, |(_, bound)| most.max(bound));
        let tell = |value| escape(&(self.tell)(value, language));
        let mut svg = format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}: {} – {}\">",
            escape(self.title),
            tell(values().min().unwrap_or_default()),
            tell(most),
        );
        for (share, value) in [(0.0, top), (1.0, 0)] {
            grid(&mut svg, "grid", share, &tell(value));
        }
        if let Some((name, value)) = bound {
            let text = format!("{}: {}", escape(name), tell(value));
            grid(&mut svg, "bound", 1.0 - share(value) / share(top.max(1)), &text);
        }
        for line in &self.lines {
            self.draw_line(&mut svg, line, top, &tell);
        }
        let [first, last] = &self.ends;
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{y}\">{}</text><text x=\"{right}\" y=\"{y}\" text-anchor=\"end\">{}</text></svg>",
            escape(first),
            escape(last),
            y = HEIGHT - 4.0,
            right = WIDTH - LEFT,
        );
        Markup::new(svg)
    }

    fn draw_line(&self, svg: &mut String, line: &Line<'_>, top: u64, tell: &impl Fn(u64) -> String) {
        let placed = place(&line.values, top, INNER_WIDTH, INNER_HEIGHT);
        svg.push_str(&polylines(&placed, line.stroke, LEFT, TOP));
        let named = if self.lines.len() > 1 {
            format!("{}, ", escape(line.name))
        } else {
            String::new()
        };
        for ((place, value), time) in placed.iter().zip(&line.values).zip(&self.times) {
            let (Some((x, y)), Some(value)) = (place, value) else {
                continue;
            };
            let _ = write!(
                svg,
                "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{named}{}: {}</title></circle>",
                x + LEFT,
                y + TOP,
                escape(time),
                tell(*value)
            );
        }
    }
}

/// A line across, with what it stands for.
fn grid(svg: &mut String, class: &str, down: f64, text: &str) {
    let y = TOP + INNER_HEIGHT * down;
    let _ = write!(
        svg,
        "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{LEFT}\" y=\"{above:.1}\">{text}</text>",
        right = WIDTH - LEFT,
        above = y - 4.0,
    );
}

/// Where the values of a line stand, from left to right.
fn place(values: &[Option<u64>], top: u64, width: f64, height: f64) -> Vec<Option<(f64, f64)>> {
    let steps = u32::try_from(values.len().saturating_sub(1)).unwrap_or(u32::MAX).max(1);
    let (top, step) = (share(top.max(1)), width / f64::from(steps));
    let mut x = if values.len() == 1 { width } else { 0.0 };
    let mut placed = Vec::with_capacity(values.len());
    for value in values {
        placed.push(value.map(|value| (x, height - share(value) / top * height)));
        x += step;
    }
    placed
}

/// Counts beyond four thousand million look the same in a picture.
fn share(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A line, broken where nothing was measured.
fn polylines(placed: &[Option<(f64, f64)>], stroke: Stroke, x: f64, y: f64) -> String {
    let mut drawn = String::new();
    for part in placed.split(Option::is_none).filter(|part| !part.is_empty()) {
        let mut points = String::new();
        for (across, down) in part.iter().flatten() {
            // Writing to a String cannot fail.
            let _ = write!(points, "{:.1},{:.1} ", across + x, down + y);
        }
        let class = stroke.class();
        let _ = write!(drawn, "<polyline class=\"{class}\" points=\"{}\"/>", points.trim_end());
    }
    drawn
}

/// A line no higher than its text; values oldest first.
pub fn spark(values: &[u64]) -> Markup {
    if values.is_empty() {
        return Markup::default();
    }
    let most = values.iter().copied().max().unwrap_or_default();
    let values: Vec<Option<u64>> = values.iter().copied().map(Some).collect();
    let line = polylines(&place(&values, most, 96.0, 18.0), Stroke::Whole, 2.0, 3.0);
    Markup::new(format!(
        "<svg width=\"100\" height=\"24\" viewBox=\"0 0 100 24\" aria-hidden=\"true\">{line}</svg>"
    ))
}

/// The sample of a line, for the words that explain it.
pub fn sample(stroke: Stroke) -> Markup {
    let line = polylines(&[Some((0.0, 0.0)), Some((28.0, 0.0))], stroke, 1.0, 5.0);
    Markup::new(format!(
        "<svg class=\"sample\" width=\"30\" height=\"10\" viewBox=\"0 0 30 10\" aria-hidden=\"true\">{line}</svg>"
    ))
}

/// Drifted records over the last reports; `points` come newest first.
pub fn drift_spark(points: &[Point]) -> Markup {
    let values: Vec<u64> = points.iter().rev().map(|point| point.drifted).collect();
    spark(&values)
}

/// Drifted records over the last reports; `points` come newest first.
pub fn trend(points: &[Point], title: &str, language: Language) -> Markup {
    let day =
        |point: Option<&Point>| point.map_or_else(String::new, |point| point.created_at.format("%Y-%m-%d").to_string());
    let oldest_first = || points.iter().rev();
    let chart = Chart {
        title,
        times: oldest_first()
            .map(|point| point.created_at.format("%Y-%m-%d %H:%M").to_string())
            .collect(),
        ends: [day(points.last()), day(points.first())],
        lines: vec![Line {
            name: title,
            stroke: Stroke::Whole,
            values: oldest_first().map(|point| Some(point.drifted)).collect(),
        }],
        bound: None,
        tell: number,
    };
    chart.draw(language)
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
            for svg in [drift_spark(points), trend(points, "\"<x>\"", Language::English)] {
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

    fn chart(values: &[Option<u64>], bound: Option<u64>) -> String {
        let chart = Chart {
            title: "requests",
            times: values.iter().map(|_| "09:00".to_owned()).collect(),
            ends: ["08:00".to_owned(), "09:00".to_owned()],
            lines: vec![Line {
                name: "<b>",
                stroke: Stroke::Dashed,
                values: values.to_vec(),
            }],
            bound: bound.map(|bound| ("limit", bound)),
            tell: number,
        };
        chart.draw(Language::English).to_string()
    }

    #[test]
    fn a_line_breaks_where_nothing_was_measured_and_shows_a_bound_that_is_near() {
        let svg = chart(&[Some(1), Some(2), None, Some(10)], Some(20));
        assert_eq!(svg.matches("<polyline class=\"trend dashed\"").count(), 2, "{svg}");
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(
            svg.contains("limit: 20") && svg.contains("aria-label=\"requests: 1 – 10\""),
            "{svg}"
        );
        assert!(
            !chart(&[Some(1), Some(2)], Some(1_000)).contains("limit"),
            "it is far away"
        );
        let nothing = chart(&[None, None], None);
        assert!(!nothing.contains("<polyline") && !nothing.contains("NaN"), "{nothing}");
        assert_eq!(chart(&[], None), "");
    }
}
