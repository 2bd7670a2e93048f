//! `cargo xtask bench`: what the agent costs, measured on this machine.

use std::ffi::OsString;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{build, step, test, toolchain};

/// Measure what the agent costs: throughput and latency with and without it, CPU, memory, scrape time.
///
/// The measurements are in `tests/src/bin/bench.rs`. Run it as root on a machine that does nothing else.
#[derive(clap::Args)]
pub struct Args {
    /// Arguments for the benchmark, after `--` (`-- --help` lists them)
    #[arg(last = true)]
    bench: Vec<OsString>,
}

pub fn task(workspace: &Workspace, args: &Args) -> Result<()> {
    toolchain::for_tests()?;
    build::task(workspace, &build::Args { debug: false, ebpf_only: false })?;
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--release", "--package", "hippius-tests", "--bin", "bench", "--"]).args(&args.bench);
    test::tell_where_the_agent_is(workspace, &mut cargo);
    step::run(&mut cargo)
}
