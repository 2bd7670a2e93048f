//! `cargo xtask package`: a Debian package of the agent, its unit, and the stack's files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use walkdir::WalkDir;

use crate::workspace::Workspace;
use crate::{build, step};

/// What the package is made of.
const DEBIAN: &str = "monitoring/debian";
const UNIT: &str = "monitoring/systemd/hippius-agent.service";
/// Folders of the stack that an installation has at hand below /usr/share/hippius-agent.
const STACK: [&str; 2] = ["prometheus", "grafana"];
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Build a Debian package into target/debian.
///
/// Holds the agent, its systemd unit, a configuration, and the files for Prometheus and Grafana. Needs dpkg-deb and
/// strip.
#[derive(clap::Args)]
pub struct Args {
    /// Package this agent instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Folder for the package
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub fn task(workspace: &Workspace, args: &Args) -> Result<()> {
    let agent = match &args.binary {
        Some(binary) => binary.clone(),
        None => build::task(workspace, &build::Args { debug: false, ebpf_only: false })?,
    };
    let output = args.output.clone().unwrap_or_else(|| workspace.own_target("debian"));
    let tree = output.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    }
    let package = Package { workspace, tree: &tree };
    package.program(&agent)?;
    package.files()?;
    package.control()?;
    let name = format!("hippius-agent_{}_{}.deb", version(), architecture());
    let file = output.join(name);
    step::run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(&tree).arg(&file))?;
    fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    step::say(&format!("built {}", file.display()));
    Ok(())
}

/// One version for the whole workspace.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Debian's name of the machine that this runs on.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

struct Package<'a> {
    workspace: &'a Workspace,
    tree: &'a Path,
}

impl Package<'_> {
    fn program(&self, agent: &Path) -> Result<()> {
        let target = self.folder("usr/bin")?.join("hippius-agent");
        step::run(Command::new("strip").arg("-o").arg(&target).arg(agent))?;
        set_mode(&target, 0o755)
    }

    fn files(&self) -> Result<()> {
        let unit = self.source(UNIT)?.replace("/usr/local/bin/", "/usr/bin/");
        self.write("usr/lib/systemd/system/hippius-agent.service", unit)?;
        self.write("usr/lib/sysusers.d/hippius-agent.conf", self.debian("sysusers.conf")?)?;
        self.write("etc/hippius-agent/agent.toml", self.debian("agent.toml")?)?;
        self.write("usr/share/doc/hippius-agent/copyright", self.debian("copyright")?)?;
        let example = self.source("monitoring/hippius-agent.example.toml")?;
        self.write("usr/share/doc/hippius-agent/examples/hippius-agent.example.toml", example)?;
        self.write("usr/share/doc/hippius-agent/changelog", self.debian("changelog")?.replace("@VERSION@", version()))?;
        // Policy 12.7: compressed, without the time of the machine that built it.
        let changelog = self.tree.join("usr/share/doc/hippius-agent/changelog");
        step::run(Command::new("gzip").args(["-9n"]).arg(changelog))?;
        STACK.into_iter().try_for_each(|folder| self.stack(folder))
    }

    /// A folder of `monitoring`, without what only the project's tests and tools read.
    fn stack(&self, folder: &str) -> Result<()> {
        let root = self.workspace.join("monitoring");
        for entry in WalkDir::new(root.join(folder)).sort_by_file_name() {
            let entry = entry.context("monitoring")?;
            let place = entry.path().strip_prefix(&root).context("monitoring")?;
            let internal = place.iter().any(|part| part == "tests" || part == "source");
            if entry.file_type().is_file() && !internal {
                let text = fs::read_to_string(entry.path()).with_context(|| format!("{}", entry.path().display()))?;
                self.write(Path::new("usr/share/hippius-agent").join(place), text)?;
            }
        }
        Ok(())
    }

    fn control(&self) -> Result<()> {
        let size = WalkDir::new(self.tree).into_iter().flatten().filter_map(|entry| entry.metadata().ok());
        let kib = size.map(|meta| meta.len().div_ceil(1024)).sum::<u64>();
        let libc = newest_libc(&fs::read(self.tree.join("usr/bin/hippius-agent"))?);
        let control = self.debian("control")?;
        let control = control.replace("@VERSION@", version()).replace("@ARCHITECTURE@", architecture());
        let control = control.replace("@SIZE@", &kib.to_string()).replace("@LIBC@", &libc);
        let sums = self.sums()?;
        self.write("DEBIAN/control", control)?;
        self.write("DEBIAN/md5sums", sums)?;
        self.write("DEBIAN/conffiles", self.debian("conffiles")?)?;
        for script in SCRIPTS {
            let path = self.write(Path::new("DEBIAN").join(script), self.debian(script)?)?;
            set_mode(&path, 0o755)?;
        }
        Ok(())
    }

    /// What `dpkg --verify` compares with.
    fn sums(&self) -> Result<String> {
        let mut files = Vec::new();
        for entry in WalkDir::new(self.tree).sort_by_file_name() {
            let entry = entry.context("the package's files")?;
            let place = entry.path().strip_prefix(self.tree).context("the package's files")?.to_path_buf();
            if entry.file_type().is_file() && !place.starts_with("etc") {
                files.push(place);
            }
        }
        let output = Command::new("md5sum").args(&files).current_dir(self.tree).output().context("md5sum")?;
        String::from_utf8(output.stdout).context("md5sum")
    }

    fn debian(&self, name: &str) -> Result<String> {
        self.source(&format!("{DEBIAN}/{name}"))
    }

    fn source(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.workspace.join(path)).with_context(|| format!("cannot read {path}"))
    }

    fn folder(&self, path: &str) -> Result<PathBuf> {
        let folder = self.tree.join(path);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    fn write(&self, path: impl AsRef<Path>, text: String) -> Result<PathBuf> {
        let path = self.tree.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        set_mode(&path, 0o644)?;
        Ok(path)
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(|| format!("{}", path.display()))
}

/// The newest version of glibc that one of the program's symbols asks for (`GLIBC_2.34`).
fn newest_libc(program: &[u8]) -> String {
    let text = String::from_utf8_lossy(program);
    let versions = text
        .split("GLIBC_2.")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok());
    format!("2.{}", versions.max().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::newest_libc;

    #[test]
    fn the_newest_symbol_version_counts() {
        assert_eq!(newest_libc(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0"), "2.34");
    }
}
