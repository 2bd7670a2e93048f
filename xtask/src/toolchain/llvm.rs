//! LLVM's libraries, of the compiler's own major version, to build bpf-linker against.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::apt;

/// Finds or installs LLVM and gives its prefix. `LLVM_PREFIX` names one that lives elsewhere.
pub fn ensure(major: u32) -> Result<PathBuf> {
    if let Some(prefix) = env::var_os("LLVM_PREFIX") {
        return Ok(prefix.into());
    }
    let (llvm, polly) = (format!("llvm-{major}-dev"), format!("libpolly-{major}-dev"));
    let packages = [&llvm, &polly, "zlib1g-dev", "libzstd-dev", "g++"];
    apt::ensure(&packages, "LLVM, to build bpf-linker against")
        .with_context(|| format!("LLVM {major}'s libraries are missing (LLVM_PREFIX may name their prefix)"))?;
    Ok(PathBuf::from(format!("/usr/lib/llvm-{major}")))
}
