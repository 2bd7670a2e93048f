//! A root directory with OpenSSL 1.1 and a Python that uses it, for the tests: no release of Debian in use has it any more.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::debian::Apt;
use crate::step::{self, say};
use crate::workspace::Workspace;

/// The last release with OpenSSL 1.1.
const RELEASE: &str = "bullseye";

/// The interpreter, the library, and what they need to run.
const PACKAGES: [&str; 14] = [
    "libssl1.1",
    "python3.9-minimal",
    "libpython3.9-minimal",
    "libpython3.9-stdlib",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libffi7",
    "libgcc-s1",
    "libbz2-1.0",
    "liblzma5",
    "libuuid1",
    "zlib1g",
    "libtirpc3",
];

/// Makes sure that `target/openssl-1.1` is there.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    let root = workspace.own_target("openssl-1.1");
    if root.is_dir() {
        return Ok(());
    }
    say("fetching Python with OpenSSL 1.1 for the tests");
    // Renamed when it is whole.
    let folder = workspace.own_target("openssl-1.1.new");
    let _ = fs::remove_dir_all(&folder);
    let new = folder.join("root");
    fs::create_dir_all(&new)?;
    let apt = Apt::new(&folder.join("apt"), "amd64", "debian", RELEASE)?;
    for package in apt.download(&PACKAGES, &folder.join("packages"))? {
        step::run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&new))?;
    }
    // What the tests mount, and the one name that they ask for.
    for name in ["proc", "apps", "etc"] {
        fs::create_dir_all(new.join(name))?;
    }
    fs::write(new.join("etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n")?;
    fs::rename(&new, &root)?;
    Ok(fs::remove_dir_all(&folder)?)
}
