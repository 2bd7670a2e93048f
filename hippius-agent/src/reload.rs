//! The configuration in use, and its exchange for a new one while the agent runs.

use crate::config::{self, Changes, Config, ConfigErrors};
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The file; `None` runs on the defaults.
    pub config: Option<PathBuf>,
    /// Comes before the file's `listen`.
    pub listen: Option<SocketAddr>,
}

impl Options {
    /// Reads the configuration as the command line wants it.
    pub fn load(&self) -> Result<Config, ConfigErrors> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
        config.listen = self.listen.unwrap_or(config.listen);
        Ok(config)
    }
}

/// How a reload went: the `result` label of `hippius_agent_config_reloads_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadResult {
    /// The new configuration is in use.
    Success,
    /// It was refused, and the old one stays.
    Failure,
}

impl ReloadResult {
    /// Label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// The configuration in use.
#[derive(Debug)]
pub struct Reloader {
    options: Options,
    current: Arc<ArcSwap<Config>>,
    /// The one that the agent was started with: what waits for a restart is measured against it.
    started: Arc<Config>,
}

impl Reloader {
    /// Begins with `config`, which came from `options`.
    pub fn new(options: Options, config: Config) -> Self {
        let started = Arc::new(config);
        Self { options, current: Arc::new(ArcSwap::new(Arc::clone(&started))), started }
    }

    /// The configuration in use, for readers that stay: each `load` gives the newest one.
    pub fn current(&self) -> Arc<ArcSwap<Config>> {
        Arc::clone(&self.current)
    }

    /// Reads the file again. A good configuration is swapped in as a whole; of a bad one nothing is used.
    ///
    /// The answer names what is different since the last reload, and, under `restart`, since the start.
    pub fn reload(&self) -> Result<Changes, ConfigErrors> {
        let new = Arc::new(self.options.load()?);
        let old = self.current.swap(Arc::clone(&new));
        let restart = config::diff(&self.started, &new).restart;
        Ok(Changes { restart, ..config::diff(&old, &new) })
    }
}
