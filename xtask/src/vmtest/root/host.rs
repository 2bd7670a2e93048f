//! From this machine: programs, each with the libraries that `ldd` names, so the guest runs exactly what the tests run
//! against here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::step;

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

/// Puts them below `root`; `own` are the project's programs, which need libraries too.
pub fn fill<'a>(root: &Path, own: impl Iterator<Item = &'a Path>) -> Result<()> {
    let mut tree = Tree { root: root.to_path_buf(), done: BTreeSet::new() };
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
    for program in own {
        tree.libraries(program)?;
    }
    Ok(())
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
}

/// Lines such as `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn libraries(ldd: &str) -> impl Iterator<Item = &Path> {
    let words = ldd.lines().flat_map(str::split_whitespace);
    words.filter(|word| word.starts_with('/')).map(Path::new)
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
