//! What polls take of the agent's processor time.

use std::time::Duration;

use anyhow::{Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::polled;

use crate::pages::SCRAPES;

/// Polls of each target while they were looked at.
pub struct Polling {
    /// Processor time of 100, without what an agent takes that polls nothing.
    pub cpu_s: f64,
    /// How many there were.
    pub polls: f64,
}

/// 25 s of an agent that polls each target four times a second, less what an agent takes that polls nothing and runs
/// beside it: what any agent does meanwhile is about as much as the polls, and wavers as the machine does. A target is its
/// page below `/metrics` and the counter of its polls.
pub fn polling(agent: &Agent, without: &Agent, targets: &[(&str, &str)]) -> Result<Polling> {
    let polls = || -> Result<f64> {
        targets.iter().map(|(name, polls)| Ok(polled::page(agent, name)?.1.sum_f64(polls, &[]))).sum()
    };
    let (first, busy_ns, idle_ns) = (polls()?, agent.cpu_ns()?, without.cpu_ns()?);
    std::thread::sleep(Duration::from_millis(250) * SCRAPES);
    let (busy_ns, idle_ns) = (agent.cpu_ns()? - busy_ns, without.cpu_ns()? - idle_ns);
    let of_each = (polls()? - first) / targets.len() as f64;
    ensure!(of_each > 0.0, "no polls");
    let cpu_s = busy_ns.saturating_sub(idle_ns) as f64 / 1e9 * f64::from(SCRAPES) / of_each;
    Ok(Polling { cpu_s, polls: of_each })
}
