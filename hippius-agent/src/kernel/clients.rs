//! The processes whose outgoing connections are watched, on the kernel's side.

use std::collections::HashSet;
use std::io::{self, Read};

use aya::maps::{Array, HashMap, MapData};

use super::error::LoadError;
use super::iterator::Iterator;
use super::watch::{PortSet, Watch};

/// The maps that say which processes are clients, and the walk over what they have open.
pub struct Clients {
    pub(super) processes: HashMap<MapData, u32, u32>,
    pub(super) outbound: Array<MapData, u32>,
    pub(super) programs: Array<MapData, u32>,
    pub(super) listened: Array<MapData, PortSet>,
    /// Absent where the kernel cannot: connections that are open already stay unseen there.
    pub(super) open: Option<Iterator>,
    /// The programs for them are there. Until they are, no connection may be taken for a client's.
    pub(super) loaded: bool,
}

impl Clients {
    /// Whether clients can be watched.
    pub fn can_be_watched(&self) -> bool {
        self.loaded
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
        for gone in known.difference(&wanted) {
            // It may have ended meanwhile.
            let _ = self.processes.remove(gone);
        }
        let new: Vec<u32> = wanted.difference(&known).copied().collect();
        self.listened.set(0, watch.listened.0, 0)?;
        self.add(&new)
    }

    /// Watches some more.
    pub fn add(&mut self, processes: &[u32]) -> Result<(), LoadError> {
        for process in processes {
            self.processes.insert(process, 1, 0)?;
        }
        if !processes.is_empty() {
            self.adopt().map_err(LoadError::Sweep)?;
        }
        Ok(())
    }

    /// Takes up the connections that clients have open already.
    fn adopt(&self) -> io::Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        // The program writes nothing; reading makes it run.
        open.walk()?.read_to_end(&mut Vec::new()).map(drop)
    }
}
