//! A Python environment in target/venv with what `tests/requirements.txt` pins.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::apt;
use crate::step::{self, say};
use crate::workspace::Workspace;

/// Makes the environment, or makes it anew when the requirements changed.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    let requirements = workspace.join("tests/requirements.txt");
    let Ok(wanted) = fs::read(&requirements) else { return Ok(()) };
    let venv = workspace.own_target("venv");
    // Written last, so it also says that the installation was finished.
    let stamp = venv.join("installed-requirements.txt");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say(&format!("installing Python packages into {}", venv.display()));
    if create(&venv).is_err() {
        apt::ensure(&["python3-venv"], "Python environments")?;
        create(&venv)?;
    }
    step::run(
        Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements),
    )?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

fn create(venv: &Path) -> Result<()> {
    step::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))
}
