//! Redis under pipelined load while the agent reads every command on the client's sockets.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::redis::Redis;
use hippius_tests::stats::Spread;
use hippius_tests::workdir::Workdir;
use hippius_tests::{paths, wait};

use crate::Effort;
use crate::cost::{BpfStats, by_program};
use crate::redis_server::Stats;
use crate::report::Row;
use crate::rounds::compare;

const CONNECTIONS: u64 = 16;
const PIPELINE: u64 = 16;
const COUNT: &str = "db_client_operation_duration_seconds_count";
/// Commands per second that must be followed without loss.
const RATE: u64 = 100_000;

pub fn pipelined(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let redis = Redis::start(workdir)?;
    let mut client = Client::start(&redis)?;
    let config =
        Config::with_calls().service("nothing", 1).section("[[client]]\nname = \"load\"\nprocess = \"redis_load\"");
    let mut rows = saturated(&redis, &mut client, &config, workdir, effort)?;
    rows.extend(offered(&redis, &mut client, &config, workdir, effort)?);
    rows.push(in_the_kernel(&mut client, &config, workdir, effort)?);
    Ok(rows)
}

fn saturated(
    redis: &Redis,
    client: &mut Client,
    config: &Config,
    workdir: &Workdir,
    effort: Effort,
) -> Result<Vec<Row>> {
    let commands = (client.run(50_000, None)? * effort.run.as_secs_f64()) as u64;
    let (mut cpu_ns, mut seen) = (Vec::new(), Vec::new());
    let pairs = compare(workdir, config, effort.rounds, |agent| {
        let Some(agent) = agent else { return client.run(commands, None) };
        let (before, truth) = (agent.cpu_ns()?, served(redis)?);
        let rate = client.run(commands, None)?;
        let truth = served(redis)? - truth;
        let found = followed(agent, truth)?;
        cpu_ns.push((agent.cpu_ns()? - before) as f64 / truth as f64);
        seen.push((truth, found));
        Ok(rate)
    })?;
    let without = pairs.without(|rate| *rate).map_or(String::new(), |spread| format!("{:.0}/s without", spread.median));
    Ok(vec![
        Row::told(
            "Redis, pipelines of 16 on 16 connections, all commands read, at saturation: commands/s",
            pairs.ratio(|rate| *rate).map_or(String::new(), |spread| spread.show(3)) + "; " + &without,
        ),
        Row::told(
            "the same: agent's own CPU per command",
            Spread::of(&cpu_ns).map_or(String::new(), |spread| spread.show(0) + " ns"),
        ),
        missed("the same: commands counted beside the server's, of all", &seen),
    ])
}

fn offered(redis: &Redis, client: &mut Client, config: &Config, workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let commands = |run: Duration| (RATE as f64 * run.as_secs_f64()) as u64;
    let pairs = compare(workdir, config, effort.rounds, |_| client.run(commands(effort.run), Some(RATE)))?;
    let agent = Agent::start(config.text(), workdir)?;
    let (before, truth) = (agent.cpu_ns()?, served(redis)?);
    client.run(commands(effort.soak), Some(RATE))?;
    let truth = served(redis)? - truth;
    let found = followed(&agent, truth)?;
    let cpu_ns = (agent.cpu_ns()? - before) as f64 / truth as f64;
    let lost = found.sum("hippius_agent_events_lost_total", &[]);
    let reasons = reasons(&found);
    Ok(vec![
        Row::at_least(
            "Redis at 100 000 commands/s, pipelines of 16: commands/s",
            0.97,
            pairs.ratio(|rate| *rate),
            &format!("agent's CPU {cpu_ns:.0} ns per command"),
        ),
        Row::at_most(
            &format!("the same for {} s: events lost", effort.soak.as_secs()),
            0.0,
            "",
            Spread::of(&[lost as f64]),
            &reasons,
        ),
        Row::at_most(
            "the same: commands counted beside the server's",
            0.0,
            "",
            Spread::of(&[truth.abs_diff(counted(&found)) as f64]),
            &format!("of {truth}"),
        ),
    ])
}

/// By the kernel's own measurement of its programs, which is part of what it measures.
fn in_the_kernel(client: &mut Client, config: &Config, workdir: &Workdir, effort: Effort) -> Result<Row> {
    let _stats = BpfStats::on()?;
    let agent = Agent::start(config.text(), workdir)?;
    let spent = |metrics: &Metrics| -> f64 { by_program(metrics, "hippius_agent_probe_seconds_total").values().sum() };
    let before = spent(&agent.scrape()?);
    let commands = (RATE as f64 * effort.run.as_secs_f64()) as u64;
    client.run(commands, Some(RATE))?;
    let ns = (spent(&agent.scrape()?) - before) * 1e9 / commands as f64;
    Ok(Row::told("the same: time in the kernel per command, all probes", format!("{ns:.0} ns")))
}

/// What the server has run for the client.
fn served(redis: &Redis) -> Result<u64> {
    let stats = Stats::of(redis)?;
    Ok((stats.of_command("set").calls + stats.of_command("get").calls) as u64)
}

fn counted(metrics: &Metrics) -> u64 {
    metrics.sum(COUNT, &[("system", "redis")])
}

/// The metrics when all is counted, or when the count stands still.
fn followed(agent: &Agent, truth: u64) -> Result<Metrics> {
    let (mut last, mut moved) = (agent.scrape()?, Instant::now());
    wait::until("a count that stands still", wait::WIDE, || {
        let now = agent.scrape().ok()?;
        if counted(&now) != counted(&last) {
            moved = Instant::now();
        }
        last = now;
        (counted(&last) >= truth || moved.elapsed() > Duration::from_secs(2)).then_some(())
    })?;
    Ok(last)
}

fn missed(what: &str, seen: &[(u64, Metrics)]) -> Row {
    let all: u64 = seen.iter().map(|(truth, _)| truth).sum();
    let missed: u64 = seen.iter().map(|(truth, metrics)| truth.abs_diff(counted(metrics))).sum();
    let worst = seen.iter().max_by_key(|(truth, metrics)| truth.abs_diff(counted(metrics)));
    let reasons = worst.map_or(String::new(), |(_, metrics)| reasons(metrics));
    Row::told(what, format!("{missed} of {all}; {reasons}"))
}

/// Losses by reason, as one line.
fn reasons(metrics: &Metrics) -> String {
    let mut reasons = metrics.by("hippius_agent_events_lost_total", &[], "reason");
    reasons.retain(|_, count| *count > 0);
    if reasons.is_empty() {
        return "nothing lost".to_owned();
    }
    let words: Vec<String> = reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    format!("lost in the worst round: {}", words.join(", "))
}

/// The load's process, started before any agent, so that each finds it.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Client {
    fn start(redis: &Redis) -> Result<Self> {
        let mut command = Command::new(paths::own_binary("redis_load")?);
        command.args([redis.server.port.to_string(), CONNECTIONS.to_string(), PIPELINE.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start redis_load")?;
        let input = child.stdin.take().context("input")?;
        let output = BufReader::new(child.stdout.take().context("output")?);
        Ok(Self { child, input, output })
    }

    /// About so many commands; how many per second were answered.
    fn run(&mut self, commands: u64, rate: Option<u64>) -> Result<f64> {
        let batches = commands.div_ceil(CONNECTIONS * PIPELINE);
        let rate = rate.map_or_else(String::new, |rate| rate.to_string());
        writeln!(self.input, "{batches} {rate}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the client ended");
        let seconds: f64 = line.trim_end().parse().with_context(|| format!("the client says {line:?}"))?;
        Ok((batches * CONNECTIONS * PIPELINE) as f64 / seconds)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
