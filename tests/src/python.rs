//! The virtual environments: Python servers and clients, and validators.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::node::InstallLock;
use crate::{paths, process};

/// The environment's folder (`target/NAME`), installed first where it is missing or its requirements changed.
fn environment(name: &str, requirements: &str) -> Result<PathBuf> {
    let venv = paths::installed().join(name);
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join(requirements);
    let wanted = std::fs::read_to_string(&requirements)?;
    let stamp = venv.join("requirements.stamp");
    let _lock = InstallLock::take(&venv)?;
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(venv);
    }
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&venv)).context("python3 -m venv")?;
    let mut install = Command::new(venv.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements);
    process::run(&mut install).context("pip install")?;
    std::fs::write(&stamp, wanted)?;
    Ok(venv)
}

/// A program of the environment (`python`, `uvicorn`, `gunicorn`, `moto_server`).
pub fn program(name: &str) -> Result<PathBuf> {
    Ok(environment("venv", "requirements.txt")?.join("bin").join(name))
}

/// A validator (`hadolint`, `kubernetes-validate`).
pub fn tool(name: &str) -> Result<PathBuf> {
    Ok(environment("tools-venv", "tools/requirements.txt")?.join("bin").join(name))
}
