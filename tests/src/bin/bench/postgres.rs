//! What polling Postgres costs: the agent beside prometheus-postgres-exporter, each with a role of its own, so that the
//! server itself tells what each has cost it.

use anyhow::{Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::servers::postgres::{PASSWORD, Postgres};
use hippius_tests::servers::postgres_exporter::PostgresExporter;
use hippius_tests::stats::Spread;
use hippius_tests::workdir::Workdir;
use hippius_tests::{proc, process};

use crate::Effort;
use crate::pages::{SCRAPES, hammer, mib, settled};
use crate::polling::polling;
use crate::report::Row;

const TARGETS: [(&str, &str); 1] = [("postgres/main", "pg_exporter_scrapes_total")];
/// As often as by default, but sixty times faster: four polls to one look at sizes, tables and settings.
pub const PACE: &str = "interval_ms = 250\njitter_ms = 0\nslow_interval_s = 1\n";

/// CPU time of 100 polls, memory, and the server's time for one poll.
pub fn polls(workdir: &Workdir, _effort: Effort) -> Result<Vec<Row>> {
    let postgres = used(workdir)?;
    let watcher = postgres.monitor()?;

    let without = Agent::start(Config::new().text(), workdir)?;
    let alone_bytes = settled(&without)?;

    let target = format!("[[postgres]]\nname = \"main\"\nurl = {watcher:?}\n{PACE}");
    let agent = Agent::start(Config::new().section(&target).text(), workdir)?;
    let with_bytes = settled(&agent)?;
    let before_ms = server_ms(&postgres, "watcher")?;
    let ours = polling(&agent, &without, &TARGETS)?;
    let ours_ms = (server_ms(&postgres, "watcher")? - before_ms) / ours.polls;
    ensure!(ours_ms > 0.0, "the server knows of no statement of the agent");
    drop(without);
    let page = format!("{} /metrics/postgres/main", agent.address());
    let (scraping_s, our_times) = hammer(&[agent.pid()], &[page])?;
    drop(agent);

    let exporter = PostgresExporter::start(&postgres.url_as("exporter", PASSWORD), workdir)?;
    let pid = exporter.server.process.pid();
    let page = format!("127.0.0.1:{} /metrics", exporter.server.port);
    // What it asks on its first connection alone is no part of a scrape.
    exporter.page()?;
    let before_ms = server_ms(&postgres, "exporter")?;
    let (theirs_s, their_times) = hammer(&[pid], &[page])?;
    let theirs_ms = (server_ms(&postgres, "exporter")? - before_ms) / f64::from(SCRAPES);
    ensure!(theirs_ms > 0.0, "the server knows of no statement of the exporter");
    let theirs_mib = mib(proc::memory_bytes(pid)?.0);

    let one = |value: f64| Spread::of(&[value]);
    Ok(vec![
        Row::at_most(
            "Postgres: CPU of 100 polls, over 100 scrapes of postgres_exporter",
            1.0,
            "",
            one(ours.cpu_s / theirs_s),
            &format!("agent {:.2} s, postgres_exporter {theirs_s:.2} s", ours.cpu_s),
        ),
        Row::at_most("Postgres: CPU of 100 scrapes", 0.1, "s", one(scraping_s), ""),
        Row::at_most(
            "Postgres: resident memory more than without",
            10.0,
            "MiB",
            one(mib(with_bytes.saturating_sub(alone_bytes))),
            &format!("postgres_exporter {theirs_mib:.1} MiB"),
        ),
        Row::told(
            "Postgres: one scrape, p50 and p99",
            format!(
                "{:.2} and {:.2} ms; postgres_exporter {:.2} and {:.2} ms",
                our_times.0, our_times.1, their_times.0, their_times.1
            ),
        ),
        Row::at_most(
            "Postgres: the server's time for a poll, over a scrape of postgres_exporter",
            1.0,
            "",
            one(ours_ms / theirs_ms),
            &format!("agent {ours_ms:.2} ms, postgres_exporter {theirs_ms:.2} ms"),
        ),
    ])
}

/// A server with tables, statements that it has seen, and a role for the exporter.
pub fn used(workdir: &Workdir) -> Result<Postgres> {
    let options = ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on"];
    let postgres = Postgres::start_with(workdir, &options)?;
    postgres.sql("CREATE EXTENSION pg_stat_statements")?;
    process::run(postgres.client("pgbench").args(["-i", "-q", &postgres.url()]))?;
    process::run(postgres.client("pgbench").args(["-n", "-t", "200", &postgres.url()]))?;
    postgres.sql(&format!("CREATE ROLE exporter LOGIN PASSWORD '{PASSWORD}'; GRANT pg_monitor TO exporter"))?;
    Ok(postgres)
}

/// Planning and running of all statements of this role so far.
fn server_ms(postgres: &Postgres, role: &str) -> Result<f64> {
    postgres.number(&format!(
        "SELECT coalesce(sum(total_exec_time + total_plan_time), 0) FROM pg_stat_statements \
         WHERE userid = '{role}'::regrole"
    ))
}
