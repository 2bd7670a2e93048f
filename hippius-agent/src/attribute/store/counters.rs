//! Counts of lookups, raw, for whoever prints them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Who was asked: the label `source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Asked {
    /// The store's own memory.
    Memory,
    /// The static file.
    StaticFile,
    /// Redis.
    Redis,
    /// Postgres.
    Postgres,
    /// The derivation from a seed phrase.
    Derive,
}

/// What came of it: the label `result`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Answered {
    /// An account.
    Hit,
    /// The source works and has no such account.
    Miss,
    /// Memory only: an account whose time is over and that is being looked up anew.
    Stale,
    /// Several accounts fit.
    Ambiguous,
    /// An answer that cannot be read, or an account id that cannot be a label.
    Malformed,
    /// The source cannot be reached or reports an error.
    Error,
    /// No answer in time.
    Timeout,
    /// Memory only: too many lookups are waiting already.
    QueueFull,
}

/// Names of the sources, in the order of [`Asked`].
pub const SOURCES: [&str; 5] = ["memory", "static_file", "redis", "postgres", "derive"];

/// Names of the results, in the order of [`Answered`].
pub const RESULTS: [&str; 8] = ["hit", "miss", "stale", "ambiguous", "malformed", "error", "timeout", "queue_full"];

/// Times that are kept for [`LookupCounters::take_durations`], which is called once a second.
const MAX_RECENT: usize = 65_536;

/// Upper bounds of the histogram of lookup times, in nanoseconds; the last bucket has none.
pub const BOUNDS_NS: [u64; 12] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
];

/// Counters that the capture thread and the lookups share.
#[derive(Debug, Default)]
pub struct LookupCounters {
    results: [[AtomicU64; RESULTS.len()]; SOURCES.len()],
    buckets: [AtomicU64; BOUNDS_NS.len() + 1],
    sum_ns: AtomicU64,
    recent: Mutex<Vec<Duration>>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupSnapshot {
    /// By source and result, named by [`SOURCES`] and [`RESULTS`].
    pub results: [[u64; RESULTS.len()]; SOURCES.len()],
    /// Lookups by time from queue to answer, per bucket of [`BOUNDS_NS`] (not cumulative), the last without bound.
    pub buckets: [u64; BOUNDS_NS.len() + 1],
    /// Sum of these times, in nanoseconds.
    pub sum_ns: u64,
}

impl LookupCounters {
    /// Counts one answer.
    pub fn count(&self, asked: Asked, answered: Answered) {
        if let Some(counter) = self.results.get(asked as usize).and_then(|row| row.get(answered as usize)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts the time of one lookup.
    pub fn observe(&self, took: Duration) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_NS.partition_point(|bound| *bound < took_ns);
        if let Some(counter) = self.buckets.get(bucket) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_ns.fetch_add(took_ns, Ordering::Relaxed);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() < MAX_RECENT {
            recent.push(took);
        }
    }

    /// The times of the lookups since the last call, for a histogram that is kept elsewhere.
    pub fn take_durations(&self) -> Vec<Duration> {
        std::mem::take(&mut self.recent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All counters now.
    pub fn snapshot(&self) -> LookupSnapshot {
        LookupSnapshot {
            results: std::array::from_fn(|source| std::array::from_fn(|result| load(&self.results[source][result]))),
            buckets: std::array::from_fn(|bucket| load(&self.buckets[bucket])),
            sum_ns: load(&self.sum_ns),
        }
    }
}

impl LookupSnapshot {
    /// How often `asked` answered so.
    pub fn of(&self, asked: Asked, answered: Answered) -> u64 {
        self.results[asked as usize][answered as usize]
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_stand_in_the_order_of_the_variants() {
        assert_eq!(SOURCES[Asked::Derive as usize], "derive");
        assert_eq!(SOURCES[Asked::Memory as usize], "memory");
        assert_eq!(RESULTS[Answered::Ambiguous as usize], "ambiguous");
        assert_eq!(RESULTS[Answered::QueueFull as usize], "queue_full");
    }

    #[test]
    fn a_time_falls_into_the_bucket_whose_bound_it_does_not_pass() {
        let counters = LookupCounters::default();
        for took_ns in [500_000, 500_001, 2_500_000_000, 2_500_000_001] {
            counters.observe(Duration::from_nanos(took_ns));
        }
        let snapshot = counters.snapshot();
        assert_eq!((snapshot.buckets[0], snapshot.buckets[1]), (1, 1));
        assert_eq!((snapshot.buckets[11], snapshot.buckets[12]), (1, 1));
        assert_eq!(snapshot.sum_ns, 5_001_000_002);
    }
}
