//! The log: compact lines on standard error.

use crate::config::LogFilter;
use std::io::IsTerminal;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Environment variable that comes before the configuration.
pub const VARIABLE: &str = "HIPPIUS_LOG";

/// Changes the running log.
#[derive(Debug, Clone)]
pub struct LogHandle {
    filter: reload::Handle<EnvFilter, Registry>,
    /// Set where the environment says what to log; then a reload changes nothing.
    pinned: bool,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The environment variable holds no filter.
    #[error("{VARIABLE}: {0}")]
    Variable(String),
    /// Something else in this process logs already.
    #[error("cannot set up the log: {0}")]
    Taken(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts to log, with the filter of the environment or else of the configuration.
pub fn init(configured: &LogFilter) -> Result<LogHandle, LogError> {
    let variable = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let pinned = variable.is_some();
    let filter = match variable {
        Some(text) => LogFilter::parse(&text).map_err(LogError::Variable)?,
        None => configured.clone(),
    };
    let (layer, handle) = reload::Layer::new(EnvFilter::new(filter.as_directives()));
    let lines = fmt::layer().compact().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(layer).with(lines).try_init()?;
    Ok(LogHandle { filter: handle, pinned })
}

impl LogHandle {
    /// Follows a reloaded configuration, unless the environment says what to log.
    pub fn set(&self, configured: &LogFilter) {
        if !self.pinned {
            // Fails only when the subscriber is gone, and with it the log.
            let _ = self.filter.reload(EnvFilter::new(configured.as_directives()));
        }
    }
}
