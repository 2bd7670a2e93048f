//! A primary with a streaming standby, and a server that speaks TLS only.

use anyhow::ensure;
use hippius_tests::config::Config;
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::postgres::{PASSWORD, Postgres};
use hippius_tests::{lab, polled, wait};

#[test]
fn a_standby_and_its_primary_say_what_they_are() {
    lab::with_agent("postgres-standby", |lab| {
        let primary = Postgres::start(&lab.workdir)?;
        let url = primary.monitor()?;
        let standby = primary.standby(&lab.workdir)?;
        let config = Config::new().section(&polled::postgres("primary", &url, "")).section(&polled::postgres(
            "standby",
            &standby.url_as("watcher", PASSWORD),
            "",
        ));
        let agent = lab.agent(&config)?;
        polled::settle(&agent, "postgres/standby", "a standby that is level", |metrics| {
            metrics.sum("pg_up", &[]) == 1
                && metrics.sum("pg_replication_is_replica", &[]) == 1
                && metrics.select("pg_replication_lag", &[]).any(|sample| sample.value == 0.0)
        })?;
        let filter = [("application_name", "standby"), ("state", "streaming"), ("slot_name", "standby")];
        let level = |metrics: &Metrics| {
            metrics.select("pg_stat_replication_pg_wal_lsn_diff", &filter).any(|sample| sample.value == 0.0)
                && metrics.sum("pg_replication_slots_active", &[("slot_name", "standby")]) == 1
        };
        let metrics = polled::settle(&agent, "postgres/primary", "a primary with a level standby", level)?;
        ensure!(metrics.sum("pg_replication_is_replica", &[]) == 0);
        let refused = |metrics: &Metrics| {
            metrics.select("pg_scrape_collector_success", &[]).filter(|sample| sample.value != 1.0).count()
        };
        let on_standby = polled::page(&agent, "postgres/standby")?.1;
        ensure!(refused(&on_standby) == 0 && refused(&metrics) == 0, "{}", on_standby.lines_with("success"));
        // Lag is told by the last transaction that was replayed, so there must be one.
        primary.sql("CREATE TABLE first (a int)")?;
        let replayed = "SELECT count(*) FROM pg_class WHERE relname = 'first'";
        wait::until("a transaction is replayed", wait::WIDE, || (standby.number(replayed).ok()? == 1.0).then_some(()))?;
        // Replay stands still: what the primary writes now is lag in bytes there, and in seconds here.
        standby.sql("SELECT pg_wal_replay_pause()")?;
        primary.sql("CREATE TABLE t AS SELECT generate_series(1, 10000)")?;
        polled::settle(&agent, "postgres/primary", "lag in bytes", |metrics| {
            metrics.sum("pg_stat_replication_pg_wal_lsn_diff", &filter) > 0
        })?;
        polled::settle(&agent, "postgres/standby", "lag in seconds", |metrics| {
            metrics.sum_f64("pg_replication_lag_seconds", &[]) > 0.0
        })?;
        standby.sql("SELECT pg_wal_replay_resume()")?;
        polled::settle(&agent, "postgres/standby", "no lag any more", |metrics| {
            metrics.select("pg_replication_lag_seconds", &[]).any(|sample| sample.value == 0.0)
        })?;
        polled::settle(&agent, "postgres/primary", "a level standby again", level).map(drop)
    });
}

#[test]
fn a_server_with_tls_only_is_polled_and_its_certificate_is_checked() {
    lab::with_agent("postgres-tls", |lab| {
        let postgres = Postgres::start_tls_only(&lab.workdir)?;
        postgres.monitor()?;
        let file = |name: &str| lab.workdir.join(name).display().to_string();
        let url = |mode: &str| postgres.url_as("watcher", PASSWORD).replace("sslmode=disable", mode);
        let trusted = format!("sslmode=verify-full&sslrootcert={}", file("authority.crt"));
        let config = Config::new()
            .section(&polled::postgres("none", &url("sslmode=disable"), ""))
            .section(&polled::postgres("any", &url("sslmode=prefer"), ""))
            .section(&polled::postgres("strange", &url("sslmode=require"), ""))
            .section(&polled::postgres("trusted", &url(&trusted), ""))
            .section(&polled::postgres(
                "file",
                &url("sslmode=require"),
                &format!("tls_ca_file = {:?}", file("authority.crt")),
            ));
        let agent = lab.agent(&config)?;
        for (name, up) in [("any", 1), ("trusted", 1), ("file", 1), ("none", 0), ("strange", 0)] {
            let target = format!("postgres/{name}");
            polled::settle(&agent, &target, name, |metrics| metrics.sum("pg_exporter_scrapes_total", &[]) > 0)?;
            polled::settle(&agent, &target, name, |metrics| metrics.sum("pg_up", &[]) == up)?;
        }
        let encrypted =
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND usename = 'watcher'";
        ensure!(postgres.number(encrypted)? >= 3.0, "connections that are encrypted");
        let errors = agent.scrape()?;
        let strange = [("source", "postgres/strange"), ("reason", "tls")];
        ensure!(errors.sum("hippius_agent_poll_errors_total", &strange) > 0, "{}", errors.lines_with("poll_errors"));
        Ok(())
    });
}
