//! A server where a container runtime would have put it: in a control group and a network namespace of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::{self, Process};
use crate::truth::CallLine;
use crate::workdir::Workdir;
use crate::{paths, wait};

/// Mounts the unified hierarchy of control groups where nobody else sees it, goes into the group, and becomes the server.
const ENTER: &str = "set -e; ip link set lo up; mount -t cgroup2 none \"$1\"; mkdir -p \"$1/$2\"; \
                     echo $$ > \"$1/$2/cgroup.procs\"; shift 2; exec \"$@\"";
/// Takes away the group, and those around it that are empty.
const LEAVE: &str = "mount -t cgroup2 none \"$1\"; cd \"$1\"; rmdir -p \"$2\" 2>/dev/null; true";

pub struct Contained {
    process: Process,
    port: u16,
    truth: PathBuf,
    mount: PathBuf,
    group: String,
}

impl Contained {
    /// `group` is the path of the control group, without a slash before it. Ports are free in a namespace of one's own.
    pub fn start(workdir: &Workdir, name: &str, group: &str, port: u16) -> Result<Self> {
        let (truth, mount) = (workdir.join(format!("{name}.jsonl")), workdir.join(format!("{name}.cgroup")));
        std::fs::create_dir_all(&mount)?;
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"]);
        command.arg(&mount).arg(group).arg(paths::own_binary("syscall_server")?);
        command.arg("recv-send").arg(port.to_string()).arg(&truth);
        let process = Process::spawn(name, command, workdir)?;
        let mut contained = Self { process, port, truth, mount, group: group.to_owned() };
        wait::until(&format!("{name} in its group"), wait::WIDE, || contained.listens())?;
        Ok(contained)
    }

    fn listens(&mut self) -> Option<()> {
        let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", self.process.pid())).ok()?;
        let port = format!(":{:04X} 00000000:0000 0A", self.port);
        let inside = std::fs::read_to_string(format!("/proc/{}/cgroup", self.process.pid())).ok()?;
        (table.contains(&port) && inside.contains(&*self.group)).then_some(())
    }

    /// So many requests from inside of its namespace, each on a connection of its own; the bytes that the server has
    /// received and sent.
    pub fn serve(&self, requests: usize) -> Result<(u64, u64)> {
        let address = format!("http://127.0.0.1:{}/20", self.port);
        for _ in 0..requests {
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/proc/{}/ns/net", self.process.pid()));
            process::run(command.args(["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", &address]))?;
        }
        let lines = wait::until("the server's log", wait::WIDE, || {
            CallLine::read(&self.truth).ok().filter(|lines| lines.len() >= requests)
        })?;
        ensure!(lines.len() == requests, "{lines:?}");
        Ok(lines.iter().fold((0, 0), |sum, line| (sum.0 + line.received, sum.1 + line.sent)))
    }

    pub fn stop(&mut self) -> Result<()> {
        self.process.stop(libc::SIGKILL, wait::WIDE).map(drop)
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        let _ = self.stop();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", LEAVE, "sh"]);
        let _ = process::run(command.arg(&self.mount).arg(&self.group));
    }
}

/// 64 hexadecimal digits that no other container has.
pub fn container_id() -> Result<String> {
    Ok((uuid()? + &uuid()?).replace('-', ""))
}

pub fn uuid() -> Result<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid").context("a random number of the kernel")?;
    Ok(text.trim().to_owned())
}

/// Puts the files of `root` below `/run` and `/var/lib` for this command alone.
pub fn with_runtime_files(command: &mut Command, root: &Path) {
    const OVERLAY: &str = "set -e; for folder in run var/lib; do mount -t tmpfs none \"/$folder\"; \
                           cp -r \"$1/$folder/.\" \"/$folder\"; done; shift; exec \"$@\"";
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "--propagation", "private", "sh", "-c", OVERLAY, "sh"]);
    wrapped.arg(root).arg(command.get_program()).args(command.get_args());
    *command = wrapped;
}
