//! One test's surroundings: skip or go, one agent at a time, a folder, and the logs when it fails.

use std::fs::File;

use anyhow::{Context, Result};

use crate::agent::Agent;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::workdir::Workdir;
use crate::{bpf, paths, wait};

const LOG_TAIL: usize = 3000;

pub struct Lab {
    pub workdir: Workdir,
    /// Held to the end: two agents at once would disturb each other's times on a small machine.
    _turn: File,
}

/// Runs a test that needs the agent; prints why where it cannot run here.
pub fn with_agent(name: &str, test: impl FnOnce(&Lab) -> Result<()>) {
    if let Some(why) = bpf::why_not().or_else(agent_missing) {
        note_skip(name, &why);
        return;
    }
    alone(name, test);
}

/// Runs a test of the rig itself, without the agent.
pub fn alone(name: &str, test: impl FnOnce(&Lab) -> Result<()>) {
    let lab = Lab::open(name).expect("a folder and a turn");
    if let Err(error) = test(&lab) {
        panic!("{name}: {error:#}");
    }
}

/// Says that a test is left out. `cargo test` hides the output of one that passes, so the reason also goes where the caller
/// asks for it.
pub fn note_skip(name: &str, why: &str) {
    use std::io::Write as _;
    println!("skipped: {why}");
    let Some(path) = std::env::var_os("HIPPIUS_SKIP_LOG") else { return };
    let mut log = File::options().create(true).append(true).open(path).expect("the log of skipped tests");
    writeln!(log, "{name}: {why}").expect("the log of skipped tests");
}

fn agent_missing() -> Option<String> {
    let error = paths::agent_binary().err()?;
    assert!(std::env::var_os("HIPPIUS_REQUIRE_BPF").is_none(), "the agent is required here, but {error:#}");
    Some(format!("{error:#}"))
}

impl Lab {
    fn open(name: &str) -> Result<Self> {
        let turn = File::create(std::env::temp_dir().join("hippius-tests.lock")).context("lock file")?;
        turn.lock().context("lock")?;
        Ok(Self { workdir: Workdir::new(name)?, _turn: turn })
    }

    /// Starts the agent with this config.
    pub fn agent(&self, config: &Config) -> Result<Agent> {
        Agent::start(config.text(), &self.workdir)
    }

    /// Scrapes until `enough`, and gives the last scrape either way: the assertion that follows shows what differs.
    pub fn settle(&self, agent: &Agent, enough: impl Fn(&Metrics) -> bool) -> Result<Metrics> {
        let mut last = agent.scrape()?;
        let _ = wait::until("metrics as expected", crate::expect::LIMIT, || {
            last = agent.scrape().ok()?;
            enough(&last).then_some(())
        });
        Ok(last)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let Ok(entries) = std::fs::read_dir(self.workdir.path()) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.extension().is_some_and(|extension| extension == "log") {
                let log = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
                let tail: String = log.chars().rev().take(LOG_TAIL).collect::<Vec<_>>().into_iter().rev().collect();
                eprintln!("--- {}\n{tail}", path.display());
            }
        }
    }
}
