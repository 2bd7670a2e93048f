//! `cargo xtask bench`: what the agent costs, measured on this machine.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;
use crate::{build, step, toolchain, vmtest};

/// Measure what the agent costs: throughput and latency with and without it, CPU, memory, scrape time.
///
/// The measurements are in `tests/src/bin/bench`. Run it as root on a machine that does nothing else. Each part is kept in
/// target/bench, and docs/benchmarks.md is printed from all of them.
#[derive(clap::Args)]
pub struct Args {
    /// Measure on the kernels of `vmtest` instead, in an emulator: nothing but ratios
    #[arg(long, conflicts_with = "bench")]
    kernels: bool,
    /// Measure this agent instead of building one
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    /// Arguments for the benchmark, after `--` (`-- --help` lists them)
    #[arg(last = true)]
    bench: Vec<OsString>,
}

pub fn task(workspace: &Workspace, args: &Args) -> Result<()> {
    toolchain::for_tests()?;
    let agent = match &args.agent {
        Some(agent) => agent.clone(),
        None => build::task(workspace, &build::Args { debug: false, ebpf_only: false })?,
    };
    let mut cargo = workspace.cargo();
    // With the client of Redis that the benchmark starts.
    step::run(cargo.args(["build", "--release", "--package", "hippius-tests", "--bins"]))?;
    let program = workspace.cargo_target().join("release/bench");
    let mut bench = Command::new(&program);
    bench.env("HIPPIUS_AGENT", &agent);
    let mut missing = Vec::new();
    if args.kernels {
        let folder = workspace.own_target("bench");
        fs::create_dir_all(&folder)?;
        let guests = folder.join("guests");
        let measured = vmtest::measure::parts(workspace, agent, program)?;
        missing = measured.missing;
        fs::write(&guests, measured.parts.join("\n")).with_context(|| format!("cannot write {}", guests.display()))?;
        bench.arg("--page").arg("--keep").arg(guests);
    }
    bench.args(&args.bench);
    step::run(&mut bench)?;
    // Not before what was measured is kept.
    ensure!(missing.is_empty(), "{}", missing.join("\n"));
    Ok(())
}
