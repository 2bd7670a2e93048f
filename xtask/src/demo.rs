//! `cargo xtask demo`: everything on one machine, to look at.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{build, step, test, toolchain};

/// Show the agent at work: an S3 service, its clients and the agent on this host.
///
/// What it starts is in `tests/src/bin/demo.rs`; it cleans up when it ends.
#[derive(clap::Args)]
pub struct Args {
    /// Arguments for the demo, after `--`
    #[arg(last = true)]
    demo: Vec<OsString>,
}

pub fn task(workspace: &Workspace, args: &Args) -> Result<()> {
    toolchain::for_tests()?;
    build::task(workspace, &build::Args { debug: false, ebpf_only: false })?;
    step::run(workspace.cargo().args(["build", "--package", "hippius-tests", "--bin", "demo"]))?;
    let mut demo = Command::new(workspace.cargo_target().join("debug/demo"));
    demo.args(&args.demo).current_dir(workspace.root());
    test::tell_where_the_agent_is(workspace, &mut demo);
    step::exec_as_root(&mut demo)
}
