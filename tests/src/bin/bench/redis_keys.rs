//! A Redis server with a million keys, while they are counted.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::http;
use hippius_tests::servers::redis::{Client, Redis};
use hippius_tests::stats::Spread;
use hippius_tests::wait;
use hippius_tests::workdir::Workdir;

use crate::Effort;
use crate::pages::percentiles;
use crate::redis_server::{Stats, exporter};
use crate::report::Row;

const KEYS: u32 = 1_000_000;

/// p99 of `GET` on a server with a million keys: idle, while the agent counts and while redis_exporter counts, in turns.
/// What counting costs is said by the server.
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
    Ok(vec![
        Row::at_most(
            "GET p99 with 1 000 000 keys while they are counted, over idle",
            1.5,
            "",
            spread(|round| round.counting_ms / round.idle_ms),
            &format!(
                "idle {:.3} ms, agent {:.3} ms, redis_exporter {:.3} ms",
                median(|round| round.idle_ms),
                median(|round| round.counting_ms),
                median(|round| round.exporter_ms)
            ),
        ),
        Row::at_most(
            "the same: one step, as the server says",
            100.0,
            "us",
            spread(|round| round.step_us),
            &format!(
                "{:.1} steps/s, {:.2} % of the server's time; redis_exporter {:.0} % while it counts",
                median(|round| round.steps_per_s),
                median(|round| round.step_us * round.steps_per_s / 1e4),
                median(|round| round.exporter_percent)
            ),
        ),
    ])
}

/// p99 of `GET` in milliseconds without counting and with it, and what the server says of that.
struct Counting {
    idle_ms: f64,
    counting_ms: f64,
    exporter_ms: f64,
    step_us: f64,
    steps_per_s: f64,
    /// Of the server's time, for `SCAN` alone.
    exporter_percent: f64,
}

fn round(redis: &Redis, config: &Config, workdir: &Workdir, run: Duration) -> Result<Counting> {
    let (_, idle_ms) = gets(redis, run)?;
    let scans = || Stats::of(redis).map(|stats| stats.of_command("scan"));
    let earlier = scans()?.calls;
    let agent = Agent::start(config.text(), workdir)?;
    // The first steps are smaller.
    wait::until("fifty steps", wait::WIDE, || scans().ok().filter(|scan| scan.calls > earlier + 50.0))?;
    let (first, start) = (scans()?, Instant::now());
    let (_, counting_ms) = gets(redis, run)?;
    let (last, seconds) = (scans()?, start.elapsed().as_secs_f64());
    drop(agent);
    let steps = last.calls - first.calls;

    let patterns = ["-count-keys", "db0=multipart:*:part:*,db0=obj:*:part:*"];
    let (_process, port) = exporter(redis, workdir, &patterns)?;
    let (before, start) = (scans()?, Instant::now());
    let (_, exporter_ms) = beside(|| drop(http::answer(port, "/metrics")), || gets(redis, run))?;
    let exporter_us = scans()?.usec - before.usec;
    Ok(Counting {
        idle_ms,
        counting_ms,
        exporter_ms,
        step_us: (last.usec - first.usec) / steps,
        steps_per_s: steps / seconds,
        exporter_percent: exporter_us / 1e4 / start.elapsed().as_secs_f64(),
    })
}

/// Does `again` all the time while `once` runs.
fn beside<T>(again: impl Fn() + Sync, once: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                again();
            }
        });
        let done = once();
        stop.store(true, Ordering::Relaxed);
        done
    })
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
