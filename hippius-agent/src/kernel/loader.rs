//! Loads the kernel object, fills in what depends on this host, attaches the programs of one back-end.

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray, ProgramArray, RingBuf};
use aya::programs::{BtfTracePoint, FEntry, FExit, Iter, Program, ProgramFd};
use aya::{Btf, Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use hippius_common::ABI_GLOBAL;
use hippius_common::fields::arch;
use hippius_common::loss::REASONS;

use super::backend::{Attachment, Backend, Hook, PREFERENCE, plan};
use super::btf::KernelTypes;
use super::clients::Clients;
use super::clock::monotonic_ns;
use super::error::LoadError;
use super::facts::Facts;
use super::iterator::Iterator;
use super::self_check;
use super::sweep::Sweeper;
use super::tls;
use super::watch::{PortSet, Watch};

/// The kernel object, as built by `cargo xtask build`.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("HIPPIUS_EBPF_OBJECT"));

/// Words of the port bitmap.
pub const PORT_WORDS: usize = 65536 / 64;

/// Threads whose calls into TLS libraries are remembered, and processes; those that have not called for longest make
/// room.
const TLS_THREADS: u32 = 16_384;
const TLS_PROCESSES: u32 = 8_192;

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
    log: Option<EbpfLogger<&'static dyn log::Log>>,
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
        let mut poll = libc::pollfd { fd: self.ring.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one descriptor that the ring owns. An error is an early return, and harmless.
        unsafe { libc::poll(&raw mut poll, 1, timeout) };
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
    losses: PerCpuArray<MapData, u64>,
    ports: Array<MapData, PortSet>,
    discover: Array<MapData, u32>,
    /// Whose connections are watched.
    pub clients: Clients,
    programs: Vec<&'static str>,
    ebpf: Ebpf,
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

/// Loads and attaches the best back-end that works here. `watch` is watched from then on.
pub fn load(settings: &Settings, watch: &Watch) -> Result<Probes, LoadError> {
    let types = KernelTypes::of_running_kernel()?;
    let facts = Facts::of(&types)?;
    load_with(settings, watch, &types, &facts)
}

/// The same with what is known of the kernel; tests give what is not true.
pub fn load_with(settings: &Settings, watch: &Watch, types: &KernelTypes, facts: &Facts) -> Result<Probes, LoadError> {
    let btf = Btf::from_sys_fs()?;
    let mut refused = Vec::new();
    let candidates = settings.backend.as_ref().map_or(PREFERENCE, std::slice::from_ref);
    for &backend in candidates {
        match attach(backend, settings, types, facts, &btf) {
            Ok(mut probes) => {
                self_check::run(&mut probes, facts.get("HAS_STORAGE") != 0)?;
                probes.since_ns = monotonic_ns();
                probes.controls.watch(watch)?;
                probes.refused = refused;
                return Ok(probes);
            }
            Err(error) => refused.push((backend, error.to_string())),
        }
    }
    let reasons: Vec<_> = refused.iter().map(|(backend, error)| format!("{}: {error}", backend.name())).collect();
    Err(LoadError::NoBackend(reasons.join("; ")))
}

/// Loads the programs of one back-end and attaches nothing.
pub fn try_load(backend: Backend, settings: &Settings) -> Result<(), LoadError> {
    let types = KernelTypes::of_running_kernel()?;
    let facts = Facts::of(&types)?;
    prepare(backend, settings, &types, &facts, &Btf::from_sys_fs()?).map(drop)
}

/// Loads the programs for TLS libraries beside the first back-end that loads, and attaches nothing.
pub fn try_tls(settings: &Settings) -> Result<(), LoadError> {
    let types = KernelTypes::of_running_kernel()?;
    let facts = Facts::of(&types)?;
    let btf = Btf::from_sys_fs()?;
    let mut result = Ok(());
    for &backend in PREFERENCE {
        match prepare(backend, settings, &types, &facts, &btf) {
            Ok((probes, _)) => return probes.tls.map_or(Ok(()), |tls| tls.map(drop)),
            Err(error) => result = Err(error),
        }
    }
    result
}

/// Loads one back-end and attaches it; no port is watched yet.
fn attach(
    backend: Backend,
    settings: &Settings,
    types: &KernelTypes,
    facts: &Facts,
    btf: &Btf,
) -> Result<Probes, LoadError> {
    let (mut probes, plan) = prepare(backend, settings, types, facts, btf)?;
    for attachment in plan.iter().filter(|attachment| attachment.array.is_none()) {
        attach_program(&mut probes.controls.ebpf, attachment)?;
    }
    Ok(probes)
}

fn prepare(
    backend: Backend,
    settings: &Settings,
    types: &KernelTypes,
    facts: &Facts,
    btf: &Btf,
) -> Result<(Probes, Vec<Attachment>), LoadError> {
    let plan = plan(backend, types, facts).map_err(LoadError::Lacking)?;
    let mut ebpf = load_object(settings, backend, facts, btf)?;
    let ports = Array::try_from(take(&mut ebpf, "PORTS")?)?;
    let discover = Array::try_from(take(&mut ebpf, "DISCOVER")?)?;
    let losses = PerCpuArray::try_from(take(&mut ebpf, "LOSSES")?)?;
    let ring = RingBuf::try_from(take(&mut ebpf, "RECORDS")?)?;
    let log = settings.probe_log.then(|| EbpfLogger::init(&mut ebpf)).transpose()?;
    for attachment in &plan {
        let fd = load_program(&mut ebpf, attachment, btf)?;
        if let Some((array, place)) = attachment.array {
            let Some(map) = ebpf.map_mut(array) else { return Err(LoadError::Foreign(array)) };
            ProgramArray::try_from(map)?.set(place, &fd, 0)?;
        }
    }
    let processes = tls::programs::again(&ebpf, "CLIENTS")?;
    // The sweeper lets go of the map that this program uses, too.
    let clients = load_clients(&mut ebpf, facts, btf)?;
    let (mut sweeper, sweep) = load_sweeper(&mut ebpf, facts, btf)?;
    let mut programs: Vec<_> = plan.iter().map(|attachment| attachment.program).chain([sweep]).collect();
    let tls = (settings.max_sessions > 0).then(|| load_tls(&mut ebpf, &mut sweeper, processes, btf));
    if let Some(Ok(_)) = &tls {
        programs.extend(tls::programs::NAMES);
    }
    let controls = Controls { losses, ports, discover, clients, programs, ebpf };
    Ok((Probes { ring, sweeper, log, controls, backend, refused: Vec::new(), tls, since_ns: 0 }, plan))
}

fn load_program(ebpf: &mut Ebpf, attachment: &Attachment, btf: &Btf) -> Result<ProgramFd, LoadError> {
    let name = attachment.program;
    let program = program(ebpf, name)?;
    let loaded = (|| {
        match attachment.hook {
            Hook::Tracepoint => <&mut BtfTracePoint>::try_from(&mut *program)?.load(attachment.target, btf)?,
            Hook::Entry => <&mut FEntry>::try_from(&mut *program)?.load(attachment.target, btf)?,
            Hook::Exit => <&mut FExit>::try_from(&mut *program)?.load(attachment.target, btf)?,
        }
        Ok(program.fd()?.try_clone()?)
    })();
    loaded.map_err(|source| LoadError::Program { name, source: Box::new(source) })
}

fn attach_program(ebpf: &mut Ebpf, attachment: &Attachment) -> Result<(), LoadError> {
    let name = attachment.program;
    let program = program(ebpf, name)?;
    let attached = (|| {
        match attachment.hook {
            Hook::Tracepoint => <&mut BtfTracePoint>::try_from(program)?.attach().map(|_| ())?,
            Hook::Entry => <&mut FEntry>::try_from(program)?.attach().map(|_| ())?,
            Hook::Exit => <&mut FExit>::try_from(program)?.attach().map(|_| ())?,
        }
        Ok(())
    })();
    attached.map_err(|source| LoadError::Program { name, source: Box::new(source) })
}

fn load_object(settings: &Settings, backend: Backend, facts: &Facts, btf: &Btf) -> Result<Ebpf, LoadError> {
    let present = 1u32;
    let probe_log = u32::from(settings.probe_log);
    let tgid = std::process::id();
    let bit = backend.bit();
    let arch = if cfg!(target_arch = "aarch64") { arch::AARCH64 } else { arch::X86_64 };
    let max_flows = if facts.get("HAS_STORAGE") == 0 { settings.max_flows } else { 1 };
    let mut loader = EbpfLoader::new();
    loader
        .btf(Some(btf))
        .map_max_entries("RECORDS", settings.ring_bytes)
        .map_max_entries("FLOWS_BY_ADDRESS", max_flows)
        .map_max_entries("IGNORED_BY_ADDRESS", max_flows)
        .map_max_entries("TLS_SESSIONS", settings.max_sessions.max(1))
        .map_max_entries("TLS_CALLS", if settings.max_sessions == 0 { 1 } else { TLS_THREADS })
        .map_max_entries("TLS_PROCESSES", if settings.max_sessions == 0 { 1 } else { TLS_PROCESSES })
        .override_global("BACKEND", &bit, true)
        .override_global("ARCH", &arch, true)
        .override_global(ABI_GLOBAL, &present, true)
        .override_global("WAKE_BYTES", &settings.wake_bytes, true)
        .override_global("PROBE_LOG", &probe_log, true)
        .override_global("AGENT_TGID", &tgid, true);
    for (global, value) in facts.globals() {
        loader.override_global(global, value, true);
    }
    Ok(loader.load(OBJECT)?)
}

fn load_sweeper(ebpf: &mut Ebpf, facts: &Facts, btf: &Btf) -> Result<(Sweeper, &'static str), LoadError> {
    let (name, iterator, map) = if facts.get("HAS_STORAGE") == 0 {
        ("sweep_by_address", "bpf_map_elem", "FLOWS_BY_ADDRESS")
    } else {
        ("sweep", "bpf_sk_storage_map", "FLOWS")
    };
    let refused = |source| LoadError::Program { name, source: Box::new(source) };
    let since = Array::try_from(take(ebpf, "SWEEP_SINCE")?)?;
    let flows = match take(ebpf, map)? {
        Map::SkStorage(flows) | Map::HashMap(flows) => flows,
        _ => return Err(LoadError::Foreign(map)),
    };
    let sweep: &mut Iter = program(ebpf, name)?.try_into().map_err(refused)?;
    sweep.load(iterator, btf).map_err(refused)?;
    let fd = sweep.fd().map_err(refused)?;
    Ok((Sweeper::new(fd.as_fd(), flows.fd().as_fd(), since)?, name))
}

/// Without socket storage there is no way from a file to its socket either: what is open already stays unseen.
fn load_clients(ebpf: &mut Ebpf, facts: &Facts, btf: &Btf) -> Result<Clients, LoadError> {
    let open = if facts.get("HAS_STORAGE") == 0 { None } else { Some(load_adopt(ebpf, btf)?) };
    Ok(Clients {
        processes: HashMap::try_from(take(ebpf, "CLIENTS")?)?,
        started: HashMap::try_from(take(ebpf, "STARTED")?)?,
        outbound: Array::try_from(take(ebpf, "OUTBOUND")?)?,
        programs: Array::try_from(take(ebpf, "PROGRAMS")?)?,
        listened: Array::try_from(take(ebpf, "LISTENED")?)?,
        open,
    })
}

fn load_adopt(ebpf: &mut Ebpf, btf: &Btf) -> Result<Iterator, LoadError> {
    let name = "adopt";
    let refused = |source| LoadError::Program { name, source: Box::new(source) };
    let adopt: &mut Iter = program(ebpf, name)?.try_into().map_err(refused)?;
    adopt.load("task_file", btf).map_err(refused)?;
    Ok(Iterator::over_all(adopt.fd().map_err(refused)?.as_fd())?)
}

/// The programs for TLS libraries, whose sessions are swept with the sockets' flows.
fn load_tls(
    ebpf: &mut Ebpf,
    sweeper: &mut Sweeper,
    processes: Map,
    btf: &Btf,
) -> Result<tls::programs::Parts, LoadError> {
    let (name, map) = ("sweep_by_address", "TLS_SESSIONS");
    let refused = |source| LoadError::Program { name, source: Box::new(source) };
    let sweep: &mut Iter = program(ebpf, name)?.try_into().map_err(refused)?;
    if sweep.fd().is_err() {
        sweep.load("bpf_map_elem", btf).map_err(refused)?;
    }
    let sweep = sweep.fd().and_then(|fd| Ok(fd.try_clone()?)).map_err(refused)?;
    let Some(Map::HashMap(sessions)) = ebpf.map(map) else { return Err(LoadError::Foreign(map)) };
    sweeper.also(sweep.as_fd(), sessions.fd().as_fd())?;
    tls::programs::load(ebpf, processes)
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, LoadError> {
    ebpf.take_map(name).ok_or(LoadError::Foreign(name))
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Program, LoadError> {
    ebpf.program_mut(name).ok_or(LoadError::Foreign(name))
}
