//! Who is connected and what is locked.

use crate::poll::postgres::query::{Every, Query, gauge};

const STATE: &[&str] = &["datname", "state"];
const CLIENT: &[&str] = &["application_name", "state"];
const MODE: &[&str] = &["datname", "mode"];

pub(super) static QUERIES: &[Query] = &[
    // Before all that look at tables: what they have locked stays so until the end of the message that they are in.
    Query {
        collector: "locks",
        every: Every::Poll,
        labels: MODE,
        values: &[&[gauge("pg_locks_count", MODE, "Locks that are held or waited for.")]],
        sql: &[(
            13,
            "SELECT d.datname, m.mode, coalesce(l.count, 0) FROM pg_database d CROSS JOIN (VALUES \
             ('accesssharelock'), ('rowsharelock'), ('rowexclusivelock'), ('shareupdateexclusivelock'), \
             ('sharelock'), ('sharerowexclusivelock'), ('exclusivelock'), ('accessexclusivelock'), ('sireadlock')) \
             m(mode) LEFT JOIN (SELECT database, lower(mode) AS mode, count(*) AS count FROM pg_locks \
             WHERE database IS NOT NULL GROUP BY 1, 2) l ON l.database = d.oid AND l.mode = m.mode",
        )],
    },
    Query {
        collector: "stat_activity",
        every: Every::Poll,
        labels: STATE,
        values: &[
            &[gauge("pg_stat_activity_count", STATE, "Connections in this state.")],
            &[gauge(
                "pg_stat_activity_max_tx_duration",
                STATE,
                "Age of the oldest open transaction of the connections in this state, in seconds.",
            )],
        ],
        sql: &[(
            13,
            "SELECT d.datname, s.state, count(a.pid), \
             coalesce(greatest(0, max(extract(epoch FROM now() - a.xact_start))), 0) \
             FROM pg_database d CROSS JOIN (VALUES ('active'), ('idle'), ('idle in transaction'), \
             ('idle in transaction (aborted)'), ('fastpath function call'), ('disabled')) s(state) \
             LEFT JOIN pg_stat_activity a ON a.datid = d.oid AND a.state = s.state GROUP BY 1, 2",
        )],
    },
    Query {
        collector: "pool",
        every: Every::Poll,
        labels: CLIENT,
        values: &[&[gauge(
            "pg_pool_connections",
            CLIENT,
            "Connections of clients to the watched database, by the name that the client gives itself.",
        )]],
        // A client may give itself any name: what comes after the largest is added up under __other__.
        sql: &[(
            13,
            "WITH c AS (SELECT application_name AS name, coalesce(state, 'unknown') AS state FROM pg_stat_activity \
             WHERE datname = current_database() AND backend_type = 'client backend'), \
             n AS (SELECT name, row_number() OVER (ORDER BY count(*) DESC, name) AS place FROM c GROUP BY name) \
             SELECT CASE WHEN n.place <= {applications} THEN c.name ELSE '__other__' END, c.state, count(*) \
             FROM c JOIN n USING (name) GROUP BY 1, 2",
        )],
    },
    Query {
        collector: "long_running_transactions",
        every: Every::Poll,
        labels: &[],
        values: &[
            &[gauge("pg_long_running_transactions", &[], "Transactions that are open, autovacuum left out.")],
            &[gauge(
                "pg_long_running_transactions_oldest_timestamp_seconds",
                &[],
                "Age of the oldest of them in seconds; the name is inherited.",
            )],
        ],
        sql: &[(
            13,
            "SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) \
             FROM pg_stat_activity WHERE state IS DISTINCT FROM 'idle' AND xact_start IS NOT NULL \
             AND backend_type <> 'autovacuum worker'",
        )],
    },
];
