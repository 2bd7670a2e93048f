//! What the process gives up: core dumps at once, capabilities when the probes are attached.

use caps::{CapSet, Capability, CapsHashSet};

/// What is left to do after attach: reading maps (before 6.x every `bpf()` call asks for it), names of processes,
/// sockets of other network namespaces, the nice value of the capturing thread, a port below 1024.
const KEPT: [Capability; 5] = [
    Capability::CAP_BPF,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_SYS_NICE,
    Capability::CAP_SYS_PTRACE,
];

/// Gives up every other capability, for this thread and all that it starts.
pub fn drop_capabilities() -> Result<(), caps::errors::CapsError> {
    let have = caps::read(None, CapSet::Permitted)?;
    let keep: CapsHashSet = KEPT.into_iter().filter(|capability| have.contains(capability)).collect();
    caps::set(None, CapSet::Effective, &keep)?;
    caps::set(None, CapSet::Permitted, &keep)?;
    caps::clear(None, CapSet::Inheritable)
}
