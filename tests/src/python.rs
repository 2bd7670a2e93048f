//! The virtual environment with the Python servers and clients.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::node::InstallLock;
use crate::{paths, process};

/// The environment's folder (`target/venv`), installed first where it is missing or its requirements changed.
pub fn venv() -> Result<PathBuf> {
    let venv = paths::installed().join("venv");
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("requirements.txt");
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
    Ok(venv()?.join("bin").join(name))
}
