//! The table for people and the JSON for programs.

use std::fs;

use anyhow::Result;
use serde::Serialize;

use crate::machine;

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The part of Syncline it is about.
    pub group: String,
    /// What was measured.
    pub what: String,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// The number divided by its floor, by the clock: more is better. The median of the rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// The same by processor time, which other work on the machine does not disturb.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ratio: Option<f64>,
    /// What is to be reached, as text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// Whether it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_reached: Option<bool>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Row {
    /// A number.
    pub fn new(group: &str, what: &str, value: f64, unit: &str) -> Self {
        Self {
            group: group.to_owned(),
            what: what.to_owned(),
            value,
            unit: unit.to_owned(),
            ratio: None,
            cpu_ratio: None,
            target: String::new(),
            is_reached: None,
            note: String::new(),
        }
    }

    /// The same with its ratios to a floor.
    pub const fn against(mut self, ratio: f64, cpu_ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self.cpu_ratio = Some(cpu_ratio);
        self
    }

    /// The same with the ratio that is to be reached, or the one that must not be passed.
    pub fn ratio_wanted(mut self, wanted: Wanted) -> Self {
        let ratio = self.ratio.unwrap_or_default();
        (self.target, self.is_reached) = wanted.judge(ratio, "");
        self
    }

    /// The same with the value that is to be reached, or the one that must not be passed.
    pub fn value_wanted(mut self, wanted: Wanted) -> Self {
        (self.target, self.is_reached) = wanted.judge(self.value, &self.unit);
        self
    }

    /// The same with a remark.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// What a number should be.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Wanted {
    fn judge(self, number: f64, unit: &str) -> (String, Option<bool>) {
        match self {
            Self::AtLeast(bound) => (format!("≥ {bound} {unit}").trim_end().to_owned(), Some(number >= bound)),
            Self::AtMost(bound) => (format!("≤ {bound} {unit}").trim_end().to_owned(), Some(number <= bound)),
        }
    }
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The name of the bench, which its results are kept under.
    #[serde(skip)]
    name: &'static str,
    machine: String,
    /// The load of the machine when the run began: more than a little means that others were at work.
    load_before: f64,
    started_at: String,
    arguments: Vec<String>,
    rows: Vec<Row>,
}

impl Report {
    /// Nothing yet.
    pub fn new(name: &'static str, started_at: String) -> Self {
        Self {
            name,
            machine: machine::describe(),
            load_before: machine::load(),
            started_at,
            arguments: std::env::args()
                .skip(1)
                .filter(|argument| argument != "--bench")
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a line, and shows it.
    pub fn add(&mut self, row: Row) {
        eprintln!("  {}", line(&row));
        self.rows.push(row);
    }

    /// Shows the table and writes the JSON.
    pub fn finish(&self) -> Result<()> {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::ASCII_MARKDOWN);
        table.set_header(["what", "measured", "ratio", "by CPU", "to reach", ""]);
        let mut group = "";
        for row in &self.rows {
            if row.group != group {
                group = &row.group;
                table.add_row([format!("**{group}**")]);
            }
            let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            let verdict = match row.is_reached {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "",
            };
            table.add_row([
                row.what.clone(),
                measured(row),
                ratio(row.ratio),
                ratio(row.cpu_ratio),
                row.target.clone(),
                [verdict, &row.note].join(" ").trim().to_owned(),
            ]);
        }
        println!(
            "{}; load before {:.1}; {}",
            self.machine, self.load_before, self.started_at
        );
        println!("{table}");
        let folder = machine::results_folder();
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.json", self.name));
        fs::write(&path, serde_json::to_vec_pretty(self)?)?;
        println!("also in {}", path.display());
        Ok(())
    }
}

fn measured(row: &Row) -> String {
    let value = match row.value {
        value if value >= 1_000.0 => thousands(value.round() as u64),
        value if value >= 10.0 => format!("{value:.0}"),
        value => format!("{value:.2}"),
    };
    format!("{value} {}", row.unit)
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn line(row: &Row) -> String {
    let ratio = row.ratio.map_or_else(String::new, |ratio| {
        format!(
            ", {ratio:.2} of the floor ({:.2} by CPU)",
            row.cpu_ratio.unwrap_or_default()
        )
    });
    let target = if row.target.is_empty() {
        String::new()
    } else {
        format!(", wanted {}", row.target)
    };
    format!("{}: {}{ratio}{target} {}", row.what, measured(row), row.note)
}

/// The middle one.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
