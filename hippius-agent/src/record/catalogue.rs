//! A table of all metrics: names, types, help texts and labels are written here and nowhere else.
//!
//! The stores look their families up here, `hippius-agent metrics` prints it, and the documentation is checked
//! against it.

use std::fmt;

use crate::poll::family::Spec;
use crate::poll::target::Server;

/// Type of a family as Prometheus names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts again at 0 with the agent.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets, sum and count.
    Histogram,
}

impl Kind {
    /// The word of the `# TYPE` line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Where the values of a family come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// HTTP exchanges and S3 operations, from the kernel probes.
    Http,
    /// Calls that watched processes make, from the kernel probes.
    Outbound,
    /// The agent's own state.
    Agent,
    /// Polled from Redis servers.
    Redis,
    /// Polled from PostgreSQL servers.
    Postgres,
}

impl Section {
    /// Heading of the section in the printed catalogue.
    pub fn title(self) -> &'static str {
        match self {
            Self::Http => "HTTP and S3 (from the kernel probes)",
            Self::Outbound => "Outgoing calls (from the kernel probes)",
            Self::Agent => "About the agent itself",
            Self::Redis => "Redis servers (polled)",
            Self::Postgres => "PostgreSQL servers (polled)",
        }
    }
}

/// One metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Name of the family, the `_total` of counters included.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Help text; names the unit.
    pub help: &'static str,
    /// Names of the labels in the order in which they are printed.
    pub labels: &'static [&'static str],
    /// Where it comes from.
    pub section: Section,
}

/// The families of a polled server, with the section that they stand in. They are declared where they are filled.
pub fn polled() -> impl Iterator<Item = (Section, &'static Spec)> {
    crate::poll::families().map(|(server, spec)| match server {
        Server::Redis => (Section::Redis, spec),
        Server::Postgres => (Section::Postgres, spec),
    })
}

/// Whether there is a family called `name`, polled ones included.
pub fn exists(name: &str) -> bool {
    find(name).is_some() || polled().any(|(_, spec)| spec.name == name)
}

/// The table of what the agent measures itself, in the order of the page.
pub fn all() -> &'static [Metric] {
    CATALOGUE
}

/// The entry called `name`.
pub fn find(name: &str) -> Option<&'static Metric> {
    CATALOGUE.iter().find(|metric| metric.name == name)
}

/// Prints the table as Markdown, one table per section.
#[derive(Debug, Clone, Copy)]
pub struct Markdown;

impl fmt::Display for Markdown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = CATALOGUE
            .iter()
            .map(|metric| (metric.section, metric.name, metric.kind.name(), metric.labels, metric.help));
        let polled = polled().map(|(section, spec)| (section, spec.name, spec.kind.name(), spec.labels, spec.help));
        let mut before = None;
        for (section, name, kind, labels, help) in own.chain(polled) {
            if before != Some(section) {
                let gap = if before.is_some() { "\n" } else { "" };
                writeln!(
                    out,
                    "{gap}## {}\n\n| metric | type | labels | meaning |\n|---|---|---|---|",
                    section.title()
                )?;
                before = Some(section);
            }
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
            writeln!(out, "| `{name}` | {kind} | {labels} | {help} |")?;
        }
        Ok(())
    }
}

const fn counter(name: &'static str, labels: &'static [&'static str], section: Section, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help, labels, section }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], section: Section, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help, labels, section }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    section: Section,
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram, help, labels, section }
}

use Section::{Agent, Http, Outbound};

const CATALOGUE: &[Metric] = &[
    counter(
        "http_requests_total",
        &["main_account", "subaccount_id", "service", "method", "handler", "status_code", "outcome"],
        Http,
        "HTTP exchanges seen at the server's socket; status_code=\"none\" where no final status was on the wire.",
    ),
    histogram(
        "http_request_duration_seconds",
        &["main_account", "subaccount_id", "service", "method", "handler"],
        Http,
        "First request byte to last response byte, in seconds; exchanges whose end was not observed are left out.",
    ),
    histogram(
        "http_request_phase_seconds",
        &["service", "handler", "phase"],
        Http,
        "Where the time of an exchange went, in seconds: receive (the request), process (to the first response byte), send (the response).",
    ),
    counter(
        "http_request_bytes_total",
        &["main_account", "subaccount_id", "service", "handler", "direction"],
        Http,
        "Bytes of requests, heads and framing included; grows while a transfer runs.",
    ),
    counter(
        "http_response_bytes_total",
        &["main_account", "subaccount_id", "service", "handler", "direction"],
        Http,
        "Bytes of responses, heads and framing included; grows while a transfer runs.",
    ),
    histogram(
        "http_request_body_bytes",
        &["service", "handler"],
        Http,
        "Sizes of request bodies in bytes, without transfer coding.",
    ),
    histogram(
        "http_response_body_bytes",
        &["service", "handler"],
        Http,
        "Sizes of response bodies in bytes, without transfer coding.",
    ),
    gauge(
        "http_requests_in_flight",
        &["service"],
        Http,
        "Exchanges whose request began and whose response has not ended.",
    ),
    counter(
        "s3_operations_total",
        &["main_account", "subaccount_id", "service", "operation", "success"],
        Http,
        "S3 operations by their AWS name; success: complete, status 2xx or 3xx and no error in the body.",
    ),
    counter(
        "s3_objects_total",
        &["main_account", "subaccount_id", "service", "operation", "success"],
        Http,
        "Objects created or deleted; a multipart upload counts once, when it is completed.",
    ),
    counter(
        "s3_buckets_total",
        &["main_account", "subaccount_id", "service", "operation", "success"],
        Http,
        "Buckets created or deleted.",
    ),
    counter(
        "s3_bytes_uploaded_total",
        &["main_account", "subaccount_id", "service"],
        Http,
        "Object payload received, in bytes (aws-chunked uploads: the decoded length).",
    ),
    counter(
        "s3_bytes_downloaded_total",
        &["main_account", "subaccount_id", "service"],
        Http,
        "Object payload sent, in bytes; bodies of error responses are none.",
    ),
    counter(
        "s3_errors_total",
        &["main_account", "subaccount_id", "service", "operation", "code"],
        Http,
        "Failed S3 operations by the code of the error body, http_NNN where there was none.",
    ),
    counter(
        "ipfs_operations_total",
        &["operation", "success"],
        Outbound,
        "Calls of IPFS nodes and gateways, of Arion and of declared endpoints; success: complete, status 2xx or 3xx and no error behind the body.",
    ),
    histogram(
        "ipfs_operation_duration_seconds",
        &["operation"],
        Outbound,
        "First request byte to last response byte of these calls, in seconds; calls whose end was not observed are left out.",
    ),
    counter(
        "ipfs_bytes_total",
        &["operation", "direction"],
        Outbound,
        "Bytes of these calls, heads and framing included: out is sent, in is received; grows while a transfer runs.",
    ),
    counter(
        "ipfs_errors_total",
        &["operation", "reason"],
        Outbound,
        "Those of these calls that did not succeed: http_NNN, stream_error (told behind the body), or how the call ended.",
    ),
    counter(
        "http_client_requests_total",
        &["peer", "method", "status_code"],
        Outbound,
        "Other HTTP requests that watched processes have sent, by whom they went to; status_code=\"none\" where no final status came.",
    ),
    histogram(
        "http_client_request_duration_seconds",
        &["peer", "method", "status_code"],
        Outbound,
        "First request byte to last response byte of these requests, in seconds; requests whose end was not observed are left out.",
    ),
    histogram(
        "http_client_first_byte_seconds",
        &["peer"],
        Outbound,
        "First request byte to first response byte of these requests, in seconds.",
    ),
    counter(
        "http_client_unfinished_total",
        &["peer", "outcome"],
        Outbound,
        "Those of these requests whose response did not come to its end, by outcome.",
    ),
    counter(
        "http_client_bytes_total",
        &["peer", "direction"],
        Outbound,
        "Bytes of these requests and their responses, heads and framing included: out is sent, in is received; grows while a transfer runs.",
    ),
    histogram(
        "http_client_connect_seconds",
        &["peer"],
        Outbound,
        "SYN to the end of the TCP handshake of connections that watched processes have opened for HTTP or TLS, in seconds.",
    ),
    counter(
        "http_client_connect_errors_total",
        &["peer", "reason"],
        Outbound,
        "Connections of watched processes that could not be made, whatever they were for, by reason.",
    ),
    counter(
        "tls_opaque_bytes_total",
        &["peer", "direction"],
        Outbound,
        "Bytes of TLS connections of watched processes that could not be opened.",
    ),
    counter(
        "hippius_outbound_requests_total",
        &["main_account", "subaccount_id", "peer", "operation", "success"],
        Outbound,
        "Calls of peers whose calls can name an account (profiles arion, s3, hippius-2026), by account; they count in ipfs_* or http_client_* as well.",
    ),
    counter(
        "hippius_outbound_bytes_total",
        &["main_account", "subaccount_id", "peer", "operation", "direction"],
        Outbound,
        "Bytes of these calls, heads and framing included: out is sent, in is received. They wait for the account.",
    ),
    histogram(
        "db_client_operation_duration_seconds",
        &["system", "operation"],
        Outbound,
        "First byte of a command or statement to the last byte of its result, in seconds, off the wire.",
    ),
    counter(
        "db_client_errors_total",
        &["system", "operation", "error_type"],
        Outbound,
        "Those that failed, by the first word of Redis' error or the class of PostgreSQL's SQLSTATE.",
    ),
    counter(
        "db_client_bytes_total",
        &["system", "direction"],
        Outbound,
        "Bytes of connections to Redis and PostgreSQL, out to the server and in from it.",
    ),
    counter(
        "queue_enqueued_total",
        &["queue_name"],
        Outbound,
        "Items that watched processes put into a queue of Redis.",
    ),
    counter(
        "queue_dequeued_total",
        &["queue_name"],
        Outbound,
        "Items that watched processes took out of a queue of Redis.",
    ),
    histogram(
        "queue_item_dwell_seconds",
        &["queue_name"],
        Outbound,
        "Push to pop of the same item where both were seen, in seconds.",
    ),
    gauge(
        "hippius_agent_tls_libraries",
        &[],
        Agent,
        "TLS libraries that are probed: one for each file, whoever uses it.",
    ),
    gauge("hippius_agent_tls_processes", &[], Agent, "Watched processes that have mapped a probed TLS library."),
    counter(
        "hippius_agent_tls_refused_total",
        &["reason"],
        Agent,
        "TLS libraries of watched processes that could not be probed; `kernel`: none can be.",
    ),
    gauge(
        "hippius_agent_build_info",
        &["version", "revision", "rustc"],
        Agent,
        "Always 1; says which build of the agent runs.",
    ),
    gauge("target_info", &["service_name", "service_version"], Agent, "Always 1; resource attributes of this target."),
    gauge("hippius_agent_backend_info", &["backend"], Agent, "1 for the capture back-end in use."),
    gauge(
        "hippius_service_container_info",
        &["service", "container_id", "container", "pod", "namespace", "pod_uid"],
        Agent,
        "Always 1; a container in which a connection of the service was seen. Names that nobody tells are empty.",
    ),
    counter("hippius_agent_events_total", &["kind"], Agent, "Records read from the kernel's ring."),
    counter("hippius_agent_events_lost_total", &["reason"], Agent, "Records that were lost, by reason."),
    counter(
        "hippius_agent_bytes_unattributed_total",
        &["reason"],
        Agent,
        "Bytes of watched connections that belong to no exchange, by reason.",
    ),
    counter(
        "hippius_agent_audit_difference_bytes_total",
        &[],
        Agent,
        "Bytes by which closed connections differ from the kernel's own counters; 0 is normal.",
    ),
    counter(
        "hippius_agent_streams_desynced_total",
        &["reason"],
        Agent,
        "Streams that could not be framed and were picked up again at a later message, by reason.",
    ),
    counter(
        "hippius_agent_queue_items_unmatched_total",
        &["reason"],
        Agent,
        "Items of queues whose push and pop could not be matched, by reason.",
    ),
    counter("hippius_agent_parse_errors_total", &["protocol"], Agent, "Messages that could not be decoded."),
    gauge("hippius_agent_connections", &["state"], Agent, "Connections that the agent holds, by state."),
    counter(
        "hippius_agent_probe_runs_total",
        &["program"],
        Agent,
        "Runs of a kernel program, where the kernel counts them (kernel.bpf_stats_enabled).",
    ),
    counter(
        "hippius_agent_probe_seconds_total",
        &["program"],
        Agent,
        "Time spent in a kernel program in seconds, where the kernel measures it (kernel.bpf_stats_enabled).",
    ),
    gauge("hippius_agent_source_up", &["source"], Agent, "1 when the last poll of the source worked, else 0."),
    gauge(
        "hippius_agent_last_success_timestamp_seconds",
        &["source"],
        Agent,
        "When a poll of the source last worked, in seconds since 1970.",
    ),
    gauge(
        "hippius_agent_poll_duration_seconds",
        &["source"],
        Agent,
        "Time that the last poll of the source took, in seconds.",
    ),
    counter(
        "hippius_agent_poll_errors_total",
        &["source", "reason"],
        Agent,
        "Polls of the source that failed, by reason.",
    ),
    counter(
        "hippius_agent_account_lookups_total",
        &["source", "result"],
        Agent,
        "Lookups of a credential's account, by where it was looked up and what came of it.",
    ),
    histogram(
        "hippius_agent_account_lookup_seconds",
        &[],
        Agent,
        "Time from a credential's first sight to its account, in seconds, cached answers left out.",
    ),
    gauge(
        "hippius_agent_series",
        &[],
        Agent,
        "Lines that the series with account or service labels take on this page.",
    ),
    counter(
        "hippius_agent_series_folded_total",
        &["family"],
        Agent,
        "Updates that were counted on __other__ because the series budget was spent.",
    ),
    counter(
        "hippius_agent_series_dropped_total",
        &[],
        Agent,
        "Series that were dropped after a long time without an update.",
    ),
    counter("hippius_agent_config_reloads_total", &["result"], Agent, "Reloads of the configuration, by result."),
    counter("process_cpu_seconds_total", &[], Agent, "User and system CPU time of the agent, in seconds."),
    gauge("process_open_fds", &[], Agent, "Open file descriptors of the agent."),
    gauge("process_max_fds", &[], Agent, "Most file descriptors that the agent may open."),
    gauge("process_virtual_memory_bytes", &[], Agent, "Virtual memory of the agent, in bytes."),
    gauge("process_resident_memory_bytes", &[], Agent, "Resident memory of the agent, in bytes."),
    gauge("process_start_time_seconds", &[], Agent, "Start of the agent's process, in seconds since 1970."),
];

#[cfg(test)]
mod tests;
