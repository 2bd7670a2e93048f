//! Loads and attaches the best back-end that works on this host.

use std::thread;
use std::time::Duration;

use aya::maps::{Array, MapData, PerCpuArray, RingBuf};
use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use hippius_common::loss::REASONS;

use super::backend::{Attachment, Backend, PREFERENCE, plan};
use super::btf::KernelTypes;
use super::clients::Clients;
use super::clock::monotonic_ns;
use super::early::{self, Early};
use super::error::LoadError;
use super::facts::Facts;
use super::object::{self, Object};
use super::sweep::Sweeper;
use super::watch::{PortSet, Watch};
use super::{programs, self_check, tls};

/// How often the ring is emptied while programs are loaded: it takes longer to fill.
const WHILE_LOADING: Duration = Duration::from_millis(5);

/// Words of the port bitmap.
pub const PORT_WORDS: usize = 65536 / 64;

/// What the programs are told before they are loaded.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Size of the ring in bytes: a power of two, a multiple of the page size.
    pub ring_bytes: u32,
    /// The agent is woken when so many bytes wait in the ring.
    pub wake_bytes: u64,
    /// The programs' own debug output goes to the agent's log.
    pub probe_log: bool,
    /// Most sockets that are followed at a time, where the kernel has no socket storage.
    pub max_flows: u32,
    /// Most TLS sessions that are followed at a time; 0: no TLS library is probed.
    pub max_sessions: u32,
    /// Connections that processes open may be watched. Without it the programs for them are not loaded, which halves the
    /// start and can be made up for only by another one.
    pub clients: bool,
    /// The one back-end to use; otherwise the first of [`PREFERENCE`] that works.
    pub backend: Option<Backend>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ring_bytes: 4 << 20,
            wake_bytes: 128 << 10,
            probe_log: false,
            max_flows: 65_536,
            max_sessions: 0,
            clients: true,
            backend: None,
        }
    }
}

/// The attached programs and their maps. Dropping it detaches them.
pub struct Probes {
    /// Records.
    pub ring: RingBuf<MapData>,
    /// Looks at all flows.
    pub sweeper: Sweeper,
    /// The control side.
    pub controls: Controls,
    /// Which back-end this is.
    pub backend: Backend,
    /// Those that were tried before, and why they do not work here.
    pub refused: Vec<(Backend, String)>,
    /// The programs for TLS libraries, where they are asked for, or why they do not work here.
    pub tls: Option<Result<tls::programs::Parts, LoadError>>,
    /// Since when the wanted ports are watched, `CLOCK_MONOTONIC` in nanoseconds.
    pub since_ns: u64,
    /// Records from before the programs for clients were loaded.
    pub early: Early,
    pub(super) log: Option<EbpfLogger<&'static dyn log::Log>>,
}

impl Probes {
    /// Writes the programs' own debug output to the agent's log, where that is asked for.
    pub fn flush_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
    }

    /// Waits until the ring holds more than the wake threshold, or `timeout` is over.
    pub fn wait(&self, timeout: Duration) {
        early::wait(&self.ring, timeout);
    }
}

/// How often a program ran and how long that took, where `kernel.bpf_stats_enabled` is on.
#[derive(Debug, Clone, Copy)]
pub struct ProgramRuns {
    /// Name of the program.
    pub program: &'static str,
    /// Runs.
    pub runs: u64,
    /// Time of all runs.
    pub time: Duration,
}

/// Which ports are watched, and what was lost.
pub struct Controls {
    pub(super) losses: PerCpuArray<MapData, u64>,
    pub(super) ports: Array<MapData, PortSet>,
    pub(super) discover: Array<MapData, u32>,
    pub(super) unix: Array<MapData, u32>,
    /// Whose connections are watched.
    pub clients: Clients,
    pub(super) programs: Vec<&'static str>,
    pub(super) ebpf: Ebpf,
}

impl Controls {
    /// Runs of each program; zeroes unless `kernel.bpf_stats_enabled` is on.
    pub fn program_runs(&self) -> impl std::iter::Iterator<Item = ProgramRuns> {
        self.programs.iter().copied().filter_map(|program| {
            let info = self.ebpf.program(program)?.info().ok()?;
            Some(ProgramRuns { program, runs: info.run_count(), time: info.run_time() })
        })
    }

    /// Watches exactly this from now on.
    pub fn watch(&mut self, watch: &Watch) -> Result<(), LoadError> {
        self.discover.set(0, u32::from(watch.discover), 0)?;
        self.unix.set(0, u32::from(watch.unix), 0)?;
        self.ports.set(0, watch.ports.0, 0)?;
        self.clients.watch(watch)
    }

    /// The ports that are watched; the kernel side adds those that begin to listen.
    pub fn watched(&self) -> Result<PortSet, LoadError> {
        Ok(self.ports.get(&0, 0)?)
    }

    /// Losses since the programs were loaded, by reason label.
    pub fn losses(&self) -> impl std::iter::Iterator<Item = (&'static str, u64)> {
        REASONS.iter().filter_map(|(code, label)| {
            let values = self.losses.get(code, 0).ok()?;
            Some((*label, values.iter().sum()))
        })
    }
}

/// Loads and attaches the best back-end that works here. What `look` finds on the host is watched from then on.
pub fn load(settings: &Settings, look: impl Fn() -> Watch) -> Result<Probes, LoadError> {
    let (facts, plans) = of_running_kernel(settings)?;
    load_with(settings, look, &facts, plans)
}

/// The same with what is known of the kernel; tests give what is not true.
pub fn load_with(
    settings: &Settings,
    look: impl Fn() -> Watch,
    facts: &Facts,
    plans: Vec<Plan>,
) -> Result<Probes, LoadError> {
    let mut refused = Vec::new();
    let mut loader = object::loader();
    let object = Object::new(settings, facts)?;
    object.configure(&mut loader);
    for Plan { backend, attachments } in plans {
        let attached = attachments.and_then(|plan| Ok((attach(&object, &mut loader, backend, &plan)?, plan)));
        match attached {
            Ok((probes, plan)) => {
                let mut probes = begin(&object, probes, &plan, look, facts.get("HAS_STORAGE") != 0)?;
                probes.refused = refused;
                return Ok(probes);
            }
            Err(error) => refused.push((backend, error.to_string())),
        }
    }
    let reasons: Vec<_> = refused.iter().map(|(backend, error)| format!("{}: {error}", backend.name())).collect();
    Err(LoadError::NoBackend(reasons.join("; ")))
}

/// Watches servers, then loads the programs for clients where they are asked for, which takes as long again, then watches
/// clients. Each end is checked before it is watched.
fn begin<'a>(
    object: &'a Object<'a>,
    mut probes: Probes,
    plan: &[Attachment],
    look: impl Fn() -> Watch,
    cookies: bool,
) -> Result<Probes, LoadError> {
    self_check::servers(&mut probes, cookies)?;
    let first = look();
    let programs = first.programs;
    let servers = first.without_clients();
    probes.since_ns = monotonic_ns();
    probes.controls.watch(&servers)?;
    if !object.is_for_clients() {
        return Ok(probes);
    }
    let Probes { ring, early, controls, .. } = &mut probes;
    thread::scope(|scope| {
        let loading = scope.spawn(|| object.load_clients(&mut controls.ebpf, plan));
        while !loading.is_finished() {
            early::wait(ring, WHILE_LOADING);
            early.drain(ring);
        }
        loading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    probes.controls.clients.loaded = true;
    self_check::clients(&mut probes, &servers, cookies)?;
    if programs {
        probes.controls.clients.ask_about_programs()?;
    }
    probes.controls.clients.watch(&look())?;
    Ok(probes)
}

/// What one back-end is made of, or why it cannot run here.
pub struct Plan {
    /// Which.
    pub backend: Backend,
    /// Its programs.
    pub attachments: Result<Vec<Attachment>, LoadError>,
}

/// Facts about the running kernel, and the back-ends in order of preference. Its types are let go: they are large.
fn of_running_kernel(settings: &Settings) -> Result<(Facts, Vec<Plan>), LoadError> {
    let types = KernelTypes::of_running_kernel()?;
    let facts = Facts::of(&types)?;
    let plans = plans(settings, &types, &facts);
    Ok((facts, plans))
}

/// The back-ends that the settings allow, in order of preference.
pub fn plans(settings: &Settings, types: &KernelTypes, facts: &Facts) -> Vec<Plan> {
    let candidates = settings.backend.as_ref().map_or(PREFERENCE, std::slice::from_ref);
    let plan = |&backend| Plan { backend, attachments: plan(backend, types, facts).map_err(LoadError::Lacking) };
    candidates.iter().map(plan).collect()
}

/// Loads the programs of one back-end and attaches nothing.
pub fn try_load(backend: Backend, settings: &Settings) -> Result<(), LoadError> {
    let settings = Settings { backend: Some(backend), ..*settings };
    try_any(&settings).map(drop)
}

/// Loads the programs for TLS libraries beside the first back-end that loads, and attaches nothing.
pub fn try_tls(settings: &Settings) -> Result<(), LoadError> {
    try_any(settings)?.tls.map_or(Ok(()), |tls| tls.map(drop))
}

fn try_any(settings: &Settings) -> Result<Probes, LoadError> {
    let (facts, plans) = of_running_kernel(settings)?;
    let mut loader = object::loader();
    let object = Object::new(settings, &facts)?;
    object.configure(&mut loader);
    let mut result = Err(LoadError::NoBackend("none is asked for".to_owned()));
    for Plan { backend, attachments } in plans {
        result = attachments.and_then(|plan| {
            let mut probes = object.load(&mut loader, backend, &plan)?;
            object.load_clients(&mut probes.controls.ebpf, &plan)?;
            Ok(probes)
        });
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Loads one back-end and attaches it; no port is watched yet.
fn attach<'a>(
    object: &'a Object<'a>,
    loader: &mut EbpfLoader<'a>,
    backend: Backend,
    plan: &[Attachment],
) -> Result<Probes, LoadError> {
    let mut probes = object.load(loader, backend, plan)?;
    for attachment in plan.iter().filter(|attachment| attachment.array.is_none()) {
        programs::attach(&mut probes.controls.ebpf, attachment)?;
    }
    Ok(probes)
}
