//! What polling Redis costs: the agent beside redis_exporter, and a server with a million keys while they are counted.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::process::Process;
use hippius_tests::servers::redis::{Client, Redis};
use hippius_tests::stats::Spread;
use hippius_tests::workdir::Workdir;
use hippius_tests::{ports, proc, wait};

use crate::Effort;
use crate::pages::{hammer, mib, percentiles, settled};
use crate::report::Row;

const SERVERS: usize = 3;
const KEYS: u32 = 1_000_000;

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

    let exporters: Vec<(Process, u16)> = servers.iter().map(|redis| exporter(redis, workdir)).collect::<Result<_>>()?;
    let address: Vec<String> = exporters.iter().map(|(_, port)| format!("127.0.0.1:{port} /metrics")).collect();
    let pids: Vec<u32> = exporters.iter().map(|(process, _)| process.pid()).collect();
    let (exporter_cpu_s, exporter_times) = hammer(&pids, &address)?;
    let exporter_bytes: u64 =
        pids.iter().map(|pid| proc::memory_bytes(*pid).map(|(now, _)| now)).sum::<Result<u64>>()?;

    let more = mib(with_bytes.saturating_sub(alone_bytes));
    Ok(vec![
        Row::at_most(
            "three Redis: CPU of 100 scrapes of each",
            0.1,
            "s",
            Spread::of(&[agent_cpu_s]),
            &format!("three redis_exporters {exporter_cpu_s:.2}"),
        ),
        Row::at_most(
            "three Redis: resident memory more than without",
            10.0,
            "MiB",
            Spread::of(&[more]),
            &format!("three redis_exporters {:.1}", mib(exporter_bytes)),
        ),
        Row::told(
            "three Redis: one scrape of one server, p50 and p99",
            format!(
                "{:.2} and {:.2} ms; redis_exporter {:.2} and {:.2} ms",
                agent_times.0, agent_times.1, exporter_times.0, exporter_times.1
            ),
        ),
    ])
}

fn exporter(redis: &Redis, workdir: &Workdir) -> Result<(Process, u16)> {
    let port = ports::free();
    let mut command = Command::new("prometheus-redis-exporter");
    command.args(["-redis.addr", &format!("redis://127.0.0.1:{}", redis.server.port)]);
    command.args(["-web.listen-address", &format!("127.0.0.1:{port}")]);
    let mut process = Process::spawn(&format!("exporter-{port}"), command, workdir)?;
    process.wait_for_port(port)?;
    Ok((process, port))
}

/// p99 of `GET` on a server with a million keys: idle and while the agent counts, in turns, and while redis_exporter
/// counts. What the agent's steps cost is said by the server.
pub fn million_keys(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let redis = Redis::start(workdir)?;
    fill(&redis)?;
    let target = format!(
        "[[redis]]\nname = \"main\"\nurl = {:?}\nprofile = \"hippius-2025\"\nsweep_interval_s = 1\n",
        redis.url()
    );
    let config = Config::new().section(&target);
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds {
        rounds.push(round(&redis, &config, workdir, effort.run)?);
    }
    let spread = |value: fn(&Counting) -> f64| Spread::of(&rounds.iter().map(value).collect::<Vec<_>>());
    let median = |value: fn(&Counting) -> f64| spread(value).map_or(0.0, |spread| spread.median);
    let port = ports::free();
    let mut command = Command::new("prometheus-redis-exporter");
    command.args(["-redis.addr", &format!("redis://127.0.0.1:{}", redis.server.port)]);
    command.args(["-web.listen-address", &format!("127.0.0.1:{port}")]);
    command.args(["-count-keys", "db0=multipart:*:part:*,db0=obj:*:part:*"]);
    let mut process = Process::spawn("exporter", command, workdir)?;
    process.wait_for_port(port)?;
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (_, exporter) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                let _ = stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n");
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        let measured = gets(&redis, effort.run * 2);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        measured
    })?;
    Ok(vec![
        Row::at_most(
            "GET p99 with 1 000 000 keys while they are counted, over idle",
            1.5,
            "",
            spread(|round| round.counting_ms / round.idle_ms),
            &format!(
                "idle {:.3} ms, agent {:.3} ms, redis_exporter {exporter:.3} ms",
                median(|round| round.idle_ms),
                median(|round| round.counting_ms)
            ),
        ),
        Row::at_most(
            "the same: one step, as the server says",
            100.0,
            "us",
            spread(|round| round.step_us),
            &format!(
                "{:.1} steps/s, {:.2} % of the server's time",
                median(|round| round.steps_per_s),
                median(|round| round.step_us * round.steps_per_s / 1e4)
            ),
        ),
    ])
}

/// p99 of `GET` in milliseconds without and with counting, and what the server says of the steps.
struct Counting {
    idle_ms: f64,
    counting_ms: f64,
    step_us: f64,
    steps_per_s: f64,
}

fn round(redis: &Redis, config: &Config, workdir: &Workdir, run: Duration) -> Result<Counting> {
    let (_, idle_ms) = gets(redis, run)?;
    let earlier = scans(redis).map_or(0.0, |(calls, _)| calls);
    let agent = Agent::start(config.text(), workdir)?;
    // The first steps are smaller.
    wait::until("fifty steps", wait::WIDE, || scans(redis).ok().filter(|(calls, _)| *calls > earlier + 50.0))?;
    let (before, start) = (scans(redis)?, Instant::now());
    let (_, counting_ms) = gets(redis, run)?;
    let (after, seconds) = (scans(redis)?, start.elapsed().as_secs_f64());
    drop(agent);
    let steps = after.0 - before.0;
    Ok(Counting { idle_ms, counting_ms, step_us: (after.1 - before.1) / steps, steps_per_s: steps / seconds })
}

/// Calls of `SCAN` and their microseconds.
fn scans(redis: &Redis) -> Result<(f64, f64)> {
    let info = redis.client()?.info()?;
    let text = info.get("cmdstat_scan").context("no SCAN yet")?;
    let number = |name: &str| -> Result<f64> {
        let value = text.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        Ok(value.with_context(|| format!("{name} in {text}"))?.parse()?)
    };
    Ok((number("calls")?, number("usec")?))
}

fn fill(redis: &Redis) -> Result<()> {
    let mut stream = TcpStream::connect(redis.server.address())?;
    let mut replies = BufReader::new(stream.try_clone()?);
    for first in (0..KEYS).step_by(10_000) {
        let mut batch = String::new();
        for index in first..first + 10_000 {
            let key = format!("obj:{index:08}-0000-4000-8000-000000000000:part:1");
            batch.push_str(&format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n$5\r\nvalue\r\n", key.len()));
        }
        stream.write_all(batch.as_bytes())?;
        for _ in 0..10_000 {
            replies.read_line(&mut String::new())?;
        }
    }
    Ok(())
}

/// p50 and p99 of GETs, one after the other, a pause between them.
fn gets(redis: &Redis, run: Duration) -> Result<(f64, f64)> {
    let mut client: Client = redis.client()?;
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < run {
        let asked = Instant::now();
        client.ask(&["GET", "obj:00000017-0000-4000-8000-000000000000:part:1"])?;
        times.push(asked.elapsed());
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(percentiles(times))
}
