//! Waiting for a condition with a deadline: the only place that sleeps.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Wide enough for a loaded machine; no test measures time by it.
pub const WIDE: Duration = Duration::from_secs(30);

/// The limit on this machine: `HIPPIUS_SLOW=10` says that it is an emulator, ten times as slow as any real one.
pub fn stretched(limit: Duration) -> Duration {
    let slow = std::env::var("HIPPIUS_SLOW").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    limit * slow
}

const PAUSE: Duration = Duration::from_millis(5);

/// Asks until `condition` gives a value; the error names what was waited for.
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Result<T> {
    let limit = stretched(limit);
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if Instant::now() > end {
            bail!("{what}: not within {limit:?}");
        }
        std::thread::sleep(PAUSE);
    }
}
