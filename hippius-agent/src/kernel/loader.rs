//! Loads the kernel object, fills in what depends on this host, attaches the back-end that works.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use aya::maps::{Array, Map, MapData, PerCpuArray, ProgramArray, RingBuf};
use aya::programs::{BtfTracePoint, Iter, Program, ProgramError};
use aya::{Btf, Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use hippius_common::ABI_GLOBAL;
use hippius_common::loss::REASONS;

use super::btf::{BtfError, KernelTypes};
use super::sweep::Sweeper;

/// The kernel object, as built by `cargo xtask build`.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("HIPPIUS_EBPF_OBJECT"));

/// Words of the port bitmap.
pub const PORT_WORDS: usize = 65536 / 64;

/// Programs of the BTF-tracepoint back-end; each is called as its tracepoint.
const TRACEPOINTS: [&str; 3] = ["inet_sock_set_state", "sock_recv_length", "sock_send_length"];

/// Programs that go on with a call, and the arrays through which they are reached.
const CONTINUATIONS: [(&str, &str); 2] = [("sock_recv_length_on", "RECV_ON"), ("sock_send_length_on", "SEND_ON")];

/// What the programs are told before they are loaded.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Size of the ring in bytes: a power of two, a multiple of the page size.
    pub ring_bytes: u32,
    /// The agent is woken when so many bytes wait in the ring.
    pub wake_bytes: u64,
    /// Watch every port on which somebody begins to listen.
    pub discover: bool,
    /// The programs' own debug output goes to the agent's log.
    pub probe_log: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ring_bytes: 4 << 20, wake_bytes: 128 << 10, discover: true, probe_log: false }
    }
}

/// Why the programs do not run here.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Offsets are not to be had.
    #[error(transparent)]
    Types(#[from] BtfError),
    /// aya cannot use the kernel's BTF.
    #[error("cannot use the kernel's BTF: {0}")]
    Btf(#[from] aya::BtfError),
    /// The object or its maps are refused.
    #[error("cannot load the kernel object: {}", explain(.0))]
    Object(#[from] aya::EbpfError),
    /// A map cannot be used.
    #[error("cannot use a map of the kernel object: {}", explain(.0))]
    Map(#[from] aya::maps::MapError),
    /// A program is refused.
    #[error("the kernel refuses the program {name}: {}", explain(.source))]
    Program {
        /// Which program.
        name: &'static str,
        /// The kernel's answer with the verifier's log.
        source: Box<ProgramError>,
    },
    /// The iterator is refused.
    #[error("the kernel refuses the iterator over socket storage: {0}")]
    Sweep(#[from] io::Error),
    /// The programs' debug output cannot be read.
    #[error("cannot read the programs' log: {0}")]
    Log(#[from] aya_log::Error),
    /// The object was built for another version of the agent.
    #[error("the kernel object lacks {0}: agent and object are of different builds, run `cargo xtask build`")]
    Foreign(&'static str),
}

/// An error with all its causes; the verifier's log is one of them.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The attached programs and their maps. Dropping it detaches them.
pub struct Probes {
    /// Records.
    pub ring: RingBuf<MapData>,
    /// Looks at all flows.
    pub sweeper: Sweeper,
    /// The control side.
    pub controls: Controls,
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
    ports: Array<MapData, [u64; PORT_WORDS]>,
    discover: Array<MapData, u32>,
    ebpf: Ebpf,
}

impl Controls {
    /// Runs of each program; zeroes unless `kernel.bpf_stats_enabled` is on.
    pub fn program_runs(&self) -> impl Iterator<Item = ProgramRuns> {
        let continuations = CONTINUATIONS.iter().map(|(program, _)| *program);
        TRACEPOINTS.into_iter().chain(continuations).chain(["sweep"]).filter_map(|program| {
            let info = self.ebpf.program(program)?.info().ok()?;
            Some(ProgramRuns { program, runs: info.run_count(), time: info.run_time() })
        })
    }

    /// Watches exactly these ports from now on, one bit each; with `discover` those too on which somebody begins to
    /// listen.
    pub fn watch(&mut self, ports: &[u64; PORT_WORDS], discover: bool) -> Result<(), LoadError> {
        self.discover.set(0, u32::from(discover), 0)?;
        Ok(self.ports.set(0, ports, 0)?)
    }

    /// The ports that are watched; the kernel side adds those that begin to listen.
    pub fn watched(&self) -> Result<[u64; PORT_WORDS], LoadError> {
        Ok(self.ports.get(&0, 0)?)
    }

    /// Losses since the programs were loaded, by reason label.
    pub fn losses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.iter().filter_map(|(code, label)| {
            let values = self.losses.get(code, 0).ok()?;
            Some((*label, values.iter().sum()))
        })
    }
}

/// Loads everything and attaches it. `ports` are watched from the first moment.
pub fn load(settings: &Settings, ports: &[u64; PORT_WORDS]) -> Result<Probes, LoadError> {
    let offsets = KernelTypes::of_running_kernel()?.offsets()?;
    let btf = Btf::from_sys_fs()?;
    let mut ebpf = load_object(settings, &offsets, &btf)?;
    let mut port_map = Array::try_from(take(&mut ebpf, "PORTS")?)?;
    port_map.set(0, ports, 0)?;
    let mut discover = Array::try_from(take(&mut ebpf, "DISCOVER")?)?;
    discover.set(0, u32::from(settings.discover), 0)?;
    let losses = PerCpuArray::try_from(take(&mut ebpf, "LOSSES")?)?;
    let ring = RingBuf::try_from(take(&mut ebpf, "RECORDS")?)?;
    let log = settings.probe_log.then(|| EbpfLogger::init(&mut ebpf)).transpose()?;
    let sweeper = load_sweeper(&mut ebpf, &btf)?;
    for (name, array) in CONTINUATIONS {
        let tracepoint = name.trim_end_matches("_on");
        let program = load_tracepoint(&mut ebpf, name, tracepoint, &btf)?;
        let fd = program.fd().and_then(|fd| Ok(fd.try_clone()?));
        let fd = fd.map_err(|source| LoadError::Program { name, source: Box::new(source) })?;
        let Some(map) = ebpf.map_mut(array) else { return Err(LoadError::Foreign(array)) };
        ProgramArray::try_from(map)?.set(0, &fd, 0)?;
    }
    for name in TRACEPOINTS {
        load_tracepoint(&mut ebpf, name, name, &btf)?;
    }
    for name in TRACEPOINTS {
        let refused = |source| LoadError::Program { name, source: Box::new(source) };
        let program: &mut BtfTracePoint = program(&mut ebpf, name)?.try_into().map_err(refused)?;
        program.attach().map_err(refused)?;
    }
    Ok(Probes { ring, sweeper, log, controls: Controls { losses, ports: port_map, discover, ebpf } })
}

fn load_tracepoint<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
    tracepoint: &str,
    btf: &Btf,
) -> Result<&'a mut BtfTracePoint, LoadError> {
    let refused = |source| LoadError::Program { name, source: Box::new(source) };
    let program: &mut BtfTracePoint = program(ebpf, name)?.try_into().map_err(refused)?;
    program.load(tracepoint, btf).map_err(refused)?;
    Ok(program)
}

fn load_object(settings: &Settings, offsets: &[(&'static str, u32)], btf: &Btf) -> Result<Ebpf, LoadError> {
    let present = 1u32;
    let probe_log = u32::from(settings.probe_log);
    let tgid = std::process::id();
    let mut loader = EbpfLoader::new();
    loader
        .btf(Some(btf))
        .map_max_entries("RECORDS", settings.ring_bytes)
        .override_global(ABI_GLOBAL, &present, true)
        .override_global("WAKE_BYTES", &settings.wake_bytes, true)
        .override_global("PROBE_LOG", &probe_log, true)
        .override_global("STORES_RELEASE", &STORES_RELEASE, true)
        .override_global("AGENT_TGID", &tgid, true);
    for (global, offset) in offsets {
        loader.override_global(global, offset, true);
    }
    Ok(loader.load(OBJECT)?)
}

/// Whether this processor's plain stores give a lock back: total store order, Intel SDM volume 3, section 9.2.
const STORES_RELEASE: u32 = cfg!(target_arch = "x86_64") as u32;

fn load_sweeper(ebpf: &mut Ebpf, btf: &Btf) -> Result<Sweeper, LoadError> {
    let name = "sweep";
    let refused = |source| LoadError::Program { name, source: Box::new(source) };
    let since = Array::try_from(take(ebpf, "SWEEP_SINCE")?)?;
    // Only borrowed: the programs that are still to be loaded refer to the map by its descriptor.
    let flows = match ebpf.map("FLOWS") {
        Some(Map::SkStorage(flows)) => flows.fd().as_fd().try_clone_to_owned()?,
        _ => return Err(LoadError::Foreign("FLOWS")),
    };
    let sweep: &mut Iter = program(ebpf, name)?.try_into().map_err(refused)?;
    sweep.load("bpf_sk_storage_map", btf).map_err(refused)?;
    let fd = sweep.fd().map_err(refused)?;
    Ok(Sweeper::new(fd.as_fd(), flows.as_fd(), since)?)
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, LoadError> {
    ebpf.take_map(name).ok_or(LoadError::Foreign(name))
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Program, LoadError> {
    ebpf.program_mut(name).ok_or(LoadError::Foreign(name))
}
