//! The server itself: version, start, roles.

use crate::poll::postgres::query::{Every, Query, gauge, untyped};

const VERSION: &[&str] = &["version", "short_version"];
const ROLE: &[&str] = &["rolname"];

// None of it changes often, and the first two not at all as long as the connection is there.
pub(super) static QUERIES: &[Query] = &[
    Query {
        collector: "static",
        every: Every::Slow,
        labels: VERSION,
        values: &[&[untyped("pg_static", VERSION, "Always 1; version of the server.")]],
        // The exporter writes three numbers, of which the last is always 0 since version 10.
        sql: &[(13, "SELECT version(), substring(current_setting('server_version') from '^[0-9.]+') || '.0', 1")],
    },
    Query {
        collector: "postmaster",
        every: Every::Slow,
        labels: &[],
        values: &[&[gauge("pg_postmaster_start_time_seconds", &[], "When the server started, in seconds since 1970.")]],
        sql: &[(13, "SELECT extract(epoch FROM pg_postmaster_start_time())")],
    },
    Query {
        collector: "roles",
        every: Every::Slow,
        labels: ROLE,
        values: &[&[gauge("pg_roles_connection_limit", ROLE, "Connections that the role may have; -1 is no limit.")]],
        sql: &[(13, "SELECT rolname, rolconnlimit FROM pg_roles ORDER BY oid LIMIT {tables}")],
    },
    Query {
        collector: "settings",
        every: Every::Slow,
        labels: &[],
        values: &[
            &[gauge("pg_settings_max_connections", &[], "Connections that the server allows.")],
            &[gauge(
                "pg_settings_superuser_reserved_connections",
                &[],
                "Connections of these that only superusers get.",
            )],
            &[gauge(
                "pg_settings_max_locks_per_transaction",
                &[],
                "Locks per transaction that the lock table has room for.",
            )],
            &[gauge("pg_settings_max_worker_processes", &[], "Background processes that the server allows.")],
            &[gauge("pg_settings_max_parallel_workers", &[], "Processes for parallel queries that the server allows.")],
            &[gauge("pg_settings_random_page_cost", &[], "The planner's cost of a page out of order.")],
            &[gauge("pg_settings_seq_page_cost", &[], "The planner's cost of a page in order.")],
            &[gauge(
                "pg_settings_autovacuum_vacuum_scale_factor",
                &[],
                "Part of a table that must have changed before it is vacuumed.",
            )],
            &[gauge("pg_settings_autovacuum_vacuum_threshold", &[], "Rows that must have changed before a vacuum.")],
            &[gauge("pg_settings_shared_buffers_bytes", &[], "The server's buffer cache, in bytes.")],
            &[gauge("pg_settings_effective_cache_size_bytes", &[], "The planner's idea of all caches, in bytes.")],
            &[gauge("pg_settings_maintenance_work_mem_bytes", &[], "Memory for maintenance such as vacuum, in bytes.")],
            &[gauge("pg_settings_work_mem_bytes", &[], "Memory for one sort or hash table, in bytes.")],
            &[gauge("pg_settings_max_wal_size_bytes", &[], "Size of the log that asks for a checkpoint, in bytes.")],
        ],
        // `current_setting` prints memory with a unit and without loss; `pg_size_bytes` reads it.
        sql: &[(
            13,
            "SELECT current_setting('max_connections'), current_setting('superuser_reserved_connections'), \
             current_setting('max_locks_per_transaction'), current_setting('max_worker_processes'), \
             current_setting('max_parallel_workers'), current_setting('random_page_cost'), \
             current_setting('seq_page_cost'), current_setting('autovacuum_vacuum_scale_factor'), \
             current_setting('autovacuum_vacuum_threshold'), pg_size_bytes(current_setting('shared_buffers')), \
             pg_size_bytes(current_setting('effective_cache_size')), \
             pg_size_bytes(current_setting('maintenance_work_mem')), pg_size_bytes(current_setting('work_mem')), \
             pg_size_bytes(current_setting('max_wal_size'))",
        )],
    },
];
