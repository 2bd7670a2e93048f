//! The thread that drains the ring and takes every record through the pipeline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hashbrown::HashSet;
use hippius_common::flow::Connected;
use hippius_common::started::Run;
use tokio::runtime::Handle;

use super::decisions::{Decision, Decisions};
use super::tls::Tls;
use super::{gauges::Gauges, history, settings};
use crate::config::Config;
use crate::decode::http1::HeadBuffer;
use crate::export::page::Overview;
use crate::kernel::clients::Clients;
use crate::kernel::clock::monotonic_ns;
use crate::kernel::loader::Probes;
use crate::kernel::process;
use crate::kernel::record::{Item, Record, fetch_next};
use crate::kernel::watch::Watch;
use crate::pipeline::{Pipeline, Source};
use crate::record::agent::AgentMetrics;
use crate::record::history::connections::View;
use crate::record::series::{Batch, Recorder};

/// How long the thread sleeps when the ring is quiet. The kernel side wakes it earlier when much waits.
const NAP: Duration = Duration::from_millis(100);

/// How often all flows are looked at. Twice in the second in which everything must be visible, and one to spare.
const SWEEP_NS: u64 = 300_000_000;

/// How often slow matters are looked after.
const SECOND_NS: u64 = 1_000_000_000;

/// A flow that moved while a sweep passed it by is looked at again by the next one.
const SWEEP_OVERLAP_NS: u64 = 50_000_000;

/// Records under one lock of the recorder.
const BATCH: usize = 256;

/// Connections whose last record was lost are forgotten after this.
const IDLE: Duration = Duration::from_secs(3600);

/// What the thread works with.
pub struct Capture {
    /// The attached programs.
    pub probes: Probes,
    /// Which processes are clients, of those that began after the agent.
    pub decisions: Decisions,
    /// The probes of TLS libraries.
    pub tls: Option<Tls>,
    /// The stages.
    pub pipeline: Pipeline,
    /// Where they end.
    pub recorder: Recorder,
    /// The configuration in use.
    pub config: Arc<ArcSwap<Config>>,
    /// The configuration that this thread works with, for whoever waits for a reload.
    pub applied: Arc<ArcSwap<Config>>,
    /// Families about the agent itself.
    pub metrics: Arc<AgentMetrics>,
    /// Where connections are shown.
    pub overview: Arc<Overview>,
    /// Runs the lookups of accounts.
    pub runtime: Handle,
    /// The agent's own port.
    pub own_port: u16,
}

impl Capture {
    /// Runs until `stop` is set, then once more, so that nothing that was captured is left.
    pub fn run(mut self, stop: &AtomicBool) {
        let mut config = self.config.load_full();
        let mut gauges = Gauges::new(Arc::clone(&self.metrics));
        let mut heads = HeadBuffer::default();
        let (mut swept_ns, mut since_ns, mut looked_ns) = (0, self.probes.since_ns, 0);
        loop {
            let stopping = stop.load(Ordering::Relaxed);
            if !stopping {
                self.probes.wait(NAP);
            }
            self.drain(&mut heads, &mut gauges, &config);
            self.answer();
            let now_ns = monotonic_ns();
            if stopping || now_ns - swept_ns >= SWEEP_NS {
                swept_ns = now_ns;
                if self.sweep(&mut heads, &mut gauges, since_ns) {
                    since_ns = now_ns.saturating_sub(SWEEP_OVERLAP_NS);
                }
                self.find_closed(now_ns);
                self.pipeline.settle_waiting(&mut self.recorder.batch(), now_ns);
            }
            if stopping {
                return;
            }
            if now_ns - looked_ns >= SECOND_NS {
                looked_ns = now_ns;
                self.recorder.tick(now_ns);
                self.pipeline.forget_idle(&mut self.recorder.batch(), now_ns, IDLE);
                gauges.update(&self.probes.controls, &mut self.pipeline);
                if self.overview.connections().wanted() {
                    let view = self.pipeline.look(now_ns);
                    self.overview.connections().show(View { unix_s: history::now().unix_s, ..view });
                }
                self.probes.flush_log();
                self.end_sessions(&mut heads);
            }
            self.follow_config(&mut config);
        }
    }

    /// Takes all that waits in the ring, first what was kept from before.
    fn drain(&mut self, heads: &mut HeadBuffer, gauges: &mut Gauges, config: &Config) {
        let (pipeline, tls, decisions, metrics) =
            (&mut self.pipeline, &mut self.tls, &mut self.decisions, &*self.metrics);
        let clients = &self.probes.controls.clients;
        let mut intake = Intake { pipeline, tls, heads, gauges, config, clients, decisions, metrics };
        let early = self.probes.early.take();
        let mut early = early.chunks(BATCH);
        loop {
            let now_ns = monotonic_ns();
            let mut batch = self.recorder.batch();
            if let Some(records) = early.next() {
                records.iter().for_each(|record| intake.take(&mut batch, record, now_ns));
                continue;
            }
            for _ in 0..BATCH {
                let Some(item) = self.probes.ring.next() else { return };
                fetch_next(&item);
                intake.take(&mut batch, &item, now_ns);
            }
        }
    }

    /// True when every flow that moved was seen.
    fn sweep(&mut self, heads: &mut HeadBuffer, gauges: &mut Gauges, since_ns: u64) -> bool {
        let now_ns = monotonic_ns();
        let mut batch = self.recorder.batch();
        let pipeline = &mut self.pipeline;
        let swept = self.probes.sweeper.sweep(since_ns, |bytes| {
            if let Some(record) = Record::parse(bytes) {
                pipeline.take(&mut batch, heads, &record, Source::Sweep, now_ns);
            }
        });
        match swept {
            Ok(torn) => {
                gauges.torn(torn);
                torn == 0
            }
            Err(error) => {
                tracing::warn!("cannot look at all flows: {error}");
                false
            }
        }
    }

    /// Of Unix sockets, which may close without a record.
    fn find_closed(&mut self, now_ns: u64) {
        if !self.pipeline.has_unix_sockets() {
            return;
        }
        let mut open = HashSet::new();
        let looked = self.probes.sweeper.unix_sockets(|cookie| {
            open.insert(cookie);
        });
        match looked {
            Ok(()) => self.pipeline.open_unix_sockets(&mut self.recorder.batch(), &open, now_ns),
            Err(error) => tracing::warn!("cannot look at Unix sockets: {error}"),
        }
    }

    /// Of processes that have ended without ending their TLS sessions.
    fn end_sessions(&mut self, heads: &mut HeadBuffer) {
        let Some(tls) = &mut self.tls else { return };
        tls.update();
        let now_ns = monotonic_ns();
        let mut batch = self.recorder.batch();
        let pipeline = &mut self.pipeline;
        tls.ended(|bytes| {
            if let Some(record) = Record::parse(bytes) {
                pipeline.take(&mut batch, heads, &record, Source::Ring, now_ns);
            }
        });
    }

    /// Says to the kernel side what the processes are that it has told of.
    fn answer(&mut self) {
        let Some(answers) = self.decisions.take_answers() else { return };
        if let Err(error) = self.probes.controls.clients.answer(&answers) {
            tracing::warn!("cannot watch connections of {} new processes: {error}", answers.clients.len());
        }
    }

    fn follow_config(&mut self, config: &mut Arc<Config>) {
        let new = self.config.load_full();
        if Arc::ptr_eq(config, &new) {
            return;
        }
        *config = Arc::clone(&new);
        self.recorder.configure(settings::series(&new));
        match self.pipeline.store().reopen(&settings::store(&new)) {
            Ok(lookups) => drop(self.runtime.spawn(lookups.run())),
            Err(error) => tracing::error!("accounts are looked up as before: {error}"),
        }
        if new.follows_clients() && !self.probes.controls.clients.can_be_watched() {
            tracing::warn!(
                "connections that processes open are watched after a restart: nothing asked for them at the start, so the \
                 programs were not loaded"
            );
        }
        if new.follows_unix_sockets() && !self.probes.controls.sees_unix() {
            tracing::warn!(
                "Unix sockets are watched after a restart: nothing asked for them at the start, so the programs were not \
                 loaded"
            );
        }
        let controls = &mut self.probes.controls;
        let asked = if new.clients.is_empty() { Ok(()) } else { controls.clients.ask_about_programs() };
        if let Err(error) = asked.and_then(|()| controls.watch(&Watch::of(&new, self.own_port))) {
            tracing::error!("ports and clients are watched as before: {error}");
        }
        self.pipeline.configure(Arc::clone(&new));
        self.applied.store(new);
    }
}

/// Where a record goes.
struct Intake<'a> {
    pipeline: &'a mut Pipeline,
    tls: &'a mut Option<Tls>,
    heads: &'a mut HeadBuffer,
    gauges: &'a mut Gauges,
    config: &'a Config,
    clients: &'a Clients,
    decisions: &'a mut Decisions,
    metrics: &'a AgentMetrics,
}

impl Intake<'_> {
    fn take(&mut self, batch: &mut Batch<'_>, item: &[u8], now_ns: u64) {
        match Item::parse(item) {
            Some(Item::Flow(record)) => {
                self.gauges.record(record.header.kind);
                self.pipeline.take(batch, self.heads, &record, Source::Ring, now_ns);
            }
            Some(Item::Connected(connected)) => {
                self.gauges.record(connected.kind);
                if self.is_of_client(&connected) {
                    self.pipeline.connected(&connected, now_ns);
                }
            }
            Some(Item::Named(named)) => {
                self.gauges.record(named.kind);
                self.pipeline.named(&named);
            }
            Some(Item::Asked(asked)) => {
                let client = self.decisions.is_client(asked.tgid);
                let followed = self.tls.as_mut().is_some_and(|tls| tls.answer(self.config, &asked, client));
                self.pipeline.follow_sessions(asked.tgid, followed);
            }
            Some(Item::Executes(program)) => {
                let clients = self.clients;
                let whole = |run: Run| {
                    let command = process::raw_command(run.tgid as u32)?;
                    // Else it may be of what came after.
                    clients.is_running(run).then_some(command)
                };
                self.decisions.executes(self.config, &program, whole);
            }
            Some(Item::Forked(started)) => self.decisions.forked(&started),
            None => self.gauges.torn(1),
        }
    }

    /// Whether a client has opened this connection. All else that is told of one that is not taken is left out.
    fn is_of_client(&self, connected: &Connected) -> bool {
        if connected.started_ns == 0 {
            return true;
        }
        let run = Run { started_ns: connected.started_ns, tgid: u64::from(connected.tgid) };
        match self.decisions.of(run) {
            Some(Decision::Client) => true,
            Some(Decision::Other) => false,
            Some(Decision::Unknown) | None => {
                self.metrics.events_lost.with_label_values(&["client_unknown"]).inc();
                false
            }
        }
    }
}
