//! Fields of `INFO` that are one number each, and the families that they become.
//!
//! Names and types are those of redis_exporter, which existing dashboards ask for, odd ones included.
//! Fields: <https://redis.io/docs/latest/commands/info/>.

use crate::poll::family::{Kind, Spec};
use ahash::AHashMap;
use std::sync::LazyLock;

/// A field of `INFO` and its family.
#[derive(Debug)]
pub struct Field {
    /// Name of the field.
    pub name: &'static str,
    /// Factor to the family's unit.
    pub scale: f64,
    /// The family.
    pub spec: Spec,
}

const fn field(name: &'static str, kind: Kind, family: &'static str, help: &'static str) -> Field {
    Field { name, scale: 1.0, spec: Spec { name: family, kind, help, labels: &[] } }
}

const fn scaled(scale: f64, field: Field) -> Field {
    Field { scale, ..field }
}

use Kind::{Counter, Gauge};

/// Places in [`FIELDS`] by the field's name; one field stands in two families.
static PLACES: LazyLock<AHashMap<&str, Vec<usize>>> = LazyLock::new(|| {
    let mut places: AHashMap<&str, Vec<usize>> = AHashMap::new();
    for (place, field) in FIELDS.iter().enumerate() {
        places.entry(field.name).or_default().push(place);
    }
    places
});

/// Places in [`FIELDS`] of what a field of this name becomes.
pub fn places(name: &str) -> &'static [usize] {
    PLACES.get(name).map(Vec::as_slice).unwrap_or_default()
}

#[rustfmt::skip]
/// All of them.
pub static FIELDS: &[Field] = &[
    // server and clients
    field("uptime_in_seconds", Gauge, "redis_uptime_in_seconds", "INFO uptime_in_seconds, in seconds."),
    field("io_threads_active", Gauge, "redis_io_threads_active", "INFO io_threads_active."),
    field("connected_clients", Gauge, "redis_connected_clients", "INFO connected_clients."),
    field("blocked_clients", Gauge, "redis_blocked_clients", "INFO blocked_clients."),
    field("maxclients", Gauge, "redis_max_clients", "INFO maxclients."),
    field("clients_in_timeout_table", Gauge, "redis_clients_in_timeout_table", "INFO clients_in_timeout_table."),
    field("tracking_clients", Gauge, "redis_tracking_clients", "INFO tracking_clients."),
    field("total_blocking_keys", Gauge, "redis_total_blocking_keys", "INFO total_blocking_keys."),
    field("pubsub_clients", Gauge, "redis_pubsub_clients", "INFO pubsub_clients."),
    field("watching_clients", Gauge, "redis_watching_clients", "INFO watching_clients."),
    field("total_watched_keys", Gauge, "redis_total_watched_keys", "INFO total_watched_keys."),
    field("client_recent_max_input_buffer", Gauge, "redis_client_recent_max_input_buffer_bytes", "INFO client_recent_max_input_buffer, in bytes."),
    field("client_recent_max_output_buffer", Gauge, "redis_client_recent_max_output_buffer_bytes", "INFO client_recent_max_output_buffer, in bytes."),
    field("cluster_connections", Gauge, "redis_cluster_connections", "INFO cluster_connections."),
    field("cluster_enabled", Gauge, "redis_cluster_enabled", "INFO cluster_enabled."),
    // memory
    field("used_memory", Gauge, "redis_memory_used_bytes", "INFO used_memory, in bytes."),
    field("used_memory_rss", Gauge, "redis_memory_used_rss_bytes", "INFO used_memory_rss, in bytes."),
    field("used_memory_peak", Gauge, "redis_memory_used_peak_bytes", "INFO used_memory_peak, in bytes."),
    field("used_memory_dataset", Gauge, "redis_memory_used_dataset_bytes", "INFO used_memory_dataset, in bytes."),
    field("used_memory_overhead", Gauge, "redis_memory_used_overhead_bytes", "INFO used_memory_overhead, in bytes."),
    field("used_memory_startup", Gauge, "redis_memory_used_startup_bytes", "INFO used_memory_startup, in bytes."),
    field("used_memory_lua", Gauge, "redis_memory_used_lua_bytes", "INFO used_memory_lua, in bytes."),
    field("used_memory_vm_total", Gauge, "redis_memory_used_vm_total", "INFO used_memory_vm_total, in bytes."),
    field("used_memory_functions", Gauge, "redis_memory_used_functions_bytes", "INFO used_memory_functions, in bytes."),
    field("used_memory_scripts", Gauge, "redis_memory_used_scripts_bytes", "INFO used_memory_scripts, in bytes."),
    field("number_of_cached_scripts", Gauge, "redis_number_of_cached_scripts", "INFO number_of_cached_scripts."),
    field("maxmemory", Gauge, "redis_memory_max_bytes", "INFO maxmemory, in bytes."),
    field("total_system_memory", Gauge, "redis_total_system_memory_bytes", "INFO total_system_memory, in bytes."),
    field("mem_fragmentation_ratio", Gauge, "redis_mem_fragmentation_ratio", "INFO mem_fragmentation_ratio."),
    field("mem_fragmentation_ratio", Gauge, "redis_memory_fragmentation_ratio", "INFO mem_fragmentation_ratio, by the name that some dashboards ask for."),
    field("mem_fragmentation_bytes", Gauge, "redis_mem_fragmentation_bytes", "INFO mem_fragmentation_bytes, in bytes."),
    field("allocator_active", Gauge, "redis_allocator_active_bytes", "INFO allocator_active, in bytes."),
    field("allocator_allocated", Gauge, "redis_allocator_allocated_bytes", "INFO allocator_allocated, in bytes."),
    field("allocator_resident", Gauge, "redis_allocator_resident_bytes", "INFO allocator_resident, in bytes."),
    field("allocator_frag_bytes", Gauge, "redis_allocator_frag_bytes", "INFO allocator_frag_bytes, in bytes."),
    field("allocator_frag_ratio", Gauge, "redis_allocator_frag_ratio", "INFO allocator_frag_ratio."),
    field("allocator_rss_bytes", Gauge, "redis_allocator_rss_bytes", "INFO allocator_rss_bytes, in bytes."),
    field("allocator_rss_ratio", Gauge, "redis_allocator_rss_ratio", "INFO allocator_rss_ratio."),
    field("mem_clients_normal", Gauge, "redis_mem_clients_normal", "INFO mem_clients_normal, in bytes."),
    field("mem_clients_slaves", Gauge, "redis_mem_clients_slaves", "INFO mem_clients_slaves, in bytes."),
    field("mem_aof_buffer", Gauge, "redis_mem_aof_buffer_bytes", "INFO mem_aof_buffer, in bytes."),
    field("mem_replication_backlog", Gauge, "redis_mem_replication_backlog_bytes", "INFO mem_replication_backlog, in bytes."),
    field("mem_not_counted_for_evict", Gauge, "redis_mem_not_counted_for_eviction_bytes", "INFO mem_not_counted_for_evict, in bytes."),
    field("mem_total_replication_buffers", Gauge, "redis_mem_total_replication_buffers_bytes", "INFO mem_total_replication_buffers, in bytes."),
    field("lazyfree_pending_objects", Gauge, "redis_lazyfree_pending_objects", "INFO lazyfree_pending_objects."),
    field("active_defrag_running", Gauge, "redis_active_defrag_running", "INFO active_defrag_running."),
    // persistence
    field("loading", Gauge, "redis_loading_dump_file", "INFO loading."),
    field("async_loading", Gauge, "redis_async_loading", "INFO async_loading."),
    field("rdb_changes_since_last_save", Gauge, "redis_rdb_changes_since_last_save", "INFO rdb_changes_since_last_save."),
    field("rdb_bgsave_in_progress", Gauge, "redis_rdb_bgsave_in_progress", "INFO rdb_bgsave_in_progress."),
    field("rdb_last_save_time", Gauge, "redis_rdb_last_save_timestamp_seconds", "INFO rdb_last_save_time, in seconds since 1970."),
    field("rdb_last_bgsave_status", Gauge, "redis_rdb_last_bgsave_status", "INFO rdb_last_bgsave_status: 1 for ok, else 0."),
    field("rdb_last_bgsave_time_sec", Gauge, "redis_rdb_last_bgsave_duration_sec", "INFO rdb_last_bgsave_time_sec, in seconds; -1 where there was none."),
    field("rdb_current_bgsave_time_sec", Gauge, "redis_rdb_current_bgsave_duration_sec", "INFO rdb_current_bgsave_time_sec, in seconds; -1 where there was none."),
    field("rdb_saves", Counter, "redis_rdb_saves_total", "INFO rdb_saves."),
    field("rdb_last_cow_size", Gauge, "redis_rdb_last_cow_size_bytes", "INFO rdb_last_cow_size, in bytes."),
    field("aof_enabled", Gauge, "redis_aof_enabled", "INFO aof_enabled."),
    field("aof_rewrite_in_progress", Gauge, "redis_aof_rewrite_in_progress", "INFO aof_rewrite_in_progress."),
    field("aof_rewrite_scheduled", Gauge, "redis_aof_rewrite_scheduled", "INFO aof_rewrite_scheduled."),
    field("aof_last_rewrite_time_sec", Gauge, "redis_aof_last_rewrite_duration_sec", "INFO aof_last_rewrite_time_sec, in seconds; -1 where there was none."),
    field("aof_current_rewrite_time_sec", Gauge, "redis_aof_current_rewrite_duration_sec", "INFO aof_current_rewrite_time_sec, in seconds; -1 where there was none."),
    field("aof_last_cow_size", Gauge, "redis_aof_last_cow_size_bytes", "INFO aof_last_cow_size, in bytes."),
    field("aof_last_write_status", Gauge, "redis_aof_last_write_status", "INFO aof_last_write_status: 1 for ok, else 0."),
    field("aof_last_bgrewrite_status", Gauge, "redis_aof_last_bgrewrite_status", "INFO aof_last_bgrewrite_status: 1 for ok, else 0."),
    field("aof_current_size", Gauge, "redis_aof_current_size_bytes", "INFO aof_current_size, in bytes."),
    field("aof_base_size", Gauge, "redis_aof_base_size_bytes", "INFO aof_base_size, in bytes."),
    field("aof_pending_rewrite", Gauge, "redis_aof_pending_rewrite", "INFO aof_pending_rewrite."),
    field("aof_buffer_length", Gauge, "redis_aof_buffer_length", "INFO aof_buffer_length, in bytes."),
    field("aof_rewrite_buffer_length", Gauge, "redis_aof_rewrite_buffer_length", "INFO aof_rewrite_buffer_length, in bytes."),
    field("aof_pending_bio_fsync", Gauge, "redis_aof_pending_bio_fsync", "INFO aof_pending_bio_fsync."),
    field("aof_delayed_fsync", Gauge, "redis_aof_delayed_fsync", "INFO aof_delayed_fsync."),
    field("module_fork_in_progress", Gauge, "redis_module_fork_in_progress", "INFO module_fork_in_progress."),
    field("module_fork_last_cow_size", Gauge, "redis_module_fork_last_cow_size", "INFO module_fork_last_cow_size, in bytes."),
    // statistics
    field("total_connections_received", Counter, "redis_connections_received_total", "INFO total_connections_received."),
    field("total_commands_processed", Counter, "redis_commands_processed_total", "INFO total_commands_processed."),
    field("rejected_connections", Counter, "redis_rejected_connections_total", "INFO rejected_connections."),
    field("total_net_input_bytes", Counter, "redis_net_input_bytes_total", "INFO total_net_input_bytes, in bytes."),
    field("total_net_output_bytes", Counter, "redis_net_output_bytes_total", "INFO total_net_output_bytes, in bytes."),
    field("total_net_repl_input_bytes", Counter, "redis_net_repl_input_bytes_total", "INFO total_net_repl_input_bytes, in bytes."),
    field("total_net_repl_output_bytes", Counter, "redis_net_repl_output_bytes_total", "INFO total_net_repl_output_bytes, in bytes."),
    field("expired_keys", Counter, "redis_expired_keys_total", "INFO expired_keys."),
    field("expired_subkeys", Counter, "redis_expired_subkeys_total", "INFO expired_subkeys."),
    field("expired_stale_perc", Gauge, "redis_expired_stale_percentage", "INFO expired_stale_perc, in percent."),
    field("expired_time_cap_reached_count", Counter, "redis_expired_time_cap_reached_total", "INFO expired_time_cap_reached_count."),
    field("expire_cycle_cpu_milliseconds", Counter, "redis_expire_cycle_cpu_time_ms_total", "INFO expire_cycle_cpu_milliseconds, in milliseconds."),
    field("evicted_keys", Counter, "redis_evicted_keys_total", "INFO evicted_keys."),
    field("evicted_clients", Counter, "redis_evicted_clients_total", "INFO evicted_clients."),
    field("evicted_scripts", Counter, "redis_evicted_scripts_total", "INFO evicted_scripts."),
    field("total_eviction_exceeded_time", Counter, "redis_eviction_exceeded_time_ms_total", "INFO total_eviction_exceeded_time, in milliseconds."),
    field("current_eviction_exceeded_time", Gauge, "redis_current_eviction_exceeded_time_ms", "INFO current_eviction_exceeded_time, in milliseconds."),
    field("keyspace_hits", Counter, "redis_keyspace_hits_total", "INFO keyspace_hits."),
    field("keyspace_misses", Counter, "redis_keyspace_misses_total", "INFO keyspace_misses."),
    field("pubsub_channels", Gauge, "redis_pubsub_channels", "INFO pubsub_channels."),
    field("pubsub_patterns", Gauge, "redis_pubsub_patterns", "INFO pubsub_patterns."),
    field("pubsubshard_channels", Gauge, "redis_pubsubshard_channels", "INFO pubsubshard_channels."),
    scaled(1e-6, field("latest_fork_usec", Gauge, "redis_latest_fork_seconds", "INFO latest_fork_usec, in seconds.")),
    field("slave_expires_tracked_keys", Gauge, "redis_slave_expires_tracked_keys", "INFO slave_expires_tracked_keys."),
    field("active_defrag_hits", Gauge, "redis_defrag_hits", "INFO active_defrag_hits."),
    field("active_defrag_misses", Gauge, "redis_defrag_misses", "INFO active_defrag_misses."),
    field("active_defrag_key_hits", Gauge, "redis_defrag_key_hits", "INFO active_defrag_key_hits."),
    field("active_defrag_key_misses", Gauge, "redis_defrag_key_misses", "INFO active_defrag_key_misses."),
    field("tracking_total_keys", Gauge, "redis_tracking_total_keys", "INFO tracking_total_keys."),
    field("tracking_total_items", Gauge, "redis_tracking_total_items", "INFO tracking_total_items."),
    field("tracking_total_prefixes", Gauge, "redis_tracking_total_prefixes", "INFO tracking_total_prefixes."),
    field("unexpected_error_replies", Counter, "redis_unexpected_error_replies", "INFO unexpected_error_replies."),
    field("total_error_replies", Counter, "redis_total_error_replies", "INFO total_error_replies."),
    field("dump_payload_sanitizations", Counter, "redis_dump_payload_sanitizations", "INFO dump_payload_sanitizations."),
    field("total_reads_processed", Counter, "redis_total_reads_processed", "INFO total_reads_processed."),
    field("total_writes_processed", Counter, "redis_total_writes_processed", "INFO total_writes_processed."),
    field("io_threaded_reads_processed", Counter, "redis_io_threaded_reads_processed", "INFO io_threaded_reads_processed."),
    field("io_threaded_writes_processed", Counter, "redis_io_threaded_writes_processed", "INFO io_threaded_writes_processed."),
    field("client_query_buffer_limit_disconnections", Counter, "redis_client_query_buffer_limit_disconnections_total", "INFO client_query_buffer_limit_disconnections."),
    field("client_output_buffer_limit_disconnections", Counter, "redis_client_output_buffer_limit_disconnections_total", "INFO client_output_buffer_limit_disconnections."),
    field("reply_buffer_shrinks", Counter, "redis_reply_buffer_shrinks_total", "INFO reply_buffer_shrinks."),
    field("reply_buffer_expands", Counter, "redis_reply_buffer_expands_total", "INFO reply_buffer_expands."),
    field("acl_access_denied_auth", Counter, "redis_acl_access_denied_auth_total", "INFO acl_access_denied_auth."),
    field("acl_access_denied_cmd", Counter, "redis_acl_access_denied_cmd_total", "INFO acl_access_denied_cmd."),
    field("acl_access_denied_key", Counter, "redis_acl_access_denied_key_total", "INFO acl_access_denied_key."),
    field("acl_access_denied_channel", Counter, "redis_acl_access_denied_channel_total", "INFO acl_access_denied_channel."),
    // replication
    field("connected_slaves", Gauge, "redis_connected_slaves", "INFO connected_slaves."),
    field("master_repl_offset", Gauge, "redis_master_repl_offset", "INFO master_repl_offset."),
    field("second_repl_offset", Gauge, "redis_second_repl_offset", "INFO second_repl_offset."),
    field("repl_backlog_size", Gauge, "redis_replication_backlog_bytes", "INFO repl_backlog_size, in bytes."),
    field("repl_backlog_active", Gauge, "redis_repl_backlog_is_active", "INFO repl_backlog_active."),
    field("repl_backlog_first_byte_offset", Gauge, "redis_repl_backlog_first_byte_offset", "INFO repl_backlog_first_byte_offset."),
    field("repl_backlog_histlen", Gauge, "redis_repl_backlog_history_bytes", "INFO repl_backlog_histlen, in bytes."),
    field("sync_full", Gauge, "redis_replica_resyncs_full", "INFO sync_full."),
    field("sync_partial_ok", Gauge, "redis_replica_partial_resync_accepted", "INFO sync_partial_ok."),
    field("sync_partial_err", Gauge, "redis_replica_partial_resync_denied", "INFO sync_partial_err."),
    // processor and event loop
    field("used_cpu_sys", Counter, "redis_cpu_sys_seconds_total", "INFO used_cpu_sys, in seconds."),
    field("used_cpu_user", Counter, "redis_cpu_user_seconds_total", "INFO used_cpu_user, in seconds."),
    field("used_cpu_sys_children", Counter, "redis_cpu_sys_children_seconds_total", "INFO used_cpu_sys_children, in seconds."),
    field("used_cpu_user_children", Counter, "redis_cpu_user_children_seconds_total", "INFO used_cpu_user_children, in seconds."),
    field("used_cpu_sys_main_thread", Counter, "redis_cpu_sys_main_thread_seconds_total", "INFO used_cpu_sys_main_thread, in seconds."),
    field("used_cpu_user_main_thread", Counter, "redis_cpu_user_main_thread_seconds_total", "INFO used_cpu_user_main_thread, in seconds."),
    field("used_active_time_main_thread", Counter, "redis_active_time_main_thread_seconds_total", "INFO used_active_time_main_thread, in seconds."),
    field("eventloop_cycles", Counter, "redis_eventloop_cycles_total", "INFO eventloop_cycles."),
    field("eventloop_duration_sum", Counter, "redis_eventloop_duration_sum_usec_total", "INFO eventloop_duration_sum, in microseconds."),
    field("eventloop_duration_cmd_sum", Counter, "redis_eventloop_duration_cmd_sum_usec_total", "INFO eventloop_duration_cmd_sum, in microseconds."),
    field("instantaneous_eventloop_cycles_per_sec", Gauge, "redis_instantaneous_eventloop_cycles_per_second", "INFO instantaneous_eventloop_cycles_per_sec."),
    field("instantaneous_eventloop_duration_usec", Gauge, "redis_instantaneous_eventloop_duration_usec", "INFO instantaneous_eventloop_duration_usec, in microseconds."),
];
