//! The kernel object: what is filled in before it is loaded, and what is taken out of it afterwards.

use std::os::fd::AsFd;

use aya::maps::{Array, HashMap, Map, PerCpuArray, RingBuf};
use aya::programs::Iter;
use aya::{Btf, Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use hippius_common::ABI_GLOBAL;
use hippius_common::fields::arch;

use super::backend::{Attachment, Backend, Part};
use super::clients::Clients;
use super::early::Early;
use super::error::LoadError;
use super::facts::Facts;
use super::files;
use super::iterator::Iterator;
use super::loader::{Controls, Planned, Probes, Settings};
use super::programs::{self, program};
use super::sweep::Sweeper;
use super::targets::walk;
use super::{calls, heap, tls};

/// The object, as built by `cargo xtask build`.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("HIPPIUS_EBPF_OBJECT"));

/// Threads whose calls into TLS libraries are remembered, and processes; those that have not called for longest make
/// room.
const TLS_THREADS: u32 = 16_384;
const TLS_PROCESSES: u32 = 8_192;

const PRESENT: u32 = 1;
const ARCH: u32 = if cfg!(target_arch = "aarch64") { arch::AARCH64 } else { arch::X86_64 };

/// A loader that knows nothing of the kernel's types: the object has nothing to be fitted to them.
///
/// A new one has read them all the same, and made 20 MiB of them, which is given back.
pub fn loader<'a>() -> EbpfLoader<'a> {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    heap::give_back();
    loader
}

/// The same without the reading, which aya leaves out where it can open no file. It has no other constructor that would.
/// The limit is that of the whole process, so there must be no other thread.
pub fn loader_before_threads<'a>() -> EbpfLoader<'a> {
    files::without(loader)
}

/// What the object is loaded with.
pub struct Object<'a> {
    settings: &'a Settings,
    facts: &'a Facts,
    probe_log: u32,
    tgid: u32,
}

/// The programs of one part, with the kernel's types that they are loaded with. Those are large, and belong to the thread
/// that lives on: glibc gives back to the system what the first thread has freed.
pub struct Programs {
    /// Each with its place.
    pub attachments: Vec<Attachment>,
    types: Btf,
}

impl Programs {
    /// Loads them and attaches none.
    pub fn load(&self, ebpf: &mut Ebpf) -> Result<(), LoadError> {
        programs::load(ebpf, &self.attachments, &self.types)
    }
}

impl<'a> Object<'a> {
    /// Filled in by these.
    pub fn new(settings: &'a Settings, facts: &'a Facts) -> Self {
        Self { settings, facts, probe_log: u32::from(settings.probe_log), tgid: std::process::id() }
    }

    /// Tells a loader what is the same for all back-ends.
    pub fn configure(&'a self, loader: &mut EbpfLoader<'a>) {
        let Self { settings, facts, .. } = self;
        let max_flows = if self.has_storage() { 1 } else { settings.max_flows };
        loader
            .map_max_entries("RECORDS", settings.ring_bytes)
            .map_max_entries("FLOWS_BY_ADDRESS", max_flows)
            .map_max_entries("IGNORED_BY_ADDRESS", max_flows)
            .map_max_entries("TLS_SESSIONS", settings.max_sessions.max(1))
            .map_max_entries("TLS_CALLS", if settings.max_sessions == 0 { 1 } else { TLS_THREADS })
            .map_max_entries("TLS_PROCESSES", if settings.max_sessions == 0 { 1 } else { TLS_PROCESSES })
            .override_global("ARCH", &ARCH, true)
            .override_global(ABI_GLOBAL, &PRESENT, true)
            .override_global("WAKE_BYTES", &settings.wake_bytes, true)
            .override_global("PROBE_LOG", &self.probe_log, true)
            .override_global("AGENT_TGID", &self.tgid, true);
        for (global, value) in facts.globals() {
            loader.override_global(global, value, true);
        }
    }

    fn has_storage(&self) -> bool {
        self.facts.get("HAS_STORAGE") != 0
    }

    /// Loads those of a back-end's programs that come first, and attaches none; [`Self::part`] gives the others.
    pub fn load(&'a self, loader: &mut EbpfLoader<'a>, backend: Backend, plan: &Planned) -> Result<Probes, LoadError> {
        let object = calls::numbered(OBJECT, self.facts.get("RDONLY_CAST"));
        let mut ebpf = loader.override_global("BACKEND", backend.bit(), true).load(&object)?;
        drop(object);
        let first: Vec<_> = plan.attachments.iter().filter(|attachment| self.is_first(attachment)).copied().collect();
        // What parsing has left behind need not be there beside the types, nor those beside the ring, which is resident as
        // soon as it is mapped.
        heap::let_go(OBJECT);
        heap::give_back();
        programs::load(&mut ebpf, &first, &plan.targets.of_programs(&first)?)?;
        let ports = Array::try_from(take(&mut ebpf, "PORTS")?)?;
        let discover = Array::try_from(take(&mut ebpf, "DISCOVER")?)?;
        let unix = Array::try_from(take(&mut ebpf, "UNIX")?)?;
        let sees_unix = backend == Backend::Tracepoint || first.iter().any(|attachment| attachment.part == Part::Unix);
        let mut mptcp = Array::try_from(take(&mut ebpf, "MPTCP")?)?;
        mptcp.set(0, u32::from(backend == Backend::Tracepoint), 0)?;
        let losses = PerCpuArray::try_from(take(&mut ebpf, "LOSSES")?)?;
        let log = self.settings.probe_log.then(|| EbpfLogger::init(&mut ebpf)).transpose()?;
        let processes = tls::programs::again(&ebpf, "CLIENTS")?;
        let types = plan.targets.of_iterators()?;
        let clients = self.clients(&mut ebpf, &types)?;
        let (mut sweeper, sweep) = self.sweeper(&mut ebpf, &types)?;
        let mut programs: Vec<_> =
            plan.attachments.iter().map(|attachment| attachment.program).chain([sweep]).collect();
        let tls = (self.settings.max_sessions > 0).then(|| self.tls(&mut ebpf, &types, &mut sweeper, processes));
        if let Some(Ok(_)) = &tls {
            programs.extend(tls::programs::NAMES);
        }
        drop(types);
        heap::give_back();
        let ring = RingBuf::try_from(take(&mut ebpf, "RECORDS")?)?;
        let controls = Controls { losses, ports, discover, unix, sees_unix, mptcp, clients, programs, ebpf };
        let (refused, early) = (Vec::new(), Early::default());
        Ok(Probes { ring, sweeper, log, controls, backend, refused, tls, mptcp: None, since_ns: 0, early })
    }

    /// Whether a program is loaded with the first ones.
    pub fn is_first(&self, attachment: &Attachment) -> bool {
        match attachment.part {
            Part::Servers => true,
            Part::Unix => self.settings.unix,
            Part::Clients | Part::Mptcp => false,
        }
    }

    /// Whether the programs for clients are asked for.
    pub fn is_for_clients(&self) -> bool {
        self.settings.clients
    }

    /// The programs of another part.
    pub fn part(plan: &Planned, part: Part) -> Result<Programs, LoadError> {
        let attachments = plan.attachments.iter().filter(|attachment| attachment.part == part);
        let attachments: Vec<_> = attachments.copied().collect();
        let types = plan.targets.of_programs(&attachments)?;
        Ok(Programs { attachments, types })
    }

    /// The programs for MPTCP: none on the tracepoints, which see its calls as they see TCP's.
    pub fn mptcp(plan: &Planned, backend: Backend) -> Result<Programs, LoadError> {
        let programs = Self::part(plan, Part::Mptcp)?;
        if programs.attachments.is_empty() && backend == Backend::Fentry {
            let why = "the kernel's mptcp_recvmsg and mptcp_sendmsg are not the known ones";
            return Err(LoadError::Lacking(why.to_owned()));
        }
        Ok(programs)
    }

    fn sweeper(&self, ebpf: &mut Ebpf, types: &Btf) -> Result<(Sweeper, &'static str), LoadError> {
        let (name, iterator, map) = if self.has_storage() {
            ("sweep", walk::STORAGE, "FLOWS")
        } else {
            ("sweep_by_address", walk::HASH, "FLOWS_BY_ADDRESS")
        };
        let refused = |source| LoadError::Program { name, source: Box::new(source) };
        let since = Array::try_from(take(ebpf, "SWEEP_SINCE")?)?;
        let sweep: &mut Iter = program(ebpf, name)?.try_into().map_err(refused)?;
        sweep.load(iterator, types).map_err(refused)?;
        let sweep = sweep.fd().and_then(|fd| Ok(fd.try_clone()?)).map_err(refused)?;
        // It stays where it is: programs that are loaded later know it by its descriptor.
        let Some(Map::SkStorage(flows) | Map::HashMap(flows)) = ebpf.map(map) else {
            return Err(LoadError::Foreign(map));
        };
        Ok((Sweeper::new(sweep.as_fd(), flows.fd().as_fd(), since)?, name))
    }

    /// Without socket storage there is no way from a file to its socket either: what is open already stays unseen.
    fn clients(&self, ebpf: &mut Ebpf, types: &Btf) -> Result<Clients, LoadError> {
        let open = if self.has_storage() { Some(Self::adopt(ebpf, types)?) } else { None };
        Ok(Clients {
            processes: HashMap::try_from(take(ebpf, "CLIENTS")?)?,
            started: HashMap::try_from(take(ebpf, "STARTED")?)?,
            answers: HashMap::try_from(take(ebpf, "ANSWERS")?)?,
            outbound: Array::try_from(take(ebpf, "OUTBOUND")?)?,
            programs: Array::try_from(take(ebpf, "PROGRAMS")?)?,
            listened: Array::try_from(take(ebpf, "LISTENED")?)?,
            open,
            loaded: false,
        })
    }

    fn adopt(ebpf: &mut Ebpf, types: &Btf) -> Result<Iterator, LoadError> {
        let name = "adopt";
        let refused = |source| LoadError::Program { name, source: Box::new(source) };
        let adopt: &mut Iter = program(ebpf, name)?.try_into().map_err(refused)?;
        adopt.load(walk::FILES, types).map_err(refused)?;
        Ok(Iterator::over_all(adopt.fd().map_err(refused)?.as_fd())?)
    }

    /// The programs for TLS libraries, whose sessions are swept with the sockets' flows.
    fn tls(
        &self,
        ebpf: &mut Ebpf,
        types: &Btf,
        sweeper: &mut Sweeper,
        processes: Map,
    ) -> Result<tls::programs::Parts, LoadError> {
        let (name, map) = ("sweep_by_address", "TLS_SESSIONS");
        let refused = |source| LoadError::Program { name, source: Box::new(source) };
        let sweep: &mut Iter = program(ebpf, name)?.try_into().map_err(refused)?;
        if sweep.fd().is_err() {
            sweep.load(walk::HASH, types).map_err(refused)?;
        }
        let sweep = sweep.fd().and_then(|fd| Ok(fd.try_clone()?)).map_err(refused)?;
        let Some(Map::HashMap(sessions)) = ebpf.map(map) else { return Err(LoadError::Foreign(map)) };
        sweeper.also(sweep.as_fd(), sessions.fd().as_fd())?;
        tls::programs::load(ebpf, processes)
    }
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, LoadError> {
    ebpf.take_map(name).ok_or(LoadError::Foreign(name))
}
