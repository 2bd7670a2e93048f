//! What a probed TLS library costs: each call of it, between two ends in memory.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use hippius_tests::agent::Agent;
use hippius_tests::certificate::Certificate;
use hippius_tests::config::Config;
use hippius_tests::stats::Spread;
use hippius_tests::workdir::Workdir;
use hippius_tests::{paths, python, wait};

use crate::Effort;
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
        wait::until("the library is probed", wait::WIDE, || {
            let metrics = agent.scrape().ok()?;
            (metrics.sum("hippius_agent_tls_processes", &[]) > 0).then_some(())
        })?;
    }
    input.write_all(b"go\n")?;
    let line = output.next().context("the client ended")??;
    child.wait()?;
    line.parse().with_context(|| format!("the client says {line:?}"))
}
