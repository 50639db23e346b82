//! A page for mail: it stands alone, has no script, loads nothing, and shows the report at a glance with its first differences.
//! The whole list belongs into a spreadsheet.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use super::{
    Error, Export, Sink, chart,
    column::{COLUMNS, time},
};
use crate::{
    core::drift::Oldest,
    report::{item::View, markup::escape, overview::Overview, words},
};

/// The most differences that are shown.
const ITEMS_MAX: u64 = 200;

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;color:#1b2733;max-width:72rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2rem}p.sub{color:#5b6b7a;margin-top:.2rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d9e1e8;\
vertical-align:top;overflow-wrap:anywhere}th{background:#f1f5f8}td.w{white-space:nowrap}td.n{text-align:right;font-variant-numeric:tabular-nums}\
.big{font-size:2rem;font-weight:600}.note{color:#5b6b7a}";

pub(super) struct Page<W: Write> {
    file: W,
    shown: u64,
    items: u64,
    run_id: i64,
}

impl<W: Write> Page<W> {
    pub(super) fn begin(export: &Export, mut file: W) -> Result<Self, Error> {
        let overview = &export.overview;
        head(&mut file, export)?;
        numbers(&mut file, overview)?;
        situations(&mut file, overview)?;
        causes(&mut file, overview)?;
        fields(&mut file, overview)?;
        trend(&mut file, export)?;
        unmapped(&mut file, overview)?;
        new_fields(&mut file, overview)?;
        oldest(&mut file, overview)?;
        write!(file, "<h2>Differences</h2><table><tr>")?;
        for (name, ..) in shown_columns() {
            write!(file, "<th>{name}</th>")?;
        }
        writeln!(file, "</tr>")?;
        Ok(Self {
            file,
            shown: 0,
            items: 0,
            run_id: overview.run_id,
        })
    }
}

/// The columns that a page has room for.
fn shown_columns() -> impl Iterator<Item = super::column::Column> {
    const SHOWN: [&str; 12] = [
        "situation",
        "cause",
        "field",
        "left_id",
        "right_id",
        "left_value",
        "right_value",
        "last_changed_side",
        "first_seen_at",
        "age_runs",
        "outcome",
        "note",
    ];
    COLUMNS.into_iter().filter(|(name, ..)| SHOWN.contains(name))
}

impl<W: Write> Sink for Page<W> {
    fn item(&mut self, item: &View) -> Result<(), Error> {
        self.items += 1;
        if self.shown >= ITEMS_MAX {
            return Ok(());
        }
        self.shown += 1;
        write!(self.file, "<tr>")?;
        for (.., value) in shown_columns() {
            write!(self.file, "<td>{}</td>", escape(&value(item).text()))?;
        }
        writeln!(self.file, "</tr>")?;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        writeln!(self.file, "</table>")?;
        if self.items > self.shown {
            let (shown, items, run_id) = (self.shown, self.items, self.run_id);
            writeln!(
                self.file,
                "<p class=\"note\">{shown} of {items} differences are shown. All of them: <code>syncline drift export {run_id} \
                 --format xlsx</code></p>"
            )?;
        } else if self.items == 0 {
            writeln!(self.file, "<p class=\"note\">There is none.</p>")?;
        }
        writeln!(self.file, "</body></html>")?;
        Ok(self.file.flush()?)
    }
}

fn head<W: Write>(file: &mut W, export: &Export) -> io::Result<()> {
    let overview = &export.overview;
    let (mapping, when) = (escape(&overview.mapping), time(overview.created_at));
    let (left, right) = (escape(&export.systems.left), escape(&export.systems.right));
    // The policy keeps whatever shows the page from loading or running anything, should a text ever get out of its place.
    writeln!(
        file,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Drift of {mapping}, {when}</title>\
         <style>{STYLE}</style></head><body><h1>{mapping}</h1>\
         <p class=\"sub\">Drift report {} of {when}: {left} (left) and {right} (right)</p>\
         <p class=\"big\">{:.2} %</p><p class=\"note\">match score: the share of compared values that agree</p>",
        overview.run_id, overview.match_percent
    )
}

fn numbers<W: Write>(file: &mut W, overview: &Overview) -> io::Result<()> {
    let lines = overview.lines();
    if lines.is_empty() {
        return Ok(());
    }
    write!(file, "<h2>Numbers</h2><table>")?;
    for (what, number, meaning) in lines {
        write!(
            file,
            "<tr><td>{what}</td><td class=\"n\">{number}</td><td class=\"note\">{meaning}</td></tr>"
        )?;
    }
    writeln!(file, "</table>")
}

fn situations<W: Write>(file: &mut W, overview: &Overview) -> io::Result<()> {
    let counts = overview.situations();
    if counts.is_empty() {
        return writeln!(file, "<p>Both systems are in step.</p>");
    }
    write!(file, "<h2>By situation, in records</h2><table>")?;
    for (situation, records) in counts {
        let meaning = words::situation(situation);
        write!(
            file,
            "<tr><td class=\"w\">{situation}</td><td class=\"n\">{records}</td><td class=\"note\">{meaning}</td></tr>"
        )?;
    }
    writeln!(file, "</table>")
}

fn causes<W: Write>(file: &mut W, overview: &Overview) -> io::Result<()> {
    let counts = overview.causes();
    if counts.is_empty() {
        return Ok(());
    }
    let bars: Vec<(String, u64)> = counts
        .iter()
        .map(|(cause, count)| (cause.to_string(), *count))
        .collect();
    write!(file, "<h2>By cause, in differences</h2>{}<table>", chart::bars(&bars))?;
    for (cause, _) in counts {
        let (meaning, next) = (words::cause(cause), escape(words::next_step(cause)));
        write!(
            file,
            "<tr><td class=\"w\">{cause}</td><td>{meaning}</td><td class=\"note\">{next}</td></tr>"
        )?;
    }
    writeln!(file, "</table>")
}

fn fields<W: Write>(file: &mut W, overview: &Overview) -> io::Result<()> {
    const FIELDS_MAX: usize = 15;
    let mut counts = overview.fields();
    if counts.is_empty() {
        return Ok(());
    }
    counts.truncate(FIELDS_MAX);
    writeln!(file, "<h2>Worst fields</h2>{}", chart::bars(&counts))
}

fn trend<W: Write>(file: &mut W, export: &Export) -> io::Result<()> {
    if export.trend.len() < 2 {
        return Ok(());
    }
    let scores: Vec<f64> = export.trend.iter().rev().map(|point| point.match_percent).collect();
    writeln!(
        file,
        "<h2>Match score of the last {} reports</h2>{}",
        scores.len(),
        chart::line(&scores)
    )
}

fn unmapped<W: Write>(file: &mut W, overview: &Overview) -> io::Result<()> {
    const VALUES_MAX: usize = 50;
    let values = overview.unmapped();
    if values.is_empty() {
        return Ok(());
    }
    write!(file, "<h2>Values without a partner in <code>values:</code></h2><table>")?;
    for (value, times) in values.iter().take(VALUES_MAX) {
        write!(file, "<tr><td>{}</td><td class=\"n\">{times}</td></tr>", escape(value))?;
    }
    writeln!(file, "</table>")
}

fn new_fields<W: Write>(file: &mut W, overview: &Overview) -> io::Result<()> {
    let new = overview.new_fields();
    if new.is_empty() {
        return Ok(());
    }
    write!(file, "<h2>New fields</h2><table>")?;
    for one in new {
        let place = escape(&format!("{} {}", one.system, one.object));
        let (told, next) = (escape(&one.told()), escape(&one.next_step()));
        write!(
            file,
            "<tr><td class=\"w\">{place}</td><td>{told}</td><td class=\"note\"><code>{next}</code></td></tr>"
        )?;
    }
    writeln!(file, "</table>")
}

fn oldest<W: Write>(file: &mut W, overview: &Overview) -> io::Result<()> {
    let oldest: Vec<&Oldest> = overview
        .report
        .iter()
        .flat_map(|report| &report.oldest)
        .filter(|item| item.age_runs > 1)
        .collect();
    if oldest.is_empty() {
        return Ok(());
    }
    let mut rows = String::new();
    for item in oldest {
        let id = |id: &Option<String>| escape(id.as_deref().unwrap_or("–"));
        // Writing to a String cannot fail.
        let _ = write!(
            rows,
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{} ↔ {}</td><td>{}</td><td>{}</td></tr>",
            time(item.first_seen_at),
            item.age_runs,
            id(&item.left_id),
            id(&item.right_id),
            escape(item.field.as_deref().unwrap_or_else(|| item.situation.as_str())),
            item.cause,
        );
    }
    writeln!(
        file,
        "<h2>Oldest differences</h2><table><tr><th>since</th><th>reports</th><th>records</th><th>what</th><th>cause</th></tr>\
         {rows}</table>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escape("<script>alert('1')</script> & \"x\""),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;"
        );
        assert!(!escape("a\u{202e}b\u{0}c").contains(['\u{202e}', '\0']));
    }
}
