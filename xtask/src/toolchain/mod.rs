//! Finds what a task needs and installs what is missing.
//!
//! Silent and quick when all is there. As root it installs; as an ordinary user it names the commands to run and
//! touches nothing outside the project, except for a `rustup component add`.

mod apt;
pub mod debian;
mod linker;
mod llvm;
mod old_openssl;
mod rustc;
mod test_services;

use std::path::PathBuf;

use anyhow::Result;

use crate::step;
use crate::workspace::Workspace;

/// What the kernel programs are built with.
#[derive(Debug)]
pub struct BpfTools {
    /// A compiler whose own sources are installed.
    pub rustc: PathBuf,
    /// bpf-linker, built against that compiler's LLVM or a newer one.
    pub linker: PathBuf,
}

/// Makes sure that the kernel programs can be built.
pub fn for_ebpf(workspace: &Workspace) -> Result<BpfTools> {
    let rustc = rustc::with_sources()?;
    let linker = linker::ensure(workspace, rustc.llvm_major)?;
    Ok(BpfTools { rustc: rustc.path, linker })
}

/// Makes sure that the servers and clients of the integration tests are there. None of them is left running. What comes
/// from Python's and Node's registries the tests install themselves, below `target`, so plain `cargo test` works too.
pub fn for_tests() -> Result<()> {
    test_services::ensure()
}

/// Makes sure that what only older releases of Debian have is there for the tests, below `target`.
pub fn for_old_tls(workspace: &Workspace) -> Result<()> {
    old_openssl::ensure(workspace)
}

/// Makes sure that kernels can be booted in the emulator `program`, which Debian's `package` has.
pub fn for_vms(program: &str, package: &str) -> Result<()> {
    if [program, "cpio"].iter().all(|name| step::find_program(name).is_some()) {
        return Ok(());
    }
    apt::ensure(&[package, "cpio"], "what kernels are booted with")
}

/// Makes sure that what another processor runs can be built, with the compiler and libraries in Debian's `packages`.
pub fn for_another_processor(packages: &[&str]) -> Result<()> {
    apt::ensure(packages, "what programs of another processor are built with")
}
