//! Takes the debug information out of the kernel object once the linker has made BTF of it: four fifths of the file, which
//! the agent would carry along and read at each start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::step;

/// Rewrites the file in place, so that cargo goes on to take it for its own, and only where that changes it. Compilers
/// from rustup bring the tool; without it the object stays large, which is no error.
pub fn debug_sections(file: &Path, rustc: &Path) -> Result<()> {
    let Some(tool) = objcopy(rustc) else { return Ok(()) };
    let stripped = file.with_extension("stripped");
    step::run(Command::new(tool).arg("--strip-debug").args([file, &stripped]))?;
    let bytes = fs::read(&stripped)?;
    if bytes != fs::read(file)? {
        fs::write(file, bytes)?;
    }
    Ok(fs::remove_file(stripped)?)
}

/// `rust-objcopy` of the compiler.
fn objcopy(rustc: &Path) -> Option<PathBuf> {
    let libraries = step::answer(Command::new(rustc).args(["--print", "target-libdir"]))?;
    Some(Path::new(libraries.trim()).parent()?.join("bin/rust-objcopy")).filter(|tool| tool.exists())
}
