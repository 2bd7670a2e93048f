//! `hippius-agent run`: starts everything, follows signals, ends.

mod capture;
mod decisions;
mod gauges;
mod history;
mod privileges;
mod settings;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::attribute::store::{Lookups, OpenError, Store};
use crate::config::Config;
use crate::exchange::wire::queues::Queues;
use crate::export::exposition::Exposition;
use crate::export::page::Overview;
use crate::export::server::{Readiness, Server, ServerConfig, ServerError};
use crate::kernel::error::LoadError;
use crate::kernel::watch::Watch;
use crate::kernel::{harden, heap, loader, turn};
use crate::logging::{self, LogHandle};
use crate::pipeline::Pipeline;
use crate::poll::poller::Poller;
use crate::record::agent::{AgentMetrics, Build, FamilyError};
use crate::record::series::Recorder;
use crate::reload::{Options, ReloadResult, Reloader};
use crate::version;
use capture::Capture;
use decisions::Decisions;

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
    /// The programs do not run on this host.
    #[error("{0}; `hippius-agent check` says what this host lacks")]
    Load(#[from] LoadError),
    /// Capabilities cannot be given up.
    #[error("cannot give up capabilities: {0}")]
    Capabilities(#[from] caps::errors::CapsError),
    /// A source of accounts cannot be used.
    #[error(transparent)]
    Accounts(#[from] OpenError),
    /// The HTTP server cannot start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A family of metrics is wrong.
    #[error(transparent)]
    Family(#[from] FamilyError),
}

/// Runs until SIGTERM or SIGINT.
pub fn run(config: Config, options: Options) -> Result<(), DaemonError> {
    let log = logging::init(&config.log)?;
    harden::forbid_dumps();
    let (store, lookups) = Store::open(&settings::store(&config))?;
    let queues = Queues::random().map_err(OpenError::Random)?;
    let mut probes = loader::load(&settings::probes(&config), || Watch::of(&config, config.listen.port()))?;
    let tls = tls::start(&mut probes);
    heap::give_back();
    // Before there are other threads: capabilities belong to the thread, and are handed down to those that it starts.
    privileges::drop_capabilities()?;
    let runtime = runtime()?;
    let mut poller = Poller::new(runtime.handle().clone());
    let (server, metrics, recorder, readiness, overview) = serve(&runtime, &config, &poller)?;
    let (address, url) = (server.local_addr()?, server.url()?);
    let backend = probes.backend.name();
    for (other, why) in &probes.refused {
        tracing::info!(backend = other.name(), "this back-end does not work here: {why}");
    }
    if let Some(why) = &probes.mptcp {
        tracing::warn!("connections over MPTCP are not counted: {why}");
    }
    metrics.backend_info.with_label_values(&[backend]).set(1);
    let reloader = Reloader::new(options, config);
    let applied = Arc::new(ArcSwap::new(reloader.current().load_full()));
    let config = reloader.current();
    let capture = Capture {
        decisions: Decisions::default(),
        tls: tls.and_then(|started| tls::Tls::new(started, &metrics)),
        probes,
        pipeline: Pipeline::new(config.load_full(), store, queues, Arc::clone(&metrics)),
        recorder,
        config,
        applied: Arc::clone(&applied),
        metrics: Arc::clone(&metrics),
        overview,
        runtime: runtime.handle().clone(),
        own_port: address.port(),
    };
    let capture = start(capture)?;
    poller.configure(&reloader.current().load().redis, &reloader.current().load().postgres);
    readiness.set(true);
    let ended = runtime.block_on(async {
        let signals = Signals::new()?;
        tokio::spawn(Lookups::run(lookups));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        tracing::info!(version = version::LONG, backend, "started; page at {url}, metrics at /metrics");
        let count = |result: ReloadResult| metrics.config_reloads.with_label_values(&[result.as_str()]).inc();
        let repoll = |config: &Config| poller.configure(&config.redis, &config.postgres);
        follow_signals(signals, &reloader, &applied, &log, repoll, count).await;
        let _ = stop.send(());
        let _ = tokio::time::timeout(SHUTDOWN, serving).await;
        Ok(())
    });
    capture.stop();
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

/// Everything that waits runs on the main thread: there is little of it, and it is woken often.
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().max_blocking_threads(4).enable_all().build()
}

type Serving = (Server, Arc<AgentMetrics>, Recorder, Readiness, Arc<Overview>);

fn serve(runtime: &Runtime, config: &Config, poller: &Poller) -> Result<Serving, DaemonError> {
    let build = Build { version: version::VERSION, revision: version::REVISION, rustc: version::RUSTC };
    let metrics = Arc::new(AgentMetrics::new(build)?);
    let recorder = Recorder::new(settings::series(config));
    let exposition = Arc::new(Exposition::new(recorder.reader(), Arc::clone(&metrics), poller.targets()));
    let readiness = Readiness::default();
    let server_config =
        ServerConfig { listen: config.listen, web_config: config.web_config_file.clone(), ..ServerConfig::default() };
    let overview = Arc::new(Overview::default());
    let bind = Server::bind(server_config, Arc::clone(&exposition), Arc::clone(&overview), readiness.clone());
    let server = runtime.block_on(bind)?;
    runtime.spawn(history::sample(Arc::clone(&overview), exposition));
    Ok((server, metrics, recorder, readiness, overview))
}

/// The thread that drains the ring.
struct CaptureThread {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl CaptureThread {
    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

fn start(capture: Capture) -> std::io::Result<CaptureThread> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = std::thread::Builder::new().name("capture".to_owned()).spawn(move || {
        turn::wait_for_it();
        capture.run(&stopped);
    })?;
    Ok(CaptureThread { stop, thread })
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
    applied: &ArcSwap<Config>,
    log: &LogHandle,
    mut repoll: impl FnMut(&Config),
    mut on_reload: impl FnMut(ReloadResult),
) {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hangup.recv() => {
                let result = reload(reloader, log);
                repoll(&reloader.current().load());
                in_use(reloader, applied).await;
                on_reload(result);
            }
        }
    }
    tracing::info!("ending");
}

/// Waits until the capturing thread works with the newest configuration, so that a counted reload is in force.
async fn in_use(reloader: &Reloader, applied: &ArcSwap<Config>) {
    let newest = reloader.current().load_full();
    for _ in 0..200 {
        if Arc::ptr_eq(&newest, &applied.load_full()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tracing::warn!("the new configuration is not in use yet: the capturing thread is busy");
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
