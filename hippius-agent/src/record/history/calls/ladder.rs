//! The buckets of a histogram, as they stood at the last samples.

use std::collections::VecDeque;

/// Samples in the minute that percentiles of the table are about.
pub const MINUTE: usize = 12;

/// Bounds of the longest histogram that is read, the infinite one included.
const MAX_BUCKETS: usize = 24;

/// The buckets of a histogram over time.
#[derive(Debug, Default)]
pub struct Ladder {
    bounds: Vec<f64>,
    /// Observations up to each bound.
    now: Vec<u64>,
    before: Option<Vec<u64>>,
    /// What the last samples gained, the oldest first.
    gained: VecDeque<Box<[u32]>>,
}

impl Ladder {
    /// A sample begins.
    pub fn begin(&mut self) {
        self.before = Some(std::mem::replace(&mut self.now, vec![0; self.bounds.len()]));
    }

    /// So many observations up to `bound`, of one of the series that are added up.
    pub fn add(&mut self, bound: f64, count: u64) {
        let place = self.bounds.partition_point(|known| *known < bound);
        if self.bounds.get(place).is_none_or(|known| *known != bound) {
            if self.bounds.len() >= MAX_BUCKETS {
                return;
            }
            self.bounds.insert(place, bound);
            self.now.insert(place, 0);
        }
        if let Some(sum) = self.now.get_mut(place) {
            *sum += count;
        }
    }

    /// The sample is whole.
    pub fn end(&mut self) {
        if self.bounds.is_empty() {
            return;
        }
        // A name that appears had nothing before: its lines are the agent's own.
        let before = |at: usize| self.before.as_ref().and_then(|before| before.get(at)).copied().unwrap_or(0);
        let gained = self.now.iter().enumerate().map(|(at, now)| u32::try_from(now.saturating_sub(before(at))));
        if self.gained.len() >= MINUTE {
            self.gained.pop_front();
        }
        self.gained.push_back(gained.map(|gained| gained.unwrap_or(u32::MAX)).collect());
    }

    /// As PromQL's `histogram_quantile` has it, over the last `samples`.
    pub fn percentile(&self, q: f64, samples: usize) -> Option<f64> {
        let mut sums = vec![0u64; self.bounds.len()];
        for gained in self.gained.iter().rev().take(samples) {
            sums.iter_mut().zip(gained).for_each(|(sum, gained)| *sum += u64::from(*gained));
        }
        let all = *sums.last().filter(|all| **all > 0)?;
        let rank = q * all as f64;
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in self.bounds.iter().zip(&sums) {
            let upto = *count as f64;
            if upto >= rank && upto > below {
                // Above the last finite bound, that bound is all that is known.
                return Some(if bound.is_finite() {
                    lower + (bound - lower) * (rank - below) / (upto - below)
                } else {
                    lower
                });
            }
            (lower, below) = (if bound.is_finite() { *bound } else { lower }, upto);
        }
        None
    }

    /// Bytes on the heap, about.
    pub fn bytes(&self) -> usize {
        self.bounds.len() * 24 + self.gained.iter().map(|gained| gained.len() * 4 + 16).sum::<usize>()
    }
}
