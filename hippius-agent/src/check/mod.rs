//! `hippius-agent check`: what this host can do, and what stands in the way. Changes nothing.
//!
//! Each file holds the checks of one subject; a check returns [`Finding`]s and never ends the others.

pub mod backend;
pub mod host;
pub mod memory;
pub mod mptcp;
pub mod services;
pub mod sources;
pub mod targets;
pub mod tls;

use crate::config::Config;
use crate::kernel::listeners;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// The agent runs, with less.
    Warn,
    /// The agent cannot run, or a configured part of it cannot.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, the same word in every run.
    pub subject: &'static str,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(subject: &'static str, detail: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject, detail: detail.into(), advice: None }
    }

    /// The agent runs, with less.
    pub fn warn(subject: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warn, subject, detail: detail.into(), advice: Some(advice.into()) }
    }

    /// The agent, or a configured part of it, cannot run.
    pub fn fail(subject: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Fail, subject, detail: detail.into(), advice: Some(advice.into()) }
    }
}

/// Where the host's own file systems are mounted.
#[derive(Debug, Clone)]
pub struct Host {
    /// procfs
    pub proc: PathBuf,
    /// sysfs
    pub sys: PathBuf,
}

impl Default for Host {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into() }
    }
}

/// Makes all checks. An error means that a runtime for the network checks cannot be had.
pub fn run(config: &Config, host: &Host) -> std::io::Result<Vec<Finding>> {
    let release = host::release(host);
    let mut findings =
        vec![host::kernel(release.as_deref()), host::btf(host), host::lockdown(host), host::unprivileged_bpf(host)];
    let effective = caps::read(None, caps::CapSet::Effective);
    match &effective {
        Ok(effective) => findings.extend(host::capabilities(effective)),
        Err(error) => findings.push(Finding::warn("capabilities", error.to_string(), "run as root to be sure")),
    }
    findings.extend(backend::checks(config, host));
    findings.extend(tls::checks(config, effective.as_ref().ok()));
    let version = release.as_deref().and_then(host::version);
    findings.extend(memory::checks(host, config.capture.ring_bytes, version));
    let found = listeners::listeners(&host.proc);
    let unix = listeners::unix::unix_listeners(&host.proc).unwrap_or_default();
    findings.extend(services::checks(config, found.as_deref().map_err(ToString::to_string), &unix));
    findings.push(services::listen_address(config.listen, found.as_deref().unwrap_or_default()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    findings.extend(runtime.block_on(sources::checks(&config.attribution)));
    findings.extend(runtime.block_on(targets::checks(&config.redis, &config.postgres)));
    Ok(findings)
}

/// Whether anything failed.
pub fn failed(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Fail)
}

/// For people: one line each, the advice below it, and a sum.
pub fn as_text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.subject.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { level, subject, detail, advice } in findings {
        let level = match level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{level}  {subject:width$}  {detail}");
        if let Some(advice) = advice {
            let _ = writeln!(text, "      {:width$}  -> {advice}", "");
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (ok, warn, fail) = (count(Level::Ok), count(Level::Warn), count(Level::Fail));
    let _ = writeln!(text, "\nok: {ok}, warnings: {warn}, failed: {fail}");
    text
}

/// For programs: `{"failed": bool, "findings": [{"level", "subject", "detail", "advice"}]}`.
pub fn as_json(findings: &[Finding]) -> String {
    let json = serde_json::json!({ "failed": failed(findings), "findings": findings });
    format!("{json:#}\n")
}

#[cfg(test)]
mod tests;
