//! Samples for the overview page.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::MissedTickBehavior;

use crate::export::exposition::Exposition;
use crate::export::page::Overview;
use crate::kernel::clock::monotonic_ns;
use crate::record::history::{INTERVAL_S, Moment};

/// Takes a sample every few seconds, for ever. Off the thread that answers scrapes: a sample of 100 000 series takes
/// milliseconds.
pub async fn sample(overview: Arc<Overview>, exposition: Arc<Exposition>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(u64::from(INTERVAL_S)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (overview, exposition) = (Arc::clone(&overview), Arc::clone(&exposition));
        let sampled = tokio::task::spawn_blocking(move || overview.sample(&exposition, now())).await;
        if let Err(error) = sampled {
            tracing::error!("no sample for the overview page: {error}");
        }
    }
}

/// The moment on both clocks.
pub fn now() -> Moment {
    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    Moment { unix_s, monotonic_ns: monotonic_ns() }
}
