//! When to try a source again that could not be reached.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(100);
/// A source that is back is found again within this time.
const LONGEST: Duration = Duration::from_secs(5);

/// Doubles the wait with each failure, up to five seconds.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    wait: Duration,
    not_before: Option<Instant>,
}

impl Backoff {
    pub(super) fn allows(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|at| now >= at)
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.wait = (self.wait * 2).clamp(FIRST, LONGEST);
        self.not_before = Some(now + self.wait);
    }

    pub(super) fn worked(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_limit_and_success_ends_it() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        assert!(backoff.allows(start));
        backoff.failed(start);
        assert!(!backoff.allows(start) && backoff.allows(start + FIRST));
        (0..20).for_each(|_| backoff.failed(start));
        assert!(!backoff.allows(start + LONGEST / 2) && backoff.allows(start + LONGEST));
        backoff.worked();
        assert!(backoff.allows(start));
    }
}
