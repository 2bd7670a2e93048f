//! The largest tables of the watched database, and vacuum at work.

use crate::poll::postgres::query::{Every, Query, counter, gauge};

const TABLE: &[&str] = &["datname", "schemaname", "relname"];
const DATABASE: &[&str] = &["datname"];
const RELATION: &[&str] = &["datname", "relname"];
const PHASE: &[&str] = &["datname", "relname", "phase"];

/// `relpages` is the size that the last vacuum saw: sorting by it looks at no file.
pub(super) static QUERIES: &[Query] = &[
    Query {
        collector: "stat_user_tables",
        every: Every::Slow,
        labels: TABLE,
        values: &[
            &[counter("pg_stat_user_tables_seq_scan", TABLE, "Sequential scans.")],
            &[counter("pg_stat_user_tables_seq_tup_read", TABLE, "Rows read by sequential scans.")],
            &[counter("pg_stat_user_tables_idx_scan", TABLE, "Index scans.")],
            &[counter("pg_stat_user_tables_idx_tup_fetch", TABLE, "Rows fetched by index scans.")],
            &[counter("pg_stat_user_tables_n_tup_ins", TABLE, "Rows inserted.")],
            &[counter("pg_stat_user_tables_n_tup_upd", TABLE, "Rows updated.")],
            &[counter("pg_stat_user_tables_n_tup_del", TABLE, "Rows deleted.")],
            &[counter("pg_stat_user_tables_n_tup_hot_upd", TABLE, "Rows updated without a new index entry.")],
            &[gauge("pg_stat_user_tables_n_live_tup", TABLE, "Live rows, estimated.")],
            &[gauge("pg_stat_user_tables_n_dead_tup", TABLE, "Dead rows, estimated.")],
            &[gauge(
                "pg_stat_user_tables_n_mod_since_analyze",
                TABLE,
                "Rows changed since the last analyze, estimated.",
            )],
            &[gauge(
                "pg_stat_user_tables_last_vacuum",
                TABLE,
                "Last vacuum by hand, in seconds since 1970; 0 for never.",
            )],
            &[gauge(
                "pg_stat_user_tables_last_autovacuum",
                TABLE,
                "Last vacuum by the daemon, in seconds since 1970; 0 for never.",
            )],
            &[gauge(
                "pg_stat_user_tables_last_analyze",
                TABLE,
                "Last analyze by hand, in seconds since 1970; 0 for never.",
            )],
            &[gauge(
                "pg_stat_user_tables_last_autoanalyze",
                TABLE,
                "Last analyze by the daemon, in seconds since 1970; 0 for never.",
            )],
            &[counter("pg_stat_user_tables_vacuum_count", TABLE, "Vacuums by hand.")],
            &[counter("pg_stat_user_tables_autovacuum_count", TABLE, "Vacuums by the daemon.")],
            &[counter("pg_stat_user_tables_analyze_count", TABLE, "Analyzes by hand.")],
            &[counter("pg_stat_user_tables_autoanalyze_count", TABLE, "Analyzes by the daemon.")],
        ],
        sql: &[(
            13,
            "SELECT current_database(), t.schemaname, t.relname, t.seq_scan, t.seq_tup_read, coalesce(t.idx_scan, 0), \
             coalesce(t.idx_tup_fetch, 0), t.n_tup_ins, t.n_tup_upd, t.n_tup_del, t.n_tup_hot_upd, t.n_live_tup, \
             t.n_dead_tup, t.n_mod_since_analyze, coalesce(floor(extract(epoch FROM t.last_vacuum)), 0), \
             coalesce(floor(extract(epoch FROM t.last_autovacuum)), 0), \
             coalesce(floor(extract(epoch FROM t.last_analyze)), 0), \
             coalesce(floor(extract(epoch FROM t.last_autoanalyze)), 0), t.vacuum_count, t.autovacuum_count, \
             t.analyze_count, t.autoanalyze_count FROM (SELECT oid FROM pg_class WHERE relkind IN ('r', 'm') \
             AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = \
             'information_schema') ORDER BY relpages DESC, oid LIMIT {tables}) c \
             JOIN pg_stat_user_tables t ON t.relid = c.oid",
        )],
    },
    Query {
        collector: "statio_user_tables",
        every: Every::Slow,
        labels: TABLE,
        values: &[
            &[counter("pg_statio_user_tables_heap_blocks_read", TABLE, "Blocks of the table read from disk.")],
            &[counter(
                "pg_statio_user_tables_heap_blocks_hit",
                TABLE,
                "Blocks of the table found in the buffer cache.",
            )],
            &[counter("pg_statio_user_tables_idx_blocks_read", TABLE, "Blocks of its indexes read from disk.")],
            &[counter(
                "pg_statio_user_tables_idx_blocks_hit",
                TABLE,
                "Blocks of its indexes found in the buffer cache.",
            )],
            &[counter("pg_statio_user_tables_toast_blocks_read", TABLE, "Blocks of its TOAST table read from disk.")],
            &[counter(
                "pg_statio_user_tables_toast_blocks_hit",
                TABLE,
                "Blocks of its TOAST table found in the buffer cache.",
            )],
            &[counter(
                "pg_statio_user_tables_tidx_blocks_read",
                TABLE,
                "Blocks of its TOAST table's index read from disk.",
            )],
            &[counter(
                "pg_statio_user_tables_tidx_blocks_hit",
                TABLE,
                "Blocks of its TOAST table's index found in the buffer cache.",
            )],
        ],
        sql: &[(
            13,
            "SELECT current_database(), t.schemaname, t.relname, t.heap_blks_read, t.heap_blks_hit, \
             coalesce(t.idx_blks_read, 0), coalesce(t.idx_blks_hit, 0), coalesce(t.toast_blks_read, 0), \
             coalesce(t.toast_blks_hit, 0), coalesce(t.tidx_blks_read, 0), coalesce(t.tidx_blks_hit, 0) \
             FROM (SELECT oid FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace NOT IN \
             (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema') \
             ORDER BY relpages DESC, oid LIMIT {tables}) c JOIN pg_statio_user_tables t ON t.relid = c.oid",
        )],
    },
    Query {
        collector: "tables_left_out",
        every: Every::Slow,
        labels: DATABASE,
        values: &[&[gauge(
            "hippius_pg_tables_left_out",
            DATABASE,
            "Tables of the watched database beyond the largest, which have no series.",
        )]],
        sql: &[(
            13,
            "SELECT current_database(), greatest(0, count(*) - {tables}) FROM pg_class c JOIN pg_namespace n \
             ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' \
             AND n.nspname <> 'information_schema'",
        )],
    },
    Query {
        collector: "stat_progress_vacuum",
        every: Every::Poll,
        labels: RELATION,
        values: &[
            &[gauge("pg_stat_progress_vacuum_heap_blks", RELATION, "Blocks of the table that is being vacuumed.")],
            &[gauge("pg_stat_progress_vacuum_heap_blks_scanned", RELATION, "Blocks scanned so far.")],
            &[gauge("pg_stat_progress_vacuum_heap_blks_vacuumed", RELATION, "Blocks vacuumed so far.")],
            &[gauge("pg_stat_progress_vacuum_index_vacuums", RELATION, "Finished rounds over the indexes.")],
            &[gauge(
                "pg_stat_progress_vacuum_max_dead_tuples",
                RELATION,
                "Dead rows that can be kept before a round over the indexes (before PostgreSQL 17).",
            )],
            &[gauge(
                "pg_stat_progress_vacuum_num_dead_tuples",
                RELATION,
                "Dead rows found since the last round over the indexes.",
            )],
        ],
        sql: &[
            (
                13,
                "SELECT datname, CASE WHEN datname = current_database() THEN relid::regclass::text ELSE relid::text END, \
                 heap_blks_total, heap_blks_scanned, heap_blks_vacuumed, index_vacuum_count, max_dead_tuples, \
                 num_dead_tuples FROM pg_stat_progress_vacuum",
            ),
            // 17 counts the room for dead rows in bytes, and calls the rows item ids.
            (
                17,
                "SELECT datname, CASE WHEN datname = current_database() THEN relid::regclass::text ELSE relid::text END, \
                 heap_blks_total, heap_blks_scanned, heap_blks_vacuumed, index_vacuum_count, NULL, \
                 num_dead_item_ids FROM pg_stat_progress_vacuum",
            ),
        ],
    },
    Query {
        collector: "stat_progress_vacuum_phase",
        every: Every::Poll,
        labels: PHASE,
        values: &[&[gauge("pg_stat_progress_vacuum_phase", PHASE, "1 for the phase that the vacuum is in, else 0.")]],
        sql: &[(
            13,
            "SELECT v.datname, CASE WHEN v.datname = current_database() THEN v.relid::regclass::text \
             ELSE v.relid::text END, p.phase, (p.phase = v.phase)::int FROM pg_stat_progress_vacuum v CROSS JOIN \
             (VALUES ('initializing'), ('scanning heap'), ('vacuuming indexes'), ('vacuuming heap'), \
             ('cleaning up indexes'), ('truncating heap'), ('performing final cleanup')) p(phase)",
        )],
    },
];
