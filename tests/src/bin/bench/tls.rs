//! What a probed TLS library costs, for each call of it and for a client with many connections, and whether the agent
//! keeps these apart.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::certificate::Certificate;
use hippius_tests::clients::tls::{Load, METHODS, TlsClient};
use hippius_tests::config::Config;
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::nginx::{MARKS, Nginx, Options};
use hippius_tests::stats::Spread;
use hippius_tests::workdir::Workdir;
use hippius_tests::{paths, python, wait};

use crate::Effort;
use crate::cost::counted;
use crate::report::Row;
use crate::rounds::compare;

/// Pieces written and read in one run.
const PIECES: u32 = 50_000;

/// Nanoseconds that the agent adds to a call of SSL_read or SSL_write.
pub fn calls(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let certificate = Certificate::create(workdir)?;
    let config = Config::with_calls()
        .capture("tls = true")
        .section("[[client]]\nname = \"calls\"\ncommand = \"*tls_calls.py*\"");
    let pairs = compare(workdir, &config, effort.rounds, |agent| one_run(&certificate, agent))?;
    let added: Vec<f64> = pairs.off.iter().zip(&pairs.on).map(|(off, on)| on - off).collect();
    let without = pairs.without(|call| *call).map_or_else(String::new, |spread| spread.show(0));
    let added = Spread::of(&added).map_or_else(String::new, |spread| spread.show(0));
    let measured = format!("{added} ns more; {without} ns without, of which a part is Python's");
    Ok(vec![Row::told("one call of SSL_read_ex or SSL_write_ex with 1 KiB of a body", measured)])
}

fn one_run(certificate: &Certificate, agent: Option<&Agent>) -> Result<f64> {
    let mut command = Command::new(python::program("python")?);
    command.arg(paths::apps().join("tls_calls.py")).arg(&certificate.certificate).arg(&certificate.key);
    let mut child = command.arg(PIECES.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("input")?;
    let mut output = BufReader::new(child.stdout.take().context("output")?).lines();
    output.next().context("the client says nothing")??;
    if let Some(agent) = agent {
        probed(agent, 1)?;
    }
    input.write_all(b"go\n")?;
    let line = output.next().context("the client ended")??;
    child.wait()?;
    line.parse().with_context(|| format!("the client says {line:?}"))
}

/// Waits until so many processes are known to use probed libraries.
fn probed(agent: &Agent, processes: u64) -> Result<()> {
    wait::until("the library is probed", wait::WIDE, || {
        let metrics = agent.scrape().ok()?;
        (metrics.sum("hippius_agent_tls_processes", &[]) >= processes).then_some(())
    })
}

const CALLS: &str = "http_client_requests_total";
const CONNECTIONS: u64 = 8;

/// Python's asyncio, whose library works on memory: eight connections interleaved in one thread, nginx at the other end,
/// both ends followed. Every connection has a method and a status of its own.
pub fn many(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let nginx = Nginx::start_with(workdir, Options { tls: true, access_log: false, ..Options::default() })?;
    let port = nginx.server.port;
    let config = Config::with_calls()
        .capture("tls = true")
        .service("nginx", port)
        .section("[[client]]\nname = \"python\"\ncommand = \"*tls_client.py*\"");
    let load = |requests: u64| Load { connections: CONNECTIONS, requests: requests / CONNECTIONS };
    let few = load(effort.tls_requests / 50);
    let pairs = compare(workdir, &config, effort.rounds, |agent| requests_per_second(port, few, agent))?;

    let agent = Agent::start(config.text(), workdir)?;
    let all = load(effort.tls_requests);
    requests_per_second(port, all, Some(&agent))?;
    let metrics = counted(&agent, all.total())?;
    let right: u64 = (0..CONNECTIONS as usize).map(|number| of_connection(&metrics, number).min(all.requests)).sum();
    let wrong = metrics.sum(CALLS, &[]) - right;
    let served = metrics.sum("http_requests_total", &[("service", "nginx")]);
    let missing = (all.total() - right).max(all.total().abs_diff(served));

    let without = pairs.without(|rate| *rate).map_or_else(String::new, |spread| spread.show(0));
    let ratio = pairs.ratio(|rate| *rate).map_or_else(String::new, |spread| spread.show(3));
    let what = "HTTPS by Python over memory, 8 connections, nginx at the other end";
    let total = format!("of {} requests", all.total());
    Ok(vec![
        Row::told(&format!("{what}: requests/s"), format!("{ratio}; {without}/s without")),
        Row::at_most("the same: requests on a wrong connection", 0.0, "", Spread::of(&[wrong as f64]), &total),
        Row::at_most("the same: requests not decoded, at either end", 0.0, "", Spread::of(&[missing as f64]), &total),
    ])
}

fn of_connection(metrics: &Metrics, number: usize) -> u64 {
    let (method, status) = (METHODS[number], MARKS[number].to_string());
    metrics.sum(CALLS, &[("peer", "localhost"), ("method", method), ("status_code", &status)])
}

fn requests_per_second(port: u16, load: Load, agent: Option<&Agent>) -> Result<f64> {
    let mut client = TlsClient::python("streams+uvloop", port, load)?;
    if let Some(agent) = agent {
        // nginx' two and the client.
        probed(agent, 3)?;
    }
    let start = Instant::now();
    let right = client.run()?;
    let elapsed = start.elapsed().as_secs_f64();
    ensure!(right == load.total(), "{right} of {} answers were right", load.total());
    Ok(load.total() as f64 / elapsed)
}
