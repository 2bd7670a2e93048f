//! How many keys one step of a sweep asks for, and what a step counts as.
//!
//! What a step costs the server per key depends on the server: about 0.3 us where its tables are in the processor's
//! caches, 2 us where they are not. From here it cannot be seen, because the way to the server and back takes longer
//! than the step. So the server is asked: `INFO commandstats` says how long its `SCAN`s took. Pure.

use super::info::Command;
use std::time::Duration;

/// How long a step may keep the server from other commands.
const AIM: Duration = Duration::from_micros(80);
/// Keys of the first steps, and the least that is asked for.
const LEAST: u16 = 10;
/// Steps before the server is asked how long they took: the first time, and later.
const FIRST_LOOK: u32 = 16;
const NEXT_LOOK: u32 = 512;
/// What a step costs beside the server's own time: both sides wake up, read and write, and whoever comes at that moment
/// waits for all of it. Measured on one host, with `GET`s in between; what a step takes longer is the network's, no load.
const AROUND: Duration = Duration::from_micros(250);

/// The steps of one sweep.
#[derive(Debug)]
pub struct Steps {
    most: u16,
    batch: u16,
    /// Steps since `before` was read.
    taken: u32,
    look_after: u32,
    /// `SCAN`s of anybody so far: calls and microseconds.
    before: Option<(f64, f64)>,
    /// What the server took for one of these steps; `None` where it does not say.
    server: Option<Duration>,
}

impl Steps {
    /// Steps of at most `most` keys.
    pub fn new(most: u16) -> Self {
        let most = most.max(1);
        Self { most, batch: LEAST.min(most), taken: 0, look_after: 0, before: None, server: None }
    }

    /// Keys to ask for.
    pub fn batch(&self) -> u16 {
        self.batch
    }

    /// The least that [`batch`](Self::batch) ever is.
    pub fn least(&self) -> u16 {
        LEAST.min(self.most)
    }

    /// Whether to ask the server now how long its `SCAN`s took.
    pub fn looks(&self) -> bool {
        self.taken >= self.look_after
    }

    /// Takes what the server says of `SCAN` (`None` for a server that does not).
    pub fn learn(&mut self, scan: Option<Command<'_>>) {
        let now = scan.map_or((0.0, 0.0), |scan| (scan.calls, scan.usec));
        if let Some((calls, usec)) = self.before {
            self.measure(now.0 - calls, now.1 - usec);
        }
        self.look_after = if self.before.is_none() { FIRST_LOOK } else { NEXT_LOOK };
        self.before = Some(now);
        self.taken = 0;
    }

    /// A step was made.
    pub fn made(&mut self) {
        self.taken = self.taken.saturating_add(1);
    }

    /// What a step counts as that took `took` from here: the server's time for it where that is known.
    pub fn cost(&self, took: Duration) -> Duration {
        self.server.map_or(took.max(AROUND), |server| server + AROUND)
    }

    fn measure(&mut self, calls: f64, usec: f64) {
        // Others scan too, with other numbers of keys; or the counters were set back: nothing can be said of ours.
        if calls != f64::from(self.taken) || usec <= 0.0 {
            return;
        }
        let step_us = usec / calls;
        let batch = f64::from(self.batch) * AIM.as_secs_f64() * 1e6 / step_us;
        let batch = (batch as u16).clamp(self.least(), self.most);
        // What the new steps will take is as yet an estimate, from the time per key.
        let server_us = step_us * f64::from(batch) / f64::from(self.batch);
        self.server = Some(Duration::from_secs_f64((server_us * 1e-6).min(1.0)));
        self.batch = batch;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(calls: f64, usec: f64) -> Option<Command<'static>> {
        Some(Command { name: "scan", calls, usec, rejected: None, failed: None })
    }

    /// A server that takes `us_per_key` for each key, and for anything at all; `others` scan between the looks.
    fn after_looks(us_per_key: f64, looks: u32, others: f64, most: u16) -> Steps {
        let mut steps = Steps::new(most);
        let (mut calls, mut usec) = (7.0, 1e6);
        for _ in 0..looks {
            assert!(steps.looks());
            steps.learn(scan(calls, usec));
            while !steps.looks() {
                calls += 1.0;
                usec += us_per_key * f64::from(steps.batch());
                steps.made();
            }
            calls += others;
        }
        steps
    }

    #[test]
    fn a_step_keeps_the_server_for_eighty_microseconds() {
        for (us_per_key, most, batch) in
            [(2.0, 100, 40), (0.2, 1000, 400), (0.2, 100, 100), (50.0, 100, 10), (50.0, 3, 3), (0.0, 100, 10)]
        {
            assert_eq!(after_looks(us_per_key, 4, 0.0, most).batch(), batch, "{us_per_key} us, {most}");
        }
    }

    #[test]
    fn steps_stay_small_where_nothing_can_be_said_of_them() {
        assert_eq!(after_looks(0.2, 4, 3.0, 1000).batch(), 10);
        let mut steps = Steps::new(100);
        for _ in 0..3 {
            steps.learn(None);
            (0..2000).for_each(|_| steps.made());
        }
        assert_eq!(steps.batch(), 10);
        let odd = scan(f64::NAN, f64::INFINITY);
        for _ in 0..3 {
            steps.learn(odd);
            steps.made();
        }
        assert_eq!(steps.batch(), 10);
    }

    #[test]
    fn the_network_is_no_load() {
        let far = Duration::from_millis(20);
        assert_eq!(Steps::new(100).cost(far), far);
        let steps = after_looks(2.0, 3, 0.0, 100);
        assert_eq!(steps.cost(far), AIM + AROUND);
        assert_eq!(Steps::new(100).cost(Duration::from_micros(90)), AROUND);
    }
}
