//! What polling Redis costs: the agent beside redis_exporter.

use std::time::Duration;

use anyhow::{Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::process::Process;
use hippius_tests::servers::redis::Redis;
use hippius_tests::stats::Spread;
use hippius_tests::workdir::Workdir;
use hippius_tests::{polled, proc, wait};

use crate::Effort;
use crate::pages::{SCRAPES, hammer, mib, settled};
use crate::redis_server::{Stats, exporter};
use crate::report::Row;

const SERVERS: usize = 3;
const POLLS: &str = "redis_exporter_scrapes_total";

/// CPU time of 100 scrapes, memory and time of one scrape: three servers, polled by the agent and by three exporters.
pub fn scrapes(workdir: &Workdir, _effort: Effort) -> Result<Vec<Row>> {
    let servers: Vec<Redis> = (0..SERVERS).map(|_| Redis::start(workdir)).collect::<Result<_>>()?;
    let without = Agent::start(Config::new().text(), workdir)?;
    let alone_bytes = settled(&without)?;
    drop(without);
    let mut config = Config::new();
    for (index, redis) in servers.iter().enumerate() {
        config = config.section(&format!("[[redis]]\nname = \"r{index}\"\nurl = {:?}\n", redis.url()));
    }
    let agent = Agent::start(config.text(), workdir)?;
    let with_bytes = settled(&agent)?;
    let address: Vec<String> =
        (0..SERVERS).map(|index| format!("{} /metrics/redis/r{index}", agent.address())).collect();
    let (agent_cpu_s, agent_times) = hammer(&[agent.pid()], &address)?;

    let exporters: Vec<(Process, u16)> =
        servers.iter().map(|redis| exporter(redis, workdir, &[])).collect::<Result<_>>()?;
    let address: Vec<String> = exporters.iter().map(|(_, port)| format!("127.0.0.1:{port} /metrics")).collect();
    let pids: Vec<u32> = exporters.iter().map(|(process, _)| process.pid()).collect();
    let (exporter_cpu_s, exporter_times) = hammer(&pids, &address)?;
    let exporter_bytes: u64 =
        pids.iter().map(|pid| proc::memory_bytes(*pid).map(|(now, _)| now)).sum::<Result<u64>>()?;

    let ours_us = server_us_per_poll(&servers[0], workdir)?;
    let before_us = Stats::of(&servers[0])?.usec();
    hammer(&pids[..1], &address[..1])?;
    let theirs_us = (Stats::of(&servers[0])?.usec() - before_us) / f64::from(SCRAPES);

    let more = mib(with_bytes.saturating_sub(alone_bytes));
    Ok(vec![
        Row::at_most(
            "three Redis: CPU of 100 scrapes of each",
            0.1,
            "s",
            Spread::of(&[agent_cpu_s]),
            &format!("three redis_exporters {exporter_cpu_s:.2} s"),
        ),
        Row::at_most(
            "three Redis: resident memory more than without",
            10.0,
            "MiB",
            Spread::of(&[more]),
            &format!("three redis_exporters {:.1} MiB", mib(exporter_bytes)),
        ),
        Row::told(
            "three Redis: one scrape of one server, p50 and p99",
            format!(
                "{:.2} and {:.2} ms; redis_exporter {:.2} and {:.2} ms",
                agent_times.0, agent_times.1, exporter_times.0, exporter_times.1
            ),
        ),
        Row::at_most(
            "Redis: the server's time in the commands of a poll, over those of a scrape of redis_exporter",
            1.0,
            "",
            Spread::of(&[ours_us / theirs_us]),
            &format!("agent {ours_us:.0} us, redis_exporter {theirs_us:.0} us; nobody counts keys"),
        ),
    ])
}

/// Without the sweep, which is measured where there are keys to count.
fn server_us_per_poll(redis: &Redis, workdir: &Workdir) -> Result<f64> {
    let pace = "interval_ms = 100\njitter_ms = 0\nsweep_interval_s = 0";
    let target = format!("[[redis]]\nname = \"main\"\nurl = {:?}\n{pace}\n", redis.url());
    let agent = Agent::start(Config::new().section(&target).text(), workdir)?;
    let polls = || Ok::<_, anyhow::Error>(polled::page(&agent, "redis/main")?.1.sum_f64(POLLS, &[]));
    wait::until("the first polls", wait::WIDE, || polls().ok().filter(|polls| *polls > 2.0))?;
    let (first, before_us) = (polls()?, Stats::of(redis)?.usec());
    std::thread::sleep(Duration::from_millis(100) * SCRAPES);
    let (made, spent_us) = (polls()? - first, Stats::of(redis)?.usec() - before_us);
    ensure!(made > 0.0, "no polls");
    Ok(spent_us / made)
}
