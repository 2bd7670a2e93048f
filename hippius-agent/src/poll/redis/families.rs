//! Families of Redis servers that carry labels or are not a field of `INFO`. Names, types and labels are those of
//! redis_exporter where it has them.

use crate::poll::family::{Kind, Spec};

const fn family(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Spec {
    Spec { name, kind, help, labels }
}

macro_rules! families {
    ($($(#[$doc:meta])* $id:ident = $kind:ident $name:literal $labels:tt $help:literal;)*) => {
        $(#[doc = $help] pub static $id: Spec = family($name, Kind::$kind, &$labels, $help);)*
        /// All of them.
        pub static ALL: &[&Spec] = &[$(&$id),*];
    };
}

families! {
    UP = Gauge "redis_up" [] "1 when the last poll worked, else 0.";
    LAST_ERROR = Gauge "redis_exporter_last_scrape_error" ["err"] "1 when the last poll failed, with the reason; else 0.";
    LAST_DURATION = Gauge "redis_exporter_last_scrape_duration_seconds" [] "Time that the last poll took, in seconds.";
    SCRAPES = Counter "redis_exporter_scrapes_total" [] "Polls of this server.";
    BUILD_INFO = Gauge "redis_exporter_build_info" ["version", "commit_sha", "build_date", "golang_version"] "Always 1; says which build of the agent stands in for the exporter.";
    START_TIME = Gauge "redis_start_time_seconds" [] "Start of the server, in seconds since 1970.";
    INSTANCE_INFO = Gauge "redis_instance_info" ["role", "redis_version", "redis_build_id", "redis_mode", "os", "maxmemory_policy", "tcp_port", "run_id", "process_id", "master_replid"] "Always 1; what the server is.";
    COMMANDS = Counter "redis_commands_total" ["cmd"] "Calls by command.";
    COMMANDS_DURATION = Counter "redis_commands_duration_seconds_total" ["cmd"] "Time spent in a command, in seconds.";
    COMMANDS_REJECTED = Counter "redis_commands_rejected_calls_total" ["cmd"] "Calls that were refused before they ran.";
    COMMANDS_FAILED = Counter "redis_commands_failed_calls_total" ["cmd"] "Calls that failed while they ran.";
    ERRORS = Counter "redis_errors_total" ["err"] "Errors given to clients by their first word; the first 50 of them.";
    LATENCY_PERCENTILES = Summary "redis_latency_percentiles_usec" ["cmd", "quantile"] "Time of calls by command, in microseconds; quantiles in percent.";
    DB_KEYS = Gauge "redis_db_keys" ["db"] "Keys by database.";
    DB_KEYS_EXPIRING = Gauge "redis_db_keys_expiring" ["db"] "Keys that will expire, by database.";
    DB_AVG_TTL = Gauge "redis_db_avg_ttl_seconds" ["db"] "Mean time to live of the keys that expire, in seconds.";
    SLAVE_OFFSET = Gauge "redis_connected_slave_offset_bytes" ["slave_ip", "slave_port", "slave_state"] "Bytes of the replication stream that the replica has acknowledged.";
    SLAVE_LAG = Gauge "redis_connected_slave_lag_seconds" ["slave_ip", "slave_port", "slave_state"] "Time since the replica last did so, in seconds.";
    SLAVE_INFO = Gauge "redis_slave_info" ["master_host", "master_port", "read_only"] "Always 1; on a replica: what it follows.";
    SLAVE_PRIORITY = Gauge "redis_slave_priority" ["master_host", "master_port"] "On a replica: INFO slave_priority.";
    SLAVE_REPL_OFFSET = Gauge "redis_slave_repl_offset" ["master_host", "master_port"] "On a replica: its place in the replication stream, in bytes.";
    MASTER_LAST_IO = Gauge "redis_master_last_io_seconds_ago" ["master_host", "master_port"] "On a replica: time since the master last sent something, in seconds.";
    MASTER_LINK_UP = Gauge "redis_master_link_up" ["master_host", "master_port"] "On a replica: whether the link to the master is up.";
    MASTER_SYNC = Gauge "redis_master_sync_in_progress" ["master_host", "master_port"] "On a replica: whether it is copying the whole data.";
    CLUSTER_STATE = Gauge "redis_cluster_state" [] "In a cluster: 1 where the node's view of it is ok.";
    CLUSTER_SLOTS_ASSIGNED = Gauge "redis_cluster_slots_assigned" [] "In a cluster: slots that belong to a node.";
    CLUSTER_SLOTS_OK = Gauge "redis_cluster_slots_ok" [] "In a cluster: slots that are served.";
    CLUSTER_SLOTS_FAIL = Gauge "redis_cluster_slots_fail" [] "In a cluster: slots of nodes that have failed.";
    CLUSTER_SLOTS_PFAIL = Gauge "redis_cluster_slots_pfail" [] "In a cluster: slots of nodes that may have failed.";
    CLUSTER_KNOWN_NODES = Gauge "redis_cluster_known_nodes" [] "In a cluster: nodes that this one knows.";
    CLUSTER_SIZE = Gauge "redis_cluster_size" [] "In a cluster: masters that serve slots.";
    KEY_SIZE = Gauge "redis_key_size" ["db", "key"] "Elements, or bytes of a string, of a key named in the configuration.";
    KEY_MEMORY = Gauge "redis_key_memory_usage_bytes" ["db", "key"] "Memory of a key named in the configuration, in bytes.";
    KEYS_COUNT = Gauge "redis_keys_count" ["db", "key"] "Keys that fit a pattern, at the last count that was finished.";
    CONFIG_MAXCLIENTS = Gauge "redis_config_maxclients" [] "Setting maxclients.";
    CONFIG_MAXMEMORY = Gauge "redis_config_maxmemory" [] "Setting maxmemory, in bytes.";
    SLOWLOG_LENGTH = Gauge "redis_slowlog_length" [] "Entries of the slow log.";
    SLOWLOG_LAST_ID = Gauge "redis_slowlog_last_id" [] "Number of the newest entry of the slow log.";
    SLOWLOG_LAST_DURATION = Gauge "redis_last_slow_execution_duration_seconds" [] "Time that the newest entry of the slow log took, in seconds.";
    SPIKE_LAST = Gauge "redis_latency_spike_last" ["event_name"] "When the last latency spike was, in seconds since 1970.";
    SPIKE_DURATION = Gauge "redis_latency_spike_duration_seconds" ["event_name"] "How long the last latency spike took, in seconds.";
    QUEUE_LENGTH = Gauge "queue_length" ["queue_name"] "Items that wait in a queue.";
    HIPPIUS_QUEUE_LENGTH = Gauge "hippius_queue_length" ["queue_name"] "Items that wait in a queue.";
    QUEUE_OLDEST = Gauge "hippius_queue_oldest_item_age_seconds" ["queue_name"] "Age of a queue's oldest item, to the second: of sorted sets by their score, in seconds.";
    CHUNKS_TOTAL = Gauge "multipart_chunks_redis_total" ["type"] "Chunks of uploads that are held in Redis, at the last count that was finished.";
    CHUNKS = Gauge "hippius_multipart_chunks" ["type"] "Chunks of uploads that are held in Redis, at the last count that was finished.";
    HAS_CREDITS = Gauge "hippius_account_has_credits" ["main_account"] "1 where the main account has credits, else 0; of the accounts that are cached.";
    SWEEP_AGE = Gauge "hippius_redis_sweep_age_seconds" [] "Time since the keys were last counted, in seconds.";
    SWEEP_DURATION = Gauge "hippius_redis_sweep_duration_seconds" [] "Time that the last count of the keys took, in seconds.";
    SWEEP_KEYS = Gauge "hippius_redis_sweep_keys" [] "Keys that the last count has seen.";
    SWEEPS = Counter "hippius_redis_sweeps_total" ["result"] "Counts of the keys by result; too_large: the database has more keys than redis.sweep_max_keys.";
}
