//! The agent's own families about the servers that it polls.

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, GaugeVec, Opts};
use std::time::UNIX_EPOCH;

use super::catalogue;
use crate::poll::source::Reason;
use crate::poll::target::Target;

/// `hippius_agent_source_up` and its like, as they stand now; nothing where nothing is polled.
pub fn source_families<'t>(targets: impl Iterator<Item = &'t Target> + Clone) -> Vec<MetricFamily> {
    let (Some(up), Some(success), Some(took)) = (
        gauge("hippius_agent_source_up"),
        gauge("hippius_agent_last_success_timestamp_seconds"),
        gauge("hippius_agent_poll_duration_seconds"),
    ) else {
        return Vec::new();
    };
    let errors = catalogue::find("hippius_agent_poll_errors_total");
    let Some(errors) = errors.and_then(|m| CounterVec::new(Opts::new(m.name, m.help), m.labels).ok()) else {
        return Vec::new();
    };
    for target in targets.clone() {
        let (source, status) = (target.source(), target.state().status);
        let source = source.as_str();
        up.with_label_values(&[source]).set(if status.up() { 1.0 } else { 0.0 });
        took.with_label_values(&[source]).set(status.took.as_secs_f64());
        let at = status.last_success.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        if let Some(at) = at {
            success.with_label_values(&[source]).set(at.as_secs_f64());
        }
        // All reasons from the start: a first failure is an increase and not a new series.
        for (reason, count) in Reason::ALL.iter().zip(status.errors) {
            errors.with_label_values(&[source, reason.as_str()]).inc_by(count as f64);
        }
    }
    let families = [up.collect(), success.collect(), took.collect(), errors.collect()].into_iter().flatten();
    families.filter(|family| !family.get_metric().is_empty()).collect()
}

fn gauge(name: &str) -> Option<GaugeVec> {
    let metric = catalogue::find(name)?;
    GaugeVec::new(Opts::new(metric.name, metric.help), metric.labels).ok()
}
