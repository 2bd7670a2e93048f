//! `cargo xtask build`: the kernel programs first, then the agent that carries them.

use std::path::PathBuf;

use anyhow::Result;

use crate::step;
use crate::strip;
use crate::toolchain;
use crate::workspace::Workspace;

/// Where the kernel programs run: eBPF, little-endian.
const BPF_TARGET: &str = "bpfel-unknown-none";

/// Build the kernel programs and the agent that carries them.
///
/// The kernel programs go to target/bpf and are built into the agent. After this, plain `cargo build` and
/// `cargo test` work too, until the kernel programs change.
#[derive(clap::Args)]
pub struct Args {
    /// Build the agent without optimisation (the kernel programs are always optimised)
    #[arg(long)]
    pub debug: bool,
    /// Build the kernel programs only
    #[arg(long)]
    pub ebpf_only: bool,
}

/// Builds, and gives the agent's path.
pub fn task(workspace: &Workspace, args: &Args) -> Result<PathBuf> {
    ebpf(workspace)?;
    if !args.ebpf_only {
        agent(workspace, args.debug)?;
    }
    Ok(workspace.agent(args.debug))
}

/// Builds the kernel programs.
///
/// `core` must be built from source for this target, which is an unstable feature: `RUSTC_BOOTSTRAP` allows it on a
/// stable compiler. Full debug info gives the object its BTF. The host's release profile must not reach the kernel
/// programs, so what matters is set here.
pub fn ebpf(workspace: &Workspace) -> Result<()> {
    let tools = toolchain::for_ebpf(workspace)?;
    let linker = format!("-Clinker={}", tools.linker.display());
    let rustflags = ["-Cdebuginfo=2", "-Clink-arg=--btf", &linker].join("\x1f");
    let mut cargo = workspace.cargo();
    cargo
        .args(["build", "--release", "--package", "hippius-ebpf", "--bin", "hippius-ebpf", "--features", "bpf"])
        .args(["-Zbuild-std=core", "--target", BPF_TARGET])
        .arg("--target-dir")
        .arg(workspace.own_target("bpf"))
        .env("RUSTC", &tools.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags)
        .env("CARGO_PROFILE_RELEASE_LTO", "false")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "2")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER");
    step::run(&mut cargo)?;
    strip::debug_sections(&workspace.own_target("bpf").join(BPF_TARGET).join("release/hippius-ebpf"), &tools.rustc)
}

/// Builds the agent; the kernel programs must be there.
pub fn agent(workspace: &Workspace, debug: bool) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--package", "hippius-agent"]);
    if !debug {
        cargo.arg("--release");
    }
    step::run(&mut cargo)
}
