//! Packages of other releases of Debian, through an apt state of their own: nothing of the host is upgraded, and apt's
//! signatures hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::step;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// apt with lists and cache in a folder of its own. What else the host has configured (proxies) stays.
pub struct Apt {
    config: PathBuf,
}

impl Apt {
    /// For one architecture, as `amd64`, archive and suite, as `debian-security bullseye-security`. Its state goes into
    /// `folder`.
    pub fn new(folder: &Path, architecture: &str, archive: &str, suite: &str) -> Result<Self> {
        for name in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(name))?;
        }
        let source = format!("deb [signed-by={KEYRING}] http://deb.debian.org/{archive} {suite} main\n");
        fs::write(folder.join("sources.list"), source)?;
        // As if nothing were installed: the host's packages are no candidates.
        fs::write(folder.join("status"), "")?;
        let dir = folder.display();
        let config = format!(
            "Dir::Etc::sourcelist \"{dir}/sources.list\";\nDir::Etc::sourceparts \"/dev/null\";\n\
             Dir::Etc::preferencesparts \"/dev/null\";\nDir::State::lists \"{dir}/lists\";\n\
             Dir::State::status \"{dir}/status\";\nDir::Cache \"{dir}/cache\";\nAPT::Architecture \"{architecture}\";\n\
             APT::Architectures {{ \"{architecture}\"; }};\n\
             APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n"
        );
        fs::write(folder.join("apt.conf"), config)?;
        let apt = Self { config: folder.join("apt.conf") };
        step::run(apt.tool("apt-get").arg("update"))?;
        Ok(apt)
    }

    /// `apt-get`, `apt-cache`.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.arg("--quiet=2").arg("--config-file").arg(&self.config).env("LC_ALL", "C");
        command
    }

    /// Fetches packages and all that they need, into `cache/archives` of its folder.
    pub fn download_whole(&self, packages: &[&str]) -> Result<()> {
        let words = ["install", "--yes", "--download-only", "--no-install-recommends"];
        step::run(self.tool("apt-get").args(words).args(packages))
    }

    /// Fetches packages into a new empty folder and gives their files.
    pub fn download(&self, packages: &[&str], folder: &Path) -> Result<Vec<PathBuf>> {
        // An earlier download that was broken off would be taken for the new one.
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder)?;
        step::run(self.tool("apt-get").arg("download").args(packages).current_dir(folder))?;
        let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        files.first().context("apt-get downloaded nothing")?;
        Ok(files)
    }
}

/// Unpacks the files of a package into `folder`, as `tar --extract` does it with these words.
pub fn unpack(package: &Path, words: &[&str], folder: &Path) -> Result<()> {
    let mut dpkg = Command::new("dpkg-deb");
    let mut dpkg = dpkg.arg("--fsys-tarfile").arg(package).stdout(Stdio::piped()).spawn().context("dpkg-deb")?;
    let archive = dpkg.stdout.take().context("dpkg-deb's output")?;
    let mut tar = Command::new("tar");
    let tar = tar.arg("--extract").args(words).current_dir(folder).stdin(archive).status().context("tar")?;
    ensure!(dpkg.wait()?.success() && tar.success(), "{} cannot be unpacked", package.display());
    Ok(())
}
