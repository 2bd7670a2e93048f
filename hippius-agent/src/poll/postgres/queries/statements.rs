//! Statements that take the most time, by number and never by text.

use crate::poll::family::Spec;
use crate::poll::postgres::query::{Every, Query, counter};

const STATEMENT: &[&str] = &["user", "datname", "queryid"];

const VALUES: &[&[Spec]] = &[
    &[counter("pg_stat_statements_calls_total", STATEMENT, "Executions of the statement.")],
    &[counter("pg_stat_statements_seconds_total", STATEMENT, "Time spent executing the statement, in seconds.")],
    &[counter("pg_stat_statements_rows_total", STATEMENT, "Rows that the statement returned or changed.")],
    &[counter(
        "pg_stat_statements_block_read_seconds_total",
        STATEMENT,
        "Time that the statement spent reading blocks in seconds, with track_io_timing.",
    )],
    &[counter(
        "pg_stat_statements_block_write_seconds_total",
        STATEMENT,
        "Time that the statement spent writing blocks in seconds, with track_io_timing.",
    )],
];

/// `pg_stat_statements(false)` gives no texts, and so does not read the file that holds them. From 14 on a statement
/// has a row of its own for when it runs inside of a function, hence the sums.
pub(super) static QUERIES: &[Query] = &[Query {
    collector: "stat_statements",
    every: Every::Slow,
    labels: STATEMENT,
    values: VALUES,
    sql: &[
        (
            13,
            "SELECT coalesce(r.rolname, 'unknown'), d.datname, s.queryid, sum(s.calls), \
             sum(s.total_exec_time) / 1000, sum(s.rows), sum(s.blk_read_time) / 1000, sum(s.blk_write_time) / 1000 \
             FROM {statements_schema}.pg_stat_statements(false) s JOIN pg_database d ON d.oid = s.dbid \
             LEFT JOIN pg_roles r ON r.oid = s.userid WHERE s.queryid IS NOT NULL \
             GROUP BY 1, 2, 3 ORDER BY 5 DESC LIMIT {statements}",
        ),
        (
            17,
            "SELECT coalesce(r.rolname, 'unknown'), d.datname, s.queryid, sum(s.calls), \
             sum(s.total_exec_time) / 1000, sum(s.rows), sum(s.shared_blk_read_time) / 1000, \
             sum(s.shared_blk_write_time) / 1000 \
             FROM {statements_schema}.pg_stat_statements(false) s JOIN pg_database d ON d.oid = s.dbid \
             LEFT JOIN pg_roles r ON r.oid = s.userid WHERE s.queryid IS NOT NULL \
             GROUP BY 1, 2, 3 ORDER BY 5 DESC LIMIT {statements}",
        ),
    ],
}];
