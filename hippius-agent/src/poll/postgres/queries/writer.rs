//! Background writer, checkpointer, archiver and the write-ahead log.

use crate::poll::postgres::query::{Every, Query, counter, gauge};

pub(super) static QUERIES: &[Query] = &[
    Query {
        collector: "stat_bgwriter",
        every: Every::Poll,
        labels: &[],
        values: &[
            &[counter("pg_stat_bgwriter_checkpoints_timed_total", &[], "Checkpoints whose time had come.")],
            &[counter("pg_stat_bgwriter_checkpoints_req_total", &[], "Checkpoints that were asked for.")],
            &[
                counter(
                    "pg_stat_bgwriter_checkpoint_write_time_total",
                    &[],
                    "Time that checkpoints spent writing files, in milliseconds.",
                ),
                counter(
                    "pg_stat_bgwriter_checkpoint_write_time",
                    &[],
                    "Time that checkpoints spent writing files, in milliseconds.",
                ),
            ],
            &[
                counter(
                    "pg_stat_bgwriter_checkpoint_sync_time_total",
                    &[],
                    "Time that checkpoints spent synchronising files, in milliseconds.",
                ),
                counter(
                    "pg_stat_bgwriter_checkpoint_sync_time",
                    &[],
                    "Time that checkpoints spent synchronising files, in milliseconds.",
                ),
            ],
            &[
                counter("pg_stat_bgwriter_buffers_checkpoint_total", &[], "Buffers written by checkpoints."),
                counter("pg_stat_bgwriter_buffers_checkpoint", &[], "Buffers written by checkpoints."),
            ],
            &[
                counter("pg_stat_bgwriter_buffers_clean_total", &[], "Buffers written by the background writer."),
                counter("pg_stat_bgwriter_buffers_clean", &[], "Buffers written by the background writer."),
            ],
            &[counter(
                "pg_stat_bgwriter_maxwritten_clean_total",
                &[],
                "Rounds that the background writer stopped because it had written too much.",
            )],
            &[
                counter(
                    "pg_stat_bgwriter_buffers_backend_total",
                    &[],
                    "Buffers written by the servers' processes themselves (before PostgreSQL 17).",
                ),
                counter(
                    "pg_stat_bgwriter_buffers_backend",
                    &[],
                    "Buffers written by the servers' processes themselves (before PostgreSQL 17).",
                ),
            ],
            &[
                counter(
                    "pg_stat_bgwriter_buffers_backend_fsync_total",
                    &[],
                    "Times a server process had to synchronise a file itself (before PostgreSQL 17).",
                ),
                counter(
                    "pg_stat_bgwriter_buffers_backend_fsync",
                    &[],
                    "Times a server process had to synchronise a file itself (before PostgreSQL 17).",
                ),
            ],
            &[
                counter("pg_stat_bgwriter_buffers_alloc_total", &[], "Buffers allocated."),
                counter("pg_stat_bgwriter_buffers_alloc", &[], "Buffers allocated."),
            ],
            &[counter(
                "pg_stat_bgwriter_stats_reset_total",
                &[],
                "When the statistics were last reset, in seconds since 1970.",
            )],
        ],
        sql: &[
            (
                13,
                "SELECT checkpoints_timed, checkpoints_req, checkpoint_write_time, checkpoint_sync_time, \
                 buffers_checkpoint, buffers_clean, maxwritten_clean, buffers_backend, buffers_backend_fsync, \
                 buffers_alloc, floor(extract(epoch FROM stats_reset)) FROM pg_stat_bgwriter",
            ),
            // 17 moved the checkpoints to a view of their own and dropped what the processes write themselves.
            (
                17,
                "SELECT c.num_timed, c.num_requested, c.write_time, c.sync_time, c.buffers_written, b.buffers_clean, \
                 b.maxwritten_clean, NULL, NULL, b.buffers_alloc, floor(extract(epoch FROM b.stats_reset)) \
                 FROM pg_stat_bgwriter b CROSS JOIN pg_stat_checkpointer c",
            ),
        ],
    },
    Query {
        collector: "stat_checkpointer",
        every: Every::Poll,
        labels: &[],
        values: &[
            &[counter("pg_stat_checkpointer_num_timed_total", &[], "Checkpoints whose time had come.")],
            &[counter("pg_stat_checkpointer_num_requested_total", &[], "Checkpoints that were asked for.")],
            &[counter("pg_stat_checkpointer_restartpoints_timed_total", &[], "Restart points whose time had come.")],
            &[counter("pg_stat_checkpointer_restartpoints_req_total", &[], "Restart points that were asked for.")],
            &[counter("pg_stat_checkpointer_restartpoints_done_total", &[], "Restart points that were made.")],
            &[counter(
                "pg_stat_checkpointer_write_time_total",
                &[],
                "Time that checkpoints and restart points spent writing files, in milliseconds.",
            )],
            &[counter(
                "pg_stat_checkpointer_sync_time_total",
                &[],
                "Time that checkpoints and restart points spent synchronising files, in milliseconds.",
            )],
            &[counter(
                "pg_stat_checkpointer_buffers_written_total",
                &[],
                "Buffers written by checkpoints and restart points.",
            )],
            &[counter(
                "pg_stat_checkpointer_stats_reset_total",
                &[],
                "When the statistics were last reset, in seconds since 1970.",
            )],
        ],
        sql: &[(
            17,
            "SELECT num_timed, num_requested, restartpoints_timed, restartpoints_req, restartpoints_done, write_time, \
             sync_time, buffers_written, floor(extract(epoch FROM stats_reset)) FROM pg_stat_checkpointer",
        )],
    },
    Query {
        collector: "stat_archiver",
        every: Every::Poll,
        labels: &[],
        values: &[
            &[counter("pg_stat_archiver_archived_count", &[], "Files of the write-ahead log that were archived.")],
            &[counter("pg_stat_archiver_failed_count", &[], "Attempts to archive such a file that failed.")],
            &[gauge(
                "pg_stat_archiver_last_archive_age",
                &[],
                "Time since the last file was archived, in seconds; absent where none ever was.",
            )],
        ],
        sql: &[(
            13,
            "SELECT archived_count, failed_count, extract(epoch FROM clock_timestamp() - last_archived_time) FROM pg_stat_archiver",
        )],
    },
    Query {
        collector: "wal",
        every: Every::Slow,
        labels: &[],
        values: &[
            &[gauge("pg_wal_segments", &[], "Segments of the write-ahead log on disk.")],
            &[gauge("pg_wal_size_bytes", &[], "Size of the segments of the write-ahead log, in bytes.")],
        ],
        // The server looks at each file of the directory.
        sql: &[(13, "SELECT count(*), coalesce(sum(size), 0) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'")],
    },
];
