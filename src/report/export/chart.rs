//! Charts as SVG within a page: a bar for each name, and a line over time. Every number stands beside its bar as text, for
//! programs that show no pictures.

use std::fmt::Write as _;

use crate::report::markup::escape;

const WIDTH: u32 = 640;
const ROW: u32 = 22;
/// Where bars begin.
const LEFT: u32 = 200;
/// The longest bar.
const BAR_MAX: u32 = 340;
const HEIGHT: u32 = 120;

/// One bar a name, as long as its count.
pub(super) fn bars(counts: &[(String, u64)]) -> String {
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let rows = u32::try_from(counts.len()).unwrap_or(u32::MAX);
    let height = rows.saturating_mul(ROW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{WIDTH}\" height=\"{height}\" font-size=\"13\">"
    );
    let mut y = 0_u32;
    for (name, count) in counts {
        let wide = u128::from(*count) * u128::from(BAR_MAX) / u128::from(most);
        let text = y + 15;
        // Something that happened once can be seen beside what happened a million times.
        let wide = wide.max(2);
        let after = u128::from(LEFT) + wide + 6;
        let name = escape(&name.chars().take(30).collect::<String>());
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{text}\">{name}</text><rect x=\"{LEFT}\" y=\"{bar}\" width=\"{wide}\" height=\"14\" \
             fill=\"#4a7fb5\"/><text x=\"{after}\" y=\"{text}\">{count}</text>",
            bar = y + 4
        );
        y = y.saturating_add(ROW);
    }
    svg.push_str("</svg>");
    svg
}

/// Percentages in the order of time, from their lowest to 100.
pub(super) fn line(percents: &[f64]) -> String {
    let low = percents.iter().copied().fold(100.0_f64, f64::min).min(99.0).floor();
    let steps = u32::try_from(percents.len().saturating_sub(1))
        .unwrap_or(u32::MAX)
        .max(1);
    let step = f64::from(WIDTH - 60) / f64::from(steps);
    let mut points = String::new();
    let mut x = 10.0;
    for percent in percents {
        let y = 10.0 + (100.0 - percent) / (100.0 - low) * f64::from(HEIGHT - 20);
        // Writing to a String cannot fail.
        let _ = write!(points, "{x:.1},{y:.1} ");
        x += step;
    }
    let (first, last) = (percents.first().unwrap_or(&0.0), percents.last().unwrap_or(&0.0));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-size=\"12\">\
         <title>from {first:.2} % to {last:.2} %</title>\
         <polyline fill=\"none\" stroke=\"#4a7fb5\" stroke-width=\"2\" points=\"{}\"/>\
         <text x=\"{right}\" y=\"14\">100 %</text><text x=\"{right}\" y=\"{bottom}\">{low} %</text></svg>\
         <p class=\"note\">from {first:.2} % to {last:.2} %</p>",
        points.trim_end(),
        right = WIDTH - 44,
        bottom = HEIGHT - 6,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_stands_beside_its_bar_and_names_stay_text() {
        let svg = bars(&[("<name>".to_owned(), 1_000_000), ("city".to_owned(), 1)]);
        assert!(
            svg.contains("&lt;name&gt;") && svg.contains(">1000000<") && svg.contains("width=\"2\""),
            "{svg}"
        );
        assert!(bars(&[]).ends_with("</svg>"));
    }

    #[test]
    fn a_line_stays_within_its_picture() {
        for percents in [&[100.0, 100.0][..], &[0.0, 100.0], &[99.5], &[]] {
            let svg = line(percents);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
