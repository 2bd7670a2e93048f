//! Three Redis servers and one Postgres polled by one agent, beside the four exporters that it takes the place of.

use anyhow::Result;
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::proc;
use hippius_tests::process::Process;
use hippius_tests::servers::postgres::PASSWORD;
use hippius_tests::servers::postgres_exporter::PostgresExporter;
use hippius_tests::servers::redis::Redis;
use hippius_tests::stats::Spread;
use hippius_tests::workdir::Workdir;

use crate::Effort;
use crate::pages::{hammer, mib, settled};
use crate::polling::polling;
use crate::postgres::{PACE, used};
use crate::redis_server::exporter;
use crate::report::Row;

const TARGETS: [(&str, &str); 4] = [
    ("redis/r0", "redis_exporter_scrapes_total"),
    ("redis/r1", "redis_exporter_scrapes_total"),
    ("redis/r2", "redis_exporter_scrapes_total"),
    ("postgres/main", "pg_exporter_scrapes_total"),
];

/// How often 100 polls are measured, which takes 25 s: what else the machine does shows in them by a quarter.
const POLLING_ROUNDS: usize = 3;

pub fn together(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let servers: Vec<Redis> = (0..3).map(|_| Redis::start(workdir)).collect::<Result<_>>()?;
    let postgres = used(workdir)?;
    let watcher = postgres.monitor()?;
    let config = |redis_pace: &str, postgres_pace: &str| {
        let mut config = Config::new();
        for (index, redis) in servers.iter().enumerate() {
            let url = redis.url();
            config = config.section(&format!("[[redis]]\nname = \"r{index}\"\nurl = {url:?}\n{redis_pace}"));
        }
        config.section(&format!("[[postgres]]\nname = \"main\"\nurl = {watcher:?}\n{postgres_pace}"))
    };

    let without = Agent::start(Config::new().text(), workdir)?;
    let alone_bytes = settled(&without)?;
    drop(without);
    let agent = Agent::start(config("", "").text(), workdir)?;
    let with_bytes = settled(&agent)?;
    let pages: Vec<String> = TARGETS.iter().map(|(name, _)| format!("{} /metrics/{name}", agent.address())).collect();
    let (pages_s, our_times) = hammer(&[agent.pid()], &pages)?;
    // One page holds all four, and takes the place of the others.
    let (scraping_s, whole_times) = hammer(&[agent.pid()], &[format!("{} /metrics", agent.address())])?;
    drop(agent);
    let agent = Agent::start(config("interval_ms = 250\njitter_ms = 0\n", PACE).text(), workdir)?;
    let without = Agent::start(Config::new().text(), workdir)?;
    settled(&agent)?;
    settled(&without)?;
    let polling_s = (0..effort.rounds.min(POLLING_ROUNDS))
        .map(|_| Ok(polling(&agent, &without, &TARGETS)?.cpu_s))
        .collect::<Result<Vec<_>>>()?;
    drop((agent, without));

    let exporters: Vec<(Process, u16)> =
        servers.iter().map(|redis| exporter(redis, workdir, &[])).collect::<Result<_>>()?;
    let postgres_exporter = PostgresExporter::start(&postgres.url_as("exporter", PASSWORD), workdir)?;
    let mut pids: Vec<u32> = exporters.iter().map(|(process, _)| process.pid()).collect();
    pids.push(postgres_exporter.server.process.pid());
    let ports = exporters.iter().map(|(_, port)| *port).chain([postgres_exporter.server.port]);
    let pages: Vec<String> = ports.map(|port| format!("127.0.0.1:{port} /metrics")).collect();
    let (theirs_s, their_times) = hammer(&pids, &pages)?;
    let their_bytes: u64 = pids.iter().map(|pid| proc::memory_bytes(*pid).map(|(now, _)| now)).sum::<Result<u64>>()?;

    let one = |value: f64| Spread::of(&[value]);
    let ours_s: Vec<f64> = polling_s.iter().map(|polling_s| scraping_s + polling_s).collect();
    let over: Vec<f64> = ours_s.iter().map(|ours_s| ours_s / theirs_s).collect();
    Ok(vec![
        Row::at_most(
            "three Redis and a Postgres: CPU of 100 scrapes of `/metrics`, which has all four",
            0.1,
            "s",
            one(scraping_s),
            &format!("one page for each {pages_s:.2} s, four exporters {theirs_s:.2} s"),
        ),
        Row::at_most("the same and 100 polls of each", 0.1, "s", Spread::of(&ours_s), ""),
        Row::at_most(
            "the same with 100 polls of each, over 100 scrapes of the four exporters, which poll then",
            1.0,
            "",
            Spread::of(&over),
            &format!("four exporters {theirs_s:.2} s"),
        ),
        Row::at_most(
            "three Redis and a Postgres: resident memory more than without",
            10.0,
            "MiB",
            one(mib(with_bytes.saturating_sub(alone_bytes))),
            &format!("four exporters {:.1} MiB", mib(their_bytes)),
        ),
        Row::told(
            "three Redis and a Postgres: one scrape, p50 and p99",
            format!(
                "of all {:.2} and {:.2} ms, of one {:.2} and {:.2} ms; of one exporter {:.2} and {:.2} ms",
                whole_times.0, whole_times.1, our_times.0, our_times.1, their_times.0, their_times.1
            ),
        ),
    ])
}
