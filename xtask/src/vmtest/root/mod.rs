//! The guest's root: an archive that the kernel unpacks into memory.

mod host;
mod packages;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::arch::Arch;
use crate::step;

const INIT: &str = include_str!("../init.sh");

/// A file that is put below `/t`.
#[derive(Debug)]
pub struct Own {
    pub from: PathBuf,
    pub name: &'static str,
}

/// The archive; gone at the end.
#[derive(Debug)]
pub struct Root {
    archive: PathBuf,
}

impl Root {
    /// Builds it in `folder`, under a name of this process' own: another may be at work there too.
    pub fn build(folder: &Path, arch: Arch, own: &[Own], job: &str) -> Result<Self> {
        let tree = folder.join(format!("root-{}-{}", arch.debian(), std::process::id()));
        let root = Self { archive: tree.with_extension("cpio") };
        let _ = fs::remove_dir_all(&tree);
        for name in ["proc", "sys", "dev", "tmp", "root", "run", "t", "var/log", "etc"] {
            fs::create_dir_all(tree.join(name))?;
        }
        // Debian's layout: one tree, whichever of the two names a program uses.
        for name in ["bin", "sbin", "lib", "lib64"] {
            fs::create_dir_all(tree.join("usr").join(name))?;
            symlink(Path::new("usr").join(name), tree.join(name))?;
        }
        if arch.is_native() {
            host::fill(&tree, own.iter().map(|own| own.from.as_path()))?;
        } else {
            packages::fill(&tree, arch, &folder.join(format!("packages-{}", arch.debian())))?;
        }
        fill(&tree, arch, own, job)?;
        archive(&tree, &root.archive)?;
        Ok(root)
    }

    pub fn path(&self) -> &Path {
        &self.archive
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // A leftover below `target` is no reason to fail.
        let _ = fs::remove_file(&self.archive);
    }
}

/// The project's own files, and those that say who is there.
fn fill(tree: &Path, arch: Arch, own: &[Own], job: &str) -> Result<()> {
    for Own { from, name } in own {
        stripped(arch, from, &tree.join("t").join(name))?;
    }
    let text = |inside: &str, text: &str, mode: u32| -> Result<()> {
        let to = tree.join(inside);
        fs::write(&to, text)?;
        Ok(fs::set_permissions(&to, fs::Permissions::from_mode(mode))?)
    };
    text("init", INIT, 0o755)?;
    text("t/job", job, 0o644)?;
    text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n", 0o644)?;
    text("etc/group", "root:x:0:\nnogroup:x:65534:\n", 0o644)?;
    text("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n", 0o644)?;
    text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n", 0o644)
}

/// Without debug information, which is many times the program; whole where there is no `strip`.
fn stripped(arch: Arch, from: &Path, to: &Path) -> Result<()> {
    let mut strip = Command::new(arch.tool("strip"));
    if step::answer(strip.arg("--strip-debug").arg("-o").arg(to).arg(from)).is_none() {
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

/// Uncompressed: unpacking costs more in an emulator than reading.
fn archive(folder: &Path, to: &Path) -> Result<()> {
    let mut cpio = Command::new("cpio");
    cpio.args(["--create", "--format=newc", "--null", "--quiet", "--owner=0:0"]).current_dir(folder);
    let mut cpio = cpio.stdin(Stdio::piped()).stdout(File::create(to)?).spawn().context("cannot start cpio")?;
    let input = cpio.stdin.take().context("cpio's input")?;
    let found = Command::new("find").args([".", "-print0"]).current_dir(folder).stdout(input).status()?;
    if !cpio.wait()?.success() || !found.success() {
        bail!("cannot archive {}", folder.display());
    }
    Ok(fs::remove_dir_all(folder)?)
}
