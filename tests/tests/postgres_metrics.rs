//! What the agent says about Postgres, against what the server says to somebody else.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::metrics::Metrics;
use hippius_tests::process::{self, Process};
use hippius_tests::servers::postgres::Postgres;
use hippius_tests::{lab, polled, wait};

const OPTIONS: &[&str] =
    &["shared_preload_libraries=pg_stat_statements", "track_io_timing=on", "archive_mode=on", "archive_command=true"];

type Labels = &'static [(&'static str, &'static str)];

/// Series of a database that the agent is not connected to, or of the whole server, and the SQL that gives the same.
const TRUTH: &[(&str, Labels, &str)] = &[
    ("pg_postmaster_start_time_seconds", &[], "SELECT extract(epoch FROM pg_postmaster_start_time())"),
    ("pg_roles_connection_limit", &[("rolname", "few")], "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'few'"),
    ("pg_database_size_bytes", &[("datname", "load")], "SELECT pg_database_size('load')"),
    (
        "pg_database_connection_limit",
        &[("datname", "load")],
        "SELECT datconnlimit FROM pg_database WHERE datname = 'load'",
    ),
    ("pg_locks_count", &[("datname", "load"), ("mode", "accessexclusivelock")], "SELECT 0"),
    ("pg_stat_activity_count", &[("datname", "load"), ("state", "idle in transaction")], "SELECT 0"),
    ("pg_stat_activity_max_tx_duration", &[("datname", "load"), ("state", "active")], "SELECT 0"),
    ("pg_stat_archiver_archived_count", &[], "SELECT archived_count FROM pg_stat_archiver"),
    ("pg_stat_archiver_failed_count", &[], "SELECT failed_count FROM pg_stat_archiver"),
    ("pg_wal_segments", &[], "SELECT count(*) FROM pg_ls_waldir() WHERE name !~ '\\.'"),
    ("pg_wal_size_bytes", &[], "SELECT sum(size) FROM pg_ls_waldir() WHERE name !~ '\\.'"),
    ("pg_replication_lag_seconds", &[], "SELECT 0"),
    ("pg_replication_lag", &[], "SELECT 0"),
    ("pg_replication_is_replica", &[], "SELECT 0"),
    ("pg_replication_slots_active", &[("slot_name", "kept"), ("database", "")], "SELECT 0"),
    (
        "pg_replication_slots_pg_wal_lsn_diff",
        &[("slot_name", "kept")],
        "SELECT pg_current_wal_lsn() - restart_lsn FROM pg_replication_slots",
    ),
    ("pg_replication_slots_slot_is_active", &[("slot_name", "kept"), ("slot_type", "physical")], "SELECT 0"),
    ("pg_replication_slots_slot_current_wal_lsn", &[("slot_name", "kept")], "SELECT pg_current_wal_lsn() - '0/0'"),
    ("pg_replication_slots_wal_status", &[("slot_name", "kept"), ("wal_status", "reserved")], "SELECT 1"),
    ("hippius_pg_tables_left_out", &[], "SELECT 0"),
];

/// Columns whose name is the end of the series' name, of views with one row for the database `load`.
const DATABASE_COLUMNS: &[&str] = &[
    "numbackends",
    "xact_commit",
    "xact_rollback",
    "blks_read",
    "blks_hit",
    "tup_returned",
    "tup_fetched",
    "tup_inserted",
    "tup_updated",
    "tup_deleted",
    "conflicts",
    "temp_files",
    "temp_bytes",
    "deadlocks",
    "blk_read_time",
    "blk_write_time",
];
const TABLE_COLUMNS: &[&str] = &[
    "seq_scan",
    "seq_tup_read",
    "idx_scan",
    "idx_tup_fetch",
    "n_tup_ins",
    "n_tup_upd",
    "n_tup_del",
    "n_tup_hot_upd",
    "n_live_tup",
    "n_dead_tup",
    "n_mod_since_analyze",
    "vacuum_count",
    "autovacuum_count",
    "analyze_count",
    "autoanalyze_count",
];
const TABLE_TIMES: &[&str] = &["last_vacuum", "last_autovacuum", "last_analyze", "last_autoanalyze"];
const WRITER_COLUMNS: &[&str] = &[
    "buffers_checkpoint",
    "buffers_clean",
    "maxwritten_clean",
    "buffers_backend",
    "buffers_backend_fsync",
    "checkpoints_timed",
    "checkpoints_req",
    "checkpoint_write_time",
    "checkpoint_sync_time",
];
const WRITER_ALIASES: &[&str] = &[
    "buffers_alloc",
    "buffers_backend",
    "buffers_backend_fsync",
    "buffers_checkpoint",
    "buffers_clean",
    "checkpoint_write_time",
    "checkpoint_sync_time",
];

fn loaded(lab: &lab::Lab) -> Result<Postgres> {
    let postgres = Postgres::start_with(&lab.workdir, OPTIONS)?;
    postgres.sql("CREATE EXTENSION pg_stat_statements")?;
    postgres.sql("CREATE DATABASE load CONNECTION LIMIT 50")?;
    postgres.sql("CREATE ROLE few CONNECTION LIMIT 3; SELECT pg_create_physical_replication_slot('kept', true)")?;
    let load = in_load(&postgres.url());
    process::run(postgres.client("pgbench").args(["-i", "-q", &load]))?;
    process::run(postgres.client("pgbench").args(["-n", "-t", "50", "-c", "2", &load]))?;
    postgres.sql("CHECKPOINT")?;
    Ok(postgres)
}

fn in_load(url: &str) -> String {
    url.replace("/postgres?", "/load?")
}

/// Compares until both agree: the server publishes some numbers late, and background work moves some now and then.
fn agree(
    agent: &Agent,
    target: &str,
    series: &str,
    filter: &[(&str, &str)],
    truth: impl Fn() -> Result<f64>,
) -> Result<()> {
    let mut last = String::new();
    wait::until(series, wait::WIDE, || {
        let metrics = polled::fresh(agent, target, "pg_exporter_scrapes_total").ok()?;
        let found: Vec<f64> = metrics.select(series, filter).map(|sample| sample.value).collect();
        let wanted = truth().ok()?;
        last = format!("{series}{filter:?}: the agent has {found:?}, the server {wanted}");
        matches!(found[..], [found] if (found - wanted).abs() <= wanted.abs() * 1e-9).then_some(())
    })
    .with_context(|| last.clone())
}

#[test]
fn every_value_is_that_of_the_server_for_a_role_that_may_only_monitor() {
    lab::with_agent("postgres-values", |lab| {
        let postgres = loaded(lab)?;
        let url = postgres.monitor()?;
        let config = Config::new().section(&polled::postgres("main", &url, "")).section(&polled::postgres(
            "load",
            &in_load(&url),
            "",
        ));
        let agent = lab.agent(&config)?;
        let up = |metrics: &Metrics| metrics.sum("pg_up", &[]) == 1;
        let first = polled::settle(&agent, "postgres/main", "the first poll", up)?;
        let refused: Vec<_> = first.select("pg_scrape_collector_success", &[]).filter(|s| s.value != 1.0).collect();
        ensure!(refused.is_empty(), "pg_monitor alone is not enough for {refused:?}");
        for (series, filter, sql) in TRUTH {
            agree(&agent, "postgres/main", series, filter, || postgres.number(sql))?;
        }
        for column in DATABASE_COLUMNS {
            let sql = format!("SELECT {column} FROM pg_stat_database WHERE datname = 'load'");
            // The second target is connected to `load`; it is only looked at where that does not matter.
            let series = format!("pg_stat_database_{column}");
            let found = first.select(&series, &[("datname", "load")]).count();
            ensure!(found == 1, "{series}: {found} series for one database");
            ensure!(postgres.number(&sql)? >= 0.0);
        }
        writers(&agent, &postgres)?;
        settings(&agent, &postgres)?;
        tables(&agent, &postgres)?;
        statements(&agent, &postgres)
    });
}

#[test]
fn counters_of_a_database_at_rest_are_exact() {
    lab::with_agent("postgres-database", |lab| {
        let postgres = loaded(lab)?;
        let config = Config::new().section(&polled::postgres("main", &postgres.monitor()?, ""));
        let agent = lab.agent(&config)?;
        // Nobody is connected to `load` any more but autovacuum, now and then.
        for column in DATABASE_COLUMNS {
            let sql = format!("SELECT {column} FROM pg_stat_database WHERE datname = 'load'");
            let filter = [("datname", "load")];
            agree(&agent, "postgres/main", &format!("pg_stat_database_{column}"), &filter, || postgres.number(&sql))?;
        }
        let sql = "SELECT active_time / 1000 FROM pg_stat_database WHERE datname = 'load'";
        let series = "pg_stat_database_active_time_seconds_total";
        agree(&agent, "postgres/main", series, &[("datname", "load")], || postgres.number(sql))?;
        for (series, column) in [("datfrozenxid", "age(datfrozenxid)"), ("datminmxid", "mxid_age(datminmxid)")] {
            let sql = format!("SELECT {column} FROM pg_database WHERE datname = 'load'");
            let series = format!("pg_database_wraparound_age_{series}_seconds");
            agree(&agent, "postgres/main", &series, &[("datname", "load")], || postgres.number(&sql))?;
        }
        Ok(())
    });
}

fn writers(agent: &Agent, postgres: &Postgres) -> Result<()> {
    for column in WRITER_COLUMNS {
        let sql = format!("SELECT {column} FROM pg_stat_bgwriter");
        agree(agent, "postgres/main", &format!("pg_stat_bgwriter_{column}_total"), &[], || postgres.number(&sql))?;
    }
    let metrics = polled::page(agent, "postgres/main")?.1;
    for column in WRITER_ALIASES {
        let [old, new] = ["", "_total"].map(|end| metrics.sum_f64(&format!("pg_stat_bgwriter_{column}{end}"), &[]));
        ensure!(old == new, "{column}: {old} under the old name, {new} under the new one");
    }
    Ok(())
}

fn settings(agent: &Agent, postgres: &Postgres) -> Result<()> {
    // `pg_settings` counts in units of its own; the test multiplies by them, the agent does not look there.
    let sql = "SELECT name || CASE WHEN unit IS NULL THEN '' ELSE '_bytes' END || ' ' || setting::float8 * \
               CASE unit WHEN '8kB' THEN 8192 WHEN 'kB' THEN 1024 WHEN 'MB' THEN 1048576 ELSE 1 END FROM pg_settings \
               WHERE name IN ('max_connections', 'superuser_reserved_connections', 'max_locks_per_transaction', \
               'max_worker_processes', 'max_parallel_workers', 'random_page_cost', 'seq_page_cost', \
               'autovacuum_vacuum_scale_factor', 'autovacuum_vacuum_threshold', 'shared_buffers', \
               'effective_cache_size', 'maintenance_work_mem', 'work_mem', 'max_wal_size')";
    let answer = postgres.sql(sql)?;
    ensure!(answer.lines().count() == 14, "{answer}");
    let metrics = polled::page(agent, "postgres/main")?.1;
    for line in answer.lines() {
        let (name, value) = line.split_once(' ').context("name and value")?;
        let found = metrics.sum_f64(&format!("pg_settings_{name}"), &[]);
        ensure!(found == value.parse::<f64>()?, "{name}: the agent has {found}, the server {value}");
    }
    Ok(())
}

fn tables(agent: &Agent, postgres: &Postgres) -> Result<()> {
    let url = in_load(&postgres.url());
    let ask = |sql: String| -> Result<f64> {
        Ok(process::run(postgres.client("psql").args(["-XqAtc", &sql]).arg(&url))?.trim().parse()?)
    };
    let filter = [("datname", "load"), ("schemaname", "public"), ("relname", "pgbench_accounts")];
    for column in TABLE_COLUMNS {
        let sql = format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = 'pgbench_accounts'");
        agree(agent, "postgres/load", &format!("pg_stat_user_tables_{column}"), &filter, || ask(sql.clone()))?;
    }
    for column in TABLE_TIMES {
        let sql = format!(
            "SELECT coalesce(floor(extract(epoch FROM {column})), 0) FROM pg_stat_user_tables WHERE relname = 'pgbench_accounts'"
        );
        agree(agent, "postgres/load", &format!("pg_stat_user_tables_{column}"), &filter, || ask(sql.clone()))?;
    }
    for part in ["heap", "idx", "toast", "tidx"] {
        for what in ["read", "hit"] {
            let sql = format!(
                "SELECT coalesce({part}_blks_{what}, 0) FROM pg_statio_user_tables WHERE relname = 'pgbench_accounts'"
            );
            let series = format!("pg_statio_user_tables_{part}_blocks_{what}");
            agree(agent, "postgres/load", &series, &filter, || ask(sql.clone()))?;
        }
    }
    Ok(())
}

/// Known load: a statement that was run a known number of times, with a known number of rows.
fn statements(agent: &Agent, postgres: &Postgres) -> Result<()> {
    let sql = "SELECT queryid FROM pg_stat_statements WHERE query LIKE 'UPDATE pgbench_accounts%'";
    let id = postgres.sql(sql)?.trim().to_owned();
    let filter = [("queryid", &*id), ("datname", "load"), ("user", "postgres")];
    for (series, wanted) in [("calls", 100.0), ("rows", 100.0)] {
        agree(agent, "postgres/main", &format!("pg_stat_statements_{series}_total"), &filter, || Ok(wanted))?;
    }
    let sql = format!("SELECT total_exec_time / 1000 FROM pg_stat_statements WHERE queryid = {id}");
    agree(agent, "postgres/main", "pg_stat_statements_seconds_total", &filter, || postgres.number(&sql))?;
    let (text, metrics) = polled::page(agent, "postgres/main")?;
    ensure!(!text.contains("pgbench_accounts"), "the text of a statement is on the page");
    let shown = metrics.select("pg_stat_statements_calls_total", &[]).count();
    ensure!((1..=50).contains(&shown), "{shown} statements");
    Ok(())
}

#[test]
fn connections_locks_and_transactions_that_are_open_are_counted() {
    lab::with_agent("postgres-activity", |lab| {
        let postgres = Postgres::start(&lab.workdir)?;
        postgres.sql("CREATE TABLE t (a int)")?;
        let config = Config::new().section(&polled::postgres("main", &postgres.monitor()?, ""));
        let agent = lab.agent(&config)?;
        let mut sleepers = Vec::new();
        for name in ["api", "api", "pinner"] {
            let mut psql = postgres.client("psql");
            psql.env("PGAPPNAME", name).args([
                "-X",
                &postgres.url(),
                "-c",
                "BEGIN; LOCK t IN SHARE MODE; SELECT pg_sleep(600)",
            ]);
            sleepers.push(Process::spawn("sleeper", psql, &lab.workdir)?);
        }
        for (name, wanted) in [("api", 2.0), ("pinner", 1.0)] {
            let filter = [("application_name", name), ("state", "active")];
            agree(&agent, "postgres/main", "pg_pool_connections", &filter, || Ok(wanted))?;
        }
        let filter = [("datname", "postgres"), ("mode", "sharelock")];
        agree(&agent, "postgres/main", "pg_locks_count", &filter, || Ok(3.0))?;
        let metrics = polled::fresh(&agent, "postgres/main", "pg_exporter_scrapes_total")?;
        let filter = [("datname", "postgres"), ("state", "active")];
        // The agent's own query is one more.
        ensure!(
            metrics.sum("pg_stat_activity_count", &filter) == 4,
            "{}",
            metrics.lines_with("pg_stat_activity_count")
        );
        let age = metrics.sum_f64("pg_stat_activity_max_tx_duration", &filter);
        let oldest = postgres.number("SELECT max(extract(epoch FROM now() - xact_start)) FROM pg_stat_activity")?;
        ensure!(age > 0.0 && age <= oldest, "the oldest transaction: {age}, the server says {oldest} later");
        ensure!(metrics.sum("pg_long_running_transactions", &[]) == 4);
        drop(sleepers);
        Ok(())
    });
}

/// Client names are the clients' own choice: what is beyond the fifty largest is added up.
#[test]
fn client_names_beyond_the_limit_are_added_up() {
    lab::with_agent("postgres-names", |lab| {
        let postgres = Postgres::start(&lab.workdir)?;
        let config = Config::new().section(&polled::postgres("main", &postgres.monitor()?, ""));
        let agent = lab.agent(&config)?;
        let sleepers: Vec<_> = (0..60)
            .map(|number| {
                let mut psql: Command = postgres.client("psql");
                psql.env("PGAPPNAME", format!("name-{number:02}")).args([
                    "-X",
                    &postgres.url(),
                    "-c",
                    "SELECT pg_sleep(600)",
                ]);
                Process::spawn("sleeper", psql, &lab.workdir)
            })
            .collect::<Result<_>>()?;
        let metrics = polled::settle(&agent, "postgres/main", "all connections", |metrics| {
            metrics.sum("pg_pool_connections", &[]) == 61
        })?;
        let names = metrics.by("pg_pool_connections", &[], "application_name");
        ensure!(names.len() == 51 && names.get("__other__") == Some(&11), "{names:?}");
        drop(sleepers);
        Ok(())
    });
}
