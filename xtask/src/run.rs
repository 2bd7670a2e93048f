//! `cargo xtask run`: build, then become the agent.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{build, step};

/// Build the agent and run it as root.
///
/// Without arguments it runs without a configuration: every HTTP service of this host is found and shown. Ends on
/// Ctrl-C.
#[derive(clap::Args)]
pub struct Args {
    /// Build without optimisation
    #[arg(long)]
    debug: bool,
    /// Arguments for `hippius-agent run`, after `--`
    #[arg(last = true)]
    agent: Vec<OsString>,
}

pub fn task(workspace: &Workspace, args: &Args) -> Result<()> {
    let agent = build::task(workspace, &build::Args { debug: args.debug, ebpf_only: false })?;
    // Where that is, only the agent knows: arguments and a configuration decide it.
    step::say("the agent says where its page is as soon as it has started; Ctrl-C ends it");
    step::exec_as_root(Command::new(agent).arg("run").args(&args.agent))
}
