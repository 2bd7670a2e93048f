//! The agent's own families about the servers that it polls.

use std::time::UNIX_EPOCH;

use super::taken::Taken;
use crate::poll::source::Reason;
use crate::poll::target::Target;

/// `hippius_agent_source_up` and its like, as they stand now; nothing where nothing is polled.
pub fn source_families<'t>(targets: impl Iterator<Item = &'t Target>) -> Vec<Taken> {
    let (Some(mut up), Some(mut success), Some(mut took), Some(mut errors)) = (
        Taken::new("hippius_agent_source_up"),
        Taken::new("hippius_agent_last_success_timestamp_seconds"),
        Taken::new("hippius_agent_poll_duration_seconds"),
        Taken::new("hippius_agent_poll_errors_total"),
    ) else {
        return Vec::new();
    };
    for target in targets {
        let (source, status) = (target.source(), target.state().status);
        let source = source.as_str();
        up.add(&[source], if status.up() { 1.0 } else { 0.0 });
        took.add(&[source], status.took.as_secs_f64());
        let at = status.last_success.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        if let Some(at) = at {
            success.add(&[source], at.as_secs_f64());
        }
        // All reasons from the start: a first failure is an increase and not a new series.
        for (reason, count) in Reason::ALL.iter().zip(status.errors) {
            errors.add(&[source, reason.as_str()], count as f64);
        }
    }
    [up, success, took, errors].into_iter().filter(|family| !family.is_empty()).collect()
}
