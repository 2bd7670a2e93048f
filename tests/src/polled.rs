//! Polled targets in the agent's configuration, and their pages.

use anyhow::{Result, ensure};

use crate::agent::Agent;
use crate::metrics::Metrics;
use crate::wait;

/// A `[[postgres]]` section that polls ten times a second; `more` are further lines of TOML.
pub fn postgres(name: &str, url: &str, more: &str) -> String {
    format!(
        "[[postgres]]\nname = {name:?}\nurl = {url:?}\ninterval_ms = 100\ntimeout_ms = 2000\njitter_ms = 0\n\
         backoff_max_ms = 200\nslow_interval_s = 1\naccounts_interval_s = 1\n{more}\n"
    )
}

/// The page of one target, `kind/name`.
pub fn page(agent: &Agent, target: &str) -> Result<(String, Metrics)> {
    let (status, text) = agent.get(&format!("/metrics/{target}"))?;
    ensure!(status == 200, "/metrics/{target} answered {status}");
    let metrics = Metrics::parse(&text)?;
    Ok((text, metrics))
}

/// Scrapes the target's page until `enough`, and gives that page.
pub fn settle(agent: &Agent, target: &str, what: &str, enough: impl Fn(&Metrics) -> bool) -> Result<Metrics> {
    wait::until(what, wait::WIDE, || page(agent, target).ok().map(|(_, metrics)| metrics).filter(&enough))
}

/// Waits until two whole polls are over that began after this call: what is on the page then is newer than what was
/// done before. `polls` names the counter of polls.
pub fn fresh(agent: &Agent, target: &str, polls: &str) -> Result<Metrics> {
    let before = page(agent, target)?.1.sum(polls, &[]);
    settle(agent, target, "two more polls", |metrics| metrics.sum(polls, &[]) >= before + 2)
}
