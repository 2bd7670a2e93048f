//! Replication: this server as a standby, its slots and its standbys.

use crate::poll::postgres::query::{Every, Query, gauge};

const SLOT_DATABASE: &[&str] = &["slot_name", "database"];
const SLOT_TYPE: &[&str] = &["slot_name", "slot_type"];
const SLOT_STATUS: &[&str] = &["slot_name", "slot_type", "wal_status"];
const STANDBY: &[&str] = &["application_name", "client_addr", "slot_name", "state"];

pub(super) static QUERIES: &[Query] = &[
    Query {
        collector: "replication",
        every: Every::Poll,
        labels: &[],
        values: &[
            &[
                gauge(
                    "pg_replication_lag_seconds",
                    &[],
                    "Time by which this standby is behind its primary, in seconds; 0 on a primary.",
                ),
                gauge(
                    "pg_replication_lag",
                    &[],
                    "Time by which this standby is behind its primary, in seconds; 0 on a primary.",
                ),
            ],
            &[gauge("pg_replication_is_replica", &[], "1 on a standby, else 0.")],
        ],
        // Without new transactions the last one grows old though nothing is missing: then there is no lag.
        sql: &[(
            13,
            "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0 \
             WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
             ELSE greatest(0, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())) END, \
             pg_is_in_recovery()::int",
        )],
    },
    Query {
        collector: "replication_slots",
        every: Every::Poll,
        labels: SLOT_DATABASE,
        values: &[
            &[gauge("pg_replication_slots_active", SLOT_DATABASE, "1 when somebody reads from the slot, else 0.")],
            &[gauge(
                "pg_replication_slots_pg_wal_lsn_diff",
                SLOT_DATABASE,
                "Bytes of the write-ahead log that are kept for the slot.",
            )],
        ],
        sql: &[(
            13,
            "SELECT slot_name, coalesce(database, ''), active::int, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() \
             THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn) FROM pg_replication_slots",
        )],
    },
    Query {
        collector: "replication_slot",
        every: Every::Poll,
        labels: SLOT_TYPE,
        values: &[
            &[gauge(
                "pg_replication_slots_slot_current_wal_lsn",
                SLOT_TYPE,
                "End of the server's write-ahead log, in bytes.",
            )],
            &[gauge(
                "pg_replication_slots_slot_confirmed_flush_lsn",
                SLOT_TYPE,
                "How far the reader of a logical slot has confirmed, in bytes; absent while nobody reads.",
            )],
            &[gauge("pg_replication_slots_slot_is_active", SLOT_TYPE, "1 when somebody reads from the slot, else 0.")],
            &[gauge(
                "pg_replication_slots_safe_wal_size_bytes",
                SLOT_TYPE,
                "Bytes that may still be written before the slot is in danger; absent without a limit.",
            )],
        ],
        sql: &[(
            13,
            "SELECT slot_name, slot_type, CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() \
             ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn, \
             CASE WHEN active THEN coalesce(confirmed_flush_lsn, '0/0') - '0/0'::pg_lsn END, active::int, \
             safe_wal_size FROM pg_replication_slots",
        )],
    },
    Query {
        collector: "replication_slot_wal",
        every: Every::Poll,
        labels: SLOT_STATUS,
        values: &[&[gauge(
            "pg_replication_slots_wal_status",
            SLOT_STATUS,
            "Always 1; whether the log that the slot needs is there.",
        )]],
        sql: &[(
            13,
            "SELECT slot_name, slot_type, wal_status, 1 FROM pg_replication_slots WHERE wal_status IS NOT NULL",
        )],
    },
    Query {
        collector: "stat_replication",
        every: Every::Poll,
        labels: STANDBY,
        values: &[
            &[gauge(
                "pg_stat_replication_pg_current_wal_lsn_bytes",
                STANDBY,
                "End of the server's write-ahead log, in bytes.",
            )],
            &[gauge(
                "pg_stat_replication_pg_wal_lsn_diff",
                STANDBY,
                "Bytes of the write-ahead log that the standby has not replayed.",
            )],
        ],
        sql: &[(
            13,
            "SELECT r.application_name, coalesce(host(r.client_addr), ''), coalesce(s.slot_name, ''), r.state, \
             max(CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn() - '0/0'::pg_lsn END), \
             max(CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn) END) \
             FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid GROUP BY 1, 2, 3, 4",
        )],
    },
];
