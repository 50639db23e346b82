//! What the machine says about processes: processor time and memory.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

/// The kernel counts processor time in these (USER_HZ, 100 on every Linux).
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory of a process.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub struct Memory {
    /// Resident now, in MiB.
    pub now_mib: f64,
    /// The most that was ever resident, in MiB.
    pub peak_mib: f64,
}

/// Seconds of processor time that a process has used.
pub fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("processor time is read from /proc")?;
    // The name in parentheses may hold spaces; the fields that follow do not.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    let used = ticks(11).zip(ticks(12)).context("/proc/<pid>/stat has no times")?;
    Ok((used.0 + used.1) / TICKS_PER_SECOND)
}

/// Memory of a process.
pub fn memory(process: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("memory is read from /proc")?;
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: f64 = line.trim_start_matches(':').split_whitespace().next()?.parse().ok()?;
        Some(kib / 1_024.0)
    };
    Ok(Memory {
        now_mib: mib("VmRSS").unwrap_or_default(),
        peak_mib: mib("VmHWM").unwrap_or_default(),
    })
}

/// Counts the most memory of this process from now on.
pub fn forget_peak() -> Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("the peak of memory is reset in /proc")
}

/// The machine in one line.
pub fn describe() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split(':').nth(1)?.trim().to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{}, {cores} cores",
        model.unwrap_or_else(|| "unknown processor".to_owned())
    )
}

/// How busy the machine is beside us: the load of the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|load| load.parse().ok())
        .unwrap_or_default()
}

/// Where results are kept.
pub fn results_folder() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    target
        .parent()
        .map_or_else(|| target.clone(), |parent| parent.join("bench"))
}
