//! Child processes: own process group, logs in a file, stopped by pid whatever happens to the test.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::wait;
use crate::workdir::Workdir;

const LOG_TAIL: usize = 4000;

pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// Set once the child was waited for: its pid may belong to another process from then on.
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` with both outputs in `<name>.log` of `workdir`.
    pub fn spawn(name: &str, mut command: Command, workdir: &Workdir) -> Result<Self> {
        let log = workdir.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        detach(&mut command);
        let child = command.spawn().with_context(|| format!("start {name}: {command:?}"))?;
        Ok(Self { name: name.to_owned(), child, log, status: None })
    }

    /// Waits until the port accepts; fails at once when the process ends before that.
    pub fn wait_for_port(&mut self, port: u16) -> Result<()> {
        let end = Instant::now() + wait::stretched(wait::WIDE);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.try_wait()? {
                bail!("{} ended with {status} before it listened on {port}:\n{}", self.name, self.log_tail());
            }
            if Instant::now() > end {
                bail!("{} does not listen on {port}:\n{}", self.name, self.log_tail());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    pub fn signal(&self, signal: libc::c_int) {
        if self.status.is_none() {
            // SAFETY: plain system call; the pid is ours until the child has been waited for.
            unsafe { libc::kill(self.pid() as libc::pid_t, signal) };
        }
    }

    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    /// Sends `signal` and waits for the end; how long it took.
    pub fn stop(&mut self, signal: libc::c_int, limit: Duration) -> Result<(ExitStatus, Duration)> {
        let start = Instant::now();
        self.signal(signal);
        let name = self.name.clone();
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok((status, start.elapsed()));
            }
            if start.elapsed() > limit {
                bail!("{name} did not end within {limit:?} after signal {signal}:\n{}", self.log_tail());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log_path(&self) -> &Path {
        &self.log
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let start = log.len().saturating_sub(LOG_TAIL);
        log.get(start..).unwrap_or(&log).to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status.is_none() {
            // SAFETY: plain system call; the group is the child's own (process_group(0)), and the child has not been
            // waited for, so the number cannot have been given away.
            unsafe { libc::kill(-(self.pid() as libc::pid_t), libc::SIGKILL) };
            let _ = self.child.wait();
        }
    }
}

/// Own process group, so that Ctrl-C ends only us, and we end the child in order; and an end with us should we be killed.
fn detach(command: &mut Command) {
    command.process_group(0);
    // SAFETY: prctl is async-signal-safe and touches only the child.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

/// Runs a command to its end; its output, or an error that shows it.
pub fn run(command: &mut Command) -> Result<String> {
    detach(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let signal = output.status.signal().map(|s| format!(" (signal {s})")).unwrap_or_default();
        bail!("{command:?} ended with {}{signal}:\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}
