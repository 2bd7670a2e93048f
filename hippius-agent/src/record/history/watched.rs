//! Which of the fixed and polled families the charts are made of.

/// What is made of a family's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Shown as they are.
    Value,
    /// A counter: how much it grew per second.
    Rate,
    /// A time in seconds since 1970: how long ago it was.
    Age,
}

/// A family that is kept. Values that agree in the labels `by` are added up.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    /// Name on the page.
    pub name: &'static str,
    /// What is made of it.
    pub mode: Mode,
    /// Labels that tell series apart.
    pub by: &'static [&'static str],
}

const fn watch(name: &'static str, mode: Mode, by: &'static [&'static str]) -> Watched {
    Watched { name, mode, by }
}

/// All that are kept. Names are those of the metrics' catalogue.
pub const WATCHED: &[Watched] = &[
    watch("queue_length", Mode::Value, &["queue_name", "redis_instance"]),
    watch("hippius_queue_oldest_item_age_seconds", Mode::Value, &["queue_name", "redis_instance"]),
    watch("queue_enqueued_total", Mode::Rate, &["queue_name"]),
    watch("queue_dequeued_total", Mode::Rate, &["queue_name"]),
    watch("hippius_multipart_chunks", Mode::Value, &["redis_instance"]),
    watch("multipart_chunks_redis_total", Mode::Value, &["redis_instance"]),
    watch("redis_up", Mode::Value, &["redis_instance"]),
    watch("redis_memory_used_bytes", Mode::Value, &["redis_instance"]),
    watch("redis_memory_max_bytes", Mode::Value, &["redis_instance"]),
    watch("redis_connected_clients", Mode::Value, &["redis_instance"]),
    watch("redis_db_keys", Mode::Value, &["redis_instance"]),
    watch("redis_commands_processed_total", Mode::Rate, &["redis_instance"]),
    watch("redis_evicted_keys_total", Mode::Rate, &["redis_instance"]),
    watch("redis_rejected_connections_total", Mode::Rate, &["redis_instance"]),
    watch("pg_up", Mode::Value, &["pg_instance"]),
    watch("pg_stat_activity_count", Mode::Value, &["state", "pg_instance"]),
    watch("pg_settings_max_connections", Mode::Value, &["pg_instance"]),
    watch("pg_stat_database_xact_commit", Mode::Rate, &["pg_instance"]),
    watch("pg_stat_database_xact_rollback", Mode::Rate, &["pg_instance"]),
    watch("pg_stat_database_deadlocks", Mode::Rate, &["pg_instance"]),
    watch("pg_database_size_bytes", Mode::Value, &["datname", "pg_instance"]),
    watch("hippius_agent_events_total", Mode::Rate, &["kind"]),
    watch("hippius_agent_events_lost_total", Mode::Rate, &["reason"]),
    watch("hippius_agent_connections", Mode::Value, &["state"]),
    watch("hippius_agent_last_success_timestamp_seconds", Mode::Age, &["source"]),
    watch("ipfs_operations_total", Mode::Rate, &["operation"]),
    watch("ipfs_errors_total", Mode::Rate, &["operation", "reason"]),
    watch("http_client_requests_total", Mode::Rate, &["peer", "status_code"]),
    watch("http_client_unfinished_total", Mode::Rate, &["peer", "outcome"]),
    watch("http_client_connect_errors_total", Mode::Rate, &["peer", "reason"]),
    watch("db_client_operation_duration_seconds_count", Mode::Rate, &["system", "operation"]),
    watch("db_client_errors_total", Mode::Rate, &["system", "operation", "error_type"]),
    watch("tls_opaque_bytes_total", Mode::Rate, &["peer", "direction"]),
    watch("process_cpu_seconds_total", Mode::Rate, &[]),
    watch("process_resident_memory_bytes", Mode::Value, &[]),
];
