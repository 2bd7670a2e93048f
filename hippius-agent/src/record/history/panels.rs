//! The charts of the page: what they are called, what they show, and why one may be empty.

use super::calls::{COMMAND_P95, DWELL_P95, HTTP_P95, IPFS_P95, IPFS_SUCCESS};
use super::gauges::IN_FLIGHT;

/// A chart as the page knows it.
#[derive(Debug)]
pub struct Spec {
    /// Name for programs.
    pub id: &'static str,
    /// Heading.
    pub title: &'static str,
    /// Group that it stands in.
    pub section: &'static str,
    /// Unit of its values.
    pub unit: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// Where its values come from.
    pub source: Source,
    /// Why it may be empty.
    pub empty: &'static str,
}

/// Where the values of a chart come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Requests by account.
    Requests,
    /// Bytes received by account.
    Received,
    /// Bytes sent by account.
    Sent,
    /// Percentiles of durations.
    Durations,
    /// Percentiles of the three phases.
    Phases,
    /// Failed exchanges by status or outcome.
    Failures,
    /// S3 operations by name.
    Operations,
    /// Failed S3 operations by code.
    Errors,
    /// Families of the fixed and polled metrics, and what their series are called.
    Gauges(&'static [(&'static str, &'static str)]),
    /// The first of these families that has values.
    First(&'static [&'static str]),
}

impl Source {
    /// Whether its series are parts of a whole.
    pub fn stacked(self) -> bool {
        !matches!(self, Self::Durations | Self::Phases | Self::Gauges(_) | Self::First(_))
    }
}

/// Why a chart of phases is empty under an account filter.
pub const NO_ACCOUNTS: &str = "The phases are kept by service and endpoint, not by account: clear the account filter.";

/// Why a chart of S3 operations is empty under an endpoint filter.
pub const NO_HANDLERS: &str = "S3 operations are not kept by endpoint: clear the endpoint filter.";

const TRAFFIC: &str = "Traffic";
const S3: &str = "S3";
const STORES: &str = "Queues and stores";
const CALLS: &str = "Outgoing calls";
const AGENT: &str = "Agent";

const NO_TRAFFIC: &str = "No request in this time, or none that the filters let through.";
const NO_REDIS: &str = "No value yet: it comes from a polled Redis, and none is configured or none has answered.";
const NO_POSTGRES: &str = "No value yet: it comes from a polled Postgres, and none is configured or none has answered.";

const NO_QUEUE: &str = "Nothing went through a queue in this time. The queues are those of the polled Redis servers.";
const NO_IPFS: &str = "No call of an IPFS node in this time by a watched process.";
const NO_CALL: &str = "No call of an HTTP service in this time by a watched process.";
const NO_COMMAND: &str = "No command or query in this time on an unencrypted connection of a watched process.";

/// All charts, in the order of the page.
pub const PANELS: &[Spec] = &[
    Spec {
        id: "requests",
        title: "Request rate by account",
        section: TRAFFIC,
        unit: "requests/s",
        about: "Finished exchanges per second.",
        source: Source::Requests,
        empty: NO_TRAFFIC,
    },
    Spec {
        id: "latency",
        title: "Response times",
        section: TRAFFIC,
        unit: "s",
        about: "Percentiles of the time from the first request byte to the last response byte.",
        source: Source::Durations,
        empty: NO_TRAFFIC,
    },
    Spec {
        id: "phases",
        title: "Response times by phase",
        section: TRAFFIC,
        unit: "s",
        about: "95th percentile of receiving the request, of processing until the first response byte, and of sending.",
        source: Source::Phases,
        empty: NO_TRAFFIC,
    },
    Spec {
        id: "received",
        title: "Received by account",
        section: TRAFFIC,
        unit: "B/s",
        about: "Bytes of requests per second, heads included; grows while a transfer runs.",
        source: Source::Received,
        empty: NO_TRAFFIC,
    },
    Spec {
        id: "sent",
        title: "Sent by account",
        section: TRAFFIC,
        unit: "B/s",
        about: "Bytes of responses per second, heads included; grows while a transfer runs.",
        source: Source::Sent,
        empty: NO_TRAFFIC,
    },
    Spec {
        id: "failures",
        title: "Errors by code",
        section: TRAFFIC,
        unit: "requests/s",
        about: "Exchanges with a status of 400 or above, or cut off.",
        source: Source::Failures,
        empty: "No request failed in this time.",
    },
    Spec {
        id: "in_flight",
        title: "Requests in flight",
        section: TRAFFIC,
        unit: "requests",
        about: "Exchanges that have begun and not ended, by service.",
        source: Source::Gauges(&[(IN_FLIGHT, "")]),
        empty: "No service has been seen yet.",
    },
    Spec {
        id: "operations",
        title: "S3 operations",
        section: S3,
        unit: "operations/s",
        about: "Operations per second by their AWS name.",
        source: Source::Operations,
        empty: "No S3 operation in this time. Services count them where their profile is one of S3.",
    },
    Spec {
        id: "s3_errors",
        title: "S3 error codes",
        section: S3,
        unit: "errors/s",
        about: "Failed operations by the code of the error body, http_NNN where there was none.",
        source: Source::Errors,
        empty: "No S3 operation failed in this time.",
    },
    Spec {
        id: "multipart",
        title: "Multipart chunks",
        section: S3,
        unit: "chunks",
        about: "Chunks of multipart uploads that wait in Redis.",
        source: Source::First(&["hippius_multipart_chunks", "multipart_chunks_redis_total"]),
        empty: NO_REDIS,
    },
    Spec {
        id: "queues",
        title: "Queue lengths",
        section: STORES,
        unit: "items",
        about: "Items that wait, by queue.",
        source: Source::First(&["queue_length"]),
        empty: NO_REDIS,
    },
    Spec {
        id: "queue_age",
        title: "Age of the oldest item",
        section: STORES,
        unit: "s",
        about: "How long the first item of a queue has waited.",
        source: Source::First(&["hippius_queue_oldest_item_age_seconds"]),
        empty: "No value yet: it comes from a polled Redis, for queues whose items say when they came.",
    },
    Spec {
        id: "queue_flow",
        title: "Items put in and taken out",
        section: STORES,
        unit: "items/s",
        about: "Pushes and pops per second, as watched processes sent them.",
        source: Source::Gauges(&[("queue_enqueued_total", "in"), ("queue_dequeued_total", "out")]),
        empty: NO_QUEUE,
    },
    Spec {
        id: "queue_dwell",
        title: "Time in the queue",
        section: STORES,
        unit: "s",
        about: "95th percentile of the time from push to pop of the same item.",
        source: Source::Gauges(&[(DWELL_P95, "")]),
        empty: NO_QUEUE,
    },
    Spec {
        id: "redis_memory",
        title: "Redis memory",
        section: STORES,
        unit: "B",
        about: "Memory in use, and the limit where there is one.",
        source: Source::Gauges(&[("redis_memory_used_bytes", "used"), ("redis_memory_max_bytes", "limit")]),
        empty: NO_REDIS,
    },
    Spec {
        id: "redis_clients",
        title: "Redis clients and keys",
        section: STORES,
        unit: "",
        about: "Connected clients, and keys in all databases.",
        source: Source::Gauges(&[("redis_connected_clients", "clients"), ("redis_db_keys", "keys")]),
        empty: NO_REDIS,
    },
    Spec {
        id: "redis_commands",
        title: "Redis commands",
        section: STORES,
        unit: "1/s",
        about: "Commands, evicted keys and rejected connections per second.",
        source: Source::Gauges(&[
            ("redis_commands_processed_total", "commands"),
            ("redis_evicted_keys_total", "evicted keys"),
            ("redis_rejected_connections_total", "rejected connections"),
        ]),
        empty: NO_REDIS,
    },
    Spec {
        id: "pg_connections",
        title: "Postgres connections",
        section: STORES,
        unit: "connections",
        about: "Connections by state, and the most that the server allows.",
        source: Source::Gauges(&[("pg_stat_activity_count", ""), ("pg_settings_max_connections", "limit")]),
        empty: NO_POSTGRES,
    },
    Spec {
        id: "pg_transactions",
        title: "Postgres transactions",
        section: STORES,
        unit: "1/s",
        about: "Commits, rollbacks and deadlocks per second, all databases together.",
        source: Source::Gauges(&[
            ("pg_stat_database_xact_commit", "commits"),
            ("pg_stat_database_xact_rollback", "rollbacks"),
            ("pg_stat_database_deadlocks", "deadlocks"),
        ]),
        empty: NO_POSTGRES,
    },
    Spec {
        id: "pg_size",
        title: "Postgres database size",
        section: STORES,
        unit: "B",
        about: "Size on disk by database.",
        source: Source::Gauges(&[("pg_database_size_bytes", "")]),
        empty: NO_POSTGRES,
    },
    Spec {
        id: "ipfs_operations",
        title: "IPFS operations",
        section: CALLS,
        unit: "operations/s",
        about: "Calls of IPFS nodes and gateways per second, by operation.",
        source: Source::Gauges(&[("ipfs_operations_total", "")]),
        empty: NO_IPFS,
    },
    Spec {
        id: "ipfs_success",
        title: "IPFS success",
        section: CALLS,
        unit: "ratio",
        about: "Share of the calls that worked, by operation.",
        source: Source::Gauges(&[(IPFS_SUCCESS, "")]),
        empty: NO_IPFS,
    },
    Spec {
        id: "ipfs_latency",
        title: "IPFS response times",
        section: CALLS,
        unit: "s",
        about: "95th percentile by operation, from the first request byte to the last response byte.",
        source: Source::Gauges(&[(IPFS_P95, "")]),
        empty: NO_IPFS,
    },
    Spec {
        id: "calls",
        title: "Calls of HTTP services",
        section: CALLS,
        unit: "requests/s",
        about: "Calls per second by peer and status, IPFS not included.",
        source: Source::Gauges(&[("http_client_requests_total", "")]),
        empty: NO_CALL,
    },
    Spec {
        id: "call_latency",
        title: "Response times of HTTP services",
        section: CALLS,
        unit: "s",
        about: "95th percentile by peer, from the first request byte to the last response byte.",
        source: Source::Gauges(&[(HTTP_P95, "")]),
        empty: NO_CALL,
    },
    Spec {
        id: "call_failures",
        title: "Failed calls",
        section: CALLS,
        unit: "1/s",
        about: "IPFS operations that failed, connections that were not made, calls that were cut off, failed commands.",
        source: Source::Gauges(&[
            ("ipfs_errors_total", "ipfs"),
            ("http_client_connect_errors_total", "connect"),
            ("http_client_unfinished_total", "http"),
            ("db_client_errors_total", ""),
        ]),
        empty: "No outgoing call failed in this time.",
    },
    Spec {
        id: "commands",
        title: "Redis and Postgres commands",
        section: CALLS,
        unit: "1/s",
        about: "Commands and queries per second, as watched processes sent them.",
        source: Source::Gauges(&[("db_client_operation_duration_seconds_count", "")]),
        empty: NO_COMMAND,
    },
    Spec {
        id: "command_latency",
        title: "Redis and Postgres response times",
        section: CALLS,
        unit: "s",
        about: "95th percentile by command, network and waiting included; not of those that wait on purpose.",
        source: Source::Gauges(&[(COMMAND_P95, "")]),
        empty: NO_COMMAND,
    },
    Spec {
        id: "tls_opaque",
        title: "TLS that is not read",
        section: CALLS,
        unit: "B/s",
        about: "Bytes per second on TLS connections to each peer of which nothing but the size is known.",
        source: Source::Gauges(&[("tls_opaque_bytes_total", "")]),
        empty: "No such connection in this time.",
    },
    Spec {
        id: "agent_events",
        title: "Records from the kernel",
        section: AGENT,
        unit: "1/s",
        about: "Records read per second by kind, and those lost by reason.",
        source: Source::Gauges(&[("hippius_agent_events_total", ""), ("hippius_agent_events_lost_total", "lost:")]),
        empty: "No record was read yet.",
    },
    Spec {
        id: "agent_lag",
        title: "Age of the sources",
        section: AGENT,
        unit: "s",
        about: "Time since a poll of each source last worked.",
        source: Source::Gauges(&[("hippius_agent_last_success_timestamp_seconds", "")]),
        empty: "No source is polled: none is configured.",
    },
    Spec {
        id: "agent_memory",
        title: "Memory of the agent",
        section: AGENT,
        unit: "B",
        about: "Resident memory of the agent's process.",
        source: Source::Gauges(&[("process_resident_memory_bytes", "resident")]),
        empty: "No value yet.",
    },
    Spec {
        id: "agent_cpu",
        title: "CPU time of the agent",
        section: AGENT,
        unit: "cores",
        about: "User and system time of the agent's process, 1 being a whole core.",
        source: Source::Gauges(&[("process_cpu_seconds_total", "cores")]),
        empty: "No value yet.",
    },
];
