//! Debian packages: found, installed as root, or named to the user.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step::{self, say};

/// Where Debian's maintainer scripts ask whether they may start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Makes sure that packages are installed; `why` says what they are for.
pub fn ensure(packages: &[&str], why: &str) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    if step::find_program("apt-get").is_none() {
        bail!("install {why}: Debian calls the packages {}", missing.join(" "));
    }
    if !step::is_root() {
        bail!("install {why}: run `sudo apt-get update && sudo apt-get install {}`", missing.join(" "));
    }
    say(&format!("installing {why}: {}", missing.join(" ")));
    let _quiet = NoServices::begin(Path::new(POLICY))?;
    // Lists that are absent or too old show in either step.
    let listed = step::answer(&mut apt_get(&["install", "--simulate"], &missing)).is_some();
    if listed && step::run(&mut apt_get(&["install"], &missing)).is_ok() {
        return Ok(());
    }
    step::run(&mut apt_get(&["update"], &[]))?;
    step::run(&mut apt_get(&["install"], &missing)).with_context(|| format!("cannot install {why}"))
}

fn apt_get(words: &[&str], packages: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .args(["--yes", "--quiet=2", "--no-install-recommends", "--option=Dpkg::Use-Pty=0"])
        .args(words)
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    // dpkg-query fails when it does not know one of the names, but prints the others.
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    packages
        .iter()
        .copied()
        .filter(|package| !output.lines().any(|line| line.strip_prefix(package) == Some(" installed")))
        .collect()
}

/// While this lives, packages that are installed may not start their services. A policy that the host has already is
/// the administrator's and stays.
struct NoServices<'a> {
    policy: &'a Path,
    ours: bool,
}

impl<'a> NoServices<'a> {
    fn begin(policy: &'a Path) -> Result<Self> {
        let ours = !policy.exists();
        if ours {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o755)
                .open(policy)
                .with_context(|| format!("cannot write {}", policy.display()))?;
            // 101: action forbidden by policy.
            file.write_all(b"#!/bin/sh\nexit 101\n")?;
        }
        Ok(Self { policy, ours })
    }
}

impl Drop for NoServices<'_> {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(self.policy).is_err() {
            let policy = self.policy.display();
            say(&format!("remove {policy} yourself: it keeps services from starting when packages are installed"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_nobody_has_is_missing() {
        assert_eq!(missing(&["no-such-package-anywhere"]), ["no-such-package-anywhere"]);
    }

    #[test]
    fn services_may_not_start_while_packages_are_installed() {
        let policy = std::env::temp_dir().join(format!("xtask-policy-{}", std::process::id()));
        let guard = NoServices::begin(&policy).expect("a policy");
        assert_eq!(Command::new(&policy).status().expect("a script").code(), Some(101));
        let second = NoServices::begin(&policy).expect("a policy");
        drop(second);
        assert!(policy.exists(), "a policy that was there before stays");
        drop(guard);
        assert!(!policy.exists());
    }
}
