//! The guest's root: an archive that the kernel unpacks into memory. Programs come from this machine, each with the
//! libraries that `ldd` names, so the guest runs exactly what the tests run against here.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::step;

const INIT: &str = include_str!("init.sh");

/// Programs of the host that the guest's scripts and tests start.
const PROGRAMS: [&str; 16] = [
    "sh",
    "mount",
    "mkdir",
    "rm",
    "ip",
    "uname",
    "sleep",
    "cat",
    "ls",
    "dmesg",
    "grep",
    "nginx",
    "redis-server",
    "curl",
    "kill",
    "openssl",
];

/// Found on many machines; for whoever looks around in a guest.
const WELCOME: [&str; 4] = ["bpftool", "head", "ps", "sysctl"];

/// What programs read beside their libraries; where it is missing, they do without.
const FILES: [&str; 1] = ["/usr/lib/ssl/openssl.cnf"];

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
    pub fn build(folder: &Path, own: &[Own], job: &str) -> Result<Self> {
        let tree = folder.join(format!("root-{}", std::process::id()));
        let root = Self { archive: tree.with_extension("cpio") };
        fill(&tree, own, job)?;
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

fn fill(folder: &Path, own: &[Own], job: &str) -> Result<()> {
    let _ = fs::remove_dir_all(folder);
    let mut tree = Tree { root: folder.to_path_buf(), done: BTreeSet::new() };
    for name in ["proc", "sys", "dev", "tmp", "root", "run", "t", "var/log", "etc"] {
        fs::create_dir_all(folder.join(name))?;
    }
    // Debian's layout: one tree, whichever of the two names a program uses.
    for name in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(folder.join("usr").join(name))?;
        symlink(Path::new("usr").join(name), folder.join(name))?;
    }
    for name in PROGRAMS {
        let path = step::find_program(name).with_context(|| format!("there is no program {name} here"))?;
        tree.program(&path)?;
    }
    for path in WELCOME.iter().filter_map(|name| step::find_program(name)) {
        tree.program(&path)?;
    }
    for path in FILES.iter().map(Path::new).filter(|path| path.exists()) {
        tree.copy(path)?;
    }
    for Own { from, name } in own {
        tree.stripped(from, &Path::new("t").join(name))?;
    }
    tree.text("init", INIT, 0o755)?;
    tree.text("t/job", job, 0o644)?;
    tree.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n", 0o644)?;
    tree.text("etc/group", "root:x:0:\nnogroup:x:65534:\n", 0o644)?;
    tree.text("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n", 0o644)?;
    tree.text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n", 0o644)
}

struct Tree {
    root: PathBuf,
    done: BTreeSet<PathBuf>,
}

impl Tree {
    /// A program and its libraries, each at the place where it is on the host.
    fn program(&mut self, path: &Path) -> Result<()> {
        self.copy(path)?;
        self.libraries(path)
    }

    fn libraries(&mut self, of: &Path) -> Result<()> {
        // A static program has none, and `ldd` says so by failing.
        let names = step::answer(Command::new("ldd").arg(of).stderr(Stdio::null())).unwrap_or_default();
        for library in libraries(&names) {
            self.copy(library)?;
        }
        Ok(())
    }

    fn copy(&mut self, path: &Path) -> Result<()> {
        let inside = path.strip_prefix("/").with_context(|| format!("{} is no full path", path.display()))?;
        if !self.done.insert(inside.to_path_buf()) {
            return Ok(());
        }
        let to = self.root.join(inside);
        fs::create_dir_all(to.parent().context("no folder")?)?;
        fs::copy(path, &to).with_context(|| format!("cannot copy {}", path.display()))?;
        Ok(())
    }

    /// Without debug information, which is many times the program; whole where there is no `strip`.
    fn stripped(&mut self, from: &Path, inside: &Path) -> Result<()> {
        let to = self.root.join(inside);
        let mut strip = Command::new("strip");
        if step::answer(strip.arg("--strip-debug").arg("-o").arg(&to).arg(from)).is_none() {
            fs::copy(from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
        self.libraries(from)
    }

    fn text(&self, inside: &str, text: &str, mode: u32) -> Result<()> {
        let to = self.root.join(inside);
        fs::write(&to, text)?;
        Ok(fs::set_permissions(&to, fs::Permissions::from_mode(mode))?)
    }
}

/// Lines such as `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn libraries(ldd: &str) -> impl Iterator<Item = &Path> {
    let words = ldd.lines().flat_map(str::split_whitespace);
    words.filter(|word| word.starts_with('/')).map(Path::new)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_names_the_libraries() {
        let text = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let found: Vec<_> = libraries(text).collect();
        assert_eq!(found, [Path::new("/lib/x86_64-linux-gnu/libc.so.6"), Path::new("/lib64/ld-linux-x86-64.so.2")]);
        assert_eq!(libraries("\tstatically linked\n").count(), 0);
    }
}
