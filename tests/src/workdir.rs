//! A folder per test: kept when the test fails, removed when it passes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

static NEXT: AtomicU32 = AtomicU32::new(0);

pub struct Workdir {
    path: PathBuf,
}

impl Workdir {
    /// Readable by all, because servers such as Postgres run as another user.
    pub fn new(name: &str) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hippius-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("HIPPIUS_KEEP").is_some() {
            eprintln!("kept: {}", self.path.display());
        } else {
            // A leftover folder in the temp directory is no reason to fail a test that passed.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
