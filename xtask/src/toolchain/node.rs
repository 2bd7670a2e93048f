//! Node packages in target/node, as `tests/package.json` pins them.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::apt;
use crate::step::{self, say};
use crate::workspace::Workspace;

/// Installs the packages, or installs them anew when they changed.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    let Ok(package) = fs::read(workspace.join("tests/package.json")) else { return Ok(()) };
    let lock = fs::read(workspace.join("tests/package-lock.json")).ok();
    let wanted = [&package[..], lock.as_deref().unwrap_or_default()].concat();
    let node = workspace.own_target("node");
    // Written last, so it also says that the installation was finished.
    let stamp = node.join("installed-packages.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if step::find_program("npm").is_none() {
        apt::ensure(&["nodejs", "npm"], "Node packages")?;
    }
    say(&format!("installing Node packages into {}", node.display()));
    fs::create_dir_all(&node)?;
    fs::write(node.join("package.json"), package)?;
    let mut npm = Command::new("npm");
    match lock {
        Some(lock) => {
            fs::write(node.join("package-lock.json"), lock)?;
            npm.arg("ci");
        }
        None => {
            npm.arg("install");
        }
    }
    step::run(npm.args(["--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&node))?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}
