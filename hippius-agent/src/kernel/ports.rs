//! The ports that are watched, as the kernel side wants them.

use std::path::Path;

use super::listeners::listeners;
use super::loader::PORT_WORDS;
use crate::config::Config;

/// One bit for each port.
pub type PortSet = [u64; PORT_WORDS];

/// The ports of the configured services and, where the configuration says so, of every listening socket of the host.
/// `own` is the agent's.
pub fn wanted(config: &Config, own: u16) -> PortSet {
    let mut ports = [0; PORT_WORDS];
    for range in config.services.iter().flat_map(|service| service.ports.ranges()) {
        range.clone().for_each(|port| add(&mut ports, port));
    }
    // Without the right to read other processes' descriptors the list lacks names, not ports.
    for listener in listeners(Path::new("/proc")).unwrap_or_default() {
        let is_own = listener.port == own && listener.pid.is_none_or(|pid| pid == std::process::id());
        let comm = listener.comm.as_deref();
        let named = config.service_of(listener.port, comm, listener.executable.as_deref()).is_some();
        if !is_own && (named || config.capture.discover) {
            add(&mut ports, listener.port);
        }
    }
    ports
}

/// Whether new listening sockets have to be watched before their process is known.
pub fn discovers(config: &Config) -> bool {
    config.capture.discover || config.services.iter().any(|service| service.ports.is_empty())
}

fn add(ports: &mut PortSet, port: u16) {
    if let Some(word) = ports.get_mut(usize::from(port >> 6)) {
        *word |= 1 << (port & 63);
    }
}
