//! `hippius-agent run`: starts everything, follows signals, ends.

use crate::config::Config;
use crate::logging::{self, LogHandle};
use crate::reload::{Options, ReloadResult, Reloader};
use crate::version;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long the rest may take to end after SIGTERM; what is not done by then is dropped.
const SHUTDOWN: Duration = Duration::from_millis(1500);

/// Why the daemon ended early.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The log cannot be set up.
    #[error(transparent)]
    Log(#[from] logging::LogError),
    /// The runtime or a signal handler cannot be set up.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

/// Runs until SIGTERM or SIGINT. `on_reload` is told the result of each reload.
pub fn run(config: Config, options: Options, on_reload: impl FnMut(ReloadResult)) -> Result<(), DaemonError> {
    let log = logging::init(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(async {
        let signals = Signals::new()?;
        tracing::info!(version = version::LONG, services = config.services.len(), "started");
        follow_signals(signals, &Reloader::new(options, config), &log, on_reload).await;
        Ok(())
    });
    runtime.shutdown_timeout(SHUTDOWN);
    ended
}

/// The signals that the daemon knows.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Returns when the agent shall end.
async fn follow_signals(
    mut signals: Signals,
    reloader: &Reloader,
    log: &LogHandle,
    mut on_reload: impl FnMut(ReloadResult),
) {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hangup.recv() => on_reload(reload(reloader, log)),
        }
    }
    tracing::info!("ending");
}

fn reload(reloader: &Reloader, log: &LogHandle) -> ReloadResult {
    match reloader.reload() {
        Ok(changes) => {
            log.set(&reloader.current().load().log);
            tracing::info!(changed = ?changes.live, "configuration reloaded");
            if !changes.restart.is_empty() {
                tracing::warn!(keys = ?changes.restart, "these keys were changed and wait for a restart");
            }
            ReloadResult::Success
        }
        Err(errors) => {
            tracing::error!("configuration refused, the old one stays in use");
            for line in errors.to_string().lines() {
                tracing::error!("{line}");
            }
            ReloadResult::Failure
        }
    }
}
