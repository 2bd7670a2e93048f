//! How much the agent writes to its log.

use super::error::{Refusal, shown};
use std::fmt;

/// A level for the agent, and others for parts of it.
///
/// Only the agent's own modules (and its probes') can be made talkative. Libraries stay at `warn`: below it they print
/// what they send and receive, passwords and access keys among it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const ALLOWED: &str = "off, error, warn, info, debug, trace, and \"hippius_agent::MODULE=LEVEL\" after a comma";

impl Default for LogFilter {
    fn default() -> Self {
        Self::of("info", "")
    }
}

impl LogFilter {
    /// Reads `info` or `info,hippius_agent::poll=debug`.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).map_err(|refusal| format!("{}; allowed: {ALLOWED}", refusal.what))
    }

    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        let mut level = "info";
        let mut parts = String::new();
        for directive in text.split(',').map(str::trim) {
            let refuse = |what: String| Refusal::new(what).allowed(ALLOWED).near(directive, LEVELS.into_iter());
            match directive.split_once('=') {
                None if LEVELS.contains(&directive) => level = directive,
                Some((module, level)) if LEVELS.contains(&level) && is_ours(module) => {
                    parts.push(',');
                    parts.push_str(directive);
                }
                Some((module, level)) if LEVELS.contains(&level) => {
                    return Err(refuse(format!("{} is no module of the agent", shown(module))));
                }
                _ => return Err(refuse(format!("{} is no level", shown(directive)))),
            }
        }
        Ok(Self::of(level, &parts))
    }

    /// In the language of `tracing_subscriber::EnvFilter`.
    pub fn as_directives(&self) -> &str {
        &self.0
    }

    fn of(level: &str, parts: &str) -> Self {
        let libraries = if matches!(level, "off" | "error") { level } else { "warn" };
        Self(format!("{libraries},hippius_agent={level},hippius_ebpf={level}{parts}"))
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn is_ours(module: &str) -> bool {
    let root = module.split("::").next().unwrap_or_default();
    matches!(root, "hippius_agent" | "hippius_ebpf")
        && module.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}
