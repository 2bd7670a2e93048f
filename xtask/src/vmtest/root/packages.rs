//! From Debian's packages: for a processor that is not this machine's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Arch;
use crate::toolchain::debian::{self, Apt};

/// The release that is in the guest, whichever kernel is.
const RELEASE: &str = "bookworm";

/// With what the guest's scripts and tests start, as on the host.
const PACKAGES: [&str; 11] = [
    "coreutils",
    "curl",
    "dash",
    "grep",
    "iproute2",
    "libstdc++6",
    "mount",
    "nginx-light",
    "openssl",
    "procps",
    "redis-server",
];

/// What no program there reads.
const NEEDLESS: [&str; 2] = ["usr/share", "usr/include"];

/// tar's words to unpack as `dpkg` does it: what a package puts below `/bin` goes where the link leads to.
const AS_DPKG: [&str; 2] = ["--keep-directory-symlink", "--no-same-owner"];

/// Unpacks them below `root`. Their files stay in `folder`, for the next time.
pub fn fill(root: &Path, arch: Arch, folder: &Path) -> Result<()> {
    for package in fetched(arch, folder)? {
        debian::unpack(&package, &AS_DPKG, root)?;
    }
    for name in NEEDLESS {
        fs::remove_dir_all(root.join(name))?;
    }
    Ok(())
}

/// The packages and all that they need.
fn fetched(arch: Arch, folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        // Renamed when it is whole.
        let new = folder.with_extension("new");
        let _ = fs::remove_dir_all(&new);
        Apt::new(&new.join("apt"), arch.debian(), "debian", RELEASE)?.download_whole(&PACKAGES)?;
        fs::rename(new.join("apt/cache/archives"), folder)?;
        fs::remove_dir_all(&new)?;
    }
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "deb"));
    files.sort();
    Ok(files)
}
