//! Which services run in which containers, as long as their processes do.

use std::sync::Arc;

use super::Pipeline;
use crate::kernel::container::Container;
use crate::kernel::process;

/// Containers that are shown at the same time: a node of Kubernetes runs at most 250 pods by its own documentation.
const MOST: usize = 1000;
/// Processes that are remembered of one: workers come and go, and one that lives is enough.
const MOST_PROCESSES: usize = 64;

/// Containers in which a connection of a service was seen.
#[derive(Debug, Default)]
pub struct Placed {
    entries: Vec<Entry>,
    /// Containers that found no room since the last [`settle`](Self::settle).
    refused: u64,
}

#[derive(Debug)]
struct Entry {
    service: Box<str>,
    container: Arc<Container>,
    processes: Vec<u32>,
    shown: bool,
}

/// What has changed about a container of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A first process of the service was seen in it.
    Begun,
    /// The last process has ended.
    Ended,
}

impl Pipeline {
    /// Tells in which containers services have begun and ended since the last call; how many found no room.
    pub fn settle_containers(&mut self, changed: impl FnMut(&str, &Container, Change)) -> u64 {
        self.services.placed.settle(changed)
    }
}

impl Placed {
    /// A process of this service runs in this container.
    pub fn add(&mut self, service: &str, container: &Arc<Container>, pid: u32) {
        let is_full = self.entries.len() >= MOST;
        let known = self.entries.iter_mut().find(|entry| *entry.service == *service && entry.container == *container);
        match known {
            Some(entry) if entry.processes.contains(&pid) => {}
            Some(entry) => {
                if entry.processes.len() >= MOST_PROCESSES {
                    entry.processes.retain(|pid| process::exists(*pid));
                }
                // More live ones than that: the oldest are as good as any.
                entry.processes.truncate(MOST_PROCESSES - 1);
                entry.processes.push(pid);
            }
            None if is_full => self.refused += 1,
            None => self.entries.push(Entry {
                service: service.into(),
                container: Arc::clone(container),
                processes: vec![pid],
                shown: false,
            }),
        }
    }

    /// Tells what has changed since the last call, and forgets what has ended. How many containers found no room.
    pub fn settle(&mut self, changed: impl FnMut(&str, &Container, Change)) -> u64 {
        self.settle_by(process::exists, changed);
        std::mem::take(&mut self.refused)
    }

    fn settle_by(&mut self, exists: impl Fn(u32) -> bool, mut changed: impl FnMut(&str, &Container, Change)) {
        self.entries.retain_mut(|entry| {
            let ended = !entry.processes.iter().any(|pid| exists(*pid));
            if ended && entry.shown {
                changed(&entry.service, &entry.container, Change::Ended);
            } else if !ended && !entry.shown {
                entry.shown = true;
                changed(&entry.service, &entry.container, Change::Begun);
            }
            !ended
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::container::names::Names;

    fn container(number: usize) -> Arc<Container> {
        Arc::new(Container { id: format!("{number:064x}").into(), pod_uid: None, names: Names::default() })
    }

    #[test]
    fn a_container_is_shown_as_long_as_a_process_of_it_lives() {
        let mut placed = Placed::default();
        placed.add("api", &container(1), 7);
        placed.add("api", &container(1), 8);
        let mut settle = |alive: &[u32]| {
            let mut changes = Vec::new();
            placed
                .settle_by(|pid| alive.contains(&pid), |service, _, change| changes.push((service.to_owned(), change)));
            changes
        };
        assert_eq!(settle(&[7, 8]), [("api".to_owned(), Change::Begun)]);
        assert_eq!(settle(&[8]), []);
        assert_eq!(settle(&[]), [("api".to_owned(), Change::Ended)]);
        assert_eq!(settle(&[7, 8]), []);
    }

    #[test]
    fn many_containers_and_many_processes_are_bounded() {
        let mut placed = Placed::default();
        for number in 0..MOST {
            placed.add("api", &container(number), 7);
        }
        placed.add("api", &container(MOST), 7);
        assert_eq!((placed.entries.len(), placed.refused), (MOST, 1));
        // Numbers that no process has: the kernel's largest is 4 194 304.
        for pid in 5_000_000..5_001_000 {
            placed.add("api", &container(0), pid);
        }
        let bounded = |entry: &Entry| entry.processes.len() <= MOST_PROCESSES && entry.processes.contains(&5_000_999);
        assert!(placed.entries.first().is_some_and(bounded));
        assert_eq!((placed.settle(|_, _, _| ()), placed.settle(|_, _, _| ())), (1, 0));
    }
}
