//! What is watched, as the kernel side wants it: ports of services, and processes whose own connections count.

use std::path::Path;

use super::container::Containers;
use super::listeners::unix::{UnixListener, unix_listeners};
use super::listeners::{Listener, listeners};
use super::loader::PORT_WORDS;
use super::process;
use crate::config::Config;

/// One bit for each port.
pub type PortSet = [u64; PORT_WORDS];

/// Everything that the kernel side is told, and may be told anew while it runs.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Ports whose sockets are watched.
    pub ports: Ports,
    /// Watch every port on which somebody begins to listen.
    pub discover: bool,
    /// Watch connections over Unix sockets. Whose they are is the agent's question.
    pub unix: bool,
    /// Processes that begin to listen on a watched port are watched as clients, too.
    pub outbound: bool,
    /// The agent is told of processes that begin to run a program: one may be a configured client.
    pub programs: bool,
    /// Ports on which anybody listens: what has one of them was accepted, and not opened by a client.
    pub listened: Ports,
    /// Processes whose outgoing connections are watched.
    pub clients: Vec<u32>,
}

/// A set of ports.
#[derive(Debug, Clone)]
pub struct Ports(pub PortSet);

impl Default for Ports {
    fn default() -> Self {
        Self([0; PORT_WORDS])
    }
}

impl Ports {
    /// Adds one.
    pub fn add(&mut self, port: u16) {
        if let Some(word) = self.0.get_mut(usize::from(port >> 6)) {
            *word |= 1 << (port & 63);
        }
    }

    /// Takes one away.
    pub fn remove(&mut self, port: u16) {
        if let Some(word) = self.0.get_mut(usize::from(port >> 6)) {
            *word &= !(1 << (port & 63));
        }
    }
}

impl Watch {
    /// The same, and no connection that a process opens.
    pub fn without_clients(self) -> Self {
        Self { outbound: false, programs: false, clients: Vec::new(), ..self }
    }

    /// What the configuration asks for on this host as it is. `own` is the agent's port.
    pub fn of(config: &Config, own: u16) -> Self {
        let mut watch = Self {
            discover: config.capture.discover || config.services.iter().any(|service| service.is_anywhere()),
            unix: config.follows_unix_sockets(),
            outbound: config.capture.outbound,
            programs: !config.clients.is_empty(),
            ..Self::default()
        };
        for range in config.services.iter().flat_map(|service| service.ports.ranges()) {
            range.clone().for_each(|port| watch.ports.add(port));
        }
        let (mut servers, mut containers) = (Vec::new(), Containers::default());
        // Without the right to read other processes' descriptors the list lacks names, not ports.
        for listener in listeners(Path::new("/proc")).unwrap_or_default() {
            watch.listened.add(listener.port);
            if is_wanted(config, &mut containers, &listener, own) {
                watch.ports.add(listener.port);
                servers.extend(listener.pid);
            }
        }
        servers.extend(unix_servers(config, &mut containers));
        let mut roots = if config.capture.outbound { servers } else { Vec::new() };
        if !config.clients.is_empty() {
            roots.extend(process::all().into_iter().filter(|pid| is_client(config, *pid)));
        }
        if !roots.is_empty() {
            watch.clients = process::with_descendants(&roots);
        }
        watch.clients.retain(|pid| *pid != std::process::id());
        watch
    }
}

/// Whether a `[[client]]` of the configuration means this process.
fn is_client(config: &Config, pid: u32) -> bool {
    let (comm, executable) = process::names(pid);
    let command = process::command(pid);
    config.client_of(comm.as_deref(), executable.as_deref(), command.as_deref()).is_some()
}

/// Processes of services that are named by their Unix sockets.
fn unix_servers(config: &Config, containers: &mut Containers) -> Vec<u32> {
    if config.services.iter().all(|service| service.sockets.is_empty()) {
        return Vec::new();
    }
    let listeners = unix_listeners(Path::new("/proc")).unwrap_or_default();
    let wanted = |listener: &&UnixListener| containers.service_of(config, listener.pid, listener.candidate()).is_some();
    listeners.iter().filter(wanted).filter_map(|listener| listener.pid).collect()
}

fn is_wanted(config: &Config, containers: &mut Containers, listener: &Listener, own: u16) -> bool {
    let is_own = listener.port == own && listener.pid.is_none_or(|pid| pid == std::process::id());
    !is_own && (config.capture.discover || containers.service_of(config, listener.pid, listener.candidate()).is_some())
}
