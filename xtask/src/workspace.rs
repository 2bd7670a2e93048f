//! Where things are: sources, build outputs, and the tools that tasks install.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Environment variable through which the agent's build script learns where the kernel programs are.
pub const EBPF_OBJECT_VAR: &str = "HIPPIUS_EBPF_OBJECT";

/// The project's directories.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace that this xtask belongs to. Cargo sets the variable at run time too, which stays right
    /// when several checkouts share one target directory.
    pub fn find() -> Result<Self> {
        let manifest_dir =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest_dir.parent().context("xtask has no parent directory")?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// The directory of the top `Cargo.toml`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the root.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// Where cargo puts what it builds for the host.
    pub fn cargo_target(&self) -> PathBuf {
        match env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => self.root.join(dir),
            None => self.root.join("target"),
        }
    }

    /// What the tasks themselves produce: kernel programs, tools, services. It stays below the root even when
    /// `CARGO_TARGET_DIR` points elsewhere, so that the agent's build script and the tests find it without a variable.
    pub fn own_target(&self, name: &str) -> PathBuf {
        self.root.join("target").join(name)
    }

    /// The compiled kernel programs.
    pub fn ebpf_object(&self) -> PathBuf {
        self.own_target("bpf").join("bpfel-unknown-none/release/hippius-ebpf")
    }

    /// The agent's executable, built as `debug` or `release`.
    pub fn agent(&self, debug: bool) -> PathBuf {
        self.cargo_target().join(if debug { "debug" } else { "release" }).join("hippius-agent")
    }

    /// Cargo for the host, in the root, told where the kernel programs are.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).env(EBPF_OBJECT_VAR, self.ebpf_object());
        command
    }
}
