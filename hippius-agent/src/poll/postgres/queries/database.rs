//! Each database of the server.

use crate::poll::postgres::query::{Every, Query, counter, gauge};

const DATABASE_ID: &[&str] = &["datid", "datname"];
const DATABASE: &[&str] = &["datname"];

pub(super) static QUERIES: &[Query] = &[
    Query {
        collector: "stat_database",
        every: Every::Poll,
        labels: DATABASE_ID,
        values: &[
            &[gauge("pg_stat_database_numbackends", DATABASE_ID, "Server processes connected to this database.")],
            &[counter("pg_stat_database_xact_commit", DATABASE_ID, "Transactions committed.")],
            &[counter("pg_stat_database_xact_rollback", DATABASE_ID, "Transactions rolled back.")],
            &[counter("pg_stat_database_blks_read", DATABASE_ID, "Blocks read from disk.")],
            &[counter("pg_stat_database_blks_hit", DATABASE_ID, "Blocks found in the server's buffer cache.")],
            &[counter(
                "pg_stat_database_tup_returned",
                DATABASE_ID,
                "Rows read by sequential scans and entries read from indexes.",
            )],
            &[counter("pg_stat_database_tup_fetched", DATABASE_ID, "Rows fetched through indexes.")],
            &[counter("pg_stat_database_tup_inserted", DATABASE_ID, "Rows inserted.")],
            &[counter("pg_stat_database_tup_updated", DATABASE_ID, "Rows updated.")],
            &[counter("pg_stat_database_tup_deleted", DATABASE_ID, "Rows deleted.")],
            &[counter("pg_stat_database_conflicts", DATABASE_ID, "Queries cancelled by recovery, on a standby only.")],
            &[counter("pg_stat_database_temp_files", DATABASE_ID, "Temporary files created by queries.")],
            &[counter("pg_stat_database_temp_bytes", DATABASE_ID, "Bytes written to temporary files.")],
            &[counter("pg_stat_database_deadlocks", DATABASE_ID, "Deadlocks detected.")],
            &[counter(
                "pg_stat_database_blk_read_time",
                DATABASE_ID,
                "Time spent reading blocks in milliseconds, with track_io_timing.",
            )],
            &[counter(
                "pg_stat_database_blk_write_time",
                DATABASE_ID,
                "Time spent writing blocks in milliseconds, with track_io_timing.",
            )],
            &[counter(
                "pg_stat_database_stats_reset",
                DATABASE_ID,
                "When the statistics were last reset, in seconds since 1970; 0 for never.",
            )],
            &[counter(
                "pg_stat_database_active_time_seconds_total",
                DATABASE_ID,
                "Time spent executing statements, in seconds (PostgreSQL 14 and newer).",
            )],
        ],
        // The row of the shared objects has no name and is left out, as newer exporters do.
        sql: &[
            (
                13,
                "SELECT datid, datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, tup_returned, \
                 tup_fetched, tup_inserted, tup_updated, tup_deleted, conflicts, temp_files, temp_bytes, deadlocks, \
                 blk_read_time, blk_write_time, coalesce(floor(extract(epoch FROM stats_reset)), 0), NULL \
                 FROM pg_stat_database WHERE datname IS NOT NULL",
            ),
            (
                14,
                "SELECT datid, datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, tup_returned, \
                 tup_fetched, tup_inserted, tup_updated, tup_deleted, conflicts, temp_files, temp_bytes, deadlocks, \
                 blk_read_time, blk_write_time, coalesce(floor(extract(epoch FROM stats_reset)), 0), \
                 active_time / 1000 FROM pg_stat_database WHERE datname IS NOT NULL",
            ),
        ],
    },
    Query {
        collector: "database",
        every: Every::Slow,
        labels: DATABASE,
        values: &[
            &[gauge("pg_database_size_bytes", DATABASE, "Disk space of the database, in bytes.")],
            &[gauge("pg_database_connection_limit", DATABASE, "Connections that the database allows; -1 is no limit.")],
        ],
        // The server looks at each file of each database.
        sql: &[(13, "SELECT datname, pg_database_size(oid), datconnlimit FROM pg_database")],
    },
    Query {
        collector: "database_wraparound",
        every: Every::Slow,
        labels: DATABASE,
        values: &[
            &[gauge(
                "pg_database_wraparound_age_datfrozenxid_seconds",
                DATABASE,
                "Age of the oldest transaction that is not frozen, in transactions; the name is inherited and says seconds.",
            )],
            &[gauge(
                "pg_database_wraparound_age_datminmxid_seconds",
                DATABASE,
                "Age of the oldest multixact, in multixacts; the name is inherited and says seconds.",
            )],
        ],
        sql: &[(13, "SELECT datname, age(datfrozenxid), mxid_age(datminmxid) FROM pg_database WHERE datallowconn")],
    },
];
