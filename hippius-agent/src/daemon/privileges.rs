//! What the process gives up: core dumps at once, capabilities when the probes are attached.

use caps::{CapSet, Capability, CapsHashSet};

/// What is left to do after attach: reading maps (before 6.x every `bpf()` call asks for it), names of processes,
/// sockets of other network namespaces, a port below 1024.
const KEPT: [Capability; 4] = [
    Capability::CAP_BPF,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_SYS_PTRACE,
];

/// Probes of TLS libraries come and go with the processes that use them. The kernel gives perf events for them to nobody
/// without `CAP_SYS_ADMIN` (kernel/events/core.c, perf_uprobe_event_init).
const FOR_TLS: [Capability; 1] = [Capability::CAP_SYS_ADMIN];

/// Gives up every other capability, for this thread and all that it starts.
pub fn drop_capabilities() -> Result<(), caps::errors::CapsError> {
    keep(&KEPT)
}

/// The same for the thread that probes TLS libraries, which needs more as long as it runs.
pub fn drop_capabilities_but_for_tls() -> Result<(), caps::errors::CapsError> {
    keep(&[KEPT.as_slice(), &FOR_TLS].concat())
}

fn keep(capabilities: &[Capability]) -> Result<(), caps::errors::CapsError> {
    let have = caps::read(None, CapSet::Permitted)?;
    let keep: CapsHashSet = capabilities.iter().copied().filter(|capability| have.contains(capability)).collect();
    caps::set(None, CapSet::Effective, &keep)?;
    caps::set(None, CapSet::Permitted, &keep)?;
    caps::clear(None, CapSet::Inheritable)
}
