//! bpf-linker: turns the compiler's LLVM bitcode into a BPF object.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::llvm;
use crate::step::{self, say};
use crate::workspace::Workspace;

/// Pinned: what it emits is what the kernel's verifier sees.
const VERSION: &str = "0.13.0";

/// Finds bpf-linker among the project's own tools or on `PATH`; builds it into the former when there is none.
pub fn ensure(workspace: &Workspace, llvm_major: u32) -> Result<PathBuf> {
    let tools = workspace.own_target("tools");
    let own = tools.join("bin/bpf-linker");
    let candidates = std::iter::once(own.clone()).chain(step::find_program("bpf-linker"));
    if let Some(found) = candidates.into_iter().find(|candidate| works(candidate)) {
        return Ok(found);
    }
    let prefix = llvm::ensure(llvm_major)?;
    say(&format!("building bpf-linker {VERSION} into {} (once, about a minute)", tools.display()));
    install(workspace, &tools, llvm_major, &prefix)?;
    if !works(&own) {
        bail!("{} was built but does not run", own.display());
    }
    Ok(own)
}

/// Its default feature is a newer LLVM than the compiler's. llvm-sys and bpf-linker's own build script each look for
/// LLVM under a variable of their own.
fn install(workspace: &Workspace, tools: &Path, llvm_major: u32, prefix: &Path) -> Result<()> {
    let build = tools.join("build");
    let mut cargo = workspace.cargo();
    cargo
        .args(["install", "bpf-linker", "--version", VERSION, "--locked", "--force"])
        .args(["--no-default-features", "--features", &format!("llvm-{llvm_major}")])
        .arg("--root")
        .arg(tools)
        .arg("--target-dir")
        .arg(&build)
        .env("LLVM_PREFIX", prefix)
        .env(format!("LLVM_SYS_{llvm_major}1_PREFIX"), prefix)
        .env_remove("RUSTFLAGS");
    step::run(&mut cargo).context("bpf-linker could not be built")?;
    fs::remove_dir_all(&build).with_context(|| format!("cannot remove {}", build.display()))
}

/// The pinned version, and able to start (it needs the LLVM library that it was built against).
fn works(linker: &Path) -> bool {
    let said = step::answer(Command::new(linker).arg("--version")).unwrap_or_default();
    said.trim().strip_prefix("bpf-linker ") == Some(VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_is_not_the_linker() {
        assert!(!works(Path::new("/bin/echo")));
        assert!(!works(Path::new("/no/such/file")));
    }
}
