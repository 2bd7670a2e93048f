//! The thread that finds libraries and attaches and detaches probes, which may wait for the kernel.
//!
//! Which processes are meant, the kernel side knows: those whose connections are watched, with their children. Their maps
//! are read when their address space has another size than before, so that a library that is loaded late (`dlopen`) is
//! found, too.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use object::ReadCache;

use super::attach::{Attached, Programs, Uprobes, attach};
use super::libraries::{self, FileId, Mapping};
use super::programs::Maps;
use super::symbols::{self, SymbolError};

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// At so many looks, sessions are looked at whose process has ended without ending them.
const SELDOM: u32 = 10;
/// A library that nobody uses stays probed so long: whoever starts a program again and again finds it probed.
const LINGER: Duration = Duration::from_secs(120);
/// Sessions, each about 2.5 KiB, of processes that ended without ending them; more are counted.
const ENDED_WAITING: usize = 1024;

/// What the watcher tells of itself.
#[derive(Debug, Default, Clone)]
pub struct Status {
    /// Files that are probed.
    pub libraries: u64,
    /// Processes that have mapped them.
    pub processes: u64,
    /// Files that could not be probed, by reason.
    pub refused: HashMap<&'static str, u64>,
    /// Sessions whose end could not be handed over.
    pub lost: u64,
}

/// The running watcher. Dropping it detaches all probes.
pub struct Watcher {
    stop: Option<SyncSender<()>>,
    ended: Receiver<Vec<u8>>,
    status: Arc<Mutex<Status>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts the thread, which calls `prepare` first. `proc` is the mount point of procfs.
    pub fn start(
        uprobes: Uprobes,
        programs: Programs,
        maps: Maps,
        proc: &Path,
        prepare: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let (ended_sender, ended) = sync_channel(ENDED_WAITING);
        let status = Arc::new(Mutex::new(Status::default()));
        let work = Work {
            uprobes,
            programs,
            maps,
            proc: proc.to_owned(),
            known: HashMap::new(),
            libraries: HashMap::new(),
            refused: HashSet::new(),
            looks: 0,
            ended: ended_sender,
            status: Arc::clone(&status),
        };
        let thread = std::thread::Builder::new().name("tls".to_owned()).spawn(move || {
            prepare();
            work.run(&stopped);
        })?;
        Ok(Self { stop: Some(stop), ended, status, thread: Some(thread) })
    }

    /// Sessions of processes that ended without ending them, as they stood.
    pub fn ended(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.ended.try_iter()
    }

    /// What it tells of itself.
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Library {
    _attached: Attached,
    users: HashSet<u32>,
    used: Instant,
}

struct Work {
    uprobes: Uprobes,
    programs: Programs,
    maps: Maps,
    proc: PathBuf,
    /// By process: the size of its address space when its maps were last read.
    known: HashMap<u32, u64>,
    libraries: HashMap<FileId, Library>,
    /// Files that were refused, so that each is said once.
    refused: HashSet<FileId>,
    looks: u32,
    ended: SyncSender<Vec<u8>>,
    status: Arc<Mutex<Status>>,
}

impl Work {
    fn run(mut self, stopped: &Receiver<()>) {
        loop {
            self.look();
            if !matches!(stopped.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout)) {
                return;
            }
        }
    }

    fn look(&mut self) {
        let clients = self.maps.clients();
        let before = self.known.len();
        self.known.retain(|pid, _| clients.contains(pid));
        let some_ended = self.known.len() != before;
        for library in self.libraries.values_mut() {
            library.users.retain(|pid| clients.contains(pid));
        }
        for pid in clients {
            let Some(pages) = pages(&self.proc.join(pid.to_string())) else { continue };
            if self.known.insert(pid, pages) != Some(pages) {
                self.look_into(pid);
            }
        }
        self.looks = self.looks.wrapping_add(1);
        if some_ended || self.looks.is_multiple_of(SELDOM) {
            self.end_sessions();
        }
        self.release();
        let users: HashSet<_> = self.libraries.values().flat_map(|library| &library.users).collect();
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.processes = users.len() as u64;
        status.libraries = self.libraries.len() as u64;
    }

    /// Probes the libraries that a process has mapped.
    fn look_into(&mut self, pid: u32) {
        let process = self.proc.join(pid.to_string());
        let Ok(maps) = std::fs::read(process.join("maps")) else { return };
        let maps = String::from_utf8_lossy(&maps);
        let program = std::fs::read_link(process.join("exe")).ok();
        for mapping in libraries::executable_files(&maps) {
            let is_program = program.as_deref() == Some(Path::new(mapping.path));
            if is_program || libraries::may_be_library(mapping.path) {
                self.consider(pid, &process, &mapping);
            }
        }
    }

    fn consider(&mut self, pid: u32, process: &Path, mapping: &Mapping<'_>) {
        let (file, id) = match libraries::open(process, mapping) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::warn!(pid, path = mapping.path, "cannot open a TLS library: {error}");
                self.refuse("open");
                return;
            }
        };
        if let Some(library) = self.libraries.get_mut(&id) {
            library.users.insert(pid);
            return;
        }
        if self.refused.contains(&id) {
            return;
        }
        match self.probe(&file) {
            Ok(attached) => {
                tracing::info!(pid, path = mapping.path, "TLS library probed");
                let library = Library { _attached: attached, users: HashSet::from([pid]), used: Instant::now() };
                self.libraries.insert(id, library);
                self.set_active(true);
            }
            Err(refusal) => {
                self.refused.insert(id);
                // Most programs hold no TLS library themselves, and bindings to one are none.
                if !matches!(refusal, Refusal::Symbols(SymbolError::None)) {
                    tracing::info!(pid, path = mapping.path, "TLS library not probed: {refusal}");
                    self.refuse(refusal.reason());
                }
            }
        }
    }

    fn refuse(&self, reason: &'static str) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner).refused.entry(reason).or_default() += 1;
    }

    fn probe(&self, file: &File) -> Result<Attached, Refusal> {
        let cache = ReadCache::new(file);
        let offsets = symbols::offsets(&cache)?;
        Ok(attach(self.uprobes, &self.programs, file, &offsets)?)
    }

    /// Detaches from files that nobody has used for a while.
    fn release(&mut self) {
        let now = Instant::now();
        for library in self.libraries.values_mut().filter(|library| !library.users.is_empty()) {
            library.used = now;
        }
        let before = self.libraries.len();
        self.libraries.retain(|_, library| now.duration_since(library.used) < LINGER);
        if self.libraries.len() != before && self.libraries.is_empty() {
            self.set_active(false);
        }
    }

    fn set_active(&mut self, active: bool) {
        if let Err(error) = self.maps.set_active(active) {
            tracing::warn!("cannot tell the socket hooks of TLS libraries: {error}");
        }
    }

    fn end_sessions(&mut self) {
        let (proc, ended, status) = (&self.proc, &self.ended, &self.status);
        self.maps.forget(
            |tgid| !proc.join(tgid.to_string()).exists(),
            |session| {
                if ended.try_send(session.to_vec()).is_err() {
                    status.lock().unwrap_or_else(PoisonError::into_inner).lost += 1;
                }
            },
        );
    }
}

/// Size of the address space, the first field of `/proc/PID/statm`.
fn pages(process: &Path) -> Option<u64> {
    let statm = std::fs::read_to_string(process.join("statm")).ok()?;
    statm.split_ascii_whitespace().next()?.parse().ok()
}

/// Why a file is not probed.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Symbols(#[from] SymbolError),
    #[error("the kernel refuses the probes (it wants CAP_SYS_ADMIN): {0}")]
    Attach(#[from] io::Error),
}

impl Refusal {
    fn reason(&self) -> &'static str {
        match self {
            Self::Symbols(SymbolError::NotElf) => "no_elf",
            Self::Symbols(SymbolError::TooLarge) => "too_large",
            Self::Symbols(SymbolError::None | SymbolError::Lacks(_)) => "no_symbols",
            Self::Attach(_) => "attach",
        }
    }
}
