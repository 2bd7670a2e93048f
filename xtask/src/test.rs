//! `cargo xtask test`: everything that must hold before a change goes in.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::summary::Summary;
use crate::workspace::Workspace;
use crate::{build, fuzz, lint, run_check, step, toolchain, vmtest};

/// Run every check: format, layers, `cargo xtask run`, clippy, fuzz targets, other kernels, unit, integration and kernel
/// tests.
///
/// Tests that load kernel programs need root and a kernel that allows it. Where that is missing they are skipped and
/// the summary says why; with HIPPIUS_REQUIRE_BPF=1 in the environment a skip is a failure.
#[derive(clap::Args)]
pub struct Args {
    /// Fuzz each target for 5 seconds
    #[arg(long)]
    quick: bool,
    /// Fuzz each target for this many seconds [default: 60, or 5 with --quick]
    #[arg(long, value_name = "SECONDS")]
    fuzz_seconds: Option<u32>,
    /// Leave out the kernels that are booted in an emulator (`cargo xtask vmtest`)
    #[arg(long)]
    no_vm: bool,
}

pub fn task(workspace: &Workspace, args: &Args) -> Result<()> {
    let mut summary = Summary::default();
    lint::sources(workspace, &mut summary);
    summary.step("test services", || toolchain::for_tests().and_then(|()| toolchain::for_old_tls(workspace)));
    let built =
        summary.step("build", || build::task(workspace, &build::Args { debug: false, ebpf_only: false }).map(drop));
    if built {
        run_check::step(workspace, &mut summary);
        summary.step("clippy", || lint::clippy(workspace));
        summary.step("fuzz", || fuzz::task(workspace, &args.fuzz()));
        kernels(workspace, args, &mut summary);
        // Last, so that what cargo says of the tests stands at the end of the log.
        summary.step("tests", || tests(workspace));
        note_skips(workspace, &mut summary);
    } else {
        for name in ["run", "clippy", "fuzz", "kernels", "tests"] {
            summary.skip(name, "the build failed");
        }
    }
    summary.finish()
}

impl Args {
    fn fuzz(&self) -> fuzz::Args {
        let seconds = self.fuzz_seconds.unwrap_or(if self.quick { 5 } else { 60 });
        fuzz::Args { seconds, targets: Vec::new() }
    }
}

/// Other kernels in an emulator. A machine that cannot have one, or cannot fetch kernels, says so.
fn kernels(workspace: &Workspace, args: &Args, summary: &mut Summary) {
    const NAME: &str = "kernels";
    if args.no_vm {
        return summary.skip(NAME, "--no-vm");
    }
    match vmtest::prepare(workspace) {
        Err(error) if !step::bpf_is_required() => summary.skip(NAME, &format!("{error:#}")),
        prepared => {
            let all = vmtest::Args::all(workspace.agent(false));
            summary.step(NAME, || prepared.and_then(|()| vmtest::task(workspace, &all)));
        }
    }
}

/// Unit, integration and kernel tests. The last skip themselves where the kernel or the user cannot load programs.
fn tests(workspace: &Workspace) -> Result<()> {
    let skips = skip_log(workspace);
    fs::create_dir_all(workspace.own_target(""))?;
    fs::write(&skips, "").with_context(|| format!("cannot write {}", skips.display()))?;
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]).env("HIPPIUS_SKIP_LOG", skips);
    tell_where_the_agent_is(workspace, &mut cargo);
    step::run(&mut cargo)
}

/// Tests and benchmarks run the agent as it is shipped.
pub fn tell_where_the_agent_is(workspace: &Workspace, command: &mut Command) {
    command.env("HIPPIUS_AGENT", workspace.agent(false));
}

/// A test that skips itself appends one line `test name: why` here: its own output is not shown when it passes.
fn skip_log(workspace: &Workspace) -> std::path::PathBuf {
    workspace.own_target("skipped-tests.txt")
}

fn note_skips(workspace: &Workspace, summary: &mut Summary) {
    let log = fs::read_to_string(skip_log(workspace)).unwrap_or_default();
    for line in log.lines() {
        let (name, why) = line.split_once(": ").unwrap_or((line, "no reason given"));
        summary.skip(name, why);
    }
}
