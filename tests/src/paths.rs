//! Where things lie: the workspace, what cargo built, what was installed for the tests.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The workspace's root folder.
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// Python and Node programs that belong to the tests.
pub fn apps() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apps")
}

/// Installed parts (virtual environment, node modules) live in the workspace's own target folder, so that
/// another `CARGO_TARGET_DIR` does not install them twice.
pub fn installed() -> PathBuf {
    workspace().join("target")
}

/// The folder of the profile that the running program was built with (`target/debug`, `target/release`).
pub fn profile() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("own path")?;
    let mut folder = exe.parent().context("own folder")?;
    // Integration tests run from `deps`, binaries from the profile's folder itself.
    if folder.ends_with("deps") {
        folder = folder.parent().context("profile folder")?;
    }
    Ok(folder.to_path_buf())
}

/// A binary of this crate.
pub fn own_binary(name: &str) -> Result<PathBuf> {
    let path = profile()?.join(name);
    anyhow::ensure!(path.is_file(), "{} is not built: cargo build -p hippius-tests --bins", path.display());
    Ok(path)
}

/// The agent: `HIPPIUS_AGENT`, else the newest of what cargo built beside the running program.
pub fn agent_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HIPPIUS_AGENT") {
        let path = PathBuf::from(path);
        anyhow::ensure!(path.is_file(), "HIPPIUS_AGENT={} is no file", path.display());
        return Ok(path);
    }
    let profile = profile()?;
    let target = profile.parent().context("target folder")?;
    let built = ["release", "debug"].map(|name| target.join(name).join("hippius-agent"));
    let newest = built.iter().filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path))).max();
    let (_, path) = newest.with_context(|| format!("no hippius-agent in {}: cargo xtask build", target.display()))?;
    Ok(path.clone())
}
