//! The fixed families: what the agent says about itself.
//!
//! Few series, so the `prometheus` crate holds them. Every handle is `Sync`; any thread may set it.

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::catalogue;
use super::outbound::OutboundMetrics;
use super::wire::WireMetrics;

/// Buckets of account lookups, in seconds: a cache of ours takes microseconds, a database milliseconds.
const LOOKUP_SECONDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0];

/// A family could not be made or registered: its name or labels are wrong, or used twice.
#[derive(Debug, thiserror::Error)]
#[error("metric {name}: {reason}")]
pub struct FamilyError {
    name: &'static str,
    reason: String,
}

/// Which build runs, for `hippius_agent_build_info` and `target_info`.
#[derive(Debug, Clone, Copy)]
pub struct Build<'a> {
    /// Version of the agent.
    pub version: &'a str,
    /// Commit it was built from.
    pub revision: &'a str,
    /// Compiler it was built with.
    pub rustc: &'a str,
}

/// Typed handles of the fixed families. Labels are given in the order in which the catalogue names them.
#[derive(Debug)]
pub struct AgentMetrics {
    registry: Registry,
    /// `hippius_agent_backend_info{backend}`: set the back-end in use to 1.
    pub backend_info: IntGaugeVec,
    /// `hippius_service_container_info{service,container_id,container,pod,namespace,pod_uid}`
    pub service_container_info: IntGaugeVec,
    /// `hippius_agent_tls_libraries`
    pub tls_libraries: IntGauge,
    /// `hippius_agent_tls_processes`
    pub tls_processes: IntGauge,
    /// `hippius_agent_tls_refused_total{reason}`
    pub tls_refused: IntCounterVec,
    /// `hippius_agent_events_total{kind}`
    pub events: IntCounterVec,
    /// `hippius_agent_events_lost_total{reason}`
    pub events_lost: IntCounterVec,
    /// `hippius_agent_bytes_unattributed_total{reason}`
    pub bytes_unattributed: IntCounterVec,
    /// `hippius_agent_audit_difference_bytes_total`
    pub audit_difference_bytes: IntCounter,
    /// `hippius_agent_streams_desynced_total{reason}`
    pub streams_desynced: IntCounterVec,
    /// `hippius_agent_parse_errors_total{protocol}`
    pub parse_errors: IntCounterVec,
    /// `hippius_agent_connections{state}`
    pub connections: IntGaugeVec,
    /// `hippius_agent_probe_runs_total{program}`
    pub probe_runs: IntCounterVec,
    /// `hippius_agent_probe_seconds_total{program}`
    pub probe_seconds: prometheus::CounterVec,
    /// `hippius_agent_account_lookups_total{source,result}`
    pub account_lookups: IntCounterVec,
    /// `hippius_agent_account_lookup_seconds`
    pub account_lookup_seconds: Histogram,
    /// `hippius_agent_config_reloads_total{result}`
    pub config_reloads: IntCounterVec,
    /// What watched processes ask of others.
    pub outbound: OutboundMetrics,
    /// Of those, what they ask of Redis and PostgreSQL.
    pub wire: WireMetrics,
}

impl AgentMetrics {
    /// All fixed families, with `hippius_agent_build_info` and `target_info` set.
    pub fn new(build: Build<'_>) -> Result<Self, FamilyError> {
        let registry = Registry::new();
        let info = int_gauge(&registry, "hippius_agent_build_info")?;
        info.with_label_values(&[build.version, build.revision, build.rustc]).set(1);
        let target = int_gauge(&registry, "target_info")?;
        target.with_label_values(&["hippius-agent", build.version]).set(1);
        let metrics = Self {
            backend_info: int_gauge(&registry, "hippius_agent_backend_info")?,
            service_container_info: int_gauge(&registry, "hippius_service_container_info")?,
            tls_libraries: add(&registry, "hippius_agent_tls_libraries", |opts, _| IntGauge::with_opts(opts))?,
            tls_processes: add(&registry, "hippius_agent_tls_processes", |opts, _| IntGauge::with_opts(opts))?,
            tls_refused: int_counter(&registry, "hippius_agent_tls_refused_total")?,
            events: int_counter(&registry, "hippius_agent_events_total")?,
            events_lost: int_counter(&registry, "hippius_agent_events_lost_total")?,
            bytes_unattributed: int_counter(&registry, "hippius_agent_bytes_unattributed_total")?,
            audit_difference_bytes: add(&registry, "hippius_agent_audit_difference_bytes_total", |opts, _| {
                IntCounter::with_opts(opts)
            })?,
            streams_desynced: int_counter(&registry, "hippius_agent_streams_desynced_total")?,
            parse_errors: int_counter(&registry, "hippius_agent_parse_errors_total")?,
            connections: int_gauge(&registry, "hippius_agent_connections")?,
            probe_runs: int_counter(&registry, "hippius_agent_probe_runs_total")?,
            probe_seconds: add(&registry, "hippius_agent_probe_seconds_total", prometheus::CounterVec::new)?,
            account_lookups: int_counter(&registry, "hippius_agent_account_lookups_total")?,
            account_lookup_seconds: add(&registry, "hippius_agent_account_lookup_seconds", |opts, _| {
                Histogram::with_opts(HistogramOpts { common_opts: opts, buckets: LOOKUP_SECONDS.to_vec() })
            })?,
            config_reloads: int_counter(&registry, "hippius_agent_config_reloads_total")?,
            outbound: OutboundMetrics::new(&registry)?,
            wire: WireMetrics::new(&registry)?,
            registry,
        };
        // Known from the start, so that a first loss or a first failed reload is an increase and not a new series.
        for result in ["success", "failure"] {
            metrics.config_reloads.with_label_values(&[result]);
        }
        Ok(metrics)
    }

    /// Where the families stand.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

/// Brings a counter to a total that is counted elsewhere (in the kernel, per CPU). A total that fell is taken for a
/// restart over there and added whole.
pub fn follow(counter: &IntCounter, last: &mut u64, total: u64) {
    counter.inc_by(if total >= *last { total - *last } else { total });
    *last = total;
}

pub(super) fn int_counter(registry: &Registry, name: &'static str) -> Result<IntCounterVec, FamilyError> {
    add(registry, name, IntCounterVec::new)
}

fn int_gauge(registry: &Registry, name: &'static str) -> Result<IntGaugeVec, FamilyError> {
    add(registry, name, IntGaugeVec::new)
}

pub(super) fn histogram(registry: &Registry, name: &'static str, buckets: &[f64]) -> Result<HistogramVec, FamilyError> {
    add(registry, name, |common_opts, labels| {
        HistogramVec::new(HistogramOpts { common_opts, buckets: buckets.to_vec() }, labels)
    })
}

/// Makes a family from its entry in the catalogue and registers it.
fn add<T: Collector + Clone + 'static>(
    registry: &Registry,
    name: &'static str,
    make: impl FnOnce(Opts, &[&str]) -> prometheus::Result<T>,
) -> Result<T, FamilyError> {
    let metric = catalogue::find(name).ok_or(FamilyError { name, reason: "not in the catalogue".to_owned() })?;
    let wrong = |error: prometheus::Error| FamilyError { name, reason: error.to_string() };
    let family = make(Opts::new(metric.name, metric.help), metric.labels).map_err(wrong)?;
    registry.register(Box::new(family.clone())).map_err(wrong)?;
    Ok(family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixed_family_of_the_catalogue_is_made() {
        let metrics = AgentMetrics::new(Build { version: "1", revision: "abc", rustc: "1.95" }).expect("families");
        metrics.audit_difference_bytes.inc_by(3);
        let gathered = metrics.registry().gather();
        let audit = gathered.iter().find(|family| family.name() == "hippius_agent_audit_difference_bytes_total");
        assert_eq!(audit.map(|family| family.get_metric()[0].get_counter().get_value()), Some(3.0));
        let info = gathered.iter().find(|family| family.name() == "hippius_agent_build_info").expect("build info");
        assert_eq!(info.get_metric()[0].get_label().len(), 3);
    }

    #[test]
    fn a_followed_total_survives_a_restart_over_there() {
        let counter = IntCounter::new("a", "b").expect("a counter");
        let mut last = 0;
        for total in [5, 7, 7, 2] {
            follow(&counter, &mut last, total);
        }
        assert_eq!(counter.get(), 9);
    }
}
