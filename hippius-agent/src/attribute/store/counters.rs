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

/// Counters that the capture thread and the lookups share.
#[derive(Debug, Default)]
pub struct LookupCounters {
    results: [[AtomicU64; RESULTS.len()]; SOURCES.len()],
    recent: Mutex<Vec<Duration>>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupSnapshot {
    /// By source and result, named by [`SOURCES`] and [`RESULTS`].
    pub results: [[u64; RESULTS.len()]; SOURCES.len()],
}

impl LookupCounters {
    /// Counts one answer.
    pub fn count(&self, asked: Asked, answered: Answered) {
        if let Some(counter) = self.results.get(asked as usize).and_then(|row| row.get(answered as usize)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Keeps the time of one lookup, from queue to answer.
    pub fn observe(&self, took: Duration) {
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
    fn times_are_taken_once() {
        let counters = LookupCounters::default();
        counters.observe(Duration::from_millis(3));
        counters.observe(Duration::from_millis(1));
        assert_eq!(counters.take_durations(), [Duration::from_millis(3), Duration::from_millis(1)]);
        assert_eq!(counters.take_durations(), []);
    }
}
