//! The tables: budget, measured, met or not, and on what machine.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use hippius_tests::stats::Spread;

use crate::Effort;

/// One line of the table.
pub struct Row {
    what: String,
    budget: String,
    measured: String,
    met: Option<bool>,
}

impl Row {
    /// A ratio that must be at least `least`.
    pub fn at_least(what: &str, least: f64, found: Option<Spread>, more: &str) -> Self {
        let met = found.map(|spread| spread.median >= least);
        Self::of(what, format!("≥ {least}"), show(found, 3, more), met)
    }

    /// A value that must be at most `most`.
    pub fn at_most(what: &str, most: f64, unit: &str, found: Option<Spread>, more: &str) -> Self {
        let met = found.map(|spread| spread.median <= most);
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let digits = if most < 10.0 { 3 } else { 1 };
        Self::of(what, format!("≤ {most}{unit}"), show(found, digits, more) + &unit, met)
    }

    /// A value without a budget.
    pub fn told(what: &str, measured: String) -> Self {
        Self::of(what, "–".to_owned(), measured, None)
    }

    pub fn failed(what: &str, error: &anyhow::Error) -> Self {
        let text = format!("failed: {error:#}");
        let line = text.lines().next().unwrap_or_default().to_owned();
        Self::of(what, "–".to_owned(), line, Some(false))
    }

    fn of(what: &str, budget: String, measured: String, met: Option<bool>) -> Self {
        Self { what: what.to_owned(), budget, measured, met }
    }

    pub fn line(&self) -> String {
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        format!("| {} | {} | {} | {met} |", self.what, self.budget, self.measured)
    }
}

fn show(found: Option<Spread>, digits: usize, more: &str) -> String {
    let found = found.map_or("not measured".to_owned(), |spread| spread.show(digits));
    if more.is_empty() { found } else { format!("{found}; {more}") }
}

pub fn write(path: &Path, rows: &[Row], effort: Effort, quick: bool) -> Result<()> {
    let mut text = String::from("# Benchmarks\n\n");
    text.push_str("Measured by `cargo xtask bench`; run it again to see your own machine.\n\n");
    if quick {
        text.push_str("**Made with `--quick`: too short to quote.**\n\n");
    }
    let Effort { rounds, run, soak } = effort;
    let _ = write!(
        text,
        "{}\nRatios are with the agent over without it, taken per round (same servers, order reversed every other round), \
         {rounds} rounds of {run:?}, then the median and in brackets the smallest and the largest. Client, server and agent share \
         the processors. Without loss means {soak:?} at 50 000 requests per second.\n\n\
         | what | budget | measured | met |\n|---|---|---|---|\n",
        machine()
    );
    for row in rows {
        let _ = writeln!(text, "{}", row.line());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// Processor, cores, kernel, load.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    format!("Machine: {model}, {cores} processors, Linux {}, load average at the end {load}.\n", kernel.trim())
}
