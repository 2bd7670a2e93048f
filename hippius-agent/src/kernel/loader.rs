//! Loads and attaches the best back-end that works on this host.

use std::time::Duration;

use aya::maps::{Array, MapData, PerCpuArray, RingBuf};
use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use hippius_common::loss::REASONS;

use super::backend::{Attachment, Backend, PREFERENCE, plan};
use super::btf::KernelTypes;
use super::clients::Clients;
use super::early::{self, Early};
use super::error::LoadError;
use super::facts::Facts;
use super::object::{self, Object};
use super::sweep::Sweeper;
use super::targets::Targets;
use super::watch::{PortSet, Ports, Watch};
use super::{begin, heap, programs, tls};

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
    /// Unix sockets may be watched. Without it the programs that only they need are not loaded, likewise.
    pub unix: bool,
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
            unix: true,
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
    /// Why the programs for MPTCP do not work here, which leaves its connections a counted loss.
    pub mptcp: Option<LoadError>,
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
    pub(super) sees_unix: bool,
    pub(super) mptcp: Array<MapData, u32>,
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

    /// Watches one more port, or one less.
    pub(super) fn watch_port(&mut self, port: u16, is_watched: bool) -> Result<(), LoadError> {
        let mut ports = Ports(self.watched()?);
        if is_watched {
            ports.add(port)
        } else {
            ports.remove(port)
        }
        Ok(self.ports.set(0, ports.0, 0)?)
    }

    /// Whether the programs see Unix sockets.
    pub fn sees_unix(&self) -> bool {
        self.sees_unix
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
///
/// There must be no other thread: for a moment none can open a file.
pub fn load(settings: &Settings, look: impl Fn() -> Watch) -> Result<Probes, LoadError> {
    let (facts, plans) = of_running_kernel(settings)?;
    load_by(true, settings, look, &facts, plans)
}

/// The same with what is known of the kernel; tests give what is not true.
pub fn load_with(
    settings: &Settings,
    look: impl Fn() -> Watch,
    facts: &Facts,
    plans: Vec<Plan>,
) -> Result<Probes, LoadError> {
    load_by(false, settings, look, facts, plans)
}

fn load_by(
    before_threads: bool,
    settings: &Settings,
    look: impl Fn() -> Watch,
    facts: &Facts,
    plans: Vec<Plan>,
) -> Result<Probes, LoadError> {
    let mut refused = Vec::new();
    let mut loader = if before_threads { object::loader_before_threads() } else { object::loader() };
    let object = Object::new(settings, facts);
    object.configure(&mut loader);
    for Plan { backend, programs } in plans {
        let attached = programs.and_then(|plan| Ok((attach(&object, &mut loader, backend, &plan)?, plan)));
        match attached {
            Ok((probes, plan)) => {
                let mut probes = begin::begin(&object, probes, &plan, look, facts.get("HAS_STORAGE") != 0)?;
                probes.refused = refused;
                return Ok(probes);
            }
            Err(error) => refused.push((backend, error.to_string())),
        }
        // The next one parses the object anew.
        heap::give_back();
    }
    let reasons: Vec<_> = refused.iter().map(|(backend, error)| format!("{}: {error}", backend.name())).collect();
    Err(LoadError::NoBackend(reasons.join("; ")))
}

/// What one back-end is made of, or why it cannot run here.
pub struct Plan {
    /// Which.
    pub backend: Backend,
    /// Its programs.
    pub programs: Result<Planned, LoadError>,
}

/// The programs of a back-end.
pub struct Planned {
    /// Each with its place.
    pub attachments: Vec<Attachment>,
    /// Where the kernel has these places.
    pub targets: Targets,
}

impl Planned {
    fn of(backend: Backend, types: &KernelTypes, facts: &Facts) -> Result<Self, LoadError> {
        let attachments = plan(backend, types, facts).map_err(LoadError::Lacking)?;
        let targets = Targets::of(types, &attachments)?;
        Ok(Self { attachments, targets })
    }
}

/// Facts about the running kernel, and the back-ends in order of preference. Its types are let go: they are large.
pub(super) fn of_running_kernel(settings: &Settings) -> Result<(Facts, Vec<Plan>), LoadError> {
    let types = KernelTypes::of_running_kernel()?;
    let facts = Facts::of(&types)?;
    let plans = plans(settings, &types, &facts);
    Ok((facts, plans))
}

/// The back-ends that the settings allow, in order of preference.
pub fn plans(settings: &Settings, types: &KernelTypes, facts: &Facts) -> Vec<Plan> {
    let candidates = settings.backend.as_ref().map_or(PREFERENCE, std::slice::from_ref);
    let plan = |&backend| Plan { backend, programs: Planned::of(backend, types, facts) };
    candidates.iter().map(plan).collect()
}

/// Loads one back-end and attaches it; no port is watched yet.
fn attach<'a>(
    object: &'a Object<'a>,
    loader: &mut EbpfLoader<'a>,
    backend: Backend,
    plan: &Planned,
) -> Result<Probes, LoadError> {
    let mut probes = object.load(loader, backend, plan)?;
    let ebpf = &mut probes.controls.ebpf;
    plan.attachments
        .iter()
        .filter(|attachment| object.is_first(attachment))
        .try_for_each(|one| programs::attach(ebpf, one))?;
    Ok(probes)
}
