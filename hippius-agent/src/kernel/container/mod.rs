//! The container and the pod that a process runs in.
//!
//! The control group of a process names the container by its id and the pod by its unique id ([`cgroup`]); the files
//! that the container runtime keeps about it know their names ([`names`]). No runtime is asked over a socket.

pub mod cgroup;
pub mod names;

use crate::config::{Candidate, Config, Service};
use cgroup::Place;
use names::Names;
use std::collections::HashMap;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A process has one line in the unified hierarchy, and about a dozen in the older ones.
const MOST_CGROUP_BYTES: u64 = 64 * 1024;
/// Containers whose names are remembered; beyond it they are read again.
const MOST_KNOWN: usize = 4096;

/// A container, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: Box<str>,
    /// The unique id of its Kubernetes pod.
    pub pod_uid: Option<Box<str>>,
    /// What the runtime's files call it, its pod and the pod's namespace.
    pub names: Names,
}

impl Container {
    /// What a selector of the configuration looks at.
    pub fn describe<'a>(&'a self, candidate: Candidate<'a>) -> Candidate<'a> {
        Candidate {
            container: self.names.container.as_deref(),
            container_id: Some(&self.id),
            pod: self.names.pod.as_deref(),
            pod_uid: self.pod_uid.as_deref(),
            namespace: self.names.namespace.as_deref(),
            ..candidate
        }
    }
}

/// Finds containers of processes. Names are read once for each container.
#[derive(Debug)]
pub struct Containers {
    proc: PathBuf,
    /// Where the runtimes' files are looked for.
    roots: Vec<PathBuf>,
    known: HashMap<Box<str>, Arc<Container>>,
}

impl Default for Containers {
    /// Of this host. Where the agent runs in a container itself and shares the host's process ids, the host's files are
    /// below the root of its first process.
    fn default() -> Self {
        Self::new("/proc".into(), vec!["/".into(), "/proc/1/root".into()])
    }
}

impl Containers {
    /// With procfs at `proc` and the runtimes' files below `roots`.
    pub fn new(proc: PathBuf, roots: Vec<PathBuf>) -> Self {
        Self { proc, roots, known: HashMap::new() }
    }

    /// The container of a process; `None` where it runs in none, or has ended.
    pub fn of(&mut self, pid: u32) -> Option<Arc<Container>> {
        let text = read(&self.proc.join(pid.to_string()).join("cgroup"), MOST_CGROUP_BYTES).ok()?;
        let place = cgroup::find(&String::from_utf8_lossy(&text))?;
        if let Some(known) = self.known.get(&place.id) {
            return Some(Arc::clone(known));
        }
        let Place { id, pod_uid } = place;
        let container = Arc::new(Container { names: names::read(&self.roots, &id), id, pod_uid });
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(container.id.clone(), Arc::clone(&container));
        Some(container)
    }

    /// The configured service that a process is with what it listens on.
    pub fn service_of<'c>(
        &mut self,
        config: &'c Config,
        pid: Option<u32>,
        candidate: Candidate<'_>,
    ) -> Option<&'c Service> {
        let container = pid.and_then(|pid| self.of(pid));
        config.service_of(&container.as_ref().map_or(candidate, |container| container.describe(candidate)))
    }
}

/// An ordinary file of at most `most` bytes. Neither a pipe nor a link at the end of the path is followed, which users
/// can put into folders of theirs.
fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests;
