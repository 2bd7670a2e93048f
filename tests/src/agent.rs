//! The agent under test: started as an operator would start it, read as Prometheus would read it.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::metrics::Metrics;
use crate::process::Process;
use crate::workdir::Workdir;
use crate::{http, paths, ports, proc, wait};

pub struct Agent {
    process: Process,
    port: u16,
    config: PathBuf,
    /// From the start of the process to the first 200 of `/readyz`.
    pub ready_after: Duration,
}

impl Agent {
    /// Starts the agent with this config text and waits until it says that it captures.
    pub fn start(config: &str, workdir: &Workdir) -> Result<Self> {
        Self::start_with(config, workdir, |_| {})
    }

    /// The same with a change to the command (environment, another namespace).
    pub fn start_with(config: &str, workdir: &Workdir, change: impl FnOnce(&mut Command)) -> Result<Self> {
        let binary = paths::agent_binary()?;
        let port = ports::free();
        let config = workdir.write("agent.toml", config)?;
        let mut command = Command::new(&binary);
        command.arg("run").arg("--config").arg(&config).arg("--listen").arg(format!("127.0.0.1:{port}"));
        change(&mut command);
        let start = Instant::now();
        let process = Process::spawn("agent", command, workdir)?;
        let mut agent = Self { process, port, config, ready_after: Duration::ZERO };
        agent.wait_ready().with_context(|| format!("agent {}", binary.display()))?;
        agent.ready_after = start.elapsed();
        Ok(agent)
    }

    fn wait_ready(&mut self) -> Result<()> {
        let end = Instant::now() + wait::stretched(wait::WIDE);
        loop {
            if let Some(status) = self.process.try_wait()? {
                bail!("ended with {status} before it was ready:\n{}", excerpt(&self.process.log()));
            }
            if self.get("/readyz").is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("not ready within {:?}:\n{}", wait::WIDE, excerpt(&self.process.log()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Replaces the config file and asks for a reload; whether it was taken is the caller's question.
    pub fn reload(&self, config: &str) -> Result<()> {
        std::fs::write(&self.config, config)?;
        self.process.signal(libc::SIGHUP);
        Ok(())
    }

    /// A signal that does not end it.
    pub fn signal(&self, signal: libc::c_int) {
        self.process.signal(signal);
    }

    /// SIGTERM and the end.
    pub fn stop(&mut self) -> Result<(ExitStatus, Duration)> {
        self.process.stop(libc::SIGTERM, wait::WIDE)
    }

    /// Another signal and the end.
    pub fn stop_with(&mut self, signal: libc::c_int) -> Result<(ExitStatus, Duration)> {
        self.process.stop(signal, wait::WIDE)
    }

    /// SIGKILL, as the kernel's memory killer would do it.
    pub fn kill(&mut self) -> Result<()> {
        self.process.stop(libc::SIGKILL, wait::WIDE).map(|_| ())
    }

    pub fn scrape(&self) -> Result<Metrics> {
        let (status, body) = self.get("/metrics")?;
        anyhow::ensure!(status == 200, "/metrics answered {status}: {body}");
        Metrics::parse(&body)
    }

    /// GET of one of the agent's own pages: status and body.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        http::answer(self.port, path)
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.process.try_wait()?.is_none())
    }

    /// Resident memory now and at its peak, in bytes.
    pub fn memory_bytes(&self) -> Result<(u64, u64)> {
        proc::memory_bytes(self.pid())
    }

    pub fn cpu_ns(&self) -> Result<u64> {
        proc::cpu_ns(self.pid())
    }
}

/// The beginning and the end: what the verifier says of a program that it refuses may be megabytes.
fn excerpt(log: &str) -> String {
    const LINES: usize = 12;
    let lines: Vec<&str> = log.lines().collect();
    if lines.len() <= 2 * LINES {
        return log.to_owned();
    }
    format!("{}\n[…]\n{}", lines[..LINES].join("\n"), lines[lines.len() - LINES..].join("\n"))
}
