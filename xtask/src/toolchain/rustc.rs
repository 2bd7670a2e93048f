//! A compiler whose own sources are installed, so that `core` can be built for the BPF target.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use crate::step::{self, say};

/// Debian's compiler for web browsers, kept current in its stable releases. It serves where the running compiler's
/// sources cannot be had.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// What a compiler says of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Rustc {
    pub path: PathBuf,
    pub llvm_major: u32,
    minor: u32,
}

/// Finds such a compiler: the running one, else Debian's; installs sources only when neither has them.
pub fn with_sources() -> Result<Rustc> {
    let path = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let running = Rustc::ask(&path).with_context(|| format!("`{} -vV` gives no version", path.display()))?;
    if running.has_sources() {
        return Ok(running);
    }
    if let Some(debian) = debian() {
        return Ok(debian);
    }
    if step::find_program("rustup").is_some() {
        say("adding the compiler's sources, from which `core` is built for the kernel");
        match step::run(Command::new("rustup").args(["component", "add", "rust-src"])) {
            Ok(()) if running.has_sources() => return Ok(running),
            Ok(()) => say("rustup's sources are not those of the running compiler; trying Debian's compiler"),
            Err(error) => say(&format!("{error}; trying Debian's compiler")),
        }
    }
    apt::ensure(&DEBIAN_PACKAGES, "a compiler with its sources, from which `core` is built for the kernel")
        .context("the compiler's sources are missing: run `rustup component add rust-src`")?;
    match debian() {
        Some(debian) => Ok(debian),
        None => bail!("{DEBIAN_RUSTC} is too old or has no sources: run `rustup component add rust-src`"),
    }
}

/// Debian's compiler, if it is new enough for this project and has its sources.
fn debian() -> Option<Rustc> {
    let debian = Rustc::ask(Path::new(DEBIAN_RUSTC))?;
    (debian.minor >= minor(env!("CARGO_PKG_RUST_VERSION"))? && debian.has_sources()).then_some(debian)
}

impl Rustc {
    fn ask(path: &Path) -> Option<Self> {
        let text = step::answer(Command::new(path).arg("-vV"))?;
        Some(Self {
            path: path.to_path_buf(),
            llvm_major: field(&text, "LLVM version: ")?.split('.').next()?.parse().ok()?,
            minor: minor(field(&text, "release: ")?)?,
        })
    }

    fn has_sources(&self) -> bool {
        let sysroot = step::answer(Command::new(&self.path).args(["--print", "sysroot"])).unwrap_or_default();
        Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml").is_file()
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

/// `1.95.0` → 95
fn minor(version: &str) -> Option<u32> {
    version.split('.').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_compiler_tells_its_llvm() {
        let rustc = Rustc::ask(Path::new("rustc")).expect("rustc");
        assert!(rustc.llvm_major >= 22 && rustc.minor >= 95, "{rustc:?}");
    }

    #[test]
    fn versions_are_read_by_their_minor_number() {
        assert_eq!(minor("1.95"), Some(95));
        assert_eq!(minor("1.97.0-nightly"), Some(97));
        assert_eq!(field("a\nrelease: 1.2.3\n", "release: "), Some("1.2.3"));
    }
}
