//! What the agent itself takes: processor, memory, time to start, time in the kernel, time of a scrape; and what it loses.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::load::{self, Load};
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::Server;
use hippius_tests::servers::syscall::Syscall;
use hippius_tests::stats::Spread;
use hippius_tests::wait;
use hippius_tests::workdir::Workdir;

use crate::Effort;
use crate::report::Row;
use crate::throughput::nginx;

const MIB: f64 = (1 << 20) as f64;

fn offered(server: &Server, rate: f64, run: Duration) -> Load {
    let requests = (rate * run.as_secs_f64()) as u64;
    let request = request("GET", "/k1", &[]).into_bytes();
    Load { address: server.address(), request, connections: 32, requests, rate: Some(rate) }
}

pub fn counted(agent: &Agent, wanted: u64) -> Result<Metrics> {
    let mut last = agent.scrape()?;
    let _ = wait::until("all requests counted", Duration::from_secs(10), || {
        last = agent.scrape().ok()?;
        (last.sum("http_requests_total", &[]) >= wanted).then_some(())
    });
    Ok(last)
}

pub fn at_ten_thousand(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let nginx = nginx(workdir)?;
    let agent = Agent::start(Config::new().service("nginx", nginx.server.port).text(), workdir)?;
    let plan = offered(&nginx.server, 10_000.0, effort.run);
    let (mut cpu_us, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let before = agent.cpu_ns()?;
        load::run(&plan)?;
        cpu_us.push((agent.cpu_ns()? - before) as f64 / 1000.0 / plan.requests as f64);
        resident.push(agent.memory_bytes()?.0 as f64 / MIB);
    }
    let (now, peak) = agent.memory_bytes()?;
    let peak = Spread::of(&[peak as f64 / now as f64]);
    Ok(vec![
        Row::at_most("agent's CPU per request at 10 000 requests/s", 2.0, "us", Spread::of(&cpu_us), ""),
        Row::at_most("resident memory at 10 000 requests/s", 40.0, "MiB", Spread::of(&resident), ""),
        Row::at_most("peak of memory over steady", 1.3, "", peak, ""),
    ])
}

pub fn events_lost(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let nginx = nginx(workdir)?;
    let agent = Agent::start(Config::new().service("nginx", nginx.server.port).text(), workdir)?;
    let plan = offered(&nginx.server, 50_000.0, effort.soak);
    let report = load::run(&plan)?;
    let metrics = counted(&agent, report.requests)?;
    let lost = metrics.sum("hippius_agent_events_lost_total", &[]);
    let missing = report.requests.abs_diff(metrics.sum("http_requests_total", &[]));
    let rate = format!("{:.0} requests/s were reached", report.per_second());
    Ok(vec![
        Row::at_most("events lost at 50 000 requests/s", 0.0, "", Spread::of(&[lost as f64]), &rate),
        Row::at_most("the same: requests counted beside the truth", 0.0, "", Spread::of(&[missing as f64]), ""),
    ])
}

/// A client asks all the time; the first request that was counted tells when the agent began to see.
pub fn start_to_first_capture(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let nginx = nginx(workdir)?;
    let config = Config::new().service("nginx", nginx.server.port);
    let mut milliseconds = Vec::new();
    for _ in 0..effort.rounds {
        let address = nginx.server.address();
        let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(1);
        let client = std::thread::spawn(move || -> Result<Vec<Instant>> {
            let mut raw = Raw::connect(address)?;
            let mut sent = Vec::new();
            while stopped.try_recv().is_err() {
                sent.push(Instant::now());
                raw.send(request("GET", "/k1", &[]))?;
                raw.read_response()?;
                raw.pause(Duration::from_micros(500));
            }
            Ok(sent)
        });
        let start = Instant::now();
        let agent = Agent::start(config.text(), workdir)?;
        // Some more, so that the last ones are surely counted.
        wait::until("requests after the start", wait::WIDE, || {
            agent.scrape().ok().filter(|metrics| metrics.sum("http_requests_total", &[]) > 200)
        })?;
        stop.send(())?;
        let sent = client.join().expect("the client")?;
        // All that came after the first one counted was counted: wait until the number stands still.
        let mut seen = 0;
        wait::until("a number that stands still", wait::WIDE, || {
            let before = seen;
            std::thread::sleep(Duration::from_millis(1200));
            seen = agent.scrape().ok()?.sum("http_requests_total", &[]);
            (seen == before).then_some(())
        })?;
        let first = sent.len().checked_sub(usize::try_from(seen)?).context("more counted than sent")?;
        let first = sent.get(first).context("nothing counted")?;
        milliseconds.push(first.saturating_duration_since(start).as_secs_f64() * 1000.0);
    }
    Ok(vec![Row::at_most(
        "start of the process to the first request captured",
        500.0,
        "ms",
        Spread::of(&milliseconds),
        "",
    )])
}

/// The kernel's own statistics of BPF programs, switched back at the end.
pub struct BpfStats {
    before: String,
}

const BPF_STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

impl BpfStats {
    pub fn on() -> Result<Self> {
        let before = std::fs::read_to_string(BPF_STATS)?;
        std::fs::write(BPF_STATS, "1")?;
        Ok(Self { before })
    }
}

impl Drop for BpfStats {
    fn drop(&mut self) {
        let _ = std::fs::write(BPF_STATS, &self.before);
    }
}

/// What the agent says when it has asked the kernel about its programs once more, which it does every second.
pub fn read_anew(agent: &Agent) -> Result<Metrics> {
    std::thread::sleep(Duration::from_secs(3));
    agent.scrape()
}

pub fn probe_time(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let nginx = nginx(workdir)?;
    let _stats = BpfStats::on()?;
    let agent = Agent::start(Config::new().service("nginx", nginx.server.port).text(), workdir)?;
    let before = agent.scrape()?;
    let report = load::run(&offered(&nginx.server, 20_000.0, effort.run))?;
    counted(&agent, report.requests)?;
    let seconds = |metrics: &Metrics| by_program(metrics, "hippius_agent_probe_seconds_total");
    let runs = |metrics: &Metrics| by_program(metrics, "hippius_agent_probe_runs_total");
    let after = read_anew(&agent)?;
    let (runs_before, seconds_before, seconds_after) = (runs(&before), seconds(&before), seconds(&after));
    let mut rows = Vec::new();
    let mut total = 0.0;
    for (program, count) in runs(&after) {
        let count = count - runs_before.get(&program).unwrap_or(&0.0);
        let spent = seconds_after.get(&program).unwrap_or(&0.0) - seconds_before.get(&program).unwrap_or(&0.0);
        total += spent;
        if count > 0.0 {
            let ns = spent * 1e9 / count;
            rows.push(Row::told(&format!("probe `{program}`"), format!("{ns:.0} ns per run, {count:.0} runs")));
        }
    }
    ensure!(!rows.is_empty(), "no hippius_agent_probe_runs_total");
    let per_request = Spread::of(&[total * 1e6 / report.requests as f64]);
    let note = "at both ends of the connection; with the clock's own for each run";
    rows.insert(0, Row::at_most("time in the kernel per request, all probes", 1.0, "us", per_request, note));
    Ok(rows)
}

pub fn by_program(metrics: &Metrics, name: &str) -> BTreeMap<String, f64> {
    let programs = metrics.select(name, &[]);
    programs.map(|sample| (sample.labels.get("program").cloned().unwrap_or_default(), sample.value)).collect()
}

/// Ten thousand accounts by trusted headers; how long `/metrics` takes and what it weighs.
pub fn scrape(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    const ACCOUNTS: usize = 10_000;
    let server = Syscall::start(workdir, "recv-send")?;
    let config = Config::new().service_with("api", &[server.server.port], "s3", "behind_gateway = true");
    let agent = Agent::start(config.text(), workdir)?;
    let mut raw = Raw::connect(server.server.address())?;
    for number in 0..ACCOUNTS {
        let account = format!("X-Hippius-Main-Account: account-{number}");
        raw.send(request("GET", "/20", &[&account]))?;
        raw.read_response()?;
    }
    let metrics = counted(&agent, ACCOUNTS as u64)?;
    let mut milliseconds = Vec::new();
    for _ in 0..effort.rounds {
        let start = Instant::now();
        agent.get("/metrics")?;
        milliseconds.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    let lines = format!("{} lines, {ACCOUNTS} accounts", metrics.all().len());
    let resident = Spread::of(&[agent.memory_bytes()?.0 as f64 / MIB]);
    Ok(vec![
        Row::at_most("scrape", 100.0, "ms", Spread::of(&milliseconds), &lines),
        Row::at_most("resident memory with these accounts", 80.0, "MiB", resident, ""),
    ])
}
