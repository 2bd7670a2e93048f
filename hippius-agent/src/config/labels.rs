//! `[labels]`: limits on the number of series.

use super::read::{Found, Section};
use std::time::Duration;

/// Limits on the number of series. What goes beyond them is counted on `__other__`, so totals stay exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Series of all per-account families together.
    pub max_series: u32,
    /// Series of one family.
    pub per_family: u32,
    /// A series without an update for so long is dropped.
    pub idle: Duration,
    /// Series of services tell container, pod and namespace.
    pub container: bool,
}

const MAX_SERIES: std::ops::RangeInclusive<u64> = 100..=10_000_000;

impl Default for Labels {
    fn default() -> Self {
        Self { max_series: 100_000, per_family: 50_000, idle: Duration::from_secs(3600), container: false }
    }
}

impl Labels {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let default = Self::default();
        let narrow = |found: &Found<u64>| u32::try_from(found.value).ok();
        let max_series = section.integer("max_series", MAX_SERIES, "series").as_ref().and_then(narrow);
        let max_series = max_series.unwrap_or(default.max_series);
        let per_family = section.integer("per_family", 10..=*MAX_SERIES.end(), "series");
        if let Some(found) = per_family.as_ref().filter(|found| found.value > u64::from(max_series)) {
            let refusal = format!("{} is more than labels.max_series = {max_series}", found.value);
            section.reading().refuse(&found.place, refusal);
        }
        let idle = section.integer("idle_seconds", 60..=31_536_000, "seconds");
        Self {
            max_series,
            per_family: per_family.as_ref().and_then(narrow).unwrap_or(default.per_family.min(max_series)),
            idle: idle.map_or(default.idle, |found| Duration::from_secs(found.value)),
            container: section.boolean("container").unwrap_or(default.container),
        }
    }
}
