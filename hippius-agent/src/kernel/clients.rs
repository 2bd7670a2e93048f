//! The processes whose outgoing connections are watched, on the kernel's side.

use std::collections::HashSet;
use std::io::{self, Read};

use aya::maps::{Array, HashMap, MapData};
use hippius_common::started::{Run, answer};

use super::error::LoadError;
use super::iterator::Iterator;
use super::process;
use super::watch::{PortSet, Watch};

/// Flags of an update (include/uapi/linux/bpf.h).
const BPF_NOEXIST: u64 = 1;
const BPF_EXIST: u64 = 2;

/// The maps that say which processes are clients, and the walk over what they have open.
pub struct Clients {
    pub(super) processes: HashMap<MapData, u32, u32>,
    pub(super) started: HashMap<MapData, u32, u64>,
    pub(super) answers: HashMap<MapData, [u64; 2], u32>,
    pub(super) outbound: Array<MapData, u32>,
    pub(super) programs: Array<MapData, u32>,
    pub(super) listened: Array<MapData, PortSet>,
    /// Absent where the kernel cannot: connections that are open already stay unseen there.
    pub(super) open: Option<Iterator>,
    /// The programs for them are there. Until they are, no connection may be taken for a client's.
    pub(super) loaded: bool,
}

/// What is to be said of processes that the kernel side has asked about.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// They are clients.
    pub clients: Vec<Run>,
    /// They are none.
    pub others: Vec<Run>,
    /// They are none, and nothing of them is expected any more.
    pub forgotten: Vec<Run>,
}

impl Clients {
    /// Whether clients can be watched.
    pub fn can_be_watched(&self) -> bool {
        self.loaded
    }

    /// The kernel side tells of each program that begins from now on, where clients can be watched. To be called before the
    /// host is looked at for [`Watch`], so that no process falls between.
    pub fn ask_about_programs(&mut self) -> Result<(), LoadError> {
        if self.loaded {
            self.programs.set(0, 1, 0)?;
        }
        Ok(())
    }

    /// Watches these processes, and what comes after them, from now on; none where they cannot be.
    pub(super) fn watch(&mut self, watch: &Watch) -> Result<(), LoadError> {
        if !self.loaded {
            return Ok(self.listened.set(0, watch.listened.0, 0)?);
        }
        self.outbound.set(0, u32::from(watch.outbound), 0)?;
        self.programs.set(0, u32::from(watch.programs), 0)?;
        let wanted: HashSet<u32> = watch.clients.iter().copied().collect();
        let known: HashSet<u32> = self.processes.keys().flatten().collect();
        for gone in self.gone(&known, &wanted) {
            // It may have ended meanwhile.
            let _ = self.processes.remove(&gone);
        }
        let new: Vec<u32> = wanted.difference(&known).copied().collect();
        self.listened.set(0, watch.listened.0, 0)?;
        self.add(&new)
    }

    /// Those that are not watched any longer. What a wanted process has begotten is a client by descent, even if it is
    /// younger than the look that found which are wanted.
    fn gone(&self, known: &HashSet<u32>, wanted: &HashSet<u32>) -> Vec<u32> {
        let mut gone: Vec<u32> = known.difference(wanted).copied().collect();
        if !gone.is_empty() {
            let roots: Vec<u32> = wanted.iter().copied().collect();
            let family: HashSet<u32> = process::with_descendants(&roots).into_iter().collect();
            gone.retain(|pid| !family.contains(pid) || *pid == std::process::id());
        }
        gone
    }

    fn add(&mut self, processes: &[u32]) -> Result<(), LoadError> {
        for process in processes {
            self.processes.insert(process, 1, 0)?;
        }
        if !processes.is_empty() {
            self.adopt().map_err(LoadError::Sweep)?;
        }
        Ok(())
    }

    /// Whether this is what the process runs now.
    pub fn is_running(&self, run: Run) -> bool {
        self.started.get(&(run.tgid as u32), 0).is_ok_and(|started_ns| started_ns == run.started_ns)
    }

    /// Says what is known now. What is still running of the clients is watched like all others.
    pub fn answer(&mut self, answers: &Answers) -> Result<(), LoadError> {
        for run in &answers.others {
            // It is there until it is forgotten.
            self.answers.insert(key(*run), answer::NO, BPF_EXIST)?;
        }
        for run in &answers.forgotten {
            let _ = self.answers.remove(&key(*run));
        }
        let mut added = false;
        for run in &answers.clients {
            added |= self.begin(*run)?;
            let _ = self.answers.remove(&key(*run));
        }
        if added {
            self.adopt().map_err(LoadError::Sweep)?;
        }
        Ok(())
    }

    /// Watches a process, unless it has ended or gone over to another program: that one has a question of its own, which
    /// names this run. Nobody else's number is left behind, because the run is looked at before and after.
    fn begin(&mut self, run: Run) -> Result<bool, LoadError> {
        let tgid = run.tgid as u32;
        if !self.is_running(run) || self.processes.get(&tgid, 0).is_ok() {
            return Ok(false);
        }
        match self.processes.insert(tgid, 1, BPF_NOEXIST) {
            Ok(()) if self.is_running(run) => Ok(true),
            Ok(()) => {
                let _ = self.processes.remove(&tgid);
                Ok(false)
            }
            // It has begun to listen meanwhile.
            Err(_) if self.processes.get(&tgid, 0).is_ok() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes up the connections that clients have open already.
    fn adopt(&self) -> io::Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        // The program writes nothing; reading makes it run.
        open.walk()?.read_to_end(&mut Vec::new()).map(drop)
    }
}

fn key(run: Run) -> [u64; 2] {
    [run.started_ns, run.tgid]
}
