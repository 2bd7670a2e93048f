//! Node modules: an S3 server that was not written here, and schemas to validate with. And the lock that installations share.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{paths, process};

/// The folder that holds `node_modules` of the servers (`target/node`).
pub fn modules() -> Result<PathBuf> {
    installed("node", "")
}

/// The folder that holds `node_modules` of an IPFS node (`target/ipfs-node`).
pub fn ipfs() -> Result<PathBuf> {
    installed("ipfs-node", "ipfs")
}

/// The folder that holds `node_modules` of the validators (`target/tools-node`).
pub fn tools() -> Result<PathBuf> {
    installed("tools-node", "tools")
}

/// The folder `name`, installed first where it is missing or the pins in `of_tests` changed.
fn installed(name: &str, of_tests: &str) -> Result<PathBuf> {
    let folder = paths::installed().join(name);
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join(of_tests);
    let pins = ["package.json", "package-lock.json"];
    let wanted = pins.iter().map(|name| std::fs::read_to_string(pinned.join(name))).collect::<Result<String, _>>()?;
    let stamp = folder.join("package.stamp");
    let _lock = InstallLock::take(&folder)?;
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    std::fs::create_dir_all(&folder)?;
    for name in pins {
        std::fs::copy(pinned.join(name), folder.join(name))?;
    }
    let mut install = Command::new("npm");
    install.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(&folder).current_dir(&folder);
    process::run(&mut install).context("npm ci")?;
    std::fs::write(&stamp, wanted)?;
    Ok(folder)
}

/// Held while a folder under `target` is looked at or installed: test binaries may start at the same time.
pub struct InstallLock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl InstallLock {
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.with_extension("lock");
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        file.lock().with_context(|| format!("lock {}", path.display()))?;
        Ok(Self(file))
    }
}
