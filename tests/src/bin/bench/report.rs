//! Lines of the tables: budget, measured, met or not.

use anyhow::{Context, Result};
use hippius_tests::stats::Spread;
use serde_json::{Value, json};

/// What the line of a measurement that failed begins with.
const FAILED: &str = "failed: ";

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
        Self::of(what, format!("≥ {least}"), show(found, 3, "", more), met)
    }

    /// A value that must be at most `most`.
    pub fn at_most(what: &str, most: f64, unit: &str, found: Option<Spread>, more: &str) -> Self {
        let met = found.map(|spread| spread.median <= most);
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let digits = if most < 10.0 { 3 } else { 1 };
        Self::of(what, format!("≤ {most}{unit}"), show(found, digits, &unit, more), met)
    }

    /// A value without a budget.
    pub fn told(what: &str, measured: String) -> Self {
        Self::of(what, "–".to_owned(), measured, None)
    }

    pub fn failed(what: &str, error: &anyhow::Error) -> Self {
        let text = format!("{FAILED}{error:#}");
        let line = text.lines().next().unwrap_or_default().to_owned();
        Self::of(what, "–".to_owned(), line, Some(false))
    }

    fn of(what: &str, budget: String, measured: String, met: Option<bool>) -> Self {
        Self { what: what.to_owned(), budget, measured, met }
    }

    /// Whether it stands for a measurement that failed.
    pub fn has_failed(&self) -> bool {
        self.measured.starts_with(FAILED)
    }

    /// As [`Row::from_json`] reads it.
    pub fn json(&self) -> Value {
        json!({"what": self.what, "budget": self.budget, "measured": self.measured, "met": self.met})
    }

    pub fn from_json(value: &Value) -> Result<Self> {
        let text = |key: &str| value[key].as_str().map(str::to_owned).with_context(|| format!("{key} in {value}"));
        Ok(Self::of(&text("what")?, text("budget")?, text("measured")?, value["met"].as_bool()))
    }

    /// `mark` stands behind what was measured.
    pub fn line(&self, mark: &str) -> String {
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        format!("| {} | {} | {}{mark} | {met} |", self.what, self.budget, self.measured)
    }
}

fn show(found: Option<Spread>, digits: usize, unit: &str, more: &str) -> String {
    let found = found.map_or("not measured".to_owned(), |spread| spread.show(digits) + unit);
    if more.is_empty() { found } else { format!("{found}; {more}") }
}
