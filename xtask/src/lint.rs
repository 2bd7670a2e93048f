//! `cargo xtask lint`: what needs no kernel and no servers.

use anyhow::Result;

use crate::summary::Summary;
use crate::workspace::Workspace;
use crate::{build, dashboards, layers, step};

/// Check formatting, layers, and clippy with warnings denied.
///
/// The kernel programs are built first: clippy must build the agent, which carries them.
#[derive(clap::Args)]
pub struct Args {}

pub fn task(workspace: &Workspace, _: &Args) -> Result<()> {
    let mut summary = Summary::default();
    sources(workspace, &mut summary);
    if summary.step("kernel programs", || build::ebpf(workspace)) {
        summary.step("clippy", || clippy(workspace));
    } else {
        summary.skip("clippy", "there are no kernel programs to build the agent with");
    }
    summary.finish()
}

/// What only reads the sources: formatting, layers, and whether the dashboards are those of their sources.
pub fn sources(workspace: &Workspace, summary: &mut Summary) {
    summary.step("format", || format(workspace));
    summary.step("layers", || layers::task(workspace, &layers::Args {}));
    summary.step("dashboards", || dashboards::task(workspace, &dashboards::Args { check: true }));
}

/// The fuzz targets are a workspace of their own, so `cargo fmt --all` does not reach them.
fn format(workspace: &Workspace) -> Result<()> {
    step::run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    step::run(workspace.cargo().args(["fmt", "--manifest-path", "tests/fuzz/Cargo.toml", "--check"]))
}

/// Clippy over everything that is built for the host.
pub fn clippy(workspace: &Workspace) -> Result<()> {
    step::run(workspace.cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}
