//! One kernel's guest, from the kernel's package to what its job wrote.

use std::fs::{self, File};
use std::path::Path;

use anyhow::Result;

use super::matrix::Kernel;
use super::{boot, fetch};
use crate::step::say;

/// How a guest is to run.
#[derive(Debug)]
pub struct Order<'a> {
    pub kernel: &'a Kernel,
    /// The archive with its root.
    pub root: &'a Path,
    /// What its job is told.
    pub words: &'a str,
    /// Whether a newer build of the kernel is looked for.
    pub refresh: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Name of the kernel's package.
    pub package: String,
    pub output: String,
}

/// Boots the kernel, which is kept with its logs in a folder of its own below `folder`.
pub fn run(folder: &Path, order: &Order) -> Result<Outcome> {
    let Order { kernel, root, words, refresh } = *order;
    let logs = folder.join(kernel.series);
    fs::create_dir_all(&logs)?;
    // Another task, or another call of this one, may be at the same kernel.
    let turn = File::create(logs.join("lock"))?;
    turn.lock()?;
    let image = fetch::image(&logs, kernel, refresh)?;
    say(&format!("[{}] boots {}", kernel.series, image.package));
    let guest = boot::Guest {
        name: kernel.series,
        vmlinuz: &image.vmlinuz,
        root,
        arch: kernel.arch,
        cpu: kernel.cpu,
        words,
        logs: &logs,
    };
    Ok(Outcome { package: image.package, output: boot::run(&guest)? })
}
