//! One target's task: poll, publish, pause.

use super::draft::Draft;
use super::source::{Reason, Source};
use super::target::{State, Target};
use crate::config::Pace;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Polls until it is dropped. Targets of the same pace and the same `begin` are polled together as long as they answer,
/// so that they wake the processor once.
pub async fn run<S: Source>(mut source: S, target: Arc<Target>, pace: Pace, mut begin: Instant) {
    let (mut state, mut draft, mut always) = (State::default(), Draft::default(), Draft::default());
    publish(&source, &target, &mut state, &mut always);
    let (mut failures, mut succeeded) = (0, None);
    loop {
        let started = Instant::now();
        let now = SystemTime::now();
        let polled = tokio::time::timeout(pace.timeout, source.poll(now, &mut draft));
        let answer = polled.await.unwrap_or(Err(Reason::Timeout));
        let ended = Instant::now();
        let took = ended - started;
        match answer {
            Ok(()) => {
                if failures > 0 {
                    tracing::info!(source = target.source(), "answers again");
                }
                failures = 0;
                state.status.count(took, now, None);
                state.values = Arc::new(draft.finish());
                succeeded = Some(ended);
                state.values_until = Some(ended + fresh(&pace));
            }
            Err(reason) => {
                draft.clear();
                source.disconnect();
                if failures == 0 {
                    tracing::warn!(source = target.source(), reason = reason.as_str(), "cannot be polled");
                }
                failures += 1;
                state.status.count(took, now, Some(reason));
                state.values_until = succeeded.map(|at| at + pace.stale);
                if state.values_until.is_some_and(|until| ended > until) {
                    state.values = Arc::default();
                }
            }
        }
        publish(&source, &target, &mut state, &mut always);
        begin = next(&pace, failures, begin, ended, random());
        tokio::time::sleep_until(begin.into()).await;
    }
}

fn publish<S: Source>(source: &S, target: &Target, state: &mut State, draft: &mut Draft) {
    source.status(&state.status, draft);
    state.always = Arc::new(draft.finish());
    target.publish(state.clone());
}

/// How long values are good while polls work: until the next one must have come. After a failure it is `stale` alone.
fn fresh(pace: &Pace) -> Duration {
    pace.stale.max(pace.interval + pace.jitter + pace.timeout)
}

/// When the next poll begins, after one that was to begin at `begin` and ended at `ended`. Polls that work begin
/// `interval` and a random part of the jitter apart; each failure in a row doubles the pause.
fn next(pace: &Pace, failures: u32, begin: Instant, ended: Instant, random: f64) -> Instant {
    let jitter = pace.jitter.mul_f64(random);
    if failures == 0 {
        return (begin + pace.interval).max(ended) + jitter;
    }
    let doubled = pace.interval.saturating_mul(1 << (failures - 1).min(20));
    ended + doubled.min(pace.backoff_max.max(pace.interval)) + jitter
}

/// From 0 to 1. Chance only spreads polls in time.
fn random() -> f64 {
    // Keys of their own for each call, without a system call for each.
    let number = RandomState::new().hash_one(()) >> 32;
    number as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_with_failures_up_to_a_limit_and_success_ends_it() {
        let ms = Duration::from_millis;
        let pace = Pace { jitter: ms(50), backoff_max: ms(1000), ..Pace::every(ms(200), ms(100)) };
        let begin = Instant::now();
        let next = |failures, took, random| next(&pace, failures, begin, begin + took, random) - begin;
        assert_eq!(next(0, ms(30), 0.0), ms(200));
        assert_eq!(next(0, ms(300), 1.0), ms(350));
        let begins: Vec<_> = (1..6).map(|failures| next(failures, ms(100), 0.0)).collect();
        assert_eq!(begins, [ms(300), ms(500), ms(900), ms(1100), ms(1100)]);
        assert_eq!(next(u32::MAX, ms(0), 1.0), ms(1050));
    }
}
