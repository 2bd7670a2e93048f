//! Waiting for a condition with a deadline: the only place that sleeps.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Wide enough for a loaded machine; no test measures time by it.
pub const WIDE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(5);

/// Asks until `condition` gives a value; the error names what was waited for.
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Result<T> {
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
